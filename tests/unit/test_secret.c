#include "tests/unit/unit.h"

#include "base/secret.h"

static bool all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n > 0)
		if (b[--n] != 0)
			return false;
	return true;
}

static void set_takes_a_copy(void **state)
{
	uint8_t key[32];
	struct secret s;

	(void)state;
	memset(key, 0xa5, sizeof key);
	assert_int_equal(secret_set(&s, span_of(key, sizeof key)), IKE_OK);
	key[0] = 0;
	assert_int_equal(secret_span(&s).n, 32);
	assert_int_equal(secret_span(&s).p[0], 0xa5);
}

static void set_takes_up_to_64_bytes(void **state)
{
	uint8_t key[SECRET_MAX + 1];
	struct secret s;

	(void)state;
	memset(key, 0xa5, sizeof key);
	assert_int_equal(secret_set(&s, span_of(key, SECRET_MAX)), IKE_OK);
	assert_int_equal(s.n, SECRET_MAX);
	assert_int_equal(secret_set(&s, span_of(key, SECRET_MAX + 1)), IKE_E_NOSPACE);
	assert_true(all_zero(&s, sizeof s));    /* nothing of the former one is left either */
	assert_int_equal(secret_set(&s, (struct span){ NULL, 0 }), IKE_OK);
	assert_int_equal(s.n, 0);
}

static void clear_leaves_nothing(void **state)
{
	struct secret s;

	(void)state;
	memset(&s, 0xa5, sizeof s);
	secret_clear(&s);
	assert_true(all_zero(&s, sizeof s));
	secret_clear(&s);
	assert_true(all_zero(&s, sizeof s));
}

static void move_leaves_nothing_behind(void **state)
{
	struct secret from, to, want;

	(void)state;
	memset(&to, 0x5a, sizeof to);
	assert_int_equal(secret_set(&from, span_of("0123456789abcdef", 16)), IKE_OK);
	want = from;
	secret_move(&to, &from);
	assert_true(all_zero(&from, sizeof from));
	assert_int_equal(to.n, 16);
	assert_memory_equal(to.b, want.b, 16);
	assert_true(all_zero(to.b + 16, SECRET_MAX - 16));

	secret_move(&to, &to);
	assert_int_equal(to.n, 16);
}

static void equal_means_length_and_every_byte(void **state)
{
	uint8_t a[32] = { 1 }, b[32] = { 1 };
	size_t i;

	(void)state;
	assert_true(secret_eq(span_of(a, 32), span_of(b, 32)));
	assert_false(secret_eq(span_of(a, 32), span_of(b, 31)));
	assert_true(secret_eq(span_of(a, 0), span_of(b, 0)));
	for (i = 0; i < 32; i++) {
		b[i] ^= 0x80;
		assert_false(secret_eq(span_of(a, 32), span_of(b, 32)));
		b[i] ^= 0x80;
	}
}

static void wipe_stays_within_its_length(void **state)
{
	uint8_t b[4] = { 1, 2, 3, 4 };

	(void)state;
	secret_wipe(b, 0);
	assert_int_equal(b[0], 1);
	secret_wipe(b, 3);
	assert_true(all_zero(b, 3));
	assert_int_equal(b[3], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_takes_a_copy),
		cmocka_unit_test(set_takes_up_to_64_bytes),
		cmocka_unit_test(clear_leaves_nothing),
		cmocka_unit_test(move_leaves_nothing_behind),
		cmocka_unit_test(equal_means_length_and_every_byte),
		cmocka_unit_test(wipe_stays_within_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
