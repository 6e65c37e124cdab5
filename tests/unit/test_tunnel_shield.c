/* A bound host and our other addresses: what is sent from them gets a tunnel of its own, what we forward is let through, and the
 * shield stays as long as any pair does. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

#define HOST "192.0.2.1"
#define OUR "198.51.100.1"
#define OTHER "198.51.100.2"
#define BEHIND "10.0.0.5"
#define WWW "www.example.org"

/* WWW is protected, and we have a second address. */
static void begin(struct world *w)
{
	protect(w, WWW, HOST);
	w->other = address_of(OTHER);
}

static int state_from(const struct world *w, const char *local)
{
	const struct ip_addr want = address_of(local);
	struct tunnel_info info;
	uint64_t cursor = 0;

	while (tunnels_next(w->t, &cursor, &info)) {
		if (ip_equal(&info.local, &want) && info.state != TUNNEL_ESTABLISHING)
			return (int)info.state;
	}
	return -1;
}

static unsigned counted(const struct world *w, enum kernel_op op)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_passes; i++)
		n += w->passes[i].op == op;
	return n;
}

/* Our own addresses ------------------------------------------------------------------------------------------------------ */

/* The host would assign one more address, and these packets would not be from that either. */
static void packet_from_another_address_than_the_assigned_one_stays_dropped(void **state)
{
	struct world *w = *state;

	w->inner = address_of("100.64.0.1");
	begin(w);
	acquire(w, OTHER, HOST);
	acquire(w, OUR, HOST);
	acquire(w, BEHIND, HOST);
	acquire(w, "100.64.0.1", HOST);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_passes, 0);
	assert_int_equal(state_from(w, OUR), TUNNEL_PROTECTED);
}

static void heals_by_a_packet_from(struct world *w, const char *local)
{
	const struct ip_addr our = address_of(OUR);

	w->ttl_s = 1;
	w->inner = address_of("100.64.0.1");
	begin(w);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 1);
	acquire(w, local, HOST);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 2);
	assert_true(ip_equal(&w->sas[1].path.local.addr, &our));
	core_up(w, 2, 'A');
	assert_int_equal(state_from(w, OUR), TUNNEL_PROTECTED);
}

static void packet_from_the_assigned_address_heals(void **state)
{
	heals_by_a_packet_from(*state, "100.64.0.1");
}

static void packet_that_has_lost_its_route_heals(void **state)
{
	heals_by_a_packet_from(*state, OUR);
}

/* The host has assigned an address to each of two of ours, and the tunnel of one is gone. */
static void pair_heals_beside_another(struct world *w, unsigned gone)
{
	static const char *const locals[] = { OUR, OTHER };
	const struct ip_addr local = address_of(locals[gone]);

	w->inner = address_of("100.64.0.1");
	begin(w);
	w->local = address_of(OTHER);
	w->other = address_of(OUR);
	w->inner = address_of("100.64.0.2");
	ask(w, 1, WWW, "A", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	core_closed(w, 1 + gone, REASON_TIMEOUT);
	acquire(w, locals[gone], HOST);
	advance(w, 5000);
	assert_int_equal(w->n_sas, 3);
	assert_true(ip_equal(&w->sas[2].path.local.addr, &local));
}

static void packet_that_is_not_translated_heals_the_first_pair(void **state)
{
	pair_heals_beside_another(*state, 0);
}

static void packet_that_is_not_translated_heals_the_second_pair(void **state)
{
	pair_heals_beside_another(*state, 1);
}

static void packet_from_another_address_makes_a_pair_of_the_same_binding(void **state)
{
	struct world *w = *state;
	const struct ip_addr other = address_of(OTHER);

	begin(w);
	acquire(w, OTHER, HOST);
	acquire(w, OTHER, HOST);
	assert_int_equal(w->n_sas, 2);
	assert_true(ip_equal(&w->sas[1].path.local.addr, &other));
	assert_true(keyset_equal(w->sas[1].keys, w->sas[0].keys));
	assert_true(dnsname_equal(&w->sas[1].name, &w->sas[0].name));
	assert_int_not_equal(w->sas[1].reqid, w->sas[0].reqid);
	assert_int_equal(state_from(w, OTHER), TUNNEL_HEALING);
	core_up(w, 2, 'A');
	assert_int_equal(state_from(w, OTHER), TUNNEL_PROTECTED);
	assert_int_equal(state_from(w, OUR), TUNNEL_PROTECTED);
	assert_false(w->sas[0].ended);
	assert_int_equal(w->n_passes, 0);
	assert_int_equal(downs_for(w, WWW), 0);
}

static void the_pair_is_there_for_whoever_asks_from_it(void **state)
{
	struct world *w = *state;

	begin(w);
	acquire(w, OTHER, HOST);
	w->local = address_of(OTHER);
	ask(w, 1, WWW, "A", HOST);
	assert_waiting(w, 1);
	assert_int_equal(w->n_sas, 2);          /* joins the attempt */
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
}

static void attempt_of_a_name_is_not_doubled_by_the_packet(void **state)
{
	struct world *w = *state;

	begin(w);
	w->local = address_of(OTHER);
	ask(w, 1, WWW, "A", HOST);
	acquire(w, OTHER, HOST);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	assert_int_equal(tunnels_count(w->t), 2);
}

/* Promise 3: what the address is bound to does not widen because our own address is another one. */
static void shared_address_is_healed_with_the_key_that_was_proved(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 1, "mail.example.org", "AB", HOST);
	assert_allowed(w, 1);
	w->other = address_of(OTHER);
	acquire(w, OTHER, HOST);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(keyset_count(w->sas[1].keys), 1);
	core_up(w, 2, 'A');
	ask(w, 2, "evil.example", "B", HOST);
	w->local = address_of(OTHER);
	ask(w, 3, "evil.example", "B", HOST);
	assert_refused(w, 2, REASON_KEY_CONFLICT);
	assert_refused(w, 3, REASON_KEY_CONFLICT);
}

