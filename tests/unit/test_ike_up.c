/* An IKE SA that is up: INFORMATIONAL exchanges, what it takes and what ends it. */
#include "tests/unit/ladder.h"

static void liveness_is_answered_and_repeats_are_repeated(void **state)
{
	struct sim_datagram *first, *again;
	struct peer_message ping, old;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 20, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	m = peer_inner();
	peer_seal(&p, EXCH_INFORMATIONAL, 2, REQUEST, &m, &ping);
	m = peer_inner();
	peer_seal(&p, EXCH_INFORMATIONAL, 7, REQUEST, &m, &old);
	/* Outside of the window: not a word. */
	sim_inject(&w, CLIENT, 500, peer_span(&old));
	nothing_is_sent(&w);
	sim_inject(&w, CLIENT, 500, peer_span(&ping));
	first = take(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	sim_inject(&w, CLIENT, 500, peer_span(&ping));
	again = take(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	assert_same_datagram(first, again);
	free(first);
	free(again);
	/* A forged repeat must not make us send: the address it came from may be somebody
	 * else's. */
	ping.b[ping.n - 1] ^= 1;
	sim_inject(&w, CLIENT, 500, peer_span(&ping));
	nothing_is_sent(&w);
	peer_clear(&p);
	sim_clear(&w);
}

static void new_child_sas_are_refused(void **state)
{
	static const uint8_t mine[] = { 0xab, 0xcd, 0x12, 0x34 }, nobodys[] = { 1, 2, 3, 4 };
	static const struct {
		const uint8_t *rekey;
		uint16_t answer;
	} cases[] = { { NULL, N_NO_ADDITIONAL_SAS },
		      { mine, N_NO_PROPOSAL_CHOSEN },     /* in tunnel mode */
		      { nobodys, N_CHILD_SA_NOT_FOUND } };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 21, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	for (unsigned i = 0; i < 3; i++) {
		struct msg_wr m = peer_inner();

		if (cases[i].rekey)
			pl_notify_write(&m, PROTO_ESP, span_of(cases[i].rekey, 4), N_REKEY_SA,
					span_of(NULL, 0));
		pl_nonce_write(&m, span_of(p.nonce, sizeof p.nonce));
		peer_write_child(&m, 0x5555, &w.host[CLIENT].addr, &w.host[SERVER].addr);
		script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 2 + i, REQUEST, &m);
		script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
		assert_true(has_notify(&inner, cases[i].answer));
		assert_int_equal(inner.n, 1);
	}
	assert_int_equal(sim_sas(&w, SERVER), 1);
	peer_clear(&p);
	sim_clear(&w);
}

static void unknown_critical_payload_is_named_and_survived(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct pl_notify n;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 22, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	m = peer_inner();
	msg_payload_begin(&m, (enum ike_payload_type)200);
	msg_payload_end(&m);
	m.w.base[1] = 0x80;
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_true(pl_notify_find(&inner, N_UNSUPPORTED_CRITICAL_PAYLOAD, &n));
	assert_int_equal(n.value.n, 1);
	assert_int_equal(n.value.p[0], 200);
	/* Without the critical bit it is nothing (RFC 7296 2.5). */
	m = peer_inner();
	msg_payload_begin(&m, (enum ike_payload_type)200);
	msg_payload_end(&m);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 3, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_int_equal(inner.n, 0);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	peer_clear(&p);
	sim_clear(&w);
}

static void authentic_nonsense_ends_the_sa(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 23, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	m = auth_request(&w, &p);
	script_sends(&w, &p, EXCH_IKE_AUTH, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PROTOCOL);
	peer_clear(&p);
	at_rest(&w);
}

static void encrypted_payload_inside_of_another_is_malformed(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 24, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	m = auth_request(&w, &p);
	pl_sk_write(&m, PL_NONE, 0);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	assert_int_equal(w.host[SERVER].n_ends, 0);
	peer_clear(&p);
	at_rest(&w);
}

static void deleted_child_takes_the_ike_sa_along(void **state)
{
	static const uint32_t spi = 0xabcd1234;
	struct peer_message plain;
	struct msg_chain inner;
	struct pl_delete del;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	struct rd r;

	(void)state;
	sim_init(&w, 24, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	/* I --> R  INFORMATIONAL { D(ESP, SPI of I) }        I <-- R  { D(ESP, SPI of R) } */
	m = peer_inner();
	pl_delete_write(&m, PROTO_ESP, &spi, 1);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_int_equal(pl_delete_read(msg_find(&inner, PL_DELETE)->body, &del), IKE_OK);
	r = rd_over(del.spis);
	assert_int_equal(rd_u32(&r), w.host[SERVER].ends[0].last.tunnel.spi_in);
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PEER_REFUSED);
	/* I <-- R  INFORMATIONAL { D(IKE) }                  I --> R  { } */
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_DELETE));
	m = peer_inner();
	script_sends(&w, &p, EXCH_INFORMATIONAL, 0, RESPONSE, &m);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 0);
	peer_clear(&p);
	at_rest(&w);
}

