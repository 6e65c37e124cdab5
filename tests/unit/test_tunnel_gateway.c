/* Gateways: docs/gateways.md. Whose word counts, which record is used, and in which order they are tried. */
#include "tests/unit/tunnel_gateway.h"

/* Whose word counts -------------------------------------------------------------------------------------------------- */

/* Anybody can publish anybody's address beside a gateway and a key of his own, signed. Not a packet leaves for that. */
static void somebody_elses_address_is_not_taken_over_by_a_gateway(void **state)
{
	static const struct {
		enum rp_finding finding;
		const char *text;
	} cases[] = {
		{ RP_FOUND, HOST ": it names another gateway or key" }, { RP_FOUND_NONE, HOST ": no such record" },
		{ RP_FOUND_INSECURE, HOST ": not signed" }, { RP_FOUND_BOGUS, HOST ": bogus" },
		{ RP_FOUND_FAILED, HOST ": the lookup failed" }, { RP_FOUND_LATE, HOST ": no answer in time" },
	};
	struct world *w = *state;
	uint32_t id = 0;

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct question q;

		begin(w, &q, "victim.evil.example");
		record(&q, 10, "203.0.113.66", 'E');
		reverse(&q, cases[i].finding, 0);
		ask_it(w, ++id, &q);
		assert_refused_with(w, id, REASON_GATEWAY_UNCONFIRMED, cases[i].text);
		/* With a name it is the same. */
		begin(w, &q, "victim.evil.example");
		record(&q, 10, "gw.evil.example", 'E');
		resolved(&q, 1, RP_FOUND, "203.0.113.66");
		reverse(&q, cases[i].finding, 0);
		ask_it(w, ++id, &q);
		assert_refused_with(w, id, REASON_GATEWAY_UNCONFIRMED, cases[i].text);
	}
	assert_int_equal(w->n_sas, 0);
}

static void gateway_is_asked_for_the_host(void **state)
{
	struct world *w = *state;
	const struct ip_addr host = address_of(HOST), gateway = address_of("192.0.2.1");
	struct tunnel_info info;

	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	assert_asked(w, 1, "192.0.2.1", HOST);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
	assert_true(tunnels_of_host(w->t, &host, 0, &info));
	assert_true(ip_equal(&info.gateway, &gateway) && ip_equal(&info.outer, &gateway));
	assert_false(tunnels_has_host(w->t, &gateway));
	ask_through(w, 2, NAME, "192.0.2.1", 'A');      /* it stands */
	assert_allowed(w, 2);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(tunnels_down_address(w->t, &host, w->now_ms), 1);
	advance(w, 3000);
	assert_int_equal(w->n_unprotects, 1);
	assert_true(ip_equal(&w->unprotects[0].remote, &gateway) && ip_equal(&w->unprotects[0].inner_remote, &host));
	assert_true(w->unprotects[0].shield);
}

static void word_for_one_gateway_is_none_for_another(void **state)
{
	struct world *w = *state;
	struct question q;

	begin(w, &q, NAME);
	record(&q, 1, "203.0.113.66", 'E');
	record(&q, 2, "192.0.2.1", 'A');
	reverse(&q, RP_FOUND, 2);
	ask_it(w, 1, &q);
	assert_asked(w, 1, "192.0.2.1", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "");
	assert_refused(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 1);
}

static void operator_may_trust_a_domain(void **state)
{
	struct world *w = *state;
	const struct dnsname zone = name_of("example.org");
	struct question q;

	w->config.trust_gateways = &zone;
	w->config.n_trust_gateways = 1;
	world_restart(w);
	begin(w, &q, NAME);
	record(&q, 10, "192.0.2.1", 'A');
	reverse(&q, RP_FOUND_NONE, 0);
	ask_it(w, 1, &q);
	assert_asked(w, 1, "192.0.2.1", HOST);
	begin(w, &q, "victim.evil.example");
	record(&q, 10, "192.0.2.1", 'A');
	reverse(&q, RP_FOUND_NONE, 0);
	ask_it(w, 2, &q);
	assert_refused(w, 2, REASON_GATEWAY_UNCONFIRMED);
}

