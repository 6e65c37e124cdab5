#include "wire/payloads.h"

enum ike_err pl_ke_read(struct span body, struct pl_ke *out)
{
	struct rd r = rd_over(body);

	out->group = rd_u16(&r);
	(void)rd_u16(&r);               /* RESERVED: ignored on receipt, RFC 7296 2.5 */
	out->public_value = rd_rest(&r);
	if (rd_ok(&r) && out->public_value.n > 0)
		return IKE_OK;
	*out = (struct pl_ke){ 0 };
	return IKE_E_SYNTAX;
}

void pl_ke_write(struct msg_wr *m, uint16_t group, struct span public_value)
{
	msg_payload_begin(m, PL_KE);
	wr_u16(&m->w, group);
	wr_u16(&m->w, 0);
	wr_put(&m->w, public_value);
	msg_payload_end(m);
}

enum ike_err pl_nonce_read(struct span body, struct span *out)
{
	bool fits = body.n >= NONCE_MIN && body.n <= NONCE_MAX;

	*out = fits ? body : (struct span){ 0 };
	return fits ? IKE_OK : IKE_E_SYNTAX;
}

void pl_nonce_write(struct msg_wr *m, struct span nonce)
{
	msg_payload_begin(m, PL_NONCE);
	wr_put(&m->w, nonce);
	msg_payload_end(m);
}
