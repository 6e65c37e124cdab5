/* Other programs remove what is ours from the kernel in memory: policies are put back, SAs are told. */
#include "tests/unit/kernel_pair.h"

#include "kernel/ledger.h"

/* Another program removes all policies at any moment of any short life: all of ours are back, and nothing else is there. */
static void flushed_policies_are_as_they_were_after_any_two_requests(void **state)
{
	static const enum kernel_op ops[] = { KERNEL_PROTECT, KERNEL_DELETE_SAS, KERNEL_RETIRE, KERNEL_UNPROTECT, KERNEL_PASS,
					      KERNEL_UNPASS };
	enum { OPS = sizeof ops / sizeof ops[0] };
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	for (unsigned way = 0; way < N_WAYS; way++) {
		for (unsigned s = 0; s < N_STARTS; s++) {
			for (unsigned i = 0; i < OPS * OPS && !starts[s].foreign_out && !starts[s].foreign_in; i++) {
				struct kernel *k;

				set_way(way);
				k = begin(&starts[s]);
				assert_int_equal(kernel_install_exemptions(k, i % 2), IKE_OK);
				(void)!apply(k, ops[i / OPS], 3);
				(void)!apply(k, ops[i % OPS], 4);
				kernel_fake_describe(k, before, sizeof before);
				kernel_fake_flush(k, true, false);
				assert_true(guard(k) > 0);
				assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
				assert_int_equal(guard(k), 0);
				kernel_close(k);
			}
		}
	}
	set_way(0);
}

static void one_removed_policy_comes_back_alone(void **state)
{
	const struct ip_addr every = { .family = IP_NONE }, local = addr("2001:db8::1"), remote = addr("2001:db8::2");
	struct kernel *k = open_fake();
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	set_way(1);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_describe(k, before, sizeof before);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(kernel_fake_lose_policy(k, i & 1, i & 2 ? &every : &local, &remote), IKE_OK);
		assert_int_equal(guard(k), 1);
		assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
	}
	set_way(0);
	kernel_close(k);
}

/* A removal that is told when we have removed the policy too, or have it again. */
static void late_news_of_a_removal_changes_nothing(void **state)
{
	const struct ip_addr local = addr("2001:db8::1"), remote = addr("2001:db8::2");
	struct kernel *k = open_fake();
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(kernel_fake_lose_policy(k, false, &local, &remote), IKE_OK);
	assert_int_equal(apply(k, KERNEL_PROTECT, 2), IKE_OK);
	kernel_fake_describe(k, before, sizeof before);
	assert_int_equal(guard(k), 0);
	assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
	assert_int_equal(kernel_fake_lose_policy(k, false, &local, &remote), IKE_OK);
	assert_int_equal(apply(k, KERNEL_UNPROTECT, 2), IKE_OK);
	assert_int_equal(guard(k), 0);
	assert_string_equal(kernel_fake_describe(k, after, sizeof after), "");
	kernel_close(k);
}

/* The kernel refuses one step of the repair. */
static void what_could_not_be_put_back_is_at_the_next_call(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct kernel_losses lost;

	(void)state;
	set_way(1);
	for (unsigned n = 1; n <= 4; n++) {
		struct kernel *k = open_fake();

		assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
		kernel_fake_describe(k, before, sizeof before);
		kernel_fake_flush(k, true, false);
		kernel_fake_fail_at(k, n);
		assert_int_equal(kernel_guard(k, &lost), IKE_E_KERNEL);
		assert_int_equal(lost.policies, 3);
		assert_int_equal(guard(k), 1);
		assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
		kernel_close(k);
	}
	set_way(0);
}

/* What protects comes first, and of that what goes out: it is the worst to lose. */
static void check_order(void *arg, const struct kernel *k)
{
	const struct ip_addr local = addr("2001:db8::1"), remote = addr("2001:db8::2");
	struct kernel_fake_counts c;

	(void)arg;
	kernel_fake_count(k, &c);
	if (c.policies >= 2)
		assert_int_not_equal(kernel_fake_fate_out(k, &local, &remote), FATE_CLEAR);
	if (c.exemptions > 0)
		assert_int_not_equal(kernel_fake_fate_in(k, &local, &remote), FATE_CLEAR);
}

static void what_goes_out_is_closed_first(void **state)
{
	struct kernel *k = open_fake();

	(void)state;
	set_way(1);
	assert_int_equal(kernel_install_exemptions(k, true), IKE_OK);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_flush(k, true, true);
	kernel_fake_watch(k, check_order, NULL);
	assert_true(guard(k) > 4);
	kernel_fake_watch(k, NULL, NULL);
	set_way(0);
	kernel_close(k);
}

static void lost_sas_are_told(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_losses lost;

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_flush(k, false, true);
	assert_int_equal(kernel_guard(k, &lost), IKE_OK);
	assert_true(lost.sas.all);
	assert_int_equal(lost.policies, 0);
	assert_int_equal(fate_out(k), FATE_DROP);
	assert_int_equal(kernel_guard(k, &lost), IKE_OK);
	assert_false(lost.sas.all);
	kernel_close(k);
}

static void add_all(void *arg, const struct step *steps, unsigned n, enum ike_err *results)
{
	*(unsigned *)arg += n;
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(steps[i].form.reqid, KERNEL_REQID_ORPHAN);
		results[i] = IKE_OK;
	}
}

/* Orphans are made by no step, and end by themselves. */
static void an_orphan_is_put_back_until_it_expires(void **state)
{
	struct policy_name name = { .kind = POLICY_SHIELD, .dir = DIR_IN, .remote = addr("192.0.2.1") };
	const struct lost_policies all = { .all = true }, this_one = { .n = 1, .policy = { name } };
	unsigned run = 0, failed;
	struct ledger l;

	(void)state;
	assert_int_equal(ledger_init(&l), IKE_OK);
	assert_int_equal(ledger_keep_orphan(&l, &name), IKE_OK);
	name.kind = POLICY_PAIR;
	name.local = addr("192.0.2.2");
	assert_int_equal(ledger_keep_orphan(&l, &name), IKE_OK);
	assert_int_equal(ledger_keep_orphan(&l, &name), IKE_OK);        /* found by a second start */
	assert_int_equal(ledger_put_back(&l, &all, add_all, &run, &failed), 2);
	assert_int_equal(ledger_put_back(&l, &this_one, add_all, &run, &failed), 1);
	ledger_forget(&l, &this_one.policy[0]);
	assert_int_equal(ledger_put_back(&l, &this_one, add_all, &run, &failed), 0);
	assert_int_equal(ledger_put_back(&l, &all, add_all, &run, &failed), 1);
	assert_int_equal(run, 4);
	ledger_clear(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushed_policies_are_as_they_were_after_any_two_requests),
		cmocka_unit_test(one_removed_policy_comes_back_alone),
		cmocka_unit_test(late_news_of_a_removal_changes_nothing),
		cmocka_unit_test(what_could_not_be_put_back_is_at_the_next_call),
		cmocka_unit_test(what_goes_out_is_closed_first),
		cmocka_unit_test(lost_sas_are_told),
		cmocka_unit_test(an_orphan_is_put_back_until_it_expires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
