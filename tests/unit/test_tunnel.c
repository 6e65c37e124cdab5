/* Requests, sharing, conflicts: who gets an answer, and when. Handles of IKE SAs count from 1 in the order of asking. */
#include <stdio.h>

#include "tests/unit/tunnel_double.h"

#define HOST "192.0.2.1"
#define HOST2 "192.0.2.2"

static void answer_comes_when_the_tunnel_is_up(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	assert_waiting(w, 1);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->sas[0].path.remote.port, 500);
	assert_int_equal(w->sas[0].reqid & ~(uint32_t)KERNEL_REQID_MASK, KERNEL_REQID_BASE);
	assert_true(w->sas[0].give_up_ms == w->now_ms + 10000);
	assert_int_equal(state_of(w, HOST), TUNNEL_ESTABLISHING);
	advance(w, 40);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
	assert_int_equal(verdict_of(w, 1)->verdict.ttl_cap_s, 300);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void second_question_is_answered_at_once(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	core_up(w, 1, 'A');
	ask(w, 2, "www.example.org", "A", HOST);
	assert_allowed(w, 2);
	assert_int_equal(w->n_sas, 1);
}

static void simultaneous_questions_share_one_exchange(void **state)
{
	struct world *w = *state;
	uint32_t id;

	for (id = 1; id <= 200; id++)
		ask(w, id, "www.example.org", "A", HOST);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_verdicts, 0);
	core_up(w, 1, 'A');
	for (id = 1; id <= 200; id++)
		assert_allowed(w, id);
}

static void second_name_with_the_key_shares(void **state)
{
	struct world *w = *state;
	struct tunnel_info info;
	uint64_t cursor = 0;

	ask(w, 1, "www.example.org", "A", HOST);
	core_up(w, 1, 'A');
	ask(w, 2, "mail.example.org", "BA", HOST);
	assert_allowed(w, 2);
	assert_int_equal(w->n_sas, 1);
	assert_true(tunnels_next(w->t, &cursor, &info));
	assert_int_equal(info.names, 2);
	assert_string_equal(info.key_text, "Ed25519");
}

static void second_name_with_another_key_is_refused(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	core_up(w, 1, 'A');
	ask(w, 2, "evil.example", "B", HOST);
	assert_refused(w, 2, REASON_KEY_CONFLICT);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_downs, 0);
	ask(w, 3, "www.example.org", "A", HOST);
	assert_allowed(w, 3);
}

/* {A, B} intersects {A}, but it is B that was proved: A must be, and may be since both publish it. */
static void a_common_key_that_was_not_proved_must_be_first(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "AB", HOST);
	core_up(w, 1, 'B');
	ask(w, 2, "mail.example.org", "A", HOST);
	assert_waiting(w, 2);
	assert_int_equal(keyset_count(w->sas[1].keys), 1);
	assert_false(w->sas[0].ended);
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
	ask(w, 3, "www.example.org", "AB", HOST);
	assert_allowed(w, 3);
	assert_int_equal(w->n_sas, 2);
}

static void stranger_who_asks_first_does_not_delay_the_name(void **state)
{
	struct world *w = *state;

	ask(w, 1, "evil.example", "B", HOST);
	ask(w, 2, "www.example.org", "A", HOST);
	assert_int_equal(w->n_sas, 2);
	assert_int_not_equal(w->sas[0].reqid, w->sas[1].reqid);
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
	assert_refused(w, 1, REASON_KEY_CONFLICT);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_unprotects, 0);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void parallel_attempt_that_takes_the_same_key_is_served(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	ask(w, 2, "mail.example.org", "AB", HOST);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
	assert_allowed(w, 2);
	assert_true(w->sas[1].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void attempts_for_one_address_are_bounded(void **state)
{
	struct world *w = *state;
	static const char *const keys[] = { "A", "B", "C", "D", "E" };
	uint32_t id;

	for (id = 1; id <= 4; id++)
		ask(w, id, "evil.example", keys[id - 1], HOST);
	ask(w, 5, "evil.example", keys[4], HOST);
	assert_refused(w, 5, REASON_LIMIT);
	assert_int_equal(w->n_sas, 4);
}

static void the_only_name_may_bring_a_new_key(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	core_up(w, 1, 'A');
	ask(w, 2, "www.example.org", "B", HOST);
	assert_waiting(w, 2);
	assert_int_equal(w->sas[1].reqid, w->sas[0].reqid);
	core_up(w, 2, 'B');
	assert_allowed(w, 2);
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_unprotects, 0);
	ask(w, 3, "www.example.org", "A", HOST);
	assert_waiting(w, 3);
	core_fails(w, 3, REASON_AUTH_FAILED, "");
	assert_refused(w, 3, REASON_AUTH_FAILED);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_false(w->sas[1].ended);
}

/* evil.example copies the key A of www into its own records, beside its B. It may share, but healing and renewal ask for A alone. */
static void copied_key_does_not_open_the_address(void **state)
{
	struct world *w = *state;
	struct ipseckey key;

	ask(w, 1, "www.example.org", "A", HOST);
	core_up(w, 1, 'A');
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 2);          /* healing */
	core_fails(w, 2, REASON_TIMEOUT, "");
	advance(w, 3000);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	ask(w, 2, "evil.example", "BA", HOST);
	assert_int_equal(w->n_sas, 4);          /* healing again, and the stranger */
	assert_int_equal(keyset_count(w->sas[3].keys), 1);
	keyset_at(w->sas[3].keys, 0, &key);
	assert_int_equal(key.public_key.p[0], 'A');
}

