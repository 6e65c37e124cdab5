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

static void speak_to_nobody(struct world *w, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		w->traffic.packets_out++;
		w->traffic.idle_in_s++;
		advance(w, 1000);
	}
}

/* libreswan 4.10 ends it when both rekey the IKE SA at once, and goes on to answer that it lives. */
static void host_that_has_lost_the_child_sa_alone_is_not_sent_to_for_an_hour(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	w->traffic.packets_in++;
	advance(w, 60000);
	speak_to_nobody(w, 12);
	assert_int_equal(w->liveness_checks, 1);
	assert_int_equal(w->rekeys, 1);
	core_cannot_rekey(w, 1);        /* CHILD_SA_NOT_FOUND */
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_downs + w->n_unprotects, 0);
}

static void host_that_has_nothing_to_say_is_asked_for_new_keys_once_a_silence(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	w->traffic.packets_in++;
	speak_to_nobody(w, 12);
	core_rekeyed(w, 1, 5, 6);
	w->traffic.packets_in = 0;
	speak_to_nobody(w, 60);
	assert_int_equal(w->rekeys, 1);
	w->traffic.packets_in++;
	w->traffic.idle_in_s = 0;
	speak_to_nobody(w, 20);
	assert_int_equal(w->rekeys, 2);
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

/* The core says it once: what it says too early for another attempt is not forgotten. */
static void silence_soon_after_an_attempt_is_acted_on_when_one_may_begin(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	advance(w, 60000);
	core_silent(w, 1);
	core_up(w, 2, 'A');
	advance(w, 500);
	core_silent(w, 2);
	advance(w, 3000);
	assert_int_equal(w->n_sas, 2);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 3);
	/* Once. */
	core_fails(w, 3, REASON_TIMEOUT, "");
	advance(w, 20000);
	assert_int_equal(w->n_sas, 3);
	/* And not after it has come up again by itself. */
	core_silent(w, 2);
	core_up(w, 4, 'A');
	core_silent(w, 4);
	ask(w, 9, "www.example.org", "A", HOST);
	assert_allowed(w, 9);
	core_closed(w, 4, REASON_TIMEOUT);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
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

/* The next one might be another address, and connections are from this one: longer, and then it is asked for the same one. */
static void silent_host_that_has_assigned_an_address_is_waited_for(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	w->inner = address_of("100.64.0.1");
	protect(w, "www.example.org", HOST);
	advance(w, 60000);
	core_silent(w, 1);
	assert_int_equal(w->n_sas, 1);
	core_silent_for_long(w, 1);
	assert_int_equal(w->n_sas, 2);
	assert_true(ip_equal(&w->sas[1].former, &w->inner));
	assert_int_equal(w->sas[0].former.family, IP_NONE);
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

/* A name waits for the same pair when the kernel has its packet: the pair is there to be healed when nothing comes of that. */
static void packet_from_another_address_outlives_the_attempt_of_a_name(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	w->other = w->local;
	w->local = address_of("198.51.100.2");
	ask(w, 1, "www.example.org", "A", HOST);
	acquire(w, "198.51.100.2", HOST);
	assert_int_equal(w->n_sas, 2);
	core_fails(w, 2, REASON_TIMEOUT, "");
	advance(w, 4000);
	assert_int_equal(w->n_sas, 3);
	core_up(w, 3, 'A');
	assert_int_equal(tunnels_count(w->t), 2);
}

static void name_is_answered_by_the_pair_that_a_packet_has_made_meanwhile(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	w->other = w->local;
	w->local = address_of("198.51.100.2");
	ask(w, 1, "www.example.org", "A", HOST);
	acquire(w, "198.51.100.2", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	assert_int_equal(tunnels_count(w->t), 2);
}

/* A name binds the host from one address of ours; from another one there was only what the host had asked for as our client, and
 * that is gone: the shield drops our packets, so they heal it. */
static void pair_of_a_client_that_is_gone_is_healed_where_its_host_is_bound(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle sa;

	w->config.accept_identified = true;
	world_restart(w);
	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	w->other = w->local;
	w->local = address_of("198.51.100.2");
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	sa = named_client_up(w, HOST, reqid, "www.example.org", "A", 1, false);
	core_closed(w, sa, REASON_TIMEOUT);
	acquire(w, "198.51.100.2", HOST);
	advance(w, 0);
	assert_int_equal(w->n_sas, 3);
	assert_int_equal(w->sas[2].reqid, reqid);
}

/* The first look at what a name has just asked for is that of a host, not of a client. */
static void silence_right_after_the_first_answer_is_noticed_too(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	w->config.always_encapsulate = true;
	world_restart(w);
	protect(w, "www.example.org", HOST);
	for (unsigned i = 1; i <= 6; i++) {
		w->traffic.packets_out++;
		w->traffic.idle_in_s = i;
		advance(w, 1000);
	}
	assert_int_equal(w->liveness_checks, 1);
}

/* The kernel sends with the newer of two, which is the one that is to go. */
static void silence_of_a_spare_sa_counts(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle sa;

	w->config.accept_identified = true;
	world_restart(w);
	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	sa = named_client_up(w, HOST, reqid, "www.example.org", "A", 1, false);
	advance(w, 5000);
	core_silent(w, sa);
	assert_int_equal(w->n_sas, 3);
	assert_true(w->sas[2].initiator);
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
		WITH_WORLD(host_that_has_lost_the_child_sa_alone_is_not_sent_to_for_an_hour),
		WITH_WORLD(host_that_has_nothing_to_say_is_asked_for_new_keys_once_a_silence),
		WITH_WORLD(silent_host_is_established_beside_the_old_sa),
		WITH_WORLD(silence_soon_after_an_attempt_is_acted_on_when_one_may_begin),
		WITH_WORLD(silent_host_that_says_no_keeps_the_old_sa),
		WITH_WORLD(silent_host_that_has_assigned_an_address_is_waited_for),
		WITH_WORLD(silent_client_is_not_asked_back),
		WITH_WORLD(packet_from_another_address_outlives_the_attempt_of_a_name),
		WITH_WORLD(name_is_answered_by_the_pair_that_a_packet_has_made_meanwhile),
		WITH_WORLD(pair_of_a_client_that_is_gone_is_healed_where_its_host_is_bound),
		WITH_WORLD(silence_right_after_the_first_answer_is_noticed_too),
		WITH_WORLD(silence_of_a_spare_sa_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
