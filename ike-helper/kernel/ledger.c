#include "kernel/ledger.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct ledger_entry {
	struct table_link link;
	struct ledger_entry *next, **at;        /* at: what points here */
	struct policy_name name;
	struct policy_form form;
	uint64_t orphan_until_s;                /* it took the place of an orphan, which would have been there until then; 0: of none */
};

enum ike_err ledger_init(struct ledger *l)
{
	*l = (struct ledger){ .first = NULL };
	randombytes_buf(l->hash_key, sizeof l->hash_key);
	return table_init(&l->by_name);
}

static void free_list(struct ledger_entry *e)
{
	while (e) {
		struct ledger_entry *next = e->next;

		free(e);
		e = next;
	}
}

void ledger_clear(struct ledger *l)
{
	free_list(l->first);
	free_list(l->spare);
	table_clear(&l->by_name);
	*l = (struct ledger){ .first = NULL };
}

/* Of the remote address: the few policies that it has may share a chain. */
static uint64_t hash_of(const struct ledger *l, const struct policy_name *name)
{
	uint64_t hash;

	_Static_assert(sizeof hash == crypto_shorthash_BYTES && sizeof l->hash_key == crypto_shorthash_KEYBYTES, "SipHash");
	(void)crypto_shorthash((uint8_t *)&hash, name->remote.b, sizeof name->remote.b, l->hash_key);
	return hash;
}

static bool same_name(const struct policy_name *a, const struct policy_name *b)
{
	return a->kind == b->kind && a->dir == b->dir && ip_equal(&a->local, &b->local) && ip_equal(&a->remote, &b->remote);
}

static struct ledger_entry *of_link(struct table_link *link)
{
	return link ? (struct ledger_entry *)((char *)link - offsetof(struct ledger_entry, link)) : NULL;
}

static struct ledger_entry *find(const struct ledger *l, const struct policy_name *name)
{
	struct ledger_entry *e = of_link(table_first(&l->by_name, hash_of(l, name)));

	while (e && !same_name(&e->name, name))
		e = of_link(table_next(&e->link));
	return e;
}

static enum ike_err reserve(struct ledger *l, unsigned n)
{
	for (const struct ledger_entry *e = l->spare; e && n > 0; e = e->next)
		n--;
	while (n-- > 0) {
		struct ledger_entry *e = calloc(1, sizeof *e);

		if (!e)
			return IKE_E_NOMEM;
		e->next = l->spare;
		l->spare = e;
	}
	return IKE_OK;
}

static bool adds_policy(const struct step *s)
{
	return s->kind == STEP_POLICY_ADD || s->kind == STEP_POLICY_UPDATE;
}

enum ike_err ledger_reserve(struct ledger *l, const struct step *steps, unsigned n)
{
	unsigned adds = 0;

	for (unsigned i = 0; i < n; i++)
		adds += adds_policy(&steps[i]);
	return reserve(l, adds);
}

/* The one with this name, which is made of a spare one if there is none yet. */
static struct ledger_entry *entry_for(struct ledger *l, const struct policy_name *name)
{
	struct ledger_entry *e = find(l, name);

	if (e)
		return e;
	e = l->spare;
	l->spare = e->next;
	*e = (struct ledger_entry){ .name = *name, .next = l->first, .at = &l->first };
	if (e->next)
		e->next->at = &e->next;
	l->first = e;
	table_insert(&l->by_name, &e->link, hash_of(l, name));
	return e;
}

static struct policy_name name_of(const struct step *s)
{
	/* What is for the untranslated is, in the kernel, the pair's of the tunnel without an assigned address. */
	enum policy_kind kind = s->policy == POLICY_UNTRANSLATED ? POLICY_PAIR : s->policy;
	struct policy_name name = { .kind = kind, .dir = s->dir, .remote = *request_remote(s->request) };

	if (kind != POLICY_SHIELD)
		name.local = *policy_local(s->request, s->policy);
	return name;
}

