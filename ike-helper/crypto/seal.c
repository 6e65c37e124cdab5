#include "crypto/seal.h"

#include <openssl/evp.h>
#include <sodium.h>

#include "crypto/prf.h"

enum { AEAD_NONCE = 12, AEAD_IV = 8, AEAD_TAG = 16, CBC_BLOCK = 16 };

/* Inner payloads, padding and the pad length byte. CBC fills its block; an AEAD needs the length byte only. */
static size_t padded_len(const struct ike_suite *suite, size_t n)
{
	return suite_is_aead(suite->encr) ? n + 1 : (n / CBC_BLOCK + 1) * CBC_BLOCK;
}

static size_t overhead(const struct ike_suite *suite)
{
	return suite_encr_iv_len(suite->encr) + suite_icv_len(suite->encr, suite->integ);
}

size_t seal_len(const struct ike_suite *suite, size_t n)
{
	return overhead(suite) + padded_len(suite, n);
}

size_t seal_room(const struct ike_suite *suite, size_t room)
{
	size_t left;

	if (room <= overhead(suite))
		return 0;
	left = room - overhead(suite);
	if (!suite_is_aead(suite->encr))
		left -= left % CBC_BLOCK;
	return left > 0 ? left - 1 : 0;
}

/* The key has the sizes that the suite demands. */
static bool key_fits(const struct seal_key *key)
{
	const struct ike_suite *s = key->suite;
	unsigned n_encr = suite_encr_key_len(s->encr, s->encr_bits);

	if (n_encr == 0 || key->encr->n != n_encr + suite_encr_salt_len(s->encr))
		return false;
	return suite_is_aead(s->encr) || (key->integ->n > 0 && key->integ->n == suite_integ_key_len(s->integ));
}

/* salt | IV: RFC 5282 4, RFC 7634 2. */
static void aead_nonce(const struct seal_key *key, const uint8_t *iv, uint8_t nonce[AEAD_NONCE])
{
	memcpy(nonce, key->encr->b + key->encr->n - (AEAD_NONCE - AEAD_IV), AEAD_NONCE - AEAD_IV);
	memcpy(nonce + AEAD_NONCE - AEAD_IV, iv, AEAD_IV);
}

static const EVP_CIPHER *cipher_of(const struct ike_suite *s)
{
	if (s->encr == ENCR_AES_GCM_16)
		return s->encr_bits == 128 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	return s->encr_bits == 128 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
}

/* RFC 7296 3.14 bounds a message by its 16-bit or 32-bit length fields; int is what libcrypto counts in. */
static bool gcm_seal(const struct seal_key *key, const uint8_t *nonce, struct span aad, uint8_t *text, size_t n)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done;
	bool ok;

	ok = ctx && EVP_EncryptInit_ex(ctx, cipher_of(key->suite), NULL, key->encr->b, nonce) &&
	     EVP_EncryptUpdate(ctx, NULL, &done, aad.p, (int)aad.n) &&
	     EVP_EncryptUpdate(ctx, text, &done, text, (int)n) && EVP_EncryptFinal_ex(ctx, text + n, &done) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, text + n);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

static bool gcm_unseal(const struct seal_key *key, const uint8_t *nonce, struct span aad, struct span text,
		       const uint8_t *tag, uint8_t *plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t expected[AEAD_TAG];
	int done;
	bool ok;

	memcpy(expected, tag, sizeof expected);
	ok = ctx && EVP_DecryptInit_ex(ctx, cipher_of(key->suite), NULL, key->encr->b, nonce) &&
	     EVP_DecryptUpdate(ctx, NULL, &done, aad.p, (int)aad.n) &&
	     EVP_DecryptUpdate(ctx, plain, &done, text.p, (int)text.n) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, expected) &&
	     EVP_DecryptFinal_ex(ctx, plain + text.n, &done);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

static bool cbc_run(const struct seal_key *key, bool encrypt, const uint8_t *iv, const uint8_t *from, uint8_t *to,
		    size_t n)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done;
	bool ok;

	ok = ctx && EVP_CipherInit_ex(ctx, cipher_of(key->suite), NULL, key->encr->b, iv, encrypt) &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) && EVP_CipherUpdate(ctx, to, &done, from, (int)n);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* The checksum of aad | IV and ciphertext. HMAC-SHA2 as integrity algorithm and as PRF are one function, cut or not
 * (RFC 4868 2). */
static enum ike_err cbc_checksum(const struct seal_key *key, struct span aad, struct span sealed, struct secret *out)
{
	const struct span parts[2] = { aad, sealed };
	uint16_t prf = PRF_HMAC_SHA2_256;

	if (key->suite->integ == INTEG_HMAC_SHA2_384_192)
		prf = PRF_HMAC_SHA2_384;
	else if (key->suite->integ == INTEG_HMAC_SHA2_512_256)
		prf = PRF_HMAC_SHA2_512;
	return prf_sum(prf, secret_span(key->integ), parts, 2, out);
}

