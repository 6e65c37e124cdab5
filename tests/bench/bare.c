#include "tests/bench/bare.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCHES = 101, BATCH_US = 1000, INIT_RESPONSE = 400, NONCE = 32, MACED_ID = 32 };

static uint8_t octets[INIT_RESPONSE + NONCE + MACED_ID];
struct span bare_octets[3] = {
	{ octets, INIT_RESPONSE }, { octets + INIT_RESPONSE, NONCE }, { octets + INIT_RESPONSE + NONCE, MACED_ID },
};
const struct ip_addr bare_host = { IP_V4, { 192, 0, 2, 1 } };
uint8_t bare_peer_public[32];

void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s failed\n", what);
		exit(1);
	}
}

double bare_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double bare_measure(void (*run)(struct subject *), struct subject *s)
{
	double best = 0, start = bare_now_us();
	unsigned n = 0;

	do {
		run(s);
		n++;
	} while (bare_now_us() - start < BATCH_US);
	for (unsigned i = 0; i < BATCHES; i++) {
		double took;

		start = bare_now_us();
		for (unsigned k = 0; k < n; k++)
			run(s);
		took = (bare_now_us() - start) / n;
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

const struct rng bare_rng = { fill, NULL };

void bare_x25519_sodium(struct subject *s)
{
	uint8_t private[32], public[32], shared[32];

	(void)s;
	randombytes_buf(private, sizeof private);
	need(crypto_scalarmult_base(public, private) == 0 && crypto_scalarmult(shared, private, bare_peer_public) == 0, "libsodium");
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

void bare_x25519_libcrypto(struct subject *s)
{
	(void)s;
	evp_exchange(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
		     EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, bare_peer_public, 32));
}

void bare_sign(struct subject *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	s->n_sig = sizeof s->sig;
	need(EVP_DigestSignInit(ctx, &pctx, s->md, NULL, s->pkey) > 0, "EVP_DigestSignInit");
	if (EVP_PKEY_is_a(s->pkey, "RSA"))
		need(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0, "PSS");
	need(EVP_DigestSign(ctx, s->sig, &s->n_sig, octets, sizeof octets) > 0, "signing");
	EVP_MD_CTX_free(ctx);
}

void bare_verify_libcrypto(struct subject *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	need(EVP_DigestVerifyInit(ctx, &pctx, s->md, NULL, s->pkey) > 0, "EVP_DigestVerifyInit");
	if (EVP_PKEY_is_a(s->pkey, "RSA"))
		need(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0, "PSS");
	need(EVP_DigestVerify(ctx, s->sig, s->n_sig, octets, sizeof octets) == 1, "verification");
	EVP_MD_CTX_free(ctx);
}

void bare_verify_sodium(struct subject *s)
{

	need(crypto_sign_verify_detached(s->sig, octets, sizeof octets, s->rdata.p + 3) == 0, "verification");
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

double bare_handshake_us(struct subject *s)
{
	double exchange = least(bare_measure(bare_x25519_sodium, NULL), bare_measure(bare_x25519_libcrypto, NULL));
	double verify = bare_measure(bare_verify_libcrypto, s);

	return exchange + (s->md ? verify : least(verify, bare_measure(bare_verify_sodium, s)));
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
	need(keyset_new(&s->rdata, 1, &bare_host, &s->set, &why) == IKE_OK, "keyset_new");
	bare_sign(s);
}

void bare_set_up(struct subject subjects[BARE_KEYS])
{
	need(sodium_init() >= 0, "sodium_init");
	randombytes_buf(octets, sizeof octets);
	crypto_scalarmult_base(bare_peer_public, octets);
	subjects[0] = (struct subject){ .name = "Ed25519", .pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	subjects[1] = (struct subject){ .name = "P-256", .pkey = EVP_EC_gen("P-256"), .md = EVP_sha256() };
	subjects[2] = (struct subject){ .name = "RSA-3072", .pkey = EVP_RSA_gen(3072), .md = EVP_sha256() };
	for (unsigned i = 0; i < BARE_KEYS; i++)
		set_up(&subjects[i]);
}

void bare_clear(struct subject subjects[BARE_KEYS])
{
	for (unsigned i = 0; i < BARE_KEYS; i++) {
		EVP_PKEY_free(subjects[i].pkey);
		privkey_free(subjects[i].priv);
		keyset_unref(subjects[i].set);
	}
}
