/* The memory of verdicts, for people who ask why. */
#include "tunnel/state.h"

#include <stdlib.h>
#include <string.h>

static struct decision *of_link(struct table_link *link)
{
	return link ? (struct decision *)((char *)link - offsetof(struct decision, link)) : NULL;
}

static struct decision *find(const struct tunnels *t, const struct dnsname *owner)
{
	struct decision *d = of_link(table_first(&t->decisions, hash_name(t, owner)));

	while (d && !dnsname_equal(&d->owner, owner))
		d = of_link(table_next(&d->link));
	return d;
}

static void unchain(struct tunnels *t, struct decision *d)
{
	*(d->older ? &d->older->newer : &t->oldest_decision) = d->newer;
	*(d->newer ? &d->newer->older : &t->newest_decision) = d->older;
	d->older = d->newer = NULL;
}

static void append(struct tunnels *t, struct decision *d)
{
	d->older = t->newest_decision;
	*(d->older ? &d->older->newer : &t->oldest_decision) = d;
	t->newest_decision = d;
}

static void forget(struct tunnels *t, struct decision *d)
{
	table_remove(&t->decisions, &d->link);
	unchain(t, d);
	free(d);
}

/* A new one, at the end of the chain; NULL: no memory, and nobody will be told why. */
static struct decision *decision_new(struct tunnels *t, const struct dnsname *owner)
{
	struct decision *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	if (t->decisions.n >= DECISIONS_MAX)
		forget(t, t->oldest_decision);
	d->owner = *owner;
	table_insert(&t->decisions, &d->link, hash_name(t, owner));
	append(t, d);
	return d;
}

void decision_remember(struct tunnels *t, const struct request *r, const struct rp_verdict *verdict)
{
	struct decision *d = find(t, &r->owner);

	if (d) {
		unchain(t, d);
		append(t, d);
	} else {
		d = decision_new(t, &r->owner);
	}
	if (!d)
		return;
	d->told = (struct tunnel_decision){ .kind = verdict->kind, .reason = verdict->reason, .at_ms = t->now_ms, .n = r->n };
	memcpy(d->told.detail, r->detail, sizeof d->told.detail);
	for (unsigned i = 0; i < r->n; i++) {
		d->told.at[i].address = r->wait[i].remote;
		d->told.at[i].reason = r->wait[i].allowed ? REASON_NONE : r->wait[i].reason;
	}
}

bool tunnels_decision(const struct tunnels *t, const struct dnsname *owner, struct tunnel_decision *out)
{
	const struct decision *d = find(t, owner);

	if (d)
		*out = d->told;
	else
		memset(out, 0, sizeof *out);
	return d;
}

void decisions_clear(struct tunnels *t)
{
	while (t->oldest_decision)
		forget(t, t->oldest_decision);
}
