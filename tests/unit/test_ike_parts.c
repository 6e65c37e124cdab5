/* The parts of the core that have no protocol in them: the hash table, the timers, the message
 * window, the output queue. */
#include "tests/unit/unit.h"

#include "ike/msgid.h"
#include "ike/out.h"
#include "ike/table.h"
#include "ike/timers.h"

/* Table ---------------------------------------------------------------------------------------- */

enum { MANY = 5000 };

static void table_finds_what_is_in_it_and_nothing_else(void **state)
{
	static struct table_link links[MANY];
	struct table t;
	size_t i, full;

	(void)state;
	assert_int_equal(table_init(&t), IKE_OK);
	for (i = 0; i < MANY; i++)
		table_insert(&t, &links[i], i * 3);
	full = t.buckets;
	assert_in_range(full, MANY, 2 * MANY + 2);
	for (i = 0; i < MANY; i++) {
		assert_ptr_equal(table_first(&t, i * 3), &links[i]);
		assert_null(table_next(&links[i]));
		assert_null(table_first(&t, i * 3 + 1));
	}
	/* Given back when they go. */
	for (i = 0; i < MANY; i++)
		table_remove(&t, &links[i]);
	assert_int_equal(t.n, 0);
	assert_true(t.buckets < full / 8);
	table_remove(&t, &links[0]);
	assert_int_equal(t.n, 0);
	table_clear(&t);
}

static void equal_hashes_are_found_one_after_the_other(void **state)
{
	struct table_link a = { 0 }, b = { 0 }, other = { 0 };
	struct table_link *first, *second;
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t), IKE_OK);
	table_insert(&t, &a, 7);
	table_insert(&t, &other, 8);
	table_insert(&t, &b, 7);
	first = table_first(&t, 7);
	second = table_next(first);
	assert_true((first == &a && second == &b) || (first == &b && second == &a));
	assert_null(table_next(second));
	table_remove(&t, first);
	assert_ptr_equal(table_first(&t, 7), second);
	table_clear(&t);
}

/* Timers --------------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Set, move and stop at random, against a list that is searched. */
static void first_timer_is_always_the_earliest(void **state)
{
	enum { TIMERS = 40 };
	static struct timer timers[TIMERS];
	struct timers t = { 0 };
	uint32_t random = 1;

	(void)state;
	assert_int_equal(timers_reserve(&t, TIMERS), IKE_OK);
	for (unsigned step = 0; step < 20000; step++) {
		struct timer *first, *one = &timers[next_random(&random) % TIMERS];
		uint64_t earliest = NEVER_MS;

		timer_set(&t, one,
			  next_random(&random) % 4 == 0 ? NEVER_MS : next_random(&random) % 1000);
		for (unsigned i = 0; i < TIMERS; i++) {
			if (timers[i].at > 0 && timers[i].due_ms < earliest)
				earliest = timers[i].due_ms;
		}
		first = timers_first(&t);
		assert_int_equal(first ? first->due_ms : NEVER_MS, earliest);
	}
	timers_clear(&t);
}

/* Window --------------------------------------------------------------------------------------- */

static const struct ip_path somewhere;

static void window_lets_one_message_through(void **state)
{
	struct packet *reply = packet_new(&somewhere, 0), *request = packet_new(&somewhere, 0);
	struct window w;

	(void)state;
	window_init(&w);
	assert_int_equal(window_judge(&w, false, 0), WINDOW_NEW);
	assert_int_equal(window_judge(&w, false, 1), WINDOW_OUTSIDE);
	assert_int_equal(window_judge(&w, false, UINT32_MAX), WINDOW_OUTSIDE);
	/* Nobody has asked: no answer is expected. */
	assert_int_equal(window_judge(&w, true, 0), WINDOW_OUTSIDE);
	window_request_out(&w, request, 0);
	assert_int_equal(window_judge(&w, true, 0), WINDOW_NEW);
	assert_int_equal(window_judge(&w, true, 1), WINDOW_OUTSIDE);
	window_request_over(&w, true);
	assert_int_equal(window_judge(&w, true, 0), WINDOW_OUTSIDE);
	assert_int_equal(w.next_request, 1);
	window_reply_out(&w, reply, 0);
	assert_int_equal(window_judge(&w, false, 0), WINDOW_AGAIN);
	assert_int_equal(window_judge(&w, false, 1), WINDOW_NEW);
	/* Forgotten in the end (RFC 7296 2.1): then it is only old. */
	assert_null(window_tick(&w, REPLY_KEEP_MS));
	assert_int_equal(window_judge(&w, false, 0), WINDOW_OUTSIDE);
	assert_int_equal(window_due_ms(&w), NEVER_MS);
	window_clear(&w);
}

static void request_goes_again_ever_more_slowly(void **state)
{
	static const uint64_t at_ms[] = {
		200, 500, 950, 1625, 2637, 4155, 6432, 9847, 13847, 17847
	};
	struct packet *request = packet_new(&somewhere, 0);
	struct window w;

	(void)state;
	window_init(&w);
	window_request_out(&w, request, 0);
	for (unsigned i = 0; i < sizeof at_ms / sizeof *at_ms; i++) {
		assert_int_equal(window_due_ms(&w), at_ms[i]);
		assert_null(window_tick(&w, at_ms[i] - 1));
		assert_ptr_equal(window_tick(&w, at_ms[i]), request);
	}
	window_clear(&w);
}

/* Output queue --------------------------------------------------------------------------------- */

/* A chain of fragments whose owner lets go while the queue still holds them. */
static void packets_live_as_long_as_the_queue_needs_them(void **state)
{
	struct packet *p[3], *taken;
	struct out_queue q;

	(void)state;
	out_init(&q);
	for (unsigned i = 0; i < 3; i++) {
		p[i] = packet_new(&somewhere, 1);
		p[i]->bytes[0] = (uint8_t)i;
		if (i > 0)
			p[i - 1]->next = p[i];
	}
	packet_send(&q, p[0], &somewhere);
	packet_send(&q, p[0], &somewhere);          /* again, before they were taken: once is enough */
	packet_unref(p[0]);
	for (unsigned i = 0; i < 3; i++) {
		taken = (struct packet *)out_take(&q);
		assert_non_null(taken);
		assert_int_equal(taken->bytes[0], i);
		packet_unref(taken);
	}
	assert_null(out_take(&q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_finds_what_is_in_it_and_nothing_else),
		cmocka_unit_test(equal_hashes_are_found_one_after_the_other),
		cmocka_unit_test(first_timer_is_always_the_earliest),
		cmocka_unit_test(window_lets_one_message_through),
		cmocka_unit_test(request_goes_again_ever_more_slowly),
		cmocka_unit_test(packets_live_as_long_as_the_queue_needs_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
