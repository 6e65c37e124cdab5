/* handshake-crypto: what the cryptography of one client handshake costs.
 *
 * bare: the public-key operations alone, by direct calls into the libraries that we use: X25519 key pair and secret, one
 * verification with a key that is ready for it. Nobody can do a handshake for less with them; it is the denominator for
 * everything that is measured above. ours: the same through crypto/ and dnskey/, with key derivation, the AUTH values and the
 * sealing of IKE_AUTH. Prints microseconds of processor time, the best of many short batches, since what others do on the
 * machine only adds; exit status 0 unless something does not work. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ike_numbers.h"
#include "crypto/dh.h"
#include "crypto/keymat.h"
#include "crypto/seal.h"
#include "dnskey/keyset.h"
#include "dnskey/privkey.h"

enum { BATCHES = 101, BATCH_US = 1000, AUTH_MAX = 1200, INNER = 500 };

static const struct ike_suite ike = { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 };
static const struct esp_suite esp = { ENCR_AES_GCM_16, 256, INTEG_NONE, true };
static const struct ip_addr host = { IP_V4, { 192, 0, 2, 1 } };
static uint8_t peer_public[32];
static uint8_t octets[3][400];          /* IKE_SA_INIT response, nonce, MACed ID */
static const struct span signed_octets[3] = { { octets[0], 400 }, { octets[1], 32 }, { octets[2], 32 } };

struct subject {
	const char *name;
	EVP_PKEY *pkey;
	const EVP_MD *md;                   /* of the bare verification; NULL for EdDSA */
	struct privkey *priv;
	struct keyset *set;
	struct span rdata;
	uint8_t rdata_bytes[IPSECKEY_RDATA_MAX];
	uint8_t sig[AUTH_MAX];              /* made by libcrypto */
	size_t n_sig;
	uint8_t auth[AUTH_MAX];             /* made by privkey_sign() */
	size_t n_auth;
};

static void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "handshake-crypto: %s failed\n", what);
		exit(1);
	}
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Microseconds of one call. */
static double measure(void (*run)(struct subject *), struct subject *s)
{
	double best = 0, start = now_us();
	unsigned n = 0;

	do {
		run(s);
		n++;
	} while (now_us() - start < BATCH_US);
	for (unsigned i = 0; i < BATCHES; i++) {
		double took;

		start = now_us();
		for (unsigned k = 0; k < n; k++)
			run(s);
		took = (now_us() - start) / n;
		if (i == 0 || took < best)
			best = took;
	}
	return best;
}

static void fill(void *arg, void *to, size_t n)
{
	(void)arg;
	randombytes_buf(to, n);
}

static const struct rng rng = { fill, NULL };

/* Key exchange ------------------------------------------------------------------------------------------ */

static void x25519_sodium(struct subject *s)
{
	uint8_t private[32], public[32], shared[32];

	(void)s;
	randombytes_buf(private, sizeof private);
	need(crypto_scalarmult_base(public, private) == 0 && crypto_scalarmult(shared, private, peer_public) == 0, "libsodium");
}

static void evp_exchange(EVP_PKEY *own, EVP_PKEY *peer)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	uint8_t shared[64];
	size_t n = sizeof shared;

	need(EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) > 0 &&
	     EVP_PKEY_derive(ctx, shared, &n) > 0, "libcrypto");
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
}

static void x25519_libcrypto(struct subject *s)
{
	(void)s;
	evp_exchange(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
		     EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer_public, 32));
}

static void exchange_ours(uint16_t group)
{
	static struct dh *peers[32];
	struct dh_shared shared;
	struct dh *dh;

	if (!peers[group])
		need(dh_new(group, &rng, &peers[group]) == IKE_OK, "dh_new");
	need(dh_new(group, &rng, &dh) == IKE_OK && dh_agree(dh, dh_public(peers[group]), &shared) == IKE_OK, "dh_agree");
	dh_free(dh);
}

static void x25519_ours(struct subject *s)
{
	(void)s;
	exchange_ours(GROUP_X25519);
}

