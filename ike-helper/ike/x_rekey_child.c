/* Rekeying of the CHILD SA (RFC 7296 1.3.3, 2.8, 2.17), both roles. */
#include "ike/child.h"
#include "ike/engine.h"
#include "ike/followup.h"
#include "ike/rekey.h"
#include "ike/x.h"

/* How long until we look again whether the peer's new pair is in use. */
enum { HEIR_WAIT_MS = 100 };

/* We ask --------------------------------------------------------------------------------------- */

/* As the first pair. */
static void write_mode(const struct ike_sa *sa, struct msg_wr *m)
{
	if (!child_is_tunnel(sa))
		pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), N_USE_TRANSPORT_MODE, span_of(NULL, 0));
}

static bool is_same_mode(const struct ike_sa *sa, const struct stimulus *s)
{
	struct pl_notify notify;

	return pl_notify_find(s->chain, N_USE_TRANSPORT_MODE, &notify) != child_is_tunnel(sa);
}

/* With an additional key exchange where the IKE SA has had one. */
static void make_offer(const struct ike_sa *sa, struct offer *out)
{
	offer_esp_anew(out, sa->rekey->fresh->spi_in, sa->rekey->group);
	if (sa->suite.addke1)
		offer_hybrid(out);
}

static enum ike_err send_request(struct ike_sa *sa, uint64_t now_ms)
{
	struct rekey *rk = sa->rekey;
	struct msg_wr m = engine_inner(sa->ike);
	const struct ts_ends ends = child_ends(sa);
	const struct pl_selector tsi = ts_host(&ends.us), tsr = ts_host(&ends.peer);
	uint8_t spi[4];
	struct wr w = wr_over(spi, sizeof spi);
	struct offer offer;

	wr_u32(&w, sa->child->spi_in);
	pl_notify_write(&m, PROTO_ESP, wr_span(&w), N_REKEY_SA, span_of(NULL, 0));
	write_mode(sa, &m);
	make_offer(sa, &offer);
	offer_write(&m, &offer);
	pl_nonce_write(&m, span_of(rk->nonce, NONCE_LEN));
	pl_ke_write(&m, rk->group, dh_public(rk->dh));
	pl_ts_write(&m, PL_TSI, &tsi, 1);
	pl_ts_write(&m, PL_TSR, &tsr, 1);
	return engine_request(sa, EXCH_CREATE_CHILD_SA, &m, now_ms);
}

/* It is over, with or without a new pair. */
static void end_rekey(struct ike_sa *sa)
{
	sa_end_rekey(sa);
	sa->asked = NULL;
	sa->expire_ms = NEVER_MS;
}

/* Nothing came of it at the peer either. */
static void abandon(struct ike_sa *sa)
{
	struct child *fresh = sa->rekey->fresh;

	end_rekey(sa);
	if (fresh)
		child_drop(fresh);
}

static enum ike_err begin(struct ike_sa *sa, uint64_t now_ms)
{
	enum ike_err err = rekey_begin(sa, sa->suite.group);

	if (err != IKE_OK)
		return err;
	sa->rekey->fresh = child_new(sa);
	if (!sa->rekey->fresh)
		return IKE_E_NOMEM;
	sa->rekey->fresh->replaces = sa->rekey->old_spi_out = sa->child->spi_out;
	return send_request(sa, now_ms);
}

HANDLER(rekey_child_ask)
{
	/* The peer has made one for it, and will delete the old one: no more is wanted, unless it may be one for where somebody is no
	 * more. */
	if (!sa->child || sa->child->phase != CHILD_LIVE || child_heir(sa->child)) {
		if (sa->moved)
			rekey_child_after_move(sa, s->now_ms + HEIR_WAIT_MS);
		return IKE_E_STATE;
	}
	sa->moved = false;
	if (begin(sa, s->now_ms) != IKE_OK) {
		if (sa->rekey)
			abandon(sa);
		engine_news(sa, NEWS_CHILD_KEPT);
		return IKE_E_STATE;
	}
	sa->expire_ms = s->now_ms + EXCHANGE_MS;
	return IKE_OK;
}

