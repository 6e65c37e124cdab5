/* What the layer above asks for (ike.h, "In"): commands, completions, and that time passes. */
#include "ike/engine.h"

#include <string.h>

#include "ike/child.h"

/* The other end of the CHILD SA is the peer, or what the peer is a gateway of. */
static bool ends_fit(const struct ike_initiate *how)
{
	const struct ip_addr *peer = &how->path.remote.addr;

	if (how->host.family == IP_NONE || how->host.family == peer->family)
		return how->source.family == IP_NONE && !ip_equal(&how->host, peer);
	return how->source.family == how->host.family;
}

enum ike_err ike_initiate(struct ike *ike, const struct ike_initiate *how, uint64_t now_ms,
			  ike_handle *out)
{
	struct stimulus s = { .on = ON_START, .now_ms = engine_enter(ike, now_ms) };
	struct ike_sa *sa;
	enum ike_err err;

	*out = 0;
	if (!ends_fit(how) || (how->identify && ike->config.identity.n == 0))
		return IKE_E_CONFIG;
	err = engine_add(ike, true, &how->path, &sa);
	if (err != IKE_OK)
		return err;
	sa->tag = how->tag;
	sa->reqid = how->reqid;
	sa->expire_ms = how->give_up_ms;
	sa->owes_end = true;
	sa->hs->path_500 = how->path;
	sa->hs->host = how->host;
	sa->hs->source = how->source;
	sa->hs->name = how->name;
	sa->hs->identify = how->identify;
	sa->hs->keys = keyset_ref(how->keys);
	sa->hs->encapsulate = how->encapsulate;
	sa->hs->former = how->former;
	ike->stats.initiated++;
	*out = sa->handle;
	engine_step(sa, &s);
	return IKE_OK;
}

static enum ike_err command(struct ike *ike, ike_handle handle, const struct stimulus *s,
			    unsigned states)
{
	struct ike_sa *sa = engine_by_handle(ike, handle);

	if (!sa || !(IN(sa->state) & states))
		return IKE_E_STATE;
	engine_step(sa, s);
	return IKE_OK;
}

enum ike_err ike_close(struct ike *ike, ike_handle sa, enum rp_reason reason, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_CLOSE,
			      .now_ms = engine_enter(ike, now_ms),
			      .reason = reason };

	return command(ike, sa, &s, IN_HANDSHAKE | IN_LIFE);
}

enum ike_err ike_check_liveness(struct ike *ike, ike_handle sa, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_PROBE, .now_ms = engine_enter(ike, now_ms) };

	return command(ike, sa, &s, IN_LIFE);
}

static enum ike_err ask_for_rekey(struct ike *ike, ike_handle handle, bool of_ike, uint64_t now_ms)
{
	struct ike_sa *sa = engine_by_handle(ike, handle);
	bool *asked = sa && of_ike ? &sa->rekey_ike_asked : sa ? &sa->rekey_child_asked : NULL;

	now_ms = engine_enter(ike, now_ms);
	if (!sa || !(IN(sa->state) & IN_LIFE))
		return IKE_E_STATE;
	/* What is under way already is what is wanted. */
	if (!(*asked || (sa->rekey && (sa->rekey->fresh_ike != NULL) == of_ike))) {
		*asked = true;
		sa->rekey_at_ms = now_ms;
		sa->rekey_tries = 0;
	}
	engine_settle(sa, now_ms);
	return IKE_OK;
}

enum ike_err ike_rekey_child(struct ike *ike, ike_handle sa, uint64_t now_ms)
{
	return ask_for_rekey(ike, sa, false, now_ms);
}

enum ike_err ike_rekey_ike(struct ike *ike, ike_handle sa, uint64_t now_ms)
{
	return ask_for_rekey(ike, sa, true, now_ms);
}

/* path has the same remote address. */
static void go_to(struct ike_sa *sa, const struct ip_path *path, uint64_t now_ms)
{
	sa->path = *path;
	sa->move_asked = true;
	/* What is out goes again at once: before that is answered nothing else can be said. */
	if (sa->window.request)
		packet_send(&sa->ike->out, sa->window.request, &sa->path);
	engine_settle(sa, now_ms);
}

/* IKE SAs that were replaced come along: a peer that has not heard our answer does not know the new one, and repeats its request to where
 * we have gone from. */
static void move_replaced(const struct ike_sa *sa, const struct ip_path *path, uint64_t now_ms)
{
	struct table_link *link = table_first(&sa->ike->by_peer, sa->by_peer.hash);

	while (link) {
		struct ike_sa *old = SA_OF(link, by_peer);

		link = table_next(link);
		if (old->state == ST_EMPTY && old->we_started && old->mobike && ip_equal(&old->path.remote.addr, &path->remote.addr) &&
		    !ip_equal(&old->path.local.addr, &path->local.addr))
			go_to(old, path, now_ms);
	}
}

