#include "tests/unit/unit.h"

#include "proto/resolver_proto.h"

static struct span hello_round_trip(uint8_t *to, size_t max)
{
	struct rp_message m = { .type = RP_HELLO, .u.hello = { 1, 1 } };
	struct wr w = wr_over(to, max);

	assert_int_equal(rp_write(&m, &w), IKE_OK);
	return wr_span(&w);
}

static void hello_is_written_as_documented(void **state)
{
	const struct unit_bytes want = unit_hex("01 01 0000 00000000  0001 0002 01 01");
	uint8_t buffer[64];
	struct rp_message back;
	struct span got = hello_round_trip(buffer, sizeof buffer);

	(void)state;
	unit_assert_span(got, unit_span(&want));
	assert_int_equal(rp_read(got, &back), IKE_OK);
	assert_int_equal(back.type, RP_HELLO);
	assert_int_equal(back.u.hello.version_max, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_is_written_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
