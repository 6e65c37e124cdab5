/* Stateless cookies. */
#include "tests/unit/walk.h"

#include "crypto/prf.h"
#include "ike/cookie.h"

static void count_up(void *arg, void *to, size_t n)
{
	uint8_t *next = arg;
	uint8_t *p = to;

	while (n-- > 0)
		*p++ = (*next)++;
}

static uint8_t next_byte;
static const struct rng rng = { count_up, &next_byte };

struct request {
	struct unit_bytes ni;
	struct ip_addr from;
	uint8_t spi_i[8];
};

static struct request some_request(void)
{
	struct request r = { .ni = unit_hex("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"), .spi_i = { 1, 2, 3, 4, 5, 6, 7, 8 } };

	assert_int_equal(ip_from_text("192.0.2.1", &r.from), IKE_OK);
	return r;
}

static struct cookie_jar new_jar(uint64_t now_ms)
{
	struct cookie_jar jar;

	next_byte = 0;
	cookie_init(&jar, &rng, now_ms);
	return jar;
}

static void make(const struct cookie_jar *jar, const struct request *r, uint8_t out[COOKIE_LEN])
{
	assert_int_equal(cookie_make(jar, unit_span(&r->ni), &r->from, r->spi_i, out), IKE_OK);
}

static bool check(const struct cookie_jar *jar, const struct request *r, const uint8_t cookie[COOKIE_LEN])
{
	return cookie_check(jar, span_of(cookie, COOKIE_LEN), unit_span(&r->ni), &r->from, r->spi_i);
}

static void cookie_is_version_and_prf(void **state)
{
	struct cookie_jar jar = new_jar(0);
	struct request r = some_request();
	struct unit_bytes key = unit_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	struct unit_bytes text = unit_hex("04 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf c0000201 0102030405060708");
	struct span part = unit_span(&text);
	struct secret sum;
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	make(&jar, &r, cookie);
	assert_int_equal(cookie[0], 0);
	assert_int_equal(prf_sum(PRF_HMAC_SHA2_256, unit_span(&key), &part, 1, &sum), IKE_OK);
	unit_assert_span(span_of(cookie + 1, COOKIE_LEN - 1), secret_span(&sum));
	assert_true(check(&jar, &r, cookie));
}

static void every_part_of_the_request_counts(void **state)
{
	struct cookie_jar jar = new_jar(0);
	struct request r = some_request(), other;
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	make(&jar, &r, cookie);
	other = r;
	other.ni.b[15] ^= 1;
	assert_false(check(&jar, &other, cookie));
	other = r;
	other.ni.n--;
	assert_false(check(&jar, &other, cookie));
	other = r;
	other.from.b[3] ^= 1;
	assert_false(check(&jar, &other, cookie));
	other = r;
	other.spi_i[0] ^= 1;
	assert_false(check(&jar, &other, cookie));
	for (unsigned i = 0; i < COOKIE_LEN; i++) {
		cookie[i] ^= 0x80;
		assert_false(check(&jar, &r, cookie));
		cookie[i] ^= 0x80;
	}
}

/* Without the family in it a cookie for [2001:db8::c000:201] was one for 192.0.2.1 and a longer nonce. */
static void cookie_of_an_ipv6_address_is_none_for_an_ipv4_address(void **state)
{
	struct cookie_jar jar = new_jar(0);
	struct request r = some_request(), forged = some_request();
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	assert_int_equal(ip_from_text("2001:db8::c000:201", &r.from), IKE_OK);
	make(&jar, &r, cookie);
	memcpy(forged.ni.b + forged.ni.n, r.from.b, 12);
	forged.ni.n += 12;
	assert_memory_equal(forged.from.b, r.from.b + 12, 4);
	assert_false(check(&jar, &forged, cookie));
}

static void other_lengths_are_refused(void **state)
{
	struct cookie_jar jar = new_jar(0);
	struct request r = some_request();
	uint8_t cookie[COOKIE_LEN + 1] = { 0 };

	(void)state;
	make(&jar, &r, cookie);
	for (size_t n = 0; n <= sizeof cookie; n++)
		assert_int_equal(cookie_check(&jar, span_of(cookie, n), unit_span(&r.ni), &r.from, r.spi_i),
				 n == COOKIE_LEN);
}

static void cookie_is_good_for_one_to_two_lives_of_the_secret(void **state)
{
	struct cookie_jar jar = new_jar(1000);
	struct request r = some_request();
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	make(&jar, &r, cookie);
	cookie_refresh(&jar, &rng, 1000 + COOKIE_LIFE_MS - 1);
	assert_int_equal(jar.version, 0);
	cookie_refresh(&jar, &rng, 1000 + COOKIE_LIFE_MS);
	assert_int_equal(jar.version, 1);
	assert_true(check(&jar, &r, cookie));
	cookie_refresh(&jar, &rng, 1000 + 2 * COOKIE_LIFE_MS);
	assert_int_equal(jar.version, 2);
	assert_false(check(&jar, &r, cookie));
}

static void secret_left_alone_too_long_is_not_kept(void **state)
{
	struct cookie_jar jar = new_jar(0);
	struct request r = some_request();
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	make(&jar, &r, cookie);
	cookie_refresh(&jar, &rng, 2 * COOKIE_LIFE_MS);
	assert_false(check(&jar, &r, cookie));
}

static void clock_that_goes_back_changes_nothing(void **state)
{
	struct cookie_jar jar = new_jar(5000);

	(void)state;
	cookie_refresh(&jar, &rng, 0);
	assert_int_equal(jar.version, 0);
}

static void version_wraps(void **state)
{
	struct cookie_jar jar = new_jar(0);
	struct request r = some_request();
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	for (uint64_t i = 1; i <= 255; i++)
		cookie_refresh(&jar, &rng, i * COOKIE_LIFE_MS);
	assert_int_equal(jar.version, 255);
	make(&jar, &r, cookie);
	cookie_refresh(&jar, &rng, 256 * (uint64_t)COOKIE_LIFE_MS);
	assert_int_equal(jar.version, 0);
	assert_true(check(&jar, &r, cookie));
}

/* A new jar has no secret before its first: version 255 must not be checked with an empty key. */
static void missing_older_secret_checks_nothing(void **state)
{
	struct cookie_jar jar = new_jar(0), empty = { .version = 255 };
	struct request r = some_request();
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	make(&empty, &r, cookie);
	assert_int_equal(cookie[0], 255);
	assert_false(check(&jar, &r, cookie));
}

static void cleared_jar_keeps_no_secret(void **state)
{
	struct cookie_jar jar = new_jar(0);

	(void)state;
	cookie_refresh(&jar, &rng, COOKIE_LIFE_MS);
	cookie_clear(&jar);
	assert_int_equal(jar.now.n, 0);
	assert_int_equal(jar.before.n, 0);
	for (unsigned i = 0; i < SECRET_MAX; i++)
		assert_int_equal(jar.now.b[i] | jar.before.b[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookie_is_version_and_prf),
		cmocka_unit_test(every_part_of_the_request_counts),
		cmocka_unit_test(cookie_of_an_ipv6_address_is_none_for_an_ipv4_address),
		cmocka_unit_test(other_lengths_are_refused),
		cmocka_unit_test(cookie_is_good_for_one_to_two_lives_of_the_secret),
		cmocka_unit_test(secret_left_alone_too_long_is_not_kept),
		cmocka_unit_test(clock_that_goes_back_changes_nothing),
		cmocka_unit_test(version_wraps),
		cmocka_unit_test(missing_older_secret_checks_nothing),
		cmocka_unit_test(cleared_jar_keeps_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
