/* Order, roll-back and refusal of kernel requests: plan.c without a backend, and the table of exemptions. */
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <stdio.h>

#include "kernel/exempt.h"
#include "kernel/kernel.h"
#include "kernel/ledger.h"
#include "kernel/plan.h"

static struct kernel_request request(enum kernel_op op)
{
	struct kernel_request r = {
		.op = op, .reqid = KERNEL_REQID_BASE + 7, .spi_in = 0x1001, .spi_out = 0x1002,
		.suite = { ENCR_AES_GCM_16, 256, INTEG_NONE, true },
		.keys_in = { .encr.n = 36 }, .keys_out = { .encr.n = 36 },
	};

	assert_int_equal(ip_from_text("192.0.2.1", &r.local), IKE_OK);
	assert_int_equal(ip_from_text("192.0.2.2", &r.remote), IKE_OK);
	return r;
}

/* The plan as text: "sa+ in | policy+ out". */
static const char *plan_text(const struct plan *p)
{
	static const char *const kinds[] = { "sa+", "sa-", "sa=", "policy+", "policy=", "policy-", "exempt+", "exempt-" };
	static const char *const whose[] = { "", "shield ", "pass " };
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < p->n; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s %s",
				      i == 0 ? "" : p->steps[i].stage == p->steps[i - 1].stage ? ", " : " | ",
				      whose[p->steps[i].policy], kinds[p->steps[i].kind],
				      p->steps[i].dir == DIR_IN ? "in" : "out");
	return text;
}

static const struct policy_view ours = { .owner = POLICY_OURS, .sound = true, .form.reqid = KERNEL_REQID_BASE + 7, .index = 9 };
static const struct policy_view foreign = { .owner = POLICY_FOREIGN };

static void first_protection_adds_sas_then_policies(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .sas = 0 };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy+ out, policy+ in");
	assert_int_equal(p.steps[0].spi, 0x1001);
	assert_int_equal(p.steps[1].spi, 0x1002);
}

static void renewal_leaves_policies_alone(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .pair = { ours, ours } };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out");
}

/* The peer re-establishes: what leaves goes on to leave with the earlier pair. */
static void the_sa_in_comes_alone(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .pair = { ours, ours } };
	struct plan p;

	(void)state;
	r.spi_out = 0;
	assert_int_equal(plan_check(&r), IKE_E_SYNTAX);         /* keys without an SA */
	r.keys_out = (struct esp_keys){ 0 };
	assert_int_equal(plan_check(&r), IKE_OK);
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in");
}

static void a_missing_half_is_added(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .pair = { [DIR_OUT] = ours } };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy+ in");
}

static void another_shape_of_ours_is_updated(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .pair = { ours, ours } };
	struct plan p;

	(void)state;
	view.pair[DIR_OUT].sound = view.pair[DIR_IN].sound = false;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy= out, policy= in");
	assert_int_equal(p.steps[2].form.reqid, KERNEL_REQID_BASE + 7);
}

static void an_address_bound_under_another_reqid_is_a_conflict(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT), release = request(KERNEL_UNPROTECT);
	struct plan_view view = { .pair = { ours, ours } };
	struct plan p;

	(void)state;
	view.pair[DIR_OUT].form.reqid++;
	assert_int_equal(plan_make(&r, &view, &p), IKE_E_CONFLICT);
	assert_int_equal(p.n, 0);
	/* Nor does the release of the one take the policy of the other. */
	view.pair[DIR_IN].form.reqid++;
	assert_int_equal(plan_make(&release, &view, &p), IKE_OK);
	assert_int_equal(p.n, 0);
}

static void an_orphan_is_taken_over_in_place(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .pair = { ours, ours } };
	struct plan p;

	(void)state;
	view.pair[DIR_OUT].form.reqid = view.pair[DIR_IN].form.reqid = KERNEL_REQID_ORPHAN;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy= out, policy= in");
	assert_int_equal(p.steps[2].form.reqid, KERNEL_REQID_BASE + 7);
	assert_int_equal(p.steps[2].old.reqid, KERNEL_REQID_ORPHAN);
	/* Of one direction only, when the takeover was undone half way. */
	view.pair[DIR_IN].form.reqid = r.reqid;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy= out");
	/* A release takes what is its own. */
	r = request(KERNEL_UNPROTECT);
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "policy- in");
}

