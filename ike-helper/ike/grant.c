#include "ike/grant.h"

#include "ike/engine.h"

/* What the peer gets. */
struct grant {
	struct esp_choice esp;
	struct ts_pair ts;
	bool tunnel;                /* tunnel mode */
	struct pool *pool;          /* from which it is assigned an address; NULL: from none */
	struct ip_addr wish;
};

/* wish: the one that it had before, perhaps. */
static bool asks_for_address(const struct msg_chain *chain, enum ip_family family, struct ip_addr *wish)
{
	const struct msg_payload *payload = msg_find(chain, PL_CP);
	const struct pl_cp_addresses *asked;
	struct pl_cp cp;

	if (!payload || pl_cp_read(payload->body, &cp) != IKE_OK || cp.type != CFG_REQUEST)
		return false;
	asked = family == IP_V4 ? &cp.v4 : &cp.v6;
	*wish = asked->first;
	return asked->n > 0;
}

/* RFC 7296 1.2: IKE_AUTH has no key exchange of its own. */
static uint16_t group_of(const struct stimulus *s)
{
	const struct msg_payload *payload = s->hdr->exchange == EXCH_CREATE_CHILD_SA ? msg_find(s->chain, PL_KE) : NULL;
	struct pl_ke ke;

	return payload && pl_ke_read(payload->body, &ke) == IKE_OK ? ke.group : 0;
}

static uint16_t judge(const struct ike_sa *sa, const struct stimulus *s, struct grant *out)
{
	enum ip_family family = (enum ip_family)s->path->remote.addr.family;
	struct pool *pool = engine_pool(sa->ike, family);
	struct ts_ends ends = {
		.peer = s->path->remote.addr,
		.us = s->path->local.addr,
		.peer_behind_nat = sa->nat.remote_behind_nat,
		.us_behind_nat = sa->nat.local_behind_nat,
	};
	struct pl_notify notify;
	bool has_to_ask;

	out->wish.family = IP_NONE;
	out->pool = pool->n > 0 && asks_for_address(s->chain, family, &out->wish) ? pool : NULL;
	out->tunnel = out->pool || !pl_notify_find(s->chain, N_USE_TRANSPORT_MODE, &notify);
	/* In transport mode its packets would have the address of the NAT, and whoever else is behind that, with or without IPsec, could
	 * not talk to us any more. */
	has_to_ask = pool->n > 0 && !out->pool && ends.peer_behind_nat && !ends.us_behind_nat;
	if (has_to_ask)
		ends.peer_behind_nat = false;
	/* The packets inside carry the addresses of the selectors, which no NAT translates: they must be ours, and the peer's
	 * as we know it. Any address of the pool stands for the one that it will get. */
	if (out->tunnel)
		ends.peer_behind_nat = ends.us_behind_nat = false;
	if (out->pool)
		ends.peer = pool->first;
	if (choose_esp_anew(msg_find(s->chain, PL_SA)->body, group_of(s), &out->esp) != IKE_OK)
		return N_NO_PROPOSAL_CHOSEN;
	if (ts_narrow(msg_find(s->chain, PL_TSI)->body, msg_find(s->chain, PL_TSR)->body, &ends, &out->ts) != IKE_OK)
		return has_to_ask ? N_FAILED_CP_REQUIRED : N_TS_UNACCEPTABLE;
	return 0;
}

uint16_t grant_judge(const struct ike_sa *sa, const struct stimulus *s, struct esp_choice *esp)
{
	struct grant grant;
	uint16_t refusal = judge(sa, s, &grant);

	*esp = grant.esp;
	return refusal;
}

void grant_take(struct ike_sa *sa, const struct stimulus *s)
{
	struct handshake *hs = sa->hs;
	struct pl_notify notify;
	struct grant grant;

	hs->child_refused = judge(sa, s, &grant);
	if (hs->child_refused)
		return;
	hs->esp = grant.esp;
	hs->ts = grant.ts;
	if (grant.tunnel) {
		sa->inner_local = sa->path.local.addr;
		sa->inner_remote = sa->path.remote.addr;
	}
	if (grant.pool) {
		sa->assigned = pool_take(grant.pool, &grant.wish, &sa->inner_remote);
		sa->mobike = sa->assigned && pl_notify_find(s->chain, N_MOBIKE_SUPPORTED, &notify);
		if (!sa->assigned)
			hs->child_refused = N_INTERNAL_ADDRESS_FAILURE;
		else
			hs->ts.i = ts_host(&sa->inner_remote);
	} else if (sa->nat.remote_behind_nat && !ip_equal(&hs->ts.i.first, &sa->path.remote.addr)) {
		sa->behind = hs->ts.i.first;
	}
}

void grant_write_sa(struct ike_sa *sa, struct msg_wr *m)
{
	const struct span none = span_of(NULL, 0);

	if (sa->inner_local.family == IP_NONE)
		pl_notify_write(m, PROTO_NONE, none, N_USE_TRANSPORT_MODE, none);
	else if (!ip_equal(&sa->inner_remote, &sa->path.remote.addr))
		pl_cp_write(m, CFG_REPLY, (enum ip_family)sa->inner_remote.family, &sa->inner_remote);
	if (sa->mobike)
		pl_notify_write(m, PROTO_NONE, none, N_MOBIKE_SUPPORTED, none);
	choice_set_esp_spi(&sa->hs->esp, sa->spi_in);
	pl_sa_write(m, &sa->hs->esp.answer, 1);
}

void grant_write_ts(const struct ike_sa *sa, struct msg_wr *m)
{
	pl_ts_write(m, PL_TSI, &sa->hs->ts.i, 1);
	pl_ts_write(m, PL_TSR, &sa->hs->ts.r, 1);
}