static void deletion_is_acknowledged_again_when_the_answer_was_lost(void **state)
{
	struct sim_datagram *first, *again;
	struct peer_message del;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 25, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	m = peer_inner();
	pl_delete_write(&m, PROTO_IKE, NULL, 0);
	peer_seal(&p, EXCH_INFORMATIONAL, 2, REQUEST, &m, &del);
	sim_inject(&w, CLIENT, 500, peer_span(&del));
	first = take(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PEER_REFUSED);
	sim_inject(&w, CLIENT, 500, peer_span(&del));
	again = take(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	assert_same_datagram(first, again);
	free(first);
	free(again);
	peer_clear(&p);
	at_rest(&w);
}

static void dead_peer_is_found_out(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 26, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms), IKE_OK);
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	sim_run_until(&w, w.now_ms + FOREVER_MS);
	assert_up(&w, CLIENT, sa);
	/* Now it is dead. */
	w.carry = drop;
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms), IKE_OK);
	sim_run_until(&w, w.now_ms + 30000);
	assert_closed(&w, CLIENT, sa, REASON_TIMEOUT);
	sim_clear(&w);
}

/* RFC 7296 2.21.3: whoever says this has ended the IKE SA, without a Delete. */
static void invalid_syntax_in_an_answer_is_the_end(void **state)
{
	static const struct {
		enum ike_err (*ask)(struct ike *ike, ike_handle sa, uint64_t now_ms);
		enum ike_exchange exchange;
	} cases[] = {
		{ ike_check_liveness, EXCH_INFORMATIONAL },
		{ ike_rekey_child, EXCH_CREATE_CHILD_SA },
		{ ike_rekey_ike, EXCH_CREATE_CHILD_SA },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_world w;
		struct sim_peer p;
		struct msg_wr m;
		ike_handle sa;

		sim_init(&w, 29 + i, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_comes_up(&w, &p);
		sa = w.host[SERVER].ends[0].sa;
		assert_int_equal(cases[i].ask(w.host[SERVER].ike, sa, w.now_ms), IKE_OK);
		sim_pump(&w);
		script_takes(&w, &p, cases[i].exchange, REQUEST, &plain, &inner);
		m = peer_inner();
		peer_write_notify(&m, N_INVALID_SYNTAX);
		script_sends(&w, &p, cases[i].exchange, 0, RESPONSE, &m);
		assert_closed(&w, SERVER, sa, REASON_PROTOCOL);
		assert_int_equal(ike_load(w.host[SERVER].ike).sas, 0);
		nothing_is_sent(&w);
		peer_clear(&p);
		at_rest(&w);
	}
}

/* The same from us: an answer that says so, and a tunnel that stays, would be two opinions of one IKE SA. */
static void rekeying_that_we_call_malformed_ends_the_sa(void **state)
{
	static const uint8_t mine[] = { 0xab, 0xcd, 0x12, 0x34 }, short_nonce[8];
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 33, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	m = peer_inner();
	pl_notify_write(&m, PROTO_ESP, span_of(mine, 4), N_REKEY_SA, span_of(NULL, 0));
	msg_payload_begin(&m, PL_NONCE);
	wr_bytes(&m.w, short_nonce, sizeof short_nonce);
	msg_payload_end(&m);
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0x5555, &w.host[CLIENT].addr, &w.host[SERVER].addr);
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PROTOCOL);
	peer_clear(&p);
	at_rest(&w);
}

/* RFC 7296 2.21.3: no error is sent about an answer; but the peer must not keep an SA that we have ended. */
static void answer_that_cannot_be_read_ends_in_a_delete(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	sim_init(&w, 34, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	sa = w.host[SERVER].ends[0].sa;
	assert_int_equal(ike_check_liveness(w.host[SERVER].ike, sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	/* R <-- I  an encrypted payload inside of another */
	m = peer_inner();
	pl_sk_write(&m, PL_NONE, 0);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 0, RESPONSE, &m);
	assert_closed(&w, SERVER, sa, REASON_PROTOCOL);
	/* R --> I  { D }, once, whatever is answered */
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_int_equal(inner.n, 1);
	assert_non_null(msg_find(&inner, PL_DELETE));
	m = peer_inner();
	pl_sk_write(&m, PL_NONE, 0);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 1, RESPONSE, &m);
	nothing_is_sent(&w);
	peer_clear(&p);
	w.carry = drop;
	at_rest(&w);
}

/* Answered with nothing, the peer would think that it was understood. */
static void delete_that_cannot_be_read_is_not_passed_over(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 35, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	m = peer_inner();
	msg_payload_begin(&m, PL_DELETE);
	wr_u8(&m.w, PROTO_ESP);
	wr_u8(&m.w, 4);
	wr_u16(&m.w, 2);            /* two SPIs, of which one follows */
	wr_u32(&m.w, 0xabcd1234);
	msg_payload_end(&m);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PROTOCOL);
	peer_clear(&p);
	at_rest(&w);
}

