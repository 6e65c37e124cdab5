#include "tunnel/state.h"

/* Looking: does it still work? -------------------------------------------------------------------------------------- */

bool peer_is_watched(const struct tunnels *t, const struct peer *p)
{
	return p->keys && !p->encapsulated && !p->answered && !p->judged && t->now_ms < p->watch_until_ms;
}

bool peer_is_ours_to_heal(const struct peer *p)
{
	return p->keys && peer_is_answered(p);
}

/* How long from one look to the next. */
static uint64_t look_ms(const struct tunnels *t, const struct peer *p)
{
	uint64_t ms = !peer_is_ours_to_heal(p) ? CHECK_CLIENT_MS : p->busy ? CHECK_BUSY_MS : CHECK_MS;

	ms += t->peers.n / CHECKS_PER_S * 1000;
	return p->wants_keepalive ? earlier(ms, KEEPALIVE_MS / 2) : ms;
}

uint64_t peer_look_due_ms(const struct tunnels *t, const struct peer *p)
{
	uint64_t due_ms = t->now_ms + look_ms(t, p);

	return peer_is_watched(t, p) ? t->now_ms + ANSWER_MS : due_ms - due_ms % CHECK_STEP_MS;
}

static enum ike_err look(const struct tunnels *t, const struct peer *p, struct sa_traffic *out)
{
	*out = (struct sa_traffic){ 0 };
	return t->env->traffic(t->env->arg, p->reqid, p->spi_in, p->spi_out, &p->outer_local, &p->outer, out);
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
	peer_lost(t, p, REASON_SA_GONE);
	return true;
}

/* From the first packet out on; with a tunnel that has moved its connections would end, so it has more time. */
static uint64_t answer_ms(const struct peer *p)
{
	if (p->moved)
		return SILENT_S * 1000;
	return p->round_trip_ms > ANSWER_MS / 2 ? 2u * p->round_trip_ms : ANSWER_MS;
}

/* The host has proved its key by UDP, so it is there; if packets go out to it and none ever comes in, not even a refusal, then ESP is
 * dropped on the way. A host that just answers nobody costs one more handshake. Where a tunnel has moved, the two ends may also disagree
 * whether ESP goes in UDP there: libreswan 4.10 leaves it as it was. */
