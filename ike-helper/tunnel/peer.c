#include "tunnel/state.h"

#include <stdlib.h>

static struct peer *of_link(struct table_link *link)
{
	return link ? (struct peer *)((char *)link - offsetof(struct peer, link)) : NULL;
}

struct peer *peer_of_link(struct table_link *link)
{
	return of_link(link);
}

struct peer *peer_of_timer(struct timer *timer)
{
	return timer ? (struct peer *)((char *)timer - offsetof(struct peer, timer)) : NULL;
}

struct peer *peer_by_pair(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	struct peer *p = of_link(table_first(&t->peers, hash_address(t, remote)));

	while (p && !(ip_equal(&p->remote, remote) && ip_equal(&p->local, local)))
		p = of_link(table_next(&p->link));
	return p;
}

bool peer_has_assigned(const struct peer *p)
{
	return p->inner_local.family != IP_NONE && !ip_equal(&p->inner_local, &p->local);
}

const struct ip_addr *tunnel_local(const struct ike_tunnel *u)
{
	const struct ip_addr *path = &u->path.local.addr;

	return u->inner_local.family != IP_NONE && u->inner_local.family != path->family ? &u->inner_local : path;
}

const struct ip_addr *tunnel_remote(const struct ike_tunnel *u)
{
	return u->inner_remote.family != IP_NONE ? &u->inner_remote : &u->path.remote.addr;
}

bool peer_is_assigned(const struct peer *p)
{
	return p->gateway.family == IP_NONE && !ip_equal(&p->outer, &p->remote);
}

/* Our address of the packets that its policies are for. */
static const struct ip_addr *packets_from(const struct peer *p)
{
	return p->inner_local.family != IP_NONE ? &p->inner_local : &p->local;
}

struct peer *peer_by_packet(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	struct peer *p = of_link(table_first(&t->peers, hash_address(t, remote)));

	while (p && !(ip_equal(&p->remote, remote) && ip_equal(packets_from(p), local)))
		p = of_link(table_next(&p->link));
	return p;
}

struct peer *peer_bound(const struct tunnels *t, const struct ip_addr *remote)
{
	struct peer *p = of_link(table_first(&t->peers, hash_address(t, remote))), *drains = NULL;

	for (; p; p = of_link(table_next(&p->link))) {
		if (!p->keys || !peer_is_answered(p) || !ip_equal(&p->remote, remote))
			continue;
		if (p->state != TUNNEL_DRAINING)
			return p;
		drains = p;
	}
	return drains;
}

bool peer_is_last(const struct tunnels *t, const struct peer *p)
{
	const struct peer *other = of_link(table_first(&t->peers, hash_address(t, &p->remote)));

	for (; other; other = of_link(table_next(&other->link))) {
		/* Of two that end at once, the second one whom the kernel hears of is the last. */
		bool ends = other->unprotecting && !other->unprotect;

		if (other != p && other->keys && peer_is_answered(other) && !ends && ip_equal(&other->remote, &p->remote))
			return false;
	}
	return true;
}

struct peer *peer_by_reqid(const struct tunnels *t, uint32_t reqid)
{
	struct table_link *link = table_first(&t->peers_by_reqid, reqid);

	return link ? (struct peer *)((char *)link - offsetof(struct peer, by_reqid)) : NULL;
}

/* Outputs ------------------------------------------------------------------------------------------------------ */

void peer_queue_out(struct tunnels *t, struct peer *p)
{
	if (p->out_queued)
		return;
	p->out_queued = true;
	p->next_out = NULL;
	*t->out_tail = p;
	t->out_tail = &p->next_out;
}

void peer_tell_down(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	p->tell_down = true;
	p->down_told = 0;
	p->down_reason = reason;
	peer_queue_out(t, p);
}

/* Life --------------------------------------------------------------------------------------------------------- */

void peer_set_timer(struct tunnels *t, struct peer *p)
{
	uint64_t due_ms = NEVER_MS;

	switch (p->state) {
	case TUNNEL_ESTABLISHING:           /* a state of attempts, for people; no peer is in it */
		break;
	case TUNNEL_PROTECTED:
		due_ms = earlier(earlier(peer_look_due_ms(t, p), p->silent_ms), earlier(p->renew_ms, p->renew_ike_ms));
		if (p->spare.sa)
			due_ms = earlier(due_ms, p->spare_ms);
		break;
	case TUNNEL_HEALING:
		due_ms = p->heal_ms;
		break;
	case TUNNEL_DRAINING:
		due_ms = p->drain_ms;
		break;
	}
	timer_set(&t->peer_timers, &p->timer, due_ms);
}

