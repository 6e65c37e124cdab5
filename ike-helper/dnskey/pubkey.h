/* pubkey.h - a public key from DNS: parse, describe, verify an IKE signature with it. */
#ifndef OE_DNSKEY_PUBKEY_H
#define OE_DNSKEY_PUBKEY_H

#include "base/cursor.h"
#include "base/err.h"
#include "dnskey/ipseckey.h"

enum pubkey_kind { PUBKEY_RSA, PUBKEY_P256, PUBKEY_P384, PUBKEY_ED25519, PUBKEY_ED448 };

struct pubkey;                      /* ready for verification; a few kilobytes: make it when needed, free it after */

/* From an IPSECKEY record.
 * IKE_E_SYNTAX: wrong length, leading zero in modulus or exponent, point not on the curve (a point with a leading 0x04
 *   is accepted, since it is seen in the wild; an Ed448 point is judged by pubkey_verify() only), an exponent length in its
 *   long form without need, even or tiny exponent, even modulus.
 * IKE_E_UNSUPPORTED: DSA, no key, unknown algorithm, RSA below 2048 or above 8192 bits, exponent above 32 bits.
 * *why (may be NULL) receives a static text for people: "RSA key of less than 2048 bits", "algorithm 1 (DSA) is not
 * supported; an RSA key is algorithm 2". */
IKE_CHECKED enum ike_err pubkey_read(const struct ipseckey *record, struct pubkey **out, const char **why);
/* The same for a record that pubkey_read() has accepted before (one of a key set): leaves out the test of an Ed25519 point,
 * which costs a third of a verification and would fail there as well. */
IKE_CHECKED enum ike_err pubkey_reread(const struct ipseckey *record, struct pubkey **out);
void pubkey_free(struct pubkey *key);

/* The bytes of a record's public key in their one canonical form, for comparison: an ECDSA point without its 0x04. */
struct span pubkey_canonical(const struct ipseckey *record);

enum pubkey_kind pubkey_kind(const struct pubkey *key);
unsigned pubkey_bits(const struct pubkey *key);         /* 3072, 256, 384, 255, 448 */
/* "RSA-3072", "ECDSA-P256", "Ed25519"; into to (at least 24 bytes); returns to. */
const char *pubkey_text(const struct pubkey *key, char *to, size_t max);

/* Verify an AUTH payload's value by its method (RFC 7296 2.15, 3.8; RFC 4754; RFC 7427; RFC 8420).
 *   method 14: value is length | AlgorithmIdentifier | signature; RSA PKCS#1 v1.5 and PSS with SHA2-256/384/512 (salt
 *     length and MGF1 hash as the parameters say, within RFC 8247), ECDSA with SHA2-256/384/512, Ed25519, Ed448.
 *   methods 9, 10: ECDSA P-256/SHA2-256, P-384/SHA2-384, r | s of fixed length (RFC 4754). 11 is P-521: no such key in DNS.
 *   method 1: RSA PKCS#1 v1.5 with a SHA2 digest; SHA-1 is refused (RFC 8247).
 *   signed_octets: parts, concatenated.
 * IKE_OK: proved. IKE_E_AUTH: this key did not make that signature over these octets. IKE_E_UNSUPPORTED: the method or
 * algorithm is not accepted (SHA-1 among them) or is for another kind of key. IKE_E_SYNTAX: malformed. None of the
 * three proves anything: try the next key, then fail the exchange. */
IKE_CHECKED enum ike_err pubkey_verify(const struct pubkey *key, uint8_t method, struct span value,
				       const struct span *signed_octets, unsigned n);

#endif
