#include "tunnel/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The verdict goes out a little before the resolver would give up by itself. */
enum { MARGIN_MS = 50 };

static uint64_t hash_request(uint64_t client, uint32_t id)
{
	return (client * 0x9e3779b97f4a7c15u) ^ ((uint64_t)id * 0xc2b2ae3d27d4eb4fu);
}

struct request *request_of_timer(struct timer *timer)
{
	return timer ? (struct request *)((char *)timer - offsetof(struct request, timer)) : NULL;
}

static struct request *of_link(struct table_link *link)
{
	return link ? (struct request *)((char *)link - offsetof(struct request, link)) : NULL;
}

static struct request *find(struct tunnels *t, uint64_t client, uint32_t id)
{
	struct request *r = of_link(table_first(&t->requests, hash_request(client, id)));

	while (r && !(r->client == client && r->id == id))
		r = of_link(table_next(&r->link));
	return r;
}

void request_free(struct tunnels *t, struct request *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		attempt_leave(t, &r->wait[i]);
		ways_clear(&r->wait[i].ways);
	}
	timer_set(&t->request_timers, &r->timer, NEVER_MS);
	table_remove(&t->requests, &r->link);
	free(r);
}

static void limit_ttl(struct request *r, uint64_t seconds)
{
	if (r->ttl_s > seconds)
		r->ttl_s = (uint32_t)seconds;
}

/* By this entry. */
static void answer_by_policy(struct request *r, const struct group_entry *entry, const char *more)
{
	limit_ttl(r, CLEAR_TTL_S);
	if (r->detail[0] == '\0' || more[0] != '\0')
		policy_text(entry, more, r->detail);
}

static void confirm_clear(struct tunnels *t, struct request *r, struct wait *w)
{
	uint64_t until_ms = permitted_until_ms(t, &r->owner, &w->remote);
	bool paused = until_ms == 0 && t->paused_until_ms > t->now_ms;
	struct group_entry entry;

	if (until_ms == 0 && policy_is_clear(tunnels_policy(t, &r->owner, &w->remote, &entry))) {
		answer_by_policy(r, &entry, "");
		return;
	}
	if (paused)
		until_ms = t->paused_until_ms;
	if (until_ms == 0) {
		w->allowed = false;
		w->reason = REASON_DOWN_BY_OPERATOR;
		return;
	}
	limit_ttl(r, paused ? PAUSE_TTL_S : CLEAR_TTL_S);
	limit_ttl(r, (until_ms - t->now_ms) / 1000);
	if (r->detail[0] == '\0')
		snprintf(r->detail, sizeof r->detail, paused ? "paused by the operator" : "permitted by the operator");
}

static void confirm(struct tunnels *t, struct request *r, struct wait *w)
{
	struct peer *p = peer_by_pair(t, &w->from, &w->remote);

	if (!w->allowed)
		return;
	if (t->stopping) {
		w->allowed = false;
		w->reason = REASON_SHUTDOWN;
		return;
	}
	if (w->local)
		return;
	if (w->clear) {
		confirm_clear(t, r, w);
		return;
	}
	if (p && p->state == TUNNEL_PROTECTED && peer_has_name(p, &r->owner)) {
		peer_answer(t, p, &r->owner, (struct said){ .ways = &w->ways, .lookup = r->lookup }, r->ttl_s);
		return;
	}
	w->allowed = false;
	w->reason = p && p->state == TUNNEL_PROTECTED ? REASON_LIMIT : REASON_PEER_REFUSED;
	if (r->detail[0] == '\0')
		snprintf(r->detail, sizeof r->detail, "%s",
			 w->reason == REASON_LIMIT ? "too many names for one address" : "the tunnel ended at once");
}

/* None of the addresses is protected: what may be answered in clear instead? */
static void fall_back(struct tunnels *t, struct request *r)
{
	struct group_entry entry;

	for (unsigned i = 0; i < r->n; i++) {
		struct wait *w = &r->wait[i];
		char more[DETAIL_MAX];

		if (!policy_falls_back(t, &r->owner, &w->remote, w->reason, &entry))
			continue;
		snprintf(more, sizeof more, "%s", rp_reason_text(w->reason));
		answer_by_policy(r, &entry, more);
		w->allowed = w->clear = true;
		w->reason = REASON_NONE;
	}
}

