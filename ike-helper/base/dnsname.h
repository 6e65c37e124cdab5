/* dnsname.h - DNS names in uncompressed wire form (RFC 1035 3.1), as they come from the resolver. */
#ifndef OE_BASE_DNSNAME_H
#define OE_BASE_DNSNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"

enum {
	DNSNAME_MAX = 255,          /* bytes in wire form, with the root label */
	DNSNAME_TEXT_MAX = 1016,    /* bytes as text with every octet as \DDD, final dot and NUL included */
};

struct dnsname {
	uint8_t n;                  /* bytes of wire form in b; 0 = no name */
	uint8_t b[DNSNAME_MAX];     /* lower case */
};

/* Read one name from r: labels of 1-63 bytes, the root label, at most 255 bytes, no compression pointer.
 * IKE_E_SYNTAX otherwise (and *out is empty). Stored in lower case (RFC 4343). */
IKE_CHECKED enum ike_err dnsname_read(struct rd *r, struct dnsname *out);

/* "www.example.org" with or without the final dot, \. and \DDD escapes (RFC 1035 5.1). */
IKE_CHECKED enum ike_err dnsname_from_text(const char *text, struct dnsname *out);

/* Text without the final dot ("." for the root), unusual octets escaped; safe for logs and terminals. Returns to. */
const char *dnsname_text(const struct dnsname *name, char to[DNSNAME_TEXT_MAX]);

bool dnsname_equal(const struct dnsname *a, const struct dnsname *b);

/* Is it zone, or a name below it? Every name is below the root; no name is below none. */
bool dnsname_is_under(const struct dnsname *name, const struct dnsname *zone);

static inline struct span dnsname_span(const struct dnsname *name)
{
	return span_of(name->b, name->n);
}

#endif
