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

struct attempt *attempt_for(struct tunnels *t, const struct ip_addr *remote, const struct keyset *keys)
{
	struct attempt *a = of_link(table_first(&t->attempts, hash_address(remote)));

	while (a && !(ip_equal(&a->remote, remote) && keyset_equal(a->keys, keys)))
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
	keyset_unref(a->keys);
	free(a);
}

/* Every one who waits gets the same answer. */
static void decide_all(struct tunnels *t, struct attempt *a, enum rp_reason reason, const char *detail)
{
	a->ending = true;
	while (a->waits)
		request_decide(t, a->waits, reason, detail);
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

static enum rp_reason start(struct tunnels *t, struct attempt *a)
{
	struct ike_initiate how = {
		.path = {
			.local = { .port = t->config.ike_port },
			.remote = { .addr = a->remote, .port = t->config.peer_port },
		},
		.name = a->owner,
		.keys = a->keys,
		.reqid = a->reqid,
		.give_up_ms = t->now_ms + t->config.attempt_ms,
		.tag = a->id,
	};
	enum ike_err err;

	if (t->env->source_address(t->env->arg, &a->remote, &how.path.local.addr) != IKE_OK)
		return REASON_NO_ROUTE;
	a->local = how.path.local.addr;
	err = ike_initiate(t->ike, &how, t->now_ms, &a->sa);
	if (err != IKE_OK)
		return err == IKE_E_LIMIT ? REASON_LIMIT : REASON_INTERNAL;
	t->running++;
	return REASON_NONE;
}

IKE_CHECKED static struct attempt *attempt_new(struct tunnels *t, const struct ip_addr *remote, struct keyset *keys,
					       uint32_t reqid)
{
	struct attempt *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->id = ++t->last_id;
	a->remote = *remote;
	a->keys = keyset_ref(keys);
	a->reqid = reqid ? reqid : reqid_new(t);
	table_insert(&t->attempts, &a->link, hash_address(remote));
	table_insert(&t->attempts_by_id, &a->by_id, a->id);
	return a;
}

/* Start now, or when others are done. REASON_NONE: it will be heard of; otherwise a is still there and does nothing. */
static enum rp_reason start_or_queue(struct tunnels *t, struct attempt *a)
{
	if (t->running < t->config.establishing_max)
		return start(t, a);
	a->next_queued = NULL;
	*t->queue_tail = a;
	t->queue_tail = &a->next_queued;
	return REASON_NONE;
}

void attempt_join(struct tunnels *t, struct wait *w, const struct ip_addr *remote, struct keyset *keys, struct peer *peer)
{
	struct attempt *a = attempt_for(t, remote, keys);
	bool fresh = !a;
	enum rp_reason refuse = REASON_NONE;

	if (fresh) {
		/* Ask the idle to go before it is too late: the room is free a drain time from now. */
		if (t->peers.n + t->attempts.n >= t->config.tunnels_max - t->config.tunnels_max / 16)
			peers_evict_one(t);
		if (!peer && t->peers.n + t->attempts.n >= t->config.tunnels_max) {
			request_decide(t, w, REASON_LIMIT, "all tunnels are in use");
			return;
		}
		a = attempt_new(t, remote, keys, peer ? peer->reqid : 0);
		if (!a) {
			request_decide(t, w, REASON_INTERNAL, "out of memory");
			return;
		}
		a->owner = w->request->owner;
	}
	if (w->request->ttl_s > a->ttl_s)
		a->ttl_s = w->request->ttl_s;
	w->attempt = a;
	w->next = a->waits;
	a->waits = w;
	if (fresh)
		refuse = start_or_queue(t, a);
	if (refuse != REASON_NONE)
		attempt_failed(t, a, refuse, "");
}

bool attempt_renew(struct tunnels *t, struct peer *p)
{
	struct attempt *a = attempt_for(t, &p->remote, p->keys);

	if (a)
		return true;
	if (failure_active(t, &p->remote, p->keys))
		return false;
	a = attempt_new(t, &p->remote, p->keys, p->reqid);
	if (!a)
		return false;
	peer_first_name(p, &a->owner);
	if (start(t, a) != REASON_NONE) {
		attempt_free(t, a);
		return false;
	}
	return true;
}

void attempts_start_queued(struct tunnels *t)
{
	while (t->queue_first && t->running < t->config.establishing_max) {
		struct attempt *a = t->queue_first;
		enum rp_reason refuse;

		unqueue(t, a);
		refuse = start(t, a);
		if (refuse != REASON_NONE)
			attempt_failed(t, a, refuse, "");
	}
}

void attempt_succeeded(struct tunnels *t, struct attempt *a, struct peer *p)
{
	for (struct wait *w = a->waits; w; w = w->next)
		peer_answer(t, p, &w->request->owner, w->request->ttl_s);
	/* Nobody waits any more, but the next question will come: as if it had been answered now. */
	if (p->n_names == 0)
		peer_answer(t, p, &a->owner, a->ttl_s);
	failure_forget(t, &a->remote, a->keys);
	decide_all(t, a, REASON_NONE, "");
	attempt_free(t, a);
}

void attempt_failed(struct tunnels *t, struct attempt *a, enum rp_reason reason, const char *detail)
{
	/* What says nothing about the host is no reason to leave it alone. */
	if (reason != REASON_NO_ROUTE && reason != REASON_LIMIT && reason != REASON_SHUTDOWN &&
	    reason != REASON_INTERNAL && reason != REASON_KEY_CONFLICT && reason != REASON_BACKOFF)
		failure_remember(t, &a->remote, a->keys, reason, detail);
	decide_all(t, a, reason, detail);
	attempt_free(t, a);
}

void attempts_conflict(struct tunnels *t, const struct peer *p)
{
	struct attempt *next, *a = of_link(table_first(&t->attempts, hash_address(&p->remote)));

	for (; a; a = next) {
		next = of_link(table_next(&a->link));
		if (!ip_equal(&a->remote, &p->remote) || peer_key_in(p, a->keys))
			continue;
		decide_all(t, a, REASON_KEY_CONFLICT, "another name's key was proved first");
		if (a->sa)
			(void)!ike_close(t->ike, a->sa, REASON_KEY_CONFLICT, t->now_ms);
		else
			attempt_free(t, a);
	}
}
