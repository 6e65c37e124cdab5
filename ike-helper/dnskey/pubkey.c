#include "dnskey/pubkey.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/ike_numbers.h"
#include "base/secret.h"
#include "dnskey/der.h"
#include "dnskey/sigalg.h"
#include "dnskey/text.h"

enum {
	RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, RSA_BYTES_MAX = RSA_BITS_MAX / 8,
	P256_BYTES = 32, P384_BYTES = 48, SEC1_UNCOMPRESSED = 0x04,
	ED25519_BYTES = 32, ED25519_SIG = 64, ED448_BYTES = 57, ED448_SIG = 114,
};

struct pubkey {
	enum pubkey_kind kind;
	unsigned bits;
	EVP_PKEY *pkey;                     /* NULL for Ed25519 */
	uint8_t ed25519[ED25519_BYTES];
};

/* Reading ----------------------------------------------------------------------------------------------- */

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) > 0)
		(void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);   /* leaves NULL when it fails */
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static unsigned bits_of(struct span number)
{
	unsigned bits = 8 * (unsigned)number.n;

	for (uint8_t top = number.p[0]; top < 0x80; top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

/* RFC 3110 2: exponent length in one byte, or zero and two bytes; exponent; modulus. */
static enum ike_err rsa_split(struct span key, struct span *e, struct span *n, const char **why)
{
	struct rd r = rd_over(key);
	size_t n_e = rd_u8(&r);

	if (n_e == 0) {
		n_e = rd_u16(&r);
		if (n_e <= UINT8_MAX) {
			*why = "RSA key whose exponent length is not in its short form";
			return IKE_E_SYNTAX;
		}
	}
	*e = rd_bytes(&r, n_e);
	*n = rd_rest(&r);
	if (!rd_ok(&r) || n->n == 0) {
		*why = "RSA key that is cut off";
		return IKE_E_SYNTAX;
	}
	if (e->p[0] == 0 || n->p[0] == 0) {
		*why = "RSA key with leading zeros";
		return IKE_E_SYNTAX;
	}
	return IKE_OK;
}

static enum ike_err rsa_judge(struct span e, struct span n, const char **why)
{
	if (e.p[e.n - 1] % 2 == 0 || (e.n == 1 && e.p[0] < 3)) {
		*why = "RSA key with an impossible exponent";
		return IKE_E_SYNTAX;
	}
	if (n.p[n.n - 1] % 2 == 0) {
		*why = "RSA key with an even modulus";
		return IKE_E_SYNTAX;
	}
	if (e.n > 4)
		*why = "RSA key with an exponent of more than 32 bits";
	else if (n.n > RSA_BYTES_MAX)
		*why = "RSA key of more than 8192 bits";
	else if (bits_of(n) < RSA_BITS_MIN)
		*why = "RSA key of less than 2048 bits";
	else
		return IKE_OK;
	return IKE_E_UNSUPPORTED;
}

static enum ike_err rsa_read(struct span key, struct pubkey *out, const char **why)
{
	uint8_t native[RSA_BYTES_MAX];
	struct span e, n;
	uint32_t exponent = 0;
	BIGNUM *modulus;
	OSSL_PARAM params[3];
	enum ike_err err;

	err = rsa_split(key, &e, &n, why);
	if (!err)
		err = rsa_judge(e, n, why);
	if (err)
		return err;
	for (size_t i = 0; i < e.n; i++)
		exponent = exponent << 8 | e.p[i];
	modulus = BN_bin2bn(n.p, (int)n.n, NULL);
	if (!modulus)
		return IKE_E_NOMEM;
	BN_bn2nativepad(modulus, native, (int)n.n);
	BN_free(modulus);
	params[0] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, native, n.n);
	params[1] = OSSL_PARAM_construct_uint32(OSSL_PKEY_PARAM_RSA_E, &exponent);
	params[2] = OSSL_PARAM_construct_end();
	out->kind = PUBKEY_RSA;
	out->bits = bits_of(n);
	out->pkey = pkey_from("RSA", params);
	return out->pkey ? IKE_OK : IKE_E_CRYPTO;
}

/* RFC 6605 4: x | y. The curve follows from the length. */
static enum ike_err ecdsa_read(struct span key, struct pubkey *out, const char **why)
{
	char p256[] = "P-256", p384[] = "P-384";
	uint8_t point[1 + 2 * P384_BYTES];
	struct wr w = wr_over(point, sizeof point);
	OSSL_PARAM params[3];

	if (key.n == 2 * P256_BYTES) {
		out->kind = PUBKEY_P256;
		out->bits = 256;
	} else if (key.n == 2 * P384_BYTES) {
		out->kind = PUBKEY_P384;
		out->bits = 384;
	} else {
		*why = "ECDSA key that is neither P-256 (64 bytes) nor P-384 (96 bytes)";
		return IKE_E_SYNTAX;
	}
	wr_u8(&w, SEC1_UNCOMPRESSED);
	wr_put(&w, key);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, out->kind == PUBKEY_P256 ? p256 : p384, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, w.n);
	params[2] = OSSL_PARAM_construct_end();
	out->pkey = pkey_from("EC", params);
	if (out->pkey)
		return IKE_OK;
	*why = "ECDSA key that is not a point on its curve";
	return IKE_E_SYNTAX;
}

