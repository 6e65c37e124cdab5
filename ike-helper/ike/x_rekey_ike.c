/* Rekeying of the IKE SA (RFC 7296 1.3.2, 2.8.2, 2.18, 2.25.2), both roles.
 *
 * The new IKE SA is another struct ike_sa, which is empty until it inherits the CHILD SAs and the handle. The old one is empty from
 * then on. Who has asked for the new one deletes the old one.
 */
#include <string.h>

#include "ike/engine.h"
#include "ike/followup.h"
#include "ike/qcd.h"
#include "ike/rekey.h"
#include "ike/x.h"

/* We ask --------------------------------------------------------------------------------------- */

static void make_offer(const struct ike_sa *sa, const struct ike_sa *fresh, struct offer *out)
{
	offer_ike(out, sa->rekey->group, span_of(fresh->spi_i, IKE_SPI_LEN));
	if (sa->suite.addke1)
		offer_hybrid(out);
}

static enum ike_err send_request(struct ike_sa *sa, uint64_t now_ms)
{
	struct msg_wr m = engine_inner(sa->ike);
	struct offer offer;

	make_offer(sa, sa->rekey->fresh_ike, &offer);
	offer_write(&m, &offer);
	pl_nonce_write(&m, span_of(sa->rekey->nonce, NONCE_LEN));
	pl_ke_write(&m, sa->rekey->group, dh_public(sa->rekey->dh));
	return engine_request(sa, EXCH_CREATE_CHILD_SA, &m, now_ms);
}

/* The peer does not know of what we have begun. */
static void abandon(struct ike_sa *sa)
{
	struct ike_sa *fresh = sa->rekey->fresh_ike;

	sa_end_rekey(sa);
	sa->expire_ms = NEVER_MS;
	if (fresh)
		engine_forget(fresh);
}

HANDLER(rekey_ike_ask)
{
	enum ike_err err = rekey_begin(sa, sa->suite.group);

	if (err == IKE_OK) {
		err = engine_add_successor(sa, true, &sa->rekey->fresh_ike);
		if (err == IKE_OK)
			err = send_request(sa, s->now_ms);
		if (err != IKE_OK)
			abandon(sa);
	}
	if (err != IKE_OK) {
		engine_news(sa, NEWS_IKE_KEPT);
		return IKE_E_STATE;
	}
	sa->expire_ms = s->now_ms + EXCHANGE_MS;
	return IKE_OK;
}

QUESTION(rekey_ike_group_is_ours)
{
	struct offer offer;

	make_offer(sa, sa->rekey->fresh_ike, &offer);
	return rekey_group_wanted(sa, s, &offer) != 0;
}

HANDLER(rekey_ike_with_group)
{
	struct offer offer;
	enum ike_err err;

	make_offer(sa, sa->rekey->fresh_ike, &offer);
	err = rekey_take_group(sa, s, &offer);
	return err == IKE_OK ? send_request(sa, s->now_ms) : err;
}

/* What the peer has made meanwhile; NULL = nothing, or it has gone again. */
static struct ike_sa *heir(const struct ike_sa *sa)
{
	struct ike_sa *fresh = sa->rekey && sa->rekey->rival_ike ? engine_by_handle(sa->ike, sa->rekey->rival_ike) : NULL;

	return fresh && fresh->state == ST_EMPTY ? fresh : NULL;
}

QUESTION(rekey_ike_has_heir)
{
	(void)s;
	return heir(sa) != NULL;
}

/* Both have made one (RFC 7296 2.8.2). */
QUESTION(rekey_ike_is_lost)
{
	struct span nr;

	return heir(sa) && pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, &nr) == IKE_OK && !rekey_ours_stays(sa->rekey, nr);
}

/* Both SPIs and the suite of the new one are known. */
static enum ike_err derive(const struct ike_sa *sa, struct ike_sa *fresh, const struct dh_shared *shared, struct span ni,
			   struct span nr, const struct secret *more)
{
	enum ike_err err = ike_keys_rekey(sa->suite.prf, &sa->keys.d, &fresh->suite, shared, ni, nr, more,
					  span_of(fresh->spi_i, IKE_SPI_LEN), span_of(fresh->spi_r, IKE_SPI_LEN), &fresh->keys);

