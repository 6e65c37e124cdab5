/* How many tunnels there may be, of which kind and from where, and who goes when there are more. */
#include "tunnel/state.h"

enum {
	IDLE_S = 10,                        /* one with a packet within this time is not pushed out */
	GRAIN_MS = 1000,                    /* the kernel counts seconds */
	TRIES = 8,                          /* so many busy ones may be found out on the way to one that goes */
};

struct choice {
	enum evictable kind;
	const struct ip_addr *source;       /* EVICT_ANONYMOUS: from there; NULL: from anywhere */
	struct peer *best;
};

static struct peer *of_client_link(struct table_link *link)
{
	return (struct peer *)((char *)link - offsetof(struct peer, by_source));
}

static bool is_from(const struct peer *p, const struct ip_addr *source)
{
	const struct ip_addr own = ip_source(&p->outer);

	return ip_equal(&own, source);
}

void client_count(struct tunnels *t, struct peer *p)
{
	const struct ip_addr source = ip_source(&p->outer);

	table_remove(&t->anonymous, &p->by_source);
	if (!p->keys && p->state != TUNNEL_DRAINING)
		table_insert(&t->anonymous, &p->by_source, hash_address(t, &source));
}

static unsigned clients_from(const struct tunnels *t, const struct ip_addr *source)
{
	struct table_link *link = table_first(&t->anonymous, hash_address(t, source));
	unsigned n = 0;

	for (; link; link = table_next(link))
		n += is_from(of_client_link(link), source);
	return n;
}

/* Pushing out --------------------------------------------------------------------------------------------------------- */

void peer_was_used(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic)
{
	uint32_t idle_s = traffic->idle_in_s < traffic->idle_out_s ? traffic->idle_in_s : traffic->idle_out_s;
	uint64_t idle_ms = idle_s * UINT64_C(1000);

	p->used_ms = idle_ms < t->now_ms ? t->now_ms - idle_ms : 0;
}

/* Since when nobody has had a use for it, as far as is known. */
static uint64_t idle_since_ms(const struct peer *p)
{
	uint64_t since_ms = p->answer_expires_ms > p->established_ms ? p->answer_expires_ms : p->established_ms;

	return p->used_ms > since_ms ? p->used_ms : since_ms;
}

static void consider(const struct tunnels *t, struct choice *c, struct peer *p)
{
	if (p->state == TUNNEL_DRAINING || t->now_ms < p->answer_expires_ms || (c->kind != EVICT_ANY && peer_is_answered(p)) ||
	    t->now_ms < idle_since_ms(p) + IDLE_S * 1000 || (c->source && !is_from(p, c->source)))
		return;
	if (!c->best || idle_since_ms(p) < idle_since_ms(c->best))
		c->best = p;
}

static void choose(const struct tunnels *t, struct choice *c)
{
	struct table_link *link;
	size_t i;

	c->best = NULL;
	if (c->source) {
		for (link = table_first(&t->anonymous, hash_address(t, c->source)); link; link = table_next(link))
			consider(t, c, of_client_link(link));
	} else if (c->kind == EVICT_ANONYMOUS) {
		for (i = 0; i < t->anonymous.buckets; i++)
			for (link = t->anonymous.bucket[i]; link; link = link->next)
				consider(t, c, of_client_link(link));
	} else {
		for (i = 0; i < t->peers.buckets; i++)
			for (link = t->peers.bucket[i]; link; link = link->next)
				consider(t, c, peer_of_link(link));
	}
}

bool peers_evict_one(struct tunnels *t, enum evictable kind, const struct ip_addr *source)
{
	struct choice c = { .kind = kind, .source = source };

	/* When it was used last is known from the last look: of a busy one another look moves it to the end. */
	for (unsigned tries = 0; tries < TRIES; tries++) {
		uint64_t known_ms;

		choose(t, &c);
		if (!c.best)
			return false;
		known_ms = idle_since_ms(c.best);
		if (c.best->sa)
			peer_look_at_use(t, c.best);
		if (idle_since_ms(c.best) <= known_ms + GRAIN_MS) {
			/* Nobody was told the address of an anonymous client: no answer has to be taken back first. */
			peer_drain(t, c.best, REASON_LIMIT, c.best->keys ? t->config.drain_ms : 0);
			return true;
		}
	}
	return false;
}

/* Clients ------------------------------------------------------------------------------------------------------------- */

/* Is there room for one more, or has an idle one made some? */
static bool has_room(struct tunnels *t, unsigned n, unsigned max, const struct ip_addr *source, uint64_t *evicted, uint64_t *refused)
{
	bool gone = n >= max && peers_evict_one(t, EVICT_ANONYMOUS, source);

	*evicted += gone;
	if (n < max || gone)
		return true;
	++*refused;
	return false;
}

bool client_has_room(struct tunnels *t, const struct ip_addr *remote, bool anonymous)
{
	const struct ip_addr source = ip_source(remote);
	struct tunnel_stats *stats = &t->stats;
	unsigned all = (unsigned)(t->peers.n + t->attempts.n);
	bool gone = false;

	if (anonymous && (!has_room(t, clients_from(t, &source), t->config.anonymous_per_source, &source,
				    &stats->pushed_out_by_source, &stats->refused_per_source) ||
			  !has_room(t, (unsigned)t->anonymous.n, t->config.anonymous_max, NULL, &stats->pushed_out_by_anonymous,
				    &stats->refused_anonymous)))
		return false;
	/* Ask the idle to go before it is too late: who has proved a name takes a while to go. */
	if (all >= t->config.tunnels_max - t->config.tunnels_max / 16)
		gone = peers_evict_one(t, anonymous ? EVICT_ANONYMOUS : EVICT_CLIENTS, NULL);
	stats->pushed_out_by_all += gone;
	if (all - (gone && anonymous) < t->config.tunnels_max)
		return true;
	stats->refused_all++;
	return false;
}
