/* IKE_INTERMEDIATE with a peer that says what it wants, in both roles; the double of ML-KEM-768 in place of the mathematics. */
#include "tests/sim/kem_double.h"
#include "tests/unit/ladder.h"

static const struct ike_config hybrid = { .kem = &kem_double },
			       in_one_piece = { .kem = &kem_double, .fragment_max = 4000 };
static const char asked[] = "host.example";

/* A scripted client ---------------------------------------------------------------------------- */

static struct msg_wr ke_payload(uint16_t group, struct span value)
{
	struct msg_wr m = peer_inner();

	pl_ke_write(&m, group, value);
	return m;
}

/* IKE_INTERMEDIATE { KE }, which fails. */
static void is_refused(struct sim_world *w, struct sim_peer *p, struct msg_wr *m)
{
	struct peer_message text;
	struct msg_chain inner;

	script_sends(w, p, EXCH_IKE_INTERMEDIATE, 1, REQUEST, m);
	script_takes(w, p, EXCH_IKE_INTERMEDIATE, RESPONSE, &text, &inner);
	assert_int_equal(inner.n, 1);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	assert_int_equal(w->host[SERVER].asked_to_authorize, 0);
	peer_clear(p);
	at_rest(w);
}

static void public_key_must_be_one(void **state)
{
	static const struct { uint16_t group; size_t n; uint8_t fill; } bad[] = {
		{ GROUP_MLKEM_768, KEM_PUBLIC_LEN - 1, 1 }, { GROUP_MLKEM_768, KEM_PUBLIC_LEN + 1, 1 },
		{ GROUP_MLKEM_768, 1, 1 }, { GROUP_MLKEM_768, KEM_CIPHERTEXT_LEN, 1 },
		{ GROUP_MLKEM_768, KEM_PUBLIC_LEN, 0xff },      /* a coefficient that is too large: FIPS 203 7.2 */
		{ GROUP_X25519, KEM_PUBLIC_LEN, 1 }, { 37, KEM_PUBLIC_LEN, 1 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t value[KEM_PUBLIC_LEN + 1];
		struct sim_world w;
		struct sim_peer p;
		struct msg_wr m;

		memset(value, bad[i].fill, sizeof value);
		sim_init(&w, 20 + i, IP_V4, NULL, &hybrid, KEY_ED25519, false);
		script_client_init(&w, &p, GROUP_MLKEM_768);
		m = ke_payload(bad[i].group, span_of(value, bad[i].n));
		is_refused(&w, &p, &m);
	}
}

static void request_needs_one_ke(void **state)
{
	struct kem_key *key;
	uint8_t value[KEM_PUBLIC_LEN];

	(void)state;
	for (unsigned copies = 0; copies < 3; copies += 2) {
		struct sim_world w;
		struct sim_peer p;
		struct msg_wr m;

		sim_init(&w, 30, IP_V4, NULL, &hybrid, KEY_ED25519, false);
		script_client_init(&w, &p, GROUP_MLKEM_768);
		assert_int_equal(kem_double.key_new(&w.rng, value, &key), IKE_OK);
		m = peer_inner();
		for (unsigned i = 0; i < copies; i++)
			pl_ke_write(&m, GROUP_MLKEM_768, span_of(value, sizeof value));
		is_refused(&w, &p, &m);
		kem_double.key_free(key);
	}
}

static void intermediate_that_was_not_agreed_on_is_refused(void **state)
{
	uint8_t value[KEM_PUBLIC_LEN] = { 1 };
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 31, IP_V4, NULL, &hybrid, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	m = ke_payload(GROUP_MLKEM_768, span_of(value, sizeof value));
	is_refused(&w, &p, &m);
}

static void auth_without_intermediate_is_refused(void **state)
{
	struct peer_message text;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 32, IP_V4, NULL, &hybrid, KEY_ED25519, false);
	script_client_init(&w, &p, GROUP_MLKEM_768);
	m = auth_request(&w, &p);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &text, &inner);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	assert_int_equal(w.host[SERVER].asked_to_authorize, 0);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	peer_clear(&p);
	at_rest(&w);
}