void request_confirm(struct tunnels *t, struct request *r)
{
	bool allowed = false;

	for (unsigned i = 0; i < r->n; i++) {
		confirm(t, r, &r->wait[i]);
		allowed |= r->wait[i].allowed;
	}
	if (!allowed && !t->stopping)
		fall_back(t, r);
}

static void make_ready(struct tunnels *t, struct request *r)
{
	if (r->ready)
		return;
	for (unsigned i = 0; i < r->n; i++)
		attempt_leave(t, &r->wait[i]);
	timer_set(&t->request_timers, &r->timer, NEVER_MS);
	r->ready = true;
	r->next_ready = NULL;
	*t->ready_tail = r;
	t->ready_tail = &r->next_ready;
}

/* The end, or before it the next way for one of its addresses. */
static void set_timer(struct tunnels *t, struct request *r)
{
	uint64_t due_ms = r->due_ms;

	for (unsigned i = 0; i < r->n; i++) {
		if (r->wait[i].attempt && r->wait[i].next_way_ms < due_ms)
			due_ms = r->wait[i].next_way_ms;
	}
	timer_set(&t->request_timers, &r->timer, due_ms);
}

void request_decide(struct tunnels *t, struct wait *w, enum rp_reason reason, const char *detail)
{
	struct request *r = w->request;

	attempt_leave(t, w);
	w->allowed = reason == REASON_NONE;
	w->reason = reason;
	if (!w->allowed && r->detail[0] == '\0')
		snprintf(r->detail, sizeof r->detail, "%s", detail);
	if (--r->pending == 0) {
		make_ready(t, r);
	} else if (w->allowed && r->due_ms > t->now_ms + FIRST_SUCCESS_WAIT_MS) {
		r->due_ms = t->now_ms + FIRST_SUCCESS_WAIT_MS;
		set_timer(t, r);
	}
}

/* Why there is nothing yet, as far as the core knows. */
static enum rp_reason outlook_of(struct tunnels *t, const struct attempt *a, char detail[IKE_DETAIL_MAX + 16])
{
	char outlook[IKE_DETAIL_MAX];
	enum rp_reason reason;

	if (!a->sa) {
		snprintf(detail, IKE_DETAIL_MAX + 16, "waited for its turn");
		return REASON_LIMIT;
	}
	reason = ike_outlook(t->ike, a->sa, outlook);
	snprintf(detail, IKE_DETAIL_MAX + 16, "%s%sstill trying", outlook, outlook[0] != '\0' ? "; " : "");
	return reason != REASON_NONE ? reason : REASON_TIMEOUT;
}

/* p protects the address: may this name use it? */
static bool shares(const struct tunnels *t, const struct peer *p, const struct keyset *keys)
{
	/* What only a client has brought has no shield: our own establishment makes it. */
	if (!peer_key_in(p, keys) || !peer_is_answered(p))
		return false;
	return p->state == TUNNEL_PROTECTED || peer_can_revive(t, p);
}

/* What becomes of one address of a request. */
struct fate {
	enum tunnel_prospect_kind kind;
	enum rp_reason reason;              /* PROSPECT_REFUSED */
	char detail[DETAIL_MAX];
	unsigned way;                       /* its number, if it is about one */
	struct ip_addr from;                /* our address for it */
	struct peer *p;                     /* what protects the pair, or NULL */
	const struct peer *bound;           /* what the address is bound to, or NULL */
	const struct failure *failure;      /* remembered; NULL */
	uint64_t until_ms;                  /* PROSPECT_CLEAR */
	bool paused;                        /* likewise */
};

static void refused(struct fate *f, enum rp_reason reason, const char *detail)
{
	f->kind = PROSPECT_REFUSED;
	f->reason = reason;
	snprintf(f->detail, sizeof f->detail, "%s", detail ? detail : "");
}

