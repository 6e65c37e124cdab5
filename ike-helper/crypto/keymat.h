/* keymat.h - the keys of an IKE SA and of its CHILD SAs (RFC 7296 2.14, 2.17), and the AUTH values (2.15, RFC 7619). */
#ifndef OE_CRYPTO_KEYMAT_H
#define OE_CRYPTO_KEYMAT_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/dh.h"
#include "crypto/suite.h"

struct ike_keys {
	struct secret d, ai, ar, ei, er, pi, pr;    /* ei and er carry the salt behind the key for AEADs */
};

/* SKEYSEED = prf(Ni | Nr, g^ir), then prf+. On failure out is empty. */
IKE_CHECKED enum ike_err ike_keys_derive(const struct ike_suite *suite, const struct dh_shared *shared,
					 struct span ni, struct span nr, struct span spi_i, struct span spi_r,
					 struct ike_keys *out);
/* The keys after an additional key exchange (RFC 9370 2.2.2): SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), then prf+ as
 * above. sk_d is not part of out. On failure out is empty. */
IKE_CHECKED enum ike_err ike_keys_derive_more(const struct ike_suite *suite, const struct secret *sk_d,
					      const struct secret *shared, struct span ni, struct span nr,
					      struct span spi_i, struct span spi_r, struct ike_keys *out);
/* The keys of an IKE SA that follows one with this PRF and SK_d (RFC 7296 2.18, RFC 9370 2.2.4): SKEYSEED =
 * prf(SK_d, g^ir | Ni | Nr | [more]) by the old PRF, then prf+ by the new one. more: the secret of an additional key exchange; NULL: there
 * was none. sk_d is not part of out. On failure out is empty. */
IKE_CHECKED enum ike_err ike_keys_rekey(uint16_t old_prf, const struct secret *sk_d, const struct ike_suite *suite,
					const struct dh_shared *shared, struct span ni, struct span nr, const struct secret *more,
					struct span spi_i, struct span spi_r, struct ike_keys *out);
void ike_keys_clear(struct ike_keys *keys);

/* One direction of an ESP SA: cipher key with its salt, and integrity key. */
struct esp_keys {
	struct secret encr, integ;
};

/* KEYMAT = prf+(SK_d, [g^ir (new)] | Ni | Nr | [more]); shared is NULL without a new key exchange, more without an additional one
 * (RFC 9370 2.2.4).
 * i2r: traffic of the exchange's initiator, r2i: of its responder. Both are empty on failure. */
IKE_CHECKED enum ike_err esp_keys_derive(const struct ike_suite *ike, const struct esp_suite *esp,
					 const struct secret *sk_d, const struct dh_shared *shared,
					 struct span ni, struct span nr, const struct secret *more, struct esp_keys *i2r,
					 struct esp_keys *r2i);
void esp_keys_clear(struct esp_keys *keys);

/* MACedID = prf(SK_pi or SK_pr, ID payload body): the last part of the signed octets. */
IKE_CHECKED enum ike_err auth_maced_id(uint16_t prf, const struct secret *sk_p, struct span id_body, struct secret *out);

/* AUTH of method NULL: prf(prf(SK_p, "Key Pad for IKEv2"), message | nonce | maced_id | int_auth), RFC 7619 2.1, RFC 9242
 * 3.3.1. int_auth is empty without IKE_INTERMEDIATE. */
IKE_CHECKED enum ike_err auth_null(uint16_t prf, const struct secret *sk_p, struct span message, struct span nonce,
				   const struct secret *maced_id, struct span int_auth, struct secret *out);

#endif
