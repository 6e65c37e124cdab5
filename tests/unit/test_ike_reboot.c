/* A peer that has lost its SAs: what tells, and what does not. */
#include "tests/unit/ladder.h"

/* Everything that leaves this side is lost until then. */
static void loses_all(struct sim_world *w, uint64_t until_ms)
{
	while (w->now_ms < until_ms) {
		uint64_t next = sim_next_ms(w);

		sim_run_until(w, next < until_ms ? next : until_ms);
		while (w->wire)
			free(sim_take(w));
	}
}

static void ask_whether_it_lives(struct sim_world *w, ike_handle sa)
{
	assert_int_equal(ike_check_liveness(w->host[CLIENT].ike, sa, w->now_ms), IKE_OK);
	sim_pump(w);
}

static void silence_is_told_once_and_then_is_the_end(void **state)
{
	struct sim_world w;
	struct sim_end *end;
	ike_handle sa;
	uint64_t asked_ms;

	(void)state;
	sim_init(&w, 40, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	end = sim_end_of(&w, CLIENT, sa);
	ask_whether_it_lives(&w, sa);
	asked_ms = w.now_ms;
	loses_all(&w, asked_ms + 1400);
	assert_int_equal(end->silent, 0);
	loses_all(&w, asked_ms + 2000);
	assert_int_equal(end->silent, 1);
	assert_false(end->last.long_silent);
	assert_int_equal(end->ends, 0);
	loses_all(&w, asked_ms + 3900);
	assert_int_equal(end->silent, 1);
	loses_all(&w, asked_ms + 7900);
	assert_int_equal(end->silent, 2);
	assert_true(end->last.long_silent);
	assert_int_equal(end->ends, 0);
	loses_all(&w, asked_ms + 8000);
	assert_int_equal(end->ends, 1);
	assert_int_equal(end->last.reason, REASON_TIMEOUT);
	sim_clear(&w);
}

static void late_answer_ends_the_silence(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 41, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	for (unsigned round = 1; round <= 2; round++) {
		ask_whether_it_lives(&w, sa);
		loses_all(&w, w.now_ms + 2000);
		sim_run_until(&w, w.now_ms + 20000);
		assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, round);
		assert_up(&w, CLIENT, sa);
	}
	ask_whether_it_lives(&w, sa);
	sim_run_until(&w, w.now_ms + 20000);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 2);
	at_rest(&w);
}

/* Hints ------------------------------------------------------------------------------------------------------------ */

static const uint8_t secret_of_server[32] = "the server's", secret_of_client[32] = "the client's";

/* Both make tokens, and the client has a tunnel. */
static ike_handle bring_up_with_tokens(struct sim_world *w, uint64_t seed)
{
	const struct ike_config client = { .qcd_secret = span_of(secret_of_client, sizeof secret_of_client) },
				server = { .qcd_secret = span_of(secret_of_server, sizeof secret_of_server) };

	sim_init(w, seed, IP_V4, &client, &server, KEY_ED25519, false);
	return bring_up(w);
}

static void write_clear(struct peer_message *out, const struct ike_hdr *hdr, uint16_t type, struct span value, struct span token)
{
	struct msg_wr m = msg_begin(out->b, sizeof out->b, hdr);
	struct span message;

	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), type, value);
	if (token.n > 0)
		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_QCD_TOKEN, token);
	assert_int_equal(msg_end(&m, NULL, &message), IKE_OK);
	out->n = message.n;
}

/* Somebody says in the server's name that it received ESP for an SA that it does not have. */
static void forge_invalid_spi(struct sim_world *w, uint32_t spi)
{
	const struct ike_hdr hdr = { .major = IKE_MAJOR_VERSION, .exchange = EXCH_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR };
	uint8_t value[4];
	struct wr v = wr_over(value, sizeof value);
	struct peer_message m;

	wr_u32(&v, spi);
	write_clear(&m, &hdr, N_INVALID_SPI, wr_span(&v), span_of(NULL, 0));
	sim_inject(w, SERVER, 500, peer_span(&m));
}

/* Somebody answers this request of the client in the server's place: there is no such SA. */
static void forge_invalid_ike_spi(struct sim_world *w, const struct sim_datagram *request, struct span token)
{
	struct ike_hdr hdr = header_of(request);
	struct peer_message m;

	hdr.flags = IKE_FLAG_RESPONSE;
	write_clear(&m, &hdr, N_INVALID_IKE_SPI, span_of(NULL, 0), token);
	sim_inject(w, SERVER, 500, peer_span(&m));
}

