/* plan.c - order and roll-back.
 *
 * PROTECT: SA in, SA out | policy out, policy in | shield out, shield in.
 *   - SA in first: the peer may use it from the moment its answer left, and without it its packets are lost. While no
 *     policy asks for it, an additional SA in accepts what is encrypted and changes nothing else.
 *   - SA out before policy out: the other way round the first packet would find a policy and no SA, that is an acquire
 *     and a lost packet.
 *   - Policy out before policy in: between the two our packets leave encrypted, and the answers, encrypted or not yet,
 *     are both accepted. The other way round would drop the peer's cleartext while ours still leaves in clear.
 *   - No policy before both SAs are known to be in: an establishment that fails never had a policy, not even for a moment
 *     (promise 3). That is why the stages are two.
 *   Re-establishing: policies of the same reqid are there already and are left alone. The kernel sends with the newest SA
 *   of a reqid, and accepts on every SA in that is there, so packets change over from one pair to the next without a gap;
 *   the old pair goes by DELETE_SAS, later. When the peer re-establishes, the SA out is left away and comes by ADD_SAS: until the
 *   peer has our answer it can read the old one only.
 *   A policy of ours with another reqid is a conflict, as a foreign one is: the address is bound to the key that was proved
 *   first, and a second attempt with another key must not take over its traffic (promise 3). That this is decided here
 *   makes it independent of the order in which the layers above hear of two successes.
 *   An orphan is nobody's, and is taken over in place: it was drop before, and is never absent.
 *   - Beside the policy out for an assigned address the one for what is not translated to it yet, which is only a convenience:
 *   somebody else's in its place is let be.
 *   - The shield last, and only when the policies are in: it matches the pair's packets too, and would drop them.
 *   Any shield of ours will do, whoever put it there: it lets nothing through.
 *
 * UNPROTECT: shield in | shield out | policy in | policies out | SAs.
 *   Policies can be put back, SAs cannot (their keys are gone), so SAs go last. In before out, and each alone: should one
 *   fail, no packet of ours has left in clear. SAs gone first would drop packets until the policies are gone too.
 *   The shield first, for the same reason as above.
 *   What was an orphan, and would be one still, becomes one in the place of being deleted.
 *
 * RETIRE: policy in, policy out. The one for the untranslated stays, since it is the next address's, or has become the pair's; and so does
 *   what has become that one. Behind a gateway there is none, and both go.
 *
 * ADD_SAS: SA in, SA out, or one of them. In first as above. What is there stays; the policies have nothing to do with it.
 *
 * DELETE_SAS: SA out, SA in, or one of them. Out first: no packet is sent whose answer could no longer be read.
 *
 * REMAP: SA in, SA out, or one of them. The way to the old port is lost whatever becomes of it, so nothing is taken back.
 *
 * PASS, UNPASS: one policy. It never stands in the place of one that protects, nor the reverse.
 *
 * Undo runs backwards, and puts each policy back in the form in which it was found. What cannot be undone is a deleted SA: then the
 * policies are put back and the address is encrypted-or-dropped, the safe side. The caller may repeat the request, absent objects are
 * no error.
 */
#include "kernel/plan.h"
#include "kernel/exempt.h"

_Static_assert((int)PLAN_STEPS_MAX >= (int)EXEMPT_MAX && (int)PLAN_STEPS_MAX >= PLAN_SAS_MAX + 4,
	       "a plan holds any request");

static bool reqid_is_ours(uint32_t reqid)
{
	return (reqid & ~(uint32_t)KERNEL_REQID_MASK) == KERNEL_REQID_BASE;
}

static bool reqid_of_pair(uint32_t reqid)
{
	return reqid_is_ours(reqid) && reqid != KERNEL_REQID_ORPHAN && reqid != KERNEL_REQID_SHIELD;
}

