#include "tunnel/state.h"

#include <stdlib.h>

static struct attempt *of_link(struct table_link *link)
{
	return link ? (struct attempt *)((char *)link - offsetof(struct attempt, link)) : NULL;
}

struct attempt *attempt_by_id(struct tunnels *t, uint64_t id)
{
	struct table_link *link = table_first(&t->attempts_by_id, id);

	return link ? (struct attempt *)((char *)link - offsetof(struct attempt, by_id)) : NULL;
}

struct attempt *attempt_for(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote, const struct way *way)
{
	struct attempt *a = of_link(table_first(&t->attempts, hash_address(t, remote)));

	while (a && !(ip_equal(&a->remote, remote) && ip_equal(&a->local, local) && ip_equal(&a->gateway, &way->gateway) &&
		      keyset_equal(a->keys, way->keys)))
		a = of_link(table_next(&a->link));
	return a;
}

static void unqueue(struct tunnels *t, struct attempt *a)
{
	struct attempt **at = &t->queue_first;

	while (*at && *at != a)
		at = &(*at)->next_queued;
	if (!*at)
		return;
	*at = a->next_queued;
	if (!*at)
		t->queue_tail = at;
}

static void attempt_free(struct tunnels *t, struct attempt *a)
{
	if (a->sa)
		t->running--;
	else
		unqueue(t, a);
	table_remove(&t->attempts, &a->link);
	table_remove(&t->attempts_by_id, &a->by_id);
	/* Others may keep the sets for hours: a tunnel, the memory of a failure. */
	keyset_rest(a->keys);
	keyset_rest(a->accepted);
	keyset_unref(a->keys);
	keyset_unref(a->accepted);
	free(a);
}

/* Where its IKE and ESP go. */
static const struct ip_addr *asked_host(const struct attempt *a)
{
	return a->gateway.family != IP_NONE ? &a->gateway : &a->remote;
}

/* Every one who waits hears the same. */
static void decide_all(struct tunnels *t, struct attempt *a, enum rp_reason reason, const char *detail)
{
	a->ending = true;
	while (a->waits && reason == REASON_NONE)
		request_decide(t, a->waits, REASON_NONE, "");
	while (a->waits)
		request_way_failed(t, a->waits, reason, detail);
}

