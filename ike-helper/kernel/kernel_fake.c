/* kernel_fake.c - the kernel in memory: same contract as XFRM as far as kernel.h tells, no packets. */
#include "kernel/kernel_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/exempt.h"
#include "kernel/kernel_impl.h"

struct fake_sa {
	bool foreign;
	enum kernel_dir dir;
	struct ip_addr local, remote;
	struct ip_addr inner_local, inner_remote;       /* whose packets it carries */
	bool translated;            /* and those from local, which get inner_local first */
	uint32_t spi;               /* 0: larval */
	bool tunnel;                /* a larval one of this mode */
	uint32_t reqid;
	uint64_t order;             /* the newest is used for sending */
	uint64_t since_ms;          /* when it was installed; 0: there is no clock */
	uint16_t encap_local_port, encap_remote_port;
	struct esp_suite suite;
	uint64_t keys;              /* a hash: enough to tell whether two ends have the same, and small beside the tunnel */
};

struct fake_policy {
	bool foreign;
	enum policy_kind kind;
	enum kernel_dir dir;
	struct ip_addr local, remote;           /* local: IP_NONE in a shield */
	struct policy_form form;
};

struct fake_traffic {
	uint32_t reqid;
	struct sa_traffic traffic;
};

enum { EVENTS_MAX = 64 };

struct fake {
	struct kernel base;
	struct fake_sa *sas;
	unsigned n_sas, max_sas;
	struct fake_policy *policies;
	unsigned n_policies, max_policies;
	struct fake_traffic *traffic;
	unsigned n_traffic, max_traffic;
	bool exempt[EXEMPT_MAX];
	uint64_t next_order;
	uint64_t (*now_ms)(void);
	unsigned steps, fail_at;
	uint16_t without_encr[8];
	unsigned n_without_encr;
	bool without_family[2];     /* IPv4, IPv6 */
	struct kernel_event events[EVENTS_MAX];
	unsigned n_events;
	struct kernel_lost lost;
	void (*step_done)(void *arg, const struct kernel *k);
	void *step_arg;
};

static struct fake *fake_of(struct kernel *k)
{
	return (struct fake *)k;
}

static const struct fake *fake_of_const(const struct kernel *k)
{
	return (const struct fake *)k;
}

/* Room for one more of size bytes; false: no memory. There are no keys in these lists. */
static bool grow(void **list, unsigned n, unsigned *max, size_t size)
{
	unsigned want = *max ? 2 * *max : 16;
	void *bigger;

	if (n < *max)
		return true;
	bigger = realloc(*list, want * size);
	if (!bigger)
		return false;
	*list = bigger;
	*max = want;
	return true;
}

static bool same_pair(const struct ip_addr *l1, const struct ip_addr *r1, const struct ip_addr *l2,
		      const struct ip_addr *r2)
{
	return ip_equal(r1, r2) && ip_equal(l1, l2);
}


/* Objects ------------------------------------------------------------------------------------------------------- */

/* As in the kernel an SA is named by its destination and SPI. */
static struct fake_sa *sa_find(const struct fake *f, enum kernel_dir dir, const struct ip_addr *local,
			       const struct ip_addr *remote, uint32_t spi)
{
	for (unsigned i = 0; i < f->n_sas; i++) {
		struct fake_sa *sa = &f->sas[i];

		if (sa->dir == dir && sa->spi == spi &&
		    (dir == DIR_OUT ? ip_equal(&sa->remote, remote) : ip_equal(&sa->local, local)))
			return sa;
	}
	return NULL;
}

static enum ike_err sa_insert(struct fake *f, const struct fake_sa *sa)
{
	if (!grow((void **)&f->sas, f->n_sas, &f->max_sas, sizeof *f->sas))
		return IKE_E_NOMEM;
	f->sas[f->n_sas] = *sa;
	f->sas[f->n_sas].since_ms = f->now_ms ? f->now_ms() : 0;
	f->sas[f->n_sas++].order = f->next_order++;
	return IKE_OK;
}

static void sa_remove(struct fake *f, struct fake_sa *sa)
{
	*sa = f->sas[--f->n_sas];
}

