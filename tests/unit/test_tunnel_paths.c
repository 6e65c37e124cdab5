/* Networks: those that drop ESP, and a host that moves from one to another. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

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

/* Of the n-th address of a host whose packets never come back, from an address of ours where others' do. */
static void host_is_silent_at(struct world *w, unsigned n)
{
	char address[32], name[64];

	snprintf(address, sizeof address, "198.18.0.%u", n);
	snprintf(name, sizeof name, "n%u.silent.example", n);
	w->traffic = (struct sa_traffic){ 0 };
	protect(w, name, address);
	send_into_the_void(w);
	advance(w, 1000);
	core_up(w, w->n_sas, 'A');
}

/* Found when a host of many addresses that answers nobody filled the memory, and what was known of a network was forgotten. */
static void silent_host_does_not_push_out_what_is_known_of_a_network(void **state)
{
	struct world *w = *state;
	const struct ip_addr here = w->local;

	host_is_silent_at(w, 1);                /* nobody has answered here yet: it is the network */
	w->local = address_of("198.51.100.2");
	protect(w, "www.example.org", HOST);
	w->traffic.packets_in = w->traffic.packets_out = 1;
	advance(w, 1000);                       /* here ESP passes */
	for (unsigned n = 2; n < 40; n++)
		host_is_silent_at(w, n);
	w->local = here;
	w->traffic = (struct sa_traffic){ 0 };
	ask(w, 500, "mail.example.org", "A", HOST2);
	assert_true(w->sas[w->n_sas - 1].encapsulated);
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

/* NAT --------------------------------------------------------------------------------------------------------------------- */

static void silence_behind_a_nat_is_broken_every_20_s(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	w->wants_keepalive = true;
	protect(w, "www.example.org", HOST);
	advance(w, 200000);
	assert_in_range(w->keepalives, 10, 11);
	/* Packets do it as well. */
	w->keepalives = 0;
	for (unsigned i = 0; i < 200; i++) {
		w->traffic.packets_out++;
		w->traffic.packets_in++;
		advance(w, 1000);
	}
	assert_in_range(w->keepalives, 0, 1);
}

static void without_a_nat_silence_is_kept(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	advance(w, 200000);
	assert_int_equal(w->keepalives, 0);
}

static void second_client_behind_a_nat_does_not_hurt_the_first(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	w->config.accept_anonymous = true;
	world_restart(w);
	w->behind = address_of("10.0.0.1");
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	client_up(w, HOST, reqid);
	w->behind = address_of("10.0.0.2");
	assert_int_equal(authorize(w, HOST, &reqid), REASON_TS_UNACCEPTABLE);
	assert_int_equal(w->liveness_checks, 1);
	assert_false(w->sas[0].ended);
	/* The first one may come again, after a restart say. */
	w->behind = address_of("10.0.0.1");
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	/* It was dead: now it is the second one's turn. */
	core_closed(w, 1, REASON_TIMEOUT);
	w->behind = address_of("10.0.0.2");
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
}

/* Roaming ----------------------------------------------------------------------------------------------------------------- */

#define OLD "198.51.100.1"
#define NEW "198.51.100.9"
#define WWW "www.example.org"

static void move_to(struct world *w, const char *local)
{
	w->local = address_of(local);
	tunnels_network_changed(w->t, w->now_ms);
	advance(w, 200);
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

static void new_address_has_its_tunnel_without_a_question(void **state)
{
	struct world *w = *state;
	struct ip_addr local = address_of(NEW);

	protect(w, WWW, HOST);
	move_to(w, NEW);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 2);
	assert_true(ip_equal(&w->sas[1].path.local.addr, &local));
	assert_int_equal(downs_for(w, WWW), 1);
	core_up(w, 2, 'A');
	assert_int_equal(state_from(w, NEW), TUNNEL_PROTECTED);
	ask(w, 2, WWW, "A", HOST);
	assert_allowed(w, 2);
	assert_int_equal(w->n_sas, 2);
	/* The pair of the old address goes, and what closes the host to all others stays. */
	advance(w, 3000);
	assert_int_equal(w->n_unprotects, 1);
	assert_false(w->unprotects[0].shield);
	assert_int_equal(state_from(w, OLD), -1);
}

/* Promise 4: what somebody who proved nothing has brought up for the same two addresses, before the host had a name, is no tunnel
 * for the host, and its shield does not go for it. */
static void clients_pair_does_not_carry_what_moves_there(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	w->local = address_of(NEW);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	(void)client_up(w, HOST, reqid);
	w->local = address_of(OLD);
	w->ttl_s = 3600;
	ask(w, 1, WWW, "A", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	move_to(w, NEW);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 3);
	assert_int_equal(w->sas[2].reqid, reqid);
	assert_int_equal(state_from(w, NEW), TUNNEL_HEALING);
	core_up(w, 3, 'A');
	assert_int_equal(state_from(w, NEW), TUNNEL_PROTECTED);
	advance(w, 3000);
	assert_int_equal(w->n_unprotects, 1);
	assert_false(w->unprotects[0].shield);
}

static void without_a_network_the_host_stays_closed(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, WWW, HOST);
	w->no_route = true;
	move_to(w, "0.0.0.0");
	assert_true(w->sas[0].ended);
	assert_int_equal(state_from(w, OLD), TUNNEL_HEALING);
	advance(w, 600000);
	assert_int_equal(w->n_unprotects, 0);
	assert_int_equal(w->n_sas, 1);
	w->no_route = false;
	move_to(w, NEW);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_int_equal(state_from(w, NEW), TUNNEL_PROTECTED);
}

