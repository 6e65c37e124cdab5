#include "crypto/prf.h"

#include <openssl/evp.h>

#include "crypto/suite.h"

enum { HMAC_BLOCK_MAX = 128 };

static const EVP_MD *prf_md(uint16_t prf)
{
	switch (prf) {
	case PRF_HMAC_SHA2_256:
		return EVP_sha256();
	case PRF_HMAC_SHA2_384:
		return EVP_sha384();
	case PRF_HMAC_SHA2_512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* HMAC (RFC 2104) over a digest context of our own. libcrypto's EVP_MAC needs a lookup by name, three allocations and a
 * copy of the key for each call, which made half of the time of a derivation; here a lookup is made once for any
 * number of sums, and no table of algorithms has to live as long as the process. */
struct hmac {
	EVP_MD_CTX *ctx;
	unsigned n_block;
	uint8_t block[HMAC_BLOCK_MAX];      /* the key, padded with zeros */
};

static void hmac_free(struct hmac *h)
{
	EVP_MD_CTX_free(h->ctx);
	secret_wipe(h, sizeof *h);
}

/* On failure there is nothing to free. */
static enum ike_err hmac_start(struct hmac *h, uint16_t prf, struct span key)
{
	const EVP_MD *md = prf_md(prf);

	memset(h, 0, sizeof *h);
	if (!md)
		return IKE_E_UNSUPPORTED;
	h->n_block = (unsigned)EVP_MD_get_block_size(md);
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx)
		return IKE_E_NOMEM;
	if (!EVP_DigestInit_ex(h->ctx, md, NULL))
		goto fail;
	if (key.n > h->n_block) {
		if (!EVP_DigestUpdate(h->ctx, key.p, key.n) || !EVP_DigestFinal_ex(h->ctx, h->block, NULL))
			goto fail;
	} else if (key.n > 0) {
		memcpy(h->block, key.p, key.n);
	}
	return IKE_OK;
fail:
	hmac_free(h);
	return IKE_E_CRYPTO;
}

/* Begin one of the two digests: the digest that the context has already, keyed with block ^ pad. */
static int hmac_begin(struct hmac *h, uint8_t pad)
{
	uint8_t keyed[HMAC_BLOCK_MAX];
	int ok;

	for (unsigned i = 0; i < h->n_block; i++)
		keyed[i] = h->block[i] ^ pad;
	ok = EVP_DigestInit_ex(h->ctx, NULL, NULL) && EVP_DigestUpdate(h->ctx, keyed, h->n_block);
	secret_wipe(keyed, sizeof keyed);
	return ok;
}

/* out = HMAC(key, first | parts... | last); may be called again and again. */
static enum ike_err hmac_sum(struct hmac *h, struct span first, const struct span *parts, unsigned n, struct span last,
			     struct secret *out)
{
	uint8_t inner[SECRET_MAX];
	unsigned len = 0;
	int ok;

	ok = hmac_begin(h, 0x36) && EVP_DigestUpdate(h->ctx, first.p, first.n);
	for (unsigned i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(h->ctx, parts[i].p, parts[i].n);
	ok = ok && EVP_DigestUpdate(h->ctx, last.p, last.n) && EVP_DigestFinal_ex(h->ctx, inner, &len);
	ok = ok && hmac_begin(h, 0x5c) && EVP_DigestUpdate(h->ctx, inner, len) && EVP_DigestFinal_ex(h->ctx, out->b, &len);
	secret_wipe(inner, sizeof inner);
	if (!ok) {
		secret_clear(out);
		return IKE_E_CRYPTO;
	}
	out->n = (uint8_t)len;
	return IKE_OK;
}

enum ike_err prf_sum(uint16_t prf, struct span key, const struct span *parts, unsigned n, struct secret *out)
{
	struct hmac h;
	enum ike_err err;

	secret_clear(out);
	err = hmac_start(&h, prf, key);
	if (err)
		return err;
	err = hmac_sum(&h, span_of(NULL, 0), parts, n, span_of(NULL, 0), out);
	hmac_free(&h);
	return err;
}

/* RFC 7296 2.13: T1 = prf(K, S | 0x01), T2 = prf(K, T1 | S | 0x02), ...; the counter is one byte. */
enum ike_err prf_plus(uint16_t prf, struct span key, const struct span *parts, unsigned n_parts, uint8_t *to, size_t n)
{
	struct secret t = { 0 };
	struct hmac h;
	uint8_t counter = 0;
	size_t done = 0, take;
	enum ike_err err;

	if (suite_prf_len(prf) > 0 && n > 255 * suite_prf_len(prf))
		err = IKE_E_NOSPACE;
	else
		err = hmac_start(&h, prf, key);
	if (err) {
		secret_wipe(to, n);
		return err;
	}
	while (done < n) {
		counter++;
		err = hmac_sum(&h, secret_span(&t), parts, n_parts, span_of(&counter, 1), &t);
		if (err) {
			secret_wipe(to, n);
			break;
		}
		take = n - done < t.n ? n - done : t.n;
		memcpy(to + done, t.b, take);
		done += take;
	}
	secret_clear(&t);
	hmac_free(&h);
	return err;
}

enum ike_err nat_detection_hash(const struct span *parts, unsigned n, uint8_t out[SHA1_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	if (!ctx) {
		memset(out, 0, SHA1_LEN);
		return IKE_E_NOMEM;
	}
	ok = EVP_DigestInit_ex(ctx, EVP_sha1(), NULL);
	for (unsigned i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		memset(out, 0, SHA1_LEN);
	return ok ? IKE_OK : IKE_E_CRYPTO;
}