static struct fake_sa *sa_find_larval(const struct fake *f, const struct ip_addr *local, const struct ip_addr *remote,
				      uint32_t reqid, bool tunnel)
{
	for (unsigned i = 0; i < f->n_sas; i++) {
		struct fake_sa *sa = &f->sas[i];

		if (sa->spi == 0 && sa->reqid == reqid && sa->tunnel == tunnel && same_pair(&sa->local, &sa->remote, local, remote))
			return sa;
	}
	return NULL;
}

static const struct ip_addr every_local = { .family = IP_NONE };

/* By its selector. */
static struct fake_policy *policy_at(const struct fake *f, enum kernel_dir dir, const struct ip_addr *local,
				     const struct ip_addr *remote)
{
	for (unsigned i = 0; i < f->n_policies; i++)
		if (f->policies[i].dir == dir && same_pair(&f->policies[i].local, &f->policies[i].remote, local, remote))
			return &f->policies[i];
	return NULL;
}

/* The one that decides about packets between these two: a shield only where nothing else does. */
static const struct fake_policy *policy_for(const struct fake *f, enum kernel_dir dir, const struct ip_addr *local,
					    const struct ip_addr *remote)
{
	const struct fake_policy *p = policy_at(f, dir, local, remote);

	return p ? p : policy_at(f, dir, &every_local, remote);
}

static enum ike_err policy_insert(struct fake *f, const struct fake_policy *policy)
{
	if (policy_at(f, policy->dir, &policy->local, &policy->remote))
		return IKE_E_CONFLICT;
	if (!grow((void **)&f->policies, f->n_policies, &f->max_policies, sizeof *f->policies))
		return IKE_E_NOMEM;
	f->policies[f->n_policies++] = *policy;
	return IKE_OK;
}

/* The SA that a packet out under this policy would take: ours by reqid, the newest. */
static const struct fake_sa *sa_for_sending(const struct fake *f, const struct ip_addr *local, const struct ip_addr *remote,
					    uint32_t reqid)
{
	const struct fake_sa *best = NULL;

	for (unsigned i = 0; i < f->n_sas; i++) {
		const struct fake_sa *sa = &f->sas[i];

		if (sa->dir == DIR_OUT && sa->spi != 0 && sa->reqid == reqid && ip_equal(&sa->inner_remote, remote) &&
		    (ip_equal(&sa->inner_local, local) || (sa->translated && ip_equal(&sa->local, local))) &&
		    (!best || sa->order > best->order))
			best = sa;
	}
	return best;
}

/* Steps ---------------------------------------------------------------------------------------------------------- */

/* Counts a step; true when it is the one that must fail. */
static bool fails_now(struct fake *f)
{
	f->steps++;
	return f->fail_at != 0 && f->steps == f->fail_at;
}

static enum ike_err suite_missing(const struct fake *f, const struct kernel_request *r)
{
	if (f->without_family[r->local.family == IP_V6])
		return IKE_E_UNSUPPORTED;
	for (unsigned i = 0; i < f->n_without_encr; i++)
		if (f->without_encr[i] == r->suite.encr)
			return IKE_E_NO_PROPOSAL;
	return IKE_OK;
}

