/* Without memory: the n-th allocation of the core fails, for each n of a tunnel's life in both roles. Whatever that
 * spoils, the promises of ike.h hold: each attempt has one end, and nothing is left over.
 */
#include "tests/sim/kem_double.h"
#include "tests/unit/ladder.h"
#include "tests/unit/short_memory.h"

/* Did it come up? */
static bool lives(struct sim_world *w, struct keyset *keys)
{
	ike_handle sa = sim_initiate(w, keys, "host.example", LIFE_MS);

	if (sa == 0)
		return false;
	sim_run_until(w, w->now_ms + LIFE_MS + 1000);
	if (ike_check_liveness(w->host[CLIENT].ike, sa, w->now_ms) == IKE_OK)
		sim_pump(w);
	if (ike_rekey_child(w->host[CLIENT].ike, sa, w->now_ms) == IKE_OK)
		sim_pump(w);
	sim_run_until(w, w->now_ms + 30000);
	if (ike_rekey_ike(w->host[CLIENT].ike, sa, w->now_ms) == IKE_OK)
		sim_pump(w);
	sim_run_until(w, w->now_ms + 30000);
	if (w->host[SERVER].n_ends > 0 &&
	    ike_rekey_child(w->host[SERVER].ike, w->host[SERVER].ends[0].sa, w->now_ms) == IKE_OK)
		sim_pump(w);
	sim_run_until(w, w->now_ms + 60000);
	if (w->host[SERVER].n_ends > 0 &&
	    ike_close(w->host[SERVER].ike, w->host[SERVER].ends[0].sa, REASON_SHUTDOWN, w->now_ms) == IKE_OK)
		sim_pump(w);
	if (ike_close(w->host[CLIENT].ike, sa, REASON_SHUTDOWN, w->now_ms) == IKE_OK)
		sim_pump(w);
	return sim_end_of(w, CLIENT, sa)->ups > 0;
}

/* kem: both can do the additional key exchange; named: the client signs. */
static void fail_each(const struct kem *kem, bool named)
{
	unsigned n, up = 0;

	for (n = 1;; n++) {
		struct ike_config server = { .always_cookie = true, .kem = kem };
		struct ike_config client = { .fragment_max = 200, .kem = kem };
		struct sim_world w;
		struct keyset *keys;
		bool failed;

		assert_int_equal(dnsname_from_text("client.example", &client.identity), IKE_OK);
		sim_init(&w, n, IP_V4, &client, &server, KEY_ED25519, false);
		if (named)
			sim_identify(&w, KEY_P256, KEY_P256);
		keys = published(&w);
		fails_in = n;
		up += lives(&w, keys);
		failed = fails_in == 0;
		fails_in = 0;
		at_rest(&w);
		if (!failed)
			break;
	}
	/* Most failures cost no more than a message that is sent again. */
	assert_true(n > 40);
	assert_true(up > n / 2);
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	fail_each(NULL, false);
}

static void each_allocation_may_fail_with_ml_kem(void **state)
{
	(void)state;
	fail_each(&kem_double, false);
}

static void each_allocation_may_fail_with_a_client_that_signs(void **state)
{
	(void)state;
	fail_each(NULL, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(each_allocation_may_fail_with_ml_kem),
		cmocka_unit_test(each_allocation_may_fail_with_a_client_that_signs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
