/* The responder: what strangers can do to a host that answers anybody. */
#include "tests/unit/ladder.h"

/* Limits --------------------------------------------------------------------------------------- */

static void send_init(struct sim_world *w, struct sim_peer *p)
{
	peer_start(p, true, &w->rng);
	peer_init_request(p, span_of(NULL, 0));
	sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
	peer_clear(p);
}

/* The same, and again with the cookie that is demanded. False: none was. */
static bool sends_init_with_cookie(struct sim_world *w, struct sim_peer *p)
{
	struct sim_datagram *d;
	struct pl_notify cookie;
	struct msg_chain chain;
	bool demanded = false;

	peer_start(p, true, &w->rng);
	peer_init_request(p, span_of(NULL, 0));
	sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
	d = take(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	assert_int_equal(msg_chain_read(header_of(d).next_payload, span_of(d->b + IKE_HDR_LEN, d->n - IKE_HDR_LEN), &chain), IKE_OK);
	if (pl_notify_find(&chain, N_COOKIE, &cookie)) {
		demanded = true;
		peer_init_request(p, cookie.value);
		sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
		if (w->wire)
			free(take(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE));
	}
	free(d);
	peer_clear(p);
	return demanded;
}

static void half_open_peers_are_bounded_and_forgotten(void **state)
{
	struct ike_config config = { .cookie_threshold = 100 };
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 1, IP_V4, NULL, &config, KEY_ED25519, false);
	sim_remove_host(&w, CLIENT);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(sends_init_with_cookie(&w, &p), i >= 8);
	assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 8);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->half_open_pushed_out_by_source, 4);
	sim_run_until(&w, w.now_ms + 30000);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 0);
	/* They made no event: nobody was let in. */
	assert_int_equal(w.host[SERVER].n_ends, 0);
	at_rest(&w);
}

/* Somebody who never finishes, from many addresses, and one who does. */
static void peers_that_never_finish_keep_nobody_out(void **state)
{
	struct ike_config config = { .half_open_max = 4, .cookie_threshold = 100 };
	struct ip_addr own;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 26, IP_V4, NULL, &config, KEY_ED25519, false);
	own = w.host[CLIENT].addr;
	sim_remove_host(&w, CLIENT);
	for (unsigned i = 0; i < 20; i++) {
		w.host[CLIENT].addr.b[3] = (uint8_t)(100 + i);
		send_init(&w, &p);
		if (w.wire)
			free(sim_take(&w));
	}
	assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 4);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->dropped_limit, 16);
	sim_run_until(&w, w.now_ms + 2000);
	w.host[CLIENT].addr = own;
	script_comes_up(&w, &p);
	assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 3);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->dropped_limit, 16);
	peer_clear(&p);
	sim_clear(&w);
}

/* More honest peers at once than there are places: those that were answered are not forgotten for those that come. */
static void crowd_does_not_push_out_its_first(void **state)
{
	struct ike_config config = { .half_open_max = 4, .cookie_threshold = 100 };
	struct sim_peer first, p;
	struct ip_addr own;
	struct sim_world w;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 28, IP_V4, NULL, &config, KEY_ED25519, false);
	script_client_init(&w, &first, 0);
	own = w.host[CLIENT].addr;
	for (unsigned i = 0; i < 12; i++) {
		w.host[CLIENT].addr.b[3] = (uint8_t)(100 + i);
		send_init(&w, &p);
		if (w.wire)
			free(sim_take(&w));
	}
	w.host[CLIENT].addr = own;
	m = auth_request(&w, &first);
	script_sends(&w, &first, EXCH_IKE_AUTH, 1, REQUEST, &m);
	free(take(&w, SERVER, EXCH_IKE_AUTH, RESPONSE));
	assert_int_equal(w.host[SERVER].ends[0].ups, 1);
	peer_clear(&first);
	sim_clear(&w);
}