/* What a peer may mention of what we do not do (RFC 7296 1.3.1, 2.3, 2.22, 3.10.1; RFC 5685): nothing of it is answered, and nothing of it
 * is in what we agree on. */
static void offers_of_what_we_do_not_do_are_passed_over(void **state)
{
	static const uint16_t ours_none[] = { N_IPCOMP_SUPPORTED, N_ESP_TFC_PADDING_NOT_SUPPORTED, N_NON_FIRST_FRAGMENTS_ALSO,
					      N_SET_WINDOW_SIZE, N_HTTP_CERT_LOOKUP_SUPPORTED, N_REDIRECT_SUPPORTED };
	static const uint8_t window[] = { 0, 0, 0, 8 };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 36, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	m = auth_request(&w, &p);
	for (unsigned i = 0; i < sizeof ours_none / sizeof *ours_none; i++)
		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), ours_none[i], span_of(window, sizeof window));
	msg_payload_begin(&m, PL_CERTREQ);
	wr_u8(&m.w, 4);
	msg_payload_end(&m);
	msg_payload_begin(&m, PL_VENDOR);
	wr_bytes(&m.w, window, sizeof window);
	msg_payload_end(&m);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_SA));
	for (unsigned i = 0; i < sizeof ours_none / sizeof *ours_none; i++)
		assert_false(has_notify(&inner, ours_none[i]));
	assert_int_equal(w.host[SERVER].ends[0].ups, 1);
	/* R <-- I  two requests at once: the window of eight is what the peer lets us do, not what we let it do */
	m = peer_inner();
	script_sends(&w, &p, EXCH_INFORMATIONAL, 3, REQUEST, &m);
	nothing_is_sent(&w);
	m = peer_inner();
	peer_write_notify(&m, N_REDIRECT);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_int_equal(inner.n, 0);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	peer_clear(&p);
	sim_clear(&w);
}

/* Both close at the same moment: each answers the other. */
static void crossing_deletes_end_both(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 27, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_SHUTDOWN, w.now_ms), IKE_OK);
	assert_int_equal(
		ike_close(w.host[SERVER].ike, w.host[SERVER].ends[0].sa, REASON_SHUTDOWN, w.now_ms),
		IKE_OK);
	sim_pump(&w);
	assert_closed(&w, CLIENT, sa, REASON_SHUTDOWN);
	sim_run_until(&w, w.now_ms + 100);
	assert_int_equal(ike_load(w.host[CLIENT].ike).sas + ike_load(w.host[SERVER].ike).sas, 0);
	at_rest(&w);
}

/* A question is out when the SA is closed: the window is one, so the Delete waits for the
 * answer. */
static void delete_waits_for_the_window(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 28, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms), IKE_OK);
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_SHUTDOWN, w.now_ms), IKE_OK);
	sim_pump(&w);
	assert_closed(&w, CLIENT, sa, REASON_SHUTDOWN);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	assert_int_equal(ike_load(w.host[CLIENT].ike).sas, 0);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(liveness_is_answered_and_repeats_are_repeated),
		cmocka_unit_test(new_child_sas_are_refused),
		cmocka_unit_test(unknown_critical_payload_is_named_and_survived),
		cmocka_unit_test(authentic_nonsense_ends_the_sa),
		cmocka_unit_test(encrypted_payload_inside_of_another_is_malformed),
		cmocka_unit_test(deleted_child_takes_the_ike_sa_along),
		cmocka_unit_test(deletion_is_acknowledged_again_when_the_answer_was_lost),
		cmocka_unit_test(dead_peer_is_found_out),
		cmocka_unit_test(invalid_syntax_in_an_answer_is_the_end),
		cmocka_unit_test(rekeying_that_we_call_malformed_ends_the_sa),
		cmocka_unit_test(answer_that_cannot_be_read_ends_in_a_delete),
		cmocka_unit_test(delete_that_cannot_be_read_is_not_passed_over),
		cmocka_unit_test(offers_of_what_we_do_not_do_are_passed_over),
		cmocka_unit_test(crossing_deletes_end_both),
		cmocka_unit_test(delete_waits_for_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
