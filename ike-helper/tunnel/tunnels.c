#include "tunnel/tunnel.h"

#include <stdlib.h>

#include "tunnel/state.h"

/* Of KERNEL_RETIRE, with the reqid; above those of passes. */
static const uint64_t retire_ids = UINT64_C(1) << 48;

enum { SHUTDOWN_DRAIN_MS = 200, UNPROTECT_AGAIN_MS = 1000, LONG_SLEEP_MS = 60000 };

static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

uint64_t hash_address(const struct tunnels *t, const struct ip_addr *a)
{
	struct rd r = rd_over(span_of(a->b, sizeof a->b));
	uint64_t high = rd_u64(&r), low = rd_u64(&r);

	return mix(mix(high ^ t->hash_key[0]) + t->hash_key[1] + mix(low ^ t->hash_key[2]) * (t->hash_key[3] | 1));
}

uint64_t hash_name(const struct tunnels *t, const struct dnsname *name)
{
	uint64_t h = t->hash_key[0];

	for (unsigned i = 0; i < name->n; i++)
		h = mix(h ^ name->b[i]) + t->hash_key[1];
	return h;
}

uint64_t later(uint64_t now_ms, uint64_t seconds)
{
	return seconds > (UINT64_MAX - now_ms) / 1000 ? UINT64_MAX : now_ms + seconds * 1000;
}

uint64_t jittered(struct tunnels *t, uint64_t ms)
{
	uint32_t r;

	rng_fill(t->rng, &r, sizeof r);
	return ms - ms / 8 * r / UINT32_MAX;
}

uint32_t reqid_new(struct tunnels *t)
{
	uint32_t reqid;

	do {
		t->last_reqid = (t->last_reqid + 1) & KERNEL_REQID_MASK;
		reqid = KERNEL_REQID_BASE | t->last_reqid;
	} while (reqid == KERNEL_REQID_ORPHAN || reqid == KERNEL_REQID_SHIELD || peer_by_reqid(t, reqid));
	return reqid;
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
	return value ? value : otherwise;
}

static struct tunnel_config with_defaults(struct tunnel_config c)
{
	c.tunnels_max = or_default(c.tunnels_max, 4096);
	c.establishing_max = or_default(c.establishing_max, 512);
	c.anonymous_max = or_default(c.anonymous_max, c.tunnels_max / 2 + c.tunnels_max % 2);
	c.anonymous_per_source = or_default(c.anonymous_per_source, 512);
	c.per_peer_max = or_default(c.per_peer_max, RP_ADDRESSES_MAX);
	c.requests_max = or_default(c.requests_max, 4096);
	c.attempt_ms = or_default(c.attempt_ms, 10000);
	c.idle_s = or_default(c.idle_s, 300);
	c.soft_life_s = or_default(c.soft_life_s, 3600);
	c.ike_life_s = or_default(c.ike_life_s, 14400);
	c.drain_ms = or_default(c.drain_ms, 2000);
	c.ike_port = (uint16_t)or_default(c.ike_port, 500);
	c.peer_port = (uint16_t)or_default(c.peer_port, 500);
	return c;
}

enum ike_err tunnels_new(const struct tunnel_config *config, const struct tunnel_env *env, struct ike *ike,
			 const struct rng *rng, const struct log *log, struct tunnels **out)
{
	struct tunnels *t = calloc(1, sizeof *t);

	*out = NULL;
	if (!t)
		return IKE_E_NOMEM;
	t->config = with_defaults(*config);
	t->env = env;
	t->ike = ike;
	t->rng = rng;
	t->log = log;
	rng_fill(rng, t->hash_key, sizeof t->hash_key);
	t->ready_tail = &t->ready_first;
	t->queue_tail = &t->queue_first;
	t->out_tail = &t->out_first;
	t->pass_tail = &t->oldest_pass;
	t->pass_out_tail = &t->pass_out_first;
	t->forget_tail = &t->forget_first;
	t->passes_again_ms = NEVER_MS;
	t->roam_ms = NEVER_MS;
	if (table_init(&t->requests) != IKE_OK || table_init(&t->attempts) != IKE_OK ||
	    table_init(&t->attempts_by_id) != IKE_OK || table_init(&t->peers) != IKE_OK ||
	    table_init(&t->peers_by_reqid) != IKE_OK || table_init(&t->anonymous) != IKE_OK || table_init(&t->failures) != IKE_OK ||
	    table_init(&t->decisions) != IKE_OK) {
		tunnels_free(t);
		return IKE_E_NOMEM;
	}
	*out = t;
	return IKE_OK;
}

