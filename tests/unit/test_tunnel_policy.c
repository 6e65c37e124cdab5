/* Policy groups: what each means for a name with keys, for its addresses, and for clients. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

#define HOST "192.0.2.1"
#define HOST2 "192.0.2.2"
#define NAME "www.example.org"
#define OTHER "mail.example.net"

static struct groups groups;

static void add(struct world *w, enum group group, const char *line)
{
	char wrong[GROUPS_WRONG_MAX];

	if (groups_add_line(&groups, group, span_of(line, strlen(line)), wrong) != IKE_OK)
		fail_msg("%s", wrong);
	w->config.groups = &groups;
	tunnels_configure(w->t, &w->config);
}

static void reset(struct world *w, enum group group, const char *line)
{
	groups_clear(&groups);
	add(w, group, line);
}

static void assert_clear(const struct world *w, uint32_t id, const char *text)
{
	const struct seen_verdict *seen = verdict_of(w, id);

	assert_non_null(seen);
	assert_int_equal(seen->verdict.kind, RP_CLEAR);
	assert_in_range(seen->verdict.ttl_cap_s, 1, 60);
	assert_string_equal(seen->text, text);
}

static void blocked_name_and_address_are_refused(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_BLOCK, "example.org");
	add(w, GROUP_BLOCK, "192.0.2.2");
	ask(w, 1, NAME, "A", HOST);
	assert_refused(w, 1, REASON_POLICY_FORBIDS);
	assert_string_equal(verdict_of(w, 1)->text, "policy block: example.org");
	ask(w, 2, OTHER, "A", HOST2);
	assert_refused(w, 2, REASON_POLICY_FORBIDS);
	assert_string_equal(verdict_of(w, 2)->text, "policy block: 192.0.2.2");
	assert_int_equal(w->n_sas, 0);
}

/* Whoever has a name in a group must not get around what is said of an address. */
static void no_name_leads_to_a_blocked_address(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_BLOCK, "192.0.2.0/24");
	add(w, GROUP_CLEAR, "example.org");
	ask(w, 1, NAME, "A", HOST);
	assert_refused(w, 1, REASON_POLICY_FORBIDS);
}

static void one_blocked_address_of_two_is_left_out(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_BLOCK, HOST2);
	ask(w, 1, NAME, "A", HOST " " HOST2);
	core_up(w, 1, 'A');
	advance(w, 400);
	assert_int_equal(verdict_of(w, 1)->verdict.kind, RP_ALLOW);
	assert_true(verdict_of(w, 1)->verdict.address[0].allowed);
	assert_false(verdict_of(w, 1)->verdict.address[1].allowed);
	assert_int_equal(verdict_of(w, 1)->verdict.address[1].reason, REASON_POLICY_FORBIDS);
}

static void nothing_is_begun_for_what_is_in_clear(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_CLEAR, "example.org");
	add(w, GROUP_CLEAR_OR_PRIVATE, "192.0.2.2");
	ask(w, 1, NAME, "A", HOST);
	assert_clear(w, 1, "policy clear: example.org");
	ask(w, 2, OTHER, "A", HOST2);
	assert_clear(w, 2, "policy clear-or-private: 192.0.2.2");
	/* An address that no tunnel could go to, too. */
	ask(w, 3, NAME, "A", "10.0.0.1");
	assert_clear(w, 3, "policy clear: example.org");
	assert_int_equal(w->n_sas, 0);
}

static void private_is_refused_when_it_fails(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE, "example.org");
	ask(w, 1, NAME, "A", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "");
	assert_refused(w, 1, REASON_TIMEOUT);
}

/* Promise 2, as ever: to fall back takes the operator's word. */
static void without_a_group_nothing_falls_back(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, "example.com");
	ask(w, 1, NAME, "A", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "");
	assert_refused(w, 1, REASON_TIMEOUT);
}

