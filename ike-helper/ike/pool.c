#include "ike/pool.h"

#include <string.h>

/* The part of an address that counts: its last four bytes. */
static uint32_t last_bytes(const struct ip_addr *a)
{
	struct span bytes = ip_bytes(a);
	struct rd r = rd_over(bytes);

	(void)rd_bytes(&r, bytes.n - sizeof(uint32_t));
	return rd_u32(&r);
}

static void set_last_bytes(struct ip_addr *a, uint32_t value)
{
	struct wr w = wr_over(a->b + ip_bytes(a).n - sizeof value, sizeof value);

	wr_u32(&w, value);
}

void pool_init(struct pool *p, const struct ip_addr *first, unsigned n)
{
	memset(p, 0, sizeof *p);
	p->first = *first;
	if (first->family != IP_NONE)
		p->n = n < POOL_MAX ? n : POOL_MAX;
}

/* Which one it is; p->n: none of the pool. */
static unsigned place_of(const struct pool *p, const struct ip_addr *a)
{
	struct ip_addr same = *a;
	uint32_t at;

	if (p->n == 0 || a->family != p->first.family)
		return p->n;
	at = last_bytes(a) - last_bytes(&p->first);
	set_last_bytes(&same, last_bytes(&p->first));
	return at < p->n && ip_equal(&same, &p->first) ? at : p->n;
}

static void take(struct pool *p, unsigned at, struct ip_addr *out)
{
	p->used[at] = true;
	*out = p->first;
	set_last_bytes(out, last_bytes(out) + at);
}

bool pool_take(struct pool *p, const struct ip_addr *wish, struct ip_addr *out)
{
	unsigned wanted = place_of(p, wish);

	*out = (struct ip_addr){ .family = IP_NONE };
	if (wanted < p->n && !p->used[wanted]) {
		take(p, wanted, out);
		return true;
	}
	for (unsigned i = 0; i < p->n; i++) {
		unsigned at = (p->next + i) % p->n;

		if (p->used[at])
			continue;
		p->next = at + 1;
		take(p, at, out);
		return true;
	}
	return false;
}

void pool_give(struct pool *p, const struct ip_addr *a)
{
	unsigned at = place_of(p, a);

	if (at < p->n)
		p->used[at] = false;
}
