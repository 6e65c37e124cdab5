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
		cmocka_unit_test(crossing_deletes_end_both),
		cmocka_unit_test(delete_waits_for_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