static void keep(struct ledger *l, const struct step *s)
{
	struct policy_name name = name_of(s);
	struct ledger_entry *e = entry_for(l, &name);

	e->form = s->form;
	if (s->form.reqid == KERNEL_REQID_ORPHAN)
		e->orphan_until_s = 0;
	else if (s->kind == STEP_POLICY_UPDATE && s->old.reqid == KERNEL_REQID_ORPHAN)
		e->orphan_until_s = s->old.until_s;
}

void ledger_forget(struct ledger *l, const struct policy_name *name)
{
	struct ledger_entry *e = find(l, name);

	if (!e)
		return;
	table_remove(&l->by_name, &e->link);
	*e->at = e->next;
	if (e->next)
		e->next->at = e->at;
	free(e);
}

static void end_one(struct ledger *l, enum policy_kind kind, enum kernel_dir dir, const struct kernel_request *r, uint32_t reqid)
{
	struct step s = { .policy = kind, .dir = dir, .request = r };
	struct policy_name name = name_of(&s);
	const struct ledger_entry *e = find(l, &name);

	if (e && e->form.reqid == reqid)
		ledger_forget(l, &name);
}

static void end_both(struct ledger *l, enum policy_kind kind, const struct kernel_request *r, uint32_t reqid)
{
	end_one(l, kind, DIR_OUT, r, reqid);
	end_one(l, kind, DIR_IN, r, reqid);
}

static void orphan_again(const struct ledger *l, enum policy_kind kind, enum kernel_dir dir, const struct kernel_request *r,
			 uint64_t now_s, struct policy_view *view)
{
	struct step s = { .policy = kind, .dir = dir, .request = r };
	struct policy_name name = name_of(&s);
	const struct ledger_entry *e = find(l, &name);

	if (e && e->orphan_until_s > now_s)
		view->orphan_until_s = e->orphan_until_s;
}

void ledger_orphans_again(const struct ledger *l, const struct kernel_request *r, uint64_t now_s, struct plan_view *view)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		orphan_again(l, POLICY_PAIR, (enum kernel_dir)dir, r, now_s, &view->pair[dir]);
		orphan_again(l, POLICY_SHIELD, (enum kernel_dir)dir, r, now_s, &view->shield[dir]);
	}
	orphan_again(l, POLICY_UNTRANSLATED, DIR_OUT, r, now_s, &view->untranslated);
}

void ledger_end(struct ledger *l, const struct kernel_request *r)
{
	switch (r->op) {
	case KERNEL_PROTECT:
	case KERNEL_ADD_SAS:
	case KERNEL_DELETE_SAS:
	case KERNEL_REMAP:
	case KERNEL_PASS:
		return;
	case KERNEL_UNPROTECT:
		if (r->shield)
			end_both(l, POLICY_SHIELD, r, KERNEL_REQID_SHIELD);
		end_both(l, POLICY_PAIR, r, r->reqid);
		if (request_has_assigned(r))
			end_one(l, POLICY_UNTRANSLATED, DIR_OUT, r, r->reqid);
		return;
	case KERNEL_RETIRE:
		end_one(l, POLICY_PAIR, DIR_IN, r, r->reqid);
		if (retires_out(r))
			end_one(l, POLICY_PAIR, DIR_OUT, r, r->reqid);
		return;
	case KERNEL_UNPASS:
		end_both(l, POLICY_PASS, r, r->reqid);
		return;
	}
}

void ledger_note(struct ledger *l, const struct step *s, enum ike_err result)
{
	struct policy_name name;

	switch (s->kind) {
	case STEP_SA_ADD:
	case STEP_SA_DELETE:
	case STEP_SA_REMAP:
		return;
	case STEP_POLICY_ADD:
	case STEP_POLICY_UPDATE:
		if (result == IKE_OK)
			keep(l, s);
		return;
	case STEP_POLICY_DELETE:
		name = name_of(s);
		if (result == IKE_OK || result == IKE_E_STATE)
			ledger_forget(l, &name);
		return;
	case STEP_EXEMPT_ADD:           /* one that exists is one that a killed run left */
		l->exempt[s->index] |= result == IKE_OK || result == IKE_E_CONFLICT;
		return;
	case STEP_EXEMPT_DELETE:
		l->exempt[s->index] &= result != IKE_OK && result != IKE_E_STATE;
		return;
	}
}

