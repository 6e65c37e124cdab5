/* Clients that come to us, and what happens to a tunnel when it is not our first address that it leaves from. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

#define HOST "192.0.2.1"

static void client_is_let_in(void **state)
{
	struct world *w = *state;
	struct tunnel_info info;
	uint64_t cursor = 0;
	uint32_t reqid;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	client_up(w, HOST, reqid);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_true(tunnels_next(w->t, &cursor, &info));
	assert_false(info.initiator);
	assert_int_equal(info.name.n, 0);
	assert_string_equal(info.key_text, "");
}

static void clients_are_refused(void **state)
{
	struct world *w = *state;
	static const char *const never[] = { "127.0.0.1", "224.0.0.1", "169.254.0.1", "0.0.0.0", "198.51.100.1" };
	uint32_t reqid;
	size_t i;

	for (i = 0; i < sizeof never / sizeof *never; i++)
		assert_int_equal(authorize(w, never[i], &reqid), REASON_ADDRESS_NOT_ALLOWED);
	tunnels_shutdown(w->t, w->now_ms);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_SHUTDOWN);
	w->config.accept_anonymous = false;
	world_restart(w);
	assert_int_not_equal(authorize(w, HOST, &reqid), REASON_NONE);
}

static void client_has_no_share_in_what_was_proved(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle sa;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	protect(w, "www.example.org", HOST);
	sa = client_up(w, HOST, reqid);         /* was let in before, and comes late */
	take_outputs(w);
	assert_true(w->sas[sa - 1].ended);
	assert_false(w->sas[0].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_KEY_CONFLICT);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_KEY_CONFLICT);
}

static void both_ends_start_at_once(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle client;

	ask(w, 1, "www.example.org", "A", HOST);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	assert_int_equal(reqid, w->sas[0].reqid);       /* or the kernel would refuse the second one */
	client = client_up(w, HOST, reqid);
	assert_waiting(w, 1);                   /* nobody has proved anything yet */
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
	assert_true(w->sas[client - 1].ended);
	assert_int_equal(w->n_unprotects, 0);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void our_failure_leaves_the_client_alone(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle client;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	client = client_up(w, HOST, reqid);
	ask(w, 1, "www.example.org", "A", HOST);
	assert_int_equal(w->sas[client].reqid, reqid);
	core_fails(w, client + 1, REASON_TIMEOUT, "");
	assert_refused(w, 1, REASON_TIMEOUT);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_false(w->sas[client - 1].ended);
}

static void client_that_says_goodbye_is_released_soon(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle client;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	client = client_up(w, HOST, reqid);
	core_closed(w, client, REASON_PEER_REFUSED);
	advance(w, 2500);
	assert_int_equal(tunnels_count(w->t), 0);
	assert_int_equal(w->n_unprotects, 1);
	assert_int_equal(w->n_downs, 0);
}

static void client_that_says_goodbye_may_come_back_at_once(void **state)
{
	struct world *w = *state;
	uint32_t reqid, again;
	ike_handle client;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	client = client_up(w, HOST, reqid);
	core_closed(w, client, REASON_PEER_REFUSED);
	advance(w, 500);
	assert_int_equal(state_of(w, HOST), TUNNEL_DRAINING);
	assert_int_equal(authorize(w, HOST, &again), REASON_NONE);
	assert_int_equal(again, reqid);         /* the policies are still there, for this one */
	(void)client_up(w, HOST, again);
	advance(w, 10 * 1000);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_unprotects, 0);
}

/* It has no reason to be encrypted to us, and names of ours without a key are to be reached. */
static void client_that_rejects_our_key_is_let_go_at_once(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	core_closed(w, client_up(w, HOST, reqid), REASON_AUTH_FAILED);
	advance(w, 1);
	assert_int_equal(tunnels_count(w->t), 0);
	assert_int_equal(w->n_unprotects, 1);
}

static void silent_client_is_held_and_may_come_back(void **state)
{
	struct world *w = *state;
	uint32_t reqid, again;
	ike_handle client;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	client = client_up(w, HOST, reqid);
	core_closed(w, client, REASON_TIMEOUT);
	advance(w, 100 * 1000);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	assert_int_equal(w->n_unprotects, 0);
	assert_int_equal(w->n_sas, 1);          /* we know no key of it: it has to come */
	assert_int_equal(authorize(w, HOST, &again), REASON_NONE);
	assert_int_equal(again, reqid);
	client = client_up(w, HOST, again);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	core_closed(w, client, REASON_TIMEOUT);
	advance(w, 400 * 1000);
	assert_int_equal(tunnels_count(w->t), 0);
	assert_int_equal(w->n_unprotects, 1);
}