static void ecp256_ours(struct subject *s)
{
	(void)s;
	exchange_ours(GROUP_ECP_256);
}

static void ecp384_ours(struct subject *s)
{
	(void)s;
	exchange_ours(GROUP_ECP_384);
}

static void modp2048_ours(struct subject *s)
{
	(void)s;
	exchange_ours(GROUP_MODP_2048);
}

static void modp3072_ours(struct subject *s)
{
	(void)s;
	exchange_ours(GROUP_MODP_3072);
}

/* Signatures -------------------------------------------------------------------------------------------- */

static uint8_t *flat(size_t *n)
{
	static uint8_t all[sizeof octets];
	struct wr w = wr_over(all, sizeof all);

	for (unsigned i = 0; i < 3; i++)
		wr_put(&w, signed_octets[i]);
	*n = w.n;
	return all;
}

static void verify_libcrypto(struct subject *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t n;
	const uint8_t *message = flat(&n);

	need(EVP_DigestVerifyInit(ctx, &pctx, s->md, NULL, s->pkey) > 0, "EVP_DigestVerifyInit");
	if (EVP_PKEY_is_a(s->pkey, "RSA"))
		need(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0, "PSS");
	need(EVP_DigestVerify(ctx, s->sig, s->n_sig, message, n) == 1, "verification");
	EVP_MD_CTX_free(ctx);
}

static void verify_sodium(struct subject *s)
{
	size_t n;
	const uint8_t *message = flat(&n);

	need(crypto_sign_verify_detached(s->sig, message, n, s->rdata.p + 3) == 0, "verification");
}

/* The fastest that the libraries offer for this kind of key. */
static void verify_bare(struct subject *s)
{
	if (s->md)
		verify_libcrypto(s);
	else
		verify_sodium(s);
}

static void sign_bare(struct subject *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t n;
	const uint8_t *message = flat(&n);

	s->n_sig = sizeof s->sig;
	need(EVP_DigestSignInit(ctx, &pctx, s->md, NULL, s->pkey) > 0, "EVP_DigestSignInit");
	if (EVP_PKEY_is_a(s->pkey, "RSA"))
		need(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0, "PSS");
	need(EVP_DigestSign(ctx, s->sig, &s->n_sig, message, n) > 0, "signing");
	EVP_MD_CTX_free(ctx);
}

static void sign_ours(struct subject *s)
{
	struct wr w = wr_over(s->auth, sizeof s->auth);

	need(privkey_sign(s->priv, 1 << HASH_SHA2_256 | 1 << HASH_IDENTITY, signed_octets, 3, &w) == IKE_OK, "privkey_sign");
	s->n_auth = w.n;
}

static void verify_ours(struct subject *s)
{
	unsigned which;

	need(keyset_verify(s->set, AUTH_SIGNATURE, span_of(s->auth, s->n_auth), signed_octets, 3, &which) == IKE_OK,
	     "keyset_verify");
}

static void keyset_ours(struct subject *s)
{
	struct keyset *set;
	const char *why;

	need(keyset_new(&s->rdata, 1, &host, &set, &why) == IKE_OK, "keyset_new");
	keyset_unref(set);
}

/* A whole handshake of the client ------------------------------------------------------------------------ */

static void handshake_bare(struct subject *s)
{
	x25519_sodium(s);
	verify_bare(s);
}