/* Still the one that we wanted to replace, and nobody else has. */
static bool is_still_wanted(const struct ike_sa *sa)
{
	return sa->child && sa->child->spi_out == sa->rekey->old_spi_out && !child_heir(sa->child);
}

QUESTION(rekey_group_is_ours)
{
	struct offer offer;

	make_offer(sa, &offer);
	return is_still_wanted(sa) && rekey_group_wanted(sa, s, &offer) != 0;
}

HANDLER(rekey_child_with_group)
{
	struct offer offer;
	enum ike_err err;

	make_offer(sa, &offer);
	err = rekey_take_group(sa, s, &offer);
	return err == IKE_OK ? send_request(sa, s->now_ms) : err;
}

/* The answer ----------------------------------------------------------------------------------- */

/* Suite, SPI and what the keys are made of. */
static enum ike_err read_answer(struct ike_sa *sa, const struct stimulus *s, struct esp_choice *choice, struct dh_shared *shared,
				struct span *nr)
{
	struct child *fresh = sa->rekey->fresh;
	const struct ts_ends ends = child_ends(sa);
	struct offer offer;
	enum ike_err err;

	make_offer(sa, &offer);
	shared->n = 0;
	err = offer_check_esp(&offer, msg_find(s->chain, PL_SA)->body, choice);
	if (err == IKE_OK)
		err = pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, nr);
	if (err == IKE_OK)
		err = ts_check_answer(msg_find(s->chain, PL_TSI)->body, msg_find(s->chain, PL_TSR)->body, &ends);
	if (err == IKE_OK && !is_same_mode(sa, s))
		err = IKE_E_NO_PROPOSAL;
	if (err == IKE_OK)
		err = rekey_read_shared(sa, s, choice->group, shared);
	if (err == IKE_OK) {
		fresh->suite = choice->suite;
		fresh->spi_out = choice->peer_spi;
	}
	return err;
}

/* The peer has made a pair that we cannot use, and does not know it. */
static enum ike_err does_not_fit(struct ike_sa *sa, enum ike_err err, uint64_t now_ms)
{
	sa_blame(sa, REASON_PROTOCOL, "the answer to rekeying does not fit");
	return info_farewell(sa, 0, now_ms) == IKE_OK ? IKE_E_SYNTAX : err;
}

/* All keys are there, if err says so. */
static enum ike_err install(struct ike_sa *sa, const struct stimulus *s, enum ike_err err, bool stays)
{
	window_request_over(&sa->window, true);
	sa->expire_ms = NEVER_MS;
	if (err != IKE_OK)
		return does_not_fit(sa, err, s->now_ms);
	sa->asked = sa->rekey->fresh;
	child_add(sa->asked, true, stays);
	return IKE_OK;
}

HANDLER(rekey_child_answered)
{
	struct rekey *rk = sa->rekey;
	struct dh_shared shared = { .n = 0 };
	struct esp_choice choice;
	struct span nr;
	enum ike_err err = read_answer(sa, s, &choice, &shared, &nr);

	if (err == IKE_OK && choice.addke1)
		err = IKE_E_SYNTAX;         /* it says nothing of how to go on */
	if (err == IKE_OK)
		err = child_derive(rk->fresh, shared.n > 0 ? &shared : NULL, span_of(rk->nonce, NONCE_LEN), nr, NULL, true);
	dh_shared_clear(&shared);
	return install(sa, s, err, err != IKE_OK || !rk->rival || rekey_ours_stays(rk, nr));
}

/* One more key exchange, RFC 9370 2.2.4. */
HANDLER(rekey_child_with_more)
{
	struct dh_shared shared = { .n = 0 };
	struct esp_choice choice;
	struct span nr;
	enum ike_err err = read_answer(sa, s, &choice, &shared, &nr);

	window_request_over(&sa->window, true);
	/* The peer does not go on with its own, and nothing is made of that. */
	if (sa->due && sa->due->fresh == sa->rekey->rival)
		followup_drop(sa);
	if (err == IKE_OK)
		err = followup_send(sa, s, choice.addke1, &shared, nr);
	dh_shared_clear(&shared);
	if (err != IKE_OK)
		return does_not_fit(sa, err, s->now_ms);
	sa->expire_ms = s->now_ms + EXCHANGE_MS;
	return IKE_OK;
}