static void private_or_clear_is_protected_when_that_works(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, "example.org");
	protect(w, NAME, HOST);
	assert_int_equal(w->n_sas, 1);
}

static void private_or_clear_falls_back(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, "example.org");
	ask(w, 1, NAME, "A", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "10 s of silence");
	assert_clear(w, 1, "policy private-or-clear: example.org; the host does not answer IKE");
	/* And while that is remembered, without another attempt. */
	ask(w, 2, NAME, "A", HOST);
	assert_clear(w, 2, "policy private-or-clear: example.org; the host does not answer IKE");
	assert_int_equal(w->n_sas, 1);
	/* No record that we can use; an address that no tunnel may go to. */
	ask(w, 3, NAME, "!", HOST2);
	assert_int_equal(verdict_of(w, 3)->verdict.kind, RP_CLEAR);
	ask(w, 4, NAME, "A", "10.0.0.1");
	assert_int_equal(verdict_of(w, 4)->verdict.kind, RP_CLEAR);
}

static void private_or_clear_falls_back_at_the_deadline(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, "example.org");
	ask(w, 1, NAME, "A", HOST);
	advance(w, w->deadline_ms);
	assert_clear(w, 1, "policy private-or-clear: example.org; the host does not answer IKE");
	/* The attempt goes on, and then it is protected. */
	core_up(w, 1, 'A');
	ask(w, 2, NAME, "A", HOST);
	assert_allowed(w, 2);
}

/* Somebody answers there who is not the host. */
static void wrong_key_does_not_fall_back(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, "example.org");
	ask(w, 1, NAME, "A", HOST);
	core_fails(w, 1, REASON_AUTH_FAILED, "");
	assert_refused(w, 1, REASON_AUTH_FAILED);
}

/* Promise 4. */
static void bound_address_does_not_fall_back(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, ".");
	protect(w, NAME, HOST);
	core_closed(w, 1, REASON_PEER_REFUSED);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	ask(w, 2, NAME, "A", HOST);
	advance(w, w->deadline_ms);
	assert_refused(w, 2, REASON_TIMEOUT);
	ask(w, 3, OTHER, "B", HOST);
	assert_refused(w, 3, REASON_KEY_CONFLICT);
}

static void protected_address_of_two_is_the_answer(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, "example.org");
	ask(w, 1, NAME, "A", HOST " " HOST2);
	core_up(w, 1, 'A');
	core_fails(w, 2, REASON_TIMEOUT, "");
	assert_int_equal(verdict_of(w, 1)->verdict.kind, RP_ALLOW);
	assert_false(verdict_of(w, 1)->verdict.address[1].allowed);
}

static void operators_word_of_today_is_obeyed_but_for_block(void **state)
{
	const struct dnsname name = name_of(NAME), other = name_of(OTHER);
	struct tunnel_cleared cleared;
	struct world *w = *state;

	reset(w, GROUP_PRIVATE, "example.org");
	add(w, GROUP_BLOCK, "example.net");
	assert_int_equal(tunnels_clear(w->t, &name, NULL, 3600, w->now_ms, &cleared), IKE_OK);
	assert_int_equal(tunnels_clear(w->t, &other, NULL, 3600, w->now_ms, &cleared), IKE_OK);
	ask(w, 1, NAME, "A", HOST);
	assert_clear(w, 1, "permitted by the operator");
	ask(w, 2, OTHER, "A", HOST2);
	assert_refused(w, 2, REASON_POLICY_FORBIDS);
}

static void pause_does_not_concern_private(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE, "example.org");
	tunnels_pause(w->t, 900, w->now_ms);
	ask(w, 1, NAME, "A", HOST);
	assert_waiting(w, 1);
	ask(w, 2, OTHER, "A", HOST2);
	assert_clear(w, 2, "paused by the operator");
}