static void stranger_with_both_keys_first_cannot_change_the_key_later(void **state)
{
	struct world *w = *state;

	ask(w, 1, "evil.example", "AB", HOST);
	core_up(w, 1, 'A');
	ask(w, 2, "www.example.org", "A", HOST);
	assert_allowed(w, 2);
	/* renewal, after the soft life, where rekeying is not possible */
	w->cannot_rekey = true;
	w->traffic.idle_in_s = w->traffic.idle_out_s = 0;
	advance(w, 3600 * 1000);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(keyset_count(w->sas[1].keys), 1);
	core_up(w, 2, 'A');
	assert_int_equal(w->n_downs, 0);
}

/* The one name started to bring a new key, and then another name came to rely on the old one. */
static void new_key_is_refused_when_another_name_came_meanwhile(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	core_up(w, 1, 'A');
	ask(w, 2, "www.example.org", "B", HOST);
	ask(w, 3, "mail.example.org", "A", HOST);
	assert_allowed(w, 3);
	core_up(w, 2, 'B');
	assert_refused(w, 2, REASON_KEY_CONFLICT);
	assert_true(w->sas[1].ended);
	assert_false(w->sas[0].ended);
	ask(w, 4, "mail.example.org", "A", HOST);
	assert_allowed(w, 4);
}

/* Deadlines and failures ------------------------------------------------------------------------------------------------ */

static void deadline_refuses_and_the_attempt_goes_on(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	advance(w, 1400);
	assert_waiting(w, 1);
	advance(w, 90);                         /* before the module gives up by itself */
	assert_refused(w, 1, REASON_TIMEOUT);
	assert_non_null(strstr(verdict_of(w, 1)->text, "still trying"));
	assert_false(w->sas[0].ended);
	/* What the core has heard by then, proved or not, is the reason. */
	w->outlook = REASON_NO_PROPOSAL;
	ask(w, 3, "www.example.org", "A", HOST);
	advance(w, 1490);
	assert_refused(w, 3, REASON_NO_PROPOSAL);
	assert_non_null(strstr(verdict_of(w, 3)->text, "peer said NO_PROPOSAL_CHOSEN"));
	ask(w, 2, "www.example.org", "A", HOST);        /* the stub's next try joins it */
	assert_int_equal(w->n_sas, 1);
	core_up(w, 1, 'A');
	assert_allowed(w, 2);
}

static void attempt_that_ends_after_the_deadline_serves_the_next(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	advance(w, 3000);
	core_up(w, 1, 'A');
	ask(w, 2, "www.example.org", "A", HOST);
	assert_allowed(w, 2);
	assert_refused(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 1);
}

static void failure_leaves_nothing_and_is_remembered(void **state)
{
	struct world *w = *state;
	static const uint32_t pause_ms[] = { 2000, 10000, 60000, 60000 };
	uint32_t id = 1;
	size_t i;

	for (i = 0; i < sizeof pause_ms / sizeof *pause_ms; i++) {
		ask(w, id, "www.example.org", "A", HOST);
		assert_int_equal(w->n_sas, i + 1);
		core_fails(w, i + 1, REASON_AUTH_FAILED, "signature does not verify");
		assert_refused(w, id, REASON_AUTH_FAILED);
		assert_int_equal(tunnels_count(w->t), 0);
		advance(w, pause_ms[i] - 1);
		ask(w, id + 1, "www.example.org", "A", HOST);
		assert_refused(w, id + 1, REASON_AUTH_FAILED);
		assert_string_equal(verdict_of(w, id + 1)->text, "signature does not verify");
		advance(w, 1);
		id += 2;
	}
	assert_int_equal(w->n_unprotects, 0);
	assert_int_equal(w->n_downs, 0);
}

