/* ML-KEM-768 as additional key exchange, in an IKE_INTERMEDIATE exchange (RFC 9242, RFC 9370): two cores, and somebody in
 * the middle, with a double of the same sizes in place of the mathematics.
 */
#include "ike/choose.h"
#include "tests/sim/kem_double.h"
#include "tests/unit/ladder.h"

enum { FRAGMENTS = 3 };             /* of either message, in IPv4 packets of 576 bytes */

static const struct ike_config hybrid = { .kem = &kem_double }, plain = { .kem = NULL };
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