	/* Nobody signs with these. */
	secret_clear(&fresh->keys.pi);
	secret_clear(&fresh->keys.pr);
	return err;
}

/* The suite, the SPI and what the keys are made of. */
static enum ike_err read_answer(struct ike_sa *sa, const struct stimulus *s, struct dh_shared *shared, struct span *nr)
{
	struct ike_sa *fresh = sa->rekey->fresh_ike;
	struct ike_choice choice;
	struct offer offer;
	struct pl_ke ke;
	enum ike_err err;

	make_offer(sa, fresh, &offer);
	err = offer_check_ike(&offer, msg_find(s->chain, PL_SA)->body, true, &choice);
	if (err == IKE_OK)
		err = pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, nr);
	if (err == IKE_OK)
		err = pl_ke_read(msg_find(s->chain, PL_KE)->body, &ke);
	if (err == IKE_OK && (ke.group != sa->rekey->group || choice.suite.group != ke.group))
		err = IKE_E_NO_PROPOSAL;
	if (err == IKE_OK)
		err = dh_agree(sa->rekey->dh, ke.public_value, shared);
	if (err == IKE_OK) {
		fresh->suite = choice.suite;
		memcpy(fresh->spi_r, choice.peer_spi, IKE_SPI_LEN);
	}
	return err;
}

static enum ike_err take_answer(struct ike_sa *sa, const struct stimulus *s)
{
	struct ike_sa *fresh = sa->rekey->fresh_ike;
	struct dh_shared shared = { .n = 0 };
	struct span nr;
	enum ike_err err = read_answer(sa, s, &shared, &nr);

	if (err == IKE_OK && fresh->suite.addke1)
		err = IKE_E_SYNTAX;         /* it says nothing of how to go on */
	if (err == IKE_OK)
		err = derive(sa, fresh, &shared, span_of(sa->rekey->nonce, NONCE_LEN), nr, NULL);
	dh_shared_clear(&shared);
	return err;
}

/* The peer has made an IKE SA that we cannot use, and does not know it. */
static enum ike_err does_not_fit(struct ike_sa *sa, enum ike_err err, uint64_t now_ms)
{
	sa_blame(sa, REASON_PROTOCOL, "the answer to rekeying does not fit");
	return info_farewell(sa, 0, now_ms) == IKE_OK ? IKE_E_SYNTAX : err;
}

/* fresh takes over from sa. Whatever else was made for that has gone, or will. */
static void inherit(struct ike_sa *sa, struct ike_sa *fresh, uint64_t now_ms)
{
	sa_end_rekey(sa);
	followup_drop(sa);
	sa->expire_ms = now_ms + REPLACED_MS;
	engine_inherit(sa, fresh);
	engine_news(fresh, NEWS_IKE_REKEYED);
	engine_move(fresh, ST_UP, now_ms);
	fresh->expire_ms = NEVER_MS;
	engine_settle(fresh, now_ms);
}

/* All keys are there, if err says so. */
static enum ike_err go_over(struct ike_sa *sa, const struct stimulus *s, enum ike_err err)
{
	struct ike_sa *fresh = sa->rekey->fresh_ike;

	window_request_over(&sa->window, true);
	if (err != IKE_OK)
		return does_not_fit(sa, err, s->now_ms);
	sa->rekey->fresh_ike = NULL;
	qcd_take(fresh, s->chain);
	fresh->owes_token = sa->ike->config.qcd_secret.n > 0 && (sa->peer_knows_qcd || fresh->peer_knows_qcd);
	inherit(sa, fresh, s->now_ms);
	if (info_farewell(sa, 0, s->now_ms) != IKE_OK)
		log_debug(sa->ike->log, "ike: could not delete an old IKE SA");
	return IKE_OK;
}

HANDLER(rekey_ike_answered)
{
	return go_over(sa, s, take_answer(sa, s));
}

