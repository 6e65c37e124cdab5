/* Gateways: what an address is bound to by one, and what becomes of that. docs/gateways.md */
#include "tests/unit/tunnel_gateway.h"

#include <stdio.h>

static void other_name_does_not_lead_by_another_way(void **state)
{
	struct world *w = *state;

	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	core_up(w, 1, 'A');
	ask(w, 2, "www.example.org", "A", HOST);
	assert_refused_with(w, 2, REASON_KEY_CONFLICT, "bound to box.example.org, by another way");
	ask_through(w, 3, "www.example.org", "192.0.2.2", 'A');
	assert_refused(w, 3, REASON_KEY_CONFLICT);
	ask_through(w, 4, "www.example.org", "192.0.2.1", 'B');
	assert_refused_with(w, 4, REASON_KEY_CONFLICT, "bound to box.example.org");
	ask_through(w, 5, "www.example.org", "192.0.2.1", 'A');
	assert_allowed(w, 5);
	assert_int_equal(w->n_sas, 1);
}

static void protected_host_is_not_put_behind_a_gateway(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	assert_refused_with(w, 1, REASON_KEY_CONFLICT, "bound to www.example.org, by another way");
	assert_int_equal(w->n_sas, 1);
}

static void first_way_that_is_proved_binds(void **state)
{
	struct world *w = *state;

	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	ask(w, 2, "www.example.org", "A", HOST);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
	assert_refused(w, 1, REASON_KEY_CONFLICT);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->sas[0].close_reason, REASON_KEY_CONFLICT);
}

static void name_alone_may_change_its_gateway(void **state)
{
	struct world *w = *state;
	const struct ip_addr host = address_of(HOST), second = address_of("192.0.2.2");
	struct tunnel_info info;

	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	core_up(w, 1, 'A');
	ask_through(w, 2, NAME, "192.0.2.2", 'A');
	assert_waiting(w, 2);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->sas[1].reqid, w->sas[0].reqid);
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
	assert_true(w->sas[0].ended && !w->sas[1].ended);
	assert_true(tunnels_of_host(w->t, &host, 0, &info));
	assert_true(ip_equal(&info.gateway, &second) && ip_equal(&info.outer, &second));
	assert_int_equal(w->n_unprotects, 0);
}

/* NAME at HOST with key A by gw.example.org, which has this address, or of which this has come. */
static void ask_by_name(struct world *w, uint32_t id, const char *owner, enum rp_finding finding, const char *address)
{
	struct question q;

	begin(w, &q, owner);
	record(&q, 10, "gw.example.org", 'A');
	resolved(&q, 1, finding, address);
	reverse(&q, RP_FOUND, ALL);
	ask_it(w, id, &q);
}

/* Two names on one host: the first one that hears of it waits for the other. */
static void names_follow_their_gateway_to_its_new_address(void **state)
{
	struct world *w = *state;

	ask_by_name(w, 1, NAME, RP_FOUND, "192.0.2.1");
	core_up(w, 1, 'A');
	ask_by_name(w, 2, "www.example.org", RP_FOUND, "192.0.2.1");
	assert_allowed(w, 2);
	ask_by_name(w, 3, NAME, RP_FOUND, "192.0.2.2");
	assert_refused(w, 3, REASON_KEY_CONFLICT);
	assert_int_equal(w->n_sas, 1);
	ask_by_name(w, 4, "www.example.org", RP_FOUND, "192.0.2.2");
	assert_asked(w, 2, "192.0.2.2", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 4);
	assert_true(w->sas[0].ended);
	ask_by_name(w, 5, NAME, RP_FOUND, "192.0.2.2");
	assert_allowed(w, 5);
	/* And what one has said about the old one counts no more. */
	ask_by_name(w, 6, "www.example.org", RP_FOUND, "192.0.2.3");
	assert_refused(w, 6, REASON_KEY_CONFLICT);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(w->n_unprotects, 0);
}