static void flood_of_forged_invalid_spi_asks_the_peer_now_and_then(void **state)
{
	struct sim_world w;
	unsigned asked = 0;
	uint32_t spi;
	ike_handle sa;

	(void)state;
	sim_init(&w, 42, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	spi = sim_end_of(&w, CLIENT, sa)->last.tunnel.spi_out;
	for (unsigned i = 0; i < 6000; i++) {   /* a minute */
		forge_invalid_spi(&w, spi + 1);
		forge_invalid_spi(&w, spi);
		for (; w.wire; asked++) {
			arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
			arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
		}
		sim_run_until(&w, w.now_ms + 10);
	}
	assert_in_range(asked, 1, 7);
	assert_up(&w, CLIENT, sa);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 0);
	at_rest(&w);
}

static void invalid_spi_of_no_sa_of_ours_or_from_elsewhere_is_nothing(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 43, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	forge_invalid_spi(&w, sim_end_of(&w, CLIENT, sa)->last.tunnel.spi_out ^ 1);
	nothing_is_sent(&w);
	forge_invalid_spi(&w, sim_end_of(&w, CLIENT, sa)->last.tunnel.spi_in);
	nothing_is_sent(&w);
	assert_int_equal(ip_from_text("203.0.113.66", &w.host[SERVER].addr), IKE_OK);
	forge_invalid_spi(&w, sim_end_of(&w, CLIENT, sa)->last.tunnel.spi_out);
	nothing_is_sent(&w);
	assert_int_equal(ip_from_text("203.0.113.5", &w.host[SERVER].addr), IKE_OK);
	at_rest(&w);
}

static void answer_of_the_peer_outweighs_a_forged_invalid_ike_spi(void **state)
{
	struct sim_world w;
	struct sim_datagram *request;
	ike_handle sa;

	(void)state;
	sa = bring_up_with_tokens(&w, 44);
	ask_whether_it_lives(&w, sa);
	request = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	for (unsigned i = 0; i < 1000; i++)
		forge_invalid_ike_spi(&w, request, span_of(NULL, 0));
	sim_deliver(&w, request);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	sim_run_until(&w, w.now_ms + 20000);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 0);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

/* ... and if the peer does not answer, the layer above hears of it sooner. */
static void invalid_ike_spi_shortens_our_patience(void **state)
{
	struct sim_world w;
	struct sim_datagram *request;
	ike_handle sa;

	(void)state;
	sim_init(&w, 45, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	ask_whether_it_lives(&w, sa);
	request = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	forge_invalid_ike_spi(&w, request, span_of(NULL, 0));
	free(request);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 0);
	loses_all(&w, w.now_ms + 300);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 1);
	assert_up(&w, CLIENT, sa);
	sim_run_until(&w, w.now_ms + 20000);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

/* It was not: a host that came back after that was waited for until the request was given up. */
static void invalid_ike_spi_after_a_long_silence_is_heard(void **state)
{
	struct sim_world w;
	struct sim_datagram *request;
	ike_handle sa;

	(void)state;
	sim_init(&w, 56, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	ask_whether_it_lives(&w, sa);
	request = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	loses_all(&w, w.now_ms + 4500);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 2);
	for (unsigned i = 0; i < 1000; i++)
		forge_invalid_ike_spi(&w, request, span_of(NULL, 0));
	free(request);
	loses_all(&w, w.now_ms + 2000);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 3);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

/* Restarts --------------------------------------------------------------------------------------------------------- */

static void restarted_server_proves_that_it_has_lost_the_sa(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sa = bring_up_with_tokens(&w, 46);
	sim_restart(&w, SERVER);
	ask_whether_it_lives(&w, sa);
	/* I --> R  INFORMATIONAL
	 * I <-- R  N(INVALID_IKE_SPI), N(QCD_TOKEN) in clear */
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	assert_closed(&w, CLIENT, sa, REASON_TIMEOUT);
	assert_non_null(strstr(sim_end_of(&w, CLIENT, sa)->last.detail, "has proved"));
	nothing_is_sent(&w);
	at_rest(&w);
}

