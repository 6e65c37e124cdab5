/* kernel_xfrm.c - kernel.h over Linux XFRM.
 *
 * Other people's policies. Ours are weaker than everybody's (exempt.h), so a foreign policy that covers a pair of hosts
 * decides about their packets, and protecting the pair on top would be a promise that nobody keeps: perhaps the packets go
 * in clear. Such a pair is IKE_E_CONFLICT, like a foreign policy for exactly this pair. Foreign policies for single
 * protocols or ports, marks or interfaces are exceptions that their owner wants; they are left to work and do not count.
 *
 * To know them without reading all policies for each request, we remember the foreign ones, and read them again when the
 * kernel has told of a change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/secret.h"
#include "kernel/exempt.h"
#include "kernel/kernel_impl.h"
#include "kernel/xfrm_events.h"
#include "kernel/xfrm_idle.h"
#include "kernel/xfrm_nl.h"
#include "kernel/xfrm_policy.h"
#include "kernel/xfrm_sa.h"

struct foreign_policy {
	enum kernel_dir dir;
	struct xfrm_selector sel;
};

struct xfrm {
	struct kernel base;
	struct xnl nl;
	struct nl_sock *events;
	struct nl_sock *guard;
	struct nl_sock *watch;      /* tells when what follows is out of date */
	struct foreign_policy *foreign;         /* those that cover whole hosts and are stronger than ours */
	unsigned n_foreign, max_foreign;
	bool stale;
	struct idle_table idle;
};

static struct xfrm *xfrm_of(struct kernel *k)
{
	return (struct xfrm *)k;
}

static bool reqid_is_ours(uint32_t reqid)
{
	return (reqid & ~(uint32_t)KERNEL_REQID_MASK) == KERNEL_REQID_BASE;
}

/* Steps ---------------------------------------------------------------------------------------------------------- */

static const char *step_text(enum step_kind kind)
{
	switch (kind) {
	case STEP_SA_ADD:
		return "add SA";
	case STEP_SA_DELETE:
		return "delete SA";
	case STEP_SA_REMAP:
		return "remap SA";
	case STEP_POLICY_ADD:
		return "add policy";
	case STEP_POLICY_UPDATE:
		return "update policy";
	case STEP_POLICY_DELETE:
		return "delete policy";
	case STEP_EXEMPT_ADD:
		return "add exemption";
	case STEP_EXEMPT_DELETE:
		return "delete exemption";
	}
	return "unknown step";
}

static const struct ip_addr *sa_dst(const struct step *s)
{
	return s->dir == DIR_OUT ? &s->request->remote : &s->request->local;
}

static void step_message(struct xnl_batch *b, const struct step *s)
{
	struct exemption e;

	switch (s->kind) {
	case STEP_SA_ADD:
		xfrm_sa_add(b, s->request, s->dir, s->spi, s->reqid);
		return;
	case STEP_SA_DELETE:
		xfrm_sa_delete(b, sa_dst(s), s->spi);
		return;
	case STEP_SA_REMAP:
		xfrm_sa_remap(b, s->request, s->dir, s->spi, s->reqid);
		return;
	case STEP_POLICY_ADD:
		xfrm_policy_add(b, s->request, s->policy, s->dir, &s->form);
		return;
	case STEP_POLICY_UPDATE:
		xfrm_policy_update(b, s->request, s->policy, s->dir, &s->form);
		return;
	case STEP_POLICY_DELETE:
		xfrm_policy_delete(b, s->request, s->policy, s->dir, s->index);
		return;
	case STEP_EXEMPT_ADD:
	case STEP_EXEMPT_DELETE:
		if (!exemption_at(s->index, &e))
			b->bad = true;
		else if (s->kind == STEP_EXEMPT_ADD)
			xfrm_exemption_add(b, &e);
		else
			xfrm_exemption_delete(b, &e);
		return;
	}
}

