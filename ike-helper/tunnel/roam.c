#include "tunnel/state.h"

#include <stdlib.h>

/* An address that goes and one that comes are several pieces of news. */
enum { SETTLE_MS = 200, AT_ONCE = 64, STEP_MS = 5 };

void roam_soon(struct tunnels *t)
{
	if (t->roam_ms == NEVER_MS)
		t->roam_ms = t->now_ms + SETTLE_MS;
}

bool roam_concerns(const struct tunnels *t, const struct ip_addr *local)
{
	for (size_t i = 0; i < t->peers.buckets; i++) {
		for (const struct peer *p = peer_of_link(t->peers.bucket[i]); p; p = peer_of_link(p->link.next)) {
			if (ip_equal(&p->local, local) || ip_equal(&p->outer_local, local))
				return true;
		}
	}
	return false;
}

/* The pair of this address of ours and p's host, which may have to be made; NULL: it cannot be, or a name has just asked for it. */
static struct peer *pair_from(struct tunnels *t, const struct peer *p, const struct ip_addr *local)
{
	struct peer *other = peer_by_pair(t, local, &p->remote);

	if (!other) {
		peer_wanted_from(t, p, local);
		other = peer_by_pair(t, local, &p->remote);
	}
	return other;
}

/* In turn, so that a thousand tunnels do not begin in the same millisecond. */
static void heal_in_turn(struct tunnels *t, struct peer *p, unsigned *begun)
{
	unsigned waits = *begun < AT_ONCE ? 0 : *begun - AT_ONCE;

	(*begun)++;
	p->heal_wait_ms = 0;
	p->heal_ms = t->now_ms + waits * STEP_MS;
	peer_set_timer(t, p);
}

/* A tunnel whose address the host has assigned goes along, and its connections with it (RFC 4555). */
static bool goes_along(struct tunnels *t, struct peer *p)
{
	struct ip_addr from;
	char text[IP_TEXT_MAX], to[IP_TEXT_MAX];

	if (!p->sa || p->state != TUNNEL_PROTECTED || !peer_has_assigned(p) ||
	    t->env->source_address(t->env->arg, &p->remote, &from) != IKE_OK || peer_by_pair(t, &from, &p->remote) ||
	    ike_move(t->ike, p->sa, &from, t->now_ms) != IKE_OK)
		return false;
	log_info(t->log, "%s: goes along to %s", ip_text(&p->remote, text), ip_text(&from, to));
	p->moves = true;
	return true;
}

/* What was told about p's host holds for the pair that takes its place: connections to it go on, or try to. */
static void follow(struct tunnels *t, struct peer *p, bool ask, bool resumed, unsigned *begun)
{
	bool gone = !t->env->is_own_address(t->env->arg, &p->local);
	bool cut = gone || !t->env->is_own_address(t->env->arg, &p->outer_local);
	struct ip_addr from;
	struct peer *other;

	if (gone && !resumed && goes_along(t, p))
		return;
	if (p->sa && (cut || resumed))
		peer_lost(t, p, REASON_TIMEOUT);
	else if (p->sa && ask)
		(void)!ike_check_liveness(t->ike, p->sa, t->now_ms);
	if (!p->keys || !peer_is_answered(p) || p->state == TUNNEL_DRAINING)
		return;
	if (!gone && p->state == TUNNEL_HEALING)
		heal_in_turn(t, p, begun);
	if (t->env->source_address(t->env->arg, &p->remote, &from) != IKE_OK || ip_equal(&from, &p->local) ||
	    !way_takes_source(&p->gateway, &from))
		return;
	other = pair_from(t, p, &from);
	if (!other || other->state == TUNNEL_DRAINING)
		return;
	if (!peer_is_answered(other))
		peer_take_from_client(t, other, p);
	if (other->answer_expires_ms < p->answer_expires_ms)
		other->answer_expires_ms = p->answer_expires_ms;
	if (other->state == TUNNEL_HEALING)
		heal_in_turn(t, other, begun);
	/* The shield stays for the other. */
	if (gone)
		peer_drain(t, p, REASON_NONE, t->config.drain_ms);
}

/* All of them as they are now: following one makes others, and the table may be built anew. */
static struct peer **all_peers(const struct tunnels *t, size_t *n)
{
	struct peer **all = calloc(t->peers.n + 1, sizeof(struct peer *));

	*n = 0;
	for (size_t i = 0; all && i < t->peers.buckets; i++) {
		for (struct peer *p = peer_of_link(t->peers.bucket[i]); p; p = peer_of_link(p->link.next))
			all[(*n)++] = p;
	}
	return all;
}

void roam_due(struct tunnels *t)
{
	bool resumed = t->resumed, ask = t->way_changed || resumed;
	struct peer **all;
	unsigned begun = 0;
	size_t n;

	if (t->now_ms < t->roam_ms || t->stopping)
		return;
	t->roam_ms = NEVER_MS;
	t->resumed = t->way_changed = false;
	all = all_peers(t, &n);
	if (!all) {                         /* no memory: a little later perhaps */
		t->resumed = resumed;
		t->way_changed = ask;
		roam_soon(t);
		return;
	}
	for (size_t i = 0; i < n; i++)
		follow(t, all[i], ask && i < AT_ONCE, resumed, &begun);
	free(all);
	if (begun > 0)
		log_info(t->log, "the network has changed: %u tunnels to establish", begun);
}