/* It is its own places that a source takes, though there is room: an IPv4 address, and in IPv6 a /64, whose addresses cost nothing. */
static void source_that_never_finishes_takes_its_own_places(void **state)
{
	static const struct { enum ip_family family; unsigned other, changes; uint64_t pushed_out; } cases[] = {
		/* bytes of the address; of a /64 none goes so soon: it may be a crowd */
		{ IP_V4, 3, 3, 12 }, { IP_V6, 7, 15, 0 },
	};
	struct ike_config config = { .cookie_threshold = 100, .half_open_per_source = 8 };
	struct sim_peer other, p;
	struct ip_addr own;
	struct sim_world w;
	struct msg_wr m;

	(void)state;
	for (unsigned c = 0; c < 2; c++) {
		sim_init(&w, 27 + c, cases[c].family, NULL, &config, KEY_ED25519, false);
		script_client_init(&w, &other, 0);
		own = w.host[CLIENT].addr;
		w.host[CLIENT].addr.b[cases[c].other]++;
		for (unsigned i = 0; i < 20; i++) {
			if (cases[c].family == IP_V6)
				w.host[CLIENT].addr.b[cases[c].changes] = (uint8_t)(100 + i);
			(void)sends_init_with_cookie(&w, &p);
		}
		assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 9);
		assert_int_equal(ike_stats(w.host[SERVER].ike)->half_open_pushed_out_by_source, cases[c].pushed_out);
		assert_int_equal(ike_stats(w.host[SERVER].ike)->dropped_per_source, 12 - cases[c].pushed_out);
		w.host[CLIENT].addr = own;
		m = auth_request(&w, &other);
		script_sends(&w, &other, EXCH_IKE_AUTH, 1, REQUEST, &m);
		free(take(&w, SERVER, EXCH_IKE_AUTH, RESPONSE));
		assert_int_equal(w.host[SERVER].ends[0].ups, 1);
		/* Two seconds are enough for a crowd. */
		sim_run_until(&w, w.now_ms + 2000);
		w.host[CLIENT].addr.b[cases[c].other]++;
		assert_true(sends_init_with_cookie(&w, &p));
		assert_int_equal(ike_stats(w.host[SERVER].ike)->half_open_pushed_out_by_source, cases[c].pushed_out + 1);
		peer_clear(&other);
		sim_clear(&w);
	}
}

/* Who only pretends to be at an address must not push out the one who is: found when eight forged requests in each round trip, fewer
 * than it takes for cookies to be demanded, kept a client out. */
static void forged_source_pushes_nobody_out(void **state)
{
	struct ike_config config = { .cookie_threshold = 100 };
	struct sim_peer victim, p;
	struct sim_world w;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 29, IP_V4, NULL, &config, KEY_ED25519, false);
	script_client_init(&w, &victim, 0);
	for (unsigned i = 0; i < 50; i++) {
		send_init(&w, &p);              /* and never sees the answer */
		free(sim_take(&w));
	}
	assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 8);
	m = auth_request(&w, &victim);
	script_sends(&w, &victim, EXCH_IKE_AUTH, 1, REQUEST, &m);
	free(take(&w, SERVER, EXCH_IKE_AUTH, RESPONSE));
	assert_int_equal(w.host[SERVER].ends[0].ups, 1);
	/* And one who comes now has a place, since he can show the cookie. */
	send_init(&w, &p);
	free(sim_take(&w));
	assert_true(sends_init_with_cookie(&w, &p));
	assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 8);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->half_open_pushed_out_by_source, 1);
	peer_clear(&victim);
	sim_clear(&w);
}

static void many_half_open_peers_make_it_ask_for_cookies(void **state)
{
	struct ike_config config = { .cookie_threshold = 4 };
	struct sim_datagram *d;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 2, IP_V4, NULL, &config, KEY_ED25519, false);
	sim_remove_host(&w, CLIENT);
	for (unsigned i = 0; i < 4; i++) {
		send_init(&w, &p);
		assert_int_equal(header_of(w.wire).next_payload, PL_SA);
		free(sim_take(&w));
	}
	send_init(&w, &p);
	d = take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	assert_int_equal(header_of(d).next_payload, PL_NOTIFY);
	free(d);
	assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 4);
	at_rest(&w);
}

static void cookie_of_another_request_is_refused(void **state)
{
	struct ike_config config = { .always_cookie = true };
	static const uint8_t wrong[33] = { 1 };
	struct sim_datagram *d;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 3, IP_V4, NULL, &config, KEY_ED25519, false);
	sim_remove_host(&w, CLIENT);
	peer_start(&p, true, &w.rng);
	peer_init_request(&p, span_of(wrong, sizeof wrong));
	sim_inject(&w, CLIENT, 500, peer_span(&p.init_own));
	d = take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	assert_int_equal(header_of(d).next_payload, PL_NOTIFY);
	free(d);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 0);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->cookies_wrong, 1);
	peer_clear(&p);
	at_rest(&w);
}