static enum ike_err step_result(const struct step *s, int error)
{
	bool deletes = s->kind == STEP_SA_DELETE || s->kind == STEP_POLICY_DELETE || s->kind == STEP_EXEMPT_DELETE;

	if (error == 0)
		return IKE_OK;
	if (deletes && (error == ESRCH || error == ENOENT))
		return IKE_E_STATE;
	if (s->kind == STEP_SA_REMAP && error == ESRCH)
		return IKE_E_STATE;
	if (error == EEXIST)
		return IKE_E_CONFLICT;
	if (s->kind == STEP_SA_ADD && (error == EPROTONOSUPPORT || error == EAFNOSUPPORT))
		return IKE_E_UNSUPPORTED;
	if (s->kind == STEP_SA_ADD && (error == ENOSYS || error == ENOENT || error == EOPNOTSUPP))
		return IKE_E_NO_PROPOSAL;
	return IKE_E_KERNEL;
}

/* An exemption that exists is one that a killed run left: no failure (plan.h). */
static bool is_error(const struct step *s, enum ike_err result)
{
	return !s->probe && result != IKE_E_STATE && !(s->kind == STEP_EXEMPT_ADD && result == IKE_E_CONFLICT);
}

static void step_finish(struct xfrm *x, const struct step *s, const struct xnl_request *r, enum ike_err *result)
{
	*result = step_result(s, r->error);
	if (*result != IKE_OK)
		log_line(x->base.log, is_error(s, *result) ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG,
			 "kernel: %s %s: %s%s%s%s", step_text(s->kind), s->dir == DIR_OUT ? "out" : "in",
			 strerror(r->error), r->text[0] ? " (" : "", r->text, r->text[0] ? ")" : "");
}

static void keep_spi(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct xfrm_sa sa;

	(void)i;
	if (xfrm_sa_read(hdr, &sa))
		*(uint32_t *)arg = sa.spi;
}

/* A larval SA has no SPI, by which alone SAs can be deleted one by one: it is given one first. */
static enum ike_err delete_larval(struct xfrm *x, const struct step *s)
{
	const struct ip_addr *src = s->dir == DIR_OUT ? &s->request->local : &s->request->remote;
	struct xnl_batch b = { .n = 0 };
	uint32_t spi = 0;
	enum ike_err err;

	xfrm_sa_name_larval(&b, src, sa_dst(s), s->reqid, s->tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT);
	err = xnl_talk(&x->nl, &b, keep_spi, &spi);
	if (err == IKE_OK && (b.r[0].error != 0 || spi == 0))
		step_finish(x, s, &b.r[0], &err);
	xnl_clear(&b);
	if (err != IKE_OK)
		return err;
	xfrm_sa_delete(&b, sa_dst(s), spi);
	err = xnl_talk(&x->nl, &b, NULL, NULL);
	if (err == IKE_OK)
		step_finish(x, s, &b.r[0], &err);
	xnl_clear(&b);
	return err;
}

static bool is_larval(const struct step *s)
{
	return s->kind == STEP_SA_DELETE && s->spi == 0;
}

static void run_batch(struct xfrm *x, const struct step *steps, unsigned n, enum ike_err *results)
{
	struct xnl_batch b = { .n = 0 };
	enum ike_err err;

	for (unsigned i = 0; i < n; i++)
		step_message(&b, &steps[i]);
	err = xnl_talk(&x->nl, &b, NULL, NULL);
	for (unsigned i = 0; i < n; i++) {
		results[i] = err;
		if (err == IKE_OK)
			step_finish(x, &steps[i], &b.r[i], &results[i]);
	}
	xnl_clear(&b);
}

static void xfrm_run(void *arg, const struct step *steps, unsigned n, enum ike_err *results)
{
	struct xfrm *x = arg;

	for (unsigned i = 0, m; i < n; i += m) {
		m = 0;
		if (is_larval(&steps[i])) {
			results[i] = delete_larval(x, &steps[i]);
			m = 1;
			continue;
		}
		while (i + m < n && m < XNL_BATCH_MAX && !is_larval(&steps[i + m]))
			m++;
		run_batch(x, &steps[i], m, &results[i]);
	}
}