static bool aead_seal(const struct seal_key *key, struct span aad, uint8_t *to, size_t n_text)
{
	uint8_t nonce[AEAD_NONCE], *text = to + AEAD_IV;

	aead_nonce(key, to, nonce);
	if (key->suite->encr == ENCR_AES_GCM_16)
		return gcm_seal(key, nonce, aad, text, n_text);
	return crypto_aead_chacha20poly1305_ietf_encrypt_detached(text, text + n_text, NULL, text, n_text, aad.p, aad.n,
								  NULL, nonce, key->encr->b) == 0;
}

static bool cbc_seal(const struct seal_key *key, struct span aad, uint8_t *to, size_t n_text)
{
	static const uint8_t zero[CBC_BLOCK];
	struct secret sum;
	bool ok;

	/* One pass: the first block, with an IV of zeros, becomes the encrypted counter, which is the IV of the rest. */
	ok = cbc_run(key, true, zero, to, to, CBC_BLOCK + n_text) &&
	     cbc_checksum(key, aad, span_of(to, CBC_BLOCK + n_text), &sum) == IKE_OK;
	if (ok)
		memcpy(to + CBC_BLOCK + n_text, sum.b, suite_icv_len(key->suite->encr, key->suite->integ));
	return ok;
}

enum ike_err seal(const struct seal_key *key, uint64_t iv, struct span aad, struct span plain, uint8_t *to, size_t n_to)
{
	bool aead = suite_is_aead(key->suite->encr), ok;
	size_t n_text = padded_len(key->suite, plain.n);
	struct wr w = wr_over(to, n_to);
	uint8_t *padding;

	if (n_to != seal_len(key->suite, plain.n) || n_to > INT32_MAX || aad.n > INT32_MAX) {
		secret_wipe(to, n_to);
		return IKE_E_NOSPACE;
	}
	if (!aead)
		wr_u64(&w, 0);
	wr_u64(&w, iv);
	wr_put(&w, plain);
	padding = wr_reserve(&w, n_text - plain.n);     /* zeros; never empty */
	ok = padding && key_fits(key);
	if (ok) {
		padding[n_text - plain.n - 1] = (uint8_t)(n_text - plain.n - 1);
		ok = aead ? aead_seal(key, aad, to, n_text) : cbc_seal(key, aad, to, n_text);
	}
	if (!ok)
		secret_wipe(to, n_to);
	return ok ? IKE_OK : IKE_E_CRYPTO;
}

static enum ike_err aead_unseal(const struct seal_key *key, struct span aad, const uint8_t *iv, struct span text,
				const uint8_t *tag, uint8_t *plain)
{
	uint8_t nonce[AEAD_NONCE];
	bool ok;

	aead_nonce(key, iv, nonce);
	if (key->suite->encr == ENCR_AES_GCM_16)
		ok = gcm_unseal(key, nonce, aad, text, tag, plain);
	else
		ok = crypto_aead_chacha20poly1305_ietf_decrypt_detached(plain, NULL, text.p, text.n, tag, aad.p, aad.n,
									nonce, key->encr->b) == 0;
	return ok ? IKE_OK : IKE_E_INTEGRITY;
}

static enum ike_err cbc_unseal(const struct seal_key *key, struct span aad, const uint8_t *iv, struct span text,
			       struct span tag, uint8_t *plain)
{
	struct secret sum;
	enum ike_err err;

	err = cbc_checksum(key, aad, span_of(iv, CBC_BLOCK + text.n), &sum);
	if (err)
		return err;
	/* Checked before decryption, so that padding is never looked at in a forged message. */
	if (!secret_eq(tag, span_of(sum.b, tag.n)) || text.n % CBC_BLOCK != 0)
		return IKE_E_INTEGRITY;
	return cbc_run(key, false, iv, text.p, plain, text.n) ? IKE_OK : IKE_E_CRYPTO;
}

enum ike_err unseal(const struct seal_key *key, struct span aad, struct span sealed, uint8_t *plain, size_t max,
		    struct span *out)
{
	bool aead = suite_is_aead(key->suite->encr);
	struct rd r = rd_over(sealed);
	struct span iv, text, tag;
	enum ike_err err;
	size_t pad;

	*out = span_of(NULL, 0);
	if (max < sealed.n)
		return IKE_E_NOSPACE;
	if (!key_fits(key))
		return IKE_E_CRYPTO;
	if (sealed.n <= overhead(key->suite) || sealed.n > INT32_MAX || aad.n > INT32_MAX)
		return IKE_E_INTEGRITY;
	iv = rd_bytes(&r, suite_encr_iv_len(key->suite->encr));
	text = rd_bytes(&r, sealed.n - overhead(key->suite));
	tag = rd_rest(&r);
	err = aead ? aead_unseal(key, aad, iv.p, text, tag.p, plain) : cbc_unseal(key, aad, iv.p, text, tag, plain);
	if (!err) {
		pad = plain[text.n - 1];
		if (pad < text.n)
			*out = span_of(plain, text.n - 1 - pad);
		else
			err = IKE_E_INTEGRITY;
	}
	if (err)
		secret_wipe(plain, text.n);
	return err;
}
