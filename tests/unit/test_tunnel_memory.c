/* Without memory: the n-th allocation of the layer fails, for each n, while a tunnel that the kernel has already comes up. Either it
 * is a tunnel, or the kernel is told to remove it: nothing is left that nobody knows of.
 */
#include "tests/unit/short_memory.h"
#include "tests/unit/tunnel_double.h"

#define HOST "203.0.113.7"

/* What came up with this reqid is a tunnel of the layer, or was removed. */
static void assert_known_or_removed(const struct world *w, uint32_t reqid, bool shield)
{
	if (tunnels_count(w->t) == 1) {
		assert_int_equal(w->n_unprotects, 0);
		return;
	}
	assert_int_equal(tunnels_count(w->t), 0);
	assert_int_equal(w->n_unprotects, 1);
	assert_int_equal(w->unprotects[0].reqid, reqid);
	assert_true(ip_equal(&w->unprotects[0].local, &w->local));
	assert_string_equal(ip_text(&w->unprotects[0].remote, (char[IP_TEXT_MAX]){ 0 }), HOST);
	assert_int_equal(w->unprotects[0].shield, shield);
}

/* False: no allocation was left to fail. */
static bool host_comes_up(struct world *w, unsigned n)
{
	bool failed;

	ask(w, 1, "www.example.org", "A", HOST);
	fails_in = n;
	core_up(w, 1, 'A');
	failed = fails_in == 0;
	fails_in = 0;
	assert_known_or_removed(w, w->sas[0].reqid, true);
	if (tunnels_count(w->t) == 1)
		assert_allowed(w, 1);
	else
		assert_refused(w, 1, REASON_INTERNAL);
	return failed;
}

static void host_without_memory_leaves_no_block(void **state)
{
	unsigned n = 1, removed = 0;
	bool failed;

	do {
		assert_int_equal(world_setup(state), 0);
		failed = host_comes_up(*state, n++);
		removed += ((struct world *)*state)->n_unprotects;
		assert_int_equal(world_teardown(state), 0);
	} while (failed);
	assert_true(removed > 0);
}

static void client_without_memory_leaves_no_block(void **state)
{
	unsigned n = 1, removed = 0;
	bool failed;

	do {
		struct world *w;
		uint32_t reqid;

		assert_int_equal(world_setup(state), 0);
		w = *state;
		assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
		fails_in = n++;
		client_up(w, HOST, reqid);
		failed = fails_in == 0;
		fails_in = 0;
		assert_known_or_removed(w, reqid, true);
		removed += w->n_unprotects;
		assert_int_equal(world_teardown(state), 0);
	} while (failed);
	assert_true(removed > 0);
}

/* The kernel has no memory either. */
static void block_that_the_kernel_keeps_is_removed_later(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	w->kernel_err = IKE_E_KERNEL;
	fails_in = 1;
	core_up(w, 1, 'A');
	assert_int_equal(fails_in, 0);
	assert_int_equal(w->n_unprotects, 1);
	advance(w, 1000);
	assert_int_equal(w->n_unprotects, 2);
	w->kernel_err = IKE_OK;
	advance(w, 1000);
	assert_int_equal(w->n_unprotects, 3);
	advance(w, 60000);
	assert_int_equal(w->n_unprotects, 3);
	ask(w, 2, "www.example.org", "A", HOST);
	assert_int_equal(w->n_sas, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_without_memory_leaves_no_block),
		cmocka_unit_test(client_without_memory_leaves_no_block),
		cmocka_unit_test_setup_teardown(block_that_the_kernel_keeps_is_removed_later, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
