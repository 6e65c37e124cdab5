/* Rekeying of the IKE SA: the CHILD SA and the handle go over to the new one, whoever asks, and also when both do at once. */
#include "tests/unit/ladder.h"

enum { REQID = KERNEL_REQID_BASE | 1 };

static ike_handle start(struct sim_world *w, uint64_t seed)
{
	sim_init(w, seed, IP_V4, NULL, NULL, KEY_ED25519, false);
	return bring_up(w);
}

static void rekey(struct sim_world *w, enum sim_side side)
{
	assert_int_equal(ike_rekey_ike(w->host[side].ike, w->host[side].ends[0].sa, w->now_ms), IKE_OK);
	sim_pump(w);
}

static void rekey_child(struct sim_world *w, enum sim_side side)
{
	assert_int_equal(ike_rekey_child(w->host[side].ike, w->host[side].ends[0].sa, w->now_ms), IKE_OK);
	sim_pump(w);
}

static const struct ike_tunnel *tunnel(const struct sim_world *w, enum sim_side side)
{
	return &w->host[side].ends[0].last.tunnel;
}

/* Both ends have the same IKE SA, another one than before, were told so n times, and can use it. */
static void assert_rekeyed(struct sim_world *w, unsigned n)
{
	sim_run_until(w, w->now_ms + 20000);
	for (unsigned side = 0; side < SIDES; side++) {
		const struct sim_end *end = &w->host[side].ends[0];

		assert_int_equal(w->host[side].n_ends, 1);
		assert_int_equal(end->rekeyed, n);
		assert_int_equal(end->kept + end->ends, 0);
		assert_int_equal(tunnel(w, (enum sim_side)side)->initiator, side == CLIENT);
		assert_int_equal(sim_sas(w, (enum sim_side)side), 1);
		assert_int_equal(ike_load(w->host[side].ike).sas, 1);
		assert_int_equal(ike_load(w->host[side].ike).established, 1);
	}
	unit_assert_span(span_of(tunnel(w, CLIENT)->spi_i, 8), span_of(tunnel(w, SERVER)->spi_i, 8));
	unit_assert_span(span_of(tunnel(w, CLIENT)->spi_r, 8), span_of(tunnel(w, SERVER)->spi_r, 8));
	/* The new one works, in both directions. */
	for (unsigned side = 0; side < SIDES; side++) {
		rekey_child(w, (enum sim_side)side);
		sim_run_until(w, w->now_ms + 10000);
		assert_int_equal(w->host[side].ends[0].rekeyed, n + 1 + side);
		assert_true(sim_reaches(w, (enum sim_side)side, REQID));
	}
	at_rest(w);
}

static void rekeys_from(enum sim_side a)
{
	enum sim_side b = (enum sim_side)!a;
	struct sim_world w;
	uint8_t old[8];

	(void)start(&w, 1);
	memcpy(old, tunnel(&w, a)->spi_i, 8);
	rekey(&w, a);
	/* A --> B  SA, Ni, KEi     A <-- B  SA, Nr, KEr     A --> B  D(old IKE SA)     A <-- B */
	arrives(&w, a, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_int_equal(w.host[b].ends[0].rekeyed, 1);
	arrives(&w, b, EXCH_CREATE_CHILD_SA, RESPONSE);
	assert_int_equal(w.host[a].ends[0].rekeyed, 1);
	arrives(&w, a, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, b, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	assert_memory_not_equal(old, tunnel(&w, a)->spi_i, 8);
	assert_rekeyed(&w, 1);
}

static void client_rekeys(void **state)
{
	(void)state;
	rekeys_from(CLIENT);
}

static void server_rekeys(void **state)
{
	(void)state;
	rekeys_from(SERVER);
}

static void many_times_from_both_ends(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 2);
	for (unsigned i = 0; i < 10; i++) {
		rekey(&w, i % 3 ? CLIENT : SERVER);
		sim_run_until(&w, w.now_ms + 1000);
	}
	assert_rekeyed(&w, 10);
}

static void lost_answer_is_repeated(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 3);
	rekey(&w, CLIENT);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	is_lost(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	wait_for_send(&w, 1000);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	assert_rekeyed(&w, 1);
}

static void of_two_new_ones_one_stays(void **state)
{
	enum { SEEDS = 24 };
	unsigned client_won = 0;

	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct sim_world w;

		(void)start(&w, seed);
		rekey(&w, CLIENT);
		rekey(&w, SERVER);
		arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
		arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
		arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
		/* Whoever asked for the one that stays deletes the old one; the other one deletes its own. */
		client_won += memcmp(header_of(w.wire->next).spi_i, header_of(w.wire).spi_i, 8) == 0;
		assert_rekeyed(&w, 1);
	}
	assert_in_range(client_won, 3, SEEDS - 3);
}

