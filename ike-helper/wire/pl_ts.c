#include "wire/payloads.h"

#include <string.h>

enum { TS_IPV4_ADDR_RANGE = 7, TS_IPV6_ADDR_RANGE = 8 };
enum { TS_RESERVED_LEN = 3, SELECTOR_HDR_LEN = 4 };

static uint8_t family_of(uint8_t ts_type)
{
	switch (ts_type) {
	case TS_IPV4_ADDR_RANGE:
		return IP_V4;
	case TS_IPV6_ADDR_RANGE:
		return IP_V6;
	default:
		return IP_NONE;
	}
}

static size_t address_len(uint8_t family)
{
	return family == IP_V4 ? 4 : 16;
}

static void address_read(struct rd *r, uint8_t family, struct ip_addr *out)
{
	out->family = family;
	rd_copy(r, out->b, address_len(family));
}

static enum ike_err selector_read(struct rd *r, struct pl_selector *out)
{
	uint16_t length;
	struct rd inside;

	memset(out, 0, sizeof *out);
	out->family = family_of(rd_u8(r));
	out->ip_protocol = rd_u8(r);
	length = rd_u16(r);
	if (!rd_ok(r) || length < SELECTOR_HDR_LEN)
		return IKE_E_SYNTAX;
	inside = rd_sub(r, (size_t)length - SELECTOR_HDR_LEN);
	if (out->family == IP_NONE)
		return rd_ok(&inside) ? IKE_OK : IKE_E_SYNTAX;
	out->port_first = rd_u16(&inside);
	out->port_last = rd_u16(&inside);
	address_read(&inside, out->family, &out->first);
	address_read(&inside, out->family, &out->last);
	return rd_done(&inside) ? IKE_OK : IKE_E_SYNTAX;
}

static enum ike_err selectors_read(struct rd *r, struct pl_ts *out)
{
	unsigned count = rd_u8(r);

	(void)rd_bytes(r, TS_RESERVED_LEN);
	if (!rd_ok(r) || count == 0)
		return IKE_E_SYNTAX;
	if (count > PL_SELECTORS_MAX)
		return IKE_E_NOSPACE;
	for (unsigned i = 0; i < count; i++)
		if (selector_read(r, &out->selector[i]) != IKE_OK)
			return IKE_E_SYNTAX;
	out->n = count;
	return rd_done(r) ? IKE_OK : IKE_E_SYNTAX;
}

enum ike_err pl_ts_read(struct span body, struct pl_ts *out)
{
	struct rd r = rd_over(body);
	enum ike_err err;

	memset(out, 0, sizeof *out);
	err = selectors_read(&r, out);
	if (err)
		memset(out, 0, sizeof *out);
	return err;
}

static void selector_write(struct wr *w, const struct pl_selector *s)
{
	size_t n = address_len(s->family);

	wr_u8(w, s->family == IP_V4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE);
	wr_u8(w, s->ip_protocol);
	wr_u16(w, (uint16_t)(SELECTOR_HDR_LEN + 4 + 2 * n));
	wr_u16(w, s->port_first);
	wr_u16(w, s->port_last);
	wr_bytes(w, s->first.b, n);
	wr_bytes(w, s->last.b, n);
}

void pl_ts_write(struct msg_wr *m, enum ike_payload_type tsi_or_tsr, const struct pl_selector *selectors, unsigned n)
{
	msg_payload_begin(m, tsi_or_tsr);
	if (n > UINT8_MAX)
		m->w.bad = true;
	wr_u8(&m->w, (uint8_t)n);
	(void)wr_reserve(&m->w, TS_RESERVED_LEN);
	for (unsigned i = 0; i < n; i++)
		selector_write(&m->w, &selectors[i]);
	msg_payload_end(m);
}
