/* The kernel in memory between the steps of a request: when it refuses any one, from any starting point, what was there is left; and no
 * step opens a gap. */
#include "tests/unit/kernel_pair.h"

#include <stdio.h>

/* What must hold after every single step, also of a roll-back. */
struct moments {
	enum kernel_fate out, in;   /* at the beginning */
	enum kernel_op op;
	bool clear_out, clear_in, dropped;
};

static void moment(void *arg, const struct kernel *k)
{
	struct moments *m = arg;

	m->clear_out |= fate_out(k) == FATE_CLEAR;
	m->clear_in |= fate_in(k) == FATE_CLEAR;
	m->dropped |= fate_out(k) == FATE_DROP || fate_in(k) == FATE_DROP;
}

static void check_moments(const struct moments *m)
{
	if (m->op != KERNEL_UNPROTECT && m->op != KERNEL_RETIRE && m->op != KERNEL_PASS) {
		if (m->out != FATE_CLEAR)
			assert_false(m->clear_out);
		if (m->in != FATE_CLEAR)
			assert_false(m->clear_in);
	}
	/* No packet that the pair before would have carried is dropped; nor, at a first establishment, any packet at all. */
	if (m->op == KERNEL_PROTECT && m->out != FATE_DROP && m->in != FATE_DROP)
		assert_false(m->dropped);
}

static void lines_of_sas(const char *from, char *to)
{
	to[0] = '\0';
	for (const char *line = from; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, "sa ", 3) == 0)
			strncat(to, line, (size_t)(strchr(line, '\n') - line) + 1);
}

static void lines_of_policies(const char *from, char *to)
{
	to[0] = '\0';
	for (const char *line = from; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, "sa ", 3) != 0)
			strncat(to, line, (size_t)(strchr(line, '\n') - line) + 1);
}

/* Is every line of a in b? */
static bool all_lines_in(const char *a, const char *b)
{
	char line[512];

	for (; *a; a = strchr(a, '\n') + 1) {
		snprintf(line, sizeof line, "%.*s", (int)(strchr(a, '\n') - a) + 1, a);
		if (!strstr(b, line))
			return false;
	}
	return true;
}

/* One op from one start with a failure at step n. Returns whether there were so many steps. */
static bool one_failure(const struct start *s, enum kernel_op op, uint32_t pair, unsigned n)
{
	static char before[TEXT_MAX], after[TEXT_MAX], a[TEXT_MAX], b[TEXT_MAX];
	struct kernel *fresh = begin(s), *k = begin(s);
	enum ike_err without_failure = apply(fresh, op, pair);
	struct moments m = { .out = fate_out(k), .in = fate_in(k), .op = op };
	enum ike_err err;
	bool happened;

	kernel_fake_describe(k, before, sizeof before);
	kernel_fake_watch(k, moment, &m);
	kernel_fake_fail_at(k, n);
	err = apply(k, op, pair);
	happened = kernel_fake_steps(k) >= n;
	kernel_fake_describe(k, after, sizeof after);
	check_moments(&m);

	if (err != IKE_OK && op == KERNEL_PROTECT && !s->larval) {
		assert_string_equal(before, after);
	} else if (err != IKE_OK) {
		/* A deleted SA stays deleted (and a larval one that a real one replaced), everything else is as it was. */
		lines_of_policies(before, a);
		lines_of_policies(after, b);
		assert_string_equal(a, b);
		lines_of_sas(after, a);
		assert_true(all_lines_in(a, before));
	}
	/* A failure of the moment stands in the way of no repetition. */
	kernel_fake_fail_at(k, 0);
	if (err == IKE_E_KERNEL)
		assert_int_equal(apply(k, op, pair), without_failure);
	kernel_close(fresh);
	kernel_close(k);
	return happened;
}

/* Every op from this start, with a failure at every step. Returns how many were tried. */
static unsigned all_failures(const struct start *s)
{
	static const enum kernel_op ops[] = { KERNEL_PROTECT, KERNEL_DELETE_SAS, KERNEL_UNPROTECT, KERNEL_PASS, KERNEL_UNPASS,
					      KERNEL_RETIRE };
	unsigned tried = 0;

	for (unsigned o = 0; o < sizeof ops / sizeof ops[0]; o++)
		for (uint32_t pair = 1; pair <= 3; pair++) {
			unsigned n = 1;

			while (one_failure(s, ops[o], pair, n))
				n++;
			tried += n;
		}
	return tried;
}

static void failure_at_any_step_leaves_what_was_there(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (unsigned s = 0; s < N_WAYS * N_STARTS; s++) {
		set_way(s / N_STARTS);
		tried += all_failures(&starts[s % N_STARTS]);
	}
	set_way(0);
	assert_true(tried > 900);
}

static void the_same_after_every_sequence_of_three(void **state)
{
	static const struct { enum kernel_op op; uint32_t pair; } moves[] = {
		{ KERNEL_PROTECT, 1 }, { KERNEL_PROTECT, 2 }, { KERNEL_DELETE_SAS, 1 }, { KERNEL_UNPROTECT, 1 },
	};
	unsigned tried = 0;

	(void)state;
	for (unsigned i = 0; i < N_WAYS * 64; i++) {
		struct start s = { .name = "sequence", .n = 3 };

		set_way(i / 64);
		for (unsigned j = 0, rest = i; j < 3; j++, rest /= 4) {
			s.ops[j].op = moves[rest % 4].op;
			s.ops[j].pair = moves[rest % 4].pair;
		}
		tried += all_failures(&s);
	}
	set_way(0);
	assert_true(tried > 7500);
}

/* The host changes from transport mode to tunnel mode and back: the same policies, under the same reqid. */
static void a_pair_changes_its_mode_without_a_gap(void **state)
{
	struct kernel_request tunnel = request(KERNEL_PROTECT, 2), back = request(KERNEL_PROTECT, 3);
	struct moments m = { .out = FATE_ESP, .in = FATE_ESP, .op = KERNEL_PROTECT };
	struct kernel *k = open_fake();

	(void)state;
	tunnel.inner_local = tunnel.local;
	tunnel.inner_remote = tunnel.remote;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_watch(k, moment, &m);
	assert_int_equal(kernel_apply(k, &tunnel), IKE_OK);
	assert_int_equal(kernel_apply(k, &back), IKE_OK);
	check_moments(&m);
	kernel_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure_at_any_step_leaves_what_was_there),
		cmocka_unit_test(the_same_after_every_sequence_of_three),
		cmocka_unit_test(a_pair_changes_its_mode_without_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
