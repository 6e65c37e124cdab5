/* How many attempts, tunnels, requests and names there are; how many clients a server has, from where; and who goes for whom. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

#define HOST "192.0.2.1"
#define HOST2 "192.0.2.2"

enum { FEW = 4, MANY = 16, CALM_S = 1000 };

/* Clients -------------------------------------------------------------------------------------------------------------------- */

/* FEW anonymous clients of MANY tunnels. */
static void few_clients(struct world *w)
{
	w->config.tunnels_max = MANY;
	w->config.anonymous_max = FEW;
	w->config.idle_s = 100000;
	world_restart(w);
}

/* The i-th client, a second after the one before. */
static ike_handle come(struct world *w, unsigned i)
{
	char address[32];
	uint32_t reqid;
	ike_handle sa;

	snprintf(address, sizeof address, "203.0.113.%u", i);
	assert_int_equal(authorize(w, address, &reqid), REASON_NONE);
	sa = client_up(w, address, reqid);
	advance(w, 1000);
	return sa;
}

static enum rp_reason tries(struct world *w, const char *address)
{
	uint32_t reqid;

	return authorize(w, address, &reqid);
}

static unsigned standing(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_sas; i++)
		n += w->sas[i].up && !w->sas[i].ended;
	return n;
}

static void anonymous_clients_have_a_number_of_their_own(void **state)
{
	struct world *w = *state;

	few_clients(w);
	for (unsigned i = 1; i <= FEW; i++)
		(void)come(w, i);
	assert_int_equal(tunnels_anonymous(w->t), FEW);
	be_idle(w, 2);                          /* all of them are in use */
	assert_int_equal(tries(w, "203.0.113.99"), REASON_LIMIT);
	assert_int_equal(tunnels_stats(w->t)->refused_anonymous, 1);
	assert_int_equal(standing(w), FEW);
	/* What this host asks for has room. */
	protect(w, "www.example.org", HOST);
	assert_int_equal(tunnels_count(w->t), FEW + 1);
}

static void without_a_number_it_is_half_of_all(void **state)
{
	struct world *w = *state;

	w->config.tunnels_max = 4;
	world_restart(w);
	(void)come(w, 1);
	(void)come(w, 2);
	assert_int_equal(tries(w, "203.0.113.99"), REASON_LIMIT);
}

/* It is told with a Delete, its policies go, and the one that comes is let in at once. */
static void oldest_idle_client_goes_and_is_told(void **state)
{
	struct world *w = *state;
	ike_handle sa[FEW + 1];

	few_clients(w);
	for (unsigned i = 1; i <= FEW; i++)
		sa[i] = come(w, i);
	w->sas[sa[1] - 1].idle_s = 40;
	w->sas[sa[2] - 1].idle_s = 200;         /* the oldest that is idle, though not the oldest */
	be_idle(w, 20);
	advance(w, 300 * 1000);
	assert_int_equal(tries(w, "203.0.113.99"), REASON_NONE);
	advance(w, 1);
	assert_true(w->sas[sa[2] - 1].ended);
	assert_int_equal(w->sas[sa[2] - 1].close_reason, REASON_LIMIT);
	assert_int_equal(standing(w), FEW - 1);
	assert_int_equal(w->n_unprotects, 1);
	assert_int_equal(state_of(w, "203.0.113.2"), -1);
	assert_int_equal(tunnels_stats(w->t)->pushed_out_by_anonymous, 1);
}

static void busy_client_stays_while_another_is_idle(void **state)
{
	struct world *w = *state;
	ike_handle sa[FEW + 1];

	few_clients(w);
	for (unsigned i = 1; i <= FEW; i++)
		sa[i] = come(w, i);
	be_idle(w, CALM_S);
	advance(w, 300 * 1000);
	/* In use since the last look: it is found out when it is to go. */
	w->sas[sa[1] - 1].idle_s = w->sas[sa[2] - 1].idle_s = w->sas[sa[3] - 1].idle_s = 1;
	assert_int_equal(tries(w, "203.0.113.99"), REASON_NONE);
	advance(w, 1);
	assert_true(w->sas[sa[4] - 1].ended);
	assert_int_equal(standing(w), FEW - 1);
	/* And when all are, the next one has to wait. */
	w->sas[sa[4] - 1].idle_s = 1;
	be_idle(w, 1);
	(void)come(w, 99);
	assert_int_equal(tries(w, "203.0.113.98"), REASON_LIMIT);
	assert_int_equal(standing(w), FEW);
}