static bool keys_fit(const struct esp_suite *suite, const struct esp_keys *keys)
{
	return keys->encr.n == suite_encr_key_len(suite->encr, suite->encr_bits) + suite_encr_salt_len(suite->encr) &&
	       keys->integ.n == suite_integ_key_len(suite->integ);
}

static bool suite_fits(const struct esp_suite *s)
{
	/* On the wire ChaCha20 has no Key Length attribute, inside it counts as 256 bits. */
	uint16_t wire_bits = s->encr == ENCR_CHACHA20_POLY1305 ? 0 : s->encr_bits;

	if (!suite_supports(TT_ENCR, s->encr, wire_bits))
		return false;
	if (suite_is_aead(s->encr))
		return s->integ == INTEG_NONE;
	return s->integ != INTEG_NONE && suite_supports(TT_INTEG, s->integ, 0);
}

/* RFC 4303 2.1: SPIs 1 to 255 are reserved, 0 is never sent. */
static bool sa_fits(const struct kernel_request *r, uint32_t spi, const struct esp_keys *keys)
{
	enum { SPI_FIRST = 256 };

	return spi >= SPI_FIRST && keys_fit(&r->suite, keys);
}

/* Without an SPI there are no keys either. */
static bool sa_fits_or_absent(const struct kernel_request *r, uint32_t spi, const struct esp_keys *keys)
{
	return spi == 0 ? keys->encr.n == 0 && keys->integ.n == 0 : sa_fits(r, spi, keys);
}

enum ike_err plan_check(const struct kernel_request *r)
{
	if (r->local.family != r->remote.family || (r->local.family != IP_V4 && r->local.family != IP_V6) ||
	    ip_equal(&r->local, &r->remote))
		return IKE_E_SYNTAX;
	if (request_is_tunnel(r) != (r->inner_remote.family != IP_NONE) ||
	    (request_is_tunnel(r) && ((r->inner_local.family != IP_V4 && r->inner_local.family != IP_V6) ||
				      r->inner_remote.family != r->inner_local.family || ip_equal(&r->inner_local, &r->inner_remote))))
		return IKE_E_SYNTAX;

	switch (r->op) {
	case KERNEL_PASS:
	case KERNEL_UNPASS:
		return IKE_OK;
	case KERNEL_REMAP:
		return reqid_of_pair(r->reqid) && (r->spi_in != 0 || r->spi_out != 0) && suite_fits(&r->suite) &&
				       r->encap_local_port != 0 && r->encap_remote_port != 0
			       ? IKE_OK
			       : IKE_E_SYNTAX;
	case KERNEL_UNPROTECT:
	case KERNEL_RETIRE:
	case KERNEL_DELETE_SAS:
		return reqid_of_pair(r->reqid) ? IKE_OK : IKE_E_SYNTAX;
	case KERNEL_PROTECT:
		if (!reqid_of_pair(r->reqid) || !sa_fits(r, r->spi_in, &r->keys_in) ||
		    !sa_fits_or_absent(r, r->spi_out, &r->keys_out) || !suite_fits(&r->suite) ||
		    (r->encap_local_port == 0) != (r->encap_remote_port == 0))
			return IKE_E_SYNTAX;
		return IKE_OK;
	case KERNEL_ADD_SAS:
		if (!reqid_of_pair(r->reqid) || (r->spi_in == 0 && r->spi_out == 0) || !suite_fits(&r->suite) ||
		    !sa_fits_or_absent(r, r->spi_in, &r->keys_in) || !sa_fits_or_absent(r, r->spi_out, &r->keys_out) ||
		    (r->encap_local_port == 0) != (r->encap_remote_port == 0))
			return IKE_E_SYNTAX;
		return IKE_OK;
	}
	return IKE_E_SYNTAX;
}

static struct step *plan_add(struct plan *p, enum step_kind kind, unsigned stage, enum kernel_dir dir,
			     const struct kernel_request *r)
{
	struct step *s = &p->steps[p->n++];

	*s = (struct step){ .kind = kind, .stage = stage, .dir = dir, .reqid = r->reqid, .request = r };
	if (kind == STEP_SA_ADD)
		s->spi = dir == DIR_IN ? r->spi_in : r->spi_out;
	return s;
}

