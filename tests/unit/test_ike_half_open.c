/* The responder before IKE_AUTH: what strangers can do with IKE_SA_INIT to a host that answers anybody. */
#include "tests/unit/ladder.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
