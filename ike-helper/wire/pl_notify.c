#include "wire/payloads.h"

enum ike_err pl_notify_read(struct span body, struct pl_notify *out)
{
	struct rd r = rd_over(body);
	uint8_t spi_len;

	out->protocol = rd_u8(&r);
	spi_len = rd_u8(&r);
	out->type = rd_u16(&r);
	out->spi = rd_bytes(&r, spi_len);
	out->value = rd_rest(&r);
	if (rd_ok(&r))
		return IKE_OK;
	*out = (struct pl_notify){ 0 };
	return IKE_E_SYNTAX;
}

void pl_notify_write(struct msg_wr *m, uint8_t protocol, struct span spi, uint16_t type, struct span value)
{
	msg_payload_begin(m, PL_NOTIFY);
	wr_u8(&m->w, protocol);
	if (spi.n > UINT8_MAX)
		m->w.bad = true;
	wr_u8(&m->w, (uint8_t)spi.n);
	wr_u16(&m->w, type);
	wr_put(&m->w, spi);
	wr_put(&m->w, value);
	msg_payload_end(m);
}

bool pl_notify_find(const struct msg_chain *chain, uint16_t type, struct pl_notify *out)
{
	for (unsigned i = 0; i < chain->n; i++) {
		const struct msg_payload *p = &chain->payload[i];

		if (p->type == PL_NOTIFY && pl_notify_read(p->body, out) == IKE_OK && out->type == type)
			return true;
	}
	*out = (struct pl_notify){ 0 };
	return false;
}
