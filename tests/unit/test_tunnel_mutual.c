/* Clients that have proved the key of their name, and hosts that ask for each other at once. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

#define HOST "192.0.2.1"
#define OTHER "192.0.2.2"

static int mutual_setup(void **state)
{
	struct world *w;

	if (world_setup(state) != 0)
		return -1;
	w = *state;
	w->config.accept_anonymous = false;
	w->config.accept_identified = true;
	world_restart(w);
	return 0;
}

/* A client of this name and key comes in. */
static ike_handle let_in(struct world *w, const char *address, const char *name, const char *keys)
{
	uint32_t reqid;

	assert_int_equal(authorize_named(w, address, keys, &reqid), REASON_NONE);
	return named_client_up(w, address, reqid, name, keys, 1, false);
}

static void each_kind_of_client_has_its_own_permission(void **state)
{
	struct world *w = *state;
	const struct ike_client client = { .path = { { w->local, 500 }, { address_of(HOST), 500 } } };
	const struct dnsname name = name_of("client.example.org");
	uint32_t reqid;

	assert_int_equal(authorize(w, HOST, &reqid), REASON_PEER_REFUSED);
	assert_int_equal(tunnels_consider(w->t, &client, &name, w->now_ms), REASON_NONE);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	w->config.accept_anonymous = true;
	w->config.accept_identified = false;
	world_restart(w);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	assert_int_equal(tunnels_consider(w->t, &client, &name, w->now_ms), REASON_PEER_REFUSED);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_PEER_REFUSED);
}

/* DNS is not asked for those who may not come in anyway. */
static void useless_questions_are_not_asked(void **state)
{
	struct world *w = *state;
	const struct ike_client loopback = { .path = { { w->local, 500 }, { address_of("127.0.0.1"), 500 } } };
	const struct ike_client client = { .path = { { w->local, 500 }, { address_of(HOST), 500 } } };
	const struct dnsname name = name_of("client.example.org");

	assert_int_equal(tunnels_consider(w->t, &loopback, &name, w->now_ms), REASON_ADDRESS_NOT_ALLOWED);
	tunnels_shutdown(w->t, w->now_ms);
	assert_int_equal(tunnels_consider(w->t, &client, &name, w->now_ms), REASON_SHUTDOWN);
}

static void named_client_is_bound_like_one_that_we_asked_for(void **state)
{
	struct world *w = *state;
	char text[DNSNAME_TEXT_MAX];
	struct tunnel_info info;
	uint32_t reqid;

	(void)let_in(w, HOST, "laptop.example", "A");
	info = info_of(w, HOST);
	assert_string_equal(dnsname_text(&info.name, text), "laptop.example");
	assert_string_equal(info.key_text, "Ed25519");
	assert_false(info.initiator);
	assert_int_equal(info.names, 0);
	/* What leaves from our other addresses is not covered by it (there is no shield), so that a lookup of its name is
	 * answered when we have established a tunnel ourselves. */
	ask(w, 1, "laptop.example", "A", HOST);
	assert_waiting(w, 1);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	assert_int_equal(tunnels_count(w->t), 1);
	assert_int_equal(authorize_named(w, HOST, "B", &reqid), REASON_KEY_CONFLICT);
}

/* Promise 3: a name is not kept from its host by a client that has the same address, now or before, and another key. */
static void client_does_not_keep_a_name_from_its_host(void **state)
{
	struct world *w = *state;
	ike_handle client = let_in(w, HOST, "laptop.example", "A");

	ask(w, 1, "www.example", "B", HOST);
	assert_waiting(w, 1);
	core_up(w, client + 1, 'B');
	assert_allowed(w, 1);
	assert_true(w->sas[client - 1].ended);
	assert_string_equal(info_of(w, HOST).key_text, "Ed25519");
	/* From now on somebody relies on B. */
	ask(w, 2, "laptop.example", "A", HOST);
	assert_refused(w, 2, REASON_KEY_CONFLICT);
}

