#include "crypto/keymat.h"

#include "crypto/prf.h"

/* Cut the next n bytes of key material into a secret. The sizes come from suite.c and fit. */
static void take(struct rd *r, unsigned n, struct secret *out)
{
	rd_copy(r, out->b, n);
	out->n = (uint8_t)n;
}

static struct span shared_span(const struct dh_shared *shared)
{
	return span_of(shared->b, shared->n);
}

static struct span more_span(const struct secret *more)
{
	return more ? secret_span(more) : span_of(NULL, 0);
}

void ike_keys_clear(struct ike_keys *keys)
{
	secret_wipe(keys, sizeof *keys);
}

void esp_keys_clear(struct esp_keys *keys)
{
	secret_wipe(keys, sizeof *keys);
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) */
static enum ike_err expand(const struct ike_suite *suite, const struct secret *skeyseed, const struct span seed[4],
			   struct ike_keys *out)
{
	unsigned n_prf = suite_prf_len(suite->prf);
	unsigned n_encr = suite_encr_key_len(suite->encr, suite->encr_bits) + suite_encr_salt_len(suite->encr);
	unsigned n_integ = suite_is_aead(suite->encr) ? 0 : suite_integ_key_len(suite->integ);
	unsigned n = 3 * n_prf + 2 * n_integ + 2 * n_encr;
	uint8_t stream[7 * SECRET_MAX];
	struct rd r;
	enum ike_err err;

	err = prf_plus(suite->prf, secret_span(skeyseed), seed, 4, stream, n);
	if (!err) {
		r = rd_over(span_of(stream, n));
		take(&r, n_prf, &out->d);
		take(&r, n_integ, &out->ai);
		take(&r, n_integ, &out->ar);
		take(&r, n_encr, &out->ei);
		take(&r, n_encr, &out->er);
		take(&r, n_prf, &out->pi);
		take(&r, n_prf, &out->pr);
	}
	secret_wipe(stream, sizeof stream);
	return err;
}

static bool can_derive(const struct ike_suite *suite)
{
	return suite_prf_len(suite->prf) > 0 && suite_encr_key_len(suite->encr, suite->encr_bits) > 0 &&
	       suite_icv_len(suite->encr, suite->integ) > 0;
}

enum ike_err ike_keys_derive(const struct ike_suite *suite, const struct dh_shared *shared, struct span ni,
			     struct span nr, struct span spi_i, struct span spi_r, struct ike_keys *out)
{
	uint8_t nonces[2 * 256];
	struct wr w = wr_over(nonces, sizeof nonces);
	struct span seed[4] = { ni, nr, spi_i, spi_r }, g_ir = shared_span(shared);
	struct secret skeyseed = { 0 };
	enum ike_err err;

	ike_keys_clear(out);
	if (!can_derive(suite))
		return IKE_E_UNSUPPORTED;
	wr_put(&w, ni);
	wr_put(&w, nr);
	if (!wr_ok(&w))
		return IKE_E_SYNTAX;    /* RFC 7296 2.10: a nonce has at most 256 bytes */
	err = prf_sum(suite->prf, wr_span(&w), &g_ir, 1, &skeyseed);
	if (!err)
		err = expand(suite, &skeyseed, seed, out);
	secret_clear(&skeyseed);
	return err;
}

/* From one IKE SA, or one key exchange of it, to the next. */
static enum ike_err derive_next(uint16_t prf, const struct secret *sk_d, const struct ike_suite *suite, struct span shared,
				const struct span seed[4], struct span more, struct ike_keys *out)
{
	struct span parts[4] = { shared, seed[0], seed[1], more };
	struct secret skeyseed = { 0 };
	enum ike_err err;

	ike_keys_clear(out);
	if (!can_derive(suite))
		return IKE_E_UNSUPPORTED;
	err = prf_sum(prf, secret_span(sk_d), parts, 4, &skeyseed);
	if (!err)
		err = expand(suite, &skeyseed, seed, out);
	secret_clear(&skeyseed);
	return err;
}

enum ike_err ike_keys_derive_more(const struct ike_suite *suite, const struct secret *sk_d, const struct secret *shared,
				  struct span ni, struct span nr, struct span spi_i, struct span spi_r,
				  struct ike_keys *out)
{
	struct span seed[4] = { ni, nr, spi_i, spi_r };

	return derive_next(suite->prf, sk_d, suite, secret_span(shared), seed, span_of(NULL, 0), out);
}

enum ike_err ike_keys_rekey(uint16_t old_prf, const struct secret *sk_d, const struct ike_suite *suite,
			    const struct dh_shared *shared, struct span ni, struct span nr, const struct secret *more,
			    struct span spi_i, struct span spi_r, struct ike_keys *out)
{
	struct span seed[4] = { ni, nr, spi_i, spi_r };

	return derive_next(old_prf, sk_d, suite, shared_span(shared), seed, more_span(more), out);
}

enum ike_err esp_keys_derive(const struct ike_suite *ike, const struct esp_suite *esp, const struct secret *sk_d,
			     const struct dh_shared *shared, struct span ni, struct span nr, const struct secret *more,
			     struct esp_keys *i2r, struct esp_keys *r2i)
{
	unsigned n_encr = suite_encr_key_len(esp->encr, esp->encr_bits) + suite_encr_salt_len(esp->encr);
	unsigned n_integ = suite_is_aead(esp->encr) ? 0 : suite_integ_key_len(esp->integ);
	unsigned n = 2 * (n_encr + n_integ);
	uint8_t stream[4 * SECRET_MAX];
	struct span seed[4] = { shared ? shared_span(shared) : span_of(NULL, 0), ni, nr, more_span(more) };
	struct rd r;
	enum ike_err err;

	esp_keys_clear(i2r);
	esp_keys_clear(r2i);
	if (suite_encr_key_len(esp->encr, esp->encr_bits) == 0 || suite_icv_len(esp->encr, esp->integ) == 0)
		return IKE_E_UNSUPPORTED;
	err = prf_plus(ike->prf, secret_span(sk_d), seed, 4, stream, n);
	if (!err) {
		/* RFC 7296 2.17: initiator to responder first; in each direction encryption before integrity. */
		r = rd_over(span_of(stream, n));
		take(&r, n_encr, &i2r->encr);
		take(&r, n_integ, &i2r->integ);
		take(&r, n_encr, &r2i->encr);
		take(&r, n_integ, &r2i->integ);
	}
	secret_wipe(stream, sizeof stream);
	return err;
}

enum ike_err auth_maced_id(uint16_t prf, const struct secret *sk_p, struct span id_body, struct secret *out)
{
	return prf_sum(prf, secret_span(sk_p), &id_body, 1, out);
}

enum ike_err auth_null(uint16_t prf, const struct secret *sk_p, struct span message, struct span nonce,
		       const struct secret *maced_id, struct span int_auth, struct secret *out)
{
	static const char pad[] = "Key Pad for IKEv2";     /* RFC 7296 2.15: 17 bytes, no NUL */
	struct span key_pad = span_of(pad, sizeof pad - 1);
	struct span signed_octets[4] = { message, nonce, secret_span(maced_id), int_auth };
	struct secret key;
	enum ike_err err;

	err = prf_sum(prf, secret_span(sk_p), &key_pad, 1, &key);
	if (err)
		secret_clear(out);
	else
		err = prf_sum(prf, secret_span(&key), signed_octets, 4, out);
	secret_clear(&key);
	return err;
}
