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
	assert_int_equal(end->ends, 0);
	loses_all(&w, asked_ms + 7900);
	assert_int_equal(end->silent, 1);
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
		loses_all(&w, w.now_ms + 3000);
		sim_run_until(&w, w.now_ms + 20000);
		assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, round);
		assert_up(&w, CLIENT, sa);
	}
	ask_whether_it_lives(&w, sa);
	sim_run_until(&w, w.now_ms + 20000);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->silent, 2);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_told_once_and_then_is_the_end),
		cmocka_unit_test(late_answer_ends_the_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