/* A killed run has promised more than the one after it: that one's tunnel ends, and the promise does not. */
static void what_was_an_orphan_becomes_one_again(void **state)
{
	struct kernel_request r = request(KERNEL_UNPROTECT);
	struct plan_view view = { .pair = { ours, ours }, .sa = { { .dir = DIR_IN, .spi = 1 } }, .sas = 1 };
	struct plan p;

	(void)state;
	view.pair[DIR_OUT].orphan_until_s = view.pair[DIR_IN].orphan_until_s = 1000;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "policy= in | policy= out | sa- in");
	assert_int_equal(p.steps[0].form.reqid, KERNEL_REQID_ORPHAN);
	assert_int_equal(p.steps[0].form.until_s, 1000);
	assert_int_equal(p.steps[0].old.reqid, r.reqid);
}

static struct step policy_step(enum step_kind kind, const struct kernel_request *r, uint32_t reqid, uint32_t old_reqid, uint64_t until_s)
{
	return (struct step){ .kind = kind, .dir = DIR_OUT, .form.reqid = reqid, .old = { .reqid = old_reqid, .until_s = until_s },
			      .request = r };
}

static void the_ledger_remembers_the_end_of_an_orphan_that_was_taken_over(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct step over = policy_step(STEP_POLICY_UPDATE, &r, r.reqid, KERNEL_REQID_ORPHAN, 1000);
	struct step other_shape = policy_step(STEP_POLICY_UPDATE, &r, r.reqid, r.reqid, 0), gone = policy_step(STEP_POLICY_DELETE, &r, r.reqid, 0, 0);
	struct step first = policy_step(STEP_POLICY_ADD, &r, r.reqid, 0, 0);
	struct plan_view view = { .sas = 0 }, later = view, never = view;
	struct ledger l;

	(void)state;
	assert_int_equal(ledger_init(&l), IKE_OK);
	assert_int_equal(ledger_reserve(&l, &over, 1), IKE_OK);
	ledger_note(&l, &over, IKE_OK);
	ledger_note(&l, &other_shape, IKE_OK);
	ledger_orphans_again(&l, &r, 999, &view);
	assert_int_equal(view.pair[DIR_OUT].orphan_until_s, 1000);
	assert_int_equal(view.pair[DIR_IN].orphan_until_s, 0);
	ledger_orphans_again(&l, &r, 1000, &later);
	assert_int_equal(later.pair[DIR_OUT].orphan_until_s, 0);
	ledger_note(&l, &gone, IKE_OK);
	assert_int_equal(ledger_reserve(&l, &first, 1), IKE_OK);
	ledger_note(&l, &first, IKE_OK);
	ledger_orphans_again(&l, &r, 999, &never);
	assert_int_equal(never.pair[DIR_OUT].orphan_until_s, 0);
	ledger_clear(&l);
}

static void foreign_policy_of_either_direction_is_a_conflict(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view out = { .pair = { [DIR_OUT] = foreign } }, in = { .pair = { [DIR_IN] = foreign } };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &out, &p), IKE_E_CONFLICT);
	assert_int_equal(p.n, 0);
	assert_int_equal(plan_make(&r, &in, &p), IKE_E_CONFLICT);
	assert_int_equal(p.n, 0);
}

static const struct policy_view shield = { .owner = POLICY_OURS, .sound = true, .form.reqid = KERNEL_REQID_SHIELD, .index = 10 };

static void the_shield_comes_last_and_goes_first(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view none = { .sas = 0 };
	struct plan_view view = { .pair = { ours, ours }, .shield = { shield, shield }, .sa = { { DIR_IN, 1 } }, .sas = 1 };
	struct plan p;

	(void)state;
	r.shield = true;
	assert_int_equal(plan_make(&r, &none, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy+ out, policy+ in | shield policy+ out, shield policy+ in");
	assert_int_equal(p.steps[4].form.reqid, KERNEL_REQID_SHIELD);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p),
			    "shield policy- in | shield policy- out | policy- in | policy- out | sa- in");
	assert_int_equal(p.steps[0].index, 10);
	assert_int_equal(p.steps[2].index, 9);
}