static void key_of_an_evil_copy_cannot_be_proved_from_our_new_address(void **state)
{
	struct world *w = *state;

	ask(w, 1, WWW, "A", HOST);
	w->local = address_of(OTHER);
	ask(w, 2, "evil.example", "AB", HOST);  /* before anything is bound */
	core_up(w, 1, 'A');
	assert_true(w->sas[1].ended);
	ask(w, 3, "evil.example", "AB", HOST);
	assert_int_equal(w->n_sas, 3);
	assert_int_equal(keyset_count(w->sas[2].keys), 1);
}

static void host_that_is_silent_there_is_given_up(void **state)
{
	struct world *w = *state;
	unsigned i;

	w->ttl_s = 7200;
	begin(w);
	for (i = 0; i < 20; i++) {              /* the kernel asks every 30 s, as long as somebody sends */
		acquire(w, OTHER, HOST);
		if (!w->sas[w->n_sas - 1].up && !w->sas[w->n_sas - 1].ended)
			core_fails(w, w->n_sas, REASON_TIMEOUT, "");
		advance(w, 30000);
		assert_int_equal(state_from(w, OTHER), TUNNEL_HEALING);
	}
	assert_in_range(w->n_sas, 4, 23);
	advance(w, 400 * 1000);
	assert_int_equal(state_from(w, OTHER), -1);
	assert_int_equal(state_from(w, OUR), TUNNEL_PROTECTED);
	assert_int_equal(w->n_unprotects, 1);
	assert_false(w->unprotects[0].shield);
}

static void full_table_leaves_it_dropped(void **state)
{
	struct world *w = *state;

	w->config.tunnels_max = 1;
	world_restart(w);
	begin(w);
	acquire(w, OTHER, HOST);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(state_from(w, OTHER), -1);
	assert_int_equal(w->n_passes, 0);
}

static void nothing_begins_while_it_is_taken_down(void **state)
{
	struct world *w = *state;
	const struct ip_addr host = address_of(HOST);

	begin(w);
	assert_int_equal(tunnels_down_address(w->t, &host, w->now_ms), 1);
	acquire(w, OTHER, HOST);
	acquire(w, BEHIND, HOST);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_passes, 0);
	advance(w, 3000);
	acquire(w, OTHER, HOST);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void address_that_is_gone_is_not_renewed_and_does_not_hinder_the_new_one(void **state)
{
	struct world *w = *state;

	w->config.soft_life_s = 100;
	w->ttl_s = 7200;
	world_restart(w);
	protect(w, WWW, HOST);
	w->local = address_of(OTHER);           /* roamed */
	core_closed(w, 1, REASON_TIMEOUT);
	advance(w, 200 * 1000);
	assert_int_equal(w->n_sas, 1);
	acquire(w, OTHER, HOST);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	w->local = address_of(OUR);             /* and back */
	acquire(w, OUR, HOST);
	assert_int_equal(w->n_sas, 3);
	core_up(w, 3, 'A');
	assert_int_equal(state_from(w, OUR), TUNNEL_PROTECTED);
}

/* After roaming, what did not work from the old network says nothing. */
/* Behind a NAT both addresses are one for the host: the tunnel that comes ends the other one. */
static void pair_that_another_one_pushed_out_waits_for_a_packet(void **state)
{
	struct world *w = *state;

	w->ttl_s = 7200;
	begin(w);
	advance(w, 100 * 1000);
	acquire(w, OTHER, HOST);
	core_up(w, 2, 'A');
	core_closed(w, 1, REASON_PEER_REFUSED);
	advance(w, 300 * 1000);
	assert_int_equal(state_from(w, OUR), TUNNEL_HEALING);
	assert_int_equal(w->n_sas, 2);
	acquire(w, OUR, HOST);
	assert_int_equal(w->n_sas, 3);
	core_up(w, 3, 'A');
	assert_int_equal(state_from(w, OUR), TUNNEL_PROTECTED);
}