void tunnels_configure(struct tunnels *t, const struct tunnel_config *config)
{
	t->config = with_defaults(*config);
}

/* Whatever waits in a table, one after the other. */
static struct table_link *any(const struct table *table)
{
	for (size_t i = 0; i < table->buckets; i++) {
		if (table->bucket[i])
			return table->bucket[i];
	}
	return NULL;
}

void tunnels_free(struct tunnels *t)
{
	struct table_link *link;

	if (!t)
		return;
	while ((link = any(&t->requests)) != NULL)
		request_free(t, (struct request *)((char *)link - offsetof(struct request, link)));
	while ((link = any(&t->attempts)) != NULL)
		attempt_failed(t, (struct attempt *)((char *)link - offsetof(struct attempt, link)), REASON_SHUTDOWN, "");
	while ((link = any(&t->peers)) != NULL)
		peer_free(t, peer_of_link(link));
	failures_clear(t);
	decisions_clear(t);
	passes_clear(t);
	by_hand_free(t);
	table_clear(&t->requests);
	table_clear(&t->attempts);
	table_clear(&t->attempts_by_id);
	table_clear(&t->peers);
	table_clear(&t->peers_by_reqid);
	table_clear(&t->anonymous);
	table_clear(&t->failures);
	table_clear(&t->decisions);
	timers_clear(&t->request_timers);
	timers_clear(&t->peer_timers);
	free(t);
}

void see(struct tunnels *t, uint64_t now_ms)
{
	if (now_ms > t->now_ms)
		t->now_ms = now_ms;
}

/* From the core ------------------------------------------------------------------------------------------------- */

static void on_established(struct tunnels *t, const struct ike_event *e)
{
	struct attempt *a = e->tunnel.initiator ? attempt_by_id(t, e->tunnel.tag) : NULL;
	struct peer *p;

	if (e->tunnel.initiator && !a) {        /* a conflict ended it in this very moment */
		(void)!ike_close(t->ike, e->tunnel.sa, REASON_KEY_CONFLICT, t->now_ms);
		leftover_end(t, &e->tunnel);
		return;
	}
	p = peer_by_pair(t, tunnel_local(&e->tunnel), tunnel_remote(&e->tunnel));
	if (p && p->state == TUNNEL_DRAINING) { /* its policies are about to go: nothing may be promised */
		if (a)
			attempt_failed(t, a, REASON_BACKOFF, "the earlier tunnel is being removed");
		peer_too_late(t, p, e);
		(void)!ike_close(t->ike, e->tunnel.sa, p->down_reason, t->now_ms);
		return;
	}
	if ((p && (p->reqid != e->tunnel.reqid || (a && !peer_accepts(p, a, e->tunnel.key_index)))) ||
	    (!a && !client_is_accepted(t, p, &e->tunnel))) {
		(void)!ike_close(t->ike, e->tunnel.sa, REASON_KEY_CONFLICT, t->now_ms);
		leftover_end(t, &e->tunnel);
		if (a)
			attempt_failed(t, a, REASON_KEY_CONFLICT, "another name's key was proved first");
		return;
	}
	p = peer_established(t, e, a);
	if (!p) {
		if (a)
			attempt_failed(t, a, REASON_INTERNAL, "out of memory");
		(void)!ike_close(t->ike, e->tunnel.sa, REASON_INTERNAL, t->now_ms);
		leftover_end(t, &e->tunnel);
		return;
	}
	if (a)
		attempt_succeeded(t, a, p);
	event_of_peer(t, TUNNEL_EV_PROTECTED, p, REASON_NONE);
	if (!a && e->initial_contact && e->tunnel.peer_name)
		client_initial_contact(t, p);
}

void tunnels_ike_event(struct tunnels *t, const struct ike_event *event, uint64_t now_ms)
{
	struct attempt *a;
	struct peer *p;

	see(t, now_ms);
	switch (event->kind) {
	case EV_ESTABLISHED:
		on_established(t, event);
		break;
	case EV_FAILED:
		a = attempt_by_id(t, event->tunnel.tag);
		if (a)
			attempt_failed(t, a, event->reason, event->detail);
		break;
	case EV_REKEYED:
	case EV_REKEY_FAILED:
		p = peer_by_reqid(t, event->tunnel.reqid);
		if (p)
			peer_rekeyed(t, p, event);
		break;
	case EV_SILENT:
		p = peer_by_reqid(t, event->tunnel.reqid);
		if (p)
			peer_silent(t, p, event);
		break;
	case EV_CLOSED:
		p = peer_by_reqid(t, event->tunnel.reqid);
		if (p)
			peer_sa_ended(t, p, event->tunnel.sa, event->reason);
		break;
	}
	attempts_start_queued(t);
}

