/* The initiator: what a host, or somebody in between, can do to an attempt of ours. */
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

static void drop(struct sim_world *w, struct sim_datagram *d, void *arg)
{
	(void)w;
	(void)arg;
	free(d);
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

/* IKE_AUTH ------------------------------------------------------------------------------------- */

static void wrong_key_installs_nothing_and_is_told(void **state)
{
	const enum sim_key other[] = { KEY_ED25519_OTHER };
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 11, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, sim_keyset(other, 1, &w.host[SERVER].addr), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_failed(&w, CLIENT, sa, REASON_AUTH_FAILED,
		      "does not verify with the published key, Ed25519");
	/* I --> R  INFORMATIONAL N(AUTHENTICATION_FAILED): R removes its half. RFC 7296 2.21.2 */
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	assert_int_equal(w.host[SERVER].ends[0].last.reason, REASON_AUTH_FAILED);
	at_rest(&w);
}

static void second_published_key_is_tried(void **state)
{
	const enum sim_key rollover[] = { KEY_ED25519_OTHER, KEY_ED25519 };
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 12, IP_V6, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, sim_keyset(rollover, 2, &w.host[SERVER].addr), "host.example",
			  LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_up(&w, CLIENT, sa);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->last.tunnel.auth_method, AUTH_SIGNATURE);
	at_rest(&w);
}

static void refused_name_is_not_asked_for_again(void **state)
{
	static const uint8_t id[] = { 203, 0, 113, 5 };
	struct privkey *key = sim_privkey(KEY_ED25519);
	struct peer_message plain;
	struct sim_peer first, second;
	struct msg_chain inner;
	struct sim_world w;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	sim_init(&w, 13, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_server(&w, &first);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	script_answers_init(&w, &first);
	script_takes(&w, &first, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_IDR));
	/* I <-- R  N(AUTHENTICATION_FAILED)          I --> R  IKE_SA_INIT, from the start */
	m = peer_inner();
	peer_write_notify(&m, N_AUTHENTICATION_FAILED);
	script_sends(&w, &first, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->ends, 0);
	peer_start(&second, false, &w.rng);
	script_answers_init(&w, &second);
	assert_memory_not_equal(first.spi_i, second.spi_i, IKE_SPI_LEN);
	script_takes(&w, &second, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_null(msg_find(&inner, PL_IDR));
	/* I <-- R  { IDr=address, AUTH, ... } */
	m = peer_inner();
	pl_id_write(&m, PL_IDR, ID_IPV4_ADDR, span_of(id, sizeof id));
	peer_write_auth_signed(&second, &m, key, ID_IPV4_ADDR, span_of(id, sizeof id));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0x12345678, &w.host[CLIENT].addr, &w.host[SERVER].addr);
	script_sends(&w, &second, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_up(&w, CLIENT, sa);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->last.tunnel.spi_out, 0x12345678);
	peer_clear(&first);
	peer_clear(&second);
	privkey_free(key);
	at_rest(&w);
}

/* The host refuses both times. */
static void refusal_without_a_name_is_final(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	sim_init(&w, 14, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_server(&w, &p);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	m = peer_inner();
	peer_write_notify(&m, N_AUTHENTICATION_FAILED);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "peer said AUTHENTICATION_FAILED");
	nothing_is_sent(&w);
	peer_clear(&p);
	at_rest(&w);
}

/* Takes the client to IKE_AUTH, answers with IDr, AUTH and what answer() writes, and returns the
 * client's next message, opened. */
static ike_handle answered_with(struct sim_world *w, struct sim_peer *p,
				void (*answer)(struct sim_world *w, struct msg_wr *m),
				struct peer_message *plain, struct msg_chain *after)
{
	static const char id[] = "host.example";
	struct privkey *key = sim_privkey(KEY_ED25519);
	struct msg_wr m;
	ike_handle sa;

