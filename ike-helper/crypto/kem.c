#include "crypto/kem.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* Asked for by name, when the program runs: the interface is that of libcrypto 3.0, so that a program built with an old
 * one has ML-KEM as soon as the library is a newer one. */
static const char algorithm[] = "ML-KEM-768";
enum { FIRST_WITH_MLKEM = 0x30500000 };

struct kem_key {
	EVP_PKEY *pkey;
};

static void key_free(struct kem_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);           /* wipes the private key */
	free(key);
}

static enum ike_err key_new(const struct rng *rng, uint8_t public_value[KEM_PUBLIC_LEN], struct kem_key **out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	struct kem_key *key = calloc(1, sizeof *key);
	size_t n = KEM_PUBLIC_LEN;
	bool ok;

	(void)rng;
	*out = NULL;
	ok = key && ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_generate(ctx, &key->pkey) > 0 &&
	     EVP_PKEY_get_raw_public_key(key->pkey, public_value, &n) > 0 && n == KEM_PUBLIC_LEN;
	EVP_PKEY_CTX_free(ctx);
	if (!ok) {
		key_free(key);
		return IKE_E_CRYPTO;
	}
	*out = key;
	return IKE_OK;
}

static enum ike_err encapsulate(const struct rng *rng, struct span public_value, uint8_t ciphertext[KEM_CIPHERTEXT_LEN],
				struct secret *shared)
{
	size_t n = KEM_CIPHERTEXT_LEN, n_shared = KEM_SHARED_LEN;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *peer;
	bool ok;

	(void)rng;
	secret_clear(shared);
	if (public_value.n != KEM_PUBLIC_LEN)
		return IKE_E_SYNTAX;
	/* This is where the coefficients are checked (FIPS 203 7.2). */
	peer = EVP_PKEY_new_raw_public_key_ex(NULL, algorithm, NULL, public_value.p, public_value.n);
	if (!peer) {
		ERR_clear_error();
		return IKE_E_SYNTAX;
	}
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
	ok = ctx && EVP_PKEY_encapsulate_init(ctx, NULL) > 0 &&
	     EVP_PKEY_encapsulate(ctx, ciphertext, &n, shared->b, &n_shared) > 0 && n == KEM_CIPHERTEXT_LEN &&
	     n_shared == KEM_SHARED_LEN;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	if (ok)
		shared->n = KEM_SHARED_LEN;
	else
		secret_clear(shared);
	return ok ? IKE_OK : IKE_E_CRYPTO;
}

static enum ike_err decapsulate(const struct kem_key *key, struct span ciphertext, struct secret *shared)
{
	size_t n_shared = KEM_SHARED_LEN;
	EVP_PKEY_CTX *ctx;
	bool ok;

	secret_clear(shared);
	if (ciphertext.n != KEM_CIPHERTEXT_LEN)
		return IKE_E_SYNTAX;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	ok = ctx && EVP_PKEY_decapsulate_init(ctx, NULL) > 0 &&
	     EVP_PKEY_decapsulate(ctx, shared->b, &n_shared, ciphertext.p, ciphertext.n) > 0 && n_shared == KEM_SHARED_LEN;
	EVP_PKEY_CTX_free(ctx);
	if (ok)
		shared->n = KEM_SHARED_LEN;
	else
		secret_clear(shared);
	return ok ? IKE_OK : IKE_E_CRYPTO;
}

static const struct kem mlkem768 = { key_new, key_free, encapsulate, decapsulate };

const struct kem *kem_mlkem768(void)
{
	EVP_KEM *there;

	/* To ask an older library makes it load all that it has: 2 MB for an idle process that will not get what it asks for. */
	if (OpenSSL_version_num() < FIRST_WITH_MLKEM)
		return NULL;
	there = EVP_KEM_fetch(NULL, algorithm, NULL);
	if (!there) {
		ERR_clear_error();
		return NULL;
	}
	EVP_KEM_free(there);
	return &mlkem768;
}
