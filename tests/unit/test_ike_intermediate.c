/* ML-KEM-768 as additional key exchange, in an IKE_INTERMEDIATE exchange (RFC 9242, RFC 9370), in both roles, with a double
 * of the same sizes in place of the mathematics.
 */
#include "ike/choose.h"
#include "tests/sim/kem_double.h"
#include "tests/unit/ladder.h"

enum { FRAGMENTS = 3 };             /* of either message, in IPv4 packets of 576 bytes */

static const struct ike_config hybrid = { .kem = &kem_double }, plain = { .kem = NULL },
			       in_one_piece = { .kem = &kem_double, .fragment_max = 4000 };
static const char asked[] = "host.example";

/* Take IKE_SA_INIT off the wire; the client's IKE_INTERMEDIATE request is there then. */
static ike_handle keys_agreed(struct sim_world *w)
{
	ike_handle sa = sim_initiate(w, published(w), NULL, LIFE_MS);

	arrives(w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	return sa;
}

static void take_fragments(struct sim_world *w, enum sim_side from, bool response, struct sim_datagram *to[FRAGMENTS])
{
	for (unsigned i = 0; i < FRAGMENTS; i++) {
		to[i] = take(w, from, EXCH_IKE_INTERMEDIATE, response);
		assert_int_equal(header_of(to[i]).next_payload, PL_SKF);
		assert_true(to[i]->n <= 576 - 28);
	}
	nothing_is_sent(w);
}

static void fragments_arrive(struct sim_world *w, enum sim_side from, bool response)
{
	for (unsigned i = 0; i < FRAGMENTS; i++)
		arrives(w, from, EXCH_IKE_INTERMEDIATE, response);
}

static void comes_up(struct sim_world *w, ike_handle sa, uint16_t addke1)
{
	arrives(w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	arrives(w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	nothing_is_sent(w);
	assert_up(w, CLIENT, sa);
	assert_int_equal(sim_sas(w, SERVER), 1);
	assert_int_equal(sim_end_of(w, CLIENT, sa)->last.tunnel.ike_suite.addke1, addke1);
	assert_int_equal(w->host[SERVER].ends[0].last.tunnel.ike_suite.addke1, addke1);
}

/* Two cores ------------------------------------------------------------------------------------ */

static void one_round_trip_more_when_both_can(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 1, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	/* I --> R  IKE_SA_INIT { SA(... ADDKE1), KE, Ni, N(INTERMEDIATE_EXCHANGE_SUPPORTED) }      I <-- R  the same */
	sa = keys_agreed(&w);
	/* I --> R  IKE_INTERMEDIATE { KE(public key) }             I <-- R  { KE(ciphertext) } */
	fragments_arrive(&w, CLIENT, REQUEST);
	fragments_arrive(&w, SERVER, RESPONSE);
	comes_up(&w, sa, GROUP_MLKEM_768);
	/* And the keys are those of later exchanges, too. */
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	at_rest(&w);
}

/* With what libcrypto has, where it has it. */
static void mathematics_instead_of_the_double(void **state)
{
	const struct ike_config real = { .kem = kem_mlkem768() };
	struct sim_world w;
	ike_handle sa;

	(void)state;
	if (!real.kem)
		skip();
	sim_init(&w, 13, IP_V4, &real, &real, KEY_ED25519, false);
	sa = keys_agreed(&w);
	fragments_arrive(&w, CLIENT, REQUEST);
	fragments_arrive(&w, SERVER, RESPONSE);
	comes_up(&w, sa, GROUP_MLKEM_768);
	at_rest(&w);
}

static void plain_exchange_when_one_cannot(void **state)
{
	(void)state;
	for (unsigned client_can = 0; client_can < 2; client_can++) {
		struct sim_world w;
		ike_handle sa;

		sim_init(&w, 2, IP_V6, client_can ? &hybrid : &plain, client_can ? &plain : &hybrid, KEY_ED25519, false);
		sa = keys_agreed(&w);
		comes_up(&w, sa, 0);
		at_rest(&w);
	}
}

static void lost_fragments_come_again(void **state)
{
	struct sim_datagram *first[FRAGMENTS], *again[FRAGMENTS];
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 3, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = keys_agreed(&w);
	/* I --> R  IKE_INTERMEDIATE, the second fragment lost: all come again, the same bytes */
	take_fragments(&w, CLIENT, REQUEST, first);
	sim_deliver(&w, sim_copy(first[0]));
	sim_deliver(&w, sim_copy(first[2]));
	nothing_is_sent(&w);
	wait_for_send(&w, 500);
	take_fragments(&w, CLIENT, REQUEST, again);
	for (unsigned i = 0; i < FRAGMENTS; i++)
		assert_same_datagram(first[i], again[i]);
	sim_deliver(&w, again[1]);
	free(again[0]);
	free(again[2]);
	/* I <-- R  the first fragment lost: the request comes again, and the answer does; its keys have changed since */
	is_lost(&w, SERVER, EXCH_IKE_INTERMEDIATE, RESPONSE);
	arrives(&w, SERVER, EXCH_IKE_INTERMEDIATE, RESPONSE);
	arrives(&w, SERVER, EXCH_IKE_INTERMEDIATE, RESPONSE);
	nothing_is_sent(&w);
	wait_for_send(&w, 500);
	fragments_arrive(&w, CLIENT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_INTERMEDIATE, RESPONSE);
	/* The rest of them is late, and does no harm. */
	free(take(&w, SERVER, EXCH_IKE_INTERMEDIATE, RESPONSE));
	arrives(&w, SERVER, EXCH_IKE_INTERMEDIATE, RESPONSE);
	for (unsigned i = 0; i < FRAGMENTS; i++)
		free(first[i]);
	comes_up(&w, sa, GROUP_MLKEM_768);
	at_rest(&w);
}

static void order_and_copies_do_not_matter(void **state)
{
	struct sim_datagram *request[FRAGMENTS], *answer[FRAGMENTS], *again;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 4, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = keys_agreed(&w);
	take_fragments(&w, CLIENT, REQUEST, request);
	for (unsigned i = FRAGMENTS; i-- > 0;) {
		sim_deliver(&w, sim_copy(request[i]));
		if (i > 0)
			sim_deliver(&w, sim_copy(request[i]));
	}
	take_fragments(&w, SERVER, RESPONSE, answer);
	/* A copy of the whole request: the first fragment is answered as before, under the keys of before. */
	sim_deliver(&w, request[1]);
	sim_deliver(&w, request[2]);
	nothing_is_sent(&w);
	sim_deliver(&w, request[0]);
	for (unsigned i = 0; i < FRAGMENTS; i++) {
		again = take(&w, SERVER, EXCH_IKE_INTERMEDIATE, RESPONSE);
		assert_same_datagram(again, answer[i]);
		free(again);
	}
	for (unsigned i = FRAGMENTS; i-- > 0;) {
		sim_deliver(&w, sim_copy(answer[i]));
		sim_deliver(&w, answer[i]);
	}
	comes_up(&w, sa, GROUP_MLKEM_768);
	at_rest(&w);
}

/* A copy of the IKE_SA_INIT request that comes after IKE_INTERMEDIATE is not answered with what was the last answer. */
static void late_copy_of_init_is_not_answered_by_another_exchange(void **state)
{
	struct sim_datagram *init;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 5, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	init = take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	sim_deliver(&w, sim_copy(init));
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	fragments_arrive(&w, CLIENT, REQUEST);
	fragments_arrive(&w, SERVER, RESPONSE);
	is_lost(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	sim_deliver(&w, init);
	nothing_is_sent(&w);
	wait_for_send(&w, 500);
	comes_up(&w, sa, GROUP_MLKEM_768);
	at_rest(&w);
}

static void cookie_comes_before(void **state)
{
	static const struct ike_config demanding = { .kem = &kem_double, .always_cookie = true };
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 6, IP_V4, &hybrid, &demanding, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	/* I <-- R  IKE_SA_INIT { N(COOKIE) } */
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	fragments_arrive(&w, CLIENT, REQUEST);
	fragments_arrive(&w, SERVER, RESPONSE);
	comes_up(&w, sa, GROUP_MLKEM_768);
	at_rest(&w);
}

static void silence_has_a_reason(void **state)
{
	char detail[IKE_DETAIL_MAX];
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 7, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = keys_agreed(&w);
	assert_int_equal(ike_outlook(w.host[CLIENT].ike, sa, detail), REASON_TIMEOUT);
	assert_string_equal(detail, "no answer to IKE_INTERMEDIATE");
	while (sim_next_ms(&w) < UINT64_MAX) {
		struct sim_datagram *d;

		while ((d = sim_take(&w)))
			free(d);
		sim_run_until(&w, sim_next_ms(&w));
	}
	assert_failed(&w, CLIENT, sa, REASON_TIMEOUT, "no answer to IKE_INTERMEDIATE");
	at_rest(&w);
}

/* Somebody in the middle ----------------------------------------------------------------------- */

/* The same message without what asks for the additional key exchange; or, with notify_only, without the notify alone.
 * A request loses its first proposal, an answer the transform. */
static struct sim_datagram *stripped(struct sim_datagram *d, bool notify_only)
{
	struct ike_hdr hdr = header_of(d);
	struct sim_datagram *out = malloc(sizeof *out + d->n);
	struct pl_proposal proposal[OFFER_MAX];
	struct msg_chain chain;
	struct pl_notify notify;
	struct pl_sa_reader sa;
	struct span message;
	struct msg_wr m;
	unsigned n = 0;

	assert_non_null(out);
	*out = *d;
	assert_int_equal(msg_chain_read(hdr.next_payload, span_of(d->b + IKE_HDR_LEN, d->n - IKE_HDR_LEN), &chain), IKE_OK);
	m = msg_begin(out->b, d->n, &hdr);
	for (unsigned i = 0; i < chain.n; i++) {
		const struct msg_payload *p = &chain.payload[i];

		if (p->type == PL_NOTIFY && pl_notify_read(p->body, &notify) == IKE_OK &&
		    notify.type == N_INTERMEDIATE_EXCHANGE_SUPPORTED)
			continue;
		if (p->type != PL_SA || notify_only) {
			msg_payload_begin(&m, (enum ike_payload_type)p->type);
			wr_put(&m.w, p->body);
			msg_payload_end(&m);
			continue;
		}
		sa = pl_sa_read(p->body);
		while (n < OFFER_MAX && pl_sa_next(&sa, &proposal[n]) == IKE_OK)
			n++;
		if (n == 1) {
			proposal[0].number = 2;
			assert_int_equal(proposal[0].transform[--proposal[0].n].type, TT_ADDKE1);
		}
		pl_sa_write(&m, n == 1 ? proposal : proposal + 1, n == 1 ? 1 : n - 1);
	}
	assert_int_equal(msg_end(&m, NULL, &message), IKE_OK);
	out->n = message.n;
	free(d);
	return out;
}

/* The server's AUTH does not cover the request, but the client's does, and the server checks it. */
static void stripped_request_ends_in_nothing(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 8, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_deliver(&w, stripped(take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST), false));
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->auth_failed, 1);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "AUTHENTICATION_FAILED");
	assert_int_equal(sim_sas(&w, SERVER), 0);
	assert_int_equal(w.host[SERVER].asked_to_sign, 0);
	at_rest(&w);
}

/* The server waits for IKE_INTERMEDIATE. */
static void stripped_answer_ends_in_nothing(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 9, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	sim_deliver(&w, stripped(take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE), false));
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	assert_int_equal(w.host[SERVER].asked_to_sign, 0);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "INVALID_SYNTAX");
	assert_int_equal(sim_sas(&w, SERVER), 0);
	at_rest(&w);
}