/* The cheapest call that decodes a point. crypto_core_ed25519_is_valid_point() also multiplies by the group order, which
 * costs more than a verification; points of small order fail in the verification itself. */
static bool ed25519_decodes(const uint8_t *point)
{
	uint8_t sum[crypto_core_ed25519_BYTES];

	return crypto_core_ed25519_add(sum, point, point) == 0;
}

/* RFC 8080 3. libcrypto decodes the point of an Ed448 key only when it verifies. */
static enum ike_err eddsa_read(struct span key, bool judged, struct pubkey *out, const char **why)
{
	if (key.n == ED25519_BYTES) {
		/* Chooses the implementation for this processor; does nothing after the first time. */
		if (sodium_init() < 0)
			return IKE_E_CRYPTO;
		if (!judged && !ed25519_decodes(key.p)) {
			*why = "Ed25519 key that is not a point on its curve";
			return IKE_E_SYNTAX;
		}
		out->kind = PUBKEY_ED25519;
		out->bits = 255;
		memcpy(out->ed25519, key.p, key.n);
		return IKE_OK;
	}
	if (key.n == ED448_BYTES) {
		out->kind = PUBKEY_ED448;
		out->bits = 448;
		out->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED448", NULL, key.p, key.n);
		return out->pkey ? IKE_OK : IKE_E_CRYPTO;
	}
	*why = "EdDSA key that is neither Ed25519 (32 bytes) nor Ed448 (57 bytes)";
	return IKE_E_SYNTAX;
}

static enum ike_err key_read(const struct ipseckey *record, bool judged, struct pubkey *out, const char **why)
{
	switch (record->algorithm) {
	case IPSECKEY_NO_KEY:
		*why = "record without a key";
		return IKE_E_UNSUPPORTED;
	case IPSECKEY_DSA:
		*why = "algorithm 1 (DSA) is not supported; an RSA key is algorithm 2";
		return IKE_E_UNSUPPORTED;
	case IPSECKEY_RSA:
		return rsa_read(record->public_key, out, why);
	case IPSECKEY_ECDSA:
		return ecdsa_read(pubkey_canonical(record), out, why);
	case IPSECKEY_EDDSA:
		return eddsa_read(record->public_key, judged, out, why);
	default:
		*why = "unknown key algorithm";
		return IKE_E_UNSUPPORTED;
	}
}

struct span pubkey_canonical(const struct ipseckey *record)
{
	struct span key = record->public_key;

	if (record->algorithm == IPSECKEY_ECDSA && key.n % 2 == 1 && key.p[0] == SEC1_UNCOMPRESSED)
		return span_of(key.p + 1, key.n - 1);
	return key;
}

static enum ike_err pubkey_make(const struct ipseckey *record, bool judged, struct pubkey **out, const char **why)
{
	const char *reason = NULL;
	struct pubkey *key = calloc(1, sizeof *key);
	enum ike_err err;

	*out = NULL;
	err = key ? key_read(record, judged, key, &reason) : IKE_E_NOMEM;
	if (err)
		pubkey_free(key);
	else
		*out = key;
	if (why)
		*why = err && !reason ? ike_err_text(err) : reason;
	return err;
}

enum ike_err pubkey_read(const struct ipseckey *record, struct pubkey **out, const char **why)
{
	return pubkey_make(record, false, out, why);
}

enum ike_err pubkey_reread(const struct ipseckey *record, struct pubkey **out)
{
	return pubkey_make(record, true, out, NULL);
}

