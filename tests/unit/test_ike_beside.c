/* A second IKE SA for a pair of addresses that has one: the peer reauthenticates (RFC 7296 2.8.3), or has lost the first one. No packet may
 * be lost that would have arrived with the first.
 */
#include "tests/unit/ladder.h"

enum { REQID = KERNEL_REQID_BASE | 1 };

/* Packets of both ends that are on the wire as long as an IKE message is. */
struct flood {
	uint32_t spi[SIDES];
};

static void flood_leaves(const struct sim_world *w, struct flood *f)
{
	for (unsigned side = 0; side < SIDES; side++) {
		const struct sim_sa_pair *pair = sim_sends_with(w, (enum sim_side)side, REQID);

		assert_non_null(pair);
		f->spi[side] = pair->asked.spi_out;
	}
}

static void flood_arrives(const struct sim_world *w, const struct flood *f)
{
	for (unsigned side = 0; side < SIDES; side++)
		assert_true(sim_receives(w, (enum sim_side)!side, f->spi[side]));
}

static void arrives_in_flood(struct sim_world *w, enum sim_side from, enum ike_exchange exchange, bool response)
{
	struct flood f;

	flood_leaves(w, &f);
	arrives(w, from, exchange, response);
	flood_arrives(w, &f);
}

static ike_handle start(struct sim_world *w, uint64_t seed)
{
	sim_init(w, seed, IP_V4, NULL, NULL, KEY_ED25519, false);
	w->one_pair = true;
	return bring_up(w);
}

