/* CHILD SAs come one at a time (RFC 7296 1.3): one beside the one that there is, is refused. And how they go: the Delete of
 * a CHILD SA (1.4.1), both roles. */
#include "ike/child.h"
#include "ike/engine.h"
#include "ike/x.h"

/* Refusals ------------------------------------------------------------------------------------- */

static struct child *child_to_rekey(const struct ike_sa *sa, const struct stimulus *s)
{
	struct pl_notify rekey;
	struct rd r;
	uint32_t spi;

	if (!pl_notify_find(s->chain, N_REKEY_SA, &rekey))
		return NULL;
	r = rd_over(rekey.spi);
	spi = rd_u32(&r);
	return rd_done(&r) ? child_by_spi_out(sa, spi) : NULL;
}

QUESTION(rekeys_no_child)
{
	return !child_to_rekey(sa, s);
}

/* RFC 7296 2.25: rekeying of an SA that does not exist. */
HANDLER(child_not_found)
{
	struct msg_wr m = engine_inner(sa->ike);
	struct pl_notify rekey;

	if (!pl_notify_find(s->chain, N_REKEY_SA, &rekey))
		return IKE_E_STATE;
	pl_notify_write(&m, rekey.protocol, rekey.spi, N_CHILD_SA_NOT_FOUND, span_of(NULL, 0));
	return engine_reply(sa, EXCH_CREATE_CHILD_SA, s->hdr->message_id, s->path, &m, s->now_ms);
}

/* RFC 7296 2.25.1: one that we are deleting, or that the peer has replaced already. */
QUESTION(rekeys_leaving_child)
{
	const struct child *c = child_to_rekey(sa, s);

	return c && (c->phase == CHILD_DOOMED || c->phase == CHILD_TOLD || child_heir(c) || child_count(sa) >= CHILDREN_MAX);
}

HANDLER(child_refuse)
{
	return engine_reply_notify(sa, s, N_NO_ADDITIONAL_SAS, span_of(NULL, 0));
}

/* RFC 7296 2.25.1, 2.25.2. */
HANDLER(child_refuse_now)
{
	return engine_reply_notify(sa, s, N_TEMPORARY_FAILURE, span_of(NULL, 0));
}

/* The peer deletes ----------------------------------------------------------------------------- */

/* The SPIs in a Delete are those of the sender's inbound SAs: ours to send on (RFC 7296 1.4.1). */
static bool is_named(const struct child *c, const struct msg_chain *chain)
{
	struct pl_delete del;
	struct rd r;
	unsigned i;

	for (i = 0; i < chain->n; i++) {
		if (chain->payload[i].type != PL_DELETE || pl_delete_read(chain->payload[i].body, &del) != IKE_OK ||
		    del.protocol != PROTO_ESP)
			continue;
		r = rd_over(del.spis);
		while (rd_left(&r) >= 4) {
			if (rd_u32(&r) == c->spi_out)
				return true;
		}
	}
	return false;
}

static bool is_known(const struct child *c)
{
	return c->phase != CHILD_NEW && c->phase != CHILD_FADING;
}

QUESTION(deletes_child)
{
	const struct child *c;

	for (c = sa->children; c; c = c->next) {
		if (is_known(c) && is_named(c, s->chain))
			return true;
	}
	return false;
}

/* And no other one is left to send with. */
QUESTION(deletes_last_child)
{
	const struct child *c;

	for (c = sa->children; c; c = c->next) {
		if ((c->phase == CHILD_HALF || c->phase == CHILD_LIVE) && !is_named(c, s->chain))
			return false;
	}
	return deletes_child(sa, s);
}

/* The one that we send with goes. The peer has its half in of what it has made itself; of what both have made, too. */
static void send_with_another(struct child *gone)
{
	struct child *c = child_heir(gone);

	if (!c)
		c = child_in_phase(gone->sa, CHILD_LIVE);
	if (!c)
		c = child_in_phase(gone->sa, CHILD_HALF);
	if (!c)
		return;
	if (!c->has_out)
		child_add(c, false, true);
	child_take_over(c);
}

static void fade(struct child *c, uint64_t now_ms)
{
	bool sent_with = c->sa->child == c;

	c->phase = CHILD_FADING;
	c->due_ms = now_ms + FADE_MS;
	if (sent_with)
		send_with_another(c);
	child_drop_out(c);
}

/* The answer names the other direction, but of those that we are deleting ourselves at this moment (RFC 7296 1.4.1). Before
 * it goes we send with another SA: with the answer in hand the peer receives on the old one no longer. */
HANDLER(child_deleted)
{
	struct msg_wr m = engine_inner(sa->ike);
	uint32_t spis[CHILDREN_MAX + 2];
	struct child *c;
	unsigned n = 0;
	enum ike_err err;

	if (sa->child && is_named(sa->child, s->chain))
		send_with_another(sa->child);
	for (c = sa->children; c; c = c->next) {
		if (is_known(c) && is_named(c, s->chain) && c->phase != CHILD_TOLD && n < sizeof spis / sizeof *spis)
			spis[n++] = c->spi_in;
	}
	if (n > 0)
		pl_delete_write(&m, PROTO_ESP, spis, n);
	err = engine_reply(sa, EXCH_INFORMATIONAL, s->hdr->message_id, s->path, &m, s->now_ms);
	if (err != IKE_OK)
		return err;
	for (c = sa->children; c; c = c->next) {
		if (is_known(c) && is_named(c, s->chain))
			fade(c, s->now_ms);
	}
	return IKE_OK;
}

/* The IKE SA goes as well, since it has no other CHILD SA. */
HANDLER(child_last_deleted)
{
	enum ike_err err = child_deleted(sa, s);

	if (err != IKE_OK)
		return err;
	sa_blame(sa, REASON_PEER_REFUSED, "CHILD SA deleted by the peer");
	if (sa->window.request) {
		sa->close_asked = true;
		return IKE_OK;
	}
	return info_farewell(sa, 0, s->now_ms);
}

/* We delete ------------------------------------------------------------------------------------ */

HANDLER(child_retire)
{
	struct child *c = child_in_phase(sa, CHILD_DOOMED);
	struct msg_wr m = engine_inner(sa->ike);
	enum ike_err err;

	pl_delete_write(&m, PROTO_ESP, &c->spi_in, 1);
	err = engine_request(sa, EXCH_INFORMATIONAL, &m, s->now_ms);
	if (err != IKE_OK)
		return err;
	c->phase = CHILD_TOLD;
	sa->expire_ms = s->now_ms + EXCHANGE_MS;
	return IKE_OK;
}

HANDLER(child_retired)
{
	struct child *c = child_in_phase(sa, CHILD_TOLD);

	window_request_over(&sa->window, true);
	sa->expire_ms = NEVER_MS;
	if (c)
		fade(c, s->now_ms);
	return IKE_OK;
}