/* Promise: a stranger takes nothing from the people at this host. */
static void anonymous_client_displaces_nothing_that_was_asked_for(void **state)
{
	struct world *w = *state;
	char address[32], name[64];
	uint32_t reqid;

	few_clients(w);
	w->config.accept_identified = true;
	world_restart(w);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	(void)named_client_up(w, HOST, reqid, "friend.example", "A", 1, false);
	for (unsigned i = 1; i < MANY; i++) {
		snprintf(address, sizeof address, "198.18.0.%u", i);
		snprintf(name, sizeof name, "n%u.example.org", i);
		protect(w, name, address);
	}
	be_idle(w, CALM_S);
	advance(w, 400 * 1000);                 /* no answer lives any more, and nothing is in use */
	assert_int_equal(tries(w, "203.0.113.99"), REASON_LIMIT);
	advance(w, 5000);
	assert_int_equal(tunnels_stats(w->t)->refused_all, 1);
	assert_int_equal(standing(w), MANY);
	assert_int_equal(w->n_unprotects, 0);
}

/* For what this host asks for an idle client does go. */
static void client_goes_for_what_was_asked_for(void **state)
{
	struct world *w = *state;

	w->config.tunnels_max = MANY;
	w->config.anonymous_max = MANY;
	w->config.idle_s = 100000;
	world_restart(w);
	for (unsigned i = 1; i <= MANY; i++)
		(void)come(w, i);
	be_idle(w, CALM_S);
	advance(w, 300 * 1000);
	ask(w, 1, "www.example.org", "A", HOST);
	assert_refused(w, 1, REASON_LIMIT);
	advance(w, 1);
	assert_int_equal(state_of(w, "203.0.113.1"), -1);
	ask(w, 2, "www.example.org", "A", HOST);
	assert_waiting(w, 2);
}

/* Addresses of an IPv6 /64 cost nothing; those of another /64 are somebody else's. */
static void source_has_its_share_and_no_more(void **state)
{
	static const char *const others[] = { "2001:db8:0:2::1", "203.0.113.1" };
	struct world *w = *state;
	char address[64];
	uint32_t reqid;

	w->config.tunnels_max = MANY;
	w->config.anonymous_max = MANY;
	w->config.anonymous_per_source = 3;
	w->config.idle_s = 100000;
	world_restart(w);
	for (unsigned i = 1; i <= 3; i++) {
		snprintf(address, sizeof address, "2001:db8:0:1::%u", i);
		assert_int_equal(authorize(w, address, &reqid), REASON_NONE);
		(void)client_up(w, address, reqid);
		advance(w, 1000);
	}
	assert_int_equal(tries(w, "2001:db8:0:1:ffff::"), REASON_LIMIT);
	assert_int_equal(tunnels_stats(w->t)->refused_per_source, 1);
	for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
		assert_int_equal(authorize(w, others[i], &reqid), REASON_NONE);
		(void)client_up(w, others[i], reqid);
	}
	assert_int_equal(tries(w, "2001:db8:0:1::1"), REASON_NONE);     /* it has its place already */
	be_idle(w, CALM_S);
	advance(w, 300 * 1000);
	/* Then its own oldest goes, and nobody else's. */
	assert_int_equal(tries(w, "2001:db8:0:1:ffff::"), REASON_NONE);
	advance(w, 1);
	assert_int_equal(state_of(w, "2001:db8:0:1::1"), -1);
	assert_int_equal(standing(w), 4);
	assert_int_equal(tunnels_stats(w->t)->pushed_out_by_source, 1);
}