enum ike_err ike_move(struct ike *ike, ike_handle handle, const struct ip_addr *local, uint64_t now_ms)
{
	struct ike_sa *sa = engine_by_handle(ike, handle);
	struct ip_path path;

	now_ms = engine_enter(ike, now_ms);
	if (!sa || !(IN(sa->state) & IN_LIFE) || !sa->mobike || !sa->we_started || local->family != sa->path.local.addr.family)
		return IKE_E_STATE;
	path = sa->path;
	path.local = (struct ip_endpoint){ .addr = *local, .port = ike->config.natt_port };
	path.remote.port = NATT_PORT;       /* RFC 4555 3.3 */
	move_replaced(sa, &path, now_ms);
	go_to(sa, &path, now_ms);
	return IKE_OK;
}

enum ike_err ike_keepalive(struct ike *ike, ike_handle handle, uint64_t now_ms)
{
	struct ike_sa *sa;
	struct packet *p;

	engine_enter(ike, now_ms);
	sa = engine_by_handle(ike, handle);
	if (!sa || sa->state != ST_UP || !sa->wants_keepalive)
		return IKE_E_STATE;
	p = packet_new(&sa->path, 1);
	if (!p)
		return IKE_E_NOMEM;
	p->bytes[0] = 0xff;
	packet_send(&ike->out, p, &sa->path);
	packet_unref(p);
	return IKE_OK;
}

enum rp_reason ike_outlook(const struct ike *ike, ike_handle handle, char detail[IKE_DETAIL_MAX])
{
	const struct ike_sa *sa = engine_by_handle(ike, handle);

	detail[0] = '\0';
	return sa && (IN(sa->state) & IN_HANDSHAKE) ? sa_outlook(sa, detail) : REASON_NONE;
}

/* The half out of a CHILD SA was asked for when nothing could wait for it any more. Without it the pair is of no use. */
static void nobody_waits(struct ike_sa *sa, uint64_t id, const struct stimulus *s)
{
	struct stimulus close = { .on = ON_CLOSE, .now_ms = s->now_ms, .reason = REASON_KERNEL };
	struct child *c = sa->children;

	while (c && c->pending_id != id)
		c = c->next;
	if (!c)
		return;
	c->pending_id = 0;
	if (s->result == IKE_OK || !(IN(sa->state) & IN_LIFE))
		return;
	c->has_out = false;
	engine_step(sa, &close);
}

/* Ids are the handle and a counter: a completion finds its SA, or that it is gone. */
static void complete(struct ike *ike, uint64_t id, const struct stimulus *s)
{
	struct ike_sa *sa = engine_by_handle(ike, id >> 8);

	if (!sa)
		return;
	if (sa->pending_id != id) {
		nobody_waits(sa, id, s);
		return;
	}
	sa->pending_id = 0;
	engine_step(sa, s);
}

void ike_done(struct ike *ike, uint64_t id, enum ike_err result, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_KERNEL,
			      .now_ms = engine_enter(ike, now_ms),
			      .result = result };

	complete(ike, id, &s);
}

void ike_signed(struct ike *ike, uint64_t id, enum ike_err result, uint8_t method,
		struct span auth_value, uint64_t now_ms)
{
	struct stimulus s = {
		.on = ON_SIGNED,
		.now_ms = engine_enter(ike, now_ms),
		.result = result,
		.auth_method = method,
		.auth_value = auth_value,
	};

	complete(ike, id, &s);
}

void ike_authorized(struct ike *ike, uint64_t id, enum rp_reason refuse, const char *detail,
		    struct keyset *keys, uint32_t reqid, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_AUTHORIZED,
			      .now_ms = engine_enter(ike, now_ms),
			      .reason = refuse,
			      .detail = detail,
			      .keys = keys,
			      .reqid = reqid };

	complete(ike, id, &s);
}

/* Time ----------------------------------------------------------------------------------------- */

uint64_t ike_deadline_ms(const struct ike *ike)
{
	const struct timer *first = timers_first(&ike->timers);

	return first ? first->due_ms : NEVER_MS;
}

void ike_tick(struct ike *ike, uint64_t now_ms)
{
	struct stimulus expired = { .on = ON_EXPIRED, .now_ms = engine_enter(ike, now_ms) };
	struct stimulus silence = { .on = ON_SILENCE, .now_ms = ike->now_ms };
	struct timer *timer;

	while ((timer = timers_first(&ike->timers)) && timer->due_ms <= ike->now_ms) {
		struct ike_sa *sa = SA_OF(timer, timer);
		struct packet *again = window_tick(&sa->window, ike->now_ms);

		if (sa->expire_ms <= ike->now_ms) {
			sa->expire_ms = NEVER_MS;
			expired.reason = sa->reason;
			engine_step(sa, &expired);
			continue;
		}
		if (again) {
			engine_step(sa, &silence);
			continue;
		}
		if (IN(sa->state) & IN_LIFE)
			children_due(sa, ike->now_ms);
		engine_settle(sa, ike->now_ms);
	}
}