/* The client's half of the exchange, all of it right. The server's answer must come in one piece. */
static void script_exchanges_keys(struct sim_world *w, struct sim_peer *p)
{
	uint8_t value[KEM_PUBLIC_LEN];
	struct secret shared = { 0 };
	struct peer_message text;
	struct kem_key *key;
	struct msg_chain inner;
	struct pl_ke ke;
	struct msg_wr m;

	assert_int_equal(kem_double.key_new(&w->rng, value, &key), IKE_OK);
	m = ke_payload(GROUP_MLKEM_768, span_of(value, sizeof value));
	peer_covers(p, REQUEST, m.first, wr_span(&m.w));
	script_sends(w, p, EXCH_IKE_INTERMEDIATE, 1, REQUEST, &m);
	script_takes(w, p, EXCH_IKE_INTERMEDIATE, RESPONSE, &text, &inner);
	assert_int_equal(inner.n, 1);
	assert_int_equal(pl_ke_read(msg_find(&inner, PL_KE)->body, &ke), IKE_OK);
	assert_int_equal(ke.group, GROUP_MLKEM_768);
	m = ke_payload(ke.group, ke.public_value);
	peer_covers(p, RESPONSE, m.first, wr_span(&m.w));
	assert_int_equal(kem_double.decapsulate(key, ke.public_value, &shared), IKE_OK);
	peer_more_keys(p, &shared);
	kem_double.key_free(key);
}

static void client_proves_what_it_sent_and_got(void **state)
{
	(void)state;
	/* The last one is right; each other lacks something, or has other octets. */
	for (unsigned i = 0; i < 5; i++) {
		struct peer_message text;
		struct msg_chain inner;
		struct sim_world w;
		struct sim_peer p;
		struct msg_wr m;

		sim_init(&w, 33, IP_V4, NULL, &in_one_piece, KEY_ED25519, false);
		script_client_init(&w, &p, GROUP_MLKEM_768);
		script_exchanges_keys(&w, &p);
		if (i == 0)
			p.int_auth_n = 0;
		else if (i == 1)
			p.int_auth[0] ^= 1;
		else if (i == 2)
			p.int_auth[32] ^= 1;
		else if (i == 3)
			p.int_auth[p.int_auth_n - 1] ^= 1;
		m = auth_request(&w, &p);
		script_sends(&w, &p, EXCH_IKE_AUTH, 2, REQUEST, &m);
		script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &text, &inner);
		assert_int_equal(has_notify(&inner, N_AUTHENTICATION_FAILED), i < 4);
		assert_int_equal(msg_find(&inner, PL_SA) != NULL, i == 4);
		assert_int_equal(sim_sas(&w, SERVER), i == 4);
		peer_clear(&p);
		if (i < 4)
			at_rest(&w);
		else
			sim_clear(&w);
	}
}

/* Otherwise IKE_AUTH could come from there too, and the policies would be for an address that the peer only pretends to
 * have. */
static void intermediate_from_another_address_is_ignored(void **state)
{
	uint8_t value[KEM_PUBLIC_LEN] = { 1 };
	struct sim_world w;
	struct sim_peer p;
	struct ip_addr own;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 35, IP_V4, NULL, &in_one_piece, KEY_ED25519, false);
	script_client_init(&w, &p, GROUP_MLKEM_768);
	own = w.host[CLIENT].addr;
	w.host[CLIENT].addr.b[3] ^= 1;
	m = ke_payload(GROUP_MLKEM_768, span_of(value, sizeof value));
	script_sends(&w, &p, EXCH_IKE_INTERMEDIATE, 1, REQUEST, &m);
	nothing_is_sent(&w);
	/* I --> R  from where IKE_SA_INIT came from */
	w.host[CLIENT].addr = own;
	script_exchanges_keys(&w, &p);
	/* I --> R  and IKE_AUTH from elsewhere is ignored as ever */
	w.host[CLIENT].addr.b[3] ^= 1;
	m = auth_request(&w, &p);
	script_sends(&w, &p, EXCH_IKE_AUTH, 2, REQUEST, &m);
	nothing_is_sent(&w);
	assert_int_equal(w.host[SERVER].asked_to_authorize, 0);
	w.host[CLIENT].addr = own;
	peer_clear(&p);
	at_rest(&w);
}

static void second_intermediate_is_refused(void **state)
{
	uint8_t value[KEM_PUBLIC_LEN] = { 1 };
	struct peer_message text;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 34, IP_V4, NULL, &in_one_piece, KEY_ED25519, false);
	script_client_init(&w, &p, GROUP_MLKEM_768);
	script_exchanges_keys(&w, &p);
	m = ke_payload(GROUP_MLKEM_768, span_of(value, sizeof value));
	script_sends(&w, &p, EXCH_IKE_INTERMEDIATE, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_INTERMEDIATE, RESPONSE, &text, &inner);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	peer_clear(&p);
	at_rest(&w);
}

