#include "tunnel/state.h"

#include <stdlib.h>

/* After the first, second and every further failure in a row. */
static const uint64_t wait_ms[] = { 2000, 10000, 60000 };

static struct failure *of_link(struct table_link *link)
{
	return link ? (struct failure *)((char *)link - offsetof(struct failure, link)) : NULL;
}

static struct failure *find(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote, const struct way *way)
{
	struct failure *f = of_link(table_first(&t->failures, hash_address(t, remote)));

	while (f && !(ip_equal(&f->remote, remote) && ip_equal(&f->local, local) && ip_equal(&f->gateway, &way->gateway) &&
		      keyset_equal(f->keys, way->keys)))
		f = of_link(table_next(&f->link));
	return f;
}

static void unchain(struct tunnels *t, struct failure *f)
{
	if (f->older)
		f->older->newer = f->newer;
	else
		t->oldest = f->newer;
	if (f->newer)
		f->newer->older = f->older;
	else
		t->newest = f->older;
	f->older = f->newer = NULL;
}

static void append(struct tunnels *t, struct failure *f)
{
	f->older = t->newest;
	if (t->newest)
		t->newest->newer = f;
	else
		t->oldest = f;
	t->newest = f;
}

static void forget(struct tunnels *t, struct failure *f)
{
	table_remove(&t->failures, &f->link);
	unchain(t, f);
	keyset_unref(f->keys);
	free(f);
}

const struct failure *failure_active(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote,
				     const struct way *way)
{
	const struct failure *f = find(t, local, remote, way);

	return f && t->now_ms < f->until_ms ? f : NULL;
}

void failure_remember(struct tunnels *t, const struct attempt *a, enum rp_reason reason, const char *detail)
{
	const struct way way = { a->gateway, a->keys };
	struct failure *f = find(t, &a->local, &a->remote, &way);
	unsigned last = sizeof wait_ms / sizeof *wait_ms - 1;

	if (!f) {
		if (t->failures.n >= FAILURES_MAX)
			forget(t, t->oldest);
		f = calloc(1, sizeof *f);
		if (!f)
			return;             /* a failure that is not remembered is only tried again earlier */
		f->local = a->local;
		f->remote = a->remote;
		f->gateway = a->gateway;
		f->keys = keyset_ref(a->keys);
		table_insert(&t->failures, &f->link, hash_address(t, &f->remote));
	} else {
		unchain(t, f);
	}
	append(t, f);
	f->reason = reason;
	strncpy(f->detail, detail, sizeof f->detail - 1);
	f->at_ms = t->now_ms;
	f->until_ms = t->now_ms + wait_ms[f->times < last ? f->times : last];
	f->times++;
}

void failure_forget(struct tunnels *t, const struct attempt *a)
{
	const struct way way = { a->gateway, a->keys };
	struct failure *f = find(t, &a->local, &a->remote, &way);

	if (f)
		forget(t, f);
}

/* Has it failed from there; or, by a gateway of the other family, from another address of that family? */
static bool is_from(const struct failure *f, const struct ip_addr *local)
{
	return ip_equal(&f->local, local) || (way_is_across(&f->remote, &f->gateway) && f->gateway.family == local->family);
}

void failures_forget_from(struct tunnels *t, const struct ip_addr *local)
{
	struct failure *f, *newer;

	for (f = t->oldest; f; f = newer) {
		newer = f->newer;
		if (!local || is_from(f, local))
			forget(t, f);
	}
}

void failures_clear(struct tunnels *t)
{
	while (t->oldest)
		forget(t, t->oldest);
}