static void one_shield_serves_several_pairs(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .shield = { shield, shield } };
	struct plan p;

	(void)state;
	r.shield = true;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy+ out, policy+ in");
	/* The last one but one leaves it. */
	r.op = KERNEL_UNPROTECT;
	r.shield = false;
	view.pair[DIR_OUT] = view.pair[DIR_IN] = ours;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "policy- in | policy- out");
}

static void an_orphan_shield_is_taken_over_and_a_foreign_one_is_a_conflict(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .shield = { shield, shield } };
	struct plan p;

	(void)state;
	r.shield = true;
	view.shield[DIR_OUT].form.reqid = KERNEL_REQID_ORPHAN;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out | policy+ out, policy+ in | shield policy= out");
	assert_int_equal(p.steps[4].form.reqid, KERNEL_REQID_SHIELD);
	assert_int_equal(p.steps[4].old.reqid, KERNEL_REQID_ORPHAN);
	view.shield[DIR_IN] = foreign;
	assert_int_equal(plan_make(&r, &view, &p), IKE_E_CONFLICT);
	assert_int_equal(p.n, 0);
	/* Who asks for none does not care. */
	r.shield = false;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	r.op = KERNEL_UNPROTECT;
	r.shield = true;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_int_equal(p.n, 0);
}

static void what_passes_never_replaces_what_protects(void **state)
{
	struct kernel_request r = request(KERNEL_PASS);
	struct plan_view view = { .sas = 0 };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "pass policy+ out");
	view.pair[DIR_OUT] = ours;
	assert_int_equal(plan_make(&r, &view, &p), IKE_E_CONFLICT);
	r.op = KERNEL_UNPASS;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_int_equal(p.n, 0);
	view.pair[DIR_OUT] = (struct policy_view){ .owner = POLICY_OURS_PASS, .index = 11 };
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "pass policy- out");
	assert_int_equal(p.steps[0].index, 11);
	r.op = KERNEL_PASS;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_int_equal(p.n, 0);
	r = request(KERNEL_PROTECT);
	assert_int_equal(plan_make(&r, &view, &p), IKE_E_CONFLICT);
	assert_int_equal(p.n, 0);
}

static void unprotect_deletes_policies_one_by_one_and_sas_last(void **state)
{
	struct kernel_request r = request(KERNEL_UNPROTECT);
	struct plan_view view = {
		.pair = { ours, ours },
		.sa = { { DIR_IN, 1 }, { DIR_OUT, 2 }, { DIR_IN, 3 }, { DIR_OUT, 0 } }, .sas = 4,
	};
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "policy- in | policy- out | sa- out, sa- out, sa- in, sa- in");
	assert_int_equal(p.steps[0].index, 9);

	view.pair[DIR_OUT] = foreign;
	view.sas = 0;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "policy- in");
}

static void delete_sas_never_touches_a_policy(void **state)
{
	struct kernel_request r = request(KERNEL_DELETE_SAS);
	struct plan_view view = { .pair = { ours, ours }, .sa = { { DIR_IN, 1 }, { DIR_OUT, 2 } }, .sas = 2 };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa- out, sa- in");
}