/* Both have a second gateway, and the first one is dead: whichever is looked up leads there, and the other one follows. */
static void names_with_the_same_gateways_fall_back_together(void **state)
{
	static const char *const names[] = { NAME, "www.example.org" };
	struct world *w = *state;
	struct question q[2];

	for (unsigned i = 0; i < 2; i++) {
		begin(w, &q[i], names[i]);
		record(&q[i], 10, "192.0.2.1", 'A');
		record(&q[i], 20, "192.0.2.2", 'A');
		reverse(&q[i], RP_FOUND, ALL);
		ask_it(w, i, &q[i]);
		if (i == 0)
			core_up(w, 1, 'A');
		assert_allowed(w, i);
	}
	/* A name that has another second one leads nobody there. */
	begin(w, &q[1], names[1]);
	record(&q[1], 10, "192.0.2.1", 'A');
	record(&q[1], 20, "192.0.2.3", 'A');
	reverse(&q[1], RP_FOUND, ALL);
	core_closed(w, 1, REASON_TIMEOUT);
	core_fails(w, 2, REASON_TIMEOUT, "");
	ask_it(w, 5, &q[1]);
	assert_refused(w, 5, REASON_TIMEOUT);
	ask_it(w, 6, &q[0]);
	assert_refused(w, 6, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 2);
	/* Now it has the same. */
	begin(w, &q[1], names[1]);
	record(&q[1], 10, "192.0.2.1", 'A');
	record(&q[1], 20, "192.0.2.2", 'A');
	reverse(&q[1], RP_FOUND, ALL);
	ask_it(w, 7, &q[1]);
	assert_asked(w, 3, "192.0.2.2", HOST);
	core_up(w, 3, 'A');
	assert_allowed(w, 7);
	ask_it(w, 8, &q[0]);
	assert_allowed(w, 8);
	assert_int_equal(w->n_unprotects, 0);
}

static void lookup_that_fails_does_not_say_that_a_gateway_is_gone(void **state)
{
	static const enum rp_finding findings[] = { RP_FOUND_LATE, RP_FOUND_FAILED, RP_FOUND_BOGUS };
	struct world *w = *state;

	ask_by_name(w, 1, NAME, RP_FOUND, "192.0.2.1");
	core_up(w, 1, 'A');
	ask_by_name(w, 2, "www.example.org", RP_FOUND, "192.0.2.1");
	for (unsigned i = 0; i < sizeof findings / sizeof *findings; i++) {
		ask_by_name(w, 10 + i, NAME, findings[i], "");
		assert_refused(w, 10 + i, REASON_GATEWAY_LOOKUP);
		ask_by_name(w, 20 + i, "www.example.org", RP_FOUND, "192.0.2.2");
		assert_refused(w, 20 + i, REASON_KEY_CONFLICT);
		ask_by_name(w, 30 + i, "www.example.org", RP_FOUND, "192.0.2.1");
		assert_allowed(w, 30 + i);
	}
	assert_int_equal(w->n_sas, 1);
}

/* All names have left, but whoever comes now was never answered for this address. */
static void other_name_does_not_move_what_all_have_left(void **state)
{
	struct world *w = *state;

	ask_by_name(w, 1, NAME, RP_FOUND, "192.0.2.1");
	core_up(w, 1, 'A');
	ask_by_name(w, 2, "www.example.org", RP_FOUND, "192.0.2.1");
	ask_by_name(w, 3, NAME, RP_FOUND, "192.0.2.2");
	ask(w, 4, "www.evil.example", "A", HOST);
	assert_refused(w, 4, REASON_KEY_CONFLICT);
	/* Nor one that was, with a key of its own. */
	ask_through(w, 5, "www.example.org", "192.0.2.9", 'E');
	assert_refused(w, 5, REASON_KEY_CONFLICT);
	assert_int_equal(w->n_sas, 1);
}

/* Each one's packets go to the other one's address, and what goes to a gateway is not sent through its own. */
static void gateways_behind_each_other_are_asked_themselves(void **state)
{
	struct world *w = *state;
	struct question q;

	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	core_up(w, 1, 'A');
	begin(w, &q, "gw.example.org");
	q.q.addresses[0] = address_of("192.0.2.1");
	record(&q, 10, HOST, 'A');
	reverse(&q, RP_FOUND, ALL);
	ask_it(w, 2, &q);
	assert_asked(w, 2, HOST, "192.0.2.1");
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_asked(w, 3, "192.0.2.1", HOST);
	assert_int_equal(state_of(w, "192.0.2.1"), TUNNEL_PROTECTED);
}

