#include "dnskey/privkey.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/ike_numbers.h"
#include "crypto/prf.h"
#include "dnskey/der.h"
#include "dnskey/ipseckey.h"
#include "dnskey/pubkey.h"
#include "dnskey/sigalg.h"

struct privkey {
	EVP_PKEY *pkey;
	enum pubkey_kind kind;
};

/* The field numbers of the record's key as big-endian bytes: padded to n bytes, or as short as they are when n is 0. */
static enum ike_err put_number(struct wr *w, const EVP_PKEY *pkey, const char *name, size_t n)
{
	BIGNUM *number = NULL;
	enum ike_err err = IKE_E_CRYPTO;
	uint8_t *at;

	if (!EVP_PKEY_get_bn_param(pkey, name, &number))
		return IKE_E_CRYPTO;
	if (n == 0)
		n = (size_t)BN_num_bytes(number);
	at = wr_reserve(w, n);
	if (!at)
		err = IKE_E_NOSPACE;
	else if (BN_bn2binpad(number, at, (int)n) >= 0)
		err = IKE_OK;
	BN_free(number);
	return err;
}

/* RFC 3110 2. */
static enum ike_err put_rsa(struct wr *w, const EVP_PKEY *pkey)
{
	size_t start = w->n;
	enum ike_err err;

	wr_u8(w, 0);
	err = put_number(w, pkey, OSSL_PKEY_PARAM_RSA_E, 0);
	if (err)
		return err;
	if (w->n - start - 1 > UINT8_MAX)
		return IKE_E_UNSUPPORTED;
	w->base[start] = (uint8_t)(w->n - start - 1);
	return put_number(w, pkey, OSSL_PKEY_PARAM_RSA_N, 0);
}

/* RFC 6605 4. */
static enum ike_err put_point(struct wr *w, const EVP_PKEY *pkey, size_t n)
{
	enum ike_err err = put_number(w, pkey, OSSL_PKEY_PARAM_EC_PUB_X, n);

	return err ? err : put_number(w, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, n);
}

static enum ike_err put_raw(struct wr *w, const EVP_PKEY *pkey, size_t n)
{
	uint8_t *at = wr_reserve(w, n);

	if (!at)
		return IKE_E_NOSPACE;
	return EVP_PKEY_get_raw_public_key(pkey, at, &n) ? IKE_OK : IKE_E_CRYPTO;
}

enum ike_err privkey_to_ipseckey(const struct privkey *key, struct wr *rdata)
{
	static const uint8_t algorithm[] = {
		[PUBKEY_RSA] = IPSECKEY_RSA, [PUBKEY_P256] = IPSECKEY_ECDSA, [PUBKEY_P384] = IPSECKEY_ECDSA,
		[PUBKEY_ED25519] = IPSECKEY_EDDSA, [PUBKEY_ED448] = IPSECKEY_EDDSA,
	};
	const struct ipseckey head = {
		.precedence = 10, .gateway_type = GATEWAY_NONE, .algorithm = algorithm[key->kind],
	};

	ipseckey_write(rdata, &head);
	switch (key->kind) {
	case PUBKEY_RSA:
		return put_rsa(rdata, key->pkey);
	case PUBKEY_P256:
		return put_point(rdata, key->pkey, 32);
	case PUBKEY_P384:
		return put_point(rdata, key->pkey, 48);
	case PUBKEY_ED25519:
		return put_raw(rdata, key->pkey, 32);
	case PUBKEY_ED448:
		return put_raw(rdata, key->pkey, 57);
	}
	return IKE_E_UNSUPPORTED;
}

/* An encrypted key is refused; libcrypto would ask the terminal otherwise. */
static int no_password(char *to, int size, int writing, void *arg)
{
	(void)to;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool kind_of(const EVP_PKEY *pkey, enum pubkey_kind *out)
{
	char group[32];
	size_t n;

	if (EVP_PKEY_is_a(pkey, "RSA")) {
		*out = PUBKEY_RSA;
	} else if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*out = PUBKEY_ED25519;
	} else if (EVP_PKEY_is_a(pkey, "ED448")) {
		*out = PUBKEY_ED448;
	} else if (EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof group, &n)) {
		*out = strcmp(group, "prime256v1") == 0 ? PUBKEY_P256 : PUBKEY_P384;
		return *out == PUBKEY_P256 || strcmp(group, "secp384r1") == 0;
	} else {
		return false;
	}
	return true;
}

