/* The hash table: full, empty again, and with equal hashes. */
#include "tests/unit/unit.h"

#include "base/table.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_finds_what_is_in_it_and_nothing_else),
		cmocka_unit_test(equal_hashes_are_found_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