/* Two tunnels to one address, of which each ends by itself. */
static void gateway_with_a_key_has_a_tunnel_of_its_own(void **state)
{
	struct world *w = *state;
	const struct ip_addr gateway = address_of("192.0.2.1");

	protect(w, "gw.example.org", "192.0.2.1");
	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	assert_asked(w, 2, "192.0.2.1", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	assert_int_equal(tunnels_down_address(w->t, &gateway, w->now_ms), 1);
	advance(w, 3000);
	assert_int_equal(w->n_unprotects, 1);
	assert_true(ip_equal(&w->unprotects[0].remote, &gateway));
	assert_int_equal(w->unprotects[0].inner_remote.family, IP_NONE);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void gone_gateway_is_replaced_by_the_next_lookup(void **state)
{
	struct world *w = *state;
	struct question q;

	two_ways(w, &q, 'A', 'A');
	ask_it(w, 1, &q);
	core_up(w, 1, 'A');
	core_closed(w, 1, REASON_TIMEOUT);
	assert_asked(w, 2, "192.0.2.1", HOST);  /* healing */
	core_fails(w, 2, REASON_TIMEOUT, "");
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	ask_it(w, 2, &q);
	assert_asked(w, 3, "192.0.2.2", HOST);
	core_up(w, 3, 'A');
	assert_allowed(w, 2);
	assert_int_equal(w->n_unprotects, 0);
}

static void packets_from_another_address_go_by_the_gateway(void **state)
{
	struct world *w = *state;

	w->other = address_of("198.51.100.9");
	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	core_up(w, 1, 'A');
	acquire(w, "198.51.100.9", HOST);
	assert_asked(w, 2, "192.0.2.1", HOST);
	assert_true(ip_equal(&w->sas[1].path.local.addr, &w->other));
	core_up(w, 2, 'A');
	assert_false(w->sas[0].ended);
}

static void host_behind_a_gateway_is_no_client_beside_it(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	w->config.accept_identified = true;
	world_restart(w);
	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	core_up(w, 1, 'A');
	assert_int_equal(authorize(w, HOST, &reqid), REASON_KEY_CONFLICT);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_KEY_CONFLICT);
	assert_int_equal(authorize(w, "192.0.2.1", &reqid), REASON_NONE);
}

static void gateway_is_not_flooded(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 40; i++) {
		struct question q;
		char name[32], host[32];

		snprintf(name, sizeof name, "n%u.example.org", i);
		snprintf(host, sizeof host, "192.0.2.%u", 100 + i);
		begin(w, &q, name);
		q.q.addresses[0] = address_of(host);
		record(&q, 10, "203.0.113.1", 'A');
		reverse(&q, RP_FOUND, ALL);
		assert_int_equal(ask_for(w, 2, i, &q.q), IKE_OK);
	}
	assert_int_equal(w->n_sas, 32);
	assert_refused_with(w, 39, REASON_LIMIT, "too many hosts behind this gateway are tried");
}

/* For `oe why`, which does not look up gateways. */
static void prospect_without_lookups_depends_on_them(void **state)
{
	struct world *w = *state;
	struct tunnel_prospect p;
	struct question q;

	begin(w, &q, NAME);
	record(&q, 10, "192.0.2.1", 'A');
	tunnels_prospect(w->t, &q.q, 0, w->now_ms, &p);
	assert_int_equal(p.kind, PROSPECT_GATEWAY);
	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	core_up(w, 1, 'A');
	tunnels_prospect(w->t, &q.q, 0, w->now_ms, &p);
	assert_int_equal(p.kind, PROSPECT_PROTECTED);
	begin(w, &q, "victim.evil.example");
	record(&q, 10, "203.0.113.66", 'E');
	tunnels_prospect(w->t, &q.q, 0, w->now_ms, &p);
	assert_int_equal(p.kind, PROSPECT_GATEWAY);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(other_name_does_not_lead_by_another_way),
		WITH_WORLD(protected_host_is_not_put_behind_a_gateway),
		WITH_WORLD(first_way_that_is_proved_binds),
		WITH_WORLD(name_alone_may_change_its_gateway),
		WITH_WORLD(names_follow_their_gateway_to_its_new_address),
		WITH_WORLD(names_with_the_same_gateways_fall_back_together),
		WITH_WORLD(lookup_that_fails_does_not_say_that_a_gateway_is_gone),
		WITH_WORLD(other_name_does_not_move_what_all_have_left),
		WITH_WORLD(gateways_behind_each_other_are_asked_themselves),
		WITH_WORLD(gateway_with_a_key_has_a_tunnel_of_its_own),
		WITH_WORLD(gone_gateway_is_replaced_by_the_next_lookup),
		WITH_WORLD(packets_from_another_address_go_by_the_gateway),
		WITH_WORLD(host_behind_a_gateway_is_no_client_beside_it),
		WITH_WORLD(gateway_is_not_flooded),
		WITH_WORLD(prospect_without_lookups_depends_on_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
