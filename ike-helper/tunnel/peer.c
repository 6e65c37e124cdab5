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

const struct ip_addr *tunnel_remote(const struct ike_tunnel *u)
{
	return u->inner_remote.family != IP_NONE ? &u->inner_remote : &u->path.remote.addr;
}

bool peer_is_assigned(const struct peer *p)
{
	return !ip_equal(&p->outer, &p->remote);
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

static void tell_down(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	p->tell_down = true;
	p->down_told = 0;
	p->down_reason = reason;
	peer_queue_out(t, p);
}

/* Life --------------------------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Is it to be found out whether ESP comes through to this host? */
static bool is_watched(const struct tunnels *t, const struct peer *p)
{
	return p->keys && !p->encapsulated && !p->answered && !p->judged && t->now_ms < p->watch_until_ms;
}

/* Is it for us to establish it again? A client does that itself. */
static bool is_ours_to_heal(const struct peer *p)
{
	return p->keys && peer_is_answered(p);
}

/* How long from one look to the next. */
static uint64_t look_ms(const struct tunnels *t, const struct peer *p)
{
	uint64_t ms = !is_ours_to_heal(p) ? CHECK_CLIENT_MS : p->busy ? CHECK_BUSY_MS : CHECK_MS;

	ms += t->peers.n / CHECKS_PER_S * 1000;
	return p->wants_keepalive ? earlier(ms, KEEPALIVE_MS / 2) : ms;
}

static uint64_t look_due_ms(const struct tunnels *t, const struct peer *p)
{
	uint64_t due_ms = t->now_ms + look_ms(t, p);

	return is_watched(t, p) ? t->now_ms + ANSWER_MS : due_ms - due_ms % CHECK_STEP_MS;
}

void peer_set_timer(struct tunnels *t, struct peer *p)
{
	uint64_t due_ms = NEVER_MS;

	switch (p->state) {
	case TUNNEL_ESTABLISHING:           /* a state of attempts, for people; no peer is in it */
		break;
	case TUNNEL_PROTECTED:
		due_ms = earlier(look_due_ms(t, p), earlier(p->renew_ms, p->renew_ike_ms));
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
	bool was_ours = is_ours_to_heal(p);

	peer_add_name(p, name, said);
	if (expires_ms > p->answer_expires_ms)
		p->answer_expires_ms = expires_ms;
	/* Its first packet may come now. */
	if (p->state == TUNNEL_PROTECTED && !is_watched(t, p)) {
		p->watch_until_ms = t->now_ms + WATCH_MS;
		if (is_watched(t, p) || !was_ours)
			peer_set_timer(t, p);
	}
}

void peers_hear_keys(struct tunnels *t, const struct ip_addr *remote, const struct dnsname *name, struct said said)
{
	struct peer *p = of_link(table_first(&t->peers, hash_address(t, remote)));

	for (; p; p = of_link(table_next(&p->link))) {
		if (ip_equal(&p->remote, remote))
			peer_name_publishes(p, name, said);
	}
}

static bool same_key(const struct ipseckey *a, const struct ipseckey *b)
{
	return a->algorithm == b->algorithm && span_equal(pubkey_canonical(a), pubkey_canonical(b));
}

bool peer_accepts(const struct peer *p, const struct attempt *a, unsigned key_index)
{
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
	p->local = *local;
	p->remote = p->outer = *remote;
	p->reqid = reqid;
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
	struct peer *p = peer_by_pair(t, &u->path.local.addr, tunnel_remote(u));
	struct ip_addr before;
	ike_handle old;

	if (!p)
		p = peer_new(t, &u->path.local.addr, tunnel_remote(u), u->reqid);
	if (!p)
		return NULL;
	p->state = TUNNEL_PROTECTED;
	if (crossed_and_old_stays(t, p, u, a ? a->accepted : u->peer_keys)) {
		peer_set_timer(t, p);
		return p;
	}
	/* Make before break: the old pair goes when the new one is in place. An anonymous client's SA does not stay beside
	 * one whose key was proved. */
	old = p->sa;
	p->sa = u->sa;
	if (old && old != u->sa)
		(void)!ike_close(t->ike, old, REASON_NONE, t->now_ms);
	p->outer = u->path.remote.addr;
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
	p->behind = u->behind;
	p->wants_keepalive = u->wants_keepalive;
	p->sent_ms = p->looked_ms = t->now_ms;
	p->answered = p->judged = false;
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
	if (is_ours_to_heal(p))
		(void)attempt_renew(t, p, false);
}

static void refresh_ike(struct tunnels *t, struct peer *p)
{
	p->renew_ike_ms = t->now_ms + jittered(t, HEAL_LAST_MS);
	if (p->sa && ike_rekey_ike(t->ike, p->sa, t->now_ms) == IKE_OK)
		return;
	if (is_ours_to_heal(p))
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

void peer_rekeyed(struct tunnels *t, struct peer *p, const struct ike_event *e)
{
	if (p->spare.sa && e->tunnel.sa == p->spare.sa) {
		spare_rekeyed(&p->spare, e);
		return;
	}
	if (e->tunnel.sa != p->sa)
		return;                     /* one that we have just closed */
	if (e->kind == EV_REKEY_FAILED && is_ours_to_heal(p)) {
		if (p->state == TUNNEL_PROTECTED)
			(void)attempt_renew(t, p, false);
		return;
	}
	if (e->kind == EV_REKEYED) {
		p->spi_in = e->tunnel.spi_in;
		p->spi_out = e->tunnel.spi_out;
		p->esp_suite = e->tunnel.esp_suite;
		p->packets_out = 0;
	}
	/* A client that refuses is asked again when its keys are as old again. */
	if (e->ike_sa)
		p->renew_ike_ms = renewal_ms(t, p, t->config.ike_life_s);
	else
		p->renew_ms = renewal_ms(t, p, t->config.soft_life_s);
	if (p->state == TUNNEL_PROTECTED)
		peer_set_timer(t, p);
}

static uint32_t heal_pause(struct peer *p)
{
	uint32_t wait_ms = p->heal_wait_ms ? p->heal_wait_ms : HEAL_FIRST_MS;

	p->heal_wait_ms = wait_ms * 2 > HEAL_LAST_MS ? HEAL_LAST_MS : wait_ms * 2;
	return wait_ms;
}

static bool another_is_up(const struct tunnels *t, const struct peer *p)
{
	const struct peer *other = of_link(table_first(&t->peers, hash_address(t, &p->remote)));

	while (other && !(other != p && other->keys && other->state == TUNNEL_PROTECTED && ip_equal(&other->remote, &p->remote)))
		other = of_link(table_next(&other->link));
	return other != NULL;
}

/* Will somebody send, although no packet says so? Whoever has the answer, unless our address is gone, or another one of ours has a
 * tunnel: he may send from there, and behind a NAT the two are one for the host, and would push each other out without end. */
static bool expects_packets(const struct tunnels *t, const struct peer *p)
{
	return t->now_ms < p->answer_expires_ms && t->env->is_own_address(t->env->arg, &p->local) && !another_is_up(t, p);
}

/* The policies stay: whatever is sent to the address now is dropped until it is healed or released. */
static void begin_healing(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	char text[IP_TEXT_MAX];

	log_info(t->log, "%s: down: %s", ip_text(&p->remote, text), rp_reason_text(reason));
	p->state = TUNNEL_HEALING;
	p->sa = 0;
	p->wanted_ms = t->now_ms;
	p->acquired_ms = 0;
	tell_down(t, p, reason);
	/* At once, unless it was healed only a moment ago: a host that ends every SA must not make us run in a circle. */
	if (t->now_ms >= p->established_ms + HEAL_CALM_MS)
		p->heal_wait_ms = 0;
	if (p->heal_wait_ms == 0 && expects_packets(t, p))
		(void)attempt_renew(t, p, false);
	p->heal_ms = t->now_ms + jittered(t, heal_pause(p));
	peer_set_timer(t, p);
}

/* A client that fell silent may come back to connections that still live: nothing leaves in clear for them. */
static void hold(struct tunnels *t, struct peer *p)
{
	p->state = TUNNEL_HEALING;
	client_count(t, p);
	p->wanted_ms = t->now_ms;
	p->heal_ms = later(t->now_ms, t->config.idle_s);
	peer_set_timer(t, p);
}

void peer_closed(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	p->sa = 0;
	if (p->state == TUNNEL_DRAINING)
		return;
	if (crossed_spare_used(p)) {
		peer_set_timer(t, p);
		return;
	}
	if (is_ours_to_heal(p))
		begin_healing(t, p, reason);
	else if (reason == REASON_AUTH_FAILED || peer_is_assigned(p))
		/* It found our key wrong, and must reach us in clear at once, for the names that have no key. Or nobody has its address
		 * any more. */
		peer_drain(t, p, reason, 0);
	else if (reason == REASON_PEER_REFUSED)
		peer_drain(t, p, reason, t->config.drain_ms);   /* it said goodbye, and its address may soon be somebody else's */
	else
		hold(t, p);
}

void peer_sa_ended(struct tunnels *t, struct peer *p, ike_handle sa, enum rp_reason reason)
{
	if (sa == p->spare.sa)
		p->spare.sa = 0;
	else if (sa == p->sa)
		peer_closed(t, p, reason);
}

void peer_drain(struct tunnels *t, struct peer *p, enum rp_reason reason, uint64_t wait_ms)
{
	if (p->state == TUNNEL_DRAINING && p->drain_ms <= t->now_ms + wait_ms)
		return;
	p->state = TUNNEL_DRAINING;
	client_count(t, p);
	p->drain_ms = t->now_ms + wait_ms;
	tell_down(t, p, reason);
	peer_set_timer(t, p);
}

void peer_lost(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	ike_handle sa = p->sa;

	if (sa)
		(void)!ike_close(t->ike, sa, reason, t->now_ms);
	peer_closed(t, p, reason);
}

static enum ike_err look(const struct tunnels *t, const struct peer *p, struct sa_traffic *out)
{
	*out = (struct sa_traffic){ 0 };
	return t->env->traffic(t->env->arg, p->reqid, p->spi_in, p->spi_out, &p->local, &p->outer, out);
}

void peer_look_at_use(struct tunnels *t, struct peer *p)
{
	struct sa_traffic traffic;

	if (look(t, p, &traffic) == IKE_OK)
		peer_was_used(t, p, &traffic);
}

bool peer_lost_sa(struct tunnels *t, struct peer *p)
{
	struct sa_traffic traffic;

	if (look(t, p, &traffic) != IKE_E_STATE)
		return false;
	peer_lost(t, p, REASON_KERNEL);
	return true;
}

/* The host has proved its key by UDP, so it is there; if packets go out to it and none ever comes in, not even a refusal, then ESP is
 * dropped on the way. A host that just answers nobody costs one more handshake. */
static void judge_path(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic)
{
	uint64_t answer_ms = p->round_trip_ms > ANSWER_MS / 2 ? 2u * p->round_trip_ms : ANSWER_MS;
	char text[IP_TEXT_MAX];

	p->answered = p->answered || traffic->packets_in > 0;
	if (p->answered || p->judged || p->encapsulated || !p->keys || !peer_is_answered(p) || traffic->packets_out == 0)
		return;
	if (p->unanswered_ms == 0) {
		p->unanswered_ms = t->now_ms;
		p->watch_until_ms = t->now_ms + WATCH_MS;
	}
	if (t->now_ms - p->unanswered_ms < answer_ms)
		return;
	log_info(t->log, "%s: no packet comes back: establishing it with ESP in UDP", ip_text(&p->remote, text));
	p->judged = true;
	esp_dropped_remember(t, &p->local, &p->remote);
	/* The old one goes first. It is of no use, and libreswan 4.10 takes no second pair of SAs for the same addresses. */
	peer_lost(t, p, REASON_TIMEOUT);
}

/* What was sent between two looks may have been sent just after the first. */
static void keep_alive(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic)
{
	if (traffic->packets_out != p->packets_out)
		p->sent_ms = p->looked_ms;
	p->looked_ms = t->now_ms;
	if (!p->wants_keepalive || t->now_ms + look_ms(t, p) <= p->sent_ms + KEEPALIVE_MS)
		return;
	if (ike_keepalive(t->ike, p->sa, t->now_ms) == IKE_OK)
		p->sent_ms = t->now_ms;
}

/* Packets that leave and none that come back are a question to the peer. *packets_out: at the last look. */
static void listen_to(struct tunnels *t, struct peer *p, ike_handle sa, const struct sa_traffic *traffic, uint64_t *packets_out)
{
	bool busy = traffic->packets_out > *packets_out;

	*packets_out = traffic->packets_out;
	p->busy |= busy;
	if (!sa || !busy || traffic->idle_in_s < SILENT_S || (p->asked_ms && t->now_ms < p->asked_ms + ASK_AGAIN_MS))
		return;
	p->asked_ms = t->now_ms;
	(void)!ike_check_liveness(t->ike, sa, t->now_ms);
}

/* Of two that crossed the kernel sends with the newer one, whichever is to stay. */
static void listen_to_both(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic)
{
	struct sa_pair *spare = &p->spare;
	struct sa_traffic other = { 0 };

	p->busy = false;
	listen_to(t, p, p->sa, traffic, &p->packets_out);
	if (spare->sa && t->env->traffic(t->env->arg, p->reqid, spare->spi_in, spare->spi_out, &p->local, &p->outer, &other) == IKE_OK)
		listen_to(t, p, spare->sa, &other, &spare->packets_out);
}

static void check(struct tunnels *t, struct peer *p)
{
	struct sa_traffic traffic;
	enum ike_err err = look(t, p, &traffic);
	uint32_t idle_s;

	if (err == IKE_E_STATE) {
		peer_lost(t, p, REASON_KERNEL);      /* hard limit, or an administrator */
		return;
	}
	if (err != IKE_OK) {
		peer_set_timer(t, p);
		return;
	}
	judge_path(t, p, &traffic);
	if (p->state != TUNNEL_PROTECTED)
		return;
	keep_alive(t, p, &traffic);
	listen_to_both(t, p, &traffic);
	peer_was_used(t, p, &traffic);
	idle_s = traffic.idle_in_s < traffic.idle_out_s ? traffic.idle_in_s : traffic.idle_out_s;
	if (t->now_ms >= later(p->answer_expires_ms, t->config.idle_s) && idle_s >= t->config.idle_s) {
		peer_drain(t, p, REASON_NONE, t->config.drain_ms);
		return;
	}
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
	hold(t, p);
	return true;
}

static bool is_in_use(const struct tunnels *t, const struct peer *p)
{
	return p->acquired_ms && t->now_ms < p->acquired_ms + IN_USE_MS;
}

static void heal(struct tunnels *t, struct peer *p)
{
	uint64_t until_ms = later(p->wanted_ms, t->config.idle_s);

	if (until_ms < p->answer_expires_ms)
		until_ms = p->answer_expires_ms;
	/* Nobody was told the address any more, and nobody has tried to send for a while. */
	if (t->now_ms >= until_ms) {
		peer_drain(t, p, REASON_NONE, t->config.drain_ms);
		return;
	}
	p->heal_ms = until_ms;
	if (is_ours_to_heal(p) && is_in_use(t, p)) {
		(void)attempt_renew(t, p, true);
		p->heal_ms = t->now_ms + jittered(t, earlier(heal_pause(p), HEAL_BUSY_MS));
	} else if (is_ours_to_heal(p) && expects_packets(t, p)) {
		(void)attempt_renew(t, p, false);
		p->heal_ms = t->now_ms + jittered(t, heal_pause(p));
	}
	peer_set_timer(t, p);
}

/* As soon as may be. */
static void heal_soon(struct tunnels *t, struct peer *p)
{
	uint64_t soon_ms = p->tried_ms + earlier(p->heal_wait_ms ? p->heal_wait_ms : HEAL_FIRST_MS, HEAL_BUSY_MS);

	p->heal_ms = earlier(p->heal_ms, soon_ms > t->now_ms ? soon_ms : t->now_ms);
	peer_set_timer(t, p);
}

void peer_acquired(struct tunnels *t, struct peer *p)
{
	p->wanted_ms = p->acquired_ms = t->now_ms;
	heal_soon(t, p);
}

bool peer_may_be_tried(const struct tunnels *t, const struct peer *p)
{
	return p->state == TUNNEL_HEALING && is_ours_to_heal(p) && t->now_ms >= p->tried_ms + HEAL_BUSY_MS;
}

void peer_attempt_failed(struct tunnels *t, struct peer *p)
{
	if (p->state == TUNNEL_HEALING && is_ours_to_heal(p) && is_in_use(t, p))
		heal_soon(t, p);
}

void peer_silent(struct tunnels *t, struct peer *p, const struct ike_event *e)
{
	if (p->state != TUNNEL_PROTECTED || (e->tunnel.sa != p->sa && e->tunnel.sa != p->spare.sa) || !is_ours_to_heal(p))
		return;
	/* Connections end with an assigned address: not for what may be a moment without a network. */
	if (!peer_has_assigned(p) && t->now_ms >= p->tried_ms + HEAL_BUSY_MS)
		(void)attempt_renew(t, p, true);
}

static void bind_as(struct peer *p, const struct peer *bound)
{
	keyset_unref(p->keys);
	p->keys = keyset_ref(bound->keys);
	p->key_index = bound->key_index;
	peer_copy_names(p, bound);
}

void peer_take_from_client(struct tunnels *t, struct peer *p, const struct peer *bound)
{
	bool proved = peer_is_bound_to(p, bound->keys, bound->key_index);

	bind_as(p, bound);
	client_count(t, p);
	if (!proved)
		peer_lost(t, p, REASON_KEY_CONFLICT);
}

void peer_wanted_from(struct tunnels *t, const struct peer *bound, const struct ip_addr *local)
{
	char from[IP_TEXT_MAX], text[IP_TEXT_MAX];
	const char *why = "out of memory";
	const struct attempt *begun = attempt_for(t, local, &bound->remote, bound->keys);
	struct peer *p = NULL;

	/* A name asked just before the packet came. Should nothing come of it, then the pair is there to be healed. */
	if (!begun && attempt_of_pair(t, local, &bound->remote))
		return;
	if (begun || attempt_admit(t, &bound->remote, NULL, &why) == REASON_NONE)
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
		check(t, p);
		return;
	case TUNNEL_HEALING:
		heal(t, p);
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