	script_server(w, p);
	sa = sim_initiate(w, published(w), "host.example", LIFE_MS);
	script_answers_init(w, p);
	script_takes(w, p, EXCH_IKE_AUTH, REQUEST, plain, after);
	m = peer_inner();
	pl_id_write(&m, PL_IDR, ID_FQDN, span_of(id, sizeof id - 1));
	peer_write_auth_signed(p, &m, key, ID_FQDN, span_of(id, sizeof id - 1));
	answer(w, &m);
	script_sends(w, p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	privkey_free(key);
	script_takes(w, p, EXCH_INFORMATIONAL, REQUEST, plain, after);
	return sa;
}

static void tunnel_to_elsewhere(struct sim_world *w, struct msg_wr *m)
{
	struct ip_addr other = w->host[SERVER].addr;

	other.b[3]++;
	peer_write_child(m, 0x1234, &w->host[CLIENT].addr, &other);
}

static void refused_child(struct sim_world *w, struct msg_wr *m)
{
	(void)w;
	peer_write_notify(m, N_SINGLE_PAIR_REQUIRED);
}

static void other_selectors(struct sim_world *w, struct msg_wr *m)
{
	struct ip_addr other = w->host[SERVER].addr;

	other.b[3]++;
	peer_write_notify(m, N_USE_TRANSPORT_MODE);
	peer_write_child(m, 0x1234, &w->host[CLIENT].addr, &other);
}

static void unknown_critical(struct sim_world *w, struct msg_wr *m)
{
	size_t at = m->w.n;

	msg_payload_begin(m, (enum ike_payload_type)200);
	wr_u32(&m->w, 0);
	msg_payload_end(m);
	m->w.base[at + 1] = 0x80;
	peer_write_notify(m, N_USE_TRANSPORT_MODE);
	peer_write_child(m, 0x1234, &w->host[CLIENT].addr, &w->host[SERVER].addr);
}

static void proved_host_with_an_unusable_child_is_left(void **state)
{
	static const struct {
		void (*answer)(struct sim_world *w, struct msg_wr *m);
		enum rp_reason reason;
		const char *words;
		uint16_t notify;
	} cases[] = {
		{ tunnel_to_elsewhere, REASON_TS_UNACCEPTABLE, "other traffic selectors", 0 },
		{ refused_child, REASON_TS_UNACCEPTABLE, "peer said SINGLE_PAIR_REQUIRED", 0 },
		{ other_selectors, REASON_TS_UNACCEPTABLE, "other traffic selectors", 0 },
		{ unknown_critical, REASON_PROTOCOL, "unknown critical payload", N_INVALID_SYNTAX },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer_message plain;
		struct msg_chain after;
		struct sim_peer p;
		struct sim_world w;
		ike_handle sa;

		sim_init(&w, 20 + i, IP_V4, NULL, NULL, KEY_ED25519, false);
		sa = answered_with(&w, &p, cases[i].answer, &plain, &after);
		assert_failed(&w, CLIENT, sa, cases[i].reason, cases[i].words);
		/* I --> R  INFORMATIONAL { D } or { N(INVALID_SYNTAX) } */
		if (cases[i].notify)
			assert_true(has_notify(&after, cases[i].notify));
		else
			assert_non_null(msg_find(&after, PL_DELETE));
		peer_clear(&p);
		at_rest(&w);
	}
}

static void host_that_proves_nothing_is_refused(void **state)
{
	static const char id[] = "host.example";
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	sim_init(&w, 30, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_server(&w, &p);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	m = peer_inner();
	pl_id_write(&m, PL_IDR, ID_FQDN, span_of(id, sizeof id - 1));
	peer_write_auth_null(&p, &m, ID_FQDN, span_of(id, sizeof id - 1));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &w.host[SERVER].addr);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_AUTH_FAILED, "AUTH (NULL) is of a kind not accepted");
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_true(has_notify(&inner, N_AUTHENTICATION_FAILED));
	peer_clear(&p);
	at_rest(&w);
}