static void conflicts(struct fate *f, const struct peer *bound, const char *how)
{
	char detail[DETAIL_MAX], text[DNSNAME_TEXT_MAX];
	struct dnsname name;

	peer_first_name(bound, &name);
	snprintf(detail, sizeof detail, "bound to %.80s%s", dnsname_text(&name, text), how);
	refused(f, REASON_KEY_CONFLICT, detail);
}

static bool same_way(const struct peer *p, const struct way *way)
{
	return ip_equal(&p->gateway, &way->gateway);
}

/* With keys and a route: what does the address's past say? */
static void judge_by_state(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, const struct way *way,
			   struct fate *f)
{
	f->p = peer_by_pair(t, &f->from, a);
	f->failure = failure_active(t, &f->from, a, way);
	f->bound = f->p && f->p->keys ? f->p : peer_bound(t, a);
	if (f->p && same_way(f->p, way) && shares(t, f->p, way->keys))
		f->kind = PROSPECT_PROTECTED;
	else if (f->p && f->p->state == TUNNEL_DRAINING)
		refused(f, f->p->down_reason == REASON_DOWN_BY_OPERATOR ? f->p->down_reason : REASON_BACKOFF,
			"the earlier tunnel is being removed");
	else if (f->bound && !same_way(f->bound, way) && !peer_may_move(f->bound, owner, &way->gateway))
		conflicts(f, f->bound, ", by another way");
	else if (f->bound && !peer_allowed_keys(f->bound, owner, way->keys))
		conflicts(f, f->bound, "");
	else if (f->failure && !attempt_for(t, &f->from, a, way) && !(f->p && peer_may_be_tried(t, f->p)))
		refused(f, f->failure->reason, f->failure->detail);
	else
		f->kind = PROSPECT_TRY;
}

/* From where packets to the host leave; or, if it is of the other family, from anywhere. */
static bool reaches_gateway(const struct tunnels *t, const struct way *way, const struct ip_addr *from)
{
	struct ip_addr source;

	return way->gateway.family == IP_NONE || (t->env->source_address(t->env->arg, &way->gateway, &source) == IKE_OK &&
						  (source.family != from->family || ip_equal(&source, from)));
}

static void judge_way(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, const struct ways *ways, unsigned i,
		      struct fate *f)
{
	const struct way *way = &ways->at[i];

	memset(f, 0, sizeof *f);
	f->way = i;
	if (t->env->source_address(t->env->arg, a, &f->from) != IKE_OK)
		refused(f, REASON_NO_ROUTE, !way_is_across(a, &way->gateway) ? "" : a->family == IP_V4 ? "only to its gateway, by IPv6"
												     : "only to its gateway, by IPv4");
	else if (!way_takes_source(&way->gateway, &f->from))
		refused(f, REASON_NO_ROUTE, "none to what is behind a gateway from a link-local address");
	else if (!reaches_gateway(t, way, &f->from))
		refused(f, REASON_NO_ROUTE, "none to the gateway from the address that packets to the host have");
	else
		judge_by_state(t, owner, a, way, f);
}

/* By the ways from this one on: what protects it already, or the first that may be tried, or why the first may not. */
static void judge_ways(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, const struct ways *ways, unsigned from,
		       struct fate *f)
{
	bool found = false;

	for (unsigned i = from; i < ways->n && !(found && f->kind == PROSPECT_PROTECTED); i++) {
		struct fate one;

		judge_way(t, owner, a, ways, i, &one);
		if (!found || (one.kind != PROSPECT_REFUSED && f->kind == PROSPECT_REFUSED) || one.kind == PROSPECT_PROTECTED)
			*f = one;
		found = true;
	}
}

/* During a pause, what nobody relies on yet is answered in clear. */
static bool is_paused(struct tunnels *t, const struct ip_addr *a)
{
	struct ip_addr from;

	return t->paused_until_ms > t->now_ms && !peer_bound(t, a) &&
	       !(t->env->source_address(t->env->arg, a, &from) == IKE_OK && peer_by_pair(t, &from, a));
}