static void rekeying_adds_and_deletes_sas_in_halves(void **state)
{
	struct kernel_request r = request(KERNEL_ADD_SAS), half;
	struct plan_view view = { .pair = { ours, ours } };
	struct plan p;

	(void)state;
	assert_int_equal(plan_check(&r), IKE_OK);
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in, sa+ out");
	half = r;
	half.spi_out = 0;
	assert_int_equal(plan_check(&half), IKE_E_SYNTAX);      /* keys for nothing */
	half.keys_out.encr.n = 0;
	assert_int_equal(plan_check(&half), IKE_OK);
	assert_int_equal(plan_make(&half, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ in");
	half = r;
	half.spi_in = 0;
	half.keys_in.encr.n = 0;
	assert_int_equal(plan_check(&half), IKE_OK);
	assert_int_equal(plan_make(&half, &view, &p), IKE_OK);
	assert_string_equal(plan_text(&p), "sa+ out");
	half.spi_out = 0;
	half.keys_out.encr.n = 0;
	assert_int_equal(plan_check(&half), IKE_E_SYNTAX);
}

/* A runner that fails where told, and writes down what it was asked to do. */
struct script {
	enum ike_err fail_with;
	unsigned fail_at, calls, steps;
	char done[512];
};

static void scripted(void *arg, const struct step *steps, unsigned n, enum ike_err *results)
{
	struct script *s = arg;
	struct plan p = { .n = n };

	s->calls++;
	for (unsigned i = 0; i < n; i++) {
		p.steps[i] = steps[i];
		results[i] = ++s->steps == s->fail_at ? s->fail_with : IKE_OK;
	}
	if (s->done[0] != '\0')
		strcat(s->done, " | ");
	strcat(s->done, plan_text(&p));
}

static void undo_runs_backwards_over_what_succeeded(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .sas = 0 };
	struct script last = { .fail_with = IKE_E_NOMEM, .fail_at = 4 }, first = { .fail_with = IKE_E_CONFLICT, .fail_at = 1 };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_int_equal(plan_run(&p, scripted, &last), IKE_E_KERNEL);
	assert_string_equal(last.done, "sa+ in, sa+ out | policy+ out, policy+ in | policy- out, sa- out, sa- in");
	assert_int_equal(plan_run(&p, scripted, &first), IKE_E_CONFLICT);
	assert_string_equal(first.done, "sa+ in, sa+ out | sa- out");
}

/* What the first step of the first undo reports. */
static enum ike_err undo_result;

static void fails_undoing(void *arg, const struct step *steps, unsigned n, enum ike_err *results)
{
	struct script *s = arg;

	scripted(arg, steps, n, results);
	if (s->calls == 2)
		results[0] = undo_result;
}

static void undo_that_fails_is_tried_once_more(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .pair = { ours, ours } };
	struct script again = { .fail_with = IKE_E_NOMEM, .fail_at = 2 }, gone = again;
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	undo_result = IKE_E_KERNEL;
	assert_int_equal(plan_run(&p, fails_undoing, &again), IKE_E_KERNEL);
	assert_string_equal(again.done, "sa+ in, sa+ out | sa- in | sa- in");
	undo_result = IKE_E_STATE;
	assert_int_equal(plan_run(&p, fails_undoing, &gone), IKE_E_KERNEL);
	assert_string_equal(gone.done, "sa+ in, sa+ out | sa- in");
}

static void what_is_absent_is_deleted_already(void **state)
{
	struct kernel_request r = request(KERNEL_UNPROTECT);
	struct plan_view view = { .pair = { ours, ours }, .sa = { { DIR_IN, 1 } }, .sas = 1 };
	struct plan p;

	(void)state;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	for (unsigned i = 1; i <= p.n; i++) {
		struct script s = { .fail_with = IKE_E_STATE, .fail_at = i };

		assert_int_equal(plan_run(&p, scripted, &s), IKE_OK);
	}
}

static void something_that_vanished_cannot_be_updated(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT);
	struct plan_view view = { .pair = { ours, ours } };
	struct script s = { .fail_with = IKE_E_STATE, .fail_at = 3 };
	struct plan p;

	(void)state;
	view.pair[DIR_OUT].sound = false;
	assert_int_equal(plan_make(&r, &view, &p), IKE_OK);
	assert_int_equal(plan_run(&p, scripted, &s), IKE_E_KERNEL);
	assert_string_equal(s.done, "sa+ in, sa+ out | policy= out | sa- out, sa- in");
}

