#include "tests/unit/unit.h"

static void integers_are_big_endian(void **state)
{
	const struct unit_bytes in = unit_hex("01 0203 04050607 08090a0b0c0d0e0f ff");
	struct rd r = rd_over(unit_span(&in));

	(void)state;
	assert_int_equal(rd_u8(&r), 0x01);
	assert_int_equal(rd_u16(&r), 0x0203);
	assert_int_equal(rd_u32(&r), 0x04050607);
	assert_true(rd_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(rd_left(&r), 1);
	assert_true(rd_ok(&r));
	assert_false(rd_done(&r));
	assert_int_equal(rd_u8(&r), 0xff);
	assert_true(rd_done(&r));
}

static void first_short_read_sticks(void **state)
{
	const struct unit_bytes in = unit_hex("010203");
	struct rd r = rd_over(unit_span(&in));
	uint8_t copy[2] = { 7, 7 };

	(void)state;
	assert_int_equal(rd_u32(&r), 0);
	assert_false(rd_ok(&r));
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_u8(&r), 0);         /* the byte is there, but nobody may have it any more */
	assert_int_equal(rd_bytes(&r, 0).n, 0);
	assert_int_equal(rd_rest(&r).n, 0);
	rd_copy(&r, copy, sizeof copy);
	assert_int_equal(copy[0], 0);
	assert_int_equal(copy[1], 0);
	assert_false(rd_done(&r));
}

static void every_integer_stops_at_the_end(void **state)
{
	const struct unit_bytes in = unit_hex("ffffffff ffffffff");
	size_t n;

	(void)state;
	for (n = 0; n < 8; n++) {
		struct rd r8 = rd_over(span_of(in.b, n)), r16 = r8, r32 = r8, r64 = r8;

		(void)rd_u8(&r8);
		(void)rd_u16(&r16);
		(void)rd_u32(&r32);
		(void)rd_u64(&r64);
		assert_int_equal(rd_ok(&r8), n >= 1);
		assert_int_equal(rd_ok(&r16), n >= 2);
		assert_int_equal(rd_ok(&r32), n >= 4);
		assert_false(rd_ok(&r64));
	}
}

static void huge_length_is_only_a_short_read(void **state)
{
	const struct unit_bytes in = unit_hex("0102");
	struct rd r = rd_over(unit_span(&in));

	(void)state;
	assert_null(rd_bytes(&r, SIZE_MAX).p);
	assert_false(rd_ok(&r));
}

static void empty_input_is_whole(void **state)
{
	struct rd r = rd_over((struct span){ NULL, 0 });

	(void)state;
	assert_true(rd_done(&r));
	assert_int_equal(rd_rest(&r).n, 0);
	assert_true(rd_done(&r));
	assert_int_equal(rd_u8(&r), 0);
	assert_false(rd_ok(&r));
}

static void sub_reader_is_fenced(void **state)
{
	const struct unit_bytes in = unit_hex("0102 03");
	struct rd r = rd_over(unit_span(&in));
	struct rd sub = rd_sub(&r, 2);

	(void)state;
	assert_int_equal(rd_u16(&sub), 0x0102);
	assert_true(rd_done(&sub));
	(void)rd_u8(&sub);
	assert_false(rd_ok(&sub));
	assert_true(rd_ok(&r));                 /* what went wrong inside stays inside */
	assert_int_equal(rd_u8(&r), 3);
	sub = rd_sub(&r, 1);
	assert_false(rd_ok(&sub));
	assert_false(rd_ok(&r));
}

static void spans_compare(void **state)
{
	const uint8_t a[] = { 1, 2 }, b[] = { 1, 2 }, c[] = { 1, 3 };

	(void)state;
	assert_true(span_equal(span_of(a, 2), span_of(b, 2)));
	assert_false(span_equal(span_of(a, 2), span_of(c, 2)));
	assert_false(span_equal(span_of(a, 1), span_of(b, 2)));
	assert_true(span_equal(span_of(a, 0), (struct span){ NULL, 0 }));
}

static void writer_writes_what_reader_reads(void **state)
{
	const struct unit_bytes want = unit_hex("01 0203 04050607 08090a0b0c0d0e0f aabb");
	const uint8_t tail[] = { 0xaa, 0xbb };
	uint8_t buffer[17];
	struct wr w = wr_over(buffer, sizeof buffer);

	(void)state;
	wr_u8(&w, 0x01);
	wr_u16(&w, 0x0203);
	wr_u32(&w, 0x04050607);
	wr_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	wr_put(&w, span_of(tail, sizeof tail));
	assert_true(wr_ok(&w));                 /* exactly full is not too full */
	unit_assert_span(wr_span(&w), unit_span(&want));
}

static void full_writer_sticks_and_spoils_nothing(void **state)
{
	uint8_t buffer[4] = { 9, 9, 9, 9 };
	struct wr w = wr_over(buffer, 3);

	(void)state;
	wr_u16(&w, 0x0102);
	wr_u16(&w, 0x0304);
	assert_false(wr_ok(&w));
	wr_u8(&w, 5);                           /* would fit, but the message is broken already */
	assert_null(wr_reserve(&w, 0));
	assert_int_equal(w.n, 2);
	assert_int_equal(wr_span(&w).n, 0);
	assert_int_equal(buffer[2], 9);
	assert_int_equal(buffer[3], 9);
}

static void reserved_room_is_zero(void **state)
{
	uint8_t buffer[4] = { 9, 9, 9, 9 };
	struct wr w = wr_over(buffer, sizeof buffer);
	volatile size_t too_much = SIZE_MAX;    /* a constant makes the compiler warn of what cannot happen */

	(void)state;
	assert_ptr_equal(wr_reserve(&w, 3), buffer);
	assert_int_equal(buffer[0] | buffer[1] | buffer[2], 0);
	assert_int_equal(buffer[3], 9);
	assert_null(wr_reserve(&w, too_much));
	assert_false(wr_ok(&w));
}

static void patches_stay_inside_what_was_written(void **state)
{
	uint8_t buffer[8] = { 0 };
	struct wr w = wr_over(buffer, sizeof buffer);
	struct wr full;

	(void)state;
	wr_u32(&w, 0);
	full = w;
	wr_patch_u16(&w, 2, 0x0102);
	wr_patch_u32(&w, 0, 0x0a0b0c0d);
	assert_true(wr_ok(&w));
	assert_int_equal(buffer[0], 0x0a);
	assert_int_equal(buffer[3], 0x0d);
	wr_patch_u16(&w, 3, 0);                 /* the second byte was never written */
	assert_false(wr_ok(&w));

	w = full;
	wr_patch_u16(&w, SIZE_MAX, 0);
	assert_false(wr_ok(&w));
	w = wr_over(buffer, sizeof buffer);
	wr_patch_u16(&w, 0, 0);
	assert_false(wr_ok(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_big_endian),
		cmocka_unit_test(first_short_read_sticks),
		cmocka_unit_test(every_integer_stops_at_the_end),
		cmocka_unit_test(huge_length_is_only_a_short_read),
		cmocka_unit_test(empty_input_is_whole),
		cmocka_unit_test(sub_reader_is_fenced),
		cmocka_unit_test(spans_compare),
		cmocka_unit_test(writer_writes_what_reader_reads),
		cmocka_unit_test(full_writer_sticks_and_spoils_nothing),
		cmocka_unit_test(reserved_room_is_zero),
		cmocka_unit_test(patches_stay_inside_what_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