static void tunnel_stays_when_the_groups_change(void **state)
{
	struct world *w = *state;
	struct tunnel_prospect prospect;
	struct rp_establish q = { .owner = name_of(NAME), .addresses[0] = address_of(HOST), .n_addresses = 1 };

	protect(w, NAME, HOST);
	reset(w, GROUP_CLEAR, "example.org");
	ask(w, 2, NAME, "A", HOST);
	assert_clear(w, 2, "policy clear: example.org");
	tunnels_prospect(w->t, &q, 0, w->now_ms, &prospect);
	assert_int_equal(prospect.kind, PROSPECT_CLEAR);
	assert_int_equal(prospect.until_ms, 0);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	be_idle(w, 3600);
	advance(w, 3600 * 1000);
	assert_int_equal(state_of(w, HOST), -1);
}

/* What is asked when the groups are the old ones, and answered when they are the new ones. */
static void verdict_is_by_the_groups_of_its_time(void **state)
{
	struct world *w = *state;

	reset(w, GROUP_PRIVATE_OR_CLEAR, "example.org");
	ask(w, 1, NAME, "A", HOST);
	groups_clear(&groups);
	core_fails(w, 1, REASON_TIMEOUT, "");
	assert_refused(w, 1, REASON_TIMEOUT);
}

static void clients_are_refused_by_their_address(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	reset(w, GROUP_CLEAR, "192.0.2.1");
	add(w, GROUP_BLOCK, "192.0.2.2");
	add(w, GROUP_CLEAR_OR_PRIVATE, "192.0.2.0/24");
	assert_int_equal(authorize(w, HOST, &reqid), REASON_POLICY_FORBIDS);
	assert_non_null(strstr(w->last_log, "a client at 192.0.2.1 is refused: policy clear: 192.0.2.1"));
	assert_int_equal(authorize(w, HOST2, &reqid), REASON_POLICY_FORBIDS);
	assert_int_equal(authorize(w, "192.0.2.3", &reqid), REASON_NONE);
	assert_int_equal(authorize(w, "198.51.100.3", &reqid), REASON_NONE);
}

static void clients_are_refused_by_the_name_that_they_claim(void **state)
{
	struct world *w = *state;
	struct ike_client client = { .path.local.addr = w->local, .path.remote.addr = address_of(HOST) };
	const struct dnsname name = name_of(NAME), other = name_of(OTHER);

	w->config.accept_identified = true;
	reset(w, GROUP_BLOCK, "example.org");
	add(w, GROUP_CLEAR, HOST);
	add(w, GROUP_PRIVATE, OTHER);
	assert_int_equal(tunnels_consider(w->t, &client, &name, w->now_ms), REASON_POLICY_FORBIDS);
	assert_int_equal(tunnels_consider(w->t, &client, &other, w->now_ms), REASON_NONE);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(blocked_name_and_address_are_refused),
		WITH_WORLD(no_name_leads_to_a_blocked_address),
		WITH_WORLD(one_blocked_address_of_two_is_left_out),
		WITH_WORLD(nothing_is_begun_for_what_is_in_clear),
		WITH_WORLD(private_is_refused_when_it_fails),
		WITH_WORLD(without_a_group_nothing_falls_back),
		WITH_WORLD(private_or_clear_is_protected_when_that_works),
		WITH_WORLD(private_or_clear_falls_back),
		WITH_WORLD(private_or_clear_falls_back_at_the_deadline),
		WITH_WORLD(wrong_key_does_not_fall_back),
		WITH_WORLD(bound_address_does_not_fall_back),
		WITH_WORLD(protected_address_of_two_is_the_answer),
		WITH_WORLD(operators_word_of_today_is_obeyed_but_for_block),
		WITH_WORLD(pause_does_not_concern_private),
		WITH_WORLD(tunnel_stays_when_the_groups_change),
		WITH_WORLD(verdict_is_by_the_groups_of_its_time),
		WITH_WORLD(clients_are_refused_by_their_address),
		WITH_WORLD(clients_are_refused_by_the_name_that_they_claim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