/* For `oe why`: until when it is remembered, and how often it was so; and that nothing happens by asking. */
static void failure_is_told_with_its_end(void **state)
{
	struct world *w = *state;
	uint8_t rdata[3 + 32];
	const struct rp_establish q = { .owner = name_of("www.example.org"), .addresses[0] = address_of(HOST), .n_addresses = 1,
					.keys[0] = span_of(rdata, sizeof rdata), .n_keys = 1 };
	struct tunnel_prospect p;

	make_key(rdata, 'A');
	tunnels_prospect(w->t, &q, 0, w->now_ms, &p);
	assert_int_equal(p.kind, PROSPECT_TRY);
	assert_int_equal(p.failure.at_ms, 0);
	ask(w, 1, "www.example.org", "A", HOST);
	core_fails(w, 1, REASON_AUTH_FAILED, "signature does not verify");
	tunnels_prospect(w->t, &q, 0, w->now_ms, &p);
	assert_int_equal(p.kind, PROSPECT_REFUSED);
	assert_int_equal(p.reason, REASON_AUTH_FAILED);
	assert_string_equal(p.failure.detail, "signature does not verify");
	assert_int_equal(p.failure.times, 1);
	assert_int_equal(p.failure.at_ms, w->now_ms);
	assert_int_equal(p.failure.until_ms, w->now_ms + 2000);
	advance(w, 2000);
	tunnels_prospect(w->t, &q, 0, w->now_ms, &p);
	assert_int_equal(p.kind, PROSPECT_TRY);
	assert_int_equal(w->n_sas, 1);
}

static void verdicts_are_remembered_and_the_oldest_forgotten(void **state)
{
	struct world *w = *state;
	struct tunnel_decision d;
	struct dnsname name = name_of("n0.example.org"), never = name_of("never.example.org");
	char text[32];
	uint32_t id;

	for (id = 1; id <= 257; id++) {
		snprintf(text, sizeof text, "n%u.example.org", id - 1);
		ask(w, id, text, "A", "127.0.0.1");
		assert_int_equal(tunnels_decision(w->t, &name, &d), id < 257);
	}
	assert_false(tunnels_decision(w->t, &never, &d));
	name = name_of("n256.example.org");
	assert_true(tunnels_decision(w->t, &name, &d));
	assert_int_equal(d.kind, RP_REFUSE);
	assert_int_equal(d.reason, REASON_ADDRESS_NOT_ALLOWED);
	assert_string_equal(d.detail, "loopback");
	assert_int_equal(d.at_ms, w->now_ms);
}

static void failure_hurts_only_its_own_keys(void **state)
{
	struct world *w = *state;

	ask(w, 1, "evil.example", "B", HOST);
	core_fails(w, 1, REASON_AUTH_FAILED, "");
	ask(w, 2, "www.example.org", "A", HOST);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
}

static void success_ends_the_memory(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	core_fails(w, 1, REASON_TIMEOUT, "");
	advance(w, 2000);
	ask(w, 2, "www.example.org", "A", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 2);
	assert_int_equal(tunnels_down_address(w->t, &(struct ip_addr){ IP_V4, { 192, 0, 2, 1 } }, w->now_ms), 1);
	take_outputs(w);
	advance(w, 5000);
	assert_int_equal(tunnels_count(w->t), 0);
	ask(w, 3, "www.example.org", "A", HOST);
	core_fails(w, 3, REASON_TIMEOUT, "");
	advance(w, 2000);                       /* 2 s again, not 10 */
	ask(w, 4, "www.example.org", "A", HOST);
	assert_int_equal(w->n_sas, 4);
}

static void our_own_trouble_is_not_held_against_the_host(void **state)
{
	struct world *w = *state;

	w->no_route = true;
	ask(w, 1, "www.example.org", "A", HOST);
	assert_refused(w, 1, REASON_NO_ROUTE);
	w->no_route = false;
	w->sas_max = 1;
	w->n_sas = 1;
	ask(w, 2, "www.example.org", "A", HOST);
	assert_refused(w, 2, REASON_LIMIT);
	w->sas_max = 0;
	ask(w, 3, "www.example.org", "A", HOST);
	assert_waiting(w, 3);
}