/* Our own record must pass the reader that judges everybody else's. */
static enum ike_err judge(const struct privkey *key, const char **why)
{
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct wr w = wr_over(rdata, sizeof rdata);
	struct ipseckey record;
	struct pubkey *public = NULL;
	enum ike_err err;

	err = privkey_to_ipseckey(key, &w);
	if (!err)
		err = ipseckey_read(wr_span(&w), &record);
	if (!err)
		err = pubkey_read(&record, &public, why);
	pubkey_free(public);
	return err == IKE_E_SYNTAX || err == IKE_E_NOSPACE ? IKE_E_UNSUPPORTED : err;
}

enum ike_err privkey_from_pem(struct span pem, struct privkey **out, const char **why)
{
	struct privkey *key = calloc(1, sizeof *key);
	BIO *bio = NULL;
	enum ike_err err = IKE_E_NOMEM;

	*out = NULL;
	*why = NULL;
	if (!key)
		goto out;
	err = IKE_E_SYNTAX;
	bio = pem.n > 0 && pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	if (bio)
		key->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (!key->pkey) {
		*why = "not an unencrypted private key in PEM format";
		goto out;
	}
	err = IKE_E_UNSUPPORTED;
	if (!kind_of(key->pkey, &key->kind)) {
		*why = "neither RSA, P-256, P-384, Ed25519 nor Ed448";
		goto out;
	}
	err = judge(key, why);
out:
	BIO_free(bio);
	if (err)
		privkey_free(key);
	else
		*out = key;
	if (err && !*why)
		*why = ike_err_text(err);
	return err;
}

void privkey_free(struct privkey *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);           /* wipes the private numbers */
	free(key);
}

static bool known(uint32_t hashes, enum ike_hash hash)
{
	return (hashes >> hash & 1) != 0;
}

/* RFC 4754: the curve says the method, and the method the hash. Without announced hashes there is nothing else (RFC 7427 4). */
static bool choose_by_curve(const struct privkey *key, uint8_t *method, struct sigalg *out)
{
	if (key->kind != PUBKEY_P256 && key->kind != PUBKEY_P384)
		return false;
	*method = key->kind == PUBKEY_P256 ? AUTH_ECDSA_256 : AUTH_ECDSA_384;
	out->scheme = SIG_ECDSA;
	out->hash = key->kind == PUBKEY_P256 ? HASH_SHA2_256 : HASH_SHA2_384;
	return true;
}

/* The strongest for RSA. For ECDSA the one that RFC 4754 pairs with the curve, since not every peer takes another; then
 * a stronger, then a weaker one. */
static enum ike_err choose(const struct privkey *key, uint32_t hashes, uint8_t *method, struct sigalg *out)
{
	static const enum ike_hash any[] = { HASH_SHA2_512, HASH_SHA2_384, HASH_SHA2_256 };
	static const enum ike_hash p256[] = { HASH_SHA2_256, HASH_SHA2_512, HASH_SHA2_384 };
	static const enum ike_hash p384[] = { HASH_SHA2_384, HASH_SHA2_512, HASH_SHA2_256 };
	const enum ike_hash *order = any;

	memset(out, 0, sizeof *out);
	if (hashes == 0)
		return choose_by_curve(key, method, out) ? IKE_OK : IKE_E_UNSUPPORTED;
	*method = AUTH_SIGNATURE;
	switch (key->kind) {
	case PUBKEY_RSA:
		out->scheme = SIG_RSA_PSS;
		break;
	case PUBKEY_P256:
	case PUBKEY_P384:
		out->scheme = SIG_ECDSA;
		order = key->kind == PUBKEY_P256 ? p256 : p384;
		break;
	case PUBKEY_ED25519:
	case PUBKEY_ED448:
		out->scheme = key->kind == PUBKEY_ED25519 ? SIG_ED25519 : SIG_ED448;
		out->hash = HASH_IDENTITY;
		return known(hashes, HASH_IDENTITY) ? IKE_OK : IKE_E_UNSUPPORTED;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (known(hashes, order[i])) {
			out->hash = order[i];
			out->salt = sigalg_hash_len(out->hash);
			return IKE_OK;
		}
	}
	return IKE_E_UNSUPPORTED;
}