/* Is this kind of client let in, from this address, and is there room? p: what it has already, or NULL. */
static enum rp_reason admit_client(struct tunnels *t, const struct ip_path *path, const struct peer *p, bool anonymous)
{
	if (t->stopping)
		return REASON_SHUTDOWN;
	if (!(anonymous ? t->config.accept_anonymous : t->config.accept_identified))
		return REASON_PEER_REFUSED;
	switch (ip_scope(&path->remote.addr)) {
	case IP_SCOPE_GLOBAL:
	case IP_SCOPE_PRIVATE:              /* a client may well be behind our own NAT */
		break;
	case IP_SCOPE_LINK_LOCAL:
	case IP_SCOPE_LOOPBACK:
	case IP_SCOPE_MULTICAST:
	case IP_SCOPE_UNUSABLE:
		return REASON_ADDRESS_NOT_ALLOWED;
	}
	if (t->env->is_own_address(t->env->arg, &path->remote.addr))
		return REASON_ADDRESS_NOT_ALLOWED;
	if (anonymous && policy_for_client(t, NULL, &path->remote.addr) != REASON_NONE)
		return REASON_POLICY_FORBIDS;
	return (p && p->state != TUNNEL_DRAINING) || client_has_room(t, &path->remote.addr, anonymous) ? REASON_NONE : REASON_LIMIT;
}

/* The address of its packets. */
static const struct ip_addr *client_remote(const struct ike_client *c)
{
	return c->assigned.family != IP_NONE ? &c->assigned : &c->path.remote.addr;
}

enum rp_reason tunnels_consider(struct tunnels *t, const struct ike_client *client, const struct dnsname *claimed, uint64_t now_ms)
{
	enum rp_reason refuse;

	see(t, now_ms);
	refuse = admit_client(t, &client->path, peer_by_pair(t, &client->path.local.addr, client_remote(client)), false);
	return refuse == REASON_NONE ? policy_for_client(t, claimed, &client->path.remote.addr) : refuse;
}

enum rp_reason tunnels_authorize(struct tunnels *t, const struct ike_client *client, const struct keyset *keys, uint32_t *reqid,
				 uint64_t now_ms)
{
	const struct ip_path *path = &client->path;
	const struct ip_addr *remote = client_remote(client);
	struct peer *p = peer_by_pair(t, &path->local.addr, remote);
	const struct attempt *ours = attempt_of_pair(t, &path->local.addr, remote);
	const struct peer *bound;
	enum rp_reason refuse;

	see(t, now_ms);
	*reqid = 0;
	refuse = admit_client(t, path, p, !keys);
	if (refuse != REASON_NONE)
		return refuse;
	/* An address of the pool is one client's: not for another one to which it is assigned while the first is there, nor for somebody
	 * who comes from it. And it must be nobody's else, this host's least of all. */
	if (client->assigned.family != IP_NONE && t->env->is_own_address(t->env->arg, remote))
		return REASON_ADDRESS_NOT_ALLOWED;
	if (p && (client->assigned.family != IP_NONE || peer_is_assigned(p)) && !(peer_is_assigned(p) && p->state == TUNNEL_DRAINING))
		return REASON_KEY_CONFLICT;
	bound = p && p->keys ? p : peer_bound(t, remote);
	/* Somebody on the path could be an anonymous client: what we have authenticated is not replaced by what nobody has. */
	if (bound && (keys ? peer_is_answered(bound) && !peer_key_in(bound, keys) : !p || p->keys))
		return REASON_KEY_CONFLICT;
	/* It is reached through its gateway, as its name says. */
	if (bound && peer_is_answered(bound) && bound->gateway.family != IP_NONE)
		return REASON_KEY_CONFLICT;
	if (p && p->state == TUNNEL_PROTECTED && p->sa && !ip_equal(&p->behind, &client->behind)) {
		(void)!ike_check_liveness(t->ike, p->sa, t->now_ms);
		return REASON_TS_UNACCEPTABLE;
	}
	if (p && p->state == TUNNEL_DRAINING && !peer_revive(t, p) && !peer_readmit(t, p))
		return REASON_BACKOFF;
	/* When both ends start at once, the first SA that is up must not be in the way of the other. */
	*reqid = p ? p->reqid : ours ? ours->reqid : reqid_new(t);
	return REASON_NONE;
}