static void address_that_comes_back_is_healed_at_once(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	protect(w, WWW, HOST);
	w->no_route = true;
	move_to(w, "0.0.0.0");
	advance(w, 100000);
	w->no_route = false;
	move_to(w, OLD);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_int_equal(state_from(w, OLD), TUNNEL_PROTECTED);
	assert_int_equal(w->n_unprotects, 0);
}

static void better_address_does_not_end_the_old_tunnel(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	w->other = w->local;
	move_to(w, NEW);
	assert_false(w->sas[0].ended);
	assert_int_equal(w->liveness_checks, 1);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(state_from(w, OLD), TUNNEL_PROTECTED);
}

static void news_that_change_nothing_cost_a_question(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	for (unsigned i = 0; i < 10; i++)
		tunnels_network_changed(w->t, w->now_ms);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->liveness_checks, 1);
}

static void addresses_of_no_tunnel_cost_nothing(void **state)
{
	struct world *w = *state;
	struct ip_addr other = address_of(NEW), ours = address_of(OLD);

	protect(w, WWW, HOST);
	w->other = other;
	tunnels_own_address(w->t, &other, w->now_ms);
	advance(w, 1000);
	tunnels_address_gone(w->t, &other, w->now_ms);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->liveness_checks, 0);
	w->local = other;
	w->other = other;
	tunnels_address_gone(w->t, &ours, w->now_ms);
	advance(w, 200);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 2);
}

/* RFC 4555: connections from the assigned address live on. */
static void tunnel_with_an_assigned_address_goes_along(void **state)
{
	struct world *w = *state;
	struct ip_addr ours = address_of(OLD), other = address_of(NEW);
	struct tunnel_info info;

	w->inner = address_of("100.64.0.1");
	w->ttl_s = 3600;
	protect(w, WWW, HOST);
	w->can_move = true;
	w->local = other;
	tunnels_own_address(w->t, &other, w->now_ms);
	tunnels_address_gone(w->t, &ours, w->now_ms);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 1);
	assert_false(w->sas[0].ended);
	assert_true(ip_equal(&w->sas[0].path.local.addr, &other));
	core_rekeyed(w, 1, 0x7001, 0x7002);
	advance(w, 5000);
	info = info_of(w, HOST);
	assert_true(ip_equal(&info.local, &other));
	assert_int_equal(info.spi_in, 0x7001);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_downs + w->n_unprotects + w->n_retired, 0);
}

/* There ESP is dropped, or the two ends disagree about UDP. */
static void one_that_has_moved_to_where_nothing_comes_back_is_made_anew(void **state)
{
	struct world *w = *state;
	struct ip_addr ours = address_of(OLD), other = address_of(NEW);

	w->inner = address_of("100.64.0.1");
	w->ttl_s = 3600;
	protect(w, WWW, HOST);
	w->traffic.packets_in = w->traffic.packets_out = 1;
	advance(w, 1000);
	w->can_move = true;
	w->local = other;
	tunnels_own_address(w->t, &other, w->now_ms);
	tunnels_address_gone(w->t, &ours, w->now_ms);
	advance(w, 1000);
	core_rekeyed(w, 1, 0x7001, 0x7002);
	w->traffic = (struct sa_traffic){ .packets_out = 1 };
	advance(w, 3000);
	assert_int_equal(w->n_sas, 1);
	advance(w, 3000);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 2);
	assert_true(ip_equal(&w->sas[1].path.local.addr, &other));
	assert_true(w->sas[1].encapsulated);
}