/* Looking --------------------------------------------------------------------------------------------------------- */

struct look {
	struct xfrm *x;
	const struct kernel_request *request;
	struct plan_view *view;
	enum policy_kind asked[5];  /* by the requests for policies, in their order */
	unsigned n_asked;
	bool failed;                /* no memory */
};

static struct policy_view *view_of(struct plan_view *view, enum policy_kind kind, enum kernel_dir dir)
{
	switch (kind) {
	case POLICY_SHIELD:
		return &view->shield[dir];
	case POLICY_UNTRANSLATED:
		return &view->untranslated;
	case POLICY_PAIR:
	case POLICY_PASS:
		break;
	}
	return &view->pair[dir];
}

static void look_policy_answer(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct look *l = arg;
	struct policy_view *out;
	struct xfrm_policy p;

	if (i >= l->n_asked || !xfrm_policy_read(hdr, &p))
		return;
	out = view_of(l->view, l->asked[i], p.dir);
	*out = (struct policy_view){ .owner = POLICY_FOREIGN, .sound = p.sound, .form = p.form, .index = p.index };
	if (p.kind == XP_PROTECT)
		out->owner = POLICY_OURS;
	else if (p.kind == XP_PASS)
		out->owner = POLICY_OURS_PASS;
}

static void remember_foreign(struct look *l, const struct xfrm_policy *p)
{
	struct xfrm *x = l->x;

	if (x->n_foreign == x->max_foreign) {
		unsigned want = x->max_foreign ? 2 * x->max_foreign : 16;
		struct foreign_policy *more = realloc(x->foreign, want * sizeof *more);

		if (!more) {
			l->failed = true;
			return;
		}
		x->foreign = more;
		x->max_foreign = want;
	}
	x->foreign[x->n_foreign++] = (struct foreign_policy){ .dir = p->dir, .sel = p->sel };
}

static void survey_answer(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct look *l = arg;
	struct xfrm_policy p;

	(void)i;
	if (xfrm_policy_read(hdr, &p) && p.covers_hosts && p.priority <= PRIORITY_PROTECT)
		remember_foreign(l, &p);
}

/* Remember the foreign policies that matter, as they are now. */
static enum ike_err survey(struct xfrm *x)
{
	enum { TRIES = 3 };
	bool whole = false;

	x->stale |= xfrm_watch_changed(x->watch);
	if (!x->stale)
		return IKE_OK;
	for (unsigned i = 0; i < TRIES && !whole; i++) {
		struct xnl_batch b = { .n = 0 };
		struct look l = { .x = x };
		enum ike_err err;

		x->n_foreign = 0;
		xfrm_policy_list(&b);
		err = xnl_dump(&x->nl, &b, survey_answer, &l, &whole);
		if (err != IKE_OK)
			return err;
		if (l.failed)
			return IKE_E_NOMEM;
	}
	x->stale = !whole;
	return whole ? IKE_OK : IKE_E_KERNEL;
}

static bool covered_by_foreign(const struct xfrm *x, enum kernel_dir dir, const struct kernel_request *r)
{
	for (unsigned i = 0; i < x->n_foreign; i++)
		if (x->foreign[i].dir == dir && xfrm_policy_covers(&x->foreign[i].sel, dir, request_local(r), request_remote(r)))
			return true;
	return false;
}

static void ask_policy(struct look *l, struct xnl_batch *b, enum policy_kind kind, enum kernel_dir dir)
{
	xfrm_policy_get(b, l->request, kind, dir);
	l->asked[l->n_asked++] = kind;
}

static enum ike_err look_policies(struct look *l)
{
	struct xnl_batch b = { .n = 0 };
	enum ike_err err;