/* Promise 3, the other way round: what was answered is not rebound by whoever comes. */
static void answered_address_takes_its_own_key_only(void **state)
{
	struct world *w = *state;
	ike_handle client;
	uint32_t reqid;

	protect(w, "www.example", HOST);
	advance(w, 20000);
	assert_int_equal(authorize_named(w, HOST, "B", &reqid), REASON_KEY_CONFLICT);
	/* It publishes A's key beside its own, and proves its own. */
	assert_int_equal(authorize_named(w, HOST, "AB", &reqid), REASON_NONE);
	client = named_client_up(w, HOST, reqid, "evil.example", "B", 1, false);
	assert_true(w->sas[client - 1].ended);
	assert_false(w->sas[0].ended);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	client = named_client_up(w, HOST, reqid, "www.example", "A", 1, false);
	assert_false(w->sas[client - 1].ended);
	assert_int_equal(info_of(w, HOST).spi_in, 0x1000 + client);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

/* Reauthentication --------------------------------------------------------------------------------------------------- */

/* RFC 7296 2.8.3: who makes the new one deletes the old one. */
static void replaced_one_is_left_to_the_client(void **state)
{
	struct world *w = *state;
	ike_handle old = let_in(w, HOST, "laptop.example", "A"), fresh = let_in(w, HOST, "laptop.example", "A");

	advance(w, 20000);
	assert_false(w->sas[old - 1].ended);
	assert_int_equal(info_of(w, HOST).spi_in, 0x1000 + fresh);
	core_closed(w, old, REASON_PEER_REFUSED);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
	/* One that is not deleted goes in the end. */
	old = fresh;
	(void)let_in(w, HOST, "laptop.example", "A");
	advance(w, 20000);
	assert_false(w->sas[old - 1].ended);
	advance(w, 20000);
	assert_true(w->sas[old - 1].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

/* It says goodbye, or is lost: what it has replaced before does not take its place. */
static void replaced_one_goes_with_its_successor(void **state)
{
	struct world *w = *state;
	ike_handle old = let_in(w, HOST, "laptop.example", "A"), fresh = let_in(w, HOST, "laptop.example", "A");

	core_closed(w, fresh, REASON_PEER_REFUSED);
	assert_true(w->sas[old - 1].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_DRAINING);
}

static void nothing_is_left_of_what_initial_contact_ends(void **state)
{
	struct world *w = *state;
	ike_handle old = let_in(w, HOST, "laptop.example", "A");
	uint32_t reqid;

	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	(void)named_client_up(w, HOST, reqid, "laptop.example", "A", 1, true);
	assert_true(w->sas[old - 1].ended);
}

static void other_key_of_an_unanswered_client_replaces_it(void **state)
{
	struct world *w = *state;
	ike_handle first = let_in(w, HOST, "laptop.example", "A");
	ike_handle second = let_in(w, HOST, "laptop.example", "B");

	assert_true(w->sas[first - 1].ended);
	assert_false(w->sas[second - 1].ended);
	assert_int_equal(tunnels_count(w->t), 1);
}

/* A binding is of the remote address, whichever of ours the client comes to. */
static void answered_address_takes_its_own_key_at_every_address_of_ours(void **state)
{
	struct world *w = *state;
	ike_handle client;
	uint32_t reqid;

	protect(w, "www.example", HOST);
	w->local = address_of("198.51.100.2");
	assert_int_equal(authorize_named(w, HOST, "B", &reqid), REASON_KEY_CONFLICT);
	assert_int_equal(authorize_named(w, HOST, "AB", &reqid), REASON_NONE);
	client = named_client_up(w, HOST, reqid, "evil.example", "B", 1, false);
	assert_true(w->sas[client - 1].ended);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	client = named_client_up(w, HOST, reqid, "www.example", "A", 1, false);
	assert_false(w->sas[client - 1].ended);
}

static void named_client_that_says_goodbye_is_released_and_may_come_back(void **state)
{
	struct world *w = *state;

	core_closed(w, let_in(w, HOST, "laptop.example", "A"), REASON_PEER_REFUSED);
	advance(w, 500);
	assert_int_equal(state_of(w, HOST), TUNNEL_DRAINING);
	core_closed(w, let_in(w, HOST, "laptop.example", "A"), REASON_PEER_REFUSED);
	advance(w, 3000);
	assert_int_equal(tunnels_count(w->t), 0);
	assert_int_equal(w->n_unprotects, 1);
}

/* Like an anonymous one: it is for the client to come, who perhaps answers nobody. Nothing leaves in clear meanwhile. */
static void silent_named_client_is_held_and_not_called(void **state)
{
	struct world *w = *state;
	const struct ip_addr remote = address_of(HOST), elsewhere = address_of("198.51.100.2");

	core_closed(w, let_in(w, HOST, "laptop.example", "A"), REASON_TIMEOUT);
	advance(w, 60 * 1000);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	tunnels_acquire(w->t, &w->local, &remote, w->now_ms);
	tunnels_acquire(w->t, &elsewhere, &remote, w->now_ms);
	advance(w, 60 * 1000);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_unprotects, 0);
	(void)let_in(w, HOST, "laptop.example", "A");
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

/* It is somebody to this address of ours, and nobody to another one. */
static void named_client_may_be_anonymous_elsewhere(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	w->config.accept_anonymous = true;
	world_restart(w);
	(void)let_in(w, HOST, "laptop.example", "A");
	assert_int_equal(authorize(w, HOST, &reqid), REASON_KEY_CONFLICT);
	w->local = address_of("198.51.100.2");
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
}

/* INITIAL_CONTACT ------------------------------------------------------------------------------------------------- */

static void initial_contact_ends_what_the_same_client_had_elsewhere(void **state)
{
	struct world *w = *state;
	ike_handle old = let_in(w, HOST, "laptop.example", "A"), namesake = let_in(w, "192.0.2.7", "laptop.example", "B"),
		   other = let_in(w, "192.0.2.8", "phone.example", "A"), fresh;
	uint32_t reqid;

	assert_int_equal(authorize_named(w, OTHER, "A", &reqid), REASON_NONE);
	fresh = named_client_up(w, OTHER, reqid, "laptop.example", "A", 1, true);
	assert_true(w->sas[old - 1].ended);
	assert_false(w->sas[namesake - 1].ended);       /* the same name with another key: somebody else, perhaps */
	assert_false(w->sas[other - 1].ended);
	assert_false(w->sas[fresh - 1].ended);
	advance(w, 3000);
	assert_int_equal(state_of(w, HOST), -1);
}

/* Both at once ---------------------------------------------------------------------------------------------------- */

/* Two SAs from both ends; which of them has the smaller SPI, and which comes up first here. The other end has the same two. */
static void both_ends_keep_the_same_one(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < 4; i++) {
		bool ours_is_smaller = i & 1, ours_is_first = i & 2;
		char host[16];
		ike_handle client, ours;
		uint32_t reqid;

		snprintf(host, sizeof host, "192.0.2.%u", 10 + i);
		ask(w, i, "www.example", "A", host);
		ours = w->n_sas;
		w->sas[ours - 1].spi = 5;
		assert_int_equal(authorize_named(w, host, "A", &reqid), REASON_NONE);
		assert_int_equal(reqid, w->sas[ours - 1].reqid);
		if (ours_is_first)
			core_up(w, ours, 'A');
		client = named_client_up(w, host, reqid, "www.example", "A", ours_is_smaller ? 9 : 1, false);
		if (!ours_is_first)
			core_up(w, ours, 'A');
		assert_allowed(w, i);
		advance(w, 1000);
		/* We end ours if it is not the one; theirs is for them to end. */
		assert_int_equal(w->sas[ours - 1].ended, !ours_is_smaller);
		assert_false(w->sas[client - 1].ended);
		assert_int_equal(info_of(w, host).initiator, ours_is_smaller);
		assert_int_equal(info_of(w, host).spi_in, 0x1000 + (ours_is_smaller ? ours : client));
		assert_int_equal(state_of(w, host), TUNNEL_PROTECTED);
	}
}

/* Ours is kept, and theirs too until they end it; the n-th SA is ours, the one after it theirs. */
static void cross(struct world *w)
{
	uint32_t reqid;

	ask(w, 1, "www.example", "A", HOST);
	w->sas[0].spi = 1;
	core_up(w, 1, 'A');
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	assert_int_equal(named_client_up(w, HOST, reqid, "www.example", "A", 9, false), 2);
	assert_false(w->sas[0].ended);
	assert_false(w->sas[1].ended);
}

static void other_end_ends_the_one_too_many(void **state)
{
	struct world *w = *state;

	cross(w);
	core_closed(w, 2, REASON_PEER_REFUSED);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
	assert_false(w->sas[0].ended);
}

/* A peer that does not know our rule: its second SA would carry packets that nobody counts. */
static void one_too_many_is_ended_by_us_in_the_end(void **state)
{
	struct world *w = *state;

	cross(w);
	advance(w, 31000);
	assert_true(w->sas[1].ended);
	assert_false(w->sas[0].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

/* The peer has started anew a moment after the first one was up, and knows nothing of it. */
static void one_that_was_kept_is_dead_and_the_other_takes_its_place(void **state)
{
	struct world *w = *state;

	cross(w);
	assert_int_equal(w->liveness_checks, 1);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
	assert_int_equal(info_of(w, HOST).spi_in, 0x1002);
	advance(w, 60000);
	assert_false(w->sas[1].ended);
}

static void new_keys_of_the_one_too_many_are_not_those_of_the_other(void **state)
{
	struct world *w = *state;

	cross(w);
	core_rekeyed(w, 2, 0x7001, 0x7002);
	assert_int_equal(info_of(w, HOST).spi_in, 0x1001);
	core_cannot_rekey(w, 2);
	assert_int_equal(w->n_sas, 2);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(info_of(w, HOST).spi_in, 0x7001);
	assert_int_equal(info_of(w, HOST).spi_out, 0x7002);
}

static void later_one_is_a_new_beginning(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	ask(w, 1, "www.example", "A", HOST);
	w->sas[0].spi = 1;
	core_up(w, 1, 'A');
	advance(w, 11000);
	assert_int_equal(authorize_named(w, HOST, "A", &reqid), REASON_NONE);
	(void)named_client_up(w, HOST, reqid, "www.example", "A", 9, false);
	assert_false(w->sas[1].ended);
	assert_false(info_of(w, HOST).initiator);
	core_closed(w, 1, REASON_PEER_REFUSED);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
}

static void end_of_the_tunnel_ends_both(void **state)
{
	struct world *w = *state;

	cross(w);
	tunnels_shutdown(w->t, w->now_ms);
	advance(w, 1000);
	assert_true(w->sas[0].ended && w->sas[1].ended);
	assert_int_equal(tunnels_count(w->t), 0);
}

/* Who is told ----------------------------------------------------------------------------------------------------- */

static void only_hosts_of_the_list_are_told_who_we_are(void **state)
{
	struct world *w = *state;
	const struct dnsname zones[] = { name_of("friends.example"), name_of("one.example.org") };
	static const struct {
		const char *owner;
		bool told;
	} hosts[] = {
		{ "friends.example", true }, { "www.friends.example", true }, { "a.b.friends.example", true },
		{ "enemiesfriends.example", false }, { "example", false }, { "one.example.org", true }, { "two.example.org", false },
	};
	const struct dnsname root = { 1, { 0 } };
	char address[16];
	uint32_t i;

	w->config.identify_to = zones;
	w->config.n_identify_to = 2;
	world_restart(w);
	for (i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		snprintf(address, sizeof address, "203.0.113.%u", i + 1);
		ask(w, i, hosts[i].owner, "A", address);
		assert_int_equal(w->sas[i].identified, hosts[i].told);
	}
	w->config.identify_to = &root;
	w->config.n_identify_to = 1;
	world_restart(w);
	ask(w, i, "two.example.org", "A", "203.0.113.99");
	assert_true(w->sas[i].identified);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, mutual_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(each_kind_of_client_has_its_own_permission),
		WITH_WORLD(useless_questions_are_not_asked),
		WITH_WORLD(named_client_is_bound_like_one_that_we_asked_for),
		WITH_WORLD(client_does_not_keep_a_name_from_its_host),
		WITH_WORLD(answered_address_takes_its_own_key_only),
		WITH_WORLD(answered_address_takes_its_own_key_at_every_address_of_ours),
		WITH_WORLD(other_key_of_an_unanswered_client_replaces_it),
		WITH_WORLD(replaced_one_is_left_to_the_client),
		WITH_WORLD(replaced_one_goes_with_its_successor),
		WITH_WORLD(nothing_is_left_of_what_initial_contact_ends),
		WITH_WORLD(named_client_that_says_goodbye_is_released_and_may_come_back),
		WITH_WORLD(silent_named_client_is_held_and_not_called),
		WITH_WORLD(named_client_may_be_anonymous_elsewhere),
		WITH_WORLD(initial_contact_ends_what_the_same_client_had_elsewhere),
		WITH_WORLD(both_ends_keep_the_same_one),
		WITH_WORLD(other_end_ends_the_one_too_many),
		WITH_WORLD(one_too_many_is_ended_by_us_in_the_end),
		WITH_WORLD(one_that_was_kept_is_dead_and_the_other_takes_its_place),
		WITH_WORLD(new_keys_of_the_one_too_many_are_not_those_of_the_other),
		WITH_WORLD(later_one_is_a_new_beginning),
		WITH_WORLD(end_of_the_tunnel_ends_both),
		WITH_WORLD(only_hosts_of_the_list_are_told_who_we_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