/* A scripted host ------------------------------------------------------------------------------ */

/* Up to the client's public key, which is in value then. */
static ike_handle script_gets_public_key(struct sim_world *w, struct sim_peer *p, const char *name,
					 uint8_t value[KEM_PUBLIC_LEN])
{
	struct peer_message text;
	struct msg_chain inner;
	struct pl_ke ke;
	struct msg_wr m;
	ike_handle sa;

	script_server(w, p);
	p->suite.addke1 = GROUP_MLKEM_768;
	sa = sim_initiate(w, published(w), name, LIFE_MS);
	script_answers_init(w, p);
	script_takes(w, p, EXCH_IKE_INTERMEDIATE, REQUEST, &text, &inner);
	assert_int_equal(inner.n, 1);
	assert_int_equal(pl_ke_read(msg_find(&inner, PL_KE)->body, &ke), IKE_OK);
	assert_int_equal(ke.group, GROUP_MLKEM_768);
	assert_int_equal(ke.public_value.n, KEM_PUBLIC_LEN);
	memcpy(value, ke.public_value.p, KEM_PUBLIC_LEN);
	m = ke_payload(ke.group, ke.public_value);
	peer_covers(p, REQUEST, m.first, wr_span(&m.w));
	return sa;
}

static void ciphertext_must_be_one(void **state)
{
	static const struct { uint16_t group; size_t n; } bad[] = {
		{ GROUP_MLKEM_768, KEM_CIPHERTEXT_LEN - 1 }, { GROUP_MLKEM_768, KEM_CIPHERTEXT_LEN + 1 },
		{ GROUP_MLKEM_768, KEM_PUBLIC_LEN }, { 35, KEM_CIPHERTEXT_LEN },
	};
	static const uint8_t ciphertext[KEM_PUBLIC_LEN];

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t value[KEM_PUBLIC_LEN];
		struct sim_world w;
		struct sim_peer p;
		struct msg_wr m;
		ike_handle sa;

		sim_init(&w, 40 + i, IP_V4, &in_one_piece, NULL, KEY_ED25519, false);
		sa = script_gets_public_key(&w, &p, NULL, value);
		m = ke_payload(bad[i].group, span_of(ciphertext, bad[i].n));
		script_sends(&w, &p, EXCH_IKE_INTERMEDIATE, 1, RESPONSE, &m);
		assert_failed(&w, CLIENT, sa, REASON_PROTOCOL, "IKE_INTERMEDIATE");
		peer_clear(&p);
		at_rest(&w);
	}
}

static void refusal_ends_the_attempt(void **state)
{
	uint8_t value[KEM_PUBLIC_LEN];
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	sim_init(&w, 50, IP_V4, &in_one_piece, NULL, KEY_ED25519, false);
	sa = script_gets_public_key(&w, &p, asked, value);
	m = peer_inner();
	peer_write_notify(&m, N_INVALID_SYNTAX);
	script_sends(&w, &p, EXCH_IKE_INTERMEDIATE, 1, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "INVALID_SYNTAX to IKE_INTERMEDIATE");
	peer_clear(&p);
	at_rest(&w);
}

/* Up to the client's IKE_AUTH request, which must open with the new keys. */
static ike_handle script_gets_auth(struct sim_world *w, struct sim_peer *p, const char *name)
{
	uint8_t value[KEM_PUBLIC_LEN], ciphertext[KEM_CIPHERTEXT_LEN];
	struct secret shared = { 0 };
	struct peer_message text;
	struct msg_chain inner;
	struct msg_wr m;
	ike_handle sa = script_gets_public_key(w, p, name, value);

	assert_int_equal(kem_double.encapsulate(&w->rng, span_of(value, sizeof value), ciphertext, &shared), IKE_OK);
	m = ke_payload(GROUP_MLKEM_768, span_of(ciphertext, sizeof ciphertext));
	peer_covers(p, RESPONSE, m.first, wr_span(&m.w));
	script_sends(w, p, EXCH_IKE_INTERMEDIATE, 1, RESPONSE, &m);
	peer_more_keys(p, &shared);
	script_takes(w, p, EXCH_IKE_AUTH, REQUEST, &text, &inner);
	return sa;
}

