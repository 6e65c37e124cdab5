#include "wire/payloads.h"

#include <string.h>

enum { CP_RESERVED_LEN = 3, CP_TYPE_MASK = 0x7fff, CP_IP4_LEN = 4, CP_IP6_LEN = 16, CP_IP6_PREFIX_MAX = 128 };

/* Empty asks for an address; otherwise it is one, and in IPv6 the length of its prefix follows. */
static enum ike_err address_read(struct span value, uint8_t family, struct pl_cp_addresses *out)
{
	struct rd r = rd_over(value);
	struct ip_addr a = { .family = IP_NONE };

	if (value.n > 0) {
		a.family = family;
		rd_copy(&r, a.b, family == IP_V4 ? CP_IP4_LEN : CP_IP6_LEN);
		if (family == IP_V6 && rd_u8(&r) > CP_IP6_PREFIX_MAX)
			return IKE_E_SYNTAX;
	}
	if (!rd_done(&r))
		return IKE_E_SYNTAX;
	if (out->n++ == 0)
		out->first = a;
	return IKE_OK;
}

static enum ike_err attribute_read(struct rd *r, struct pl_cp *out)
{
	uint16_t type = rd_u16(r) & CP_TYPE_MASK;       /* the high bit is RESERVED */
	struct span value = rd_bytes(r, rd_u16(r));

	if (!rd_ok(r))
		return IKE_E_SYNTAX;
	if (type == CFG_INTERNAL_IP4_ADDRESS)
		return address_read(value, IP_V4, &out->v4);
	if (type == CFG_INTERNAL_IP6_ADDRESS)
		return address_read(value, IP_V6, &out->v6);
	return IKE_OK;
}

enum ike_err pl_cp_read(struct span body, struct pl_cp *out)
{
	struct rd r = rd_over(body);
	enum ike_err err = IKE_OK;

	*out = (struct pl_cp){ .type = rd_u8(&r) };
	(void)rd_bytes(&r, CP_RESERVED_LEN);
	while (err == IKE_OK && rd_left(&r) > 0)
		err = attribute_read(&r, out);
	if (err == IKE_OK && !rd_done(&r))
		err = IKE_E_SYNTAX;
	if (err != IKE_OK)
		memset(out, 0, sizeof *out);
	return err;
}

void pl_cp_write(struct msg_wr *m, uint8_t type, enum ip_family family, const struct ip_addr *address)
{
	struct span value = address ? ip_bytes(address) : span_of(NULL, 0);
	bool prefix = address && family == IP_V6;

	msg_payload_begin(m, PL_CP);
	if (address && address->family != family)
		m->w.bad = true;
	wr_u8(&m->w, type);
	(void)wr_reserve(&m->w, CP_RESERVED_LEN);
	wr_u16(&m->w, family == IP_V4 ? CFG_INTERNAL_IP4_ADDRESS : CFG_INTERNAL_IP6_ADDRESS);
	wr_u16(&m->w, (uint16_t)(value.n + prefix));
	wr_put(&m->w, value);
	if (prefix)
		wr_u8(&m->w, CP_IP6_PREFIX_MAX);
	msg_payload_end(m);
}
