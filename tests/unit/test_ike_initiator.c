/* The initiator from IKE_AUTH on: what a host can do to an attempt of ours, and how it ends. */
#include "tests/unit/ladder.h"

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

static void eap_asked(struct sim_world *w, struct msg_wr *m)
{
	(void)w;
	msg_payload_begin(m, PL_EAP);
	wr_u32(&m->w, 0x01000005);          /* Request, Identity */
	wr_u8(&m->w, 1);
	msg_payload_end(m);
}

static void sent_elsewhere(struct sim_world *w, struct msg_wr *m)
{
	(void)w;
	peer_write_notify(m, N_REDIRECT);
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
		{ eap_asked, REASON_PROTOCOL, "wants us to authenticate by EAP", 0 },
		{ sent_elsewhere, REASON_PROTOCOL, "without a CHILD SA", 0 },   /* RFC 5685 5, unasked */
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
