/* handshake-crypto: what the cryptography of one client handshake costs.
 *
 * The bare operations (bare.h), then the same through crypto/ and dnskey/, with key derivation, the AUTH values and the
 * sealing of IKE_AUTH: "ours". What a core needs for a whole handshake is measured by `handshake`. Prints microseconds of
 * processor time; exit status 0 unless something does not work. */
#include <stdio.h>

#include "base/ike_numbers.h"
#include "crypto/dh.h"
#include "crypto/kem.h"
#include "crypto/keymat.h"
#include "crypto/seal.h"
#include "tests/bench/bare.h"

enum { INNER = 500 };

static const struct ike_suite ike = { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 };
static const struct esp_suite esp = { ENCR_AES_GCM_16, 256, INTEG_NONE, true };

/* Key exchange ------------------------------------------------------------------------------------------ */

static void exchange_ours(uint16_t group)
{
	static struct dh *peers[32];
	struct dh_shared shared;
	struct dh *dh;

	if (!peers[group])
		need(dh_new(group, &bare_rng, &peers[group]) == IKE_OK, "dh_new");
	need(dh_new(group, &bare_rng, &dh) == IKE_OK && dh_agree(dh, dh_public(peers[group]), &shared) == IKE_OK, "dh_agree");
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

/* The additional key exchange, when libcrypto has ML-KEM-768 ---------------------------------------------- */

static uint8_t kem_public[KEM_PUBLIC_LEN], kem_ciphertext[KEM_CIPHERTEXT_LEN];

static void kem_client(struct subject *s)
{
	const struct kem *kem = kem_mlkem768();
	uint8_t public_value[KEM_PUBLIC_LEN];
	struct secret shared = { 0 };
	struct kem_key *key;

	(void)s;
	need(kem->key_new(&bare_rng, public_value, &key) == IKE_OK, "ML-KEM key pair");
	need(kem->decapsulate(key, span_of(kem_ciphertext, sizeof kem_ciphertext), &shared) == IKE_OK, "decapsulation");
	kem->key_free(key);
}

static void kem_host(struct subject *s)
{
	struct secret shared = { 0 };

	(void)s;
	need(kem_mlkem768()->encapsulate(&bare_rng, span_of(kem_public, sizeof kem_public), kem_ciphertext, &shared) == IKE_OK,
	     "encapsulation");
}

static void kem_set_up(void)
{
	struct kem_key *key;

	need(kem_mlkem768()->key_new(&bare_rng, kem_public, &key) == IKE_OK, "ML-KEM key pair");
	kem_mlkem768()->key_free(key);
	kem_host(NULL);
}

/* Signatures -------------------------------------------------------------------------------------------- */

static void sign_ours(struct subject *s)
{
	struct wr w = wr_over(s->auth, sizeof s->auth);
	uint8_t method;

	need(privkey_sign(s->priv, 1 << HASH_SHA2_256 | 1 << HASH_IDENTITY, bare_octets, 3, &method, &w) == IKE_OK, "privkey_sign");
	s->n_auth = w.n;
}

static void verify_ours(struct subject *s)
{
	unsigned which;

	need(keyset_verify(s->set, AUTH_SIGNATURE, span_of(s->auth, s->n_auth), bare_octets, 3, &which) == IKE_OK,
	     "keyset_verify");
}

static void keyset_ours(struct subject *s)
{
	struct keyset *set;
	const char *why;

	need(keyset_new(&s->rdata, 1, &bare_host, &set, &why) == IKE_OK, "keyset_new");
	keyset_unref(set);
}

/* A whole handshake of the client ------------------------------------------------------------------------ */

static void handshake_ours(struct subject *s)
{
	const struct span ni = bare_octets[1], nr = bare_octets[2], spi = span_of(bare_octets[0].p, 8);
	struct secret maced_i, maced_r, auth;
	static const uint8_t inner[INNER];
	uint8_t sealed[INNER + 64], plain[INNER + 64];
	struct esp_keys i2r, r2i;
	struct dh_shared shared;
	struct ike_keys keys;
	struct seal_key key = { &ike, &keys.ei, &keys.ai };
	struct span out;
	struct dh *dh;
	size_t n = seal_len(&ike, INNER);

	need(dh_new(GROUP_X25519, &bare_rng, &dh) == IKE_OK, "dh_new");
	need(dh_agree(dh, span_of(bare_peer_public, 32), &shared) == IKE_OK, "dh_agree");
	need(ike_keys_derive(&ike, &shared, ni, nr, spi, spi, &keys) == IKE_OK, "ike_keys_derive");
	need(auth_maced_id(ike.prf, &keys.pi, spi, &maced_i) == IKE_OK, "auth_maced_id");
	need(auth_null(ike.prf, &keys.pi, bare_octets[0], nr, &maced_i, span_of(NULL, 0), &auth) == IKE_OK, "auth_null");
	need(seal(&key, 1, spi, span_of(inner, INNER), sealed, n) == IKE_OK, "seal");
	need(unseal(&key, spi, span_of(sealed, n), plain, sizeof plain, &out) == IKE_OK, "unseal");
	need(auth_maced_id(ike.prf, &keys.pr, spi, &maced_r) == IKE_OK, "auth_maced_id");
	verify_ours(s);
	need(esp_keys_derive(&ike, &esp, &keys.d, NULL, ni, nr, NULL, &i2r, &r2i) == IKE_OK, "esp_keys_derive");
	dh_free(dh);
}

static void row(const char *what, void (*run)(struct subject *), struct subject *s)
{
	printf("%-10s %-28s %9.1f\n", s ? s->name : "", what, bare_measure(run, s));
}

int main(void)
{
	struct subject subjects[BARE_KEYS];

	bare_set_up(subjects);
	printf("%-10s %-28s %9s\n", "key", "operation", "us");
	row("x25519 libsodium", bare_x25519_sodium, NULL);
	row("x25519 libcrypto", bare_x25519_libcrypto, NULL);
	row("x25519 ours", x25519_ours, NULL);
	row("ecp256 ours", ecp256_ours, NULL);
	row("ecp384 ours", ecp384_ours, NULL);
	row("modp2048 ours", modp2048_ours, NULL);
	row("modp3072 ours", modp3072_ours, NULL);
	if (kem_mlkem768()) {
		kem_set_up();
		row("mlkem768 client", kem_client, NULL);
		row("mlkem768 host", kem_host, NULL);
	}
	for (unsigned i = 0; i < BARE_KEYS; i++) {
		struct subject *s = &subjects[i];
		double bare, ours;

		if (!s->md)
			row("verify libsodium", bare_verify_sodium, s);
		row("verify libcrypto", bare_verify_libcrypto, s);
		sign_ours(s);
		row("verify ours", verify_ours, s);
		row("keyset_new ours", keyset_ours, s);
		row("sign libcrypto", bare_sign, s);
		row("sign ours", sign_ours, s);
		bare = bare_handshake_us(s);
		ours = bare_measure(handshake_ours, s);
		printf("%-10s %-28s %9.1f\n%-10s %-28s %9.1f\n%-10s %-28s %9.2f\n", s->name, "client handshake bare", bare, s->name,
		       "client handshake ours", ours, s->name, "ratio", ours / bare);
	}
	bare_clear(subjects);
	return 0;
}
