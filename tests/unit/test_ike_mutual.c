/* Mutual mode: the client says who it is and signs; the server asks what DNS publishes for that name. */
#include "tests/sim/kem_double.h"
#include "tests/unit/ladder.h"

static const char client_name[] = "client.example";

static struct ike_config named(void)
{
	struct ike_config config = { 0 };

	assert_int_equal(dnsname_from_text(client_name, &config.identity), IKE_OK);
	return config;
}

/* A client that has a name and a key; DNS knows known for it. */
static void world_of_names(struct sim_world *w, uint64_t seed, enum sim_key key, enum sim_key known)
{
	struct ike_config client = named();

	sim_init(w, seed, IP_V4, &client, NULL, KEY_ED25519, false);
	sim_identify(w, key, known);
}

static struct pl_id idi_of(const struct msg_chain *chain)
{
	struct pl_id id;

	assert_non_null(msg_find(chain, PL_IDI));
	assert_int_equal(pl_id_read(msg_find(chain, PL_IDI)->body, &id), IKE_OK);
	return id;
}

/* The client --------------------------------------------------------------------------------------------------------- */

static void client_gives_its_name_and_signs(void **state)
{
	static const enum sim_key keys[] = { KEY_ED25519_OTHER, KEY_P256, KEY_RSA2048 };
	char text[DNSNAME_TEXT_MAX];
	struct sim_world w;
	ike_handle sa;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof keys / sizeof *keys; i++) {
		world_of_names(&w, 1 + i, keys[i], keys[i]);
		sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
		sim_run_until(&w, w.now_ms + 100);
		assert_up(&w, CLIENT, sa);
		assert_int_equal(w.host[CLIENT].asked_to_sign, 1);
		assert_int_equal(w.host[SERVER].ends[0].ups, 1);
		assert_string_equal(dnsname_text(&w.host[SERVER].claimed, text), client_name);
		assert_string_equal(dnsname_text(&w.host[SERVER].ends[0].peer_name, text), client_name);
		assert_int_equal(w.host[SERVER].ends[0].last.tunnel.auth_method, AUTH_SIGNATURE);
		/* The client has asked the server's DNS nothing: who it talks to is a matter of the key set. */
		assert_int_equal(sim_end_of(&w, CLIENT, sa)->peer_name.n, 0);
		at_rest(&w);
	}
}

/* What the additional key exchange agrees on goes into what the client signs (RFC 9242 3.3.2). */
static void signature_covers_the_additional_key_exchange(void **state)
{
	struct ike_config client = named(), server = { .kem = &kem_double };
	struct sim_world w;
	ike_handle sa;

	(void)state;
	client.kem = &kem_double;
	sim_init(&w, 5, IP_V4, &client, &server, KEY_ED25519, false);
	sim_identify(&w, KEY_P256, KEY_P256);
	w.host[CLIENT].decides_after_ms = 20;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	sim_run_until(&w, w.now_ms + 200);
	assert_up(&w, CLIENT, sa);
	assert_int_not_equal(sim_end_of(&w, CLIENT, sa)->last.tunnel.ike_suite.addke1, 0);
	assert_int_equal(w.host[SERVER].ends[0].peer_name.n > 0, 1);
	at_rest(&w);
}

/* To have a name and a key is no reason to tell. */
static void client_says_nothing_unless_told_to(void **state)
{
	struct ike_config client = named();
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 10, IP_V4, &client, NULL, KEY_ED25519, false);
	script_server(&w, &p);
	assert_int_not_equal(sim_initiate(&w, published(&w), "host.example", LIFE_MS), 0);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_int_equal(idi_of(&inner).type, ID_NULL);
	assert_int_equal(w.host[CLIENT].asked_to_sign, 0);
	peer_clear(&p);
	at_rest(&w);
}