static void repeated_init_gets_the_same_answer(void **state)
{
	struct sim_datagram *first, *again;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 4, IP_V4, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(&w, CLIENT);
	peer_start(&p, true, &w.rng);
	peer_init_request(&p, span_of(NULL, 0));
	sim_inject(&w, CLIENT, 500, peer_span(&p.init_own));
	first = take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	sim_inject(&w, CLIENT, 500, peer_span(&p.init_own));
	again = take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	assert_same_datagram(first, again);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 1);
	free(first);
	free(again);
	peer_clear(&p);
	at_rest(&w);
}

static void higher_version_is_answered_but_not_without_end(void **state)
{
	struct sim_world w;
	struct sim_peer p;
	unsigned answered = 0;

	(void)state;
	sim_init(&w, 5, IP_V4, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(&w, CLIENT);
	peer_start(&p, true, &w.rng);
	peer_init_request(&p, span_of(NULL, 0));
	p.init_own.b[17] = 0x30;
	for (unsigned i = 0; i < 1000; i++) {
		struct sim_datagram *d;

		sim_inject(&w, CLIENT, 500, peer_span(&p.init_own));
		d = sim_take(&w);
		answered += d != NULL;
		if (d)
			assert_int_equal(header_of(d).major, 2);
		free(d);
	}
	assert_in_range(answered, 1, 20);
	peer_clear(&p);
	at_rest(&w);
}

static void host_without_a_key_is_silent(void **state)
{
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 6, IP_V4, NULL, NULL, KEY_ED25519, false);
	peer_start(&p, false, &w.rng);
	p.initiator = true;
	peer_init_request(&p, span_of(NULL, 0));
	/* To the client, which was not configured to respond. */
	sim_remove_host(&w, SERVER);
	sim_inject(&w, SERVER, 500, peer_span(&p.init_own));
	nothing_is_sent(&w);
	peer_clear(&p);
	at_rest(&w);
}

/* IKE_AUTH ------------------------------------------------------------------------------------- */

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

/* Up ------------------------------------------------------------------------------------------- */

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

