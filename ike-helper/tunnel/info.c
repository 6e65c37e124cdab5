/* info.c - what tunnel.h tells of tunnels to people who look. */
#include "tunnel/state.h"

const char *tunnel_state_text(enum tunnel_state state)
{
	switch (state) {
	case TUNNEL_ESTABLISHING: return "establishing";
	case TUNNEL_PROTECTED: return "protected";
	case TUNNEL_HEALING: return "healing";
	case TUNNEL_DRAINING: return "draining";
	}
	return "unknown";
}

unsigned tunnels_count(const struct tunnels *t)
{
	return (unsigned)(t->peers.n + t->attempts.n);
}

unsigned tunnels_anonymous(const struct tunnels *t)
{
	return (unsigned)t->anonymous.n;
}

const struct tunnel_stats *tunnels_stats(const struct tunnels *t)
{
	return &t->stats;
}

bool tunnels_has_host(const struct tunnels *t, const struct ip_addr *remote)
{
	const struct peer *p = peer_of_link(table_first(&t->peers, hash_address(t, remote)));

	while (p && !ip_equal(&p->remote, remote))
		p = peer_of_link(table_next(&p->link));
	return p != NULL;
}

static void describe_key(const struct keyset *keys, unsigned index, struct tunnel_info *out)
{
	struct ipseckey record;
	struct pubkey *key = NULL;

	if (!keys)
		return;
	keyset_at(keys, index, &record);
	out->key_tag = ipseckey_tag(&record);
	if (pubkey_read(&record, &key, NULL) == IKE_OK)
		pubkey_text(key, out->key_text, sizeof out->key_text);
	pubkey_free(key);
}

static void describe_peer(const struct tunnels *t, const struct peer *p, struct tunnel_info *out)
{
	out->state = p->state;
	out->initiator = p->ours;
	peer_first_name(p, &out->name);
	if (out->name.n == 0 && p->client)
		out->name = *p->client;
	out->names = p->n_names;
	out->local = p->local;
	out->remote = p->remote;
	out->outer = p->outer;
	out->gateway = p->gateway;
	describe_key(p->keys, p->key_index, out);
	out->spi_in = p->spi_in;
	out->spi_out = p->spi_out;
	out->reqid = p->reqid;
	out->esp_suite = p->esp_suite;
	out->post_quantum = p->post_quantum;
	out->encapsulated = p->encapsulated;
	out->inner_local = p->inner_local;
	out->established_ms = p->established_ms;
	out->answer_expires_ms = p->answer_expires_ms;
	if (t->env->traffic(t->env->arg, p->reqid, p->spi_in, p->spi_out, &p->outer_local, &p->outer, &out->traffic) != IKE_OK)
		memset(&out->traffic, 0, sizeof out->traffic);
}

static const struct attempt *attempt_of_link(const struct table_link *link)
{
	return (const struct attempt *)((const char *)link - offsetof(struct attempt, link));
}

static void describe_attempt(const struct attempt *a, struct tunnel_info *out)
{
	out->state = TUNNEL_ESTABLISHING;
	out->initiator = true;
	out->name = a->owner;
	out->names = 1;
	out->local = a->local;
	out->remote = a->remote;
	out->gateway = a->gateway;
	out->outer = a->gateway.family != IP_NONE ? a->gateway : a->remote;
	out->reqid = a->reqid;
	describe_key(a->keys, 0, out);
}

bool tunnels_of_host(struct tunnels *t, const struct ip_addr *remote, unsigned i, struct tunnel_info *out)
{
	uint64_t hash = hash_address(t, remote);
	struct table_link *link;

	memset(out, 0, sizeof *out);
	for (link = table_first(&t->peers, hash); link; link = table_next(link)) {
		const struct peer *p = peer_of_link(link);

		if (!ip_equal(&p->remote, remote) || i-- > 0)
			continue;
		describe_peer(t, p, out);
		return true;
	}
	for (link = table_first(&t->attempts, hash); link; link = table_next(link)) {
		const struct attempt *a = attempt_of_link(link);

		if (!ip_equal(&a->remote, remote) || i-- > 0)
			continue;
		describe_attempt(a, out);
		return true;
	}
	return false;
}

/* A place in the two tables, one behind the other: bucket number, and which one in its chain. */
enum { CURSOR_CHAIN_BITS = 16 };

static struct table_link *at_place(const struct tunnels *t, uint64_t cursor)
{
	uint64_t bucket = cursor >> CURSOR_CHAIN_BITS, skip = cursor & ((1u << CURSOR_CHAIN_BITS) - 1);
	struct table_link *link;

	if (bucket < t->peers.buckets)
		link = t->peers.bucket[bucket];
	else
		link = t->attempts.bucket[bucket - t->peers.buckets];
	while (link && skip-- > 0)
		link = link->next;
	return link;
}

bool tunnels_next(struct tunnels *t, uint64_t *cursor, struct tunnel_info *out)
{
	memset(out, 0, sizeof *out);
	while (*cursor >> CURSOR_CHAIN_BITS < t->peers.buckets + t->attempts.buckets) {
		struct table_link *link = at_place(t, *cursor);

		if (!link) {
			*cursor = ((*cursor >> CURSOR_CHAIN_BITS) + 1) << CURSOR_CHAIN_BITS;
			continue;
		}
		if (*cursor >> CURSOR_CHAIN_BITS < t->peers.buckets)
			describe_peer(t, peer_of_link(link), out);
		else
			describe_attempt(attempt_of_link(link), out);
		(*cursor)++;
		return true;
	}
	return false;
}