bool peer_key_in(const struct peer *p, const struct keyset *keys)
{
	struct ipseckey key;

	if (!p->keys)
		return false;
	keyset_at(p->keys, p->key_index, &key);
	return keyset_contains(keys, &key);
}

void peer_answer(struct tunnels *t, struct peer *p, const struct dnsname *name, struct said said, uint32_t ttl_s)
{
	uint64_t expires_ms = later(t->now_ms, ttl_s);
	bool was_ours = peer_is_ours_to_heal(p);

	peer_add_name(p, name, said);
	if (expires_ms > p->answer_expires_ms)
		p->answer_expires_ms = expires_ms;
	/* Its first packet may come now. */
	if (p->state == TUNNEL_PROTECTED && !peer_is_watched(t, p)) {
		p->watch_until_ms = t->now_ms + WATCH_MS;
		if (peer_is_watched(t, p) || !was_ours)
			peer_set_timer(t, p);
	}
}

void peers_hear(struct tunnels *t, const struct ip_addr *remote, const struct ways *ways, const struct dnsname *name, uint64_t lookup)
{
	struct peer *p = of_link(table_first(&t->peers, hash_address(t, remote)));

	for (; p; p = of_link(table_next(&p->link))) {
		const struct way *way = ways_by(ways, &p->gateway);

		if (ip_equal(&p->remote, remote))
			peer_name_publishes(p, name, (struct said){ .keys = way ? way->keys : NULL, .ways = ways, .lookup = lookup });
	}
}

static bool same_key(const struct ipseckey *a, const struct ipseckey *b)
{
	return a->algorithm == b->algorithm && span_equal(pubkey_canonical(a), pubkey_canonical(b));
}

struct way peer_way(const struct peer *p)
{
	return (struct way){ p->gateway, p->keys };
}

bool peer_accepts(const struct peer *p, const struct attempt *a, unsigned key_index)
{
	if (!ip_equal(&p->gateway, &a->gateway) && !peer_may_move(p, &a->owner, &a->gateway))
		return false;
	return peer_allowed_keys(p, &a->owner, a->accepted) >> key_index & 1;
}

bool peer_is_bound_to(const struct peer *p, const struct keyset *keys, unsigned key_index)
{
	struct ipseckey proved, bound;

	if (!p->keys || !keys)
		return false;
	keyset_at(keys, key_index, &proved);
	keyset_at(p->keys, p->key_index, &bound);
	return same_key(&proved, &bound);
}

IKE_CHECKED static struct peer *peer_new(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote,
					 uint32_t reqid)
{
	struct peer *p = calloc(1, sizeof *p);

	if (!p || timers_reserve(&t->peer_timers, t->peers.n + 1) != IKE_OK) {
		free(p);
		return NULL;
	}
	p->local = p->outer_local = *local;
	p->remote = p->outer = *remote;
	p->reqid = reqid;
	p->silent_ms = NEVER_MS;
	table_insert(&t->peers, &p->link, hash_address(t, &p->remote));
	table_insert(&t->peers_by_reqid, &p->by_reqid, p->reqid);
	return p;
}

/* p's host has another key now: it is asked to prove that to other addresses of ours too. What they have stays until then. */
static void follow_key(struct tunnels *t, const struct peer *p)
{
	struct peer *other = of_link(table_first(&t->peers, hash_address(t, &p->remote)));
	char text[IP_TEXT_MAX];

	log_info(t->log, "%s: bound to a new key that its names publish", ip_text(&p->remote, text));
	for (; other; other = of_link(table_next(&other->link))) {
		if (other->state == TUNNEL_PROTECTED && other->keys && peer_is_answered(other) && ip_equal(&other->remote, &p->remote) &&
		    !peer_is_bound_to(other, p->keys, p->key_index))
			(void)attempt_renew(t, other, false);
	}
}