static void requests_that_the_core_never_makes_are_refused(void **state)
{
	struct kernel_request good = request(KERNEL_PROTECT), r;

	(void)state;
	assert_int_equal(plan_check(&good), IKE_OK);
#define REFUSED(change) do { r = good; change; assert_int_equal(plan_check(&r), IKE_E_SYNTAX); } while (0)
	REFUSED(r.op = (enum kernel_op)99);
	REFUSED(r.reqid = 7);
	REFUSED(r.reqid = KERNEL_REQID_ORPHAN);
	REFUSED(r.reqid = KERNEL_REQID_SHIELD);
	REFUSED(r.reqid = KERNEL_REQID_BASE + KERNEL_REQID_MASK + 1);
	REFUSED(r.local.family = IP_NONE; r.remote.family = IP_NONE);
	REFUSED(r.local.family = IP_V6);
	REFUSED(r.remote = r.local);
	REFUSED(r.spi_in = 255);
	REFUSED(r.spi_out = 0);
	REFUSED(r.keys_in.encr.n = 32);
	REFUSED(r.keys_out.encr.n = 0);
	REFUSED(r.keys_out.integ.n = 32);
	REFUSED(r.suite.encr = 3);
	REFUSED(r.suite.encr_bits = 192);
	REFUSED(r.suite.integ = INTEG_HMAC_SHA2_256_128; r.keys_in.integ.n = 32; r.keys_out.integ.n = 32);
	REFUSED(r.suite.encr = ENCR_AES_CBC; r.keys_in.encr.n = 32; r.keys_out.encr.n = 32);
	REFUSED(r.suite.encr = ENCR_AES_CBC; r.suite.integ = 2; r.keys_in.encr.n = 32; r.keys_out.encr.n = 32);
	REFUSED(r.encap_local_port = 4500);
	REFUSED(r.encap_remote_port = 4500);
	REFUSED(r.inner_local = good.local);
	REFUSED(r.inner_remote = good.remote);
	REFUSED(r.inner_local = r.inner_remote = good.remote);
	REFUSED(r.inner_local = good.local; r.inner_remote = good.remote; r.inner_local.family = good.local.family == IP_V4 ? IP_V6 : IP_V4);
#undef REFUSED
	r = good;
	r.op = KERNEL_UNPROTECT;
	r.spi_in = 0;               /* the two other operations carry no keys, and UNPROTECT no SPIs */
	r.keys_in.encr.n = 0;
	assert_int_equal(plan_check(&r), IKE_OK);
	r.reqid = 0;
	assert_int_equal(plan_check(&r), IKE_E_SYNTAX);
	r.op = KERNEL_PASS;         /* has none */
	assert_int_equal(plan_check(&r), IKE_OK);
	r.remote = r.local;
	assert_int_equal(plan_check(&r), IKE_E_SYNTAX);
}

static void every_listed_suite_makes_a_valid_request(void **state)
{
	unsigned n;
	const struct esp_suite *suites = kernel_suites(&n);

	(void)state;
	assert_int_equal(n, 8);
	for (unsigned i = 0; i < n; i++) {
		struct kernel_request r = request(KERNEL_PROTECT);

		r.suite = suites[i];
		r.keys_in.encr.n = (uint8_t)(suite_encr_key_len(r.suite.encr, r.suite.encr_bits) + suite_encr_salt_len(r.suite.encr));
		r.keys_in.integ.n = (uint8_t)suite_integ_key_len(r.suite.integ);
		r.keys_out = r.keys_in;
		assert_int_equal(plan_check(&r), IKE_OK);
	}
}

static bool exempt_at(bool server, enum kernel_dir dir, enum ip_family family, uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct exemption e;

	for (unsigned i = 0; exemption_at(i, &e); i++)
		if (e.server == server && e.dir == dir && e.family == family && e.where == EXEMPT_ANYWHERE && e.proto == proto &&
		    (e.sport == 0 || e.sport == sport) && (e.dport == 0 || e.dport == dport))
			return true;
	return false;
}

static bool exempt(enum kernel_dir dir, enum ip_family family, uint8_t proto, uint16_t sport, uint16_t dport)
{
	return exempt_at(false, dir, family, proto, sport, dport);
}