HANDLER(rekey_child_has_more)
{
	struct rekey *rk = sa->rekey;
	struct secret more = { 0 };
	enum ike_err err = followup_take(sa, s, &more);

	if (err == IKE_OK)
		err = child_derive(rk->fresh, &rk->shared, span_of(rk->nonce, NONCE_LEN), followup_nonce(rk), &more, true);
	secret_clear(&more);
	return install(sa, s, err, true);
}

/* The peer's stays, which is there or will be: nothing is made of ours (RFC 9370 2.2.4). */
HANDLER(rekey_child_left)
{
	(void)s;
	window_request_over(&sa->window, true);
	abandon(sa);
	return IKE_OK;
}

HANDLER(rekey_child_installed)
{
	struct rekey *rk = sa->rekey;
	struct child *fresh = rk->fresh, *old = child_by_spi_out(sa, rk->old_spi_out), *rival = rk->rival;
	bool stays = fresh->has_out;

	fresh->replaces = 0;
	if (s->result != IKE_OK || !stays) {
		if (s->result != IKE_OK) {
			fresh->has_in = fresh->has_out = false;
			engine_news(sa, NEWS_CHILD_KEPT);
		}
		fresh->phase = CHILD_DOOMED;
		end_rekey(sa);
		return IKE_OK;
	}
	if (old)
		old->phase = CHILD_DOOMED;
	/* The peer deletes its own one, which has lost. */
	if (rival) {
		rival->replaces = 0;
		rival->due_ms = s->now_ms + REPLACED_MS;
	}
	end_rekey(sa);
	child_take_over(fresh);
	return IKE_OK;
}

QUESTION(may_try_again)
{
	(void)s;
	return sa->rekey_tries < REKEY_TRIES_MAX && is_still_wanted(sa);
}

/* RFC 7296 2.25: not now, but soon. */
HANDLER(rekey_child_later)
{
	window_request_over(&sa->window, true);
	abandon(sa);
	sa->rekey_child_asked = true;
	sa->rekey_at_ms = rekey_again_ms(sa, s->now_ms);
	return IKE_OK;
}

QUESTION(rekey_child_is_wanted)
{
	(void)s;
	return is_still_wanted(sa);
}

/* RFC 7296 2.25.1: what we send in it reaches nobody. The IKE SA has no other one, and goes as well. */
HANDLER(rekey_child_not_found)
{
	window_request_over(&sa->window, true);
	abandon(sa);
	sa_blame(sa, REASON_PEER_REFUSED, "the peer has lost the CHILD SA");
	return info_farewell(sa, 0, s->now_ms);
}

/* It stays as it is, unless the peer has made a new pair meanwhile. */
HANDLER(rekey_child_refused)
{
	(void)s;
	window_request_over(&sa->window, true);
	if (is_still_wanted(sa))
		engine_news(sa, NEWS_CHILD_KEPT);
	abandon(sa);
	return IKE_OK;
}

/* The peer asks -------------------------------------------------------------------------------- */

/* While the kernel works for us everything else waits: the peer repeats what it says. */
QUESTION(kernel_is_asked)
{
	(void)s;
	return sa->asked != NULL;
}

QUESTION(peer_made_it)
{
	(void)s;
	return sa->asked && sa->asked->peer_made;
}

/* What the request asks for. */
struct wish {
	struct esp_choice esp;
	struct ts_pair ts;
	struct pl_ke ke;                /* group 0: none */
	struct span ni;
	uint8_t nr[NONCE_LEN];
	struct dh *dh;
	struct dh_shared shared;
};