static const char *hash_name(enum ike_hash hash)
{
	switch (hash) {
	case HASH_SHA2_256:
		return "SHA256";
	case HASH_SHA2_384:
		return "SHA384";
	case HASH_SHA2_512:
		return "SHA512";
	case HASH_IDENTITY:
		break;
	}
	return NULL;
}

static uint8_t *concatenate(const struct span *parts, unsigned n, size_t *total)
{
	uint8_t *message;
	struct wr w;

	*total = 0;
	for (unsigned i = 0; i < n; i++)
		*total += parts[i].n;
	message = malloc(*total + 1);
	if (!message)
		return NULL;
	w = wr_over(message, *total);
	for (unsigned i = 0; i < n; i++)
		wr_put(&w, parts[i]);
	return message;
}

/* RFC 7427 3: the algorithm, with its length before it, and the signature. */
static void write_with_algorithm(struct wr *w, const struct sigalg *alg, struct span sig)
{
	size_t start = w->n;

	wr_u8(w, 0);
	sigalg_write(w, alg);
	if (wr_ok(w))
		w->base[start] = (uint8_t)(w->n - start - 1);
	wr_put(w, sig);
}

static void write_padded(struct wr *w, struct span number, size_t n)
{
	for (size_t i = number.n; i < n; i++)
		wr_u8(w, 0);
	wr_put(w, number);
}

/* RFC 4754 7: r | s, each as long as the field; libcrypto makes SEQUENCE { r, s }. */
static enum ike_err write_halves(struct wr *w, enum pubkey_kind kind, struct span der)
{
	struct rd r = rd_over(der), both = der_take(&r, DER_SEQUENCE);
	struct span first = der_take_unsigned(&both), second = der_take_unsigned(&both);
	size_t half = kind == PUBKEY_P256 ? 32 : 48;

	if (!rd_done(&both) || !rd_done(&r) || first.n > half || second.n > half)
		return IKE_E_CRYPTO;
	write_padded(w, first, half);
	write_padded(w, second, half);
	return IKE_OK;
}

enum ike_err privkey_sign(const struct privkey *key, uint32_t hashes, const struct span *parts, unsigned n, uint8_t *method,
			  struct wr *auth_value)
{
	uint8_t sig[1024];                  /* RSA-8192; the others are shorter */
	size_t n_sig = sizeof sig, n_message;
	struct sigalg alg;
	EVP_PKEY_CTX *pctx;
	EVP_MD_CTX *ctx = NULL;
	uint8_t *message = NULL;
	enum ike_err err;

	err = choose(key, hashes, method, &alg);
	if (err)
		return err;
	err = IKE_E_NOMEM;
	message = concatenate(parts, n, &n_message);
	ctx = EVP_MD_CTX_new();
	if (!message || !ctx)
		goto out;
	err = IKE_E_CRYPTO;
	if (EVP_DigestSignInit_ex(ctx, &pctx, hash_name(alg.hash), NULL, NULL, key->pkey, NULL) <= 0)
		goto out;
	if (alg.scheme == SIG_RSA_PSS && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
					  EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, (int)alg.salt) <= 0))
		goto out;
	if (EVP_DigestSign(ctx, sig, &n_sig, message, n_message) <= 0)
		goto out;
	err = IKE_OK;
	if (*method == AUTH_SIGNATURE)
		write_with_algorithm(auth_value, &alg, span_of(sig, n_sig));
	else
		err = write_halves(auth_value, key->kind, span_of(sig, n_sig));
	if (err == IKE_OK && !wr_ok(auth_value))
		err = IKE_E_NOSPACE;
out:
	EVP_MD_CTX_free(ctx);
	free(message);
	return err;
}

enum ike_err privkey_derive(const struct privkey *key, struct span label, struct secret *out)
{
	int n = i2d_PrivateKey(key->pkey, NULL);
	uint8_t *der = n > 0 ? malloc((size_t)n) : NULL, *end = der;
	enum ike_err err = IKE_E_CRYPTO;

	*out = (struct secret){ 0 };
	if (!der)
		return n > 0 ? IKE_E_NOMEM : IKE_E_CRYPTO;
	if (i2d_PrivateKey(key->pkey, &end) == n)
		err = prf_sum(PRF_HMAC_SHA2_256, span_of(der, (size_t)n), &label, 1, out);
	secret_wipe(der, (size_t)n);
	free(der);
	return err;
}