void tunnels_kernel_done(struct tunnels *t, uint64_t id, enum ike_err result, uint64_t now_ms)
{
	struct peer *p = peer_by_reqid(t, (uint32_t)id);

	see(t, now_ms);
	if (id >= retire_ids) {
		if (p && result == IKE_OK)
			p->retired.family = IP_NONE;
		return;
	}
	leftover_done(t, id, result);
	if (pass_done(t, id, result) || !p || !p->unprotecting)
		return;
	if (result == IKE_OK) {
		event_of_peer(t, TUNNEL_EV_GONE, p, REASON_NONE);
		peer_free(t, p);
		return;
	}
	/* Still there, and still ours to remove. */
	p->unprotecting = false;
	p->drain_ms = t->now_ms + UNPROTECT_AGAIN_MS;
	peer_set_timer(t, p);
}

/* The kernel may have asked just before the SA that it has now was there. */
static void on_wanted(struct tunnels *t, struct peer *p)
{
	if (!p->keys || !peer_is_answered(p) || p->state == TUNNEL_DRAINING || (p->state == TUNNEL_PROTECTED && !peer_lost_sa(t, p)))
		return;
	peer_acquired(t, p);
}

void tunnels_acquire(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote, uint64_t now_ms)
{
	struct peer *p = peer_by_packet(t, local, remote), *bound = peer_bound(t, remote), *untranslated = peer_by_pair(t, local, remote);
	enum ip_scope scope = ip_scope(local);

	see(t, now_ms);
	/* What has our own address yet, and not the one that the host has assigned, takes the same tunnel. */
	if (!p && untranslated && untranslated->state == TUNNEL_HEALING)
		p = untranslated;
	/* What a client had there has ended, and the host is bound by a name of its. */
	if (p && bound && p->state == TUNNEL_HEALING && !peer_is_answered(p))
		peer_take_from_client(t, p, bound);
	if (p) {
		on_wanted(t, p);
		return;
	}
	if (!bound || bound->state == TUNNEL_DRAINING || (scope != IP_SCOPE_GLOBAL && scope != IP_SCOPE_PRIVATE))
		return;
	/* A host that assigns an address would assign another one, and these packets would not be from that either. While the
	 * route is gone with its interface, they may be those that want to be. */
	if (peer_has_assigned(bound)) {
		on_wanted(t, bound);
		return;
	}
	if (t->env->is_own_address(t->env->arg, local))
		peer_wanted_from(t, bound, local);
	else if (t->env->is_behind(t->env->arg, local))
		pass_through(t, local, remote);
}

void tunnels_sa_expired(struct tunnels *t, uint32_t reqid, uint64_t now_ms)
{
	struct peer *p = peer_by_reqid(t, reqid);

	see(t, now_ms);
	if (p)
		on_wanted(t, p);
}

/* One that drains has SAs too, and may be taken back. */
static void look_for_sa(struct tunnels *t, struct peer *p)
{
	if (p->state == TUNNEL_PROTECTED || peer_can_revive(t, p))
		(void)peer_lost_sa(t, p);
}

void tunnels_sa_deleted(struct tunnels *t, uint32_t reqid, uint32_t spi, uint64_t now_ms)
{
	struct peer *p = peer_by_reqid(t, reqid);

	see(t, now_ms);
	if (p && (spi == p->spi_in || spi == p->spi_out))
		look_for_sa(t, p);
}

void tunnels_sas_flushed(struct tunnels *t, uint64_t now_ms)
{
	see(t, now_ms);
	for (size_t i = 0; i < t->peers.buckets; i++) {
		for (struct peer *p = peer_of_link(t->peers.bucket[i]); p; p = peer_of_link(p->link.next))
			look_for_sa(t, p);
	}
}

void tunnels_own_address(struct tunnels *t, const struct ip_addr *address, uint64_t now_ms)
{
	see(t, now_ms);
	passes_check(t, address);
	failures_forget_from(t, address);
	roam_soon(t);
}

