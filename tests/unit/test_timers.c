/* The heap of timers, against a list that is searched. */
#include "tests/unit/unit.h"

#include "base/timers.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_timer_is_always_the_earliest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