/* A server of several addresses: found when each new tunnel of a client ended its tunnel with the other address, without end. */
static void client_of_two_of_our_addresses_keeps_both(void **state)
{
	struct world *w = *state;
	uint32_t first, second;

	assert_int_equal(authorize(w, HOST, &first), REASON_NONE);
	(void)client_up(w, HOST, first);
	assert_true(ip_from_text("198.51.100.2", &w->local) == IKE_OK);
	assert_int_equal(authorize(w, HOST, &second), REASON_NONE);
	assert_int_not_equal(first, second);
	(void)client_up(w, HOST, second);
	assert_int_equal(tunnels_count(w->t), 2);
	assert_true(w->sas[0].up && !w->sas[0].ended);
	assert_true(w->sas[1].up && !w->sas[1].ended);
}

/* Promise 4, roaming: the policies are for our old address, so they do not protect what leaves from the new one. */
static void other_source_address_needs_a_tunnel_of_its_own(void **state)
{
	struct world *w = *state;

	ask(w, 1, "a.example", "A", HOST);
	core_up(w, 1, 'A');
	assert_int_equal(verdict_of(w, 1)->verdict.kind, RP_ALLOW);
	assert_true(ip_from_text("198.51.100.2", &w->local) == IKE_OK);
	ask(w, 2, "a.example", "A", HOST);
	assert_null(verdict_of(w, 2));
	/* Nor does a new address of ours give somebody else's key a chance. */
	ask(w, 3, "evil.example", "B", HOST);
	assert_int_equal(verdict_of(w, 3)->verdict.reason, REASON_KEY_CONFLICT);
	core_up(w, 2, 'A');
	assert_int_equal(verdict_of(w, 2)->verdict.kind, RP_ALLOW);
	assert_int_equal(tunnels_count(w->t), 2);
}

/* A pool ------------------------------------------------------------------------------------------------------------ */

#define NAT "192.0.2.254"
#define POOL_1 "100.64.0.1"
#define POOL_2 "100.64.0.2"

static ike_handle assigned_client_up(struct world *w, const char *address, const char *assigned)
{
	uint32_t reqid;
	ike_handle sa;

	w->assigned = address_of(assigned);
	assert_int_equal(authorize(w, address, &reqid), REASON_NONE);
	sa = client_up(w, address, reqid);
	w->assigned.family = IP_NONE;
	return sa;
}

/* Each with its own policies, for its own address; the NAT has none, and whoever else is behind it is left alone. */
static void clients_behind_one_nat_have_addresses_of_the_pool(void **state)
{
	struct world *w = *state;
	const struct ip_addr nat = address_of(NAT), first = address_of(POOL_1);
	ike_handle one = assigned_client_up(w, NAT, POOL_1), two = assigned_client_up(w, NAT, POOL_2);

	assert_int_equal(state_of(w, POOL_1), TUNNEL_PROTECTED);
	assert_int_equal(state_of(w, POOL_2), TUNNEL_PROTECTED);
	assert_int_equal(state_of(w, NAT), -1);
	assert_false(w->sas[one - 1].ended || w->sas[two - 1].ended);
	assert_int_not_equal(w->sas[one - 1].reqid, w->sas[two - 1].reqid);
	/* It has gone: so do its policies, and not another's. */
	core_closed(w, one, REASON_TIMEOUT);
	advance(w, 1);
	assert_int_equal(w->n_unprotects, 1);
	assert_true(ip_equal(&w->unprotects[0].remote, &nat));
	assert_true(ip_equal(&w->unprotects[0].inner_remote, &first));
	assert_int_equal(state_of(w, POOL_1), -1);
	assert_int_equal(state_of(w, POOL_2), TUNNEL_PROTECTED);
	/* Its address may be somebody else's now. */
	(void)assigned_client_up(w, "203.0.113.9", POOL_1);
	assert_int_equal(state_of(w, POOL_1), TUNNEL_PROTECTED);
}