/* Which record is used ----------------------------------------------------------------------------------------------- */

static void gateway_that_is_the_host_needs_nobodys_word(void **state)
{
	struct world *w = *state;
	struct question q;

	begin(w, &q, NAME);
	record(&q, 10, HOST, 'A');
	record(&q, 10, NAME, 'B');
	record(&q, 10, ".", 'C');
	ask_it(w, 1, &q);
	assert_asked(w, 1, HOST, NULL);
	assert_int_equal(keyset_count(w->sas[0].keys), 3);
	/* A name that leads to it is a gateway like others until that is known. */
	begin(w, &q, "other.example.org");
	record(&q, 10, "alias.example.org", 'A');
	resolved(&q, 1, RP_FOUND, HOST);
	reverse(&q, RP_FOUND, 1);
	ask_it(w, 2, &q);
	assert_asked(w, 2, HOST, NULL);
}

static void name_without_a_validated_address_is_not_used(void **state)
{
	static const struct {
		enum rp_finding finding;
		const char *text;
	} cases[] = {
		{ RP_FOUND_NONE, "gw.example.org: no such record" }, { RP_FOUND_INSECURE, "gw.example.org: not signed" },
		{ RP_FOUND_BOGUS, "gw.example.org: bogus" }, { RP_FOUND_FAILED, "gw.example.org: the lookup failed" },
		{ RP_FOUND_LATE, "gw.example.org: no answer in time" },
	};
	struct world *w = *state;

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct question q;

		begin(w, &q, NAME);
		record(&q, 10, "gw.example.org", 'A');
		resolved(&q, 1, cases[i].finding, "");
		reverse(&q, RP_FOUND, ALL);
		ask_it(w, i, &q);
		assert_refused_with(w, i, REASON_GATEWAY_LOOKUP, cases[i].text);
	}
	assert_int_equal(w->n_sas, 0);
}

static void gateway_must_be_an_address_for_a_host(void **state)
{
	static const struct {
		const char *gateway, *text;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1: loopback" }, { "10.0.0.1", "10.0.0.1: private" }, { "224.0.0.1", "224.0.0.1: multicast" },
		{ "169.254.1.1", "169.254.1.1: link-local" }, { "198.51.100.1", "198.51.100.1: it is this host" },
		{ "0.0.0.0", "0.0.0.0: unusable" }, { "255.255.255.255", "255.255.255.255: multicast" },
		{ "::", "::: unusable" }, { "::1", "::1: loopback" }, { "fe80::1", "fe80::1: link-local" }, { "ff02::1", "ff02::1: multicast" },
		{ "fd00::1", "fd00::1: private" }, { "::ffff:203.0.113.1", "::ffff:203.0.113.1: unusable" },
		{ OUR_V6, OUR_V6 ": it is this host" },
	};
	struct world *w = *state;

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		ask_through(w, i, NAME, cases[i].gateway, 'A');
		assert_refused_with(w, i, REASON_GATEWAY_UNSUPPORTED, cases[i].text);
	}
	assert_int_equal(w->n_sas, 0);
	w->config.allow_private = true;
	world_restart(w);
	ask_through(w, 50, NAME, "10.0.0.1", 'A');
	assert_asked(w, 1, "10.0.0.1", HOST);
}

static void gateway_must_be_reached_from_where_the_host_is(void **state)
{
	struct world *w = *state;

	w->no_route = true;
	ask_through(w, 1, NAME, "192.0.2.1", 'A');
	assert_refused(w, 1, REASON_NO_ROUTE);
}