/* 0, or the notify with which it is refused. */
static uint16_t judge(const struct ike_sa *sa, const struct stimulus *s, struct wish *w)
{
	const struct msg_payload *ke = msg_find(s->chain, PL_KE);
	const struct ts_ends ends = child_ends(sa);
	enum ike_err err;

	if (pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, &w->ni) != IKE_OK ||
	    (ke && pl_ke_read(ke->body, &w->ke) != IKE_OK))
		return N_INVALID_SYNTAX;
	if (!is_same_mode(sa, s))
		return N_NO_PROPOSAL_CHOSEN;
	err = (sa->ike->config.kem ? choose_esp_hybrid : choose_esp_anew)(msg_find(s->chain, PL_SA)->body, w->ke.group, &w->esp);
	if (err != IKE_OK)
		return err == IKE_E_SYNTAX ? N_INVALID_SYNTAX : N_NO_PROPOSAL_CHOSEN;
	if (w->esp.group && w->esp.group != w->ke.group)
		return N_INVALID_KE_PAYLOAD;
	err = ts_narrow(msg_find(s->chain, PL_TSI)->body, msg_find(s->chain, PL_TSR)->body, &ends, &w->ts);
	if (err != IKE_OK)
		return err == IKE_E_SYNTAX ? N_INVALID_SYNTAX : N_TS_UNACCEPTABLE;
	return 0;
}

static struct msg_wr answer(struct ike_sa *sa, struct wish *w, const struct child *fresh)
{
	struct msg_wr m = engine_inner(sa->ike);

	write_mode(sa, &m);
	choice_set_esp_spi(&w->esp, fresh->spi_in);
	pl_sa_write(&m, &w->esp.answer, 1);
	pl_nonce_write(&m, span_of(w->nr, NONCE_LEN));
	if (w->dh)
		pl_ke_write(&m, w->esp.group, dh_public(w->dh));
	pl_ts_write(&m, PL_TSI, &w->ts.i, 1);
	pl_ts_write(&m, PL_TSR, &w->ts.r, 1);
	return m;
}

/* The answer goes when the kernel has it in. */
static enum ike_err make(struct ike_sa *sa, const struct stimulus *s, struct wish *w, struct child *fresh)
{
	enum ike_err err;
	struct msg_wr m;

	err = child_derive(fresh, w->dh ? &w->shared : NULL, w->ni, span_of(w->nr, NONCE_LEN), NULL, false);
	if (err != IKE_OK)
		return err;
	m = answer(sa, w, fresh);
	err = engine_hold_reply(sa, s, &m);
	if (err != IKE_OK)
		return err;
	sa->asked = fresh;
	child_add(fresh, true, child_is_elsewhere(sa));
	return IKE_OK;
}

/* The answer goes at once, since nothing is made before the additional key exchange. */
static enum ike_err promise(struct ike_sa *sa, const struct stimulus *s, struct wish *w, struct child *fresh)
{
	struct followup *due = followup_expect(sa, &w->shared, w->ni, span_of(w->nr, NONCE_LEN), s->now_ms);
	struct msg_wr m;

	if (!due)
		return IKE_E_NOMEM;
	m = answer(sa, w, fresh);
	followup_write_link(&m, due);
	due->fresh = fresh;
	return engine_reply(sa, EXCH_CREATE_CHILD_SA, s->hdr->message_id, s->path, &m, s->now_ms);
}

static enum ike_err begin_for_peer(struct ike_sa *sa, const struct stimulus *s, struct wish *w, struct child *fresh)
{
	enum ike_err err = IKE_OK;

	rng_fill(sa->ike->rng, w->nr, NONCE_LEN);
	if (w->esp.group)
		err = dh_new(w->esp.group, sa->ike->rng, &w->dh);
	if (err == IKE_OK && w->dh)
		err = dh_agree(w->dh, w->ke.public_value, &w->shared);
	fresh->peer_made = true;
	fresh->suite = w->esp.suite;
	fresh->spi_out = w->esp.peer_spi;
	if (err != IKE_OK)
		return err;
	return w->esp.addke1 ? promise(sa, s, w, fresh) : make(sa, s, w, fresh);
}