	ask_policy(l, &b, POLICY_PAIR, DIR_OUT);
	ask_policy(l, &b, POLICY_PAIR, DIR_IN);
	if (l->request->shield) {
		ask_policy(l, &b, POLICY_SHIELD, DIR_OUT);
		ask_policy(l, &b, POLICY_SHIELD, DIR_IN);
	}
	if (request_has_assigned(l->request))
		ask_policy(l, &b, POLICY_UNTRANSLATED, DIR_OUT);
	err = xnl_talk(&l->x->nl, &b, look_policy_answer, l);
	for (unsigned i = 0; i < b.n && err == IKE_OK; i++) {
		if (b.r[i].error == 0 || b.r[i].error == ENOENT)
			continue;
		log_error(l->x->base.log, "kernel: look for a policy: %s", strerror(b.r[i].error));
		err = IKE_E_KERNEL;
	}
	xnl_clear(&b);
	if (err != IKE_OK || l->request->op != KERNEL_PROTECT)
		return err;

	err = survey(l->x);
	for (unsigned i = 0; i < 2; i++)
		if (l->view->pair[i].owner == POLICY_ABSENT && covered_by_foreign(l->x, (enum kernel_dir)i, l->request))
			l->view->pair[i].owner = POLICY_FOREIGN;
	return err;
}

static void look_sa_answer(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct look *l = arg;
	struct xfrm_sa sa;

	(void)i;
	if (!xfrm_sa_read(hdr, &sa) || sa.reqid != l->request->reqid)
		return;
	if (l->view->sas == PLAN_SAS_MAX) {
		l->view->more = true;
		return;
	}
	l->view->sa[l->view->sas++] = (struct sa_view){
		.dir = ip_equal(&sa.dst, &l->request->remote) ? DIR_OUT : DIR_IN, .spi = sa.spi, .tunnel = sa.mode == XFRM_MODE_TUNNEL };
}

/* Those of DELETE_SAS and REMAP: asked for by name, touched only if they carry our reqid. */
static enum ike_err look_named_sas(struct look *l)
{
	struct xnl_batch b = { .n = 0 };
	enum ike_err err;

	/* SPI 0 stands for none here, and for a larval SA in the kernel. */
	if (l->request->spi_out)
		xfrm_sa_get(&b, &l->request->remote, l->request->spi_out);
	if (l->request->spi_in)
		xfrm_sa_get(&b, &l->request->local, l->request->spi_in);
	err = xnl_talk(&l->x->nl, &b, look_sa_answer, l);
	for (unsigned i = 0; i < b.n && err == IKE_OK; i++) {
		if (b.r[i].error == 0 || b.r[i].error == ESRCH)
			continue;
		log_error(l->x->base.log, "kernel: look for an SA: %s", strerror(b.r[i].error));
		err = IKE_E_KERNEL;
	}
	xnl_clear(&b);
	return err;
}

static enum ike_err look_all_sas(struct look *l)
{
	struct xnl_batch b = { .n = 0 };
	enum ike_err err;
	bool whole;

	xfrm_sa_list(&b, &l->request->local, &l->request->remote);
	err = xnl_dump(&l->x->nl, &b, look_sa_answer, l, &whole);
	if (err != IKE_OK)
		return err;
	l->view->more |= !whole;
	xfrm_sa_list(&b, &l->request->remote, &l->request->local);
	err = xnl_dump(&l->x->nl, &b, look_sa_answer, l, &whole);
	l->view->more |= !whole;
	return err;
}

static enum ike_err xfrm_look(struct kernel *k, const struct kernel_request *r, struct plan_view *view)
{
	struct look l = { .x = xfrm_of(k), .request = r, .view = view };
	enum ike_err err;

