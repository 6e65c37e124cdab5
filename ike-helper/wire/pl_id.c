#include "wire/payloads.h"

enum { RESERVED_LEN = 3 };

enum ike_err pl_id_read(struct span body, struct pl_id *out)
{
	struct rd r = rd_over(body);

	out->type = rd_u8(&r);
	(void)rd_bytes(&r, RESERVED_LEN);
	out->value = rd_rest(&r);
	out->rest_of_id = body;
	/* RFC 7619 2.2: an ID_NULL identity has no data. */
	if (rd_ok(&r) && (out->type != ID_NULL || out->value.n == 0))
		return IKE_OK;
	*out = (struct pl_id){ 0 };
	return IKE_E_SYNTAX;
}

void pl_id_body(struct wr *w, uint8_t type, struct span value)
{
	wr_u8(w, type);
	(void)wr_reserve(w, RESERVED_LEN);
	wr_put(w, value);
}

void pl_id_write(struct msg_wr *m, enum ike_payload_type idi_or_idr, uint8_t type, struct span value)
{
	msg_payload_begin(m, idi_or_idr);
	pl_id_body(&m->w, type, value);
	msg_payload_end(m);
}

enum ike_err pl_cert_read(struct span body, struct pl_cert *out)
{
	struct rd r = rd_over(body);

	out->encoding = rd_u8(&r);
	out->value = rd_rest(&r);
	if (rd_ok(&r))
		return IKE_OK;
	*out = (struct pl_cert){ 0 };
	return IKE_E_SYNTAX;
}

void pl_cert_write(struct msg_wr *m, enum ike_payload_type cert_or_certreq, uint8_t encoding, struct span value)
{
	msg_payload_begin(m, cert_or_certreq);
	wr_u8(&m->w, encoding);
	wr_put(&m->w, value);
	msg_payload_end(m);
}
