/* Clients that have proved who they are, and hosts that ask for each other at once. */
#include "tunnel/state.h"

#include <stdlib.h>
#include <string.h>

bool client_is_accepted(const struct tunnels *t, const struct peer *p, const struct ike_tunnel *u)
{
	const struct peer *bound = (p && p->keys) || !u->peer_keys ? p : peer_bound(t, tunnel_remote(u));

	/* What was answered is not rebound by whoever comes; and what is bound is not for somebody anonymous. */
	if (!bound || !bound->keys)
		return true;
	if (peer_is_answered(bound) && bound->gateway.family != IP_NONE)
		return false;
	return u->peer_keys && (!peer_is_answered(bound) || peer_is_bound_to(bound, u->peer_keys, u->key_index));
}

void client_bind(struct peer *p, const struct ike_tunnel *u)
{
	if (!p->client)
		p->client = malloc(sizeof *p->client);
	if (p->client)
		*p->client = *u->peer_name;
	if (peer_is_bound_to(p, u->peer_keys, u->key_index))
		return;
	(void)keyset_ref(u->peer_keys);
	keyset_unref(p->keys);
	p->keys = u->peer_keys;
	p->key_index = u->key_index;
}

void client_initial_contact(struct tunnels *t, const struct peer *p)
{
	for (size_t i = 0; p->client && i < t->peers.buckets; i++) {
		for (struct table_link *link = t->peers.bucket[i]; link; link = link->next) {
			struct peer *q = peer_of_link(link);

			if (q == p || !q->sa || q->ours || !q->client || !dnsname_equal(q->client, p->client) ||
			    !peer_is_bound_to(q, p->keys, p->key_index))
				continue;
			/* Its EV_CLOSED is as if the client had said goodbye there. */
			(void)!ike_close(t->ike, q->sa, REASON_PEER_REFUSED, t->now_ms);
		}
	}
}

/* Both at once ---------------------------------------------------------------------------------------------------- */

static struct sa_pair pair_of(const struct ike_tunnel *u)
{
	struct sa_pair pair = {
		.sa = u->sa,
		.ours = u->initiator,
		.spi_in = u->spi_in,
		.spi_out = u->spi_out,
		.esp_suite = u->esp_suite,
		.post_quantum = u->ike_suite.addke1 != 0,
		.encapsulated = u->encapsulated,
		.inner_local = u->inner_local,
	};

	memcpy(pair.spi_i, u->spi_i, sizeof pair.spi_i);
	return pair;
}

static struct sa_pair present(const struct peer *p)
{
	struct sa_pair pair = {
		.sa = p->sa,
		.ours = p->ours,
		.spi_in = p->spi_in,
		.spi_out = p->spi_out,
		.esp_suite = p->esp_suite,
		.post_quantum = p->post_quantum,
		.encapsulated = p->encapsulated,
		.inner_local = p->inner_local,
	};

	memcpy(pair.spi_i, p->spi_i, sizeof pair.spi_i);
	return pair;
}

void crossed_spare_close(struct tunnels *t, struct peer *p, enum rp_reason reason)
{
	ike_handle sa = p->spare.sa;

	p->spare.sa = 0;
	if (sa)
		(void)!ike_close(t->ike, sa, reason, t->now_ms);
}

bool crossed_spare_used(struct peer *p)
{
	if (!p->spare.sa || p->spare_is_old)
		return false;
	p->sa = p->spare.sa;
	p->ours = p->spare.ours;
	memcpy(p->spi_i, p->spare.spi_i, sizeof p->spi_i);
	p->spi_in = p->spare.spi_in;
	p->spi_out = p->spare.spi_out;
	p->esp_suite = p->spare.esp_suite;
	p->post_quantum = p->spare.post_quantum;
	p->encapsulated = p->spare.encapsulated;
	p->inner_local = p->spare.inner_local;
	p->spare.sa = 0;
	return true;
}

/* An anonymous client's SA does not stay beside one whose key was proved, nor one beside that of another key. */
bool client_has_replaced(struct tunnels *t, struct peer *p, const struct ike_event *e)
{
	const struct ike_tunnel *u = &e->tunnel;
	bool same = u->peer_keys ? peer_is_bound_to(p, u->peer_keys, u->key_index) : !p->keys;

	if (!p->sa || u->initiator || e->initial_contact || !same)
		return false;
	p->spare = present(p);
	p->spare_is_old = true;
	p->spare_ms = t->now_ms + SPARE_MS;
	return true;
}

/* Both ends must keep the same one, whatever the order in which they see them come up: the one with the smaller SPI (as RFC
 * 7296 2.8.1 settles it for rekeying by the smaller nonce). The end that began the other one ends it. Only if that does not
 * come, because it does not know this rule, or has lost the one that we keep and does not answer for it, is it for us to act. */
bool crossed_and_old_stays(struct tunnels *t, struct peer *p, const struct ike_tunnel *u, const struct keyset *keys)
{
	bool direct = ip_equal(tunnel_remote(u), &u->path.remote.addr);
	bool crossed = direct && p->sa && p->sa != u->sa && p->ours != u->initiator && t->now_ms < p->established_ms + CROSSED_MS &&
		       peer_is_bound_to(p, keys, u->key_index);
	bool old_stays = crossed && memcmp(p->spi_i, u->spi_i, sizeof p->spi_i) < 0;

	crossed_spare_close(t, p, REASON_NONE);
	if (!crossed)
		return false;
	p->spare = old_stays ? pair_of(u) : present(p);
	p->spare_is_old = false;
	p->spare_ms = t->now_ms + SPARE_MS;
	if (!old_stays)
		p->sa = 0;
	if (p->spare.ours)
		crossed_spare_close(t, p, REASON_NONE);
	else if (old_stays)
		(void)!ike_check_liveness(t->ike, p->sa, t->now_ms);
	return old_stays;
}
