/* dh.h - one side of a key exchange. */
#ifndef OE_CRYPTO_DH_H
#define OE_CRYPTO_DH_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/ike_numbers.h"
#include "base/rng.h"

enum { DH_PUBLIC_MAX = 384, DH_SHARED_MAX = 384 };

struct dh;                          /* an ephemeral private key and its public value */

/* The shared secret g^ir; owned and wiped by the caller with dh_shared_clear(). */
struct dh_shared {
	uint16_t n;
	uint8_t b[DH_SHARED_MAX];
};

/* Make a key pair. IKE_E_UNSUPPORTED: a group that we do not do. IKE_E_NOMEM, IKE_E_CRYPTO. X25519 takes its key
 * from rng; the other groups may use the library's own generator. */
IKE_CHECKED enum ike_err dh_new(uint16_t group, const struct rng *rng, struct dh **out);
void dh_free(struct dh *dh);        /* wipes; NULL is fine */

/* Public value as it goes into a KE payload (RFC 7296 3.4: modp padded with zeros; RFC 5903: x | y without 0x04;
 * RFC 8031: 32 bytes). A view into dh. */
struct span dh_public(const struct dh *dh);

/* Combine. IKE_E_SYNTAX: peer's value has the wrong length or is not a valid public value (RFC 6989 tests; all-zero
 * X25519 result): abort the exchange. IKE_E_CRYPTO otherwise. out is empty on failure. */
IKE_CHECKED enum ike_err dh_agree(const struct dh *dh, struct span peer_public, struct dh_shared *out);
void dh_shared_clear(struct dh_shared *s);

#endif
