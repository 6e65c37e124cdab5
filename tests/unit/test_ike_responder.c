/* The responder in IKE_AUTH: who is let in, and what the others are told. */
#include "tests/unit/ladder.h"

static void name_asked_for_is_handed_on(void **state)
{
	char text[DNSNAME_TEXT_MAX];
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 10, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	assert_string_equal(dnsname_text(&w.host[SERVER].asked_name, text), script_asks_for);
	assert_int_equal(w.host[SERVER].ends[0].last.tunnel.spi_out, 0xabcd1234);
	peer_clear(&p);
	sim_run_until(&w, w.now_ms + 1000);
	assert_string_equal(w.broken, "");
	sim_clear(&w);
}

static void repeated_auth_is_signed_once_and_answered_alike(void **state)
{
	struct sim_datagram *first, *again;
	struct peer_message m;
	struct sim_world w;
	struct msg_wr inner;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 11, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[SERVER].decides_after_ms = 10;
	script_client_init(&w, &p, 0);
	inner = auth_request(&w, &p);
	peer_seal(&p, EXCH_IKE_AUTH, 1, REQUEST, &inner, &m);
	/* I --> R  IKE_AUTH, three times while R thinks; then once more */
	for (unsigned i = 0; i < 3; i++)
		sim_inject(&w, CLIENT, 500, peer_span(&m));
	nothing_is_sent(&w);
	wait_for_send(&w, 100);
	first = take(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	sim_inject(&w, CLIENT, 500, peer_span(&m));
	again = take(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_same_datagram(first, again);
	nothing_is_sent(&w);
	assert_int_equal(w.host[SERVER].asked_to_sign, 1);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	free(first);
	free(again);
	peer_clear(&p);
	assert_string_equal(w.broken, "");
	sim_clear(&w);
}

static void only_the_sender_of_init_is_let_in(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 12, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	/* Somebody in between has changed our IKE_SA_INIT: the AUTH is over another message than
	 * R has seen. */
	p.init_own.b[p.init_own.n - 1] ^= 1;
	m = auth_request(&w, &p);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_AUTHENTICATION_FAILED));
	assert_int_equal(inner.n, 1);
	assert_int_equal(w.host[SERVER].asked_to_authorize, 0);
	peer_clear(&p);
	at_rest(&w);
}

static void auth_from_an_address_that_never_answered_is_ignored(void **state)
{
	struct ip_addr own;
	struct sim_world w;
	struct sim_peer p;
	struct peer_message plain;
	struct msg_chain inner;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 25, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	own = w.host[CLIENT].addr;

	/* I --> R  IKE_AUTH, all of it as the pretended address would say it */
	assert_int_equal(ip_from_text("203.0.113.9", &w.host[CLIENT].addr), IKE_OK);
	m = auth_request(&w, &p);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	nothing_is_sent(&w);
	assert_int_equal(w.host[SERVER].n_ends, 0);

	/* I --> R  the same from where IKE_SA_INIT came from */
	w.host[CLIENT].addr = own;
	m = auth_request(&w, &p);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_int_equal(w.host[SERVER].ends[0].ups, 1);
	peer_clear(&p);
	at_rest(&w);
}

static void peer_with_a_key_of_its_own_is_refused(void **state)
{
	static const uint8_t mac[32] = { 1 };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 13, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	m = peer_inner();
	pl_id_write(&m, PL_IDI, ID_FQDN, span_of(script_asks_for, sizeof script_asks_for - 1));
	pl_auth_write(&m, AUTH_PSK, span_of(mac, sizeof mac));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &w.host[SERVER].addr);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_AUTHENTICATION_FAILED));
	peer_clear(&p);
	at_rest(&w);
}

/* RFC 7296 2.16: it leaves AUTH out. Told that its message is malformed, its owner would look for the fault in the wrong place. */
static void peer_that_wants_eap_is_not_authenticated(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 26, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	m = peer_inner();
	pl_id_write(&m, PL_IDI, ID_FQDN, span_of(script_asks_for, sizeof script_asks_for - 1));
	peer_write_notify(&m, N_EAP_ONLY_AUTHENTICATION);
	peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &w.host[SERVER].addr);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_AUTHENTICATION_FAILED));
	assert_int_equal(inner.n, 1);
	assert_int_equal(w.host[SERVER].asked_to_authorize + w.host[SERVER].asked_to_sign, 0);
	peer_clear(&p);
	at_rest(&w);
}

static void refused_peer_is_not_told_why(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 14, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[SERVER].refuses = REASON_LIMIT;
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "AUTHENTICATION_FAILED");
	assert_int_equal(w.host[SERVER].asked_to_sign, 0);
	assert_int_equal(w.host[SERVER].n_ends, 0);
	at_rest(&w);
}