static void spoiled_answer_changes_nothing(void **state)
{
	struct sim_datagram *answer;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 31, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	answer = take(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	for (size_t i = IKE_HDR_LEN; i < answer->n; i++) {
		struct sim_datagram *bad = sim_copy(answer);

		bad->b[i] ^= 0x10;
		sim_deliver(&w, bad);
		assert_int_equal(sim_end_of(&w, CLIENT, sa)->ups + sim_end_of(&w, CLIENT, sa)->ends,
				 0);
	}
	sim_deliver(&w, answer);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void fragments_count_only_when_both_announced_them(void **state)
{
	static const char id[] = "host.example";
	struct privkey *key = sim_privkey(KEY_ED25519);

	(void)state;
	for (unsigned announced = 0; announced <= 1; announced++) {
		struct peer_message plain, piece;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		struct span bytes;
		struct msg_wr m;
		uint8_t first, copy[1024];
		ike_handle sa;
		size_t half;

		sim_init(&w, 32, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_server(&w, &p);
		p.no_fragments = !announced;
		sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
		script_answers_init(&w, &p);
		script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
		m = peer_inner();
		pl_id_write(&m, PL_IDR, ID_FQDN, span_of(id, sizeof id - 1));
		peer_write_auth_signed(&p, &m, key, ID_FQDN, span_of(id, sizeof id - 1));
		peer_write_notify(&m, N_USE_TRANSPORT_MODE);
		peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &w.host[SERVER].addr);
		assert_int_equal(msg_end(&m, &first, &bytes), IKE_OK);
		assert_true(bytes.n <= sizeof copy);
		memcpy(copy, bytes.p, bytes.n);
		half = bytes.n / 2;
		/* I <-- R  fragment 2 of 2, then 1 of 2 */
		peer_seal_fragment(&p, EXCH_IKE_AUTH, 1, RESPONSE, PL_NONE,
				   span_of(copy + half, bytes.n - half), 2, 2, &piece);
		sim_inject(&w, SERVER, 500, peer_span(&piece));
		assert_int_equal(sim_sas(&w, CLIENT), 0);
		peer_seal_fragment(&p, EXCH_IKE_AUTH, 1, RESPONSE, first, span_of(copy, half), 1, 2,
				   &piece);
		sim_inject(&w, SERVER, 500, peer_span(&piece));
		assert_int_equal(sim_end_of(&w, CLIENT, sa)->ups, announced);
		peer_clear(&p);
		at_rest(&w);
	}
	privkey_free(key);
}

/* The kernel, and closing ---------------------------------------------------------------------- */

static void kernel_failure_is_told_to_the_host(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 33, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[CLIENT].kernel_fails = 1;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_failed(&w, CLIENT, sa, REASON_KERNEL, "the kernel refused");
	assert_int_equal(sim_sas(&w, SERVER), 0);
	at_rest(&w);
}

static void close_waits_for_the_kernel(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 34, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[CLIENT].decides_after_ms = 50;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	sim_run_until(&w, w.now_ms + 30);
	assert_int_equal(sim_sas(&w, CLIENT), 1);
	/* The kernel has the policies by now: an EV_FAILED would be a lie. */
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_DOWN_BY_OPERATOR, w.now_ms),
			 IKE_OK);
	sim_pump(&w);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->ups, 0);
	sim_run_until(&w, w.now_ms + 100);
	assert_closed(&w, CLIENT, sa, REASON_DOWN_BY_OPERATOR);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	at_rest(&w);
}

static void close_of_an_attempt_is_a_failure(void **state)
{
	struct sim_world w;
	ike_handle sa, other;

	(void)state;
	sim_init(&w, 35, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_SHUTDOWN, w.now_ms), IKE_OK);
	sim_pump(&w);
	assert_failed(&w, CLIENT, sa, REASON_SHUTDOWN, "");
	/* Even "no longer needed": a failure without a reason would read as a success. */
	other = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	assert_int_equal(ike_close(w.host[CLIENT].ike, other, REASON_NONE, w.now_ms), IKE_OK);
	sim_pump(&w);
	assert_failed(&w, CLIENT, other, REASON_INTERNAL, "no longer needed");
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_SHUTDOWN, w.now_ms), IKE_E_STATE);
	at_rest(&w);
}

static void first_contact_is_said_once(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;

	(void)state;
	sim_init(&w, 36, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_server(&w, &p);
	(void)sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_true(has_notify(&inner, N_INITIAL_CONTACT));
	peer_clear(&p);
	/* While one is there, a second one to the same host is not the only one. */
	peer_start(&p, false, &w.rng);
	(void)sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_false(has_notify(&inner, N_INITIAL_CONTACT));
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
		cmocka_unit_test(wrong_key_installs_nothing_and_is_told),
		cmocka_unit_test(second_published_key_is_tried),
		cmocka_unit_test(refused_name_is_not_asked_for_again),
		cmocka_unit_test(refusal_without_a_name_is_final),
		cmocka_unit_test(proved_host_with_an_unusable_child_is_left),
		cmocka_unit_test(host_that_proves_nothing_is_refused),
		cmocka_unit_test(spoiled_answer_changes_nothing),
		cmocka_unit_test(fragments_count_only_when_both_announced_them),
		cmocka_unit_test(kernel_failure_is_told_to_the_host),
		cmocka_unit_test(close_waits_for_the_kernel),
		cmocka_unit_test(close_of_an_attempt_is_a_failure),
		cmocka_unit_test(first_contact_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