/* Without a look at its ways: whatever they are. False: they decide. */
static bool judge_address(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, struct fate *f)
{
	enum rp_reason reason = address_admit(t, a);
	struct group_entry entry;
	enum group group = tunnels_policy(t, owner, a, &entry);

	memset(f, 0, sizeof *f);
	if (t->env->is_own_address(t->env->arg, a)) {
		f->kind = PROSPECT_OWN;
		return true;
	}
	if (group == GROUP_BLOCK) {
		refused(f, REASON_POLICY_FORBIDS, "");
		policy_text(&entry, "", f->detail);
		return true;
	}
	f->until_ms = permitted_until_ms(t, owner, a);
	if (f->until_ms == 0 && policy_is_clear(group)) {
		f->kind = PROSPECT_CLEAR;
		return true;
	}
	f->paused = f->until_ms == 0 && group != GROUP_PRIVATE && is_paused(t, a);
	if (f->paused)
		f->until_ms = t->paused_until_ms;
	if (f->until_ms) {
		f->kind = PROSPECT_CLEAR;
		return true;
	}
	if (reason != REASON_NONE)
		refused(f, reason, ip_scope_text(ip_scope(a)));
	return reason != REASON_NONE;
}

/* One that has been begun, and is waited for no longer, may succeed all the same. */
static bool wait_for_earlier(struct tunnels *t, struct wait *w)
{
	for (unsigned i = 0; i < w->next_way; i++) {
		struct attempt *a = attempt_for(t, &w->from, &w->remote, &w->ways.at[i]);

		if (a && !a->ending) {
			attempt_wait(a, w);
			return true;
		}
	}
	return false;
}

/* The next of its ways, each of which gets an equal share of the time. */
static void take_way(struct tunnels *t, struct wait *w)
{
	struct request *r = w->request;
	const struct way *way;
	struct fate f;

	w->next_way_ms = NEVER_MS;
	judge_ways(t, &r->owner, &w->remote, &w->ways, w->next_way, &f);
	if (f.kind == PROSPECT_REFUSED) {
		w->next_way = w->ways.n;
		if (w->way_reason == REASON_NONE)
			request_decide(t, w, f.reason, f.detail);
		else if (!wait_for_earlier(t, w))
			request_decide(t, w, w->way_reason, w->way_detail);
		return;
	}
	way = &w->ways.at[f.way];
	w->from = f.from;
	w->next_way = f.way + 1;
	if (f.kind == PROSPECT_PROTECTED) {
		(void)peer_revive(t, f.p);
		peer_answer(t, f.p, &r->owner, (struct said){ .keys = way->keys, .lookup = r->lookup }, r->ttl_s);
		request_decide(t, w, REASON_NONE, "");
		return;
	}
	if (w->next_way < w->ways.n && r->due_ms > t->now_ms)
		w->next_way_ms = t->now_ms + (r->due_ms - t->now_ms) / (w->ways.n - w->next_way + 1);
	attempt_join(t, w, way, f.p, f.bound);
	if (w->attempt)
		set_timer(t, r);
}

static void way_over(struct wait *w, enum rp_reason reason, const char *detail)
{
	if (w->way_reason != REASON_NONE)
		return;
	w->way_reason = reason;
	snprintf(w->way_detail, sizeof w->way_detail, "%.*s", DETAIL_MAX - 1, detail);
}

void request_way_failed(struct tunnels *t, struct wait *w, enum rp_reason reason, const char *detail)
{
	attempt_leave(t, w);
	way_over(w, reason, detail);
	if (t->stopping || reason == REASON_DOWN_BY_OPERATOR || w->ways.n <= 1) {
		request_decide(t, w, reason, detail);
		return;
	}
	if (w->next_way < w->ways.n)
		take_way(t, w);
	else if (!wait_for_earlier(t, w))
		request_decide(t, w, w->way_reason, w->way_detail);
}

const struct way *request_way_of(const struct wait *w, const struct peer *p)
{
	const struct way *way = ways_by(&w->ways, &p->gateway);

	return way && peer_key_in(p, way->keys) ? way : NULL;
}