static void name_is_needed_to_give_it(void **state)
{
	struct sim_world w;

	(void)state;
	sim_init(&w, 11, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[CLIENT].identifies = true;
	assert_int_equal(sim_initiate(&w, published(&w), "host.example", LIFE_MS), 0);
	at_rest(&w);
}

static void nothing_is_sent_while_the_key_is_at_work(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	world_of_names(&w, 12, KEY_P256, KEY_P256);
	w.host[CLIENT].decides_after_ms = 50;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	nothing_is_sent(&w);
	/* The end may come while it signs: nobody knows us yet, nobody has to be told. */
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_SHUTDOWN, w.now_ms), IKE_OK);
	sim_pump(&w);
	nothing_is_sent(&w);
	sim_run_until(&w, w.now_ms + 100);
	assert_failed(&w, CLIENT, sa, REASON_SHUTDOWN, "");
	at_rest(&w);
}

static void client_that_cannot_sign_fails_and_does_not_become_anonymous(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	world_of_names(&w, 13, KEY_P256, KEY_P256);
	w.host[CLIENT].sign_fails = true;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_failed(&w, CLIENT, sa, REASON_INTERNAL, "signing with our key");
	assert_int_equal(w.host[SERVER].asked_to_authorize, 0);
	at_rest(&w);
}

static void host_that_takes_no_signature_of_our_kind_is_named(void **state)
{
	struct sim_world w;
	struct sim_peer p;
	ike_handle sa;

	(void)state;
	world_of_names(&w, 14, KEY_ED25519_OTHER, KEY_ED25519_OTHER);
	script_server(&w, &p);
	p.no_hashes = true;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	script_answers_init(&w, &p);
	assert_failed(&w, CLIENT, sa, REASON_NO_PROPOSAL, "announces no hashes for signatures (RFC 7427)");
	peer_clear(&p);
	at_rest(&w);
}

/* RFC 7427 4, RFC 4754 */
static void host_without_hash_list_gets_ecdsa_by_its_own_method(void **state)
{
	static const enum sim_key p256[] = { KEY_P256 };
	struct peer_message plain;
	struct keyset *keys;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	uint8_t method;

	(void)state;
	world_of_names(&w, 17, KEY_P256, KEY_P256);
	script_server(&w, &p);
	p.no_hashes = true;
	assert_int_not_equal(sim_initiate(&w, published(&w), "host.example", LIFE_MS), 0);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	keys = sim_keyset(p256, 1, &w.host[CLIENT].addr);
	assert_true(peer_verifies(&p, &inner, keys, &method));
	assert_int_equal(method, AUTH_ECDSA_256);
	keyset_unref(keys);
	peer_clear(&p);
	at_rest(&w);
}

