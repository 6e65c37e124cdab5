/* bare.h - the public-key operations of one client handshake, by direct calls into the libraries that we use: X25519 key
 * pair and secret, one verification with a key that is ready for it. Nobody can do a handshake for less with them; it is
 * the denominator for everything that is measured above.
 *
 * Times are microseconds of this thread's processor time, the best of many short batches, since what others do on the
 * machine only adds. */
#ifndef OE_TESTS_BENCH_BARE_H
#define OE_TESTS_BENCH_BARE_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/rng.h"
#include "dnskey/keyset.h"
#include "dnskey/privkey.h"

enum { BARE_KEYS = 3, BARE_AUTH_MAX = 1200 };

/* One kind of key that hosts have. */
struct subject {
	const char *name;
	EVP_PKEY *pkey;
	const EVP_MD *md;                   /* of the verification by libcrypto; NULL for EdDSA */
	struct privkey *priv;
	struct span rdata;                  /* of its IPSECKEY record */
	struct keyset *set;                 /* that record alone */
	uint8_t rdata_bytes[IPSECKEY_RDATA_MAX];
	uint8_t sig[BARE_AUTH_MAX];         /* over the octets below, made by libcrypto */
	size_t n_sig;
	uint8_t auth[BARE_AUTH_MAX];        /* room for an AUTH value */
	size_t n_auth;
};

/* What is signed: an IKE_SA_INIT response, a nonce, a MACed ID. */
extern struct span bare_octets[3];
extern const struct ip_addr bare_host;
extern uint8_t bare_peer_public[32];    /* X25519 */
extern const struct rng bare_rng;       /* libsodium's */

/* End the program unless ok. */
void need(int ok, const char *what);

double bare_now_us(void);
double bare_measure(void (*run)(struct subject *), struct subject *s);

/* Keys of Ed25519, P-256 and RSA-3072, a signature with each. */
void bare_set_up(struct subject subjects[BARE_KEYS]);
void bare_clear(struct subject subjects[BARE_KEYS]);

void bare_x25519_sodium(struct subject *s);
void bare_x25519_libcrypto(struct subject *s);
void bare_sign(struct subject *s);
void bare_verify_libcrypto(struct subject *s);
void bare_verify_sodium(struct subject *s);      /* Ed25519 only */

/* Key pair, secret and verification, each by whichever library is faster here. */
double bare_handshake_us(struct subject *s);

#endif