static ike_handle begin_anew(struct sim_world *w)
{
	ike_handle sa = sim_initiate(w, published(w), "host.example", LIFE_MS);

	arrives_in_flood(w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives_in_flood(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives_in_flood(w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	return sa;
}

static uint32_t sends_with(const struct sim_world *w, enum sim_side side)
{
	return sim_sends_with(w, side, REQID)->asked.spi_out;
}

static void client_begins_anew_and_no_packet_is_lost(void **state)
{
	struct sim_world w;
	ike_handle old, fresh;
	uint32_t before;

	(void)state;
	old = start(&w, 1);
	before = sends_with(&w, SERVER);
	fresh = begin_anew(&w);
	/* The server has the new half in, and its question is out behind the answer. */
	assert_int_equal(sends_with(&w, SERVER), before);
	assert_int_equal(w.host[SERVER].ends[1].ups, 0);
	arrives_in_flood(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_int_equal(sim_end_of(&w, CLIENT, fresh)->ups, 1);
	assert_int_equal(ike_close(w.host[CLIENT].ike, old, REASON_NONE, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives_in_flood(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);      /* the question */
	arrives_in_flood(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);      /* Delete of the old one */
	assert_int_not_equal(sends_with(&w, SERVER), before);
	assert_int_equal(w.host[SERVER].ends[1].ups, 1);
	arrives_in_flood(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	arrives_in_flood(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	assert_int_equal(sim_end_of(&w, CLIENT, old)->last.kind, EV_CLOSED);
	assert_int_equal(w.host[SERVER].ends[0].last.kind, EV_CLOSED);
	sim_run_until(&w, w.now_ms + 4000);
	assert_int_equal(sim_sas(&w, CLIENT), 1);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	at_rest(&w);
}

static void what_does_not_delete_the_old_one_switches_over_too(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 2);
	(void)begin_anew(&w);
	arrives_in_flood(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	arrives_in_flood(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(w.host[SERVER].ends[1].ups, 0);
	arrives_in_flood(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	assert_int_equal(w.host[SERVER].ends[1].ups, 1);
	/* Both stay: which one goes is not for the core to say. */
	assert_int_equal(sim_sas(&w, SERVER), 2);
	at_rest(&w);
}

static void lost_answer_costs_nothing(void **state)
{
	struct sim_world w;
	struct flood f;

	(void)state;
	(void)start(&w, 3);
	(void)begin_anew(&w);
	is_lost(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	arrives_in_flood(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);      /* too early: ignored */
	for (unsigned i = 0; i < 20 && w.host[SERVER].ends[1].ups == 0; i++) {
		flood_leaves(&w, &f);
		sim_run_until(&w, w.now_ms + 100);
		flood_arrives(&w, &f);
	}
	assert_int_equal(w.host[SERVER].ends[1].ups, 1);
	at_rest(&w);
}

static void peer_that_never_goes_on_keeps_what_it_has(void **state)
{
	struct sim_world w;
	uint32_t before;

	(void)state;
	(void)start(&w, 4);
	before = sends_with(&w, SERVER);
	(void)begin_anew(&w);
	sim_remove_host(&w, CLIENT);
	sim_run_until(&w, w.now_ms + 20000);
	assert_int_equal(sends_with(&w, SERVER), before);
	assert_int_equal(w.host[SERVER].ends[1].last.kind, EV_FAILED);
	assert_int_equal(w.host[SERVER].ends[1].last.reason, REASON_TIMEOUT);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	sim_clear(&w);
}

/* As many as may be asked for: one waits. */
static void newer_one_pushes_out_the_one_that_waits(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 5);
	for (unsigned i = 0; i < 4; i++) {
		(void)begin_anew(&w);
		while (w.wire)
			free(sim_take(&w));
	}
	assert_int_equal(w.host[SERVER].n_ends, 4);            /* nothing has been heard of the last one yet */
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(w.host[SERVER].ends[i].last.kind, EV_FAILED);
		assert_int_equal(w.host[SERVER].ends[i].last.reason, REASON_LIMIT);
	}
	assert_int_equal(w.host[SERVER].ends[0].ends, 0);
	assert_int_equal(ike_load(w.host[SERVER].ike).established, 2);
	sim_clear(&w);
}

/* It begins with INITIAL_CONTACT, since it has nothing else (RFC 7296 2.4). */
static void restarted_client_is_sent_to_at_once(void **state)
{
	struct sim_world w;
	uint32_t before;

	(void)state;
	(void)start(&w, 6);
	before = sends_with(&w, SERVER);
	sim_restart(&w, CLIENT);
	(void)bring_up(&w);
	assert_int_not_equal(sends_with(&w, SERVER), before);
	assert_true(sim_reaches(&w, SERVER, REQID));
	sim_clear(&w);
}

/* The script: IKE_AUTH as auth_request() has it, without INITIAL_CONTACT, with this SPI of its own. */
static void script_asks(struct sim_world *w, struct sim_peer *p, uint32_t spi)
{
	struct msg_wr m = peer_inner();

	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	peer_write_auth_null(p, &m, ID_NULL, span_of(NULL, 0));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, spi, &w->host[CLIENT].addr, &w->host[SERVER].addr);
	script_sends(w, p, EXCH_IKE_AUTH, 1, REQUEST, &m);
}

static void forgetful_peer_is_sent_to_when_it_answers(void **state)
{
	enum { OLD = 0x11111111, NEW = 0x22222222 };
	struct sim_peer first, second;
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct msg_wr m = peer_inner();

	(void)state;
	sim_init(&w, 7, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.one_pair = true;
	script_client_init(&w, &first, 0);
	script_asks(&w, &first, OLD);
	script_takes(&w, &first, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	script_client_init(&w, &second, 0);
	script_asks(&w, &second, NEW);
	script_takes(&w, &second, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	script_takes(&w, &second, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_int_equal(inner.n, 0);
	assert_int_equal(sends_with(&w, SERVER), OLD);
	script_sends(&w, &second, EXCH_INFORMATIONAL, 0, RESPONSE, &m);
	assert_int_equal(sends_with(&w, SERVER), NEW);
	assert_int_equal(w.host[SERVER].ends[1].ups, 1);
	peer_clear(&first);
	peer_clear(&second);
	sim_clear(&w);
}

/* What says that there will be no new one is no sign that it is there. */
static void refusal_of_the_new_one_leaves_the_old_one(void **state)
{
	struct sim_peer first, second;
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct msg_wr m = peer_inner();

	(void)state;
	sim_init(&w, 8, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.one_pair = true;
	script_client_init(&w, &first, 0);
	script_asks(&w, &first, 0x11111111);
	script_takes(&w, &first, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	script_client_init(&w, &second, 0);
	script_asks(&w, &second, 0x22222222);
	script_takes(&w, &second, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	script_takes(&w, &second, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	peer_write_notify(&m, N_AUTHENTICATION_FAILED);
	script_sends(&w, &second, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	assert_int_equal(sends_with(&w, SERVER), 0x11111111);
	assert_int_equal(w.host[SERVER].ends[1].last.kind, EV_FAILED);
	assert_int_equal(w.host[SERVER].ends[0].ends, 0);
	peer_clear(&first);
	peer_clear(&second);
	sim_clear(&w);
}

/* Packets of nobody in particular are not received for somebody who has proved his name: what an anonymous client has goes as a whole. */
static void anonymous_pair_does_not_fade_beside_a_proved_one(void **state)
{
	struct ike_config client = { 0 };
	struct sim_world w;
	uint32_t before;

	(void)state;
	assert_int_equal(dnsname_from_text("client.example", &client.identity), IKE_OK);
	sim_init(&w, 9, IP_V4, &client, NULL, KEY_ED25519, false);
	w.one_pair = true;
	(void)bring_up(&w);
	before = sends_with(&w, CLIENT);
	sim_identify(&w, KEY_P256, KEY_P256);
	(void)begin_anew(&w);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	assert_int_equal(w.host[SERVER].ends[1].ups, 1);
	assert_true(sim_receives(&w, SERVER, before));
	assert_int_equal(ike_close(w.host[SERVER].ike, w.host[SERVER].ends[0].sa, REASON_NONE, w.now_ms), IKE_OK);
	sim_pump(&w);
	assert_false(sim_receives(&w, SERVER, before));
	sim_clear(&w);
}

static void kernel_that_fails_leaves_the_old_one(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 10);
	w.host[SERVER].kernel_fails = 1;
	(void)begin_anew(&w);
	arrives_in_flood(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_int_equal(w.host[SERVER].ends[1].last.kind, EV_FAILED);
	assert_int_equal(w.host[SERVER].ends[1].last.reason, REASON_KERNEL);
	assert_int_equal(w.host[SERVER].ends[0].ends, 0);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_begins_anew_and_no_packet_is_lost),
		cmocka_unit_test(what_does_not_delete_the_old_one_switches_over_too),
		cmocka_unit_test(lost_answer_costs_nothing),
		cmocka_unit_test(peer_that_never_goes_on_keeps_what_it_has),
		cmocka_unit_test(newer_one_pushes_out_the_one_that_waits),
		cmocka_unit_test(restarted_client_is_sent_to_at_once),
		cmocka_unit_test(forgetful_peer_is_sent_to_when_it_answers),
		cmocka_unit_test(refusal_of_the_new_one_leaves_the_old_one),
		cmocka_unit_test(anonymous_pair_does_not_fade_beside_a_proved_one),
		cmocka_unit_test(kernel_that_fails_leaves_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