/* This way has had its share: it is not waited for any longer. */
static void take_next_ways(struct tunnels *t, struct request *r)
{
	for (unsigned i = 0; i < r->n && !r->ready; i++) {
		struct wait *w = &r->wait[i];
		char detail[IKE_DETAIL_MAX + 16];

		if (!w->attempt || t->now_ms < w->next_way_ms)
			continue;
		way_over(w, outlook_of(t, w->attempt, detail), detail);
		attempt_leave(t, w);
		take_way(t, w);
	}
}

/* The deadline: what is still open counts as not answered; the attempts go on without us. */
void request_due(struct tunnels *t, struct request *r)
{
	if (t->now_ms < r->due_ms) {
		take_next_ways(t, r);
		if (!r->ready)
			set_timer(t, r);
		return;
	}
	for (unsigned i = 0; i < r->n && !r->ready; i++) {
		struct wait *w = &r->wait[i];
		char detail[IKE_DETAIL_MAX + 16];

		if (!w->attempt)
			continue;
		way_over(w, outlook_of(t, w->attempt, detail), detail);
		request_decide(t, w, w->way_reason, w->way_detail);
	}
	make_ready(t, r);
}

static void decide_address(struct tunnels *t, struct wait *w, const struct rp_establish *q, unsigned number)
{
	struct request *r = w->request;
	struct fate f;

	if (judge_address(t, &q->owner, &w->remote, &f)) {
		w->local = f.kind == PROSPECT_OWN;
		w->clear = f.kind == PROSPECT_CLEAR;
		if (w->local)
			limit_ttl(r, OWN_ADDRESS_TTL_S);
		request_decide(t, w, f.reason, f.detail);       /* our own never leaves this host: nothing to protect */
		return;
	}
	ways_find(t, q, number, &w->ways);
	peers_hear(t, &w->remote, &w->ways, &q->owner, r->lookup);
	if (w->ways.n == 0)
		request_decide(t, w, w->ways.reason, w->ways.detail);
	else
		take_way(t, w);
}

/* Without what the resolver would find out about gateways: a tunnel that this name has is one that it may have. */
static void judge_unlooked(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, struct fate *f)
{
	const struct peer *p = peer_bound(t, a);

	if (f->kind != PROSPECT_REFUSED)
		return;
	f->kind = p && p->state == TUNNEL_PROTECTED && p->gateway.family != IP_NONE && peer_has_name(p, owner) ? PROSPECT_PROTECTED
													    : PROSPECT_GATEWAY;
	f->reason = REASON_NONE;
	f->detail[0] = '\0';
}

static void judge(struct tunnels *t, const struct rp_establish *q, unsigned number, struct fate *f)
{
	const struct ip_addr *a = &q->addresses[number];
	struct ways ways;

	if (judge_address(t, &q->owner, a, f))
		return;
	ways_find(t, q, number, &ways);
	if (ways.n == 0)
		refused(f, ways.reason, ways.detail);
	else
		judge_ways(t, &q->owner, a, &ways, 0, f);
	if (ways.unlooked)
		judge_unlooked(t, &q->owner, a, f);
	ways_clear(&ways);
}

void tunnels_prospect(struct tunnels *t, const struct rp_establish *request, unsigned address, uint64_t now_ms,
		      struct tunnel_prospect *out)
{
	struct group_entry entry;
	struct fate f;

	see(t, now_ms);
	judge(t, request, address, &f);
	if (f.kind == PROSPECT_REFUSED && policy_falls_back(t, &request->owner, &request->addresses[address], f.reason, &entry)) {
		f.kind = PROSPECT_CLEAR;
		f.reason = REASON_NONE;
	}
	memset(out, 0, sizeof *out);
	out->kind = f.kind;
	out->reason = f.reason;
	memcpy(out->detail, f.detail, sizeof out->detail);
	out->until_ms = f.until_ms;
	out->paused = f.paused;
	if (f.failure) {
		out->failure.reason = f.failure->reason;
		memcpy(out->failure.detail, f.failure->detail, sizeof out->failure.detail);
		out->failure.times = f.failure->times;
		out->failure.at_ms = f.failure->at_ms;
		out->failure.until_ms = f.failure->until_ms;
	}
}

