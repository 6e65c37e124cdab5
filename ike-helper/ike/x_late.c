/* The first CHILD SA by an exchange of its own, after an IKE_AUTH that has made none (RFC 6023): CREATE_CHILD_SA, both roles.
 *
 * A peer that starts may have it so: its IKE SA is half open until then, and bounded as such. We ask for it so only when the host makes
 * none in IKE_AUTH (x_auth.c).
 */
#include "ike/beside.h"
#include "ike/child.h"
#include "ike/engine.h"
#include "ike/grant.h"
#include "ike/rekey.h"
#include "ike/x.h"

/* Initiator: what sa->rekey holds for a rekeying is what it needs here, too ---------------------- */

static void make_offer(const struct ike_sa *sa, struct offer *out)
{
	offer_esp_anew(out, sa->spi_in, sa->rekey->group);
}

static enum ike_err send_request(struct ike_sa *sa, uint64_t now_ms)
{
	struct msg_wr m = engine_inner(sa->ike);
	const struct pl_selector tsi = ts_host(auth_own_end(sa)), tsr = ts_host(auth_wanted_host(sa));
	struct offer offer;

	if (sa->hs->host.family == IP_NONE)
		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_USE_TRANSPORT_MODE, span_of(NULL, 0));
	make_offer(sa, &offer);
	offer_write(&m, &offer);
	pl_nonce_write(&m, span_of(sa->rekey->nonce, NONCE_LEN));
	pl_ke_write(&m, sa->rekey->group, dh_public(sa->rekey->dh));
	pl_ts_write(&m, PL_TSI, &tsi, 1);
	pl_ts_write(&m, PL_TSR, &tsr, 1);
	return engine_request(sa, EXCH_CREATE_CHILD_SA, &m, now_ms);
}

enum ike_err late_ask(struct ike_sa *sa, uint64_t now_ms)
{
	enum ike_err err = rekey_begin(sa, sa->suite.group);

	if (err == IKE_OK)
		err = child_begin(sa);
	return err == IKE_OK ? send_request(sa, now_ms) : err;
}

QUESTION(late_group_is_ours)
{
	struct offer offer;

	make_offer(sa, &offer);
	return rekey_group_wanted(sa, s, &offer) != 0;
}

HANDLER(late_ask_with_group)
{
	struct offer offer;
	enum ike_err err;

	make_offer(sa, &offer);
	err = rekey_take_group(sa, s, &offer);
	return err == IKE_OK ? send_request(sa, s->now_ms) : err;
}

static enum ike_err take_answer(struct ike_sa *sa, const struct stimulus *s)
{
	struct dh_shared shared = { .n = 0 };
	struct offer offer;
	struct span nr;
	enum ike_err err;

	make_offer(sa, &offer);
	err = auth_check_child(sa, s, &offer);
	if (err == IKE_OK)
		err = pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, &nr);
	if (err == IKE_OK)
		err = rekey_read_shared(sa, s, sa->hs->esp.group, &shared);
	if (err == IKE_OK)
		err = child_agree(sa, shared.n > 0 ? &shared : NULL, span_of(sa->rekey->nonce, NONCE_LEN), nr);
	dh_shared_clear(&shared);
	return err;
}

HANDLER(late_answered)
{
	enum ike_err err = take_answer(sa, s);

	window_request_over(&sa->window, true);
	sa_end_rekey(sa);
	if (err != IKE_OK)
		return auth_leave(sa, err, 0, s->now_ms);
	child_protect(sa);
	return IKE_OK;
}

HANDLER(late_refused)
{
	window_request_over(&sa->window, true);
	auth_blame_refusal(sa, auth_error_in(s));
	return auth_leave(sa, IKE_E_REFUSED, 0, s->now_ms);
}

/* Responder: request -> may it? -> kernel -> response, as in IKE_AUTH ---------------------------- */

/* What it has brought. */
struct wish {
	struct esp_choice esp;
	struct pl_ke ke;                /* group 0: none */
	struct span ni;
};

/* 0, or the notify with which it is refused. */
static uint16_t judge(const struct ike_sa *sa, const struct stimulus *s, struct wish *w)
{
	const struct msg_payload *ke = msg_find(s->chain, PL_KE);
	uint16_t refusal;

	w->ke.group = 0;
	if (pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, &w->ni) != IKE_OK || (ke && pl_ke_read(ke->body, &w->ke) != IKE_OK))
		return N_INVALID_SYNTAX;
	refusal = grant_judge(sa, s, &w->esp);
	return refusal ? refusal : w->esp.group && w->esp.group != w->ke.group ? N_INVALID_KE_PAYLOAD : 0;
}

QUESTION(late_is_refused)
{
	struct wish w;

	return judge(sa, s, &w) != 0;
}