bool ledger_has_pair(const struct ledger *l, uint32_t reqid, const struct ip_addr *remote, struct ip_addr *local)
{
	const struct policy_name name = { .remote = *remote };
	const struct ledger_entry *e = of_link(table_first(&l->by_name, hash_of(l, &name)));

	while (e && (e->name.kind != POLICY_PAIR || e->form.reqid != reqid || !ip_equal(&e->name.remote, remote)))
		e = of_link(table_next(&e->link));
	if (e)
		*local = e->name.local;
	return e != NULL;
}

enum ike_err ledger_keep_orphan(struct ledger *l, const struct policy_name *name)
{
	enum ike_err err = reserve(l, 1);

	if (err == IKE_OK)
		entry_for(l, name)->form = (struct policy_form){ .reqid = KERNEL_REQID_ORPHAN };
	return err;
}

/* Putting back ------------------------------------------------------------------------------------------------------- */

enum { BATCH_MAX = 16 };

struct batch {
	step_runner *run;
	void *arg;
	unsigned n, done, failed;
	struct step steps[BATCH_MAX];
	struct kernel_request requests[BATCH_MAX];      /* of addresses alone */
};

static void run_batch(struct batch *b)
{
	enum ike_err results[BATCH_MAX];

	if (b->n > 0)
		b->run(b->arg, b->steps, b->n, results);
	for (unsigned i = 0; i < b->n; i++) {
		b->done += results[i] == IKE_OK;
		b->failed += results[i] != IKE_OK && results[i] != IKE_E_CONFLICT;      /* that one was not missing */
	}
	b->n = 0;
}

/* A place for one more. */
static struct step *next_step(struct batch *b)
{
	if (b->n == BATCH_MAX)
		run_batch(b);
	b->requests[b->n] = (struct kernel_request){ .op = KERNEL_PROTECT };
	b->steps[b->n] = (struct step){ .probe = true, .request = &b->requests[b->n] };
	return &b->steps[b->n++];
}

static void add_policy(struct batch *b, const struct ledger_entry *e)
{
	struct step *s = next_step(b);
	struct kernel_request *r = &b->requests[b->n - 1];

	s->kind = STEP_POLICY_ADD;
	s->policy = e->name.kind;
	s->dir = e->name.dir;
	s->form = e->form;
	r->local = e->name.local;
	r->remote = e->name.remote;
}

static void add_exemptions(struct batch *b, const struct ledger *l)
{
	struct exemption e;

	for (unsigned i = 0; exemption_at(i, &e); i++) {
		struct step *s;

		if (!l->exempt[i])
			continue;
		s = next_step(b);
		s->kind = STEP_EXEMPT_ADD;
		s->dir = e.dir;
		s->index = i;
	}
}

/* What leaves in clear cannot be called back; what comes in clear is at worst believed. */
static unsigned turn_of(const struct ledger_entry *e)
{
	return e->name.kind == POLICY_PASS ? 2 : e->name.dir == DIR_OUT ? 0 : 1;
}

unsigned ledger_put_back(struct ledger *l, const struct lost_policies *lost, step_runner *run, void *arg, unsigned *failed)
{
	enum { TURNS = 3 };
	struct batch b = { .run = run, .arg = arg };

	for (unsigned turn = 0; turn < TURNS && lost->all; turn++)
		for (const struct ledger_entry *e = l->first; e; e = e->next)
			if (turn_of(e) == turn)
				add_policy(&b, e);
	for (unsigned i = 0; i < lost->n && !lost->all; i++) {
		const struct ledger_entry *e = find(l, &lost->policy[i]);

		if (e)
			add_policy(&b, e);
	}
	if (lost->all || lost->exemptions)
		add_exemptions(&b, l);
	run_batch(&b);
	*failed = b.failed;
	return b.done;
}
