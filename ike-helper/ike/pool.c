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

bool pool_take(struct pool *p, struct ip_addr *out)
{
	*out = (struct ip_addr){ .family = IP_NONE };
	for (unsigned i = 0; i < p->n; i++) {
		unsigned at = (p->next + i) % p->n;

		if (p->used[at])
			continue;
		p->used[at] = true;
		p->next = at + 1;
		*out = p->first;
		set_last_bytes(out, last_bytes(out) + at);
		return true;
	}
	return false;
}

void pool_give(struct pool *p, const struct ip_addr *a)
{
	struct ip_addr same = *a;
	uint32_t at;

	if (p->n == 0 || a->family != p->first.family)
		return;
	at = last_bytes(a) - last_bytes(&p->first);
	set_last_bytes(&same, last_bytes(&p->first));
	if (at < p->n && ip_equal(&same, &p->first))
		p->used[at] = false;
}
