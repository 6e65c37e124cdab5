/* A host that is gone for a while: how soon it is missed, how often it is tried, and what that costs. */
#include "tests/unit/tunnel_double.h"

#define HOST "192.0.2.1"
#define OUR "198.51.100.1"

/* A dead host to which somebody sends: the kernel says so every 30 s. As if each attempt ended after a second. */
static void host_that_is_sent_to_is_tried_every_4_s(void **state)
{
	struct world *w = *state;
	unsigned i, tried;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	core_closed(w, 1, REASON_TIMEOUT);
	for (i = 0; i < 120; i++) {
		if (i % 30 == 0)
			acquire(w, OUR, HOST);
		advance(w, 1000);
		if (!w->sas[w->n_sas - 1].ended)
			core_fails(w, w->n_sas, REASON_TIMEOUT, "");
	}
	assert_in_range(w->n_sas, 30, 32);
	/* Nobody sends any more; the answer still lives. */
	advance(w, 60000);
	tried = w->n_sas;
	for (i = 0; i < 300; i++) {
		if (!w->sas[w->n_sas - 1].ended)
			core_fails(w, w->n_sas, REASON_TIMEOUT, "");
		advance(w, 1000);
	}
	assert_in_range(w->n_sas - tried, 3, 9);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	assert_int_equal(w->n_unprotects, 0);
}

static void dead_host_to_which_nobody_sends_costs_nothing(void **state)
{
	struct world *w = *state;

	w->config.idle_s = 3600;
	world_restart(w);
	protect(w, "www.example.org", HOST);
	advance(w, 400 * 1000);
	core_closed(w, 1, REASON_TIMEOUT);
	advance(w, 3000 * 1000);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
}

/* One that hangs, and one that hangs although the host has come back meanwhile. */
static void attempts_to_heal_are_short_and_one_at_a_time(void **state)
{
	struct world *w = *state;
	unsigned i;

	protect(w, "www.example.org", HOST);
	advance(w, 400 * 1000);
	core_closed(w, 1, REASON_TIMEOUT);
	for (i = 0; i < 7; i++) {
		acquire(w, OUR, HOST);
		advance(w, 1000);
	}
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(w->sas[1].give_up_ms, w->now_ms + 1000);
	advance(w, 1000);
	core_fails(w, 2, REASON_TIMEOUT, "");
	advance(w, 0);
	assert_int_equal(w->n_sas, 3);
}

static void lookup_of_a_host_that_is_to_be_healed_tries_it(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	core_closed(w, 1, REASON_TIMEOUT);
	for (unsigned i = 0; i < 40; i++) {
		if (!w->sas[w->n_sas - 1].ended)
			core_fails(w, w->n_sas, REASON_TIMEOUT, "");
		advance(w, 1000);
	}
	advance(w, 4000);
	ask(w, 1, "www.example.org", "A", HOST);
	assert_waiting(w, 1);
	core_up(w, w->n_sas, 'A');
	assert_allowed(w, 1);
}

static void silence_of_a_host_is_noticed_within_seconds(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	w->traffic.packets_in++;
	for (unsigned i = 0; i < 60; i++) {     /* a conversation ... */
		w->traffic.packets_out++;
		w->traffic.packets_in++;
		advance(w, 1000);
	}
	assert_int_equal(w->liveness_checks, 0);
	for (unsigned i = 1; i <= 6; i++) {     /* ... that becomes a monologue */
		w->traffic.packets_out++;
		w->traffic.idle_in_s = i;
		advance(w, 1000);
	}
	assert_int_equal(w->liveness_checks, 1);
}

static void packets_that_want_no_answer_ask_now_and_then(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	w->traffic.packets_in++;
	w->traffic.idle_in_s = 100;
	for (unsigned i = 0; i < 100; i++) {
		w->traffic.packets_out++;
		advance(w, 1000);
	}
	assert_in_range(w->liveness_checks, 8, 11);
	assert_int_equal(w->n_sas, 1);
}

/* While the old SA waits for its verdict; a host that lives after all has two for a moment. */
static void silent_host_is_established_beside_the_old_sa(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	advance(w, 60000);
	core_silent(w, 1);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(w->sas[1].reqid, w->sas[0].reqid);
	assert_false(w->sas[0].ended);
	core_silent(w, 1);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_true(w->sas[0].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs + w->n_unprotects, 0);
	/* It is silent at once again: not without end. */
	core_silent(w, 2);
	assert_int_equal(w->n_sas, 2);
}

static void silent_host_that_says_no_keeps_the_old_sa(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	advance(w, 60000);
	core_silent(w, 1);
	core_fails(w, 2, REASON_TS_UNACCEPTABLE, "");
	assert_false(w->sas[0].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs + w->n_unprotects, 0);
	/* And when its verdict comes nothing is in the way. */
	core_closed(w, 1, REASON_TIMEOUT);
	advance(w, 1000);
	acquire(w, OUR, HOST);
	advance(w, 4000);
	assert_int_equal(w->n_sas, 3);
}

/* The next one might be another address, and connections are from this one. */
static void silent_host_that_has_assigned_an_address_is_waited_for(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	w->inner = address_of("100.64.0.1");
	protect(w, "www.example.org", HOST);
	advance(w, 60000);
	core_silent(w, 1);
	assert_int_equal(w->n_sas, 1);
}

static void silent_client_is_not_asked_back(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle sa;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	sa = client_up(w, HOST, reqid);
	core_silent(w, sa);
	assert_int_equal(w->n_sas, 1);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(host_that_is_sent_to_is_tried_every_4_s),
		WITH_WORLD(dead_host_to_which_nobody_sends_costs_nothing),
		WITH_WORLD(attempts_to_heal_are_short_and_one_at_a_time),
		WITH_WORLD(lookup_of_a_host_that_is_to_be_healed_tries_it),
		WITH_WORLD(silence_of_a_host_is_noticed_within_seconds),
		WITH_WORLD(packets_that_want_no_answer_ask_now_and_then),
		WITH_WORLD(silent_host_is_established_beside_the_old_sa),
		WITH_WORLD(silent_host_that_says_no_keeps_the_old_sa),
		WITH_WORLD(silent_host_that_has_assigned_an_address_is_waited_for),
		WITH_WORLD(silent_client_is_not_asked_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