static void plan_policy(struct plan *p, const struct policy_view *have, enum policy_kind kind, enum kernel_dir dir,
			const struct kernel_request *r)
{
	struct policy_form form = request_form(r, kind);
	struct step *s;

	if (have->owner == POLICY_OURS && have->sound && form_equal(&have->form, &form))
		return;
	s = plan_add(p, have->owner == POLICY_ABSENT ? STEP_POLICY_ADD : STEP_POLICY_UPDATE, kind == POLICY_SHIELD ? 2 : 1, dir, r);
	s->policy = kind;
	s->form = form;
	s->old = have->form;
}

/* One with another reqid is left alone. */
static void plan_open_one(struct plan *p, const struct policy_view *have, enum policy_kind kind, enum kernel_dir dir, unsigned stage,
			  const struct kernel_request *r)
{
	struct step *s;

	if (have->owner != POLICY_OURS || have->form.reqid != request_form(r, kind).reqid)
		return;
	s = plan_add(p, have->orphan_until_s ? STEP_POLICY_UPDATE : STEP_POLICY_DELETE, stage, dir, r);
	s->policy = kind;
	s->form = s->old = have->form;
	if (have->orphan_until_s)
		s->form = (struct policy_form){ .reqid = KERNEL_REQID_ORPHAN, .until_s = have->orphan_until_s };
	else
		s->index = have->index;
}

/* Both directions of one kind, in before out. Stages begin at stage. */
static void plan_open(struct plan *p, const struct policy_view have[2], enum policy_kind kind, unsigned stage,
		      const struct kernel_request *r)
{
	plan_open_one(p, &have[DIR_IN], kind, DIR_IN, stage, r);
	plan_open_one(p, &have[DIR_OUT], kind, DIR_OUT, stage + 1, r);
}

static void plan_delete_sas(struct plan *p, const struct plan_view *view, unsigned stage, const struct kernel_request *r)
{
	static const enum kernel_dir order[] = { DIR_OUT, DIR_IN };

	for (unsigned i = 0; i < 2; i++)
		for (unsigned j = 0; j < view->sas; j++) {
			struct step *s;

			if (view->sa[j].dir != order[i])
				continue;
			s = plan_add(p, STEP_SA_DELETE, stage, order[i], r);
			s->spi = view->sa[j].spi;
			s->tunnel = view->sa[j].tunnel;
		}
}

static void plan_remap(struct plan *p, const struct plan_view *view, const struct kernel_request *r)
{
	for (unsigned i = 0; i < view->sas; i++)
		plan_add(p, STEP_SA_REMAP, 0, view->sa[i].dir, r)->spi = view->sa[i].spi;
}

static bool is_taken(const struct policy_view *have, const struct kernel_request *r)
{
	return have->owner == POLICY_FOREIGN || have->owner == POLICY_OURS_PASS ||
	       (have->owner == POLICY_OURS && have->form.reqid != r->reqid && have->form.reqid != KERNEL_REQID_ORPHAN);
}

static enum ike_err plan_protect(struct plan *p, const struct plan_view *view, const struct kernel_request *r)
{
	if (is_taken(&view->pair[DIR_OUT], r) || is_taken(&view->pair[DIR_IN], r))
		return IKE_E_CONFLICT;
	if (r->shield && (view->shield[DIR_OUT].owner == POLICY_FOREIGN || view->shield[DIR_IN].owner == POLICY_FOREIGN))
		return IKE_E_CONFLICT;
	plan_add(p, STEP_SA_ADD, 0, DIR_IN, r);
	if (r->spi_out)
		plan_add(p, STEP_SA_ADD, 0, DIR_OUT, r);
	plan_policy(p, &view->pair[DIR_OUT], POLICY_PAIR, DIR_OUT, r);
	if (request_has_assigned(r) && !is_taken(&view->untranslated, r))
		plan_policy(p, &view->untranslated, POLICY_UNTRANSLATED, DIR_OUT, r);
	plan_policy(p, &view->pair[DIR_IN], POLICY_PAIR, DIR_IN, r);
	if (r->shield) {
		plan_policy(p, &view->shield[DIR_OUT], POLICY_SHIELD, DIR_OUT, r);
		plan_policy(p, &view->shield[DIR_IN], POLICY_SHIELD, DIR_IN, r);
	}
	return IKE_OK;
}