static void failure_from_another_address_is_not_held_against_the_host(void **state)
{
	struct world *w = *state;

	ask(w, 1, WWW, "A", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "");
	ask(w, 2, WWW, "A", HOST);
	assert_int_equal(w->n_sas, 1);
	w->local = address_of(OTHER);
	ask(w, 3, WWW, "A", HOST);
	assert_int_equal(w->n_sas, 2);
}

/* The shield ------------------------------------------------------------------------------------------------------------- */

static void the_last_pair_takes_the_shield_with_it(void **state)
{
	struct world *w = *state;
	const struct dnsname name = name_of(WWW);

	begin(w);
	acquire(w, OTHER, HOST);
	core_up(w, 2, 'A');
	assert_int_equal(tunnels_down_name(w->t, &name, w->now_ms), 2);
	advance(w, 3000);
	assert_int_equal(w->n_unprotects, 2);
	assert_false(w->unprotects[0].shield);
	assert_true(w->unprotects[1].shield);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void shield_goes_in_the_end_when_the_kernel_refuses_at_first(void **state)
{
	struct world *w = *state;
	const struct dnsname name = name_of(WWW);
	unsigned with = 0;

	begin(w);
	acquire(w, OTHER, HOST);
	core_up(w, 2, 'A');
	w->kernel_err = IKE_E_KERNEL;
	(void)tunnels_down_name(w->t, &name, w->now_ms);
	advance(w, 2500);
	assert_true(w->n_unprotects > 0);
	w->kernel_err = IKE_OK;
	advance(w, 5000);
	for (unsigned i = 0; i < w->n_unprotects; i++)
		with += w->unprotects[i].shield;
	assert_true(with > 0);
	assert_true(w->unprotects[w->n_unprotects - 1].shield);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void clients_stay_pairs(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	(void)client_up(w, HOST, reqid);
	w->other = address_of(OTHER);
	acquire(w, OTHER, HOST);                /* an orphan's, perhaps */
	acquire(w, BEHIND, HOST);
	acquire(w, OUR, HOST);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_passes, 0);
	assert_int_equal(tunnels_count(w->t), 1);
}

static void bound_host_is_no_anonymous_client_of_another_address(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	protect(w, WWW, HOST);
	w->local = address_of(OTHER);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_KEY_CONFLICT);
	/* One that was there before may go on. */
	w->local = address_of(OUR);
	assert_int_equal(authorize(w, "192.0.2.2", &reqid), REASON_NONE);
	(void)client_up(w, "192.0.2.2", reqid);
	w->local = address_of(OTHER);
	ask(w, 1, "mail.example.org", "A", "192.0.2.2");
	core_up(w, w->n_sas, 'A');
	assert_allowed(w, 1);
	w->local = address_of(OUR);
	assert_int_equal(authorize(w, "192.0.2.2", &reqid), REASON_NONE);
}

/* Forwarded -------------------------------------------------------------------------------------------------------------- */

static void what_is_forwarded_passes_as_long_as_the_shield_stands(void **state)
{
	struct world *w = *state;
	const struct ip_addr behind = address_of(BEHIND), host = address_of(HOST);

	begin(w);
	acquire(w, BEHIND, HOST);
	assert_int_equal(w->n_passes, 1);
	assert_int_equal(w->passes[0].op, KERNEL_PASS);
	assert_true(ip_equal(&w->passes[0].local, &behind));
	assert_true(ip_equal(&w->passes[0].remote, &host));
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(tunnels_count(w->t), 1);
	acquire(w, OTHER, HOST);
	core_up(w, 2, 'A');
	assert_int_equal(counted(w, KERNEL_UNPASS), 0);
	(void)tunnels_down_address(w->t, &host, w->now_ms);
	advance(w, 3000);
	assert_int_equal(counted(w, KERNEL_UNPASS), 1);
	assert_true(ip_equal(&w->passes[w->n_passes - 1].local, &behind));
}

static void address_that_becomes_ours_passes_no_more(void **state)
{
	struct world *w = *state;
	const struct ip_addr behind = address_of(BEHIND), another = address_of("10.0.0.6");

	begin(w);
	acquire(w, BEHIND, HOST);
	acquire(w, "10.0.0.6", HOST);
	tunnels_own_address(w->t, &behind, w->now_ms);
	take_outputs(w);
	assert_int_equal(counted(w, KERNEL_UNPASS), 1);
	assert_true(ip_equal(&w->passes[2].local, &behind));
	/* News were lost. */
	w->other = another;
	tunnels_own_address(w->t, NULL, w->now_ms);
	take_outputs(w);
	assert_int_equal(counted(w, KERNEL_UNPASS), 2);
	assert_true(ip_equal(&w->passes[3].local, &another));
	acquire(w, "10.0.0.6", HOST);
	assert_int_equal(w->n_sas, 2);
}