static void bind_keys(struct tunnels *t, struct peer *p, const struct attempt *a, unsigned key_index)
{
	bool moves = p->keys && peer_is_answered(p) && !peer_is_bound_to(p, a->accepted, key_index);

	(void)keyset_ref(a->accepted);
	keyset_unref(p->keys);
	p->keys = a->accepted;
	p->key_index = key_index;
	if (!ip_equal(&p->gateway, &a->gateway))
		peer_names_stay(p);
	p->gateway = a->gateway;
	if (moves)
		follow_key(t, p);
}

static void retire(struct tunnels *t, struct peer *p, const struct ip_addr *address)
{
	p->retired = *address;
	p->retire_asked = false;
	peer_queue_out(t, p);
}

void peer_too_late(struct tunnels *t, struct peer *p, const struct ike_event *e)
{
	const struct ip_addr *inner = e->tunnel.inner_local.family != IP_NONE ? &e->tunnel.inner_local : &p->local;

	if (!ip_equal(inner, packets_from(p)))
		retire(t, p, inner);
}

/* When keys of p that are new now are old. Who has asked for the tunnel is the first to make others; a client that does not is asked an
 * eighth to a quarter of their life later. */
static uint64_t renewal_ms(struct tunnels *t, const struct peer *p, uint32_t life_s)
{
	uint64_t life_ms = life_s * UINT64_C(1000);

	return t->now_ms + (p->ours ? 0 : life_ms / 4) + jittered(t, life_ms);
}

struct peer *peer_established(struct tunnels *t, const struct ike_event *e, const struct attempt *a)
{
	const struct ike_tunnel *u = &e->tunnel;
	struct peer *p = peer_by_pair(t, tunnel_local(u), tunnel_remote(u));
	struct ip_addr before;
	ike_handle old;

	if (!p)
		p = peer_new(t, tunnel_local(u), tunnel_remote(u), u->reqid);
	if (!p)
		return NULL;
	p->state = TUNNEL_PROTECTED;
	if (crossed_and_old_stays(t, p, u, a ? a->accepted : u->peer_keys)) {
		peer_set_timer(t, p);
		return p;
	}
	/* Make before break: the old pair goes when the new one is in place. */
	old = client_has_replaced(t, p, e) ? 0 : p->sa;
	p->sa = u->sa;
	if (old && old != u->sa)
		(void)!ike_close(t->ike, old, REASON_NONE, t->now_ms);
	p->outer = u->path.remote.addr;
	p->outer_local = u->path.local.addr;
	p->ours = u->initiator;
	memcpy(p->spi_i, u->spi_i, sizeof p->spi_i);
	p->spi_in = u->spi_in;
	p->spi_out = u->spi_out;
	p->esp_suite = u->esp_suite;
	p->post_quantum = u->ike_suite.addke1 != 0;
	p->encapsulated = u->encapsulated;
	before = *packets_from(p);
	p->inner_local = u->inner_local;
	if (ip_equal(&p->retired, packets_from(p)))
		p->retired.family = IP_NONE;    /* they are in use again */
	if (p->established_ms != 0 && !ip_equal(&before, packets_from(p)))
		retire(t, p, &before);
	p->established_ms = t->now_ms;
	p->packets_out = 0;
	p->asked_ms = 0;
	p->doubted = false;
	p->silent_ms = NEVER_MS;
	p->behind = u->behind;
	p->wants_keepalive = u->wants_keepalive;
	p->sent_ms = p->looked_ms = t->now_ms;
	p->moved = p->answered = p->judged = false;
	p->round_trip_ms = u->round_trip_ms;
	p->unanswered_ms = 0;
	p->watch_until_ms = t->now_ms + WATCH_MS;
	p->renew_ms = renewal_ms(t, p, t->config.soft_life_s);
	p->renew_ike_ms = renewal_ms(t, p, t->config.ike_life_s);
	if (a)
		bind_keys(t, p, a, u->key_index);
	else if (u->peer_keys)
		client_bind(p, u);
	client_count(t, p);
	peer_set_timer(t, p);
	return p;
}

void peer_refresh(struct tunnels *t, struct peer *p)
{
	/* Should nothing come of it, not even a failure, then it is tried again. */
	p->renew_ms = t->now_ms + jittered(t, HEAL_LAST_MS);
	if (p->sa && ike_rekey_child(t->ike, p->sa, t->now_ms) == IKE_OK)
		return;
	if (peer_is_ours_to_heal(p))
		(void)attempt_renew(t, p, false);
}