static void restarted_client_proves_it_to_the_server(void **state)
{
	struct sim_world w;
	ike_handle theirs;

	(void)state;
	(void)bring_up_with_tokens(&w, 47);
	theirs = w.host[SERVER].ends[0].sa;
	sim_restart(&w, CLIENT);
	assert_int_equal(ike_check_liveness(w.host[SERVER].ike, theirs, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	assert_closed(&w, SERVER, theirs, REASON_TIMEOUT);
	at_rest(&w);
}

/* It comes with the answer for who was asked, and in an exchange of its own for who asked (RFC 6290 4.3). */
static void new_ike_sa_has_tokens_of_its_own(void **state)
{
	struct sim_world w;
	ike_handle sa, theirs;

	(void)state;
	for (unsigned side = 0; side < SIDES; side++) {
		sa = bring_up_with_tokens(&w, 48);
		theirs = w.host[SERVER].ends[0].sa;
		assert_int_equal(side == CLIENT ? ike_rekey_ike(w.host[CLIENT].ike, sa, w.now_ms)
						: ike_rekey_ike(w.host[SERVER].ike, theirs, w.now_ms), IKE_OK);
		sim_pump(&w);
		sim_run_until(&w, w.now_ms + 20000);
		assert_int_equal(sim_end_of(&w, CLIENT, sa)->rekeyed, 1);
		sim_restart(&w, (enum sim_side)!side);
		assert_int_equal(side == CLIENT ? ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms)
						: ike_check_liveness(w.host[SERVER].ike, theirs, w.now_ms), IKE_OK);
		sim_pump(&w);
		sim_run_until(&w, w.now_ms + 100);
		assert_closed(&w, (enum sim_side)side, side == CLIENT ? sa : theirs, REASON_TIMEOUT);
		at_rest(&w);
	}
	for (unsigned side = 0; side < SIDES; side++) {
		sa = bring_up_with_tokens(&w, 49);
		theirs = w.host[SERVER].ends[0].sa;
		assert_int_equal(ike_rekey_ike(w.host[CLIENT].ike, sa, w.now_ms), IKE_OK);
		sim_pump(&w);
		sim_run_until(&w, w.now_ms + 20000);
		sim_restart(&w, (enum sim_side)side);
		assert_int_equal(side == SERVER ? ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms)
						: ike_check_liveness(w.host[SERVER].ike, theirs, w.now_ms), IKE_OK);
		sim_pump(&w);
		sim_run_until(&w, w.now_ms + 100);
		assert_closed(&w, (enum sim_side)!side, side == SERVER ? sa : theirs, REASON_TIMEOUT);
		at_rest(&w);
	}
}