HANDLER(late_refuse)
{
	uint8_t group[2];
	struct wr value = wr_over(group, sizeof group);
	struct wish w;
	uint16_t refusal = judge(sa, s, &w);

	if (refusal == N_INVALID_KE_PAYLOAD)
		wr_u16(&value, w.esp.group);
	return rekey_refuse(sa, s, refusal, wr_span(&value));
}

/* The answer, to be kept until the kernel is ready. */
static enum ike_err hold_answer(struct ike_sa *sa, const struct stimulus *s, struct span nr, const struct dh *dh)
{
	struct msg_wr m = engine_inner(sa->ike);

	grant_write_sa(sa, &m);
	pl_nonce_write(&m, nr);
	if (dh)
		pl_ke_write(&m, sa->hs->esp.group, dh_public(dh));
	grant_write_ts(sa, &m);
	return engine_hold_reply(sa, s, &m);
}

static enum ike_err make(struct ike_sa *sa, const struct stimulus *s, const struct wish *w)
{
	struct dh_shared shared = { .n = 0 };
	struct dh *dh = NULL;
	uint8_t nr[NONCE_LEN];
	enum ike_err err = child_begin(sa);

	rng_fill(sa->ike->rng, nr, sizeof nr);
	if (err == IKE_OK && w->esp.group)
		err = dh_new(w->esp.group, sa->ike->rng, &dh);
	if (err == IKE_OK && dh)
		err = dh_agree(dh, w->ke.public_value, &shared);
	if (err == IKE_OK)
		err = child_agree(sa, dh ? &shared : NULL, w->ni, span_of(nr, sizeof nr));
	if (err == IKE_OK)
		err = hold_answer(sa, s, span_of(nr, sizeof nr), dh);
	dh_shared_clear(&shared);
	dh_free(dh);
	return err;
}

HANDLER(late_requested)
{
	struct handshake *hs = sa->hs;
	enum ike_err err = IKE_E_LIMIT, said;
	struct wish w;

	if (judge(sa, s, &w) != 0)
		return IKE_E_STATE;
	grant_take(sa, s);
	if (!hs->child_refused)
		err = make(sa, s, &w);
	if (err == IKE_OK) {
		hs->child_was_late = true;
		engine_ask(sa, SLOT_AUTHORIZE);
		return IKE_OK;
	}
	said = rekey_refuse(sa, s, hs->child_refused ? hs->child_refused : err == IKE_E_SYNTAX ? N_INVALID_SYNTAX : N_TEMPORARY_FAILURE,
			    span_of(NULL, 0));
	return said == IKE_OK ? err : said;
}

QUESTION(child_was_late)
{
	(void)s;
	return sa->hs->child_was_late;
}

static enum ike_err refuse_held(struct ike_sa *sa, uint16_t notify, uint64_t now_ms)
{
	struct msg_wr m = engine_inner(sa->ike);

	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), notify, span_of(NULL, 0));
	return engine_reply(sa, sa->held_exchange, sa->held_id, &sa->held->path, &m, now_ms);
}

QUESTION(late_is_denied)
{
	return sa->hs->child_was_late && s->reason != REASON_NONE;
}

/* Not now, and not for a wish like this: what it has proved stands, until its time is over. */
HANDLER(late_deny)
{
	enum ike_err err = refuse_held(sa, s->reason == REASON_TS_UNACCEPTABLE ? N_TS_UNACCEPTABLE : N_NO_ADDITIONAL_SAS, s->now_ms);

	sa->hs->child_was_late = false;
	engine_give_back(sa);
	sa->inner_local = sa->inner_remote = sa->behind = (struct ip_addr){ .family = IP_NONE };
	child_drop(sa->child);
	return err;
}

HANDLER(late_authorized)
{
	sa->reqid = s->reqid;
	sa->owes_end = true;
	beside_begin(sa, s->now_ms);
	child_protect(sa);
	return IKE_OK;
}

HANDLER(late_installed)
{
	enum ike_err err;

	if (s->result != IKE_OK) {
		sa_blame(sa, REASON_KERNEL, "%s", ike_err_text(s->result));
		err = refuse_held(sa, N_NO_PROPOSAL_CHOSEN, s->now_ms);
		return err == IKE_OK ? IKE_E_KERNEL : err;
	}
	child_is_up(sa);
	if (beside_waits(sa))
		beside_installed(sa);
	engine_release_reply(sa, s->now_ms);
	return IKE_OK;
}

/* Nobody has asked in time. The peer has an IKE SA with us, and is told. */
QUESTION(nobody_pushes_it_out)
{
	(void)s;
	return sa->reason == REASON_NONE;
}

HANDLER(late_is_over)
{
	sa_blame(sa, REASON_TIMEOUT, "no CHILD SA was asked for");
	return info_farewell(sa, 0, s->now_ms);
}