/* What is refused before a packet is sent ---------------------------------------------------------------------------------- */

static void address_kinds(void **state)
{
	struct world *w = *state;
	static const char *const never[] = { "127.0.0.1", "169.254.1.1", "224.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "fe80::1",
					     "ff02::1", "::ffff:192.0.2.1", "10.0.0.1", "fd00::1" };
	uint32_t id;

	for (id = 0; id < sizeof never / sizeof *never; id++) {
		ask(w, id, "www.example.org", "A", never[id]);
		assert_refused(w, id, REASON_ADDRESS_NOT_ALLOWED);
	}
	assert_int_equal(w->n_sas, 0);
	w->config.allow_private = true;
	world_restart(w);
	ask(w, 100, "www.example.org", "A", "10.0.0.1");
	ask(w, 101, "www.example.org", "A", "fd00::1");
	assert_waiting(w, 100);
	assert_waiting(w, 101);
	ask(w, 102, "www.example.org", "A", "169.254.1.1");
	assert_refused(w, 102, REASON_ADDRESS_NOT_ALLOWED);
}

static void our_own_address_needs_no_tunnel(void **state)
{
	struct world *w = *state;

	ask(w, 1, "here.example.org", "A", "198.51.100.1");
	assert_allowed(w, 1);
	assert_int_equal(w->n_sas, 0);
	assert_true(verdict_of(w, 1)->verdict.ttl_cap_s <= 60);
}

static void unusable_keys_are_refused_with_the_why(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "!", HOST);
	assert_refused(w, 1, REASON_NO_USABLE_KEY);
	assert_int_not_equal(strlen(verdict_of(w, 1)->text), 0);
	assert_int_equal(w->n_sas, 0);
}

static void ttl_is_bounded(void **state)
{
	struct world *w = *state;

	w->ttl_s = UINT32_MAX;
	ask(w, 1, "www.example.org", "A", HOST);
	core_up(w, 1, 'A');
	assert_int_equal(verdict_of(w, 1)->verdict.ttl_cap_s, 86400);
}

/* Several addresses ---------------------------------------------------------------------------------------------------------- */

static void addresses_are_tried_in_parallel(void **state)
{
	struct world *w = *state;
	const struct rp_verdict *v;

	ask(w, 1, "www.example.org", "A", HOST " 127.0.0.1 " HOST2);
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_waiting(w, 1);
	core_up(w, 1, 'A');
	v = &verdict_of(w, 1)->verdict;
	assert_int_equal(v->kind, RP_ALLOW);
	assert_int_equal(v->n_addresses, 3);
	assert_true(v->address[0].allowed);
	assert_false(v->address[1].allowed);
	assert_int_equal(v->address[1].reason, REASON_ADDRESS_NOT_ALLOWED);
	assert_true(v->address[2].allowed);
	assert_int_equal(v->reason, REASON_ADDRESS_NOT_ALLOWED);
}

static void dead_address_does_not_hold_up_the_living(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST " " HOST2);
	advance(w, 20);
	core_up(w, 2, 'A');
	advance(w, 299);
	assert_waiting(w, 1);
	advance(w, 1);
	assert_int_equal(verdict_of(w, 1)->verdict.kind, RP_ALLOW);
	assert_int_equal(verdict_of(w, 1)->verdict.address[0].reason, REASON_TIMEOUT);
	assert_true(verdict_of(w, 1)->verdict.address[1].allowed);
}

static void all_addresses_failed(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST " " HOST2);
	core_fails(w, 1, REASON_NO_PROPOSAL, "nothing in common");
	core_fails(w, 2, REASON_TIMEOUT, "");
	assert_refused(w, 1, REASON_NO_PROPOSAL);
	assert_string_equal(verdict_of(w, 1)->text, "nothing in common");
}

/* An address that was up while the other was still tried, and is not any more when the answer would go out. */
static void tunnel_that_ended_before_the_answer_is_not_answered(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST " " HOST2);
	core_up(w, 1, 'A');
	core_closed(w, 1, REASON_PEER_REFUSED);
	assert_waiting(w, 1);
	core_fails(w, 2, REASON_TIMEOUT, "");
	assert_refused(w, 1, REASON_PEER_REFUSED);
}