/* Not all: one more key exchange (RFC 9370 2.2.4). What the answer says besides holds for the new one. */
HANDLER(rekey_ike_with_more)
{
	struct dh_shared shared = { .n = 0 };
	struct span nr;
	enum ike_err err = read_answer(sa, s, &shared, &nr);

	window_request_over(&sa->window, true);
	if (err == IKE_OK) {
		qcd_take(sa->rekey->fresh_ike, s->chain);
		err = followup_send(sa, s, sa->rekey->fresh_ike->suite.addke1, &shared, nr);
	}
	dh_shared_clear(&shared);
	if (err != IKE_OK)
		return does_not_fit(sa, err, s->now_ms);
	sa->expire_ms = s->now_ms + EXCHANGE_MS;
	return IKE_OK;
}

HANDLER(rekey_ike_has_more)
{
	struct rekey *rk = sa->rekey;
	struct secret more = { 0 };
	enum ike_err err = followup_take(sa, s, &more);

	if (err == IKE_OK)
		err = derive(sa, rk->fresh_ike, &rk->shared, span_of(rk->nonce, NONCE_LEN), followup_nonce(rk), &more);
	secret_clear(&more);
	return go_over(sa, s, err);
}

/* The peer goes on with its own, and ours has come to nothing (RFC 9370 2.2.4). */
HANDLER(rekey_ike_left)
{
	(void)s;
	window_request_over(&sa->window, true);
	abandon(sa);
	return IKE_OK;
}

/* The peer's stays. Ours is deleted by us, the old one by the peer. */
HANDLER(rekey_ike_lost)
{
	struct ike_sa *fresh = sa->rekey->fresh_ike, *theirs = heir(sa);
	enum ike_err err = take_answer(sa, s);

	window_request_over(&sa->window, true);
	if (err != IKE_OK)
		return does_not_fit(sa, err, s->now_ms);
	sa->rekey->fresh_ike = NULL;
	inherit(sa, theirs, s->now_ms);
	if (info_farewell(fresh, 0, s->now_ms) != IKE_OK)
		log_debug(sa->ike->log, "ike: could not delete an IKE SA that lost");
	engine_move(fresh, ST_LEAVING, s->now_ms);
	engine_settle(fresh, s->now_ms);
	return IKE_OK;
}

/* Ours has come to nothing, or the old one has ended: theirs stays. */
HANDLER(rekey_ike_theirs)
{
	struct ike_sa *theirs = heir(sa), *fresh = sa->rekey->fresh_ike;

	if (s->on == ON_REPLY)
		window_request_over(&sa->window, true);
	inherit(sa, theirs, s->now_ms);
	engine_forget(fresh);
	return s->on == ON_REQUEST ? info_answer(sa, s) : IKE_OK;
}

QUESTION(rekey_ike_ends_with_heir)
{
	return rekey_ike_has_heir(sa, s) && deletes_ike(sa, s);
}

QUESTION(rekey_ike_may_try_again)
{
	(void)s;
	return sa->rekey_tries < REKEY_TRIES_MAX;
}

HANDLER(rekey_ike_later)
{
	window_request_over(&sa->window, true);
	abandon(sa);
	sa->rekey_ike_asked = true;
	sa->rekey_at_ms = rekey_again_ms(sa, s->now_ms);
	return IKE_OK;
}

HANDLER(rekey_ike_refused)
{
	(void)s;
	window_request_over(&sa->window, true);
	abandon(sa);
	engine_news(sa, NEWS_IKE_KEPT);
	return IKE_OK;
}

/* The peer asks -------------------------------------------------------------------------------- */

QUESTION(offers_ike)
{
	struct pl_sa_reader r = pl_sa_read(msg_find(s->chain, PL_SA)->body);
	struct pl_proposal p;

	(void)sa;
	return !msg_find(s->chain, PL_TSI) && pl_sa_next(&r, &p) == IKE_OK && p.protocol == PROTO_IKE;
}

