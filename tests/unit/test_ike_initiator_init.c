/* The initiator up to IKE_SA_INIT: what a host, or somebody in between, can do to an attempt of ours. */
#include "tests/unit/ladder.h"

/* Retransmission ------------------------------------------------------------------------------- */

static void lost_request_goes_again_with_the_same_bytes(void **state)
{
	static const unsigned waits_ms[] = { 200, 300, 450, 675 };
	struct sim_datagram *first, *again;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 2, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	/* I --> R  IKE_SA_INIT          lost, again and again */
	first = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t sent_ms = w.now_ms;

		wait_for_send(&w, 1000);
		assert_int_equal(w.now_ms - sent_ms, waits_ms[i]);
		again = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
		assert_same_datagram(first, again);
		free(again);
	}
	free(first);
	sim_run_until(&w, w.now_ms + 1500);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 3, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.carry = drop;
	sa = sim_initiate(&w, published(&w), "host.example", 1500);
	sim_run_until(&w, w.now_ms + 1499);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->ends, 0);
	sim_run_until(&w, w.now_ms + 1);
	assert_failed(&w, CLIENT, sa, REASON_TIMEOUT, "no answer to IKE_SA_INIT");
	at_rest(&w);
}

/* IKE_SA_INIT ---------------------------------------------------------------------------------- */

static void cookie_goes_first_and_the_rest_stays(void **state)
{
	struct ike_config always = { .always_cookie = true };
	struct sim_datagram *plain, *with;
	struct sim_world w;
	ike_handle sa;
	size_t cookie;

	(void)state;
	sim_init(&w, 4, IP_V4, NULL, &always, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	plain = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	sim_deliver(&w, sim_copy(plain));
	/* I <-- R  N(COOKIE)             and R keeps nothing */
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 0);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	/* I --> R  N(COOKIE), SA, KE, Ni: RFC 7296 2.6 */
	with = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	assert_int_equal(header_of(with).next_payload, PL_NOTIFY);
	cookie = with->n - plain->n;
	unit_assert_span(span_of(with->b + IKE_HDR_LEN + cookie, with->n - IKE_HDR_LEN - cookie),
			 span_of(plain->b + IKE_HDR_LEN, plain->n - IKE_HDR_LEN));
	free(plain);
	sim_deliver(&w, with);
	sim_run_until(&w, w.now_ms + 100);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void endless_cookies_are_bounded(void **state)
{
	uint8_t cookie[] = { 0, 1, 2, 3 };
	struct peer_message answer;
	struct sim_datagram *d;
	struct sim_world w;
	ike_handle sa;
	unsigned sent = 0;

	(void)state;
	sim_init(&w, 5, IP_V4, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(&w, SERVER);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	while ((d = sim_take(&w))) {
		sent++;
		cookie[0]++;
		peer_init_notify(span_of(d->b, d->n), N_COOKIE, span_of(cookie, sizeof cookie),
				 &answer);
		free(d);
		sim_inject(&w, SERVER, 500, peer_span(&answer));
	}
	assert_in_range(sent, 2, 6);
	sim_run_until(&w, w.now_ms + LIFE_MS);
	assert_failed(&w, CLIENT, sa, REASON_TIMEOUT, "IKE_SA_INIT");
	at_rest(&w);
}

static void only_a_group_of_ours_is_taken(void **state)
{
	static const uint8_t modp1024[] = { 0, 2 }, ecp256[] = { 0, GROUP_ECP_256 };
	struct peer_message answer;
	struct sim_datagram *d;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 6, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	/* I <-- X  N(INVALID_KE_PAYLOAD, 2): we did not offer it */
	peer_init_notify(span_of(d->b, d->n), N_INVALID_KE_PAYLOAD, span_of(modp1024, 2), &answer);
	sim_inject(&w, SERVER, 500, peer_span(&answer));
	nothing_is_sent(&w);
	/* I <-- X  N(INVALID_KE_PAYLOAD, 19)       I --> R  IKE_SA_INIT with it */
	peer_init_notify(span_of(d->b, d->n), N_INVALID_KE_PAYLOAD, span_of(ecp256, 2), &answer);
	free(d);
	sim_inject(&w, SERVER, 500, peer_span(&answer));
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	sim_run_until(&w, w.now_ms + 100);
	assert_up(&w, CLIENT, sa);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->last.tunnel.ike_suite.group, GROUP_ECP_256);
	at_rest(&w);
}

/* Somebody who sees our request and is faster than the host. */
static void forge(struct sim_world *w, const struct sim_datagram *request, uint16_t notify, struct span value)
{
	struct peer_message answer;

	peer_init_notify(span_of(request->b, request->n), notify, value, &answer);
	sim_inject(w, SERVER, 500, peer_span(&answer));
}

static void forged_groups_cost_nothing(void **state)
{
	static const uint16_t forged[] = { GROUP_ECP_256, GROUP_ECP_384, GROUP_ECP_256 };
	struct sim_datagram *d;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 30, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	/* I --> R  SA, KE(31), Ni        I <-- X  N(INVALID_KE_PAYLOAD), three times */
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t group[] = { 0, (uint8_t)forged[i] };

		forge(&w, d, N_INVALID_KE_PAYLOAD, span_of(group, sizeof group));
		is_lost(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	}
	/* The host has taken the first one and hears no other: its answer is as good. */
	sim_deliver(&w, d);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_up(&w, CLIENT, sa);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->last.tunnel.ike_suite.group, GROUP_X25519);
	at_rest(&w);
}