	switch (r->op) {
	case KERNEL_PROTECT:
	case KERNEL_RETIRE:
	case KERNEL_PASS:
	case KERNEL_UNPASS:
		return look_policies(&l);
	case KERNEL_ADD_SAS:
		return IKE_OK;
	case KERNEL_DELETE_SAS:
		if (r->spi_in)
			idle_forget(&xfrm_of(k)->idle, r->reqid, r->spi_in);
		return look_named_sas(&l);
	case KERNEL_REMAP:
		return look_named_sas(&l);
	case KERNEL_UNPROTECT:
		idle_forget(&xfrm_of(k)->idle, r->reqid, 0);
		err = look_policies(&l);
		return err == IKE_OK ? look_all_sas(&l) : err;
	}
	return IKE_E_KERNEL;
}

/* Traffic --------------------------------------------------------------------------------------------------------- */

struct traffic_answer {
	struct xfrm_sa sa[2];       /* out, in */
	bool found[2];
};

static void traffic_read(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct traffic_answer *t = arg;

	if (i < 2)
		t->found[i] = xfrm_sa_read(hdr, &t->sa[i]);
}

/* The kernel's times are wall clock, which may have been set back. */
static uint32_t seconds_since(uint64_t then_s)
{
	uint64_t now_s = (uint64_t)time(NULL);

	return then_s < now_s ? (uint32_t)(now_s - then_s) : 0;
}

static void set_idle(struct xfrm *x, const struct traffic_answer *t, uint32_t spi_in, uint32_t spi_out,
		     struct sa_traffic *out)
{
	const struct xfrm_sa *sa_out = &t->sa[0], *sa_in = &t->sa[1];
	struct timespec now;

	if ((sa_out->packets && !sa_out->last_use_s) || (sa_in->packets && !sa_in->last_use_s)) {
		clock_gettime(CLOCK_BOOTTIME, &now);
		idle_update(&x->idle, sa_out->reqid, spi_in, spi_out, (uint64_t)now.tv_sec, out);
	}
	if (sa_out->last_use_s || !sa_out->packets)
		out->idle_out_s = seconds_since(sa_out->last_use_s ? sa_out->last_use_s : sa_out->added_s);
	if (sa_in->last_use_s || !sa_in->packets)
		out->idle_in_s = seconds_since(sa_in->last_use_s ? sa_in->last_use_s : sa_in->added_s);
}

static enum ike_err xfrm_traffic(struct kernel *k, uint32_t reqid, uint32_t spi_in, uint32_t spi_out,
				 const struct ip_addr *local, const struct ip_addr *remote, struct sa_traffic *out)
{
	struct xnl_batch b = { .n = 0 };
	struct traffic_answer t = { .found = { false, false } };
	enum ike_err err;

	xfrm_sa_get(&b, remote, spi_out);
	xfrm_sa_get(&b, local, spi_in);
	err = xnl_talk(&xfrm_of(k)->nl, &b, traffic_read, &t);
	xnl_clear(&b);
	if (err != IKE_OK)
		return err;
	if (!t.found[0] || !t.found[1] || t.sa[0].reqid != reqid || t.sa[1].reqid != reqid)
		return IKE_E_STATE;
	*out = (struct sa_traffic){
		.bytes_out = t.sa[0].bytes, .packets_out = t.sa[0].packets,
		.bytes_in = t.sa[1].bytes, .packets_in = t.sa[1].packets,
	};
	set_idle(xfrm_of(k), &t, spi_in, spi_out, out);
	return IKE_OK;
}

/* Removing what is ours -------------------------------------------------------------------------------------------- */

struct litter {
	struct ledger *orphans;     /* not NULL: what protects is to be an orphan, of this ledger; what is one already does not count */
	struct xfrm_sa *sas;
	unsigned n_sas, max_sas;
	struct xfrm_policy *policies;
	unsigned n_policies, max_policies;
	bool failed;
};

static void *litter_room(void *list, unsigned n, unsigned *max, size_t size, bool *failed)
{
	unsigned want = *max ? 2 * *max : 64;
	void *more;

	if (n < *max)
		return list;
	more = realloc(list, want * size);
	if (!more) {
		*failed = true;
		return list;
	}
	*max = want;
	return more;
}

static enum ike_err keep_orphan(struct ledger *ledger, const struct xfrm_policy *p)
{
	struct policy_name name = xfrm_policy_name(p);