static void refresh_ike(struct tunnels *t, struct peer *p)
{
	p->renew_ike_ms = t->now_ms + jittered(t, HEAL_LAST_MS);
	if (p->sa && ike_rekey_ike(t->ike, p->sa, t->now_ms) == IKE_OK)
		return;
	if (peer_is_ours_to_heal(p))
		(void)attempt_renew(t, p, false);
}

static void spare_rekeyed(struct sa_pair *spare, const struct ike_event *e)
{
	if (e->kind == EV_REKEY_FAILED)
		return;                     /* it is to go, whatever its age */
	spare->spi_in = e->tunnel.spi_in;
	spare->spi_out = e->tunnel.spi_out;
	spare->esp_suite = e->tunnel.esp_suite;
	spare->packets_out = 0;
}

/* One end may be elsewhere (RFC 4555). What an anonymous client is counted for changes with where it comes from. */
static void peer_moved(struct tunnels *t, struct peer *p, const struct ike_tunnel *u)
{
	if (p->moves) {                     /* what passed there may not pass here */
		p->moved = true;
		p->answered = p->judged = false;
		p->unanswered_ms = 0;
		p->watch_until_ms = t->now_ms + WATCH_MS;
	}
	p->moves = false;
	p->local = *tunnel_local(u);
	p->outer_local = u->path.local.addr;
	p->encapsulated = u->encapsulated;
	p->wants_keepalive = u->wants_keepalive;
	if (ip_equal(&p->outer, &u->path.remote.addr))
		return;
	p->outer = u->path.remote.addr;
	client_count(t, p);
}

void peer_rekeyed(struct tunnels *t, struct peer *p, const struct ike_event *e)
{
	if (p->spare.sa && e->tunnel.sa == p->spare.sa) {
		spare_rekeyed(&p->spare, e);
		return;
	}
	if (e->tunnel.sa != p->sa)
		return;                     /* one that we have just closed */
	if (e->kind == EV_REKEY_FAILED && p->moves) {
		peer_lost(t, p, REASON_PEER_REFUSED);
		return;
	}
	if (e->kind == EV_REKEY_FAILED && peer_is_ours_to_heal(p)) {
		if (p->state == TUNNEL_PROTECTED)
			(void)attempt_renew(t, p, false);
		return;
	}
	if (e->kind == EV_REKEYED) {
		if (!e->ike_sa)
			peer_moved(t, p, &e->tunnel);
		p->spi_in = e->tunnel.spi_in;
		p->spi_out = e->tunnel.spi_out;
		p->esp_suite = e->tunnel.esp_suite;
		p->packets_out = 0;
		event_of_peer(t, TUNNEL_EV_REKEYED, p, REASON_NONE);
	}
	/* A client that refuses is asked again when its keys are as old again. */
	if (e->ike_sa)
		p->renew_ike_ms = renewal_ms(t, p, t->config.ike_life_s);
	else
		p->renew_ms = renewal_ms(t, p, t->config.soft_life_s);
	if (p->state == TUNNEL_PROTECTED)
		peer_set_timer(t, p);
}

void peer_drain(struct tunnels *t, struct peer *p, enum rp_reason reason, uint64_t wait_ms)
{
	if (p->state == TUNNEL_DRAINING && p->drain_ms <= t->now_ms + wait_ms) {
		if (reason == REASON_DOWN_BY_OPERATOR)
			p->down_reason = reason;
		return;
	}
	p->state = TUNNEL_DRAINING;
	event_of_peer(t, TUNNEL_EV_DRAINING, p, reason);
	client_count(t, p);
	p->drain_ms = t->now_ms + wait_ms;
	peer_tell_down(t, p, reason);
	peer_set_timer(t, p);
}

bool peer_can_revive(const struct tunnels *t, const struct peer *p)
{
	/* What an operator or the end of the process takes down stays down. */
	return p->state == TUNNEL_DRAINING && p->sa && !p->unprotecting && p->down_reason != REASON_DOWN_BY_OPERATOR && !t->stopping;
}

bool peer_revive(struct tunnels *t, struct peer *p)
{
	if (!peer_can_revive(t, p))
		return false;
	p->state = TUNNEL_PROTECTED;
	client_count(t, p);
	peer_set_timer(t, p);
	return true;
}