/* 0, or the notify with which it is refused. */
static uint16_t judge(const struct ike_sa *sa, const struct stimulus *s, struct ike_choice *choice, struct pl_ke *ke, struct span *ni)
{
	enum ike_err err;

	if (pl_ke_read(msg_find(s->chain, PL_KE)->body, ke) != IKE_OK ||
	    pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, ni) != IKE_OK)
		return N_INVALID_SYNTAX;
	err = (sa->ike->config.kem ? choose_ike_hybrid : choose_ike)(msg_find(s->chain, PL_SA)->body, ke->group, true, choice);
	if (err != IKE_OK)
		return err == IKE_E_NO_PROPOSAL ? N_NO_PROPOSAL_CHOSEN : N_INVALID_SYNTAX;
	return choice->suite.group == ke->group ? 0 : N_INVALID_KE_PAYLOAD;
}

QUESTION(ike_offer_is_refused)
{
	struct ike_choice choice;
	struct pl_ke ke;
	struct span ni;

	return offers_ike(sa, s) && judge(sa, s, &choice, &ke, &ni) != 0;
}

QUESTION(rekey_ike_wants_more)
{
	struct ike_choice choice;
	struct pl_ke ke;
	struct span ni;

	return offers_ike(sa, s) && judge(sa, s, &choice, &ke, &ni) == 0 && choice.suite.addke1;
}

HANDLER(rekey_ike_refuse)
{
	struct ike_choice choice;
	uint8_t group[2];
	struct wr w = wr_over(group, sizeof group);
	struct pl_ke ke;
	struct span ni;
	uint16_t refusal = judge(sa, s, &choice, &ke, &ni);

	if (refusal == N_INVALID_KE_PAYLOAD)
		wr_u16(&w, choice.suite.group);
	return rekey_refuse(sa, s, refusal, wr_span(&w));
}

static enum ike_err answer(struct ike_sa *sa, const struct stimulus *s, struct ike_choice *choice, const struct ike_sa *fresh,
			   struct span nr, const struct dh *dh)
{
	struct msg_wr m = engine_inner(sa->ike);

	choice_set_ike_spi(choice, fresh->spi_r);
	pl_sa_write(&m, &choice->answer, 1);
	pl_nonce_write(&m, nr);
	pl_ke_write(&m, choice->suite.group, dh_public(dh));
	qcd_write(fresh, &m);
	if (choice->suite.addke1)
		followup_write_link(&m, sa->due);
	return engine_reply(sa, EXCH_CREATE_CHILD_SA, s->hdr->message_id, s->path, &m, s->now_ms);
}

/* fresh has what it needs, or what it needs is known but for the additional key exchange. */
static enum ike_err derive_or_wait(struct ike_sa *sa, struct ike_sa *fresh, const struct dh_shared *shared, struct span ni, struct span nr,
				   uint64_t now_ms)
{
	if (!fresh->suite.addke1)
		return derive(sa, fresh, shared, ni, nr, NULL);
	if (!followup_expect(sa, shared, ni, nr, now_ms))
		return IKE_E_NOMEM;
	sa->due->fresh_ike = fresh;
	fresh->expire_ms = NEVER_MS;
	return IKE_OK;
}

/* Make the new IKE SA, and say so. On failure there is none. */
static enum ike_err make(struct ike_sa *sa, const struct stimulus *s, struct ike_sa **out)
{
	struct dh_shared shared = { .n = 0 };
	struct ike_choice choice;
	uint8_t nr[NONCE_LEN];
	struct span ni;
	struct dh *dh = NULL;
	struct ike_sa *fresh;
	struct pl_ke ke;
	enum ike_err err;

	if (judge(sa, s, &choice, &ke, &ni) != 0)
		return IKE_E_SYNTAX;
	err = engine_add_successor(sa, false, &fresh);
	if (err != IKE_OK)
		return err;
	rng_fill(sa->ike->rng, nr, sizeof nr);
	err = dh_new(choice.suite.group, sa->ike->rng, &dh);
	if (err == IKE_OK)
		err = dh_agree(dh, ke.public_value, &shared);
	memcpy(fresh->spi_i, choice.peer_spi, IKE_SPI_LEN);
	fresh->suite = choice.suite;
	fresh->expire_ms = s->now_ms + REPLACED_MS;
	if (err == IKE_OK)
		err = derive_or_wait(sa, fresh, &shared, ni, span_of(nr, NONCE_LEN), s->now_ms);
	if (err == IKE_OK)
		err = answer(sa, s, &choice, fresh, span_of(nr, NONCE_LEN), dh);
	if (err == IKE_OK && sa->rekey)
		rekey_remember_rival(sa->rekey, ni, span_of(nr, NONCE_LEN));
	if (err != IKE_OK && sa->due && sa->due->fresh_ike == fresh)
		followup_drop(sa);
	else if (err != IKE_OK)
		engine_forget(fresh);
	dh_free(dh);
	dh_shared_clear(&shared);
	*out = fresh;
	return err;
}

