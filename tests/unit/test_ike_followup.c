/* ML-KEM-768 in new keys: IKE_FOLLOWUP_KE after CREATE_CHILD_SA (RFC 9370 2.2.4), for the CHILD SA and for the IKE SA, from both ends and from
 * both at once; with a double of the same sizes in place of the mathematics. That both ends have the same keys, and that each packet finds an
 * SA, the world looks at.
 */
#include "ike/choose.h"
#include "tests/sim/kem_double.h"
#include "tests/unit/ladder.h"

enum { REQID = KERNEL_REQID_BASE | 1 };

/* In one piece each: what comes in fragments has its own ladders. */
static const struct ike_config hybrid = { .kem = &kem_double, .fragment_max = 1400 };

typedef enum ike_err (*rekey_command)(struct ike *ike, ike_handle sa, uint64_t now_ms);

static void start(struct sim_world *w, uint64_t seed)
{
	ike_handle sa;

	sim_init(w, seed, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	sa = sim_initiate(w, published(w), "host.example", LIFE_MS);
	sim_run_until(w, w->now_ms + 1000);
	assert_up(w, CLIENT, sa);
}

static void rekey(struct sim_world *w, enum sim_side side, rekey_command command)
{
	assert_int_equal(command(w->host[side].ike, w->host[side].ends[0].sa, w->now_ms), IKE_OK);
	sim_pump(w);
}

static void next(struct sim_world *w, enum sim_side from, enum ike_exchange exchange, bool response)
{
	arrives(w, from, exchange, response);
	assert_true(sim_reaches(w, CLIENT, REQID));
	assert_true(sim_reaches(w, SERVER, REQID));
}

static void assert_rekeyed(struct sim_world *w, unsigned n)
{
	sim_run_until(w, w->now_ms + 30000);
	for (unsigned side = 0; side < SIDES; side++) {
		const struct sim_end *end = &w->host[side].ends[0];

		assert_int_equal(end->rekeyed, n);
		assert_int_equal(end->kept + end->ends, 0);
		assert_int_equal(end->last.tunnel.ike_suite.addke1, GROUP_MLKEM_768);
		assert_int_equal(ike_load(w->host[side].ike).sas, 1);
		assert_int_equal(sim_sas(w, (enum sim_side)side), 1);
		assert_true(sim_reaches(w, (enum sim_side)side, REQID));
	}
	at_rest(w);
}

/* A --> B  SA, Ni, KEi ...      A <-- B  SA, Nr, KEr ..., N(ADDITIONAL_KEY_EXCHANGE)      A --> B  KEi(1), N      A <-- B  KEr(1) */
static void four_messages(struct sim_world *w, enum sim_side a, unsigned made_before)
{
	enum sim_side b = (enum sim_side)!a;

	next(w, a, EXCH_CREATE_CHILD_SA, REQUEST);
	next(w, b, EXCH_CREATE_CHILD_SA, RESPONSE);
	assert_int_equal(w->host[a].ends[0].rekeyed + w->host[b].ends[0].rekeyed, 2 * made_before);
	assert_int_equal(sim_sas(w, b), 1);                     /* nothing is made yet */
	next(w, a, EXCH_IKE_FOLLOWUP_KE, REQUEST);
	next(w, b, EXCH_IKE_FOLLOWUP_KE, RESPONSE);
	assert_int_equal(w->host[a].ends[0].rekeyed, made_before + 1);
	next(w, a, EXCH_INFORMATIONAL, REQUEST);                /* Delete */
	next(w, b, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(w);
	sim_run_until(w, w->now_ms + 5000);                     /* what was sent with the old one has arrived */
}

static void one_exchange_more_for_each_new_sa(void **state)
{
	struct sim_world w;

	(void)state;
	for (unsigned side = 0; side < SIDES; side++) {
		start(&w, 1);
		rekey(&w, (enum sim_side)side, ike_rekey_child);
		four_messages(&w, (enum sim_side)side, 0);
		rekey(&w, (enum sim_side)side, ike_rekey_ike);
		four_messages(&w, (enum sim_side)side, 1);
		/* Those of the new IKE SA, too. */
		rekey(&w, (enum sim_side)side, ike_rekey_child);
		four_messages(&w, (enum sim_side)side, 2);
		assert_rekeyed(&w, 3);
	}
}

static void each_message_may_be_lost(void **state)
{
	static const rekey_command commands[] = { ike_rekey_child, ike_rekey_ike };
	struct sim_world w;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		start(&w, 2);
		rekey(&w, CLIENT, commands[i % 2]);
		for (unsigned n = 0; n < i / 2; n++)
			sim_deliver(&w, sim_take(&w));
		free(sim_take(&w));
		assert_rekeyed(&w, 1);
	}
}

/* RFC 9370 2.2.4: the one that has lost does not go on, and nothing of it is left. */
static void of_two_at_once_one_goes_on(void **state)
{
	static const rekey_command commands[] = { ike_rekey_child, ike_rekey_ike };
	enum { SEEDS = 24 };

	(void)state;
	for (unsigned c = 0; c < 2; c++) {
		unsigned of_client = 0;

		for (unsigned seed = 1; seed <= SEEDS; seed++) {
			struct sim_world w;

			start(&w, seed);
			rekey(&w, CLIENT, commands[c]);
			rekey(&w, SERVER, commands[c]);
			next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
			next(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
			sim_deliver(&w, sim_take(&w));
			sim_deliver(&w, sim_take(&w));
			assert_non_null(w.wire);
			assert_null(w.wire->next);
			assert_int_equal(header_of(w.wire).exchange, EXCH_IKE_FOLLOWUP_KE);
			of_client += w.wire->from == CLIENT;
			assert_rekeyed(&w, 1);
		}
		assert_in_range(of_client, 3, SEEDS - 3);
	}
}

/* The request of one end is late: it comes when the other one has gone on. */
static void the_end_that_did_not_notice_goes_on(void **state)
{
	static const rekey_command commands[] = { ike_rekey_child, ike_rekey_ike };
	struct sim_world w;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct sim_datagram *late;

		start(&w, 3);
		rekey(&w, CLIENT, commands[i % 2]);
		late = take(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
		rekey(&w, SERVER, commands[i % 2]);
		for (unsigned n = 0; n < 2 + i / 2; n++)
			sim_deliver(&w, sim_take(&w));
		sim_deliver(&w, late);
		assert_rekeyed(&w, 1);
	}
}

/* What was agreed on is kept for a while, and other things wait for that long. */
static void peer_that_does_not_go_on_is_forgotten(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, 4);
	rekey(&w, CLIENT, ike_rekey_ike);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	free(take(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE));
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 2);
	sim_remove_host(&w, CLIENT);
	sim_run_until(&w, w.now_ms + 21000);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 1);
	sim_clear(&w);
}

