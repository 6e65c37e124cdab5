/* sigalg.h - the AlgorithmIdentifier in an AUTH value of method 14 (RFC 7427 3, appendix A; RFC 8420). */
#ifndef OE_DNSKEY_SIGALG_H
#define OE_DNSKEY_SIGALG_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/ike_numbers.h"

enum sig_scheme { SIG_RSA_PKCS1, SIG_RSA_PSS, SIG_ECDSA, SIG_ED25519, SIG_ED448 };

struct sigalg {
	enum sig_scheme scheme;
	enum ike_hash hash;         /* HASH_IDENTITY for EdDSA */
	unsigned salt;              /* bytes of salt, RSASSA-PSS only */
};

/* Output bytes of a hash: 32, 48, 64; 0 for Identity. */
unsigned sigalg_hash_len(enum ike_hash hash);

/* Read one whole AlgorithmIdentifier. IKE_E_SYNTAX: not DER, bytes left over, parameters that the algorithm does not
 * have. IKE_E_UNSUPPORTED: another algorithm or hash, SHA-1 (also as the default of RSASSA-PSS) among them, an MGF1
 * hash that differs from the message's, a salt longer than the hash (FIPS 186-4 5.5). *out is zero on failure. */
IKE_CHECKED enum ike_err sigalg_read(struct span der, struct sigalg *out);

/* DigestInfo (RFC 8017 9.2), what an RSA signature of PKCS #1 v1.5 carries: errors as sigalg_read(). digest is a view. */
IKE_CHECKED enum ike_err digest_info_read(struct span der, enum ike_hash *hash, struct span *digest);

/* An AlgorithmIdentifier in its canonical form; at most SIGALG_MAX bytes. */
enum { SIGALG_MAX = 80 };
void sigalg_write(struct wr *w, const struct sigalg *alg);

#endif