static void client_whose_key_is_proved_is_not_anonymous_any_more(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	few_clients(w);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	(void)client_up(w, HOST, reqid);
	assert_int_equal(tunnels_anonymous(w->t), 1);
	protect(w, "www.example.org", HOST);
	assert_int_equal(tunnels_anonymous(w->t), 0);
	assert_int_equal(tunnels_count(w->t), 1);
}

/* Who has said goodbye and comes back in the moment before its policies go needs a place as everybody does. */
static void place_that_was_given_up_is_not_kept(void **state)
{
	struct world *w = *state;
	ike_handle first;

	few_clients(w);
	first = come(w, 1);
	for (unsigned i = 2; i <= FEW; i++)
		(void)come(w, i);
	be_idle(w, 2);
	core_closed(w, first, REASON_PEER_REFUSED);
	assert_int_equal(tunnels_anonymous(w->t), FEW - 1);
	(void)come(w, 99);
	assert_int_equal(tries(w, "203.0.113.1"), REASON_LIMIT);
	assert_int_equal(tunnels_anonymous(w->t), FEW);
}

/* What is asked for ------------------------------------------------------------------------------------------------------- */

static void attempts_beyond_the_limit_wait_for_their_turn(void **state)
{
	struct world *w = *state;
	char address[32];
	uint32_t id;

	w->config.establishing_max = 2;
	world_restart(w);
	for (id = 1; id <= 4; id++) {
		snprintf(address, sizeof address, "192.0.2.%u", id);
		ask(w, id, "www.example.org", "A", address);
	}
	assert_int_equal(w->n_sas, 2);
	core_up(w, 1, 'A');
	assert_int_equal(w->n_sas, 3);
	core_fails(w, 2, REASON_TIMEOUT, "");
	assert_int_equal(w->n_sas, 4);
	core_up(w, 4, 'A');
	assert_allowed(w, 4);
	core_up(w, 3, 'A');
	assert_allowed(w, 3);
}

static void turn_that_does_not_come_in_time(void **state)
{
	struct world *w = *state;

	w->config.establishing_max = 1;
	world_restart(w);
	ask(w, 1, "www.example.org", "A", HOST);
	ask(w, 2, "mail.example.org", "A", HOST2);
	advance(w, 1500);
	assert_refused(w, 1, REASON_TIMEOUT);
	assert_refused(w, 2, REASON_LIMIT);
	core_fails(w, 1, REASON_TIMEOUT, "");
	assert_int_equal(w->n_sas, 1);          /* nobody waits for the second any more */
	assert_int_equal(tunnels_count(w->t), 0);
}

static void what_waits_for_its_turn_is_taken_down_too(void **state)
{
	struct world *w = *state;
	const struct dnsname name = name_of("mail.example.org");

	w->config.establishing_max = 1;
	world_restart(w);
	ask(w, 1, "www.example.org", "A", HOST);
	ask(w, 2, "mail.example.org", "A", HOST2);
	assert_int_equal(tunnels_down_name(w->t, &name, w->now_ms), 1);
	take_outputs(w);
	assert_refused(w, 2, REASON_DOWN_BY_OPERATOR);
	assert_waiting(w, 1);
	core_up(w, 1, 'A');
	assert_int_equal(w->n_sas, 1);
}

static void fill_table(struct world *w, unsigned n)
{
	char address[32], name[64];
	unsigned i;

	for (i = 1; i <= n; i++) {
		snprintf(address, sizeof address, "203.0.113.%u", i);
		snprintf(name, sizeof name, "n%u.example.org", i);
		protect(w, name, address);
		advance(w, 1000);
	}
}

static void full_table_refuses_while_answers_live(void **state)
{
	struct world *w = *state;

	w->config.tunnels_max = 16;
	world_restart(w);
	be_idle(w, 1000);
	fill_table(w, 16);
	ask(w, 1, "one.too.many", "A", HOST);
	assert_refused(w, 1, REASON_LIMIT);
	assert_int_equal(w->n_downs, 0);
}