/* Both stripped, so that both ends think that the other cannot: still the client's AUTH is over what it sent. */
static void stripped_twice_ends_in_nothing(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 10, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), asked, LIFE_MS);
	/* The client asks once more without the name: that fares no better. */
	for (unsigned i = 0; i < 2; i++) {
		sim_deliver(&w, stripped(take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST), false));
		sim_deliver(&w, stripped(take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE), true));
		arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
		arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	}
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "AUTHENTICATION_FAILED");
	assert_int_equal(sim_sas(&w, SERVER), 0);
	at_rest(&w);
}

/* RFC 9370 2.2.1: a choice of the proposal without the notify is no answer at all. */
static void choice_without_notify_is_ignored(void **state)
{
	struct sim_datagram *answer;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 11, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), NULL, LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	answer = take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	sim_deliver(&w, stripped(sim_copy(answer), true));
	nothing_is_sent(&w);
	sim_deliver(&w, answer);
	fragments_arrive(&w, CLIENT, REQUEST);
	fragments_arrive(&w, SERVER, RESPONSE);
	comes_up(&w, sa, GROUP_MLKEM_768);
	at_rest(&w);
}

/* And one that offers it without the notify gets what comes next. */
static void offer_without_notify_is_passed_over(void **state)
{
	struct sim_datagram *answer;
	struct msg_chain chain;
	struct sim_world w;

	(void)state;
	sim_init(&w, 12, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	(void)sim_initiate(&w, published(&w), NULL, LIFE_MS);
	sim_deliver(&w, stripped(take(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST), true));
	answer = take(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	assert_int_equal(msg_chain_read(header_of(answer).next_payload,
					span_of(answer->b + IKE_HDR_LEN, answer->n - IKE_HDR_LEN), &chain), IKE_OK);
	assert_false(has_notify(&chain, N_INTERMEDIATE_EXCHANGE_SUPPORTED));
	assert_int_equal(chain.payload[0].body.p[4], 2);
	free(answer);
	at_rest(&w);
}

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
		cmocka_unit_test(one_round_trip_more_when_both_can),
		cmocka_unit_test(mathematics_instead_of_the_double),
		cmocka_unit_test(plain_exchange_when_one_cannot),
		cmocka_unit_test(lost_fragments_come_again),
		cmocka_unit_test(order_and_copies_do_not_matter),
		cmocka_unit_test(late_copy_of_init_is_not_answered_by_another_exchange),
		cmocka_unit_test(cookie_comes_before),
		cmocka_unit_test(silence_has_a_reason),
		cmocka_unit_test(stripped_request_ends_in_nothing),
		cmocka_unit_test(stripped_answer_ends_in_nothing),
		cmocka_unit_test(stripped_twice_ends_in_nothing),
		cmocka_unit_test(choice_without_notify_is_ignored),
		cmocka_unit_test(offer_without_notify_is_passed_over),
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