void pubkey_free(struct pubkey *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

enum pubkey_kind pubkey_kind(const struct pubkey *key)
{
	return key->kind;
}

unsigned pubkey_bits(const struct pubkey *key)
{
	return key->bits;
}

const char *pubkey_text(const struct pubkey *key, char *to, size_t max)
{
	struct wr w = wr_over(to, max);

	switch (key->kind) {
	case PUBKEY_RSA:
		wr_text(&w, "RSA-");
		wr_decimal(&w, key->bits);
		break;
	case PUBKEY_P256:
		wr_text(&w, "ECDSA-P256");
		break;
	case PUBKEY_P384:
		wr_text(&w, "ECDSA-P384");
		break;
	case PUBKEY_ED25519:
		wr_text(&w, "Ed25519");
		break;
	case PUBKEY_ED448:
		wr_text(&w, "Ed448");
		break;
	}
	(void)wr_text_end(&w);
	return to;
}

/* Verifying --------------------------------------------------------------------------------------------- */

static const EVP_MD *hash_md(enum ike_hash hash)
{
	switch (hash) {
	case HASH_SHA2_256:
		return EVP_sha256();
	case HASH_SHA2_384:
		return EVP_sha384();
	case HASH_SHA2_512:
		return EVP_sha512();
	case HASH_IDENTITY:
		break;
	}
	return NULL;
}

/* RSA and ECDSA: over a digest of the parts. */
static enum ike_err verify_digest(const struct pubkey *key, const struct sigalg *alg, struct span sig,
				  const struct span *parts, unsigned n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	enum ike_err err = IKE_E_CRYPTO;

	if (!ctx)
		return IKE_E_NOMEM;
	if (EVP_DigestVerifyInit(ctx, &pctx, hash_md(alg->hash), NULL, key->pkey) <= 0)
		goto out;
	/* The MGF1 hash is the message's unless said otherwise; sigalg_read() lets no other pass. */
	if (alg->scheme == SIG_RSA_PSS && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
					   EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, (int)alg->salt) <= 0))
		goto out;
	for (unsigned i = 0; i < n; i++) {
		if (EVP_DigestVerifyUpdate(ctx, parts[i].p, parts[i].n) <= 0)
			goto out;
	}
	err = EVP_DigestVerifyFinal(ctx, sig.p, sig.n) == 1 ? IKE_OK : IKE_E_AUTH;
out:
	EVP_MD_CTX_free(ctx);
	return err;
}

static enum ike_err ed448_verify(const struct pubkey *key, struct span sig, struct span message)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	enum ike_err err = IKE_E_CRYPTO;

	if (ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) > 0)
		err = EVP_DigestVerify(ctx, sig.p, sig.n, message.p, message.n) == 1 ? IKE_OK : IKE_E_AUTH;
	EVP_MD_CTX_free(ctx);
	return err;
}

static enum ike_err ed25519_verify(const struct pubkey *key, struct span sig, struct span message)
{
	return crypto_sign_verify_detached(sig.p, message.p, message.n, key->ed25519) == 0 ? IKE_OK : IKE_E_AUTH;
}

/* EdDSA hashes the message twice and wants it in one piece. */
static enum ike_err verify_eddsa(const struct pubkey *key, struct span sig, const struct span *parts, unsigned n)
{
	size_t total = 0;
	struct wr w;
	uint8_t *message;
	enum ike_err err;

	for (unsigned i = 0; i < n; i++)
		total += parts[i].n;
	message = malloc(total + 1);
	if (!message)
		return IKE_E_NOMEM;
	w = wr_over(message, total);
	for (unsigned i = 0; i < n; i++)
		wr_put(&w, parts[i]);
	err = key->kind == PUBKEY_ED25519 ? ed25519_verify(key, sig, wr_span(&w)) : ed448_verify(key, sig, wr_span(&w));
	free(message);
	return err;
}

/* The signature has the form that its scheme and key demand. */
static bool signature_fits(const struct pubkey *key, enum sig_scheme scheme, struct span sig)
{
	size_t n_field = key->kind == PUBKEY_P384 ? P384_BYTES : P256_BYTES;
	struct rd r = rd_over(sig), seq;
	struct span a, b;

	switch (scheme) {
	case SIG_RSA_PKCS1:
	case SIG_RSA_PSS:
		return sig.n == (key->bits + 7) / 8;
	case SIG_ECDSA:
		seq = der_take(&r, DER_SEQUENCE);
		a = der_take_unsigned(&seq);
		b = der_take_unsigned(&seq);
		return rd_done(&seq) && rd_done(&r) && a.n <= n_field && b.n <= n_field;
	case SIG_ED25519:
		return sig.n == ED25519_SIG;
	case SIG_ED448:
		return sig.n == ED448_SIG;
	}
	return false;
}

static bool scheme_is_of(enum sig_scheme scheme, enum pubkey_kind kind)
{
	switch (scheme) {
	case SIG_RSA_PKCS1:
	case SIG_RSA_PSS:
		return kind == PUBKEY_RSA;
	case SIG_ECDSA:
		return kind == PUBKEY_P256 || kind == PUBKEY_P384;
	case SIG_ED25519:
		return kind == PUBKEY_ED25519;
	case SIG_ED448:
		return kind == PUBKEY_ED448;
	}
	return false;
}

