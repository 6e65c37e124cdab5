#include "base/addr.h"

#include <stdlib.h>
#include <string.h>

enum { V4_LEN = 4, V6_LEN = 16, V6_GROUPS = 8 };

enum ike_err ip_from_bytes(struct span bytes, struct ip_addr *out)
{
	memset(out, 0, sizeof *out);
	if (bytes.n != V4_LEN && bytes.n != V6_LEN)
		return IKE_E_SYNTAX;
	out->family = bytes.n == V4_LEN ? IP_V4 : IP_V6;
	memcpy(out->b, bytes.p, bytes.n);
	return IKE_OK;
}

struct span ip_bytes(const struct ip_addr *a)
{
	size_t n = a->family == IP_V4 ? V4_LEN : a->family == IP_V6 ? V6_LEN : 0;

	return span_of(a->b, n);
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
	return a->port == b->port && ip_equal(&a->addr, &b->addr);
}

/* Reading text. Each of these moves *s past what it took, or leaves the answer false. ------------------------ */

static bool take_decimal_octet(const char **s, uint8_t *out)
{
	const char *p = *s;
	unsigned v = 0, digits = 0;

	while (*p >= '0' && *p <= '9' && digits < 3) {
		v = v * 10 + (unsigned)(*p++ - '0');
		digits++;
	}
	/* "01" is octal to some readers and decimal to others: neither here. */
	if (digits == 0 || v > 255 || (digits > 1 && **s == '0'))
		return false;
	*out = (uint8_t)v;
	*s = p;
	return true;
}

