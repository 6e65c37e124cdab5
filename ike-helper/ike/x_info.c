/* INFORMATIONAL (RFC 7296 1.4): liveness, Delete, and the last word of an SA that failed. Both
 * roles. */
#include "ike/engine.h"
#include "ike/qcd.h"
#include "ike/x.h"

/* The last word -------------------------------------------------------------------------------- */

/* notify: the error that ends it (RFC 7296 2.21.2); 0: a Delete of the IKE SA, which takes the
 * CHILD SA along (1.4.1). */
enum ike_err info_farewell(struct ike_sa *sa, uint16_t notify, uint64_t now_ms)
{
	struct msg_wr m = engine_inner(sa->ike);

	/* RFC 7296 2.21.2 has the notify alone. libreswan 4.10 acknowledges that and keeps its
	 * SAs and policies, which then drop our cleartext; the Delete that goes with it ends
	 * them everywhere. */
	if (notify)
		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), notify, span_of(NULL, 0));
	pl_delete_write(&m, PROTO_IKE, NULL, 0);
	return engine_request(sa, EXCH_INFORMATIONAL, &m, now_ms);
}

QUESTION(request_is_out)
{
	(void)s;
	return sa->window.request != NULL;
}

HANDLER(info_close)
{
	sa_dismiss(sa, s->reason);
	/* Without memory for it the peer will find out by itself. */
	if (info_farewell(sa, 0, s->now_ms) != IKE_OK)
		log_debug(sa->ike->log, "ike %llu: could not tell the peer that it is over",
			  (unsigned long long)sa->handle);
	return IKE_OK;
}

HANDLER(info_close_later)
{
	sa->close_asked = true;
	sa->close_reason = s->reason;
	if ((IN(sa->state) & IN_LIFE) && !sa->asked && !(sa->rekey && sa->rekey->fresh_ike))
		sa_dismiss(sa, s->reason);
	return IKE_OK;
}

/* ike_close() found a question of ours out (window of one): the Delete goes when that is
 * answered. */
QUESTION(delete_is_owed)
{
	(void)s;
	return sa->close_asked;
}

HANDLER(info_delete_now)
{
	window_request_over(&sa->window, true);
	sa->close_asked = false;
	return info_farewell(sa, 0, s->now_ms);
}

HANDLER(info_bye)
{
	(void)s;
	window_request_over(&sa->window, true);
	return IKE_OK;
}

/* Requests of the peer ------------------------------------------------------------------------- */

HANDLER(info_answer)
{
	struct msg_wr m = engine_inner(sa->ike);
	enum ike_err err;

	mobike_echo(&m, s);
	err = mobike_answer_probe(sa, &m, s);
	return err == IKE_OK ? engine_reply(sa, EXCH_INFORMATIONAL, s->hdr->message_id, s->path, &m, s->now_ms) : err;
}

QUESTION(deletes_ike)
{
	struct pl_delete del;
	unsigned i;

	(void)sa;
	for (i = 0; i < s->chain->n; i++) {
		if (s->chain->payload[i].type == PL_DELETE &&
		    pl_delete_read(s->chain->payload[i].body, &del) == IKE_OK &&
		    del.protocol == PROTO_IKE)
			return true;
	}
	return false;
}

HANDLER(info_ike_deleted)
{
	sa_blame(sa, REASON_PEER_REFUSED, "deleted by the peer");
	return info_answer(sa, s);
}

/* RFC 7296 2.21.2: the initiator tells a responder so when it could not verify it. No Delete
 * follows. */
QUESTION(tells_fatal_error)
{
	struct pl_notify notify;

	(void)sa;
	return pl_notify_find(s->chain, N_AUTHENTICATION_FAILED, &notify) ||
	       pl_notify_find(s->chain, N_INVALID_SYNTAX, &notify);
}

HANDLER(info_fatal_error)
{
	struct pl_notify notify;

	if (pl_notify_find(s->chain, N_AUTHENTICATION_FAILED, &notify))
		sa_blame(sa, REASON_AUTH_FAILED,
			 "peer says that our key is not the one it expects");
	else
		sa_blame(sa, REASON_PROTOCOL, "peer said INVALID_SYNTAX");
	return info_answer(sa, s);
}

HANDLER(info_syntax_error)
{
	window_request_over(&sa->window, true);
	sa_blame(sa, REASON_PROTOCOL, "peer said INVALID_SYNTAX to %s", ike_exchange_name(s->hdr->exchange));
	return IKE_OK;
}

/* Liveness ------------------------------------------------------------------------------------- */

static enum ike_err ask(struct ike_sa *sa, struct msg_wr *m, uint64_t now_ms)
{
	enum ike_err err = engine_request(sa, EXCH_INFORMATIONAL, m, now_ms);

	if (err == IKE_OK)
		sa->expire_ms = now_ms + LIVENESS_MS;
	/* Without memory the question is not asked; the next one may be. */
	return err == IKE_E_NOMEM ? IKE_E_STATE : err;
}

HANDLER(info_probe)
{
	struct msg_wr m = engine_inner(sa->ike);
	enum ike_err err = mobike_write_probe(sa, &m);

	return err == IKE_OK ? ask(sa, &m, s->now_ms) : err;
}

HANDLER(info_alive)
{
	window_request_over(&sa->window, true);
	sa->expire_ms = NEVER_MS;
	mobike_probe_answered(sa, s);
	return IKE_OK;
}

/* Crashes (RFC 6290) --------------------------------------------------------------------------- */

HANDLER(info_token)
{
	struct msg_wr m = engine_inner(sa->ike);

	qcd_write(sa, &m);
	return ask(sa, &m, s->now_ms);
}

HANDLER(info_token_came)
{
	qcd_take(sa, s->chain);
	return info_answer(sa, s);
}

HANDLER(info_lost)
{
	(void)s;
	sa_blame(sa, REASON_TIMEOUT, "it has restarted, and has proved that it knows nothing of this SA");
	return IKE_OK;
}
