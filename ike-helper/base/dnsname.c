#include "base/dnsname.h"

#include <string.h>

enum { LABEL_MAX = 63 };

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

enum ike_err dnsname_read(struct rd *r, struct dnsname *out)
{
	struct wr w = wr_over(out->b, sizeof out->b);
	uint8_t label_len;

	out->n = 0;
	do {
		struct span label;
		size_t i;

		label_len = rd_u8(r);
		/* Both high bits set is a compression pointer; 01 and 10 were never used. */
		if (!rd_ok(r) || label_len > LABEL_MAX)
			goto bad;
		wr_u8(&w, label_len);
		label = rd_bytes(r, label_len);
		for (i = 0; i < label.n; i++)
			wr_u8(&w, lower(label.p[i]));
		if (!rd_ok(r) || !wr_ok(&w))
			goto bad;
	} while (label_len > 0);
	out->n = (uint8_t)w.n;
	return IKE_OK;
bad:
	r->bad = true;
	return IKE_E_SYNTAX;
}

/* One octet of a label from presentation text; false when the escape is malformed. */
static bool take_octet(const char **s, uint8_t *out)
{
	unsigned v = 0, i;

	if (**s != '\\') {
		*out = (uint8_t)*(*s)++;
		return true;
	}
	(*s)++;
	if (**s < '0' || **s > '9') {
		if (**s == '\0')
			return false;
		*out = (uint8_t)*(*s)++;
		return true;
	}
	for (i = 0; i < 3; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (unsigned)(**s - '0');
	}
	*out = (uint8_t)v;
	return v <= 255;
}

static bool take_label(const char **s, struct wr *w)
{
	size_t length_at = w->n;
	size_t n = 0;

	wr_u8(w, 0);
	while (**s != '\0' && **s != '.') {
		uint8_t c;

		if (!take_octet(s, &c) || ++n > LABEL_MAX)
			return false;
		wr_u8(w, lower(c));
	}
	if (n == 0 || !wr_ok(w))
		return false;
	w->base[length_at] = (uint8_t)n;
	return true;
}

enum ike_err dnsname_from_text(const char *text, struct dnsname *out)
{
	struct wr w = wr_over(out->b, sizeof out->b);
	const char *s = text;

	out->n = 0;
	if (*s == '.' && s[1] == '\0')
		s++;
	else if (*s == '\0')
		return IKE_E_SYNTAX;
	while (*s != '\0') {
		if (!take_label(&s, &w))
			return IKE_E_SYNTAX;
		if (*s == '.')
			s++;
	}
	wr_u8(&w, 0);
	if (!wr_ok(&w))
		return IKE_E_SYNTAX;
	out->n = (uint8_t)w.n;
	return IKE_OK;
}

static char *put_octet(char *to, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f) {
		*to++ = '\\';
		*to++ = (char)('0' + c / 100);
		*to++ = (char)('0' + c / 10 % 10);
		*to++ = (char)('0' + c % 10);
		return to;
	}
	if (memchr(".\\\"();@$", c, 8))
		*to++ = '\\';
	*to++ = (char)c;
	return to;
}

const char *dnsname_text(const struct dnsname *name, char to[DNSNAME_TEXT_MAX])
{
	struct rd r = rd_over(dnsname_span(name));
	char *p = to;
	uint8_t label_len;

	while ((label_len = rd_u8(&r)) > 0) {
		struct span label = rd_bytes(&r, label_len);
		size_t i;

		if (p > to)
			*p++ = '.';
		for (i = 0; i < label.n; i++)
			p = put_octet(p, label.p[i]);
	}
	if (p == to && name->n > 0)
		*p++ = '.';
	*p = '\0';
	return to;
}

bool dnsname_equal(const struct dnsname *a, const struct dnsname *b)
{
	return span_equal(dnsname_span(a), dnsname_span(b));
}

bool dnsname_is_under(const struct dnsname *name, const struct dnsname *zone)
{
	size_t at = 0;

	if (name->n == 0 || zone->n == 0)
		return false;
	while ((size_t)name->n - at > zone->n)
		at += 1u + name->b[at];
	return name->n - at == zone->n && memcmp(name->b + at, zone->b, zone->n) == 0;
}