/* FNV-1a. */
static uint64_t bytes_hash(uint64_t h, struct span bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		h = (h ^ bytes.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t keys_hash(const struct esp_keys *keys)
{
	return bytes_hash(bytes_hash(UINT64_C(0xcbf29ce484222325), secret_span(&keys->encr)), secret_span(&keys->integ));
}

static enum ike_err step_sa_add(struct fake *f, const struct step *s)
{
	const struct kernel_request *r = s->request;
	struct fake_sa sa = {
		.dir = s->dir, .local = r->local, .remote = r->remote, .spi = s->spi, .reqid = s->reqid,
		.inner_local = *request_local(r), .inner_remote = *request_remote(r), .translated = request_has_assigned(r),
		.encap_local_port = r->encap_local_port, .encap_remote_port = r->encap_remote_port,
		.suite = r->suite, .keys = keys_hash(s->dir == DIR_IN ? &r->keys_in : &r->keys_out),
	};
	struct fake_sa *larval = sa_find_larval(f, &r->local, &r->remote, s->reqid, request_is_tunnel(r));
	enum ike_err err = suite_missing(f, r);

	if (err == IKE_OK && sa_find(f, s->dir, &r->local, &r->remote, s->spi))
		err = IKE_E_CONFLICT;
	if (err == IKE_OK && larval && s->dir == DIR_OUT)
		sa_remove(f, larval);   /* as the kernel does: what the acquire asked for has come */
	if (err == IKE_OK)
		err = sa_insert(f, &sa);
	return err;
}

static enum ike_err step_sa_delete(struct fake *f, const struct step *s)
{
	struct fake_sa *sa = s->spi ? sa_find(f, s->dir, &s->request->local, &s->request->remote, s->spi)
				    : sa_find_larval(f, &s->request->local, &s->request->remote, s->reqid, s->tunnel);

	if (!sa)
		return IKE_E_STATE;
	sa_remove(f, sa);
	return IKE_OK;
}

static enum ike_err step_sa_remap(struct fake *f, const struct step *s)
{
	struct fake_sa *sa = sa_find(f, s->dir, &s->request->local, &s->request->remote, s->spi);

	if (!sa)
		return IKE_E_STATE;
	if (sa->encap_remote_port == 0)
		return IKE_E_KERNEL;    /* as XFRM: one that is not in UDP does not become one */
	sa->encap_remote_port = s->request->encap_remote_port;
	return IKE_OK;
}

static enum ike_err step_policy(struct fake *f, const struct step *s)
{
	const struct ip_addr *local = s->policy == POLICY_SHIELD ? &every_local : policy_local(s->request, s->policy);
	const struct ip_addr *remote = request_remote(s->request);
	struct fake_policy *have = policy_at(f, s->dir, local, remote);
	struct fake_policy policy = { .kind = s->policy, .dir = s->dir, .local = *local, .remote = *remote,
				      .form = s->form };

	if (s->kind == STEP_POLICY_ADD)
		return policy_insert(f, &policy);
	if (!have)
		return IKE_E_STATE;
	if (s->kind == STEP_POLICY_UPDATE)
		*have = policy;
	else
		*have = f->policies[--f->n_policies];
	return IKE_OK;
}

static enum ike_err run_one(struct fake *f, const struct step *s)
{
	switch (s->kind) {
	case STEP_SA_ADD:
		return step_sa_add(f, s);
	case STEP_SA_DELETE:
		return step_sa_delete(f, s);
	case STEP_SA_REMAP:
		return step_sa_remap(f, s);
	case STEP_POLICY_ADD:
	case STEP_POLICY_UPDATE:
	case STEP_POLICY_DELETE:
		return step_policy(f, s);
	case STEP_EXEMPT_ADD:
		if (f->exempt[s->index])
			return IKE_E_CONFLICT;
		f->exempt[s->index] = true;
		return IKE_OK;
	case STEP_EXEMPT_DELETE:
		if (!f->exempt[s->index])
			return IKE_E_STATE;
		f->exempt[s->index] = false;
		return IKE_OK;
	}
	return IKE_E_KERNEL;
}

static void fake_run(void *arg, const struct step *steps, unsigned n, enum ike_err *results)
{
	struct fake *f = arg;

	for (unsigned i = 0; i < n; i++) {
		results[i] = fails_now(f) ? IKE_E_KERNEL : run_one(f, &steps[i]);
		if (f->step_done)
			f->step_done(f->step_arg, &f->base);
	}
}

static void look_policy(const struct fake *f, enum kernel_dir dir, const struct ip_addr *local, const struct ip_addr *remote,
			struct policy_view *out)
{
	const struct fake_policy *p = policy_at(f, dir, local, remote);

	*out = (struct policy_view){ .owner = POLICY_ABSENT };
	if (p && p->foreign)
		out->owner = POLICY_FOREIGN;
	else if (p && p->kind == POLICY_PASS)
		out->owner = POLICY_OURS_PASS;
	else if (p)
		*out = (struct policy_view){ .owner = POLICY_OURS, .sound = true, .form = p->form };
}

static enum ike_err fake_look(struct kernel *k, const struct kernel_request *r, struct plan_view *out)
{
	struct fake *f = fake_of(k);
	bool by_name = r->op == KERNEL_DELETE_SAS || r->op == KERNEL_REMAP;

	*out = (struct plan_view){ .sas = 0 };
	if (fails_now(f))
		return IKE_E_KERNEL;
	for (unsigned dir = 0; dir < 2 && !by_name && r->op != KERNEL_ADD_SAS; dir++) {
		look_policy(f, (enum kernel_dir)dir, request_local(r), request_remote(r), &out->pair[dir]);
		if (r->shield)
			look_policy(f, (enum kernel_dir)dir, &every_local, request_remote(r), &out->shield[dir]);
	}
	if (request_has_assigned(r))
		look_policy(f, DIR_OUT, &r->local, request_remote(r), &out->untranslated);
	for (unsigned i = 0; i < f->n_sas && (by_name || r->op == KERNEL_UNPROTECT); i++) {
		const struct fake_sa *sa = &f->sas[i];
		uint32_t named = sa->dir == DIR_IN ? r->spi_in : r->spi_out;

		if (sa->foreign || sa->reqid != r->reqid || !same_pair(&sa->local, &sa->remote, &r->local, &r->remote))
			continue;
		if (by_name && (named == 0 || sa->spi != named))
			continue;
		if (out->sas == PLAN_SAS_MAX) {
			out->more = true;
			break;
		}
		out->sa[out->sas++] = (struct sa_view){ .dir = sa->dir, .spi = sa->spi, .tunnel = sa->tunnel };
	}
	return IKE_OK;
}

void kernel_fake_clock(struct kernel *k, uint64_t (*now_ms)(void))
{
	fake_of(k)->now_ms = now_ms;
}

static enum ike_err fake_traffic(struct kernel *k, uint32_t reqid, uint32_t spi_in, uint32_t spi_out,
				 const struct ip_addr *local, const struct ip_addr *remote, struct sa_traffic *out)
{
	struct fake *f = fake_of(k);
	const struct fake_sa *in = sa_find(f, DIR_IN, local, remote, spi_in);
	const struct fake_sa *sa = sa_find(f, DIR_OUT, local, remote, spi_out);

	if (!in || !sa || in->reqid != reqid || sa->reqid != reqid)
		return IKE_E_STATE;
	if (f->now_ms) {
		out->idle_in_s = (uint32_t)((f->now_ms() - in->since_ms) / 1000);
		out->idle_out_s = (uint32_t)((f->now_ms() - sa->since_ms) / 1000);
	}
	for (unsigned i = 0; i < f->n_traffic; i++)
		if (f->traffic[i].reqid == reqid)
			*out = f->traffic[i].traffic;
	return IKE_OK;
}

/* Events --------------------------------------------------------------------------------------------------------- */

static int fake_event_fd(const struct kernel *k)
{
	(void)k;
	return -1;
}

static bool fake_next_event(struct kernel *k, struct kernel_event *out)
{
	struct fake *f = fake_of(k);

	if (f->n_events == 0)
		return false;
	*out = f->events[0];
	f->n_events--;
	memmove(f->events, f->events + 1, f->n_events * sizeof f->events[0]);
	return true;
}

/* A full queue loses the event, as a netlink socket does. */
static void event_add(struct fake *f, struct kernel_event event)
{
	if (f->n_events < EVENTS_MAX)
		f->events[f->n_events++] = event;
}

enum ike_err kernel_fake_acquire(struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote)
{
	struct fake *f = fake_of(k);
	const struct fake_policy *p = policy_for(f, DIR_OUT, local, remote);
	bool tunnel = p && p->form.outer_local.family != IP_NONE;
	struct fake_sa larval = { .dir = DIR_OUT, .local = tunnel ? p->form.outer_local : *local,
				  .remote = tunnel ? p->form.outer_remote : *remote, .tunnel = tunnel };
	enum ike_err err;

	if (!p || p->foreign || kernel_fake_fate_out(k, local, remote) != FATE_DROP ||
	    sa_find_larval(f, &larval.local, &larval.remote, p->form.reqid, tunnel))
		return IKE_E_STATE;
	larval.reqid = p->form.reqid;
	err = sa_insert(f, &larval);
	if (err == IKE_OK)
		event_add(f, (struct kernel_event){ .kind = KERNEL_EV_ACQUIRE, .reqid = larval.reqid, .local = *local,
						    .remote = *remote });
	return err;
}

enum ike_err kernel_fake_expire(struct kernel *k, uint32_t spi, bool hard)
{
	struct fake *f = fake_of(k);

	for (unsigned i = 0; i < f->n_sas; i++) {
		if (f->sas[i].foreign || f->sas[i].spi != spi || spi == 0)
			continue;
		event_add(f, (struct kernel_event){ .kind = hard ? KERNEL_EV_HARD_EXPIRE : KERNEL_EV_SOFT_EXPIRE,
						    .reqid = f->sas[i].reqid, .spi = spi });
		if (hard)
			sa_remove(f, &f->sas[i]);
		return IKE_OK;
	}
	return IKE_E_STATE;
}

static void fake_lost(struct kernel *k, struct kernel_lost *out)
{
	struct fake *f = fake_of(k);

	*out = f->lost;
	f->lost = (struct kernel_lost){ .sas = { .n = 0 } };
}

void kernel_fake_flush(struct kernel *k, bool policies, bool sas)
{
	struct fake *f = fake_of(k);

	if (policies) {
		f->n_policies = 0;
		memset(f->exempt, 0, sizeof f->exempt);
		f->lost.policies.all = true;
	}
	while (sas && f->n_sas > 0)
		sa_remove(f, &f->sas[f->n_sas - 1]);
	f->lost.sas.all |= sas;
}

enum ike_err kernel_fake_lose_policy(struct kernel *k, bool in, const struct ip_addr *local, const struct ip_addr *remote)
{
	struct fake *f = fake_of(k);
	struct fake_policy *p = policy_at(f, in ? DIR_IN : DIR_OUT, local, remote);
	struct lost_policies *lost = &f->lost.policies;

	if (!p || lost->n == LOST_MAX)
		return IKE_E_STATE;
	lost->policy[lost->n++] = (struct policy_name){ .kind = p->kind, .dir = p->dir, .local = p->local, .remote = p->remote };
	*p = f->policies[--f->n_policies];
	return IKE_OK;
}

/* Opening, closing ------------------------------------------------------------------------------------------------ */

static void fake_close(struct kernel *k, bool remove)
{
	struct fake *f = fake_of(k);

	(void)remove;               /* what is in this memory ends with it either way */
	free(f->sas);
	free(f->policies);
	free(f->traffic);
	free(f);
}

static const struct kernel_ops fake_ops = {
	.look = fake_look, .run = fake_run, .traffic = fake_traffic, .event_fd = fake_event_fd,
	.next_event = fake_next_event, .guard_fd = fake_event_fd, .lost = fake_lost, .close = fake_close,
};

enum ike_err kernel_fake_open(const struct log *log, struct kernel **out)
{
	struct fake *f = calloc(1, sizeof *f);

	*out = NULL;
	if (!f)
		return IKE_E_NOMEM;
	if (kernel_init(&f->base, &fake_ops, log) != IKE_OK) {
		free(f);
		return IKE_E_NOMEM;
	}
	*out = &f->base;
	return IKE_OK;
}

void kernel_fake_fail_at(struct kernel *k, unsigned step)
{
	fake_of(k)->steps = 0;
	fake_of(k)->fail_at = step;
}

void kernel_fake_watch(struct kernel *k, void (*step_done)(void *arg, const struct kernel *k), void *arg)
{
	fake_of(k)->step_done = step_done;
	fake_of(k)->step_arg = arg;
}

unsigned kernel_fake_steps(const struct kernel *k)
{
	return fake_of_const(k)->steps;
}

void kernel_fake_without(struct kernel *k, uint16_t encr, enum ip_family family)
{
	struct fake *f = fake_of(k);

	if (encr == 0)
		f->without_family[family == IP_V6] = true;
	else if (f->n_without_encr < sizeof f->without_encr / sizeof f->without_encr[0])
		f->without_encr[f->n_without_encr++] = encr;
}

void kernel_fake_set_traffic(struct kernel *k, uint32_t reqid, const struct sa_traffic *traffic)
{
	struct fake *f = fake_of(k);
	unsigned i = 0;

	while (i < f->n_traffic && f->traffic[i].reqid != reqid)
		i++;
	if (i == f->n_traffic && !grow((void **)&f->traffic, f->n_traffic, &f->max_traffic, sizeof *f->traffic))
		return;
	if (i == f->n_traffic)
		f->n_traffic++;
	f->traffic[i] = (struct fake_traffic){ .reqid = reqid, .traffic = *traffic };
}

enum ike_err kernel_fake_foreign_policy(struct kernel *k, bool in, const struct ip_addr *local,
					const struct ip_addr *remote)
{
	struct fake_policy p = { .foreign = true, .dir = in ? DIR_IN : DIR_OUT, .local = *local,
				 .remote = *remote };

	return policy_insert(fake_of(k), &p);
}

enum ike_err kernel_fake_foreign_sa(struct kernel *k, bool in, const struct ip_addr *local, const struct ip_addr *remote,
				    uint32_t spi)
{
	struct fake_sa sa = { .foreign = true, .dir = in ? DIR_IN : DIR_OUT, .local = *local, .remote = *remote,
			      .inner_local = *local, .inner_remote = *remote, .spi = spi };

	return sa_insert(fake_of(k), &sa);
}

/* Looking --------------------------------------------------------------------------------------------------------- */

enum kernel_fate kernel_fake_fate_out(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote)
{
	const struct fake *f = fake_of_const(k);
	const struct fake_policy *p = policy_for(f, DIR_OUT, local, remote);

	if (!p || p->kind == POLICY_PASS)
		return FATE_CLEAR;
	if (p->foreign)
		return FATE_FOREIGN;
	return sa_for_sending(f, local, remote, p->form.reqid) ? FATE_ESP : FATE_DROP;
}

enum kernel_fate kernel_fake_fate_in(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote)
{
	const struct fake *f = fake_of_const(k);
	const struct fake_policy *p = policy_for(f, DIR_IN, local, remote);

	if (!p)
		return FATE_CLEAR;
	if (p->foreign)
		return FATE_FOREIGN;
	for (unsigned i = 0; i < f->n_sas; i++)
		if (f->sas[i].dir == DIR_IN && f->sas[i].reqid == p->form.reqid && f->sas[i].spi != 0 &&
		    same_pair(&f->sas[i].inner_local, &f->sas[i].inner_remote, local, remote))
			return FATE_ESP;
	return FATE_DROP;
}

uint32_t kernel_fake_spi_out(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote)
{
	const struct fake *f = fake_of_const(k);
	const struct fake_policy *p = policy_for(f, DIR_OUT, local, remote);
	const struct fake_sa *sa = p && !p->foreign ? sa_for_sending(f, local, remote, p->form.reqid) : NULL;

	return sa ? sa->spi : 0;
}

/* By the packets that it carries. */
static const struct fake_sa *sa_carrying(const struct fake *f, enum kernel_dir dir, const struct ip_addr *local,
					 const struct ip_addr *remote, uint32_t spi)
{
	for (unsigned i = 0; spi && i < f->n_sas; i++)
		if (f->sas[i].dir == dir && f->sas[i].spi == spi &&
		    same_pair(&f->sas[i].inner_local, &f->sas[i].inner_remote, local, remote))
			return &f->sas[i];
	return NULL;
}

bool kernel_fake_accepts(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote, uint32_t spi_in)
{
	const struct fake *f = fake_of_const(k);
	const struct fake_sa *sa = sa_carrying(f, DIR_IN, local, remote, spi_in);
	const struct fake_policy *p = policy_for(f, DIR_IN, local, remote);

	return sa && (!p || (!p->foreign && p->form.reqid == sa->reqid));
}

void kernel_fake_count(const struct kernel *k, struct kernel_fake_counts *out)
{
	const struct fake *f = fake_of_const(k);

	*out = (struct kernel_fake_counts){ 0 };
	for (unsigned i = 0; i < f->n_sas; i++)
		++*(f->sas[i].foreign ? &out->foreign_sas : &out->sas);
	for (unsigned i = 0; i < f->n_policies; i++)
		++*(f->policies[i].foreign ? &out->foreign_policies : &out->policies);
	for (unsigned i = 0; i < EXEMPT_MAX; i++)
		out->exemptions += f->exempt[i];
}

/* a's packets can be read by b. */
static bool one_way(const struct kernel *a, const struct kernel *b, const struct ip_addr *addr_a,
		    const struct ip_addr *addr_b)
{
	uint32_t spi = kernel_fake_spi_out(a, addr_a, addr_b);
	const struct fake_sa *out = sa_carrying(fake_of_const(a), DIR_OUT, addr_a, addr_b, spi);
	const struct fake_sa *in = sa_carrying(fake_of_const(b), DIR_IN, addr_b, addr_a, spi);

	return out && in && kernel_fake_accepts(b, addr_b, addr_a, out->spi) && in->suite.encr == out->suite.encr &&
	       in->suite.encr_bits == out->suite.encr_bits && in->suite.integ == out->suite.integ &&
	       in->suite.esn == out->suite.esn && in->encap_local_port == out->encap_remote_port &&
	       in->encap_remote_port == out->encap_local_port &&
	       in->keys == out->keys;
}

bool kernel_fake_pair(const struct kernel *a, const struct kernel *b, const struct ip_addr *addr_a,
		      const struct ip_addr *addr_b)
{
	return one_way(a, b, addr_a, addr_b) && one_way(b, a, addr_b, addr_a);
}

enum { DESCRIBE_LINE_MAX = 320 };

static int line_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *kernel_fake_describe(const struct kernel *k, char *to, size_t max)
{
	const struct fake *f = fake_of_const(k);
	unsigned n = 0;
	size_t used = 0;
	char l[IP_TEXT_MAX], r[IP_TEXT_MAX], il[IP_TEXT_MAX], ir[IP_TEXT_MAX];
	char (*lines)[DESCRIBE_LINE_MAX] = calloc((size_t)f->n_sas + f->n_policies + EXEMPT_MAX, DESCRIBE_LINE_MAX);

	to[0] = '\0';
	if (!lines)
		return to;
	for (unsigned i = 0; i < f->n_sas; i++) {
		const struct fake_sa *sa = &f->sas[i];

		snprintf(lines[n++], DESCRIBE_LINE_MAX,
			 "sa %s %s - %s for %s - %s spi %08x reqid %08x encr %u/%u integ %u esn %d encap %u-%u%s\n",
			 sa->dir == DIR_IN ? "in" : "out", ip_text(&sa->local, l), ip_text(&sa->remote, r),
			 ip_text(&sa->inner_local, il), ip_text(&sa->inner_remote, ir), sa->spi,
			 sa->reqid, sa->suite.encr, sa->suite.encr_bits, sa->suite.integ, sa->suite.esn,
			 sa->encap_local_port, sa->encap_remote_port, sa->foreign ? " foreign" : "");
	}
	for (unsigned i = 0; i < f->n_policies; i++) {
		const struct fake_policy *p = &f->policies[i];

		snprintf(lines[n++], DESCRIBE_LINE_MAX, "%s %s %s - %s by %s - %s reqid %08x%s%s\n",
			 p->kind == POLICY_SHIELD ? "shield" : p->kind == POLICY_PASS ? "pass" : "policy",
			 p->dir == DIR_IN ? "in" : "out", ip_text(&p->local, l), ip_text(&p->remote, r),
			 ip_text(&p->form.outer_local, il), ip_text(&p->form.outer_remote, ir), p->form.reqid,
			 p->form.assigned ? " assigned" : "", p->foreign ? " foreign" : "");
	}
	for (unsigned i = 0; i < EXEMPT_MAX; i++)
		if (f->exempt[i])
			snprintf(lines[n++], DESCRIBE_LINE_MAX, "exemption %02u\n", i);
	qsort(lines, n, DESCRIBE_LINE_MAX, line_order);
	for (unsigned i = 0; i < n; i++) {
		size_t length = strlen(lines[i]);

		if (used + length >= max)
			break;
		memcpy(to + used, lines[i], length + 1);
		used += length;
	}
	free(lines);
	return to;
}
