/* der.h - the little of DER (X.690) that signatures need; private to dnskey/. Strict: definite, minimal lengths only. */
#ifndef OE_DNSKEY_DER_H
#define OE_DNSKEY_DER_H

#include "base/cursor.h"

enum der_tag {
	DER_INTEGER = 0x02,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
	DER_CONTEXT_0 = 0xa0,           /* [0] constructed; [1] is the next, and so on */
};

/* The next element has this tag; nothing is consumed. */
static inline bool der_next_is(const struct rd *r, uint8_t tag)
{
	return rd_left(r) > 0 && r->p[0] == tag;
}

/* The contents of the next element, which must have this tag; makes r bad otherwise. */
static inline struct rd der_take(struct rd *r, uint8_t tag)
{
	size_t n;

	if (rd_u8(r) != tag)
		r->bad = true;
	n = rd_u8(r);
	if (n == 0x81) {
		n = rd_u8(r);
		if (n < 0x80)
			r->bad = true;
	} else if (n == 0x82) {
		n = rd_u16(r);
		if (n < 0x100)
			r->bad = true;
	} else if (n >= 0x80) {
		r->bad = true;          /* the indefinite form, or a length that no datagram can hold */
	}
	return rd_sub(r, n);
}

/* The bytes of a non-negative INTEGER, without the leading zero that keeps it positive. */
static inline struct span der_take_unsigned(struct rd *r)
{
	struct rd value = der_take(r, DER_INTEGER);
	struct span s = rd_rest(&value);

	if (s.n == 0 || s.p[0] >= 0x80 || (s.n > 1 && s.p[0] == 0 && s.p[1] < 0x80)) {
		r->bad = true;
		return span_of(NULL, 0);
	}
	return s.p[0] == 0 ? span_of(s.p + 1, s.n - 1) : s;
}

#endif