/* RFC 7296 1.2: the peer learns who we are, and that there is no CHILD SA. */
static void unacceptable_child_leaves_the_proof(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	struct ip_addr other;

	(void)state;
	sim_init(&w, 15, IP_V4, NULL, NULL, KEY_ED25519, false);
	other = w.host[SERVER].addr;
	other.b[3]++;
	script_client_init(&w, &p, 0);
	m = peer_inner();
	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	peer_write_auth_null(&p, &m, ID_NULL, span_of(NULL, 0));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &other);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_TS_UNACCEPTABLE));
	assert_non_null(msg_find(&inner, PL_AUTH));
	assert_null(msg_find(&inner, PL_SA));
	assert_int_equal(w.host[SERVER].asked_to_authorize, 0);
	/* It deletes the rest, and hears that this was understood. */
	m = peer_inner();
	pl_delete_write(&m, PROTO_IKE, NULL, 0);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_int_equal(inner.n, 0);
	peer_clear(&p);
	at_rest(&w);
}

static void kernel_failure_refuses_the_child(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 16, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[SERVER].kernel_fails = 1;
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_failed(&w, CLIENT, sa, REASON_NO_PROPOSAL, "NO_PROPOSAL_CHOSEN");
	assert_failed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_KERNEL, "the kernel refused");
	at_rest(&w);
}

/* A client that does not announce SIGNATURE_HASH_ALGORITHMS, up to the answer to its IKE_AUTH. */
static void client_without_hash_list(struct sim_world *w, struct sim_peer *p, enum sim_key key, struct peer_message *plain,
				     struct msg_chain *inner)
{
	struct msg_wr m;

	sim_init(w, 17, IP_V4, NULL, NULL, key, false);
	sim_remove_host(w, CLIENT);
	peer_start(p, true, &w->rng);
	p->no_hashes = true;
	peer_init_request(p, span_of(NULL, 0));
	sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
	peer_take_init_answer(p, span_of(w->wire->b, w->wire->n));
	free(sim_take(w));
	m = auth_request(w, p);
	script_sends(w, p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(w, p, EXCH_IKE_AUTH, RESPONSE, plain, inner);
}

/* Method 14 must not be used towards such a peer (RFC 7427 4); a key that can sign in no other way refuses. */
static void peer_without_hash_list_is_refused_where_the_key_needs_one(void **state)
{
	static const enum sim_key keys[] = { KEY_ED25519, KEY_RSA2048 };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		client_without_hash_list(&w, &p, keys[i], &plain, &inner);
		assert_true(has_notify(&inner, N_AUTHENTICATION_FAILED));
		assert_failed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_NO_PROPOSAL,
			      "announces no hashes for signatures (RFC 7427)");
		peer_clear(&p);
		at_rest(&w);
	}
}

/* ... and ECDSA has a method of its own for it (RFC 4754). */
static void peer_without_hash_list_gets_ecdsa_by_its_own_method(void **state)
{
	static const enum sim_key p256[] = { KEY_P256 };
	struct peer_message plain;
	struct keyset *keys;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	uint8_t method;

	(void)state;
	client_without_hash_list(&w, &p, KEY_P256, &plain, &inner);
	keys = sim_keyset(p256, 1, &w.host[SERVER].addr);
	assert_true(peer_verifies(&p, &inner, keys, &method));
	assert_int_equal(method, AUTH_ECDSA_256);
	assert_int_equal(w.host[SERVER].ends[0].ups, 1);
	keyset_unref(keys);
	peer_clear(&p);
	at_rest(&w);
}

/* Somebody without a name says that it is the first of its kind: nobody else may suffer (RFC
 * 7619 2.3). */
static void initial_contact_of_a_stranger_deletes_nothing(void **state)
{
	struct sim_world w;
	ike_handle first, second;

	(void)state;
	sim_init(&w, 18, IP_V4, NULL, NULL, KEY_ED25519, false);
	first = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	second = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_int_equal(sim_end_of(&w, CLIENT, first)->ends + sim_end_of(&w, CLIENT, second)->ends,
			 0);
	assert_int_equal(sim_sas(&w, SERVER), 2);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_asked_for_is_handed_on),
		cmocka_unit_test(repeated_auth_is_signed_once_and_answered_alike),
		cmocka_unit_test(only_the_sender_of_init_is_let_in),
		cmocka_unit_test(auth_from_an_address_that_never_answered_is_ignored),
		cmocka_unit_test(peer_with_a_key_of_its_own_is_refused),
		cmocka_unit_test(peer_that_wants_eap_is_not_authenticated),
		cmocka_unit_test(refused_peer_is_not_told_why),
		cmocka_unit_test(unacceptable_child_leaves_the_proof),
		cmocka_unit_test(kernel_failure_refuses_the_child),
		cmocka_unit_test(peer_without_hash_list_is_refused_where_the_key_needs_one),
		cmocka_unit_test(peer_without_hash_list_gets_ecdsa_by_its_own_method),
		cmocka_unit_test(initial_contact_of_a_stranger_deletes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