static void plan_unprotect(struct plan *p, const struct plan_view *view, const struct kernel_request *r)
{
	if (r->shield)
		plan_open(p, view->shield, POLICY_SHIELD, 0, r);
	plan_open(p, view->pair, POLICY_PAIR, 2, r);
	if (request_has_assigned(r))
		plan_open_one(p, &view->untranslated, POLICY_UNTRANSLATED, DIR_OUT, 3, r);
	plan_delete_sas(p, view, 4, r);
}

static void plan_retire(struct plan *p, const struct plan_view *view, const struct kernel_request *r)
{
	plan_open_one(p, &view->pair[DIR_IN], POLICY_PAIR, DIR_IN, 0, r);
	if (retires_out(r))
		plan_open_one(p, &view->pair[DIR_OUT], POLICY_PAIR, DIR_OUT, 1, r);
}

static enum ike_err plan_pass(struct plan *p, const struct policy_view *have, const struct kernel_request *r)
{
	switch (have->owner) {
	case POLICY_ABSENT:
		plan_add(p, STEP_POLICY_ADD, 0, DIR_OUT, r)->policy = POLICY_PASS;
		return IKE_OK;
	case POLICY_OURS_PASS:
		return IKE_OK;
	case POLICY_OURS:
	case POLICY_FOREIGN:
		return IKE_E_CONFLICT;
	}
	return IKE_E_CONFLICT;
}

static void plan_unpass(struct plan *p, const struct policy_view *have, const struct kernel_request *r)
{
	struct step *s;

	if (have->owner != POLICY_OURS_PASS)
		return;
	s = plan_add(p, STEP_POLICY_DELETE, 0, DIR_OUT, r);
	s->policy = POLICY_PASS;
	s->index = have->index;
}

enum ike_err plan_make(const struct kernel_request *r, const struct plan_view *view, struct plan *out)
{
	out->n = 0;
	switch (r->op) {
	case KERNEL_PROTECT:
		return plan_protect(out, view, r);
	case KERNEL_ADD_SAS:
		if (r->spi_in)
			plan_add(out, STEP_SA_ADD, 0, DIR_IN, r);
		if (r->spi_out)
			plan_add(out, STEP_SA_ADD, 0, DIR_OUT, r);
		return IKE_OK;
	case KERNEL_DELETE_SAS:
		plan_delete_sas(out, view, 0, r);
		return IKE_OK;
	case KERNEL_REMAP:
		plan_remap(out, view, r);
		return IKE_OK;
	case KERNEL_UNPROTECT:
		plan_unprotect(out, view, r);
		return IKE_OK;
	case KERNEL_RETIRE:
		plan_retire(out, view, r);
		return IKE_OK;
	case KERNEL_PASS:
		return plan_pass(out, &view->pair[DIR_OUT], r);
	case KERNEL_UNPASS:
		plan_unpass(out, &view->pair[DIR_OUT], r);
		return IKE_OK;
	}
	return IKE_E_SYNTAX;
}

void plan_any_keys(const struct esp_suite *suite, struct esp_keys *out)
{
	out->encr.n = (uint8_t)(suite_encr_key_len(suite->encr, suite->encr_bits) + suite_encr_salt_len(suite->encr));
	out->integ.n = (uint8_t)suite_integ_key_len(suite->integ);
	/* Not all zero, which some modules refuse. */
	for (unsigned i = 0; i < SECRET_MAX; i++)
		out->encr.b[i] = out->integ.b[i] = (uint8_t)(i + 1);
}