bool peer_readmit(struct tunnels *t, struct peer *p)
{
	if (p->state != TUNNEL_DRAINING || peer_is_answered(p) || p->sa || p->unprotecting || p->down_reason == REASON_DOWN_BY_OPERATOR)
		return false;
	peer_hold(t, p);
	return true;
}

static void bind_as(struct peer *p, const struct peer *bound)
{
	keyset_unref(p->keys);
	p->keys = keyset_ref(bound->keys);
	p->key_index = bound->key_index;
	p->gateway = bound->gateway;
	peer_copy_names(p, bound);
}

void peer_take_from_client(struct tunnels *t, struct peer *p, const struct peer *bound)
{
	bool proved = bound->gateway.family == IP_NONE && peer_is_bound_to(p, bound->keys, bound->key_index);

	bind_as(p, bound);
	client_count(t, p);
	if (!proved)
		peer_lost(t, p, REASON_KEY_CONFLICT);
}

void peer_wanted_from(struct tunnels *t, const struct peer *bound, const struct ip_addr *local)
{
	char from[IP_TEXT_MAX], text[IP_TEXT_MAX];
	const char *why = "out of memory";
	const struct way way = peer_way(bound);
	const struct attempt *begun = attempt_for(t, local, &bound->remote, &way);
	struct peer *p = NULL;

	/* A name asked just before the packet came. Should nothing come of it, then the pair is there to be healed. */
	if (!begun && attempt_of_pair(t, local, &bound->remote))
		return;
	if (begun || attempt_admit(t, &bound->remote, &bound->gateway, NULL, &why) == REASON_NONE)
		p = peer_new(t, local, &bound->remote, begun ? begun->reqid : reqid_new(t));
	if (!p) {
		log_info(t->log, "%s: not reached from %s: %s", ip_text(&bound->remote, text), ip_text(local, from), why);
		return;
	}
	log_info(t->log, "%s: sent to from %s too", ip_text(&p->remote, text), ip_text(&p->local, from));
	bind_as(p, bound);
	/* No answer named our address: it lives as long as packets want it. */
	p->state = TUNNEL_HEALING;
	peer_acquired(t, p);
}

static void release(struct tunnels *t, struct peer *p)
{
	if (p->sa)
		(void)!ike_close(t->ike, p->sa, p->down_reason, t->now_ms);
	p->sa = 0;
	crossed_spare_close(t, p, p->down_reason);
	if (!p->unprotecting) {
		p->unprotecting = p->unprotect = true;
		peer_queue_out(t, p);
	}
	timer_set(&t->peer_timers, &p->timer, NEVER_MS);
}

void peer_due(struct tunnels *t, struct peer *p)
{
	if (p->retired.family != IP_NONE)
		retire(t, p, &p->retired);  /* the kernel has failed to */
	switch (p->state) {
	case TUNNEL_ESTABLISHING:
		break;
	case TUNNEL_PROTECTED:
		if (p->spare.sa && t->now_ms >= p->spare_ms)
			crossed_spare_close(t, p, REASON_NONE);
		if (t->now_ms >= p->renew_ms)
			peer_refresh(t, p);
		if (t->now_ms >= p->renew_ike_ms)
			refresh_ike(t, p);
		peer_check(t, p);
		if (p->state == TUNNEL_PROTECTED)
			peer_try_silent(t, p);
		return;
	case TUNNEL_HEALING:
		peer_heal(t, p);
		return;
	case TUNNEL_DRAINING:
		release(t, p);
		return;
	}
	timer_set(&t->peer_timers, &p->timer, NEVER_MS);
}

void peer_free(struct tunnels *t, struct peer *p)
{
	struct peer **at = &t->out_first;

	while (*at && *at != p)
		at = &(*at)->next_out;
	if (*at) {
		*at = p->next_out;
		if (!*at)
			t->out_tail = at;
	}
	timer_set(&t->peer_timers, &p->timer, NEVER_MS);
	table_remove(&t->peers, &p->link);
	table_remove(&t->peers_by_reqid, &p->by_reqid);
	table_remove(&t->anonymous, &p->by_source);
	keyset_unref(p->keys);
	free(p->client);
	peer_free_names(p);
	free(p);
}