static void handshake_ours(struct subject *s)
{
	const struct span ni = signed_octets[1], nr = signed_octets[2], spi = span_of(octets[0], 8);
	struct secret maced_i, maced_r, auth;
	uint8_t sealed[INNER + 64], plain[INNER + 64];
	struct esp_keys i2r, r2i;
	struct dh_shared shared;
	struct ike_keys keys;
	struct seal_key key = { &ike, &keys.ei, &keys.ai };
	struct span out;
	struct dh *dh;
	size_t n = seal_len(&ike, INNER);

	need(dh_new(GROUP_X25519, &rng, &dh) == IKE_OK, "dh_new");
	need(dh_agree(dh, span_of(peer_public, 32), &shared) == IKE_OK, "dh_agree");
	need(ike_keys_derive(&ike, &shared, ni, nr, spi, spi, &keys) == IKE_OK, "ike_keys_derive");
	need(auth_maced_id(ike.prf, &keys.pi, spi, &maced_i) == IKE_OK, "auth_maced_id");
	need(auth_null(ike.prf, &keys.pi, signed_octets[0], nr, &maced_i, span_of(NULL, 0), &auth) == IKE_OK, "auth_null");
	need(seal(&key, 1, spi, span_of(octets, INNER), sealed, n) == IKE_OK, "seal");
	need(unseal(&key, spi, span_of(sealed, n), plain, sizeof plain, &out) == IKE_OK, "unseal");
	need(auth_maced_id(ike.prf, &keys.pr, spi, &maced_r) == IKE_OK, "auth_maced_id");
	verify_ours(s);
	need(esp_keys_derive(&ike, &esp, &keys.d, NULL, ni, nr, &i2r, &r2i) == IKE_OK, "esp_keys_derive");
	dh_free(dh);
}

static void set_up(struct subject *s)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct wr w = wr_over(s->rdata_bytes, sizeof s->rdata_bytes);
	const char *why;
	char *pem;
	long n;

	need(bio && s->pkey && PEM_write_bio_PrivateKey(bio, s->pkey, NULL, NULL, 0, NULL, NULL) == 1, "key generation");
	n = BIO_get_mem_data(bio, &pem);
	need(privkey_from_pem(span_of(pem, (size_t)n), &s->priv, &why) == IKE_OK, "privkey_from_pem");
	BIO_free(bio);
	need(privkey_to_ipseckey(s->priv, &w) == IKE_OK, "privkey_to_ipseckey");
	s->rdata = wr_span(&w);
	need(keyset_new(&s->rdata, 1, &host, &s->set, &why) == IKE_OK, "keyset_new");
	sign_bare(s);
	sign_ours(s);
}

static void row(const char *what, void (*run)(struct subject *), struct subject *s)
{
	printf("%-10s %-28s %9.1f\n", s ? s->name : "", what, measure(run, s));
}

int main(void)
{
	static struct subject subjects[3] = { { .name = "Ed25519" }, { .name = "P-256" }, { .name = "RSA-3072" } };

	need(sodium_init() >= 0, "sodium_init");
	randombytes_buf(octets, sizeof octets);
	crypto_scalarmult_base(peer_public, octets[0]);
	subjects[0].pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	subjects[1].pkey = EVP_EC_gen("P-256");
	subjects[2].pkey = EVP_RSA_gen(3072);
	subjects[1].md = subjects[2].md = EVP_sha256();

	printf("%-10s %-28s %9s\n", "key", "operation", "us");
	row("x25519 libsodium", x25519_sodium, NULL);
	row("x25519 libcrypto", x25519_libcrypto, NULL);
	row("x25519 ours", x25519_ours, NULL);
	row("ecp256 ours", ecp256_ours, NULL);
	row("ecp384 ours", ecp384_ours, NULL);
	row("modp2048 ours", modp2048_ours, NULL);
	row("modp3072 ours", modp3072_ours, NULL);
	for (unsigned i = 0; i < 3; i++) {
		struct subject *s = &subjects[i];
		double bare, ours;

		set_up(s);
		if (!s->md)
			row("verify libsodium", verify_sodium, s);
		row("verify libcrypto", verify_libcrypto, s);
		row("verify ours", verify_ours, s);
		row("keyset_new ours", keyset_ours, s);
		row("sign libcrypto", sign_bare, s);
		row("sign ours", sign_ours, s);
		bare = measure(handshake_bare, s);
		ours = measure(handshake_ours, s);
		printf("%-10s %-28s %9.1f\n%-10s %-28s %9.1f\n%-10s %-28s %9.2f\n", s->name, "client handshake bare", bare, s->name,
		       "client handshake ours", ours, s->name, "ratio", ours / bare);
		EVP_PKEY_free(s->pkey);
		privkey_free(s->priv);
		keyset_unref(s->set);
	}
	return 0;
}
