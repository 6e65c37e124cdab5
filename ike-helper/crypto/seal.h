/* seal.h - protection of SK and SKF payloads (RFC 7296 3.14, RFC 5282, RFC 7634). */
#ifndef OE_CRYPTO_SEAL_H
#define OE_CRYPTO_SEAL_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/suite.h"

/* One direction of an IKE SA. Borrowed keys. */
struct seal_key {
	const struct ike_suite *suite;
	const struct secret *encr;      /* SK_ei or SK_er */
	const struct secret *integ;     /* SK_ai or SK_ar; empty for AEADs */
};

/* Bytes that sealing n bytes of inner payloads yields: IV + ciphertext (padded, with the pad length byte) + checksum. */
size_t seal_len(const struct ike_suite *suite, size_t n);
/* Largest n with seal_len(n) <= room; 0 when there is none. */
size_t seal_room(const struct ike_suite *suite, size_t room);

/* Seal plain in place behind aad.
 *   aad:   everything of the message before the IV: IKE header, (clear payloads,) generic header of SK(F), and for SKF
 *          the fragment fields; its lengths are final. It lies directly before to in memory: CBC + HMAC checks both.
 *   iv:    a number never used before with this key in this direction (a counter). AEADs send it as the IV (8 bytes);
 *          CBC derives an unpredictable IV from it by encrypting it (NIST SP 800-38A appendix C).
 *   to:    exactly seal_len(plain.n) bytes; plain must not overlap it.
 * IKE_E_NOSPACE: n_to differs from that. IKE_E_CRYPTO. to is wiped on failure. */
IKE_CHECKED enum ike_err seal(const struct seal_key *key, uint64_t iv, struct span aad, struct span plain,
			      uint8_t *to, size_t n_to);

/* Check and decrypt. sealed = IV + ciphertext + checksum, directly behind aad in memory.
 *   plain: buffer of at least sealed.n bytes; *out is a view into it, without padding.
 * IKE_E_INTEGRITY: too short, wrong checksum, impossible padding: drop the datagram, change nothing (RFC 7296 2.4). */
IKE_CHECKED enum ike_err unseal(const struct seal_key *key, struct span aad, struct span sealed,
				uint8_t *plain, size_t max, struct span *out);

#endif