void attempt_leave(struct tunnels *t, struct wait *w)
{
	struct attempt *a = w->attempt;
	struct wait **at;

	if (!a)
		return;
	for (at = &a->waits; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	w->next = NULL;
	w->attempt = NULL;
	/* One that has not begun, and that nobody wants any more, need not begin. A running one goes on: the next question
	 * of the same client will find it done. */
	if (!a->waits && !a->sa && !a->ending)
		attempt_free(t, a);
}

/* Is this host to know who we are? */
static bool identifies_to(const struct tunnels *t, const struct dnsname *owner)
{
	for (unsigned i = 0; i < t->config.n_identify_to; i++) {
		if (dnsname_is_under(owner, &t->config.identify_to[i]))
			return true;
	}
	return false;
}

static enum rp_reason start(struct tunnels *t, struct attempt *a, uint32_t life_ms)
{
	struct ike_initiate how = {
		.path = {
			.local = { .addr = a->outer_local, .port = t->config.ike_port },
			.remote = { .addr = *asked_host(a), .port = t->config.peer_port },
		},
		.name = a->owner,
		.identify = identifies_to(t, &a->owner),
		.keys = a->accepted,
		.reqid = a->reqid,
		.give_up_ms = t->now_ms + life_ms,
		.encapsulate = a->encapsulated,
		.tag = a->id,
	};
	const struct peer *p = peer_by_pair(t, &a->local, &a->remote);
	enum ike_err err;

	if (a->outer_local.family == IP_NONE)
		return REASON_NO_ROUTE;
	if (a->gateway.family != IP_NONE)
		how.host = a->remote;
	if (a->outer_local.family != a->local.family)
		how.source = a->local;
	if (p && peer_has_assigned(p))
		how.former = p->inner_local;
	err = ike_initiate(t->ike, &how, t->now_ms, &a->sa);
	if (err != IKE_OK)
		return err == IKE_E_LIMIT ? REASON_LIMIT : REASON_INTERNAL;
	t->running++;
	event_of_attempt(t, TUNNEL_EV_ESTABLISHING, a, REASON_NONE, "");
	return REASON_NONE;
}

/* The keys of which the host has to prove one. Where others use the address already these are the key that they know, and those
 * that they publish too: more would let a name that copies that key into its own records bring a second one and take their
 * address over. */
static struct keyset *acceptable(struct keyset *keys, const struct peer *p, const struct dnsname *owner)
{
	return p ? keyset_select(keys, peer_allowed_keys(p, owner, keys)) : keyset_ref(keys);
}

/* p: what protects the pair already, or NULL; bound: what the remote address is bound to, or NULL. */
IKE_CHECKED static struct attempt *attempt_new(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote,
					       const struct way *way, struct peer *p, const struct peer *bound,
					       const struct dnsname *owner)
{
	struct attempt *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->accepted = acceptable(way->keys, bound, owner);
	if (!a->accepted) {
		free(a);
		return NULL;
	}
	a->owner = *owner;
	a->id = ++t->last_id;
	a->lookup = t->last_lookup;
	a->local = *local;
	a->remote = *remote;
	a->gateway = way->gateway;
	a->keys = keyset_ref(way->keys);
	a->reqid = p ? p->reqid : reqid_new(t);
	if (p)
		p->tried_ms = t->now_ms;
	(void)!way_source(t, local, &way->gateway, &a->outer_local);
	a->encapsulated = t->config.always_encapsulate || esp_is_dropped(t, &a->outer_local, asked_host(a));
	table_insert(&t->attempts, &a->link, hash_address(t, remote));
	table_insert(&t->attempts_by_id, &a->by_id, a->id);
	return a;
}

/* Start now, or when others are done. REASON_NONE: it will be heard of; otherwise a is still there and does nothing. */
static enum rp_reason start_or_queue(struct tunnels *t, struct attempt *a)
{
	if (t->running < t->config.establishing_max)
		return start(t, a, t->config.attempt_ms);
	a->next_queued = NULL;
	*t->queue_tail = a;
	t->queue_tail = &a->next_queued;
	return REASON_NONE;
}

const struct attempt *attempt_of_pair(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	const struct attempt *a = of_link(table_first(&t->attempts, hash_address(t, remote)));

	while (a && (a->ending || !ip_equal(&a->remote, remote) || !ip_equal(&a->local, local)))
		a = of_link(table_next(&a->link));
	return a;
}

static unsigned attempts_at(struct tunnels *t, const struct ip_addr *remote)
{
	const struct attempt *a = of_link(table_first(&t->attempts, hash_address(t, remote)));
	unsigned n = 0;

	for (; a; a = of_link(table_next(&a->link)))
		n += ip_equal(&a->remote, remote);
	return n;
}

/* All buckets: only a name with a gateway makes us look. */
static unsigned attempts_by(struct tunnels *t, const struct ip_addr *gateway)
{
	unsigned n = 0;

	for (size_t i = 0; i < t->attempts.buckets; i++) {
		for (const struct attempt *a = of_link(t->attempts.bucket[i]); a; a = of_link(a->link.next))
			n += ip_equal(&a->gateway, gateway);
	}
	return n;
}

enum rp_reason attempt_admit(struct tunnels *t, const struct ip_addr *remote, const struct ip_addr *gateway, const struct peer *p,
			     const char **detail)
{
	if (attempts_at(t, remote) >= ATTEMPTS_PER_ADDRESS_MAX) {
		*detail = "too many names try other keys for this address";
		return REASON_LIMIT;
	}
	if (gateway->family != IP_NONE && attempts_by(t, gateway) >= ATTEMPTS_PER_GATEWAY_MAX) {
		*detail = "too many hosts behind this gateway are tried";
		return REASON_LIMIT;
	}
	/* Ask the idle to go before it is too late: the room is free a drain time from now. */
	if (t->peers.n + t->attempts.n >= t->config.tunnels_max - t->config.tunnels_max / 16)
		t->stats.pushed_out_by_all += peers_evict_one(t, EVICT_ANY, NULL);
	*detail = "all tunnels are in use";
	return p || t->peers.n + t->attempts.n < t->config.tunnels_max ? REASON_NONE : REASON_LIMIT;
}

void attempt_wait(struct attempt *a, struct wait *w)
{
	if (w->request->ttl_s > a->ttl_s)
		a->ttl_s = w->request->ttl_s;
	w->attempt = a;
	w->next = a->waits;
	a->waits = w;
}

void attempt_join(struct tunnels *t, struct wait *w, const struct way *way, struct peer *peer, const struct peer *bound)
{
	struct attempt *a = attempt_for(t, &w->from, &w->remote, way);
	bool fresh = !a;
	enum rp_reason refuse = REASON_NONE;
	const char *detail = "";

	if (fresh) {
		refuse = attempt_admit(t, &w->remote, &way->gateway, peer, &detail);
		if (refuse != REASON_NONE) {
			request_way_failed(t, w, refuse, detail);
			return;
		}
		a = attempt_new(t, &w->from, &w->remote, way, peer, bound, &w->request->owner);
		if (!a) {
			request_way_failed(t, w, REASON_INTERNAL, "out of memory");
			return;
		}
	}
	attempt_wait(a, w);
	if (fresh)
		refuse = start_or_queue(t, a);
	if (refuse != REASON_NONE)
		attempt_failed(t, a, refuse, "");
}

static bool renew(struct tunnels *t, struct peer *p, struct keyset *keys, bool urgent)
{
	uint32_t life_ms = t->config.attempt_ms;
	const struct way way = { p->gateway, keys };
	struct attempt *a = attempt_for(t, &p->local, &p->remote, &way);
	struct dnsname owner;

	if (a)
		return true;
	if (urgent && life_ms > HEAL_ATTEMPT_MS)
		life_ms = HEAL_ATTEMPT_MS;
	if (!urgent && failure_active(t, &p->local, &p->remote, &way))
		return false;
	/* Our address has changed: its pair is of use again when it comes back. */
	if (!t->env->is_own_address(t->env->arg, &p->local) || t->running >= t->config.establishing_max)
		return false;
	peer_first_name(p, &owner);
	a = attempt_new(t, &p->local, &p->remote, &way, p, p, &owner);
	if (!a)
		return false;
	if (start(t, a, life_ms) != REASON_NONE) {
		attempt_free(t, a);
		return false;
	}
	return true;
}

bool attempt_renew(struct tunnels *t, struct peer *p, bool urgent)
{
	struct keyset *keys = peer_renewal_keys(p);
	bool begun = keys && renew(t, p, keys, urgent);

	keyset_unref(keys);
	return begun;
}

void attempts_start_queued(struct tunnels *t)
{
	while (t->queue_first && t->running < t->config.establishing_max) {
		struct attempt *a = t->queue_first;
		enum rp_reason refuse;

		unqueue(t, a);
		refuse = start(t, a, t->config.attempt_ms);
		if (refuse != REASON_NONE)
			attempt_failed(t, a, refuse, "");
	}
}

/* p is what those wait for who wait for a. */
static void answer_all(struct tunnels *t, const struct attempt *a, struct peer *p)
{
	for (struct wait *w = a->waits; w; w = w->next)
		peer_answer(t, p, &w->request->owner, (struct said){ .keys = a->keys, .lookup = w->request->lookup },
			    w->request->ttl_s);
}

void attempt_succeeded(struct tunnels *t, struct attempt *a, struct peer *p)
{
	answer_all(t, a, p);
	/* Nobody waits any more, but the next question will come: as if it had been answered now. */
	if (p->n_names == 0)
		peer_answer(t, p, &a->owner, (struct said){ .keys = a->keys, .lookup = a->lookup }, a->ttl_s);
	failure_forget(t, a);
	decide_all(t, a, REASON_NONE, "");
	attempts_settle(t, p, a);
	attempt_free(t, a);
}

void attempt_failed(struct tunnels *t, struct attempt *a, enum rp_reason reason, const char *detail)
{
	struct peer *p;

	/* What says nothing about the host is no reason to leave it alone. */
	if (reason != REASON_NO_ROUTE && reason != REASON_LIMIT && reason != REASON_SHUTDOWN &&
	    reason != REASON_INTERNAL && reason != REASON_KEY_CONFLICT && reason != REASON_BACKOFF)
		failure_remember(t, a, reason, detail);
	/* Perhaps it is the other way round here. */
	if (a->encapsulated && reason == REASON_TIMEOUT)
		esp_dropped_forget(t, &a->outer_local, asked_host(a));
	event_of_attempt(t, TUNNEL_EV_FAILED, a, reason, detail);
	decide_all(t, a, reason, detail);
	p = peer_by_pair(t, &a->local, &a->remote);
	attempt_free(t, a);
	if (p)
		peer_attempt_failed(t, p);
}

/* May every key that is accepted from a's host be proved for p? */
static bool allows_all(const struct peer *p, const struct attempt *a)
{
	return peer_allowed_keys(p, &a->owner, a->accepted) == (1u << keyset_count(a->accepted)) - 1;
}

/* One that p's new binding ends; NULL. A name that may bring newer keys goes on with them. */
static struct attempt *to_be_settled(struct tunnels *t, const struct peer *p, const struct attempt *winner)
{
	struct attempt *a = of_link(table_first(&t->attempts, hash_address(t, &p->remote)));

	for (; a; a = of_link(table_next(&a->link))) {
		if (a == winner || a->ending || !ip_equal(&a->remote, &p->remote))
			continue;
		/* From another address of ours it needs a tunnel of its own, and may have it with the same key, or in a rollover
		 * with either one. */
		if (!ip_equal(&a->local, &p->local) && ip_equal(&a->gateway, &p->gateway) && peer_key_in(p, a->accepted) &&
		    allows_all(p, a))
			continue;
		if (a->reqid != p->reqid || peer_key_in(p, a->keys) || !peer_allowed_keys(p, &a->owner, a->accepted))
			return a;
	}
	return NULL;
}

/* Whoever waits for a may have what p is bound to as one of his ways, this one or another. */
static void settle(struct tunnels *t, struct attempt *a, struct peer *p)
{
	a->ending = true;
	while (a->waits) {
		struct wait *w = a->waits;
		const struct request *r = w->request;
		const struct way *way = request_way_of(w, p);

		if (way) {
			peer_answer(t, p, &r->owner, (struct said){ .keys = way->keys, .lookup = r->lookup }, r->ttl_s);
			request_decide(t, w, REASON_NONE, "");
		} else {
			request_decide(t, w, REASON_KEY_CONFLICT, "another name's key was proved first");
		}
	}
}

/* Why a has to end: another name has the address now; or its own name has it by another way, and was kept waiting by this one. */
static enum rp_reason why_settled(struct tunnels *t, const struct attempt *a, const struct peer *p)
{
	char detail[IKE_DETAIL_MAX];
	enum rp_reason reason;

	if (ip_equal(&a->gateway, &p->gateway) || !peer_has_name(p, &a->owner))
		return REASON_KEY_CONFLICT;
	reason = ike_outlook(t->ike, a->sa, detail);
	return reason != REASON_NONE ? reason : REASON_TIMEOUT;
}

void attempts_settle(struct tunnels *t, struct peer *p, const struct attempt *winner)
{
	struct attempt *a;

	/* Looked for anew each time: to answer a request may end other attempts. */
	while ((a = to_be_settled(t, p, winner)) != NULL) {
		settle(t, a, p);
		/* Its EV_FAILED frees it. */
		if (a->sa)
			(void)!ike_close(t->ike, a->sa, why_settled(t, a, p), t->now_ms);
		else
			attempt_free(t, a);
	}
}