/* ESP is between addresses of the gateway's family, what it carries between those of the host's. */
static void gateway_of_the_other_family_is_reached_from_our_address_of_its_family(void **state)
{
	static const struct {
		const char *host, *gateway;
	} cases[] = { { HOST, "2001:db8::1" }, { "2001:db8:77::7", "192.0.2.1" } };
	struct world *w = *state;
	const struct ip_addr v6 = address_of(OUR_V6);

	for (unsigned i = 0; i < 2; i++) {
		const struct ip_addr host = address_of(cases[i].host), gateway = address_of(cases[i].gateway);
		const struct ip_addr *ours = i == 0 ? &w->local : &v6, *outer = i == 0 ? &v6 : &w->local;
		const struct kernel_request *r = &w->unprotects[i];
		struct tunnel_info info;
		struct question q;

		begin(w, &q, NAME);
		q.q.addresses[0] = host;
		record(&q, 10, cases[i].gateway, 'A');
		reverse(&q, RP_FOUND, ALL);
		ask_it(w, i, &q);
		assert_asked(w, i + 1, cases[i].gateway, cases[i].host);
		assert_true(ip_equal(&w->sas[i].path.local.addr, outer) && ip_equal(&w->sas[i].source, ours));
		core_up(w, i + 1, 'A');
		assert_allowed(w, i);
		advance(w, 20000);                      /* looked at, several times */
		assert_true(tunnels_of_host(w->t, &host, 0, &info));
		assert_int_equal(info.state, TUNNEL_PROTECTED);
		assert_true(ip_equal(&info.local, ours) && ip_equal(&info.gateway, &gateway) && ip_equal(&info.outer, &gateway));
		core_rekeyed(w, i + 1, 0x77, 0x78);
		assert_int_equal(tunnels_down_address(w->t, &host, w->now_ms), 1);
		advance(w, 3000);
		assert_int_equal(w->n_unprotects, i + 1);
		assert_true(ip_equal(&r->local, outer) && ip_equal(&r->remote, &gateway));
		assert_true(ip_equal(&r->inner_local, ours) && ip_equal(&r->inner_remote, &host));
	}
	assert_int_equal(w->n_retired, 0);
}

/* Nothing that packets to the host could have as their source: nobody assigns one. */
static void host_of_a_family_that_we_do_not_have_is_not_reached_through_its_gateway(void **state)
{
	struct world *w = *state;

	w->no_route_v4 = true;
	ask_through(w, 1, NAME, "2001:db8::1", 'A');
	assert_refused_with(w, 1, REASON_NO_ROUTE, "only to its gateway, by IPv6");
	w->no_route_v4 = false;
	w->no_route_v6 = true;
	ask_through(w, 2, NAME, "2001:db8::1", 'A');
	assert_refused(w, 2, REASON_NO_ROUTE);
	assert_int_equal(w->n_sas, 0);
}

static void link_local_address_is_no_source_through_a_gateway(void **state)
{
	static const char *const gateways[] = { "192.0.2.1", "2001:db8::1" };
	const struct ip_addr host = address_of("2001:db8:77::7"), v6 = address_of(OUR_V6);
	struct world *w = *state;
	struct question q;

	w->v6_gone = w->v6_link_local = true;
	for (unsigned i = 0; i < 2; i++) {
		begin(w, &q, NAME);
		q.q.addresses[0] = host;
		record(&q, 10, gateways[i], 'A');
		reverse(&q, RP_FOUND, ALL);
		ask_it(w, i, &q);
		assert_refused_with(w, i, REASON_NO_ROUTE, "none to what is behind a gateway from a link-local address");
	}
	/* Nor when our own one goes. */
	w->v6_gone = w->v6_link_local = false;
	begin(w, &q, NAME);
	q.q.addresses[0] = host;
	record(&q, 10, "192.0.2.1", 'A');
	reverse(&q, RP_FOUND, ALL);
	ask_it(w, 3, &q);
	core_up(w, 1, 'A');
	w->v6_gone = w->v6_link_local = true;
	tunnels_address_gone(w->t, &v6, w->now_ms);
	advance(w, 5000);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_unprotects, 0);
}

