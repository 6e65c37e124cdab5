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

/* A free place, or that of the oldest. All are one piece of memory: places that come and go among the tunnels would keep the
 * allocator from giving theirs back. NULL: no memory, and nobody will be told why. */
static struct decision *decision_place(struct tunnels *t)
{
	struct decision *d = t->oldest_decision;

	if (!t->decision_places)
		t->decision_places = calloc(DECISIONS_MAX, sizeof *t->decision_places);
	if (!t->decision_places)
		return NULL;
	if (t->decisions.n < DECISIONS_MAX)
		return &t->decision_places[t->decisions.n];
	table_remove(&t->decisions, &d->link);
	unchain(t, d);
	return d;
}

/* A new one, at the end of the chain; NULL as above. */
static struct decision *decision_new(struct tunnels *t, const struct dnsname *owner)
{
	struct decision *d = decision_place(t);

	if (!d)
		return NULL;
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

void decisions_forget_answers(struct tunnels *t, const struct ip_addr *address)
{
	for (const struct decision *d = t->oldest_decision; d; d = d->newer) {
		bool meant = !address && d->told.kind == RP_CLEAR;

		for (unsigned i = 0; address && i < d->told.n; i++)
			meant |= ip_equal(&d->told.at[i].address, address);
		if (meant)
			forget_answer(t, &d->owner);
	}
}

void decisions_clear(struct tunnels *t)
{
	while (t->oldest_decision) {
		struct decision *d = t->oldest_decision;

		table_remove(&t->decisions, &d->link);
		unchain(t, d);
	}
	free(t->decision_places);
	t->decision_places = NULL;
}
