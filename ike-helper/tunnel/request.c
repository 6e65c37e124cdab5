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
	for (unsigned i = 0; i < r->n; i++)
		attempt_leave(t, &r->wait[i]);
	timer_set(&t->request_timers, &r->timer, NEVER_MS);
	table_remove(&t->requests, &r->link);
	free(r);
}

static void limit_ttl(struct request *r, uint64_t seconds)
{
	if (r->ttl_s > seconds)
		r->ttl_s = (uint32_t)seconds;
}

static void confirm_clear(struct tunnels *t, struct request *r, struct wait *w)
{
	uint64_t until_ms = permitted_until_ms(t, &r->owner, &w->remote);
	bool paused = until_ms == 0 && t->paused_until_ms > t->now_ms;

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
		peer_answer(t, p, &r->owner, (struct said){ .lookup = r->lookup }, r->ttl_s);
		return;
	}
	w->allowed = false;
	w->reason = p && p->state == TUNNEL_PROTECTED ? REASON_LIMIT : REASON_PEER_REFUSED;
	if (r->detail[0] == '\0')
		snprintf(r->detail, sizeof r->detail, "%s",
			 w->reason == REASON_LIMIT ? "too many names for one address" : "the tunnel ended at once");
}

void request_confirm(struct tunnels *t, struct request *r)
{
	for (unsigned i = 0; i < r->n; i++)
		confirm(t, r, &r->wait[i]);
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

void request_decide(struct tunnels *t, struct wait *w, enum rp_reason reason, const char *detail)
{
	struct request *r = w->request;

	attempt_leave(t, w);
	w->allowed = reason == REASON_NONE;
	w->reason = reason;
	if (!w->allowed && r->detail[0] == '\0')
		snprintf(r->detail, sizeof r->detail, "%s", detail);
	if (--r->pending == 0)
		make_ready(t, r);
	else if (w->allowed && r->timer.due_ms > t->now_ms + FIRST_SUCCESS_WAIT_MS)
		timer_set(&t->request_timers, &r->timer, t->now_ms + FIRST_SUCCESS_WAIT_MS);
}

/* Why there is nothing yet, as far as the core knows. */
static void decide_by_outlook(struct tunnels *t, struct wait *w)
{
	char outlook[IKE_DETAIL_MAX], detail[IKE_DETAIL_MAX + 16];
	enum rp_reason reason = ike_outlook(t->ike, w->attempt->sa, outlook);

	snprintf(detail, sizeof detail, "%s%sstill trying", outlook, outlook[0] != '\0' ? "; " : "");
	request_decide(t, w, reason != REASON_NONE ? reason : REASON_TIMEOUT, detail);
}

/* The deadline: what is still open counts as not answered; the attempts go on without us. */
void request_due(struct tunnels *t, struct request *r)
{
	for (unsigned i = 0; i < r->n && !r->ready; i++) {
		if (r->wait[i].attempt && r->wait[i].attempt->sa)
			decide_by_outlook(t, &r->wait[i]);
		else if (r->wait[i].attempt)
			request_decide(t, &r->wait[i], REASON_LIMIT, "waited for its turn");
	}
	make_ready(t, r);
}

/* Refused before any packet is sent: addresses that must never have a tunnel. */
static enum rp_reason admit(struct tunnels *t, const struct ip_addr *a)
{
	switch (ip_scope(a)) {
	case IP_SCOPE_GLOBAL:
		return REASON_NONE;
	case IP_SCOPE_PRIVATE:
		return t->config.allow_private ? REASON_NONE : REASON_ADDRESS_NOT_ALLOWED;
	case IP_SCOPE_LINK_LOCAL:
	case IP_SCOPE_LOOPBACK:
	case IP_SCOPE_MULTICAST:
	case IP_SCOPE_UNUSABLE:
		break;
	}
	return REASON_ADDRESS_NOT_ALLOWED;
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
	struct ip_addr from;                /* our address for it */
	struct keyset *keys;                /* a reference, or NULL */
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

static void conflicts(struct fate *f, const struct peer *bound)
{
	char detail[DETAIL_MAX], text[DNSNAME_TEXT_MAX];
	struct dnsname name;

	peer_first_name(bound, &name);
	snprintf(detail, sizeof detail, "bound to %.80s", dnsname_text(&name, text));
	refused(f, REASON_KEY_CONFLICT, detail);
}

/* With keys and a route: what does the address's past say? */
static void judge_by_state(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, struct fate *f)
{
	f->p = peer_by_pair(t, &f->from, a);
	f->failure = failure_active(t, &f->from, a, f->keys);
	f->bound = f->p && f->p->keys ? f->p : peer_bound(t, a);
	if (f->p && shares(t, f->p, f->keys))
		f->kind = PROSPECT_PROTECTED;
	else if (f->p && f->p->state == TUNNEL_DRAINING)
		refused(f, f->p->down_reason == REASON_DOWN_BY_OPERATOR ? f->p->down_reason : REASON_BACKOFF,
			"the earlier tunnel is being removed");
	else if (f->bound && !peer_allowed_keys(f->bound, owner, f->keys))
		conflicts(f, f->bound);
	else if (f->failure && !attempt_for(t, &f->from, a, f->keys) && !(f->p && peer_may_be_tried(t, f->p)))
		refused(f, f->failure->reason, f->failure->detail);
	else
		f->kind = PROSPECT_TRY;
}

/* Changes nothing. f->keys is the caller's to give back. */
static void judge(struct tunnels *t, const struct dnsname *owner, const struct span *keys, unsigned n_keys,
		  const struct ip_addr *a, struct fate *f)
{
	const char *why = NULL;
	enum rp_reason reason;

	memset(f, 0, sizeof *f);
	if (t->env->is_own_address(t->env->arg, a)) {
		f->kind = PROSPECT_OWN;
		return;
	}
	f->until_ms = permitted_until_ms(t, owner, a);
	if (f->until_ms) {
		f->kind = PROSPECT_CLEAR;
		return;
	}
	reason = admit(t, a);
	if (reason != REASON_NONE)
		refused(f, reason, ip_scope_text(ip_scope(a)));
	else if (keyset_new(keys, n_keys, a, &f->keys, &why) != IKE_OK)
		refused(f, REASON_NO_USABLE_KEY, why);
	else if (t->env->source_address(t->env->arg, a, &f->from) != IKE_OK)
		refused(f, REASON_NO_ROUTE, "");
	else
		judge_by_state(t, owner, a, f);
	f->paused = (f->kind == PROSPECT_REFUSED || f->kind == PROSPECT_TRY) && t->paused_until_ms > t->now_ms && !f->p && !peer_bound(t, a);
	if (f->paused) {
		f->kind = PROSPECT_CLEAR;
		f->reason = REASON_NONE;
		f->detail[0] = '\0';
		f->until_ms = t->paused_until_ms;
	}
}

static void decide_address(struct tunnels *t, struct wait *w, const struct rp_establish *q, const struct ip_addr *a)
{
	struct request *r = w->request;
	struct fate f;
	struct said said;

	judge(t, &q->owner, q->keys, q->n_keys, a, &f);
	said = (struct said){ .keys = f.keys, .lookup = r->lookup };
	w->from = f.from;
	peers_hear_keys(t, a, &q->owner, said);
	switch (f.kind) {
	case PROSPECT_OWN:
		limit_ttl(r, OWN_ADDRESS_TTL_S);
		w->local = true;
		request_decide(t, w, REASON_NONE, "");  /* never leaves this host: nothing to protect */
		break;
	case PROSPECT_CLEAR:
		w->clear = true;
		request_decide(t, w, REASON_NONE, "");
		break;
	case PROSPECT_PROTECTED:
		(void)peer_revive(t, f.p);
		peer_answer(t, f.p, &q->owner, said, r->ttl_s);
		request_decide(t, w, REASON_NONE, "");
		break;
	case PROSPECT_TRY:
		attempt_join(t, w, f.keys, &w->from, f.p, f.bound);
		break;
	case PROSPECT_REFUSED:
		request_decide(t, w, f.reason, f.detail);
		break;
	}
	keyset_unref(f.keys);
}

void tunnels_prospect(struct tunnels *t, const struct dnsname *owner, const struct span *keys, unsigned n_keys,
		      const struct ip_addr *address, uint64_t now_ms, struct tunnel_prospect *out)
{
	struct fate f;

	see(t, now_ms);
	judge(t, owner, keys, n_keys, address, &f);
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
	keyset_unref(f.keys);
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
	timer_set(&t->request_timers, &r->timer, t->now_ms + deadline_ms);
	for (unsigned i = 0; i < r->n; i++) {
		if (refuse != REASON_NONE)
			request_decide(t, &r->wait[i], refuse, "");
		else if (i >= t->config.per_peer_max)
			request_decide(t, &r->wait[i], REASON_LIMIT, "too many addresses for one name");
		else
			decide_address(t, &r->wait[i], request, &request->addresses[i]);
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