static void address_of_the_hosts_family_comes_first(void **state)
{
	struct world *w = *state;
	struct question q;

	begin(w, &q, NAME);
	record(&q, 10, "gw.example.org", 'A');
	resolved(&q, 1, RP_FOUND, "2001:db8::1");
	q.q.gateways[0].addresses[1] = address_of("192.0.2.1");
	q.q.gateways[0].n_addresses = 2;
	reverse(&q, RP_FOUND, ALL);
	ask_it(w, 1, &q);
	assert_asked(w, 1, "192.0.2.1", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "");
	assert_asked(w, 2, "2001:db8::1", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
}

/* The address that packets have is still ours, the one that carries them is not. */
static void lost_address_of_the_gateways_family_is_healed_when_there_is_another(void **state)
{
	const struct ip_addr v6 = address_of(OUR_V6);
	struct world *w = *state;

	ask_through(w, 1, NAME, "2001:db8::1", 'A');
	core_up(w, 1, 'A');
	w->v6_gone = true;
	tunnels_address_gone(w->t, &v6, w->now_ms);
	advance(w, 5000);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	assert_int_equal(w->n_unprotects, 0);
	w->v6_gone = false;
	tunnels_own_address(w->t, &v6, w->now_ms);
	advance(w, 300);
	assert_asked(w, 2, "2001:db8::1", HOST);
	core_fails(w, 2, REASON_UNREACHABLE, "");
	/* What failed from there says nothing about a new one. */
	tunnels_own_address(w->t, &v6, w->now_ms);
	advance(w, 300);
	assert_asked(w, 3, "2001:db8::1", HOST);
	core_up(w, 3, 'A');
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_unprotects, 0);
}

static void keys_of_one_gateway_are_a_rollover(void **state)
{
	struct world *w = *state;
	struct question q;

	begin(w, &q, NAME);
	record(&q, 10, "192.0.2.1", 'A');
	record(&q, 10, "gw.example.org", 'B');
	resolved(&q, 2, RP_FOUND, "192.0.2.1");
	reverse(&q, RP_FOUND, ALL);
	ask_it(w, 1, &q);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(keyset_count(w->sas[0].keys), 2);
	core_up(w, 1, 'B');
	assert_allowed(w, 1);
}

/* In order ----------------------------------------------------------------------------------------------------------- */

/* The host itself last, at precedence 30; gateways before. */
static void three_ways(const struct world *w, struct question *q)
{
	begin(w, q, NAME);
	record(q, 30, ".", 'A');
	record(q, 20, "192.0.2.2", 'A');
	record(q, 10, "192.0.2.1", 'A');
	reverse(q, RP_FOUND, ALL);
}

static void next_way_is_tried_when_one_fails(void **state)
{
	struct world *w = *state;
	struct question q;

	three_ways(w, &q);
	ask_it(w, 1, &q);
	assert_asked(w, 1, "192.0.2.1", HOST);
	core_fails(w, 1, REASON_UNREACHABLE, "");
	assert_waiting(w, 1);
	assert_asked(w, 2, "192.0.2.2", HOST);
	core_fails(w, 2, REASON_AUTH_FAILED, "");
	assert_asked(w, 3, HOST, NULL);
	core_up(w, 3, 'A');
	assert_allowed(w, 1);
	assert_string_equal(verdict_of(w, 1)->text, "");
}

static void first_failure_is_the_reason(void **state)
{
	struct world *w = *state;
	struct question q;

	three_ways(w, &q);
	ask_it(w, 1, &q);
	core_fails(w, 1, REASON_UNREACHABLE, "port unreachable");
	core_fails(w, 2, REASON_AUTH_FAILED, "");
	core_fails(w, 3, REASON_TIMEOUT, "");
	assert_refused_with(w, 1, REASON_UNREACHABLE, "port unreachable");
	/* All are remembered. */
	ask_it(w, 2, &q);
	assert_refused_with(w, 2, REASON_UNREACHABLE, "port unreachable");
	assert_int_equal(w->n_sas, 3);
}

static void way_that_failed_is_passed_over(void **state)
{
	struct world *w = *state;
	struct question q;

	three_ways(w, &q);
	ask_it(w, 1, &q);
	core_fails(w, 1, REASON_UNREACHABLE, "");
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	core_closed(w, 2, REASON_TIMEOUT);      /* healing begins there */
	assert_asked(w, 3, "192.0.2.2", HOST);
}

