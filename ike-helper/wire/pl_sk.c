#include "wire/payloads.h"

enum ike_err pl_skf_read(struct span body, struct pl_skf *out)
{
	struct rd r = rd_over(body);

	out->number = rd_u16(&r);
	out->total = rd_u16(&r);
	out->rest = rd_rest(&r);
	if (rd_ok(&r) && out->number >= 1 && out->number <= out->total)
		return IKE_OK;
	*out = (struct pl_skf){ 0 };
	return IKE_E_SYNTAX;
}

/* The next-payload field of SK and SKF names the first payload inside. */
static void set_first_inner(struct msg_wr *m, uint8_t first_inner)
{
	if (wr_ok(&m->w))
		m->w.base[m->next_at] = first_inner;
}

void pl_sk_write(struct msg_wr *m, uint8_t first_inner, size_t sealed_len)
{
	msg_payload_begin(m, PL_SK);
	set_first_inner(m, first_inner);
	(void)wr_reserve(&m->w, sealed_len);
	msg_payload_end(m);
}

void pl_skf_write(struct msg_wr *m, uint8_t first_inner, uint16_t number, uint16_t total, size_t sealed_len)
{
	msg_payload_begin(m, PL_SKF);
	set_first_inner(m, first_inner);
	wr_u16(&m->w, number);
	wr_u16(&m->w, total);
	(void)wr_reserve(&m->w, sealed_len);
	msg_payload_end(m);
}