/* Without IDr once more, but with our name again, and signed anew. */
static void second_try_without_idr_is_signed_too(void **state)
{
	struct peer_message plain;
	struct sim_peer first, second;
	struct msg_chain inner;
	struct sim_world w;
	struct msg_wr m;

	(void)state;
	world_of_names(&w, 15, KEY_P256, KEY_P256);
	script_server(&w, &first);
	assert_int_not_equal(sim_initiate(&w, published(&w), "host.example", LIFE_MS), 0);
	script_answers_init(&w, &first);
	script_takes(&w, &first, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	m = peer_inner();
	peer_write_notify(&m, N_AUTHENTICATION_FAILED);
	script_sends(&w, &first, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	peer_start(&second, false, &w.rng);
	script_answers_init(&w, &second);
	script_takes(&w, &second, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_null(msg_find(&inner, PL_IDR));
	assert_int_equal(idi_of(&inner).type, ID_FQDN);
	assert_int_equal(w.host[CLIENT].asked_to_sign, 2);
	peer_clear(&first);
	peer_clear(&second);
	at_rest(&w);
}

/* The host takes the one at its other address for something old, and ends it (RFC 7296 2.4): our name is the same for both. */
static void initial_contact_does_not_end_our_other_tunnel(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	ike_handle first;

	(void)state;
	world_of_names(&w, 16, KEY_P256, KEY_P256);
	first = bring_up(&w);
	sim_remove_host(&w, SERVER);
	assert_int_equal(ip_from_text("203.0.113.6", &w.host[SERVER].addr), IKE_OK);
	peer_start(&p, false, &w.rng);
	assert_int_not_equal(sim_initiate(&w, published(&w), "host.example", LIFE_MS), 0);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_int_equal(idi_of(&inner).type, ID_FQDN);
	assert_false(has_notify(&inner, N_INITIAL_CONTACT));
	peer_clear(&p);
	/* Once that tunnel has ended there is nothing that could be hurt. */
	assert_int_equal(ike_close(w.host[CLIENT].ike, first, REASON_SHUTDOWN, w.now_ms), IKE_OK);
	sim_pump(&w);
	while (w.wire)
		free(sim_take(&w));
	sim_run_until(&w, w.now_ms + FOREVER_MS);
	assert_int_not_equal(sim_initiate(&w, published(&w), "host.example", LIFE_MS), 0);
	peer_start(&p, false, &w.rng);
	script_answers_init(&w, &p);
	script_takes(&w, &p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_true(has_notify(&inner, N_INITIAL_CONTACT));
	peer_clear(&p);
	at_rest(&w);
}

/* The server --------------------------------------------------------------------------------------------------------- */

/* The client is refused, is not told why, and costs no signature. */
static void assert_turned_away(struct sim_world *w, ike_handle sa)
{
	assert_failed(w, CLIENT, sa, REASON_PEER_REFUSED, "AUTHENTICATION_FAILED");
	assert_int_equal(w->host[SERVER].asked_to_sign, 0);
	assert_int_equal(w->host[SERVER].n_ends, 0);
	assert_int_equal(sim_sas(w, SERVER), 0);
}

static void claim_with_another_key_is_refused(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	world_of_names(&w, 20, KEY_P256, KEY_ED25519_OTHER);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_turned_away(&w, sa);
	assert_int_equal(w.host[SERVER].asked_to_authorize, 1);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->auth_failed, 1);
	at_rest(&w);
}

/* Promise: who says a name comes in by that name's key, or not at all. */
static void unknown_name_is_not_taken_for_anonymous(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	world_of_names(&w, 21, KEY_P256, KEY_MAX);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_run_until(&w, w.now_ms + 100);
	assert_turned_away(&w, sa);
	at_rest(&w);
}

/* The layer above lets it in and has forgotten the keys: that is not a proof. */
static void claim_without_keys_is_no_proof(void **state)
{
	struct ike_output o;
	struct sim_world w;
	uint64_t id = 0;
	ike_handle sa;

	(void)state;
	world_of_names(&w, 22, KEY_P256, KEY_P256);
	w.host[SERVER].decides_after_ms = 1000;
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_run_until(&w, w.now_ms + 500);
	id = w.host[SERVER].pending[0].id;
	assert_int_equal(w.host[SERVER].pending[0].kind, OUT_AUTHORIZE);
	ike_authorized(w.host[SERVER].ike, id, REASON_NONE, "", NULL, KERNEL_REQID_BASE | 1, w.now_ms);
	assert_true(ike_next_output(w.host[SERVER].ike, &o));
	assert_int_equal(o.kind, OUT_SEND);
	assert_false(ike_next_output(w.host[SERVER].ike, &o));
	sim_run_until(&w, w.now_ms + LIFE_MS);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->ups, 0);
	assert_int_equal(w.host[SERVER].asked_to_sign, 0);
	at_rest(&w);
}

/* The client becomes a script, which has done IKE_SA_INIT with the server. */
static void script_client(struct sim_world *w, struct sim_peer *p, enum sim_key known)
{
	struct sim_datagram *d;

	sim_identify(w, KEY_P256, known);
	sim_remove_host(w, CLIENT);
	peer_start(p, true, &w->rng);
	peer_init_request(p, span_of(NULL, 0));
	sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
	d = take(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	peer_take_init_answer(p, span_of(d->b, d->n));
	free(d);
}

/* IKE_AUTH { IDi, AUTH for signed_name, N(USE_TRANSPORT_MODE), SA, TSi, TSr }; what comes back. */
static void script_claims(struct sim_world *w, struct sim_peer *p, uint8_t type, const char *name, const char *signed_name,
			  const struct ip_addr *tsi, struct peer_message *plain, struct msg_chain *inner)
{
	struct msg_wr m = peer_inner();

	pl_id_write(&m, PL_IDI, type, span_of(name, strlen(name)));
	peer_write_auth_signed(p, &m, w->host[CLIENT].key, type, span_of(signed_name, strlen(signed_name)));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0xabcd1234, tsi, &w->host[SERVER].addr);
	script_sends(w, p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(w, p, EXCH_IKE_AUTH, RESPONSE, plain, inner);
}

static void signature_for_another_name_is_refused(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 23, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client(&w, &p, KEY_P256);
	script_claims(&w, &p, ID_FQDN, "a.example", "b.example", &w.host[CLIENT].addr, &plain, &inner);
	assert_true(has_notify(&inner, N_AUTHENTICATION_FAILED));
	assert_int_equal(inner.n, 1);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	peer_clear(&p);
	at_rest(&w);
}

/* Of these DNS has nothing to say, so nobody asks it. */
static void only_a_domain_name_can_be_claimed(void **state)
{
	static const struct {
		uint8_t type;
		const char *value;
	} ids[] = {
		{ ID_IPV4_ADDR, "\xc0\x01\x02\x0a" }, { ID_RFC822_ADDR, "a@client.example" }, { ID_KEY_ID, "client.example" },
		{ ID_FQDN, "" }, { ID_FQDN, "a..example" }, { ID_NULL, "" },
	};
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof ids / sizeof *ids; i++) {
		sim_init(&w, 24 + i, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_client(&w, &p, KEY_P256);
		script_claims(&w, &p, ids[i].type, ids[i].value, ids[i].value, &w.host[CLIENT].addr, &plain, &inner);
		assert_true(has_notify(&inner, N_AUTHENTICATION_FAILED));
		assert_int_equal(w.host[SERVER].asked_to_authorize, 0);
		peer_clear(&p);
		at_rest(&w);
	}
}

/* RFC 7296 1.2, for a peer with a name: it must have proved it before it learns who we are. */
static void unacceptable_child_of_a_named_client(void **state)
{
	const struct ip_addr *wrong;
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		sim_init(&w, 40 + i, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_client(&w, &p, i == 0 ? KEY_P256 : KEY_ED25519_OTHER);
		wrong = &w.nat_addr;
		script_claims(&w, &p, ID_FQDN, client_name, client_name, wrong, &plain, &inner);
		assert_int_equal(has_notify(&inner, N_TS_UNACCEPTABLE), i == 0);
		assert_int_equal(has_notify(&inner, N_AUTHENTICATION_FAILED), i == 1);
		assert_int_equal(msg_find(&inner, PL_AUTH) != NULL, i == 0);
		assert_int_equal(w.host[SERVER].asked_to_authorize, 1);
		assert_int_equal(sim_sas(&w, SERVER), 0);
		peer_clear(&p);
		at_rest(&w);
	}
}

/* While DNS is asked the client repeats its request; that is one question and one answer. */
static void slow_dns_is_asked_once(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	world_of_names(&w, 50, KEY_P256, KEY_P256);
	w.host[SERVER].decides_after_ms = 900;
	sa = sim_initiate(&w, published(&w), NULL, 10000);
	sim_run_until(&w, w.now_ms + 9000);
	assert_up(&w, CLIENT, sa);
	assert_int_equal(w.host[SERVER].asked_to_authorize, 1);
	assert_int_equal(w.host[SERVER].asked_to_sign, 1);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_gives_its_name_and_signs),
		cmocka_unit_test(signature_covers_the_additional_key_exchange),
		cmocka_unit_test(client_says_nothing_unless_told_to),
		cmocka_unit_test(name_is_needed_to_give_it),
		cmocka_unit_test(nothing_is_sent_while_the_key_is_at_work),
		cmocka_unit_test(client_that_cannot_sign_fails_and_does_not_become_anonymous),
		cmocka_unit_test(host_that_takes_no_signature_of_our_kind_is_named),
		cmocka_unit_test(host_without_hash_list_gets_ecdsa_by_its_own_method),
		cmocka_unit_test(second_try_without_idr_is_signed_too),
		cmocka_unit_test(initial_contact_does_not_end_our_other_tunnel),
		cmocka_unit_test(claim_with_another_key_is_refused),
		cmocka_unit_test(unknown_name_is_not_taken_for_anonymous),
		cmocka_unit_test(claim_without_keys_is_no_proof),
		cmocka_unit_test(signature_for_another_name_is_refused),
		cmocka_unit_test(only_a_domain_name_can_be_claimed),
		cmocka_unit_test(unacceptable_child_of_a_named_client),
		cmocka_unit_test(slow_dns_is_asked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