static void drop(struct sim_world *w, struct sim_datagram *d, void *arg)
{
	(void)w;
	(void)arg;
	free(d);
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

/* NAT ----------------------------------------------------------------------------------------- */

static void bring_up_behind_nat(struct sim_world *w)
{
	sim_init(w, 60, IP_V4, NULL, NULL, KEY_ED25519, false);
	w->nat = true;
	(void)bring_up(w);
}

/* The client asks whether R lives, through a NAT that has forgotten it: from another port, or another address. */
static void ask_from(struct sim_world *w, uint16_t port, uint8_t last)
{
	ike_handle sa = w->host[CLIENT].ends[0].last.tunnel.sa;

	w->nat_port = port;
	w->nat_addr.b[3] = last;
	assert_int_equal(ike_check_liveness(w->host[CLIENT].ike, sa, w->now_ms), IKE_OK);
	sim_pump(w);
	arrives(w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
}

static void peer_whose_nat_has_changed_is_told_to_come_again(void **state)
{
	static const struct {
		uint16_t port;
		uint8_t last;
	} cases[] = { { 30000, 77 }, { 20000, 78 } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sim_world w;

		bring_up_behind_nat(&w);
		ask_from(&w, cases[i].port, cases[i].last);
		/* R answers, and says goodbye, where I is now; its SAs, which go where I was, are gone. */
		arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
		arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
		assert_int_equal(sim_sas(&w, CLIENT), 0);
		assert_int_equal(sim_sas(&w, SERVER), 0);
		at_rest(&w);
	}
}

/* RFC 7296 2.23: a repeated message, or a forged one, moves nobody. */
static void old_message_from_elsewhere_moves_nobody(void **state)
{
	struct sim_datagram *d, *again;
	struct sim_world w;

	(void)state;
	bring_up_behind_nat(&w);
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, w.host[CLIENT].ends[0].last.tunnel.sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	d = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	again = sim_copy(d);
	sim_deliver(&w, d);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	again->path.remote.port = 34500;
	sim_deliver(&w, again);
	/* R repeats its answer there, and stays. */
	is_lost(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	sim_clear(&w);
}

static void kernel_tells_where_esp_comes_from(void **state)
{
	struct ip_endpoint from;
	struct sim_world w;
	uint32_t spi_in;

	(void)state;
	bring_up_behind_nat(&w);
	spi_in = w.host[SERVER].ends[0].last.tunnel.spi_in;
	from = w.host[SERVER].ends[0].last.tunnel.path.remote;
	ike_peer_seen(w.host[SERVER].ike, spi_in, &from, w.now_ms);
	ike_peer_seen(w.host[SERVER].ike, spi_in + 1, &from, w.now_ms);
	sim_pump(&w);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	from.port += 10000;
	w.nat_port = 30000;
	ike_peer_seen(w.host[SERVER].ike, spi_in, &from, w.now_ms);
	sim_pump(&w);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	/* Nobody has refused anything. */
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PEER_MOVED);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(sim_sas(&w, CLIENT), 0);
	at_rest(&w);
}

/* I <-- R  IKE_AUTH { IDr, AUTH, N(TS_UNACCEPTABLE) }: the address is somebody else's already. */
static void second_client_of_an_address_is_told(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 61, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.nat = true;
	w.host[SERVER].refuses = REASON_TS_UNACCEPTABLE;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	/* I asks for an address inside of IPsec, then, and R has none to give. */
	sim_run_until(&w, w.now_ms + 100);
	assert_failed(&w, CLIENT, sa, REASON_TS_UNACCEPTABLE, "peer said");
	at_rest(&w);
}

static void keepalive_is_one_byte_from_behind_the_nat(void **state)
{
	struct sim_datagram *d;
	struct sim_world w;

	(void)state;
	bring_up_behind_nat(&w);
	assert_true(w.host[CLIENT].ends[0].last.tunnel.wants_keepalive);
	assert_int_equal(ike_keepalive(w.host[CLIENT].ike, w.host[CLIENT].ends[0].last.tunnel.sa, w.now_ms), IKE_OK);
	assert_int_equal(ike_keepalive(w.host[SERVER].ike, w.host[SERVER].ends[0].last.tunnel.sa, w.now_ms), IKE_E_STATE);
	sim_pump(&w);
	d = sim_take(&w);
	assert_int_equal(d->n, 1);
	assert_int_equal(d->b[0], 0xff);
	assert_int_equal(d->path.local.port, 4500);
	free(d);
	nothing_is_sent(&w);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_open_peers_are_bounded_and_forgotten),
		cmocka_unit_test(peers_that_never_finish_keep_nobody_out),
		cmocka_unit_test(source_that_never_finishes_takes_its_own_places),
		cmocka_unit_test(forged_source_pushes_nobody_out),
		cmocka_unit_test(crowd_does_not_push_out_its_first),
		cmocka_unit_test(many_half_open_peers_make_it_ask_for_cookies),
		cmocka_unit_test(cookie_of_another_request_is_refused),
		cmocka_unit_test(repeated_init_gets_the_same_answer),
		cmocka_unit_test(higher_version_is_answered_but_not_without_end),
		cmocka_unit_test(host_without_a_key_is_silent),
		cmocka_unit_test(name_asked_for_is_handed_on),
		cmocka_unit_test(repeated_auth_is_signed_once_and_answered_alike),
		cmocka_unit_test(only_the_sender_of_init_is_let_in),
		cmocka_unit_test(auth_from_an_address_that_never_answered_is_ignored),
		cmocka_unit_test(peer_with_a_key_of_its_own_is_refused),
		cmocka_unit_test(refused_peer_is_not_told_why),
		cmocka_unit_test(unacceptable_child_leaves_the_proof),
		cmocka_unit_test(kernel_failure_refuses_the_child),
		cmocka_unit_test(peer_without_hash_list_is_refused_where_the_key_needs_one),
		cmocka_unit_test(peer_without_hash_list_gets_ecdsa_by_its_own_method),
		cmocka_unit_test(initial_contact_of_a_stranger_deletes_nothing),
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
		cmocka_unit_test(peer_whose_nat_has_changed_is_told_to_come_again),
		cmocka_unit_test(old_message_from_elsewhere_moves_nobody),
		cmocka_unit_test(kernel_tells_where_esp_comes_from),
		cmocka_unit_test(second_client_of_an_address_is_told),
		cmocka_unit_test(keepalive_is_one_byte_from_behind_the_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