static void full_table_releases_the_oldest_idle(void **state)
{
	struct world *w = *state;

	w->config.tunnels_max = 16;
	w->config.idle_s = 100000;
	world_restart(w);
	fill_table(w, 16);
	be_idle(w, 1000);
	advance(w, 310 * 1000);
	ask(w, 1, "one.too.many", "A", HOST);
	assert_int_equal(state_of(w, "203.0.113.1"), TUNNEL_DRAINING);
	assert_int_equal(downs_for(w, "n1.example.org"), 1);
	advance(w, 3000);
	assert_int_equal(state_of(w, "203.0.113.1"), -1);
	ask(w, 2, "one.too.many", "A", HOST);
	assert_waiting(w, 2);
}

/* Of those that are idle the one that was used last stays, however old it is. */
static void full_table_goes_by_use_and_not_by_age(void **state)
{
	struct world *w = *state;

	w->config.tunnels_max = MANY;
	w->config.idle_s = 100000;
	world_restart(w);
	fill_table(w, MANY);
	be_idle(w, 1000);
	w->sas[0].idle_s = 12;
	w->sas[1].idle_s = 14;
	advance(w, 310 * 1000);
	ask(w, 1, "one.too.many", "A", HOST);
	assert_int_equal(state_of(w, "203.0.113.1"), TUNNEL_PROTECTED);
	assert_int_equal(state_of(w, "203.0.113.2"), TUNNEL_PROTECTED);
	assert_int_equal(state_of(w, "203.0.113.3"), TUNNEL_DRAINING);
	assert_int_equal(downs_for(w, "n3.example.org"), 1);
}

static void busy_tunnel_is_not_pushed_out(void **state)
{
	struct world *w = *state;

	w->config.tunnels_max = 16;
	world_restart(w);
	fill_table(w, 16);
	be_idle(w, 2);
	advance(w, 310 * 1000);
	ask(w, 1, "one.too.many", "A", HOST);
	assert_refused(w, 1, REASON_LIMIT);
	assert_int_equal(w->n_downs, 0);
}

static void requests_are_bounded(void **state)
{
	struct world *w = *state;

	w->config.requests_max = 2;
	world_restart(w);
	ask(w, 1, "www.example.org", "A", HOST);
	ask(w, 2, "www.example.org", "A", HOST);
	ask(w, 3, "www.example.org", "A", HOST);
	assert_refused(w, 3, REASON_LIMIT);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
	ask(w, 4, "www.example.org", "A", HOST);
	assert_allowed(w, 4);
}

static void names_of_an_address_are_bounded(void **state)
{
	struct world *w = *state;
	char name[64];
	uint32_t id;

	protect(w, "www.example.org", HOST);
	for (id = 1; id <= 63; id++) {
		snprintf(name, sizeof name, "n%u.example.org", id);
		ask(w, id, name, "A", HOST);
		assert_allowed(w, id);
	}
	ask(w, 64, "n64.example.org", "A", HOST);
	assert_refused(w, 64, REASON_LIMIT);
	ask(w, 65, "n1.example.org", "A", HOST);
	assert_allowed(w, 65);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(anonymous_clients_have_a_number_of_their_own),
		WITH_WORLD(without_a_number_it_is_half_of_all),
		WITH_WORLD(oldest_idle_client_goes_and_is_told),
		WITH_WORLD(busy_client_stays_while_another_is_idle),
		WITH_WORLD(anonymous_client_displaces_nothing_that_was_asked_for),
		WITH_WORLD(client_goes_for_what_was_asked_for),
		WITH_WORLD(source_has_its_share_and_no_more),
		WITH_WORLD(client_whose_key_is_proved_is_not_anonymous_any_more),
		WITH_WORLD(place_that_was_given_up_is_not_kept),
		WITH_WORLD(what_waits_for_its_turn_is_taken_down_too),
		WITH_WORLD(attempts_beyond_the_limit_wait_for_their_turn),
		WITH_WORLD(turn_that_does_not_come_in_time),
		WITH_WORLD(full_table_refuses_while_answers_live),
		WITH_WORLD(full_table_releases_the_oldest_idle),
		WITH_WORLD(full_table_goes_by_use_and_not_by_age),
		WITH_WORLD(busy_tunnel_is_not_pushed_out),
		WITH_WORLD(requests_are_bounded),
		WITH_WORLD(names_of_an_address_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
