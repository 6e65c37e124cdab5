/* The parts of the core that have no protocol in them: the message window, the output queue. */
#include "tests/unit/unit.h"

#include "base/timers.h"
#include "ike/msgid.h"
#include "ike/out.h"

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
		cmocka_unit_test(window_lets_one_message_through),
		cmocka_unit_test(request_goes_again_ever_more_slowly),
		cmocka_unit_test(packets_live_as_long_as_the_queue_needs_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