static void judge_path(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic)
{
	char text[IP_TEXT_MAX];

	p->answered = p->answered || traffic->packets_in > 0;
	if (p->answered || p->judged || (p->encapsulated && !p->moved) || !p->keys || !peer_is_answered(p) || traffic->packets_out == 0)
		return;
	if (p->unanswered_ms == 0) {
		p->unanswered_ms = t->now_ms;
		p->watch_until_ms = t->now_ms + WATCH_MS;
	}
	if (t->now_ms - p->unanswered_ms < answer_ms(p))
		return;
	log_info(t->log, "%s: no packet comes back: establishing it %s", ip_text(&p->remote, text),
		 p->encapsulated ? "anew" : "with ESP in UDP");
	p->judged = true;
	if (!p->encapsulated)
		esp_dropped_remember(t, &p->outer_local, &p->outer);
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

/* It has answered that it lives, and yet nothing protected has come in since: it may have lost the CHILD SA alone, or never have learnt
 * of its end. Asked for new keys it says so (RFC 7296 2.25.1), and the tunnel is made anew. Once a silence: not all that is sent wants
 * an answer. */
static void doubt_child(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic)
{
	uint64_t silent_ms = UINT64_C(1000) * traffic->idle_in_s;

	if (traffic->packets_in > 0 && silent_ms < SILENT_S * 1000)
		p->doubted = false;
	if (p->doubted || !p->sa || !p->busy || !p->asked_ms || t->now_ms < p->asked_ms + SILENT_S * 1000 ||
	    silent_ms < t->now_ms - p->asked_ms)
		return;
	p->doubted = ike_rekey_child(t->ike, p->sa, t->now_ms) == IKE_OK;
}

/* Of two that crossed the kernel sends with the newer one, whichever is to stay. */
static void listen_to_both(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic)
{
	struct sa_pair *spare = &p->spare;
	struct sa_traffic other = { 0 };

	p->busy = false;
	listen_to(t, p, p->sa, traffic, &p->packets_out);
	doubt_child(t, p, traffic);
	if (spare->sa && t->env->traffic(t->env->arg, p->reqid, spare->spi_in, spare->spi_out, &p->outer_local, &p->outer, &other) == IKE_OK)
		listen_to(t, p, spare->sa, &other, &spare->packets_out);
}

void peer_check(struct tunnels *t, struct peer *p)
{
	struct sa_traffic traffic;
	enum ike_err err = look(t, p, &traffic);
	uint32_t idle_s;

	if (err == IKE_E_STATE) {
		peer_lost(t, p, REASON_SA_GONE);      /* hard limit, or another program */
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

/* Healing ----------------------------------------------------------------------------------------------------------- */

static uint32_t heal_pause(struct peer *p)
{
	uint32_t wait_ms = p->heal_wait_ms ? p->heal_wait_ms : HEAL_FIRST_MS;

	p->heal_wait_ms = wait_ms * 2 > HEAL_LAST_MS ? HEAL_LAST_MS : wait_ms * 2;
	return wait_ms;
}

static bool another_is_up(const struct tunnels *t, const struct peer *p)
{
	const struct peer *other = peer_of_link(table_first(&t->peers, hash_address(t, &p->remote)));

	while (other && !(other != p && other->keys && other->state == TUNNEL_PROTECTED && ip_equal(&other->remote, &p->remote)))
		other = peer_of_link(table_next(&other->link));
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
	event_of_peer(t, TUNNEL_EV_HEALING, p, reason);
	p->sa = 0;
	p->wanted_ms = t->now_ms;
	p->acquired_ms = 0;
	peer_tell_down(t, p, reason);
	/* At once, unless it was healed only a moment ago: a host that ends every SA must not make us run in a circle. */
	if (t->now_ms >= p->established_ms + HEAL_CALM_MS)
		p->heal_wait_ms = 0;
	if (p->heal_wait_ms == 0 && expects_packets(t, p))
		(void)attempt_renew(t, p, false);
	p->heal_ms = t->now_ms + jittered(t, heal_pause(p));
	peer_set_timer(t, p);
}

void peer_hold(struct tunnels *t, struct peer *p)
{
	p->state = TUNNEL_HEALING;
	client_count(t, p);
	p->wanted_ms = t->now_ms;
	p->heal_ms = later(t->now_ms, t->config.idle_s);
	peer_set_timer(t, p);
}

void peer_closed(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	/* It did not go along: from where we are now there is to be another one. */
	if (p->moves)
		roam_soon(t);
	p->moves = false;
	p->sa = 0;
	if (p->state == TUNNEL_DRAINING)
		return;
	if (crossed_spare_used(p)) {
		peer_set_timer(t, p);
		return;
	}
	crossed_spare_close(t, p, REASON_NONE);
	if (peer_is_ours_to_heal(p))
		begin_healing(t, p, reason);
	else if (reason == REASON_AUTH_FAILED || peer_is_assigned(p))
		/* It found our key wrong, and must reach us in clear at once, for the names that have no key. Or nobody has its address
		 * any more. */
		peer_drain(t, p, reason, 0);
	else if (reason == REASON_PEER_REFUSED || reason == REASON_PEER_MOVED)
		peer_drain(t, p, reason, t->config.drain_ms);   /* it said goodbye, or is elsewhere, and its address may soon be somebody else's */
	else
		peer_hold(t, p);
}

void peer_sa_ended(struct tunnels *t, struct peer *p, ike_handle sa, enum rp_reason reason)
{
	if (sa == p->spare.sa)
		p->spare.sa = 0;
	else if (sa == p->sa)
		peer_closed(t, p, reason);
}

void peer_lost(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	ike_handle sa = p->sa;

	if (sa)
		(void)!ike_close(t->ike, sa, reason, t->now_ms);
	peer_closed(t, p, reason);
}

static bool is_in_use(const struct tunnels *t, const struct peer *p)
{
	return p->acquired_ms && t->now_ms < p->acquired_ms + IN_USE_MS;
}

void peer_heal(struct tunnels *t, struct peer *p)
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
	if (peer_is_ours_to_heal(p) && is_in_use(t, p)) {
		(void)attempt_renew(t, p, true);
		p->heal_ms = t->now_ms + jittered(t, earlier(heal_pause(p), HEAL_BUSY_MS));
	} else if (peer_is_ours_to_heal(p) && expects_packets(t, p)) {
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
	return p->state == TUNNEL_HEALING && peer_is_ours_to_heal(p) && t->now_ms >= p->tried_ms + HEAL_BUSY_MS;
}

void peer_attempt_failed(struct tunnels *t, struct peer *p)
{
	if (p->state == TUNNEL_HEALING && peer_is_ours_to_heal(p) && is_in_use(t, p))
		heal_soon(t, p);
}

void peer_silent(struct tunnels *t, struct peer *p, const struct ike_event *e)
{
	bool concerns = e->tunnel.sa == p->sa || (e->tunnel.sa == p->spare.sa && !p->spare_is_old);

	if (p->state != TUNNEL_PROTECTED || !concerns || !peer_is_ours_to_heal(p))
		return;
	/* A host that lives will not assign the same address again, and connections end with it: not for what may be a moment
	 * without a network. */
	if (peer_has_assigned(p) && !e->long_silent)
		return;
	p->silent_ms = p->tried_ms + HEAL_BUSY_MS;
	peer_try_silent(t, p);
}

void peer_try_silent(struct tunnels *t, struct peer *p)
{
	if (t->now_ms >= p->silent_ms) {
		p->silent_ms = NEVER_MS;
		(void)attempt_renew(t, p, true);
	}
	peer_set_timer(t, p);
}