/* Else a host that could make itself that address would have the tunnel of the client that we gave it to. */
static void address_of_the_pool_is_not_for_who_comes_from_it(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle one = assigned_client_up(w, NAT, POOL_1);

	assert_int_equal(authorize(w, POOL_1, &reqid), REASON_KEY_CONFLICT);
	w->assigned = address_of(POOL_1);
	assert_int_equal(authorize(w, "203.0.113.9", &reqid), REASON_KEY_CONFLICT);
	w->assigned = w->local;
	assert_int_equal(authorize(w, NAT, &reqid), REASON_ADDRESS_NOT_ALLOWED);
	w->assigned.family = IP_NONE;
	assert_false(w->sas[one - 1].ended);
	/* And one who is there already keeps it. */
	assert_int_equal(authorize(w, POOL_2, &reqid), REASON_NONE);
	(void)client_up(w, POOL_2, reqid);
	w->assigned = address_of(POOL_2);
	assert_int_equal(authorize(w, NAT, &reqid), REASON_KEY_CONFLICT);
}

/* The share of a source is that of its NAT, whatever we assign. */
static void assigned_addresses_count_for_where_they_come_from(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	w->config.anonymous_per_source = 1;
	world_restart(w);
	(void)assigned_client_up(w, NAT, POOL_1);
	w->assigned = address_of(POOL_2);
	assert_int_equal(authorize(w, NAT, &reqid), REASON_LIMIT);
}

/* Our address changed while the first attempt was under way: each pair has its own, and neither ends the other. */
static void attempt_from_our_new_address_goes_on(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	w->local = address_of("198.51.100.77");
	ask(w, 2, "www.example.org", "A", HOST);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 1, 'A');
	assert_waiting(w, 2);
	assert_false(w->sas[1].ended);
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
	assert_false(w->sas[0].ended);
}

/* ... but not with another key. */
static void other_key_from_our_new_address_is_a_conflict(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	w->local = address_of("198.51.100.77");
	ask(w, 2, "evil.example", "B", HOST);
	core_up(w, 1, 'A');
	assert_refused(w, 2, REASON_KEY_CONFLICT);
	assert_true(w->sas[1].ended);
	ask(w, 3, "evil.example", "C", HOST);
	assert_refused(w, 3, REASON_KEY_CONFLICT);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

/* It does so itself, normally; one that does not, or refuses, is asked by our clock. */
static void keys_of_a_client_do_not_grow_old(void **state)
{
	struct world *w = *state;
	uint32_t reqid;
	ike_handle sa;

	assert_int_equal(authorize(w, "192.0.2.1", &reqid), REASON_NONE);
	sa = client_up(w, "192.0.2.1", reqid);
	advance(w, 4000 * 1000);
	assert_int_equal(w->rekeys, 0);
	core_rekeyed(w, sa, 0x7001, 0x7002);    /* by the client */
	advance(w, 4499 * 1000);
	assert_int_equal(w->rekeys, 0);
	advance(w, 1000);
	assert_int_equal(w->rekeys, 1);
	core_cannot_rekey(w, sa);
	advance(w, 4499 * 1000);
	assert_int_equal(w->rekeys, 1);
	assert_int_equal(w->n_sas, 1);
	advance(w, 1000);
	assert_int_equal(w->rekeys, 2);
	core_rekeyed(w, sa, 0x7003, 0x7004);
	advance(w, 4000 * 1000);
	core_rekeyed(w, sa, 0x7005, 0x7006);
	assert_int_equal(w->ike_rekeys, 0);
	advance(w, 1000 * 1000);                /* now it is 18000 s old */
	assert_int_equal(w->ike_rekeys, 1);
	assert_false(w->sas[sa - 1].ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(client_is_let_in),
		WITH_WORLD(clients_are_refused),
		WITH_WORLD(client_has_no_share_in_what_was_proved),
		WITH_WORLD(both_ends_start_at_once),
		WITH_WORLD(our_failure_leaves_the_client_alone),
		WITH_WORLD(client_that_says_goodbye_is_released_soon),
		WITH_WORLD(client_that_says_goodbye_may_come_back_at_once),
		WITH_WORLD(client_that_rejects_our_key_is_let_go_at_once),
		WITH_WORLD(silent_client_is_held_and_may_come_back),
		WITH_WORLD(client_of_two_of_our_addresses_keeps_both),
		WITH_WORLD(other_source_address_needs_a_tunnel_of_its_own),
		WITH_WORLD(clients_behind_one_nat_have_addresses_of_the_pool),
		WITH_WORLD(address_of_the_pool_is_not_for_who_comes_from_it),
		WITH_WORLD(assigned_addresses_count_for_where_they_come_from),
		WITH_WORLD(attempt_from_our_new_address_goes_on),
		WITH_WORLD(other_key_from_our_new_address_is_a_conflict),
		WITH_WORLD(keys_of_a_client_do_not_grow_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