/* The host has lost it, or does not want it there: from the new address there is to be another one. */
static void one_that_does_not_get_there_is_made_anew(void **state)
{
	struct world *w = *state;
	struct ip_addr ours = address_of(OLD), other = address_of(NEW);

	w->inner = address_of("100.64.0.1");
	w->ttl_s = 3600;
	protect(w, WWW, HOST);
	w->can_move = true;
	w->local = other;
	tunnels_own_address(w->t, &other, w->now_ms);
	tunnels_address_gone(w->t, &ours, w->now_ms);
	advance(w, 1000);
	core_closed(w, 1, REASON_TIMEOUT);
	advance(w, 1000);
	assert_int_equal(w->n_sas, 2);
	assert_true(ip_equal(&w->sas[1].path.local.addr, &other));
}

static void long_sleep_ends_all_tunnels(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	w->now_ms += 5000;
	tunnels_resumed(w->t, 5000, w->now_ms);
	advance(w, 200);
	assert_false(w->sas[0].ended);
	assert_int_equal(w->liveness_checks, 1);
	w->now_ms += 100000;
	tunnels_resumed(w->t, 100000, w->now_ms);
	advance(w, 200);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(w->n_unprotects, 0);
}

static void failures_are_of_the_old_network(void **state)
{
	struct world *w = *state;
	struct ip_addr local = address_of(OLD);

	ask(w, 1, WWW, "A", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "no answer");
	ask(w, 2, WWW, "A", HOST);
	assert_refused(w, 2, REASON_TIMEOUT);
	tunnels_own_address(w->t, &local, w->now_ms);
	ask(w, 3, WWW, "A", HOST);
	assert_int_equal(w->n_sas, 2);
	assert_waiting(w, 3);
}

static void crowd_moves_in_turn(void **state)
{
	struct world *w = *state;
	char name[32], host[32];

	for (unsigned i = 1; i <= 100; i++) {
		snprintf(name, sizeof name, "n%u.example.org", i);
		snprintf(host, sizeof host, "192.0.2.%u", i);
		ask(w, i, name, "A", host);
		core_up(w, i, 'A');
	}
	move_to(w, NEW);
	assert_in_range(w->n_sas, 164, 166);
	advance(w, 200);
	assert_int_equal(w->n_sas, 200);
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
		WITH_WORLD(silent_host_does_not_push_out_what_is_known_of_a_network),
		WITH_WORLD(network_that_drops_esp_is_remembered),
		WITH_WORLD(host_behind_a_wall_is_not_the_network),
		WITH_WORLD(network_that_drops_udp_is_not_held_to_it),
		WITH_WORLD(long_round_trip_is_waited_for),
		WITH_WORLD(option_puts_everything_in_udp),
		WITH_WORLD(silence_behind_a_nat_is_broken_every_20_s),
		WITH_WORLD(without_a_nat_silence_is_kept),
		WITH_WORLD(second_client_behind_a_nat_does_not_hurt_the_first),
		WITH_WORLD(new_address_has_its_tunnel_without_a_question),
		WITH_WORLD(clients_pair_does_not_carry_what_moves_there),
		WITH_WORLD(without_a_network_the_host_stays_closed),
		WITH_WORLD(address_that_comes_back_is_healed_at_once),
		WITH_WORLD(better_address_does_not_end_the_old_tunnel),
		WITH_WORLD(news_that_change_nothing_cost_a_question),
		WITH_WORLD(addresses_of_no_tunnel_cost_nothing),
		WITH_WORLD(tunnel_with_an_assigned_address_goes_along),
		WITH_WORLD(one_that_has_moved_to_where_nothing_comes_back_is_made_anew),
		WITH_WORLD(one_that_does_not_get_there_is_made_anew),
		WITH_WORLD(long_sleep_ends_all_tunnels),
		WITH_WORLD(failures_are_of_the_old_network),
		WITH_WORLD(crowd_moves_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