static void nothing_passes_whose_source_is_not_surely_somebody_elses(void **state)
{
	struct world *w = *state;

	begin(w);
	acquire(w, "169.254.1.1", HOST);
	acquire(w, "127.0.0.9", HOST);
	acquire(w, "224.0.0.1", HOST);
	acquire(w, "0.0.0.0", HOST);
	w->nobody_behind = true;
	acquire(w, BEHIND, HOST);
	assert_int_equal(w->n_passes, 0);
	assert_int_equal(w->n_sas, 1);
}

static void crowd_behind_us_is_bounded(void **state)
{
	struct world *w = *state;
	char text[32];
	unsigned i, there;

	w->ttl_s = 7200;
	begin(w);
	for (i = 0; i < 3000; i++) {
		snprintf(text, sizeof text, "10.1.%u.%u", i / 250, i % 250 + 1);
		acquire(w, text, HOST);
	}
	assert_int_equal(counted(w, KERNEL_PASS), 1024);
	assert_int_equal(counted(w, KERNEL_UNPASS), 0);
	/* Later the oldest makes room. */
	advance(w, 70000);
	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof text, "10.2.0.%u", i + 1);
		acquire(w, text, HOST);
	}
	there = counted(w, KERNEL_PASS) - counted(w, KERNEL_UNPASS);
	assert_int_equal(counted(w, KERNEL_PASS), 1034);
	assert_in_range(there, 1024, 1025);
}

static void kernel_that_refuses_is_asked_again(void **state)
{
	struct world *w = *state;
	const struct ip_addr behind = address_of(BEHIND);
	unsigned n;

	begin(w);
	w->kernel_err = IKE_E_KERNEL;
	acquire(w, BEHIND, HOST);
	assert_int_equal(w->n_passes, 1);
	w->kernel_err = IKE_OK;
	advance(w, 30000);
	acquire(w, BEHIND, HOST);               /* the kernel asks again */
	assert_int_equal(counted(w, KERNEL_PASS), 2);
	/* To take it back is not left to chance. */
	w->kernel_err = IKE_E_KERNEL;
	tunnels_own_address(w->t, &behind, w->now_ms);
	take_outputs(w);
	advance(w, 2500);
	assert_in_range(counted(w, KERNEL_UNPASS), 2, 4);
	w->kernel_err = IKE_OK;
	advance(w, 1500);
	n = counted(w, KERNEL_UNPASS);
	advance(w, 10000);
	assert_int_equal(counted(w, KERNEL_UNPASS), n);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(packet_from_another_address_than_the_assigned_one_stays_dropped),
		WITH_WORLD(packet_from_the_assigned_address_heals),
		WITH_WORLD(packet_that_is_not_translated_heals_the_first_pair),
		WITH_WORLD(packet_that_is_not_translated_heals_the_second_pair),
		WITH_WORLD(packet_that_has_lost_its_route_heals),
		WITH_WORLD(packet_from_another_address_makes_a_pair_of_the_same_binding),
		WITH_WORLD(the_pair_is_there_for_whoever_asks_from_it),
		WITH_WORLD(attempt_of_a_name_is_not_doubled_by_the_packet),
		WITH_WORLD(shared_address_is_healed_with_the_key_that_was_proved),
		WITH_WORLD(key_of_an_evil_copy_cannot_be_proved_from_our_new_address),
		WITH_WORLD(host_that_is_silent_there_is_given_up),
		WITH_WORLD(full_table_leaves_it_dropped),
		WITH_WORLD(nothing_begins_while_it_is_taken_down),
		WITH_WORLD(address_that_is_gone_is_not_renewed_and_does_not_hinder_the_new_one),
		WITH_WORLD(pair_that_another_one_pushed_out_waits_for_a_packet),
		WITH_WORLD(failure_from_another_address_is_not_held_against_the_host),
		WITH_WORLD(the_last_pair_takes_the_shield_with_it),
		WITH_WORLD(shield_goes_in_the_end_when_the_kernel_refuses_at_first),
		WITH_WORLD(clients_stay_pairs),
		WITH_WORLD(bound_host_is_no_anonymous_client_of_another_address),
		WITH_WORLD(what_is_forwarded_passes_as_long_as_the_shield_stands),
		WITH_WORLD(address_that_becomes_ours_passes_no_more),
		WITH_WORLD(nothing_passes_whose_source_is_not_surely_somebody_elses),
		WITH_WORLD(crowd_behind_us_is_bounded),
		WITH_WORLD(kernel_that_refuses_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