void tunnels_address_gone(struct tunnels *t, const struct ip_addr *address, uint64_t now_ms)
{
	see(t, now_ms);
	if (roam_concerns(t, address))
		roam_soon(t);
}

void tunnels_network_changed(struct tunnels *t, uint64_t now_ms)
{
	see(t, now_ms);
	t->way_changed = true;
	roam_soon(t);
}

void tunnels_retry(struct tunnels *t, uint64_t now_ms)
{
	failures_forget_from(t, NULL);
	tunnels_network_changed(t, now_ms);
}

void tunnels_resumed(struct tunnels *t, uint64_t slept_ms, uint64_t now_ms)
{
	t->resumed |= slept_ms >= LONG_SLEEP_MS;
	tunnels_retry(t, now_ms);
}

/* Time ------------------------------------------------------------------------------------------------------------ */

void tunnels_aging(struct tunnels *t, uint32_t reqid, uint32_t spi, uint64_t now_ms)
{
	struct peer *p = peer_by_reqid(t, reqid);

	see(t, now_ms);
	if (p && p->state == TUNNEL_PROTECTED && (spi == p->spi_in || spi == p->spi_out))
		peer_refresh(t, p);
}

void tunnels_tick(struct tunnels *t, uint64_t now_ms)
{
	struct timer *timer;

	see(t, now_ms);
	while ((timer = timers_first(&t->request_timers)) != NULL && timer->due_ms <= t->now_ms)
		request_due(t, request_of_timer(timer));
	while ((timer = timers_first(&t->peer_timers)) != NULL && timer->due_ms <= t->now_ms)
		peer_due(t, peer_of_timer(timer));
	permissions_due(t);
	passes_due(t);
	roam_due(t);
	attempts_start_queued(t);
}

uint64_t tunnels_deadline_ms(const struct tunnels *t)
{
	const struct timer *r = timers_first(&t->request_timers), *p = timers_first(&t->peer_timers);
	uint64_t due_ms = earlier(permissions_deadline_ms(t), leftovers_due_ms(t));

	if (t->passes_again_ms < due_ms)
		due_ms = t->passes_again_ms;
	if (t->roam_ms < due_ms)
		due_ms = t->roam_ms;
	if (r && r->due_ms < due_ms)
		due_ms = r->due_ms;
	return p && p->due_ms < due_ms ? p->due_ms : due_ms;
}

/* The end ---------------------------------------------------------------------------------------------------------- */

void tunnels_shutdown(struct tunnels *t, uint64_t now_ms)
{
	see(t, now_ms);
	t->stopping = true;
	requests_refuse_all(t, REASON_SHUTDOWN);
	/* Those that wait for their turn first: to end one changes the table. */
	while (t->queue_first)
		attempt_failed(t, t->queue_first, REASON_SHUTDOWN, "");
	for (size_t i = 0; i < t->attempts.buckets; i++) {
		for (struct table_link *link = t->attempts.bucket[i]; link; link = link->next) {
			struct attempt *a = (struct attempt *)((char *)link - offsetof(struct attempt, link));

			(void)!ike_close(t->ike, a->sa, REASON_SHUTDOWN, t->now_ms);
		}
	}
	(void)peers_drain(t, NULL, NULL, REASON_SHUTDOWN, SHUTDOWN_DRAIN_MS);
}

/* Out -------------------------------------------------------------------------------------------------------------- */

/* One line a decision. */
static void log_verdict(const struct tunnels *t, const struct request *r, const struct rp_verdict *v)
{
	char name[DNSNAME_TEXT_MAX];
	unsigned allowed = 0;

	for (unsigned i = 0; i < v->n_addresses; i++)
		allowed += v->address[i].allowed && !r->wait[i].clear;
	if (v->kind == RP_CLEAR)
		log_info(t->log, "%s: answered in clear: %s", dnsname_text(&r->owner, name), r->detail);
	else if (v->kind == RP_ALLOW)
		log_info(t->log, "%s: answered: %u of %u addresses protected%s%s", dnsname_text(&r->owner, name), allowed,
			 v->n_addresses, r->detail[0] ? ": " : "", r->detail);
	else
		log_info(t->log, "%s: refused: %s%s%s", dnsname_text(&r->owner, name), rp_reason_text(v->reason),
			 r->detail[0] ? ": " : "", r->detail);
}

