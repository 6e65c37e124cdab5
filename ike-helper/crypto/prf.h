/* prf.h - HMAC-SHA2 as PRF, prf+ (RFC 7296 2.13), and plain hashes for NAT detection and cookies. */
#ifndef OE_CRYPTO_PRF_H
#define OE_CRYPTO_PRF_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/ike_numbers.h"
#include "base/secret.h"

/* out = prf(key, parts[0] | parts[1] | ...). IKE_E_UNSUPPORTED for an unknown prf; IKE_E_CRYPTO. out is empty on failure. */
IKE_CHECKED enum ike_err prf_sum(uint16_t prf, struct span key, const struct span *parts, unsigned n, struct secret *out);

/* n bytes of prf+(key, parts). n at most 255 outputs of the prf; more is IKE_E_NOSPACE. to is wiped on failure. */
IKE_CHECKED enum ike_err prf_plus(uint16_t prf, struct span key, const struct span *parts, unsigned n_parts,
				  uint8_t *to, size_t n);

enum { SHA1_LEN = 20 };
/* SHA-1 for NAT detection only (RFC 7296 2.23): there it is a fingerprint of an address, not a protection. */
IKE_CHECKED enum ike_err nat_detection_hash(const struct span *parts, unsigned n, uint8_t out[SHA1_LEN]);

#endif
