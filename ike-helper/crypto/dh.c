#include "crypto/dh.h"

#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/suite.h"

enum { SEC1_UNCOMPRESSED = 0x04 };

struct dh {
	uint16_t group;
	uint16_t n_public;
	EVP_PKEY *pkey;                     /* modp and ecp; NULL for X25519 */
	uint8_t x25519[crypto_scalarmult_SCALARBYTES];
	uint8_t public[];                   /* n_public bytes */
};

static bool is_ecp(uint16_t group)
{
	return group == GROUP_ECP_256 || group == GROUP_ECP_384;
}

static enum ike_err x25519_generate(struct dh *dh, const struct rng *rng)
{
	/* Chooses the implementation for this processor; does nothing after the first time. */
	if (sodium_init() < 0)
		return IKE_E_CRYPTO;
	rng_fill(rng, dh->x25519, sizeof dh->x25519);
	return crypto_scalarmult_base(dh->public, dh->x25519) == 0 ? IKE_OK : IKE_E_CRYPTO;
}

static EVP_PKEY *modp_keygen(const char *name)
{
	OSSL_PARAM params[2] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)name, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_CTX_set_params(ctx, params) > 0)
		(void)EVP_PKEY_generate(ctx, &pkey);    /* leaves NULL when it fails */
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *keygen(uint16_t group)
{
	switch (group) {
	case GROUP_MODP_2048:
		return modp_keygen("modp_2048");
	case GROUP_MODP_3072:
		return modp_keygen("modp_3072");
	case GROUP_ECP_256:
		return EVP_EC_gen("P-256");
	case GROUP_ECP_384:
		return EVP_EC_gen("P-384");
	default:
		return NULL;
	}
}

/* libcrypto encodes modp values padded to the length of the prime, and points as SEC 1 does, with a leading 0x04. */
static enum ike_err evp_generate(struct dh *dh)
{
	uint8_t encoded[1 + DH_PUBLIC_MAX];
	size_t n = 0, skip = is_ecp(dh->group) ? 1 : 0;

	dh->pkey = keygen(dh->group);
	if (!dh->pkey ||
	    !EVP_PKEY_get_octet_string_param(dh->pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, encoded, sizeof encoded, &n) ||
	    n != skip + dh->n_public)
		return IKE_E_CRYPTO;
	memcpy(dh->public, encoded + skip, dh->n_public);
	return IKE_OK;
}

enum ike_err dh_new(uint16_t group, const struct rng *rng, struct dh **out)
{
	unsigned n_public = suite_group_public_len(group);
	struct dh *dh;
	enum ike_err err;

	*out = NULL;
	if (n_public == 0)
		return IKE_E_UNSUPPORTED;
	dh = calloc(1, sizeof *dh + n_public);
	if (!dh)
		return IKE_E_NOMEM;
	dh->group = group;
	dh->n_public = (uint16_t)n_public;
	err = group == GROUP_X25519 ? x25519_generate(dh, rng) : evp_generate(dh);
	if (err)
		dh_free(dh);
	else
		*out = dh;
	return err;
}

void dh_free(struct dh *dh)
{
	if (!dh)
		return;
	EVP_PKEY_free(dh->pkey);            /* wipes the private number */
	secret_wipe(dh, sizeof *dh);
	free(dh);
}

struct span dh_public(const struct dh *dh)
{
	return span_of(dh->public, dh->n_public);
}

void dh_shared_clear(struct dh_shared *s)
{
	secret_wipe(s, sizeof *s);
}

/* The peer's value as a key; NULL when it is not a valid public value. RFC 6989 2.1 (1 < y < p - 1) and 2.3
 * (coordinates below p, point on the curve) are tested by libcrypto as it decodes the value. */
static EVP_PKEY *peer_key(const struct dh *dh, struct span value)
{
	uint8_t encoded[1 + DH_PUBLIC_MAX];
	struct wr w = wr_over(encoded, sizeof encoded);
	EVP_PKEY *peer = EVP_PKEY_new();

	if (is_ecp(dh->group))
		wr_u8(&w, SEC1_UNCOMPRESSED);
	wr_put(&w, value);
	if (!peer || !wr_ok(&w) || EVP_PKEY_copy_parameters(peer, dh->pkey) <= 0 ||
	    EVP_PKEY_set1_encoded_public_key(peer, encoded, w.n) <= 0) {
		EVP_PKEY_free(peer);
		return NULL;
	}
	return peer;
}

static enum ike_err evp_agree(const struct dh *dh, struct span value, struct dh_shared *out)
{
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *peer = peer_key(dh, value);
	enum ike_err err = IKE_E_CRYPTO;
	size_t n = sizeof out->b;

	if (!peer)
		return IKE_E_SYNTAX;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, dh->pkey, NULL);
	if (!ctx || EVP_PKEY_derive_init(ctx) <= 0)
		goto out;
	/* RFC 7296 2.14: g^ir is padded with zeros to the length of the modulus. */
	if (!is_ecp(dh->group) && EVP_PKEY_CTX_set_dh_pad(ctx, 1) <= 0)
		goto out;
	/* Without validation: the value has been checked, and all points of these curves have the right order. */
	if (EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) <= 0 || EVP_PKEY_derive(ctx, out->b, &n) <= 0)
		goto out;
	out->n = (uint16_t)n;
	err = IKE_OK;
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return err;
}

enum ike_err dh_agree(const struct dh *dh, struct span peer_public, struct dh_shared *out)
{
	enum ike_err err;

	memset(out, 0, sizeof *out);
	if (peer_public.n != dh->n_public)
		return IKE_E_SYNTAX;
	if (dh->group == GROUP_X25519) {
		/* Fails for points of small order, whose result is all zero: RFC 7748 6.1. */
		err = crypto_scalarmult(out->b, dh->x25519, peer_public.p) == 0 ? IKE_OK : IKE_E_SYNTAX;
		out->n = crypto_scalarmult_BYTES;
	} else {
		err = evp_agree(dh, peer_public, out);
	}
	if (err)
		dh_shared_clear(out);
	return err;
}