void plan_exemptions(struct plan *out, bool serves)
{
	struct exemption e;

	for (out->n = 0; exemption_at(out->n, &e) && (serves || !e.server); out->n++)
		out->steps[out->n] = (struct step){ .kind = STEP_EXEMPT_ADD, .dir = e.dir, .index = out->n };
}

/* The step that takes back s; false when there is none. */
static bool step_inverse(const struct step *s, struct step *out)
{
	*out = *s;
	out->stage = 0;
	switch (s->kind) {
	case STEP_SA_ADD:
		out->kind = STEP_SA_DELETE;
		return true;
	case STEP_SA_DELETE:
	case STEP_SA_REMAP:
		return false;
	case STEP_POLICY_ADD:
		out->kind = STEP_POLICY_DELETE;
		return true;
	case STEP_POLICY_UPDATE:
		out->form = s->old;
		out->old = s->form;
		return true;
	case STEP_POLICY_DELETE:
		out->kind = STEP_POLICY_ADD;
		return true;
	case STEP_EXEMPT_ADD:
		out->kind = STEP_EXEMPT_DELETE;
		return true;
	case STEP_EXEMPT_DELETE:
		out->kind = STEP_EXEMPT_ADD;
		return true;
	}
	return false;
}

/* The kernel is as the step wants it, although the step changed nothing. */
static bool step_needless(const struct step *s, enum ike_err result)
{
	switch (s->kind) {
	case STEP_SA_DELETE:
	case STEP_SA_REMAP:
	case STEP_POLICY_DELETE:
	case STEP_EXEMPT_DELETE:
		return result == IKE_E_STATE;
	case STEP_EXEMPT_ADD:
		/* The same selector by somebody else: theirs outranks any of ours, so what it says holds anyway. */
		return result == IKE_E_CONFLICT;
	case STEP_SA_ADD:
	case STEP_POLICY_ADD:
	case STEP_POLICY_UPDATE:
		return false;
	}
	return false;
}

/* Take back those of the first n steps that changed something. What fails is tried a second time (the kernel may just have
 * been short of memory); beyond that there is nothing to be done about it, and the backend has logged it. */
static void plan_undo(const struct plan *plan, unsigned n, const enum ike_err *results, step_runner *run, void *arg)
{
	struct step back[PLAN_STEPS_MAX];
	enum ike_err undone[PLAN_STEPS_MAX];
	unsigned m = 0, left = 0;

	while (n-- > 0)
		if (results[n] == IKE_OK && step_inverse(&plan->steps[n], &back[m]))
			m++;
	if (m == 0)
		return;
	run(arg, back, m, undone);
	for (unsigned i = 0; i < m; i++)
		if (undone[i] != IKE_OK && !step_needless(&back[i], undone[i]))
			back[left++] = back[i];
	if (left > 0)
		run(arg, back, left, undone);
}

enum ike_err plan_run(const struct plan *plan, step_runner *run, void *arg)
{
	enum ike_err results[PLAN_STEPS_MAX];
	enum ike_err err = IKE_OK;
	unsigned from = 0;

	while (from < plan->n && err == IKE_OK) {
		unsigned to = from;

		while (to < plan->n && plan->steps[to].stage == plan->steps[from].stage)
			to++;
		run(arg, &plan->steps[from], to - from, &results[from]);
		for (unsigned i = from; i < to && err == IKE_OK; i++) {
			if (results[i] == IKE_OK || step_needless(&plan->steps[i], results[i]))
				continue;
			err = results[i] == IKE_E_CONFLICT ? IKE_E_CONFLICT : IKE_E_KERNEL;
		}
		from = to;
	}
	if (err != IKE_OK)
		plan_undo(plan, from, results, run, arg);
	return err;
}