static enum tunnel_event_kind verdict_event(enum rp_verdict_kind kind)
{
	return kind == RP_ALLOW ? TUNNEL_EV_ANSWERED : kind == RP_CLEAR ? TUNNEL_EV_CLEAR : TUNNEL_EV_REFUSED;
}

static void verdict_of(const struct request *r, struct tunnel_output *out)
{
	struct rp_verdict *v = &out->verdict;
	unsigned clear = 0;

	out->kind = TUNNEL_VERDICT;
	out->client = r->client;
	out->id = r->id;
	v->kind = RP_REFUSE;
	v->n_addresses = r->n;
	for (unsigned i = 0; i < r->n; i++) {
		clear += r->wait[i].clear && r->wait[i].allowed;
		v->address[i].allowed = r->wait[i].allowed;
		v->address[i].reason = r->wait[i].reason;
		if (r->wait[i].allowed)
			v->kind = RP_ALLOW;
		else if (v->reason == REASON_NONE)
			v->reason = r->wait[i].reason;
	}
	if (clear == r->n) {
		v->kind = RP_CLEAR;
		v->n_addresses = 0;
	}
	v->reason_text = span_of(r->detail, strlen(r->detail));
	v->ttl_cap_s = v->kind == RP_REFUSE ? 0 : r->ttl_s;
}

static void ask_kernel(const struct peer *p, enum kernel_op op, const struct ip_addr *inner_local, struct tunnel_output *out)
{
	out->kind = TUNNEL_KERNEL;
	out->kernel.op = op;
	out->kernel.reqid = p->reqid;
	out->kernel.local = p->outer_local;
	out->kernel.remote = p->outer;
	out->kernel.inner_local = *inner_local;
	if (inner_local->family != IP_NONE)
		out->kernel.inner_remote = p->remote;
}

/* What p has to say next; false when there is nothing left. */
static bool peer_output(struct tunnels *t, struct peer *p, struct tunnel_output *out)
{
	if (p->tell_down) {
		out->kind = TUNNEL_DOWN;
		out->down.reason = p->down_reason;
		if (peer_next_down(p, &out->down.owner)) {
			event_of_name(t, TUNNEL_EV_FORGOTTEN, &out->down.owner, out->down.reason, "");
			return true;
		}
		p->tell_down = false;
	}
	if (p->retired.family != IP_NONE && !p->retire_asked) {
		p->retire_asked = true;
		ask_kernel(p, KERNEL_RETIRE, &p->retired, out);
		out->id = retire_ids | p->reqid;
		return true;
	}
	if (!p->unprotect)
		return false;
	p->unprotect = false;
	ask_kernel(p, KERNEL_UNPROTECT, &p->inner_local, out);
	out->kernel.for_good = p->down_reason == REASON_DOWN_BY_OPERATOR || p->down_reason == REASON_SHUTDOWN;
	out->id = p->reqid;
	/* Also for one that was never bound: the attempt that put the shield there may have come too late for it. */
	out->kernel.shield = peer_is_last(t, p);
	if (out->kernel.shield)
		passes_end(t, &p->remote);
	return true;
}

bool tunnels_next_output(struct tunnels *t, struct tunnel_output *out)
{
	struct peer *p;

	memset(out, 0, sizeof *out);
	if (t->given) {
		request_free(t, t->given);
		t->given = NULL;
	}
	/* The resolver forgets first; only then is it told anything new. */
	if (pause_output(t, &out->down) || forget_output(t, &out->down)) {
		out->kind = TUNNEL_DOWN;
		return true;
	}
	while ((p = t->out_first) != NULL) {
		if (peer_output(t, p, out))
			return true;
		t->out_first = p->next_out;
		if (!t->out_first)
			t->out_tail = &t->out_first;
		p->out_queued = false;
		p->next_out = NULL;
	}
	if (leftover_output(t, &out->kernel, &out->id) || pass_output(t, &out->kernel, &out->id)) {
		out->kind = TUNNEL_KERNEL;
		return true;
	}
	t->given = t->ready_first;
	if (!t->given)
		return false;
	t->ready_first = t->given->next_ready;
	if (!t->ready_first)
		t->ready_tail = &t->ready_first;
	request_confirm(t, t->given);
	verdict_of(t->given, out);
	log_verdict(t, t->given, &out->verdict);
	event_of_name(t, verdict_event(out->verdict.kind), &t->given->owner, out->verdict.reason, t->given->detail);
	decision_remember(t, t->given, &out->verdict);
	return true;
}