static void the_end_that_did_not_notice_says_not_now(void **state)
{
	struct sim_datagram *late;
	struct sim_world w;

	(void)state;
	(void)start(&w, 5);
	rekey(&w, CLIENT);
	late = take(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	rekey(&w, SERVER);
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
	/* I <-- R  D(old IKE SA)       crosses       I --> R  the request for the old one */
	sim_deliver(&w, late);
	assert_rekeyed(&w, 1);
}

/* RFC 7296 2.25.2: one of the two has to wait, and neither is lost. */
static void child_and_ike_at_once(void **state)
{
	struct sim_world w;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		(void)start(&w, 6);
		rekey(&w, i ? CLIENT : SERVER);
		rekey_child(&w, i ? SERVER : CLIENT);
		sim_run_until(&w, w.now_ms + 20000);
		assert_rekeyed(&w, 2);
	}
}

static void both_are_asked_for_at_one_end(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 7);
	rekey(&w, CLIENT);
	rekey_child(&w, CLIENT);
	sim_run_until(&w, w.now_ms + 20000);
	assert_int_equal(w.host[CLIENT].ends[0].rekeyed, 2);
	assert_rekeyed(&w, 2);
}

static void end_while_rekeying_ends_all(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	for (unsigned side = 0; side < SIDES; side++) {
		sa = start(&w, 8);
		rekey(&w, CLIENT);
		assert_int_equal(ike_close(w.host[side].ike, w.host[side].ends[0].sa, REASON_SHUTDOWN, w.now_ms), IKE_OK);
		sim_pump(&w);
		sim_run_until(&w, w.now_ms + 20000);
		assert_closed(&w, CLIENT, sa, side == CLIENT ? REASON_SHUTDOWN : REASON_PEER_REFUSED);
		assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, side == SERVER ? REASON_SHUTDOWN : REASON_PEER_REFUSED);
		assert_int_equal(ike_load(w.host[SERVER].ike).sas + ike_load(w.host[CLIENT].ike).sas, 0);
		at_rest(&w);
	}
}

static void refusal_keeps_the_old_one_and_is_told(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 9, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	rekey(&w, SERVER);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, REQUEST, &plain, &inner);
	m = peer_inner();
	peer_write_notify(&m, N_NO_ADDITIONAL_SAS);
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 0, RESPONSE, &m);
	assert_int_equal(w.host[SERVER].ends[0].kept, 1);
	assert_true(w.host[SERVER].ends[0].last.ike_sa);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 1);
	peer_clear(&p);
	sim_clear(&w);
}

/* A peer that never deletes the old one, or never uses the new one. */
static void empty_ones_are_deleted_by_us(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 10);
	rekey(&w, CLIENT);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 2);
	while (w.wire)
		free(sim_take(&w));
	sim_remove_host(&w, CLIENT);
	sim_run_until(&w, w.now_ms + 80000);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 1);
	assert_int_equal(ike_load(w.host[SERVER].ike).established, 1);
	sim_clear(&w);
}

static void full_table_is_no_obstacle(void **state)
{
	struct ike_config one = { .sas_max = 1 };
	struct sim_world w;

	(void)state;
	sim_init(&w, 11, IP_V4, &one, &one, KEY_ED25519, false);
	(void)bring_up(&w);
	rekey(&w, SERVER);
	assert_rekeyed(&w, 1);
}

/* The request for a new IKE SA comes in two pieces, and of the one before it a copy of the second piece had come late. */
static void late_fragment_is_no_part_of_the_next_message(void **state)
{
	struct ike_config small = { .fragment_max = 300 };
	struct sim_datagram *second;
	struct sim_world w;

	(void)state;
	sim_init(&w, 12, IP_V4, &small, &small, KEY_ED25519, false);
	w.host[SERVER].decides_after_ms = 10;
	(void)sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	second = take(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	sim_deliver(&w, sim_copy(second));
	sim_deliver(&w, second);
	sim_run_until(&w, w.now_ms + 100);
	rekey(&w, CLIENT);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_rekeyed(&w, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_rekeys),
		cmocka_unit_test(server_rekeys),
		cmocka_unit_test(many_times_from_both_ends),
		cmocka_unit_test(lost_answer_is_repeated),
		cmocka_unit_test(of_two_new_ones_one_stays),
		cmocka_unit_test(the_end_that_did_not_notice_says_not_now),
		cmocka_unit_test(child_and_ike_at_once),
		cmocka_unit_test(both_are_asked_for_at_one_end),
		cmocka_unit_test(end_while_rekeying_ends_all),
		cmocka_unit_test(refusal_keeps_the_old_one_and_is_told),
		cmocka_unit_test(empty_ones_are_deleted_by_us),
		cmocka_unit_test(full_table_is_no_obstacle),
		cmocka_unit_test(late_fragment_is_no_part_of_the_next_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