IKE_CHECKED static enum ike_err request_new(struct tunnels *t, uint64_t client, uint32_t id,
					     const struct rp_establish *q, struct request **out)
{
	struct request *r = calloc(1, sizeof *r + q->n_addresses * sizeof r->wait[0]);

	*out = NULL;
	if (!r || timers_reserve(&t->request_timers, t->requests.n + 1) != IKE_OK) {
		free(r);
		return IKE_E_NOMEM;
	}
	r->client = client;
	r->id = id;
	r->lookup = ++t->last_lookup;
	r->owner = q->owner;
	r->ttl_s = q->ttl_s < TTL_MAX_S ? q->ttl_s : TTL_MAX_S;
	r->n = r->pending = q->n_addresses;
	for (unsigned i = 0; i < r->n; i++) {
		r->wait[i].request = r;
		r->wait[i].remote = q->addresses[i];
		r->wait[i].reason = REASON_TIMEOUT;
		r->wait[i].next_way_ms = NEVER_MS;
	}
	table_insert(&t->requests, &r->link, hash_request(client, id));
	*out = r;
	return IKE_OK;
}

enum ike_err tunnels_request(struct tunnels *t, uint64_t client, uint32_t id, const struct rp_establish *request,
			     uint64_t now_ms)
{
	enum rp_reason refuse = REASON_NONE;
	uint32_t deadline_ms = request->deadline_ms;
	struct request *r;
	enum ike_err err;

	see(t, now_ms);
	if (request->n_addresses == 0 || request->n_addresses > RP_ADDRESSES_MAX || find(t, client, id))
		return IKE_E_SYNTAX;
	if (t->stopping)
		refuse = REASON_SHUTDOWN;
	else if (t->requests.n >= t->config.requests_max)
		refuse = REASON_LIMIT;
	err = request_new(t, client, id, request, &r);
	if (err != IKE_OK)
		return err;
	deadline_ms -= deadline_ms > 2 * MARGIN_MS ? MARGIN_MS : deadline_ms / 2;
	r->due_ms = t->now_ms + deadline_ms;
	set_timer(t, r);
	for (unsigned i = 0; i < r->n; i++) {
		if (refuse != REASON_NONE)
			request_decide(t, &r->wait[i], refuse, "");
		else if (i >= t->config.per_peer_max)
			request_decide(t, &r->wait[i], REASON_LIMIT, "too many addresses for one name");
		else
			decide_address(t, &r->wait[i], request, i);
	}
	return IKE_OK;
}

void tunnels_cancel(struct tunnels *t, uint64_t client, uint32_t id)
{
	struct request *r = find(t, client, id);

	if (r && !r->ready)
		request_free(t, r);
}

static bool waits(const struct request *r, const uint64_t *client)
{
	return !r->ready && (!client || r->client == *client);
}

/* All buckets: this happens when a connection ends, not for each lookup. Ready ones are taken by the caller, who knows that nobody
 * is there. */
static struct request *next_waiting(struct tunnels *t, size_t *bucket, const uint64_t *client)
{
	struct request *r;

	for (; *bucket < t->requests.buckets; (*bucket)++) {
		for (r = of_link(t->requests.bucket[*bucket]); r; r = of_link(r->link.next)) {
			if (waits(r, client))
				return r;
		}
	}
	return NULL;
}

void tunnels_client_gone(struct tunnels *t, uint64_t client)
{
	size_t bucket = 0, buckets = t->requests.buckets;
	struct request *r;

	while ((r = next_waiting(t, &bucket, &client)) != NULL) {
		request_free(t, r);
		/* A table that became smaller is in another order. */
		if (t->requests.buckets != buckets)
			bucket = 0;
		buckets = t->requests.buckets;
	}
}

void requests_refuse_all(struct tunnels *t, enum rp_reason reason)
{
	size_t bucket = 0;
	struct request *r;

	while ((r = next_waiting(t, &bucket, NULL)) != NULL) {
		for (unsigned i = 0; i < r->n && !r->ready; i++) {
			if (r->wait[i].attempt)
				request_decide(t, &r->wait[i], reason, "");
		}
	}
}
