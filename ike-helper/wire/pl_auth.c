#include "wire/payloads.h"

enum { RESERVED_LEN = 3 };

enum ike_err pl_auth_read(struct span body, struct pl_auth *out)
{
	struct rd r = rd_over(body);

	out->method = rd_u8(&r);
	(void)rd_bytes(&r, RESERVED_LEN);
	out->value = rd_rest(&r);
	if (rd_ok(&r) && out->value.n > 0)
		return IKE_OK;
	*out = (struct pl_auth){ 0 };
	return IKE_E_SYNTAX;
}

void pl_auth_write(struct msg_wr *m, uint8_t method, struct span value)
{
	msg_payload_begin(m, PL_AUTH);
	wr_u8(&m->w, method);
	(void)wr_reserve(&m->w, RESERVED_LEN);
	wr_put(&m->w, value);
	msg_payload_end(m);
}

enum ike_err pl_auth_signature_read(struct span value, struct pl_auth_signature *out)
{
	struct rd r = rd_over(value);

	out->algorithm = rd_bytes(&r, rd_u8(&r));
	out->signature = rd_rest(&r);
	if (rd_ok(&r) && out->algorithm.n > 0 && out->signature.n > 0)
		return IKE_OK;
	*out = (struct pl_auth_signature){ 0 };
	return IKE_E_SYNTAX;
}
