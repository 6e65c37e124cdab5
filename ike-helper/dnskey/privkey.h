/* privkey.h - this host's own key: load, describe as IPSECKEY, sign. Used by the signer only. */
#ifndef OE_DNSKEY_PRIVKEY_H
#define OE_DNSKEY_PRIVKEY_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/secret.h"

struct privkey;

/* From PEM (PKCS#8 or traditional): RSA >= 2048, P-256, P-384, Ed25519, Ed448. IKE_E_SYNTAX: not a PEM private key.
 * IKE_E_UNSUPPORTED: another kind or a short RSA key. *why: static text. */
IKE_CHECKED enum ike_err privkey_from_pem(struct span pem, struct privkey **out, const char **why);
void privkey_free(struct privkey *key);

/* RDATA of the matching IPSECKEY record: "10 0 ALG ." and the key. */
IKE_CHECKED enum ike_err privkey_to_ipseckey(const struct privkey *key, struct wr *rdata);

/* Make the whole AUTH value over the parts, and say by which method (enum ike_auth_method).
 *   hashes: bit 1 << h for each hash number h of the peer's SIGNATURE_HASH_ALGORITHMS (enum ike_hash); 0: it announces none.
 * With hashes it is method 14 (RFC 7427): RSASSA-PSS for RSA, ECDSA, EdDSA, with the strongest hash that both sides know (ECDSA:
 * rather the hash that RFC 4754 pairs with the curve, which every peer takes). Without, method 14 must not be used (RFC 7427 4):
 * ECDSA then has methods 9 and 10 (RFC 4754); RSA has method 1, which such a peer would read with SHA-1, and is refused.
 * IKE_E_UNSUPPORTED: no acceptable hash in common (Ed25519/Ed448 need Identity, RFC 8420). IKE_E_NOSPACE: w is full. */
IKE_CHECKED enum ike_err privkey_sign(const struct privkey *key, uint32_t hashes, const struct span *parts, unsigned n,
				      uint8_t *method, struct wr *auth_value);

/* A secret for another purpose, which label names: the same for the same key and label, and of no use to find the key
 * (HMAC-SHA-256 under its private encoding). 32 bytes. IKE_E_CRYPTO, IKE_E_NOMEM. */
IKE_CHECKED enum ike_err privkey_derive(const struct privkey *key, struct span label, struct secret *out);

#endif