static void silent_way_gets_its_share_of_the_time(void **state)
{
	struct world *w = *state;
	struct question q;

	three_ways(w, &q);
	ask_it(w, 1, &q);
	advance(w, 482);
	assert_int_equal(w->n_sas, 1);
	advance(w, 2);                          /* a third of 1450 ms */
	assert_int_equal(w->n_sas, 2);
	assert_false(w->sas[0].ended);
	advance(w, 482);
	assert_int_equal(w->n_sas, 3);
	core_up(w, 3, 'A');
	assert_allowed(w, 1);
	assert_true(w->sas[0].ended && w->sas[1].ended);
	assert_int_equal(w->sas[0].close_reason, REASON_TIMEOUT);       /* not the word for another name's */
}

static void slow_way_that_succeeds_first_is_it(void **state)
{
	struct world *w = *state;
	const struct ip_addr host = address_of(HOST), gateway = address_of("192.0.2.1");
	struct tunnel_info info;
	struct question q;

	three_ways(w, &q);
	ask_it(w, 1, &q);
	advance(w, 500);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
	assert_true(w->sas[1].ended);
	assert_true(tunnels_of_host(w->t, &host, 0, &info));
	assert_true(ip_equal(&info.gateway, &gateway));
}

static void last_way_fails_while_the_first_goes_on(void **state)
{
	struct world *w = *state;
	struct question q;

	two_ways(w, &q, 'A', 'A');
	ask_it(w, 1, &q);
	advance(w, 800);
	assert_int_equal(w->n_sas, 2);
	core_fails(w, 2, REASON_UNREACHABLE, "");
	assert_waiting(w, 1);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
}

static void silent_ways_end_at_the_deadline(void **state)
{
	struct world *w = *state;
	struct question q;

	three_ways(w, &q);
	ask_it(w, 1, &q);
	advance(w, 1450);
	assert_refused_with(w, 1, REASON_TIMEOUT, "still trying");
	assert_int_equal(w->n_sas, 3);
}

static void two_keys_of_different_gateways_do_not_mix(void **state)
{
	struct world *w = *state;
	struct question q;

	two_ways(w, &q, 'A', 'B');
	ask_it(w, 1, &q);
	assert_int_equal(keyset_count(w->sas[0].keys), 1);
	core_fails(w, 1, REASON_AUTH_FAILED, "");
	assert_int_equal(keyset_count(w->sas[1].keys), 1);
	core_up(w, 2, 'B');
	assert_allowed(w, 1);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(somebody_elses_address_is_not_taken_over_by_a_gateway),
		WITH_WORLD(gateway_is_asked_for_the_host),
		WITH_WORLD(word_for_one_gateway_is_none_for_another),
		WITH_WORLD(operator_may_trust_a_domain),
		WITH_WORLD(gateway_that_is_the_host_needs_nobodys_word),
		WITH_WORLD(name_without_a_validated_address_is_not_used),
		WITH_WORLD(gateway_must_be_an_address_for_a_host),
		WITH_WORLD(gateway_must_be_reached_from_where_the_host_is),
		WITH_WORLD(gateway_of_the_other_family_is_reached_from_our_address_of_its_family),
		WITH_WORLD(host_of_a_family_that_we_do_not_have_is_not_reached_through_its_gateway),
		WITH_WORLD(link_local_address_is_no_source_through_a_gateway),
		WITH_WORLD(address_of_the_hosts_family_comes_first),
		WITH_WORLD(lost_address_of_the_gateways_family_is_healed_when_there_is_another),
		WITH_WORLD(keys_of_one_gateway_are_a_rollover),
		WITH_WORLD(next_way_is_tried_when_one_fails),
		WITH_WORLD(first_failure_is_the_reason),
		WITH_WORLD(way_that_failed_is_passed_over),
		WITH_WORLD(silent_way_gets_its_share_of_the_time),
		WITH_WORLD(slow_way_that_succeeds_first_is_it),
		WITH_WORLD(last_way_fails_while_the_first_goes_on),
		WITH_WORLD(silent_ways_end_at_the_deadline),
		WITH_WORLD(two_keys_of_different_gateways_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
