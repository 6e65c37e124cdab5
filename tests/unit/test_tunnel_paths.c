/* Networks that do not let everything pass: ESP that is dropped. */
#include "tests/unit/tunnel_double.h"

#define HOST "192.0.2.1"
#define HOST2 "192.0.2.2"

/* ESP that is dropped -------------------------------------------------------------------------------------------------- */

/* Nothing has been carried yet. */
static int unused_setup(void **state)
{
	int failed = world_setup(state);

	((struct world *)*state)->traffic = (struct sa_traffic){ 0 };
	return failed;
}

/* What an application sends leaves, and nothing comes back. */
static void send_into_the_void(struct world *w)
{
	w->traffic.packets_out++;
	w->traffic.packets_in = 0;
}

static void esp_that_is_dropped_goes_in_udp_within_a_second(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	assert_false(w->sas[0].encapsulated);
	send_into_the_void(w);
	advance(w, 1000);
	/* The old one goes first: libreswan 4.10 refuses a second pair of SAs for the same addresses. The policies stay. */
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 2);
	assert_true(w->sas[1].encapsulated);
	assert_int_equal(w->sas[1].reqid, w->sas[0].reqid);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	core_up(w, 2, 'A');
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_unprotects, 0);
	/* In UDP it is not tried again, answered or not. */
	advance(w, 100000);
	assert_int_equal(w->n_sas, 2);
}

static void packet_that_comes_back_says_that_esp_passes(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	send_into_the_void(w);
	w->traffic.packets_in = 1;
	advance(w, 1000);
	/* From then on silence is the host's. */
	w->traffic.packets_in = 0;
	advance(w, 100000);
	assert_int_equal(w->n_sas, 1);
}

static void tunnel_that_nobody_uses_is_no_sign(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 100000);
	assert_int_equal(w->n_sas, 1);
}

static void first_packet_that_comes_late_is_watched_too(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 40000);
	send_into_the_void(w);
	advance(w, 15000 + 1000);
	assert_int_equal(w->n_sas, 2);
	assert_true(w->sas[1].encapsulated);
}

static void question_has_the_tunnel_watched_again(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 7000);
	ask(w, 2, "www.example.org", "A", HOST);
	assert_allowed(w, 2);
	send_into_the_void(w);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 2);
}

static void network_that_drops_esp_is_remembered(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	send_into_the_void(w);
	advance(w, 1000);
	core_up(w, 2, 'A');
	ask(w, 2, "mail.example.org", "A", HOST2);
	assert_true(w->sas[2].encapsulated);
	/* From another address of ours it may be otherwise. */
	core_up(w, 3, 'A');
	w->local.b[3]++;
	ask(w, 3, "ftp.example.org", "A", "192.0.2.3");
	assert_false(w->sas[3].encapsulated);
}

static void host_behind_a_wall_is_not_the_network(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	w->traffic = (struct sa_traffic){ .packets_out = 1, .packets_in = 1 };
	advance(w, 1000);
	protect(w, "mail.example.org", HOST2);
	send_into_the_void(w);
	advance(w, 1000);
	assert_true(w->sas[2].encapsulated);
	core_up(w, 3, 'A');
	ask(w, 3, "ftp.example.org", "A", "192.0.2.3");
	assert_false(w->sas[3].encapsulated);
}

static void network_that_drops_udp_is_not_held_to_it(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	send_into_the_void(w);
	advance(w, 1000);
	assert_true(w->sas[1].encapsulated);
	core_fails(w, 2, REASON_TIMEOUT, "no answer to IKE_AUTH");
	ask(w, 2, "mail.example.org", "A", HOST2);
	assert_false(w->sas[2].encapsulated);
	advance(w, 10000);
	assert_int_equal(w->n_sas, 4);
	assert_false(w->sas[3].encapsulated);
}

static void long_round_trip_is_waited_for(void **state)
{
	struct world *w = *state;

	w->round_trip_ms = 900;
	protect(w, "www.example.org", HOST);
	send_into_the_void(w);
	advance(w, 1500);
	assert_int_equal(w->n_sas, 1);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 2);
}

static void option_puts_everything_in_udp(void **state)
{
	struct world *w = *state;

	w->config.always_encapsulate = true;
	world_restart(w);
	protect(w, "www.example.org", HOST);
	assert_true(w->sas[0].encapsulated);
	send_into_the_void(w);
	advance(w, 100000);
	assert_int_equal(w->n_sas, 1);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, unused_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(esp_that_is_dropped_goes_in_udp_within_a_second),
		WITH_WORLD(packet_that_comes_back_says_that_esp_passes),
		WITH_WORLD(tunnel_that_nobody_uses_is_no_sign),
		WITH_WORLD(first_packet_that_comes_late_is_watched_too),
		WITH_WORLD(question_has_the_tunnel_watched_again),
		WITH_WORLD(network_that_drops_esp_is_remembered),
		WITH_WORLD(host_behind_a_wall_is_not_the_network),
		WITH_WORLD(network_that_drops_udp_is_not_held_to_it),
		WITH_WORLD(long_round_trip_is_waited_for),
		WITH_WORLD(option_puts_everything_in_udp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