static void host_proves_what_it_sent_and_got(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct sim_world w;
		struct sim_peer p;
		struct msg_wr m;
		ike_handle sa;

		sim_init(&w, 51, IP_V4, &in_one_piece, NULL, KEY_ED25519, false);
		sa = script_gets_auth(&w, &p, NULL);
		if (i == 0)
			p.int_auth_n = 0;
		else if (i < 3)
			p.int_auth[i == 1 ? 0 : 32] ^= 1;
		m = peer_inner();
		pl_id_write(&m, PL_IDR, ID_FQDN, span_of(asked, sizeof asked - 1));
		peer_write_auth_signed(&p, &m, w.host[SERVER].key, ID_FQDN, span_of(asked, sizeof asked - 1));
		peer_write_notify(&m, N_USE_TRANSPORT_MODE);
		peer_write_child(&m, 0xabcd1234, &w.host[CLIENT].addr, &w.host[SERVER].addr);
		script_sends(&w, &p, EXCH_IKE_AUTH, 2, RESPONSE, &m);
		if (i == 3)
			assert_up(&w, CLIENT, sa);
		else
			assert_failed(&w, CLIENT, sa, REASON_AUTH_FAILED, "does not verify");
		peer_clear(&p);
		if (i == 3)
			sim_clear(&w);
		else
			at_rest(&w);
	}
}

/* A host that does not know the name that it is asked for: all starts anew, and nothing of the first time is left. */
static void second_start_without_a_name_is_hybrid_too(void **state)
{
	struct sim_datagram *d;
	struct msg_chain chain;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	sim_init(&w, 52, IP_V4, &in_one_piece, NULL, KEY_ED25519, false);
	sa = script_gets_auth(&w, &p, asked);
	m = peer_inner();
	peer_write_notify(&m, N_AUTHENTICATION_FAILED);
	script_sends(&w, &p, EXCH_IKE_AUTH, 2, RESPONSE, &m);
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	assert_int_equal(msg_chain_read(header_of(d).next_payload, span_of(d->b + IKE_HDR_LEN, d->n - IKE_HDR_LEN), &chain),
			 IKE_OK);
	assert_true(has_notify(&chain, N_INTERMEDIATE_EXCHANGE_SUPPORTED));
	free(d);
	peer_clear(&p);
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_NONE, w.now_ms), IKE_OK);
	sim_pump(&w);
	at_rest(&w);
}

/* INVALID_KE_PAYLOAD: the first proposal is hybrid again, with that group. */
static void another_group_keeps_the_offer(void **state)
{
	static const uint8_t group[] = { 0, GROUP_ECP_256 };
	struct peer_message notify;
	struct pl_sa_reader sa;
	struct pl_proposal first;
	struct sim_datagram *d;
	struct msg_chain chain;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 53, IP_V4, &hybrid, NULL, KEY_ED25519, false);
	script_server(&w, &p);
	(void)sim_initiate(&w, published(&w), NULL, LIFE_MS);
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	peer_init_notify(span_of(d->b, d->n), N_INVALID_KE_PAYLOAD, span_of(group, 2), &notify);
	free(d);
	sim_inject(&w, SERVER, 500, peer_span(&notify));
	d = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	assert_int_equal(msg_chain_read(header_of(d).next_payload, span_of(d->b + IKE_HDR_LEN, d->n - IKE_HDR_LEN), &chain),
			 IKE_OK);
	sa = pl_sa_read(msg_find(&chain, PL_SA)->body);
	assert_int_equal(pl_sa_next(&sa, &first), IKE_OK);
	assert_int_equal(first.transform[first.n - 1].type, TT_ADDKE1);
	assert_int_equal(first.transform[first.n - 2].id, GROUP_ECP_256);
	assert_int_not_equal(first.transform[first.n - 3].type, TT_KE);
	free(d);
	peer_clear(&p);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_key_must_be_one),
		cmocka_unit_test(request_needs_one_ke),
		cmocka_unit_test(intermediate_that_was_not_agreed_on_is_refused),
		cmocka_unit_test(auth_without_intermediate_is_refused),
		cmocka_unit_test(client_proves_what_it_sent_and_got),
		cmocka_unit_test(intermediate_from_another_address_is_ignored),
		cmocka_unit_test(second_intermediate_is_refused),
		cmocka_unit_test(ciphertext_must_be_one),
		cmocka_unit_test(refusal_ends_the_attempt),
		cmocka_unit_test(host_proves_what_it_sent_and_got),
		cmocka_unit_test(second_start_without_a_name_is_hybrid_too),
		cmocka_unit_test(another_group_keeps_the_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
