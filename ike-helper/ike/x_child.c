/* CREATE_CHILD_SA (RFC 7296 1.3): refused. There is one CHILD SA, and neither it nor the IKE SA
 * is rekeyed: the side that started makes a new pair when the old one becomes old. */
#include "ike/engine.h"
#include "ike/x.h"

HANDLER(child_refuse)
{
	struct msg_wr m = engine_inner(sa->ike);
	struct pl_notify rekey;
	struct rd r;

	/* RFC 7296 2.25: rekeying of an SA that does not exist. */
	if (pl_notify_find(s->chain, N_REKEY_SA, &rekey)) {
		r = rd_over(rekey.spi);
		if (rd_u32(&r) != sa->spi_out || !rd_done(&r)) {
			pl_notify_write(&m, rekey.protocol, rekey.spi, N_CHILD_SA_NOT_FOUND,
					span_of(NULL, 0));
			return engine_reply(sa, EXCH_CREATE_CHILD_SA, s->hdr->message_id, s->path,
					    &m, s->now_ms);
		}
	}
	return engine_reply_notify(sa, s, N_NO_ADDITIONAL_SAS, span_of(NULL, 0));
}

/* RFC 7296 2.25.1, 2.25.2. */
HANDLER(child_refuse_closing)
{
	return engine_reply_notify(sa, s, N_TEMPORARY_FAILURE, span_of(NULL, 0));
}
