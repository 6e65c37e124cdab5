#include "tests/unit/unit.h"

#include "kernel/xfrm_idle.h"

static struct sa_traffic look(struct idle_table *table, uint32_t reqid, uint32_t spi, uint64_t now_s, uint64_t in, uint64_t out)
{
	struct sa_traffic t = { .packets_in = in, .packets_out = out, .idle_in_s = 99, .idle_out_s = 99 };

	idle_update(table, reqid, spi, spi + 1, now_s, &t);
	return t;
}

static void first_look_knows_nothing_and_says_busy(void **state)
{
	struct idle_table table = { .buckets = { NULL } };
	struct sa_traffic t = look(&table, 7, 1, 5000, 10, 20);

	(void)state;
	assert_int_equal(t.idle_in_s, 0);
	assert_int_equal(t.idle_out_s, 0);
	idle_clear(&table);
}

static void each_direction_counts_from_its_last_change(void **state)
{
	struct idle_table table = { .buckets = { NULL } };
	struct sa_traffic t;

	(void)state;
	(void)look(&table, 7, 1, 5000, 10, 20);
	t = look(&table, 7, 1, 5060, 10, 21);
	assert_int_equal(t.idle_in_s, 60);
	assert_int_equal(t.idle_out_s, 0);
	t = look(&table, 7, 1, 5090, 10, 21);
	assert_int_equal(t.idle_in_s, 90);
	assert_int_equal(t.idle_out_s, 30);
	idle_clear(&table);
}

static void pairs_of_one_reqid_and_of_one_bucket_are_apart(void **state)
{
	struct idle_table table = { .buckets = { NULL } };

	(void)state;
	(void)look(&table, 7, 1, 5000, 1, 1);
	(void)look(&table, 7, 5, 5010, 1, 1);
	(void)look(&table, 7 + 256, 1, 5020, 1, 1);
	assert_int_equal(look(&table, 7, 1, 5030, 1, 1).idle_in_s, 30);
	assert_int_equal(look(&table, 7, 5, 5030, 1, 1).idle_in_s, 20);
	assert_int_equal(look(&table, 7 + 256, 1, 5030, 1, 1).idle_in_s, 10);

	idle_forget(&table, 7, 5);
	assert_int_equal(look(&table, 7, 5, 5030, 1, 1).idle_in_s, 0);
	assert_int_equal(look(&table, 7, 1, 5030, 1, 1).idle_in_s, 30);
	idle_forget(&table, 7, 0);
	assert_int_equal(look(&table, 7, 1, 5030, 1, 1).idle_in_s, 0);
	assert_int_equal(look(&table, 7 + 256, 1, 5030, 1, 1).idle_in_s, 10);
	idle_clear(&table);
	assert_int_equal(look(&table, 7 + 256, 1, 5030, 1, 1).idle_in_s, 0);
	idle_clear(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_look_knows_nothing_and_says_busy),
		cmocka_unit_test(each_direction_counts_from_its_last_change),
		cmocka_unit_test(pairs_of_one_reqid_and_of_one_bucket_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