/* Wrong ones, cut ones, long ones, and the right one of another SA, from before. */
static void token_that_is_not_of_this_sa_proves_nothing(void **state)
{
	static const uint8_t zeros[200];
	static const size_t lengths[] = { 1, 15, 16, 17, 32, 128, 129, 200 };
	struct sim_datagram *request, *answer;
	struct pl_notify token = { .type = 0 };
	struct msg_chain chain;
	struct sim_world w;
	struct ike_hdr hdr;
	ike_handle first, sa;

	(void)state;
	first = bring_up_with_tokens(&w, 50);
	sim_restart(&w, SERVER);
	ask_whether_it_lives(&w, first);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	answer = take(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	hdr = header_of(answer);
	assert_int_equal(msg_chain_read(hdr.next_payload, span_of(answer->b + IKE_HDR_LEN, answer->n - IKE_HDR_LEN), &chain), IKE_OK);
	assert_true(pl_notify_find(&chain, N_QCD_TOKEN, &token));
	assert_in_range(answer->n, 0, 60);      /* hardly longer than what it answers, so nobody is flooded with these */
	sim_deliver(&w, sim_copy(answer));
	assert_closed(&w, CLIENT, first, REASON_TIMEOUT);

	sa = bring_up(&w);
	ask_whether_it_lives(&w, sa);
	request = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++)
		forge_invalid_ike_spi(&w, request, span_of(zeros, lengths[i]));
	forge_invalid_ike_spi(&w, request, token.value);
	sim_deliver(&w, answer);                /* as it was */
	assert_up(&w, CLIENT, sa);
	sim_deliver(&w, request);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

/* The right token, with nothing of ours out, and with a request that is long answered: only in answer to what is out. */
static void token_is_taken_where_an_answer_is_due_only(void **state)
{
	struct sim_datagram *request, *answer;
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sa = bring_up_with_tokens(&w, 51);
	ask_whether_it_lives(&w, sa);
	request = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	sim_deliver(&w, sim_copy(request));
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	sim_restart(&w, SERVER);
	sim_deliver(&w, request);
	answer = take(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	sim_deliver(&w, answer);
	assert_up(&w, CLIENT, sa);
	sim_clear(&w);
}

/* Whoever asks for the token of an SA that lives, with flags and SPIs as he likes: the peer's SPI is not ours, so a lookup by the
 * wrong one of the two finds nothing. */
static void token_of_an_sa_that_lives_is_given_to_nobody(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sa = bring_up_with_tokens(&w, 52);
	for (unsigned trick = 0; trick < 8; trick++) {
		struct sim_datagram *request;
		struct ike_hdr hdr;

		ask_whether_it_lives(&w, sa);
		request = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
		sim_deliver(&w, sim_copy(request));
		arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
		hdr = header_of(request);
		assert_true(hdr.flags & IKE_FLAG_INITIATOR);
		if (trick & 1)
			request->b[19] &= (uint8_t)~IKE_FLAG_INITIATOR;
		if (trick & 2)
			request->b[20] ^= 0x80; /* message ID */
		if (trick & 4)
			request->b[18] = EXCH_CREATE_CHILD_SA;
		/* The repetition as it is gets the answer again. */
		sim_deliver(&w, request);
		if (trick == 0)
			is_lost(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
		while (w.wire) {
			struct sim_datagram *d = sim_take(&w);

			assert_int_not_equal(header_of(d).next_payload, PL_NOTIFY);
			free(d);
		}
	}
	assert_up(&w, CLIENT, sa);
	at_rest(&w);
}

static void hosts_that_answer_nobody_do_not_say_that_they_are_there(void **state)
{
	struct sim_world w;
	ike_handle theirs;

	(void)state;
	sim_init(&w, 53, IP_V4, NULL, NULL, KEY_ED25519, false);
	(void)bring_up(&w);
	theirs = w.host[SERVER].ends[0].sa;
	sim_restart(&w, CLIENT);
	assert_int_equal(ike_check_liveness(w.host[SERVER].ike, theirs, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	nothing_is_sent(&w);
	sim_run_until(&w, w.now_ms + 20000);
	assert_closed(&w, SERVER, theirs, REASON_TIMEOUT);
	at_rest(&w);
}

static void answers_about_unknown_sas_are_few(void **state)
{
	enum { SEALED_LEN = 64 };
	struct ike_hdr hdr = { .major = IKE_MAJOR_VERSION, .exchange = EXCH_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR };
	struct peer_message m = { .n = 0 };
	struct sim_world w;
	unsigned answers = 0;

	(void)state;
	sim_init(&w, 54, IP_V4, NULL, NULL, KEY_ED25519, false);
	for (unsigned i = 0; i < 1000; i++) {
		struct msg_wr wr;
		struct span message;

		rng_fill(&w.rng, hdr.spi_i, IKE_SPI_LEN);
		rng_fill(&w.rng, hdr.spi_r, IKE_SPI_LEN);
		wr = msg_begin(m.b, sizeof m.b, &hdr);
		pl_sk_write(&wr, PL_NONE, SEALED_LEN);
		assert_int_equal(msg_end(&wr, NULL, &message), IKE_OK);
		m.n = message.n;
		sim_inject(&w, CLIENT, 500, peer_span(&m));
		for (; w.wire; answers++)
			free(sim_take(&w));
		sim_run_until(&w, w.now_ms + 1);
	}
	assert_in_range(answers, 1, 31);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_told_once_and_then_is_the_end),
		cmocka_unit_test(late_answer_ends_the_silence),
		cmocka_unit_test(flood_of_forged_invalid_spi_asks_the_peer_now_and_then),
		cmocka_unit_test(invalid_spi_of_no_sa_of_ours_or_from_elsewhere_is_nothing),
		cmocka_unit_test(answer_of_the_peer_outweighs_a_forged_invalid_ike_spi),
		cmocka_unit_test(invalid_ike_spi_shortens_our_patience),
		cmocka_unit_test(invalid_ike_spi_after_a_long_silence_is_heard),
		cmocka_unit_test(restarted_server_proves_that_it_has_lost_the_sa),
		cmocka_unit_test(restarted_client_proves_it_to_the_server),
		cmocka_unit_test(new_ike_sa_has_tokens_of_its_own),
		cmocka_unit_test(token_that_is_not_of_this_sa_proves_nothing),
		cmocka_unit_test(token_is_taken_where_an_answer_is_due_only),
		cmocka_unit_test(token_of_an_sa_that_lives_is_given_to_nobody),
		cmocka_unit_test(hosts_that_answer_nobody_do_not_say_that_they_are_there),
		cmocka_unit_test(answers_about_unknown_sas_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