/* I --> R  SA, KE, Ni       I <-- X  N(COOKIE)      I --> (lost)
 * I <-- R  SA, KE, Nr       I --> R  IKE_AUTH over the request with the cookie
 * I <-- R  N(AUTHENTICATION_FAILED)                 and I start anew */
static struct sim_datagram *cookie_wins_once(struct sim_world *w)
{
	static const uint8_t cookie[] = "nonsense";
	struct sim_datagram *d = take(w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);

	forge(w, d, N_COOKIE, span_of(cookie, sizeof cookie));
	is_lost(w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	sim_deliver(w, d);
	arrives(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	arrives(w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	return take(w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
}

static void forged_cookie_wins_once_only(void **state)
{
	static const uint8_t cookie[] = "again";
	struct sim_datagram *d;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 31, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	d = cookie_wins_once(&w);
	/* I <-- X  N(COOKIE): not yet */
	forge(&w, d, N_COOKIE, span_of(cookie, sizeof cookie));
	nothing_is_sent(&w);
	sim_deliver(&w, d);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	/* It is the name all the same that the host is asked for. */
	assert_int_equal(w.host[SERVER].asked_name.n, 14);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void doubted_cookie_is_sent_when_nothing_else_comes(void **state)
{
	static const uint8_t cookie[] = "real";
	struct sim_datagram *plain, *with;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 32, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	plain = cookie_wins_once(&w);
	forge(&w, plain, N_COOKIE, span_of(cookie, sizeof cookie));
	nothing_is_sent(&w);
	wait_for_send(&w, 300);
	with = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	assert_int_equal(header_of(with).next_payload, PL_NOTIFY);
	assert_int_equal(with->n - plain->n, 8 + sizeof cookie);
	free(plain);
	sim_deliver(&w, with);
	sim_run_until(&w, w.now_ms + 100);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void unprotected_error_does_not_end_the_attempt(void **state)
{
	struct peer_message answer;
	struct sim_datagram *d;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 7, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	/* I <-- X  N(NO_PROPOSAL_CHOSEN)           anybody can send that: RFC 7296 2.21.1 */
	peer_init_notify(span_of(d->b, d->n), N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0), &answer);
	sim_inject(&w, SERVER, 500, peer_span(&answer));
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->ends, 0);
	sim_deliver(&w, d);
	sim_run_until(&w, w.now_ms + 100);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void unprotected_error_tells_why_in_the_end(void **state)
{
	char detail[IKE_DETAIL_MAX];
	struct peer_message answer;
	struct sim_datagram *d;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 8, IP_V4, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(&w, SERVER);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	assert_int_equal(ike_outlook(w.host[CLIENT].ike, sa, detail), REASON_TIMEOUT);
	assert_string_equal(detail, "no answer to IKE_SA_INIT");
	peer_init_notify(span_of(d->b, d->n), N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0), &answer);
	free(d);
	sim_inject(&w, SERVER, 500, peer_span(&answer));
	/* Whoever cannot wait so long may ask. */
	assert_int_equal(ike_outlook(w.host[CLIENT].ike, sa, detail), REASON_NO_PROPOSAL);
	assert_string_equal(detail, "peer said NO_PROPOSAL_CHOSEN (unauthenticated)");
	sim_run_until(&w, w.now_ms + LIFE_MS);
	assert_int_equal(ike_outlook(w.host[CLIENT].ike, sa, detail), REASON_NONE);
	assert_failed(&w, CLIENT, sa, REASON_NO_PROPOSAL,
		      "peer said NO_PROPOSAL_CHOSEN (unauthenticated)");
	at_rest(&w);
}

static void icmp_error_ends_nothing_and_is_the_last_reason(void **state)
{
	char detail[IKE_DETAIL_MAX];
	struct sim_datagram *d;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 31, IP_V4, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(&w, SERVER);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	/* Too little of it, or about somebody else, says nothing about us. */
	ike_undelivered(w.host[CLIENT].ike, span_of(d->b, 7));
	ike_undelivered(w.host[CLIENT].ike, span_of("other SPI", 8));
	assert_int_equal(ike_outlook(w.host[CLIENT].ike, sa, detail), REASON_TIMEOUT);
	ike_undelivered(w.host[CLIENT].ike, span_of(d->b, 28));
	free(d);
	assert_int_equal(ike_outlook(w.host[CLIENT].ike, sa, detail), REASON_UNREACHABLE);
	sim_run_until(&w, w.now_ms + LIFE_MS);
	assert_failed(&w, CLIENT, sa, REASON_UNREACHABLE, "by ICMP (unauthenticated)");
	at_rest(&w);
}

static void answer_from_elsewhere_is_ignored(void **state)
{
	struct sim_datagram *answer;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 9, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	answer = take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	answer->path.remote.port = 501;
	sim_deliver(&w, answer);
	nothing_is_sent(&w);
	wait_for_send(&w, 300);
	sim_run_until(&w, w.now_ms + 100);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void behind_nat_the_rest_goes_by_port_4500(void **state)
{
	struct sim_world w;
	struct sim_datagram *d;
	ike_handle sa;

	(void)state;
	sim_init(&w, 10, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.nat = true;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	d = take(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	assert_int_equal(d->path.local.port, 4500);
	sim_deliver(&w, d);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_up(&w, CLIENT, sa);
	assert_true(sim_end_of(&w, CLIENT, sa)->last.tunnel.encapsulated);
	assert_int_equal(w.host[CLIENT].sas[0].asked.encap_local_port, 4500);
	assert_int_equal(w.host[SERVER].sas[0].asked.encap_remote_port, 24500);
	at_rest(&w);
}

/* I --> R  SA_INIT { ..., N(NAT_DETECTION_SOURCE_IP) of no datagram }: R believes in a NAT and encapsulates, I does too. */
static void esp_goes_in_udp_where_there_is_no_nat(void **state)
{
	const struct ike_config always = { .respond = true, .always_encapsulate = true };

	(void)state;
	for (unsigned server = 0; server < 2; server++) {
		struct sim_datagram *d;
		struct sim_world w;
		ike_handle sa;

		sim_init(&w, 12, IP_V6, NULL, server ? &always : NULL, KEY_ED25519, false);
		w.host[CLIENT].encapsulate = !server;
		sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
		arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
		arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
		d = take(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
		assert_int_equal(d->path.local.port, 4500);
		assert_int_equal(d->path.remote.port, 4500);
		sim_deliver(&w, d);
		arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
		assert_up(&w, CLIENT, sa);
		assert_true(sim_end_of(&w, CLIENT, sa)->last.tunnel.encapsulated);
		assert_int_equal(w.host[CLIENT].sas[0].asked.encap_remote_port, 4500);
		assert_int_equal(w.host[SERVER].sas[0].asked.encap_remote_port, 4500);
		at_rest(&w);
	}
}

/* I <-- R  SA_INIT without NAT_DETECTION_*: R would send ESP as such. */
static void host_without_nat_traversal_gets_esp_as_such(void **state)
{
	struct sim_datagram *d;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 13, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[CLIENT].encapsulate = true;
	script_server(&w, &p);
	sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	script_answers_init(&w, &p);
	d = take(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	assert_int_equal(d->path.remote.port, 500);
	free(d);
	peer_clear(&p);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_request_goes_again_with_the_same_bytes),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(cookie_goes_first_and_the_rest_stays),
		cmocka_unit_test(endless_cookies_are_bounded),
		cmocka_unit_test(only_a_group_of_ours_is_taken),
		cmocka_unit_test(forged_groups_cost_nothing),
		cmocka_unit_test(forged_cookie_wins_once_only),
		cmocka_unit_test(doubted_cookie_is_sent_when_nothing_else_comes),
		cmocka_unit_test(unprotected_error_does_not_end_the_attempt),
		cmocka_unit_test(unprotected_error_tells_why_in_the_end),
		cmocka_unit_test(icmp_error_ends_nothing_and_is_the_last_reason),
		cmocka_unit_test(answer_from_elsewhere_is_ignored),
		cmocka_unit_test(behind_nat_the_rest_goes_by_port_4500),
		cmocka_unit_test(esp_goes_in_udp_where_there_is_no_nat),
		cmocka_unit_test(host_without_nat_traversal_gets_esp_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