	return ledger_keep_orphan(ledger, &name);
}

static void litter_answer(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct litter *l = arg;
	struct xfrm_policy p;
	struct xfrm_sa sa;

	(void)i;
	if (xfrm_sa_read(hdr, &sa) && reqid_is_ours(sa.reqid)) {
		l->sas = litter_room(l->sas, l->n_sas, &l->max_sas, sizeof *l->sas, &l->failed);
		if (l->n_sas < l->max_sas)
			l->sas[l->n_sas++] = sa;
	} else if (xfrm_policy_read(hdr, &p) && (p.kind == XP_PROTECT || p.kind == XP_PASS || p.kind == XP_EXEMPT)) {
		if (l->orphans && p.kind == XP_PROTECT)
			l->failed |= keep_orphan(l->orphans, &p) != IKE_OK;
		if (l->orphans && (p.kind == XP_EXEMPT || p.form.reqid == KERNEL_REQID_ORPHAN))
			return;
		l->policies = litter_room(l->policies, l->n_policies, &l->max_policies, sizeof *l->policies, &l->failed);
		if (l->n_policies < l->max_policies)
			l->policies[l->n_policies++] = p;
	}
}

/* Errors but "gone already" are logged by the caller's second look. */
static void clear_policies(struct xfrm *x, const struct litter *l, enum xfrm_policy_kind kind)
{
	struct xnl_batch b = { .n = 0 };

	for (unsigned i = 0; i < l->n_policies; i++) {
		const struct xfrm_policy *p = &l->policies[i];

		if (p->kind == kind && kind == XP_PROTECT && l->orphans)
			xfrm_policy_orphan(&b, &p->sel, p->dir);
		else if (p->kind == kind)
			xfrm_policy_delete_index(&b, p->dir, p->sel.family, p->index);
		if (b.n == XNL_BATCH_MAX || i + 1 == l->n_policies) {
			if (xnl_talk(&x->nl, &b, NULL, NULL) != IKE_OK)
				log_error(x->base.log, "kernel: clear policies: no answer");
			xnl_clear(&b);
		}
	}
}

static void delete_sas(struct xfrm *x, const struct litter *l)
{
	for (unsigned i = 0; i < l->n_sas; i++) {
		/* Whose end is whose does not matter here: the source is local. */
		struct kernel_request r = { .local = l->sas[i].src, .remote = l->sas[i].dst };
		struct step s = { .kind = STEP_SA_DELETE, .dir = DIR_OUT, .spi = l->sas[i].spi, .reqid = l->sas[i].reqid,
				  .tunnel = l->sas[i].mode == XFRM_MODE_TUNNEL, .request = &r };
		enum ike_err result;

		xfrm_run(x, &s, 1, &result);
	}
}

/* One round of looking and deleting. *left: how many objects of ours were there; *whole: and no others. */
static enum ike_err remove_round(struct xfrm *x, bool to_orphans, unsigned *left, bool *whole)
{
	struct litter l = { .orphans = to_orphans ? &x->base.ledger : NULL };
	struct xnl_batch b = { .n = 0 };
	bool whole_sas = false, whole_policies = false;
	enum ike_err err;

	xfrm_sa_list(&b, NULL, NULL);
	err = xnl_dump(&x->nl, &b, litter_answer, &l, &whole_sas);
	if (err == IKE_OK) {
		xfrm_policy_list(&b);
		err = xnl_dump(&x->nl, &b, litter_answer, &l, &whole_policies);
	}
	if (err == IKE_OK) {
		/* In the order of UNPROTECT; the exemptions last, while they still matter. What passes is for the next run to
		 * decide. */
		clear_policies(x, &l, XP_PROTECT);
		clear_policies(x, &l, XP_PASS);
		delete_sas(x, &l);
		clear_policies(x, &l, XP_EXEMPT);
	}
	*left = l.n_sas + l.n_policies;
	*whole = whole_sas && whole_policies && !l.failed;
	free(l.sas);
	free(l.policies);
	return err;
}