static void exemptions_cover_the_list_and_no_more(void **state)
{
	(void)state;
	for (uint16_t type = 0; type < 256; type++) {
		bool nd = type >= 133 && type <= 137;

		assert_int_equal(exempt(DIR_OUT, IP_V6, IPPROTO_ICMPV6, type, 0), nd);
		assert_int_equal(exempt(DIR_IN, IP_V6, IPPROTO_ICMPV6, type, 0), nd);
		assert_false(exempt(DIR_OUT, IP_V4, IPPROTO_ICMP, type, 0));
	}
	assert_true(exempt(DIR_OUT, IP_V4, IPPROTO_UDP, 68, 67));
	assert_true(exempt(DIR_IN, IP_V4, IPPROTO_UDP, 67, 68));
	assert_true(exempt(DIR_OUT, IP_V6, IPPROTO_UDP, 546, 547));
	assert_true(exempt(DIR_IN, IP_V6, IPPROTO_UDP, 547, 546));
	for (unsigned i = 0; i < 2; i++) {
		enum ip_family family = i ? IP_V6 : IP_V4;

		assert_true(exempt(DIR_OUT, family, IPPROTO_UDP, 40000, 53));
		assert_true(exempt(DIR_IN, family, IPPROTO_TCP, 53, 40000));
		assert_true(exempt(DIR_OUT, family, IPPROTO_TCP, 40000, 853));
		assert_true(exempt(DIR_IN, family, IPPROTO_UDP, 123, 40000));
		/* Others' name servers are exempt; a name server of ours is where others ask for tunnels. */
		assert_false(exempt(DIR_IN, family, IPPROTO_UDP, 40000, 53));
		assert_false(exempt(DIR_OUT, family, IPPROTO_UDP, 53, 40000));
		assert_true(exempt_at(true, DIR_IN, family, IPPROTO_UDP, 40000, 53));
		assert_true(exempt_at(true, DIR_OUT, family, IPPROTO_TCP, 53, 40000));
		assert_true(exempt_at(true, DIR_OUT, family, IPPROTO_UDP, 123, 40000));
		assert_false(exempt_at(true, DIR_OUT, family, IPPROTO_UDP, 40000, 53));
		assert_false(exempt(DIR_OUT, family, IPPROTO_TCP, 40000, 80));
	}
}

static void exemptions_are_distinct_and_come_in_pairs(void **state)
{
	struct exemption a, b;
	unsigned n = 0, in = 0;

	(void)state;
	for (; exemption_at(n, &a); n++) {
		in += a.dir == DIR_IN;
		for (unsigned j = 0; j < n && exemption_at(j, &b); j++)
			assert_false(a.dir == b.dir && a.family == b.family && a.where == b.where &&
				     a.proto == b.proto && a.sport == b.sport && a.dport == b.dport);
	}
	assert_int_equal(2 * in, n);
	assert_true(n <= EXEMPT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_protection_adds_sas_then_policies),
		cmocka_unit_test(renewal_leaves_policies_alone),
		cmocka_unit_test(the_sa_in_comes_alone),
		cmocka_unit_test(a_missing_half_is_added),
		cmocka_unit_test(an_address_bound_under_another_reqid_is_a_conflict),
		cmocka_unit_test(another_shape_of_ours_is_updated),
		cmocka_unit_test(an_orphan_is_taken_over_in_place),
		cmocka_unit_test(what_was_an_orphan_becomes_one_again),
		cmocka_unit_test(the_ledger_remembers_the_end_of_an_orphan_that_was_taken_over),
		cmocka_unit_test(foreign_policy_of_either_direction_is_a_conflict),
		cmocka_unit_test(the_shield_comes_last_and_goes_first),
		cmocka_unit_test(one_shield_serves_several_pairs),
		cmocka_unit_test(an_orphan_shield_is_taken_over_and_a_foreign_one_is_a_conflict),
		cmocka_unit_test(what_passes_never_replaces_what_protects),
		cmocka_unit_test(unprotect_deletes_policies_one_by_one_and_sas_last),
		cmocka_unit_test(delete_sas_never_touches_a_policy),
		cmocka_unit_test(rekeying_adds_and_deletes_sas_in_halves),
		cmocka_unit_test(undo_runs_backwards_over_what_succeeded),
		cmocka_unit_test(undo_that_fails_is_tried_once_more),
		cmocka_unit_test(what_is_absent_is_deleted_already),
		cmocka_unit_test(something_that_vanished_cannot_be_updated),
		cmocka_unit_test(requests_that_the_core_never_makes_are_refused),
		cmocka_unit_test(every_listed_suite_makes_a_valid_request),
		cmocka_unit_test(exemptions_cover_the_list_and_no_more),
		cmocka_unit_test(exemptions_are_distinct_and_come_in_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