static void more_addresses_than_allowed_for_one_name(void **state)
{
	struct world *w = *state;
	const struct rp_verdict *v;

	w->config.per_peer_max = 1;
	world_restart(w);
	ask(w, 1, "www.example.org", "A", HOST " " HOST2);
	assert_int_equal(w->n_sas, 1);
	core_up(w, 1, 'A');
	v = &verdict_of(w, 1)->verdict;
	assert_int_equal(v->kind, RP_ALLOW);
	assert_int_equal(v->address[1].reason, REASON_LIMIT);
}

static void same_address_twice_in_one_request(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST " " HOST);
	assert_int_equal(w->n_sas, 1);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
}

/* Clients of the socket -------------------------------------------------------------------------------------------------------- */

static void cancelled_request_gets_no_verdict(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	tunnels_cancel(w->t, 1, 1);
	tunnels_cancel(w->t, 1, 4711);
	core_up(w, 1, 'A');
	advance(w, 5000);
	assert_waiting(w, 1);
	ask(w, 2, "www.example.org", "A", HOST);        /* but the attempt was not in vain */
	assert_allowed(w, 2);
}

static void client_that_is_gone_gets_no_verdicts(void **state)
{
	struct world *w = *state;
	uint32_t id;

	for (id = 1; id <= 100; id++)
		assert_int_equal(ask_as(w, 1 + id % 2, id, "www.example.org", "A", HOST), IKE_OK);
	tunnels_client_gone(w->t, 2);
	core_up(w, 1, 'A');
	for (id = 1; id <= 100; id++) {
		if (id % 2)
			assert_waiting(w, id);
		else
			assert_allowed(w, id);
	}
}

static void duplicate_id_is_an_error_of_the_client(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST);
	assert_int_equal(ask_as(w, 1, 1, "www.example.org", "A", HOST2), IKE_E_SYNTAX);
	assert_int_equal(ask_as(w, 2, 1, "mail.example.org", "A", HOST2), IKE_OK);
	assert_int_equal(w->n_sas, 2);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(answer_comes_when_the_tunnel_is_up),
		WITH_WORLD(second_question_is_answered_at_once),
		WITH_WORLD(simultaneous_questions_share_one_exchange),
		WITH_WORLD(second_name_with_the_key_shares),
		WITH_WORLD(second_name_with_another_key_is_refused),
		WITH_WORLD(a_common_key_that_was_not_proved_must_be_first),
		WITH_WORLD(stranger_who_asks_first_does_not_delay_the_name),
		WITH_WORLD(parallel_attempt_that_takes_the_same_key_is_served),
		WITH_WORLD(attempts_for_one_address_are_bounded),
		WITH_WORLD(the_only_name_may_bring_a_new_key),
		WITH_WORLD(copied_key_does_not_open_the_address),
		WITH_WORLD(stranger_with_both_keys_first_cannot_change_the_key_later),
		WITH_WORLD(new_key_is_refused_when_another_name_came_meanwhile),
		WITH_WORLD(deadline_refuses_and_the_attempt_goes_on),
		WITH_WORLD(attempt_that_ends_after_the_deadline_serves_the_next),
		WITH_WORLD(failure_leaves_nothing_and_is_remembered),
		WITH_WORLD(failure_is_told_with_its_end),
		WITH_WORLD(verdicts_are_remembered_and_the_oldest_forgotten),
		WITH_WORLD(failure_hurts_only_its_own_keys),
		WITH_WORLD(success_ends_the_memory),
		WITH_WORLD(our_own_trouble_is_not_held_against_the_host),
		WITH_WORLD(address_kinds),
		WITH_WORLD(our_own_address_needs_no_tunnel),
		WITH_WORLD(unusable_keys_are_refused_with_the_why),
		WITH_WORLD(ttl_is_bounded),
		WITH_WORLD(addresses_are_tried_in_parallel),
		WITH_WORLD(dead_address_does_not_hold_up_the_living),
		WITH_WORLD(all_addresses_failed),
		WITH_WORLD(tunnel_that_ended_before_the_answer_is_not_answered),
		WITH_WORLD(more_addresses_than_allowed_for_one_name),
		WITH_WORLD(same_address_twice_in_one_request),
		WITH_WORLD(cancelled_request_gets_no_verdict),
		WITH_WORLD(client_that_is_gone_gets_no_verdicts),
		WITH_WORLD(duplicate_id_is_an_error_of_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