/* All SAs and policies of our range, the exemptions, and nothing else. to_orphans: what protects becomes an orphan, and exemptions
 * stay. */
static enum ike_err remove_ours(struct xfrm *x, bool to_orphans, unsigned *removed)
{
	enum { ROUNDS = 5 };
	unsigned left = 1;
	bool whole = false;

	*removed = 0;
	for (unsigned i = 0; i < ROUNDS && (left > 0 || !whole); i++) {
		enum ike_err err = remove_round(x, to_orphans, &left, &whole);

		if (err != IKE_OK)
			return err;
		if (i == 0)
			*removed = left;
	}
	if (left == 0 && whole)
		return IKE_OK;
	log_error(x->base.log, "kernel: %u SAs and policies of ours cannot be removed", left);
	return IKE_E_KERNEL;
}

/* Opening, closing -------------------------------------------------------------------------------------------------- */

static int xfrm_event_fd(const struct kernel *k)
{
	return nl_socket_get_fd(((const struct xfrm *)k)->events);
}

static bool xfrm_next_event(struct kernel *k, struct kernel_event *out)
{
	return xfrm_events_next(xfrm_of(k)->events, out);
}

static int xfrm_guard_fd(const struct kernel *k)
{
	return nl_socket_get_fd(((const struct xfrm *)k)->guard);
}

static void xfrm_lost(struct kernel *k, struct kernel_lost *out)
{
	xfrm_guard_read(xfrm_of(k)->guard, out);
}

static void xfrm_close(struct kernel *k, bool remove)
{
	struct xfrm *x = xfrm_of(k);
	unsigned removed;

	if (remove && remove_ours(x, false, &removed) == IKE_OK)
		log_debug(k->log, "kernel: removed %u SAs and policies", removed);
	if (x->events)
		xfrm_events_close(x->events);
	if (x->guard)
		xfrm_events_close(x->guard);
	if (x->watch)
		xfrm_events_close(x->watch);
	if (x->nl.sock)
		xnl_close(&x->nl);
	idle_clear(&x->idle);
	free(x->foreign);
	free(x);
}

static const struct kernel_ops xfrm_ops = {
	.look = xfrm_look, .run = xfrm_run, .traffic = xfrm_traffic, .event_fd = xfrm_event_fd,
	.next_event = xfrm_next_event, .guard_fd = xfrm_guard_fd, .lost = xfrm_lost, .close = xfrm_close,
};

enum ike_err kernel_xfrm_open(const struct log *log, struct kernel **out, const char **why)
{
	struct xfrm *x = calloc(1, sizeof *x);
	unsigned removed = 0;
	enum ike_err err;

	*out = NULL;
	*why = "no memory";
	if (!x)
		return IKE_E_IO;
	err = kernel_init(&x->base, &xfrm_ops, log);
	if (err == IKE_OK)
		err = xnl_open(&x->nl, log, why);
	if (err == IKE_OK)
		err = xfrm_events_open(&x->events, why);
	if (err == IKE_OK)
		err = xfrm_guard_open(xnl_port(&x->nl), &x->guard, why);
	if (err == IKE_OK)
		err = xfrm_watch_open(&x->watch, why);
	x->stale = true;
	if (err == IKE_OK && (remove_ours(x, true, &removed) != IKE_OK || survey(x) != IKE_OK)) {
		*why = "cannot read the kernel's SAs and policies: CAP_NET_ADMIN or CONFIG_XFRM_USER is missing";
		err = IKE_E_IO;
	}
	if (err != IKE_OK) {
		kernel_leave(&x->base);
		return IKE_E_IO;
	}
	if (removed > 0)
		log_info(log, "kernel: of %u SAs and policies that an earlier run left the SAs are removed; addresses that it "
			 "protected are not reached until their names are asked again", removed);
	*out = &x->base;
	return IKE_OK;
}