/* A bad public value ends the exchange and says what is wrong; for want of memory the peer asks again. */
static enum ike_err cannot(struct ike_sa *sa, const struct stimulus *s, enum ike_err err)
{
	return err == IKE_E_SYNTAX ? rekey_refuse(sa, s, N_INVALID_SYNTAX, span_of(NULL, 0)) : IKE_E_STATE;
}

HANDLER(rekey_ike_requested)
{
	struct ike_sa *fresh;
	enum ike_err err = make(sa, s, &fresh);

	if (err != IKE_OK)
		return cannot(sa, s, err);
	inherit(sa, fresh, s->now_ms);
	return IKE_OK;
}

/* While ours is under way: which one stays is known when our answer comes. */
HANDLER(rekey_ike_requested_too)
{
	struct ike_sa *fresh;
	enum ike_err err = make(sa, s, &fresh);

	if (err != IKE_OK)
		return cannot(sa, s, err);
	sa->rekey->rival_ike = fresh->handle;
	engine_settle(fresh, s->now_ms);
	return IKE_OK;
}

/* Nothing changes before the additional key exchange (RFC 9370 2.2.4). */
HANDLER(rekey_ike_promised)
{
	struct ike_sa *fresh;
	enum ike_err err = make(sa, s, &fresh);

	return err == IKE_OK ? IKE_OK : cannot(sa, s, err);
}

/* It has come: the new IKE SA has keys now, and is sa->due's no more. NULL: it has not, *err says what to return. */
static struct ike_sa *got_more(struct ike_sa *sa, const struct stimulus *s, enum ike_err *err)
{
	struct followup *due = sa->due;
	struct ike_sa *fresh = due->fresh_ike;
	uint8_t ciphertext[KEM_CIPHERTEXT_LEN];
	struct secret more = { 0 };
	struct msg_wr m;

	*err = followup_receive(sa, s, ciphertext, &more);
	if (*err == IKE_OK)
		*err = derive(sa, fresh, &due->shared, span_of(due->ni, due->ni_len), span_of(due->nr, NONCE_LEN), &more);
	secret_clear(&more);
	if (*err == IKE_OK) {
		m = engine_inner(sa->ike);
		pl_ke_write(&m, fresh->suite.addke1, span_of(ciphertext, sizeof ciphertext));
		*err = engine_reply(sa, EXCH_IKE_FOLLOWUP_KE, s->hdr->message_id, s->path, &m, s->now_ms);
	}
	if (*err != IKE_OK) {
		*err = cannot(sa, s, *err);
		return NULL;
	}
	due->fresh_ike = NULL;
	followup_drop(sa);
	fresh->expire_ms = s->now_ms + REPLACED_MS;
	return fresh;
}

HANDLER(rekey_ike_got_more)
{
	enum ike_err err;
	struct ike_sa *fresh = got_more(sa, s, &err);

	if (fresh)
		inherit(sa, fresh, s->now_ms);
	return err;
}

/* While ours is under way, which the peer has not noticed, or will not go on with. */
HANDLER(rekey_ike_got_more_too)
{
	enum ike_err err;
	struct ike_sa *fresh = got_more(sa, s, &err);

	if (fresh) {
		sa->rekey->rival_ike = fresh->handle;
		engine_settle(fresh, s->now_ms);
	}
	return err;
}

/* The old one ---------------------------------------------------------------------------------- */

QUESTION(deletes_only_children)
{
	return !deletes_ike(sa, s);
}

/* The peer has had its time to delete it, or to give it the CHILD SAs. */
HANDLER(empty_is_deleted)
{
	return info_farewell(sa, 0, s->now_ms);
}