static bool take_v4(const char **s, uint8_t to[V4_LEN])
{
	unsigned i;

	for (i = 0; i < V4_LEN; i++) {
		if (i > 0 && *(*s)++ != '.')
			return false;
		if (!take_decimal_octet(s, &to[i]))
			return false;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool take_hex_group(const char **s, uint8_t to[2])
{
	unsigned v = 0, digits = 0;

	while (digits < 4 && hex_digit(**s) >= 0) {
		v = v << 4 | (unsigned)hex_digit(*(*s)++);
		digits++;
	}
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
	return digits > 0;
}

static bool v4_follows(const char *s)
{
	unsigned digits = 0;

	while (*s >= '0' && *s <= '9' && digits < 3) {
		s++;
		digits++;
	}
	return digits > 0 && *s == '.';
}

/* RFC 4291 2.2: groups of hex digits, one "::", perhaps an IPv4 address at the end. */
static bool take_v6(const char *s, uint8_t to[V6_LEN])
{
	size_t n = 0, gap = V6_LEN + 1;

	if (s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	}
	while (*s != '\0') {
		if (v4_follows(s)) {
			if (n + V4_LEN > V6_LEN || !take_v4(&s, to + n) || *s != '\0')
				return false;
			n += V4_LEN;
			break;
		}
		if (n + 2 > V6_LEN || !take_hex_group(&s, to + n))
			return false;
		n += 2;
		if (*s == '\0')
			break;
		if (*s++ != ':' || *s == '\0')
			return false;
		if (*s == ':') {
			if (gap <= V6_LEN)
				return false;
			gap = n;
			s++;
		}
	}
	if (gap > V6_LEN)
		return n == V6_LEN;
	if (n > V6_LEN - 2)
		return false;
	memmove(to + V6_LEN - (n - gap), to + gap, n - gap);
	memset(to + gap, 0, V6_LEN - n);
	return true;
}

enum ike_err ip_from_text(const char *text, struct ip_addr *out)
{
	const char *s = text;

	memset(out, 0, sizeof *out);
	if (take_v4(&s, out->b) && *s == '\0') {
		out->family = IP_V4;
		return IKE_OK;
	}
	memset(out, 0, sizeof *out);
	if (take_v6(text, out->b)) {
		out->family = IP_V6;
		return IKE_OK;
	}
	memset(out, 0, sizeof *out);
	return IKE_E_SYNTAX;
}

enum ike_err ip_server_from_text(const char *text, uint16_t port, struct ip_endpoint *out)
{
	const char *at = strchr(text, '@');
	char address[IP_TEXT_MAX] = "", *end = NULL;
	unsigned long number = port;
	size_t n = at ? (size_t)(at - text) : strlen(text);

	memset(out, 0, sizeof *out);
	if (n >= sizeof address)
		return IKE_E_SYNTAX;
	memcpy(address, text, n);
	if (at)
		number = strtoul(at + 1, &end, 10);
	if ((at && (at[1] < '0' || at[1] > '9' || *end != '\0')) || number == 0 || number > UINT16_MAX)
		return IKE_E_SYNTAX;
	out->port = (uint16_t)number;
	return ip_from_text(address, &out->addr);
}

/* Writing text. The longest forms fit IP_TEXT_MAX and IP_ENDPOINT_TEXT_MAX, so nothing here can overflow. ------ */

static char *put_char(char *to, char c)
{
	*to++ = c;
	*to = '\0';
	return to;
}

static char *put_decimal(char *to, unsigned v)
{
	if (v >= 10)
		to = put_decimal(to, v / 10);
	return put_char(to, (char)('0' + v % 10));
}

static char *put_hex(char *to, unsigned v)
{
	if (v >= 16)
		to = put_hex(to, v / 16);
	return put_char(to, "0123456789abcdef"[v % 16]);
}

static char *put_v4(char *to, const uint8_t *b)
{
	unsigned i;

	for (i = 0; i < V4_LEN; i++) {
		if (i > 0)
			to = put_char(to, '.');
		to = put_decimal(to, b[i]);
	}
	return to;
}

static const uint8_t v4_mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static unsigned v6_group(const uint8_t *b, unsigned i)
{
	return (unsigned)b[2 * i] << 8 | b[2 * i + 1];
}

/* RFC 5952 4.2: the longest run of two or more zero groups, the first of equals. */
static unsigned longest_zero_run(const uint8_t *b, unsigned groups, unsigned *start)
{
	unsigned i, run = 0, best = 0;

	*start = groups;
	for (i = 0; i < groups; i++) {
		run = v6_group(b, i) == 0 ? run + 1 : 0;
		if (run > best && run >= 2) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best;
}

static char *put_v6(char *to, const uint8_t *b)
{
	bool mapped = memcmp(b, v4_mapped_prefix, sizeof v4_mapped_prefix) == 0;
	unsigned groups = mapped ? V6_GROUPS - 2 : V6_GROUPS;
	unsigned i = 0, gap, run = longest_zero_run(b, groups, &gap);

	while (i < groups) {
		if (i == gap) {
			to = put_char(put_char(to, ':'), ':');
			i += run;
			continue;
		}
		if (i > 0 && i != gap + run)
			to = put_char(to, ':');
		to = put_hex(to, v6_group(b, i));
		i++;
	}
	if (mapped)
		to = put_v4(put_char(to, ':'), b + sizeof v4_mapped_prefix);
	return to;
}

static char *put_address(char *to, const struct ip_addr *a)
{
	if (a->family == IP_V4)
		return put_v4(to, a->b);
	if (a->family == IP_V6)
		return put_v6(to, a->b);
	return put_char(to, '-');
}

const char *ip_text(const struct ip_addr *a, char to[IP_TEXT_MAX])
{
	put_address(to, a);
	return to;
}

const char *ip_endpoint_text(const struct ip_endpoint *e, char to[IP_ENDPOINT_TEXT_MAX])
{
	char *p = to;

	if (e->addr.family == IP_V6)
		p = put_char(put_address(put_char(p, '['), &e->addr), ']');
	else
		p = put_address(p, &e->addr);
	put_decimal(put_char(p, ':'), e->port);
	return to;
}

/* Scope ------------------------------------------------------------------------------------------------------- */

static enum ip_scope v4_scope(const uint8_t *b)
{
	if (b[0] == 127)
		return IP_SCOPE_LOOPBACK;
	if (b[0] == 169 && b[1] == 254)
		return IP_SCOPE_LINK_LOCAL;
	if (b[0] >= 224 && b[0] < 240)
		return IP_SCOPE_MULTICAST;
	if (b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255)
		return IP_SCOPE_MULTICAST;
	if (b[0] == 0 || b[0] >= 240)
		return IP_SCOPE_UNUSABLE;
	if (b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
	    (b[0] == 100 && (b[1] & 0xc0) == 64))
		return IP_SCOPE_PRIVATE;
	return IP_SCOPE_GLOBAL;
}

static enum ip_scope v6_scope(const uint8_t *b)
{
	static const uint8_t loopback[V6_LEN] = { [15] = 1 };
	static const uint8_t zero[12];

	if (memcmp(b, loopback, V6_LEN) == 0)
		return IP_SCOPE_LOOPBACK;
	/* ::/96 holds the unspecified address and the IPv4-compatible ones, RFC 4291 2.5.5. */
	if (memcmp(b, zero, sizeof zero) == 0 || memcmp(b, v4_mapped_prefix, sizeof v4_mapped_prefix) == 0)
		return IP_SCOPE_UNUSABLE;
	if (b[0] == 0xff)
		return IP_SCOPE_MULTICAST;
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return IP_SCOPE_LINK_LOCAL;
	if ((b[0] & 0xfe) == 0xfc)
		return IP_SCOPE_PRIVATE;
	return IP_SCOPE_GLOBAL;
}

enum ip_scope ip_scope(const struct ip_addr *a)
{
	if (a->family == IP_V4)
		return v4_scope(a->b);
	if (a->family == IP_V6)
		return v6_scope(a->b);
	return IP_SCOPE_UNUSABLE;
}

const char *ip_scope_text(enum ip_scope scope)
{
	switch (scope) {
	case IP_SCOPE_GLOBAL: return "global";
	case IP_SCOPE_PRIVATE: return "private";
	case IP_SCOPE_LINK_LOCAL: return "link-local";
	case IP_SCOPE_LOOPBACK: return "loopback";
	case IP_SCOPE_MULTICAST: return "multicast";
	case IP_SCOPE_UNUSABLE: return "unusable";
	}
	return "unusable";
}

struct ip_addr ip_source(const struct ip_addr *a)
{
	struct ip_addr source = *a;

	if (a->family == IP_V6)
		memset(source.b + 8, 0, sizeof source.b - 8);
	return source;
}