/* RFC 7427 3: length of the AlgorithmIdentifier in one byte, AlgorithmIdentifier, signature. */
static enum ike_err verify_signature(const struct pubkey *key, struct span value, const struct span *parts, unsigned n)
{
	struct rd r = rd_over(value);
	struct span der = rd_bytes(&r, rd_u8(&r)), sig = rd_rest(&r);
	struct sigalg alg;
	enum ike_err err;

	if (!rd_ok(&r))
		return IKE_E_SYNTAX;
	err = sigalg_read(der, &alg);
	if (err)
		return err;
	if (!scheme_is_of(alg.scheme, key->kind))
		return IKE_E_UNSUPPORTED;
	if (!signature_fits(key, alg.scheme, sig))
		return IKE_E_SYNTAX;
	if (alg.hash == HASH_IDENTITY)
		return verify_eddsa(key, sig, parts, n);
	return verify_digest(key, &alg, sig, parts, n);
}

/* The DER INTEGER of a big-endian number. */
static void wr_integer(struct wr *w, struct span s)
{
	while (s.n > 1 && s.p[0] == 0)
		s = span_of(s.p + 1, s.n - 1);
	wr_u8(w, DER_INTEGER);
	wr_u8(w, (uint8_t)(s.n + (s.p[0] >> 7)));
	if (s.p[0] >= 0x80)
		wr_u8(w, 0);
	wr_put(w, s);
}

/* RFC 4754 7: r | s, each as long as the field; libcrypto wants SEQUENCE { r, s }. */
static enum ike_err verify_ecdsa(const struct pubkey *key, uint8_t method, struct span value, const struct span *parts,
				 unsigned n)
{
	bool p256 = method == AUTH_ECDSA_256;
	size_t half = p256 ? P256_BYTES : P384_BYTES;
	const struct sigalg alg = { SIG_ECDSA, p256 ? HASH_SHA2_256 : HASH_SHA2_384, 0 };
	uint8_t der[2 + 2 * (3 + P384_BYTES)];
	struct wr w = wr_over(der, sizeof der);
	struct rd r = rd_over(value);

	if (key->kind != (p256 ? PUBKEY_P256 : PUBKEY_P384))
		return IKE_E_UNSUPPORTED;
	if (value.n != 2 * half)
		return IKE_E_SYNTAX;
	wr_u8(&w, DER_SEQUENCE);
	wr_u8(&w, 0);
	wr_integer(&w, rd_bytes(&r, half));
	wr_integer(&w, rd_bytes(&r, half));
	der[1] = (uint8_t)(w.n - 2);        /* at most 102: one byte of length */
	return verify_digest(key, &alg, wr_span(&w), parts, n);
}

static bool digest_parts(const EVP_MD *md, const struct span *parts, unsigned n, uint8_t *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL);

	for (unsigned i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static enum ike_err check_digest_info(struct span info, const struct span *parts, unsigned n)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct span got;
	enum ike_hash hash;
	enum ike_err err;

	err = digest_info_read(info, &hash, &got);
	if (err)
		return err;
	if (!digest_parts(hash_md(hash), parts, n, digest))
		return IKE_E_CRYPTO;
	return span_equal(got, span_of(digest, sigalg_hash_len(hash))) ? IKE_OK : IKE_E_AUTH;
}

/* RFC 7296 3.8, method 1: the hash is known only from the signature, so the DigestInfo is taken out of it. */
static enum ike_err verify_rsa(const struct pubkey *key, struct span sig, const struct span *parts, unsigned n)
{
	uint8_t info[RSA_BYTES_MAX];
	size_t n_info = sizeof info;
	EVP_PKEY_CTX *ctx;
	enum ike_err err;

	if (key->kind != PUBKEY_RSA)
		return IKE_E_UNSUPPORTED;
	if (!signature_fits(key, SIG_RSA_PKCS1, sig))
		return IKE_E_SYNTAX;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	if (!ctx || EVP_PKEY_verify_recover_init(ctx) <= 0 || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0)
		err = IKE_E_CRYPTO;
	else if (EVP_PKEY_verify_recover(ctx, info, &n_info, sig.p, sig.n) <= 0)
		err = IKE_E_AUTH;
	else
		err = check_digest_info(span_of(info, n_info), parts, n);
	EVP_PKEY_CTX_free(ctx);
	return err;
}

enum ike_err pubkey_verify(const struct pubkey *key, uint8_t method, struct span value, const struct span *signed_octets,
			   unsigned n)
{
	switch (method) {
	case AUTH_RSA:
		return verify_rsa(key, value, signed_octets, n);
	case AUTH_ECDSA_256:
	case AUTH_ECDSA_384:
		return verify_ecdsa(key, method, value, signed_octets, n);
	case AUTH_SIGNATURE:
		return verify_signature(key, value, signed_octets, n);
	default:
		return IKE_E_UNSUPPORTED;
	}
}