static void end_in_the_midst_leaves_nothing(void **state)
{
	static const rekey_command commands[] = { ike_rekey_child, ike_rekey_ike };
	struct sim_world w;

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		enum sim_side side = (enum sim_side)(i / 2 % 2);

		start(&w, 5);
		rekey(&w, CLIENT, commands[i % 2]);
		for (unsigned n = 0; n < i / 4; n++)
			sim_deliver(&w, sim_take(&w));
		assert_int_equal(ike_close(w.host[side].ike, w.host[side].ends[0].sa, REASON_SHUTDOWN, w.now_ms), IKE_OK);
		sim_pump(&w);
		sim_run_until(&w, w.now_ms + 30000);
		assert_int_equal(ike_load(w.host[SERVER].ike).sas + ike_load(w.host[CLIENT].ike).sas, 0);
		at_rest(&w);
	}
}

/* A peer without ML-KEM: all as before. */
static void classical_peer_is_asked_for_nothing_more(void **state)
{
	struct ike_config plain = { .kem = NULL };
	struct sim_world w;

	(void)state;
	sim_init(&w, 6, IP_V4, &hybrid, &plain, KEY_ED25519, false);
	(void)bring_up(&w);
	rekey(&w, CLIENT, ike_rekey_ike);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	assert_int_equal(w.host[CLIENT].ends[0].rekeyed, 1);
	at_rest(&w);
}

/* A script at the other end: the link is not its own, or there was nothing to follow. */
static void link_of_nothing_is_not_found(void **state)
{
	static const uint8_t value[KEM_PUBLIC_LEN] = { 1 }, link[8] = { 1 };
	struct peer_message plain;
	struct pl_notify notify;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 7, IP_V4, &hybrid, &hybrid, KEY_ED25519, false);
	script_comes_up(&w, &p);
	m = peer_inner();
	pl_ke_write(&m, GROUP_MLKEM_768, span_of(value, sizeof value));
	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_ADDITIONAL_KEY_EXCHANGE, span_of(link, sizeof link));
	script_sends(&w, &p, EXCH_IKE_FOLLOWUP_KE, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_FOLLOWUP_KE, RESPONSE, &plain, &inner);
	assert_true(pl_notify_find(&inner, N_STATE_NOT_FOUND, &notify));
	assert_int_equal(w.host[SERVER].ends[0].ends, 0);
	peer_clear(&p);
	sim_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_exchange_more_for_each_new_sa),
		cmocka_unit_test(each_message_may_be_lost),
		cmocka_unit_test(of_two_at_once_one_goes_on),
		cmocka_unit_test(the_end_that_did_not_notice_goes_on),
		cmocka_unit_test(peer_that_does_not_go_on_is_forgotten),
		cmocka_unit_test(end_in_the_midst_leaves_nothing),
		cmocka_unit_test(classical_peer_is_asked_for_nothing_more),
		cmocka_unit_test(link_of_nothing_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
