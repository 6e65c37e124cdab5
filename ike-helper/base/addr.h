/* addr.h - IP addresses and UDP endpoints as plain values. */
#ifndef OE_BASE_ADDR_H
#define OE_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

/* Network byte order; for IPv4 the first four bytes, the rest zero, so that values compare with ip_equal(). */
struct ip_addr {
	uint8_t family;             /* enum ip_family */
	uint8_t b[16];
};

struct ip_endpoint {
	struct ip_addr addr;
	uint16_t port;              /* host byte order */
};

/* The two ends of a datagram's way as this host sees it. */
struct ip_path {
	struct ip_endpoint local;
	struct ip_endpoint remote;
};

enum { IP_TEXT_MAX = 46, IP_ENDPOINT_TEXT_MAX = 56 };

/* From 4 or 16 bytes; any other length gives IKE_E_SYNTAX and *out is IP_NONE. */
IKE_CHECKED enum ike_err ip_from_bytes(struct span bytes, struct ip_addr *out);

/* "192.0.2.1", "2001:db8::1" (RFC 5952); anything else gives IKE_E_SYNTAX. */
IKE_CHECKED enum ike_err ip_from_text(const char *text, struct ip_addr *out);

/* "192.0.2.1", "2001:db8::1@5353": a DNS server as unbound.conf has it, at port when it names none; else IKE_E_SYNTAX. */
IKE_CHECKED enum ike_err ip_server_from_text(const char *text, uint16_t port, struct ip_endpoint *out);

/* The 4 or 16 bytes of a; a view into *a. */
struct span ip_bytes(const struct ip_addr *a);

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);
bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b);

/* RFC 5952 text into to[IP_TEXT_MAX]; returns to. IP_NONE prints as "-". */
const char *ip_text(const struct ip_addr *a, char to[IP_TEXT_MAX]);

/* "192.0.2.1:500", "[2001:db8::1]:500"; returns to. */
const char *ip_endpoint_text(const struct ip_endpoint *e, char to[IP_ENDPOINT_TEXT_MAX]);

/* What kind of address this is, for the decision whether a tunnel to it is allowed (RFC 6890, RFC 4291). */
enum ip_scope {
	IP_SCOPE_GLOBAL,
	IP_SCOPE_PRIVATE,           /* RFC 1918, RFC 6598 (100.64/10), RFC 4193 (fc00::/7) */
	IP_SCOPE_LINK_LOCAL,        /* 169.254/16, fe80::/10 */
	IP_SCOPE_LOOPBACK,          /* 127/8, ::1 */
	IP_SCOPE_MULTICAST,         /* 224/4, 255.255.255.255, ff00::/8 */
	IP_SCOPE_UNUSABLE,          /* 0/8, 240/4, ::, v4-mapped and v4-compatible IPv6, IP_NONE */
};

enum ip_scope ip_scope(const struct ip_addr *a);
const char *ip_scope_text(enum ip_scope scope);     /* "loopback", for messages */

/* What limits for each source count by: an IPv4 address, and of an IPv6 address the /64, of which one host may use any
 * address (RFC 4291 2.5.4, RFC 8981). */
struct ip_addr ip_source(const struct ip_addr *a);

#endif
