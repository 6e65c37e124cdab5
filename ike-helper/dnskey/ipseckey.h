/* ipseckey.h - the RDATA of an IPSECKEY record (RFC 4025 2), strict, and its presentation format (RFC 4025 3). */
#ifndef OE_DNSKEY_IPSECKEY_H
#define OE_DNSKEY_IPSECKEY_H

#include "base/addr.h"
#include "base/cursor.h"
#include "base/dnsname.h"
#include "base/err.h"

enum ipseckey_gateway_type { GATEWAY_NONE = 0, GATEWAY_IPV4 = 1, GATEWAY_IPV6 = 2, GATEWAY_NAME = 3 };

/* IANA "IPSECKEY Resource Record Parameters": RFC 4025, RFC 8005 (ECDSA), RFC 9373 (EdDSA). */
enum ipseckey_algorithm { IPSECKEY_NO_KEY = 0, IPSECKEY_DSA = 1, IPSECKEY_RSA = 2, IPSECKEY_ECDSA = 3, IPSECKEY_EDDSA = 4 };

struct ipseckey {
	uint8_t precedence;         /* lower is preferred */
	uint8_t gateway_type;       /* enum ipseckey_gateway_type */
	uint8_t algorithm;          /* enum ipseckey_algorithm, or a number that we do not know */
	struct ip_addr gateway;     /* for GATEWAY_IPV4 and GATEWAY_IPV6 */
	struct dnsname gateway_name;        /* for GATEWAY_NAME, uncompressed as RFC 4025 2.5 demands */
	struct span public_key;     /* a view into the RDATA; empty only for IPSECKEY_NO_KEY */
};

/* Read RDATA. IKE_E_SYNTAX: unknown gateway type, cut gateway, compressed or overlong name, no key bytes although the
 * algorithm has a key. The key's own format is judged by pubkey_read(). */
IKE_CHECKED enum ike_err ipseckey_read(struct span rdata, struct ipseckey *out);

void ipseckey_write(struct wr *w, const struct ipseckey *key);

/* Key tag for people: RFC 4034 appendix B computed over the RDATA's public key field. Not an identity. */
uint16_t ipseckey_tag(const struct ipseckey *key);

/* Text form of the RDATA: "10 0 2 . AQNRU3...", gateway and base64 as in RFC 4025 3.1. IKE_E_NOSPACE when max is too
 * small (IPSECKEY_TEXT_MAX always suffices). Parsing accepts blanks inside the base64 and upper or lower case;
 * IKE_E_SYNTAX with *error (static text: what is wrong, which field) otherwise. rdata receives wire form. */
enum { IPSECKEY_RDATA_MAX = 2400, IPSECKEY_TEXT_MAX = 4400 };
IKE_CHECKED enum ike_err ipseckey_to_text(const struct ipseckey *key, char *to, size_t max);
IKE_CHECKED enum ike_err ipseckey_from_text(const char *text, struct wr *rdata, const char **error);

#endif