/* Both of us rekey the same pair: which one stays is known when our answer comes. */
static void remember_rival(struct ike_sa *sa, struct child *fresh, const struct wish *w)
{
	struct rekey *rk = sa->rekey;

	if (!rk || rk->old_spi_out != fresh->replaces)
		return;
	rk->rival = fresh;
	rekey_remember_rival(rk, w->ni, span_of(w->nr, NONCE_LEN));
}

static enum ike_err refuse(struct ike_sa *sa, const struct stimulus *s, uint16_t notify, uint16_t group)
{
	uint8_t value[2];
	struct wr w = wr_over(value, sizeof value);

	if (notify == N_INVALID_KE_PAYLOAD)
		wr_u16(&w, group);
	return rekey_refuse(sa, s, notify, wr_span(&w));
}

HANDLER(rekey_child_requested)
{
	struct wish w = { .dh = NULL };
	uint16_t refusal = judge(sa, s, &w);
	struct pl_notify rekey;
	struct child *fresh;
	enum ike_err err;
	struct rd r;

	if (refusal)
		return refuse(sa, s, refusal, w.esp.group);
	fresh = child_new(sa);
	if (!fresh || !pl_notify_find(s->chain, N_REKEY_SA, &rekey))
		return refuse(sa, s, N_TEMPORARY_FAILURE, 0);
	r = rd_over(rekey.spi);
	fresh->replaces = rd_u32(&r);
	err = begin_for_peer(sa, s, &w, fresh);
	if (err == IKE_OK) {
		remember_rival(sa, fresh, &w);
	} else {
		child_drop(fresh);
		err = refuse(sa, s, err == IKE_E_SYNTAX ? N_INVALID_SYNTAX : N_TEMPORARY_FAILURE, 0);
	}
	dh_free(w.dh);
	dh_shared_clear(&w.shared);
	return err;
}

/* The peer hears nothing before its packets can be answered. */
HANDLER(rekey_child_reply)
{
	struct child *fresh = sa->asked;
	struct msg_wr m;

	sa->asked = NULL;
	if (s->result == IKE_OK) {
		sa->fetch_ms = NEVER_MS;
		fresh->phase = CHILD_HALF;
		fresh->due_ms = s->now_ms + SWITCH_MS;
		engine_release_reply(sa, s->now_ms);
		return IKE_OK;
	}
	fresh->has_in = false;
	child_drop(fresh);
	m = engine_inner(sa->ike);
	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_TEMPORARY_FAILURE, span_of(NULL, 0));
	return engine_reply(sa, sa->held_exchange, sa->held_id, &sa->held->path, &m, s->now_ms);
}

QUESTION(rekey_child_wants_more)
{
	const struct child *fresh = sa->due ? sa->due->fresh : NULL, *old = fresh ? child_by_spi_out(sa, fresh->replaces) : NULL;

	return followup_is_for_child(sa, s) && old && old->phase == CHILD_LIVE && !child_heir(old);
}

/* The additional key exchange of the peer's: as a request for a new CHILD SA from here. */
HANDLER(rekey_child_got_more)
{
	struct followup *due = sa->due;
	struct child *fresh = due->fresh;
	uint8_t ciphertext[KEM_CIPHERTEXT_LEN];
	struct secret more = { 0 };
	struct msg_wr m;
	enum ike_err err = followup_receive(sa, s, ciphertext, &more);

	if (err == IKE_OK)
		err = child_derive(fresh, &due->shared, span_of(due->ni, due->ni_len), span_of(due->nr, NONCE_LEN), &more, false);
	secret_clear(&more);
	if (err == IKE_OK) {
		m = engine_inner(sa->ike);
		pl_ke_write(&m, GROUP_MLKEM_768, span_of(ciphertext, sizeof ciphertext));
		err = engine_hold_reply(sa, s, &m);
	}
	if (err != IKE_OK) {
		followup_drop(sa);
		return refuse(sa, s, err == IKE_E_SYNTAX ? N_INVALID_SYNTAX : N_TEMPORARY_FAILURE, 0);
	}
	due->fresh = NULL;
	followup_drop(sa);
	sa->asked = fresh;
	child_add(fresh, true, child_is_elsewhere(sa));
	return IKE_OK;
}
