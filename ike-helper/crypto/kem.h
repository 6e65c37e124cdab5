/* kem.h - ML-KEM-768 (FIPS 203) as additional key exchange (RFC 9370, draft-ietf-ipsecme-ikev2-mlkem): a public key goes
 * there, a ciphertext comes back, and both ends have a secret.
 *
 * The operations are a value that the core gets in its configuration, so that a test can put others of the same sizes
 * in their place, and so that their absence is the absence of the feature.
 */
#ifndef OE_CRYPTO_KEM_H
#define OE_CRYPTO_KEM_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/secret.h"

/* FIPS 203 8, table 3. */
enum { KEM_PUBLIC_LEN = 1184, KEM_CIPHERTEXT_LEN = 1088, KEM_SHARED_LEN = 32 };

struct kem_key;                     /* an ephemeral private key */

struct kem {
	/* Make a key pair. The library may use its own generator instead of rng. IKE_E_NOMEM, IKE_E_CRYPTO. */
	enum ike_err (*key_new)(const struct rng *rng, uint8_t public_value[KEM_PUBLIC_LEN], struct kem_key **out);
	void (*key_free)(struct kem_key *key);      /* wipes; NULL is fine */
	/* IKE_E_SYNTAX: public_value has the wrong length, or fails the check of FIPS 203 7.2: abort the exchange.
	 * IKE_E_CRYPTO otherwise. shared is empty on failure. */
	enum ike_err (*encapsulate)(const struct rng *rng, struct span public_value,
				    uint8_t ciphertext[KEM_CIPHERTEXT_LEN], struct secret *shared);
	/* IKE_E_SYNTAX: ciphertext has the wrong length. Any other yields a secret; that of a forged one is known to
	 * nobody (FIPS 203 6.3). IKE_E_CRYPTO. shared is empty on failure. */
	enum ike_err (*decapsulate)(const struct kem_key *key, struct span ciphertext, struct secret *shared);
};

/* That of libcrypto; NULL when the one that runs has none (before 3.5). */
const struct kem *kem_mlkem768(void);

#endif
