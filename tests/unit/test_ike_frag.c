/* Fragments: putting together what came, cutting what goes. */
#include "tests/unit/walk.h"

#include "ike/frag.h"
#include "wire/msg.h"

static enum ike_err add(struct frag_in *f, uint16_t number, uint16_t total, const char *text, struct frag_message *out)
{
	return frag_add(f, number, total, number == 1 ? PL_IDR : 0, span_of(text, strlen(text)), out);
}

static void assert_text(struct span s, const char *text)
{
	unit_assert_span(s, span_of(text, strlen(text)));
}

static void any_order_is_put_together(void **state)
{
	static const uint8_t orders[][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } };
	static const char *const text[] = { "", "first, ", "then, ", "last" };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct frag_in f = { 0 };
		struct frag_message m;

		for (unsigned k = 0; k < 3; k++) {
			assert_true(frag_wanted(&f, orders[i][k], 3));
			assert_int_equal(add(&f, orders[i][k], 3, text[orders[i][k]], &m), IKE_OK);
			assert_int_equal(m.complete, k == 2);
			assert_false(frag_wanted(&f, orders[i][k], 3));
		}
		assert_text(m.inner, "first, then, last");
		assert_int_equal(m.first, PL_IDR);
		frag_clear(&f);
		assert_null(f.store);
	}
}

static void single_fragment_is_a_message(void **state)
{
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	assert_int_equal(add(&f, 1, 1, "all", &m), IKE_OK);
	assert_true(m.complete);
	assert_text(m.inner, "all");
	frag_clear(&f);
	frag_clear(&f);
}

/* The next-payload field of later fragments must be zero; a wrong one there must not become the first type. */
static void only_fragment_one_names_the_first_payload(void **state)
{
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	assert_int_equal(frag_add(&f, 1, 2, PL_IDR, span_of("a", 1), &m), IKE_OK);
	assert_int_equal(frag_add(&f, 2, 2, PL_EAP, span_of("b", 1), &m), IKE_OK);
	assert_true(m.complete);
	assert_int_equal(m.first, PL_IDR);
	frag_clear(&f);
}

static void copies_are_ignored(void **state)
{
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	assert_int_equal(add(&f, 1, 2, "one", &m), IKE_OK);
	assert_int_equal(add(&f, 1, 2, "ONE", &m), IKE_E_STATE);
	assert_int_equal(add(&f, 2, 2, "two", &m), IKE_OK);
	assert_text(m.inner, "onetwo");
	assert_int_equal(add(&f, 2, 2, "TWO", &m), IKE_E_STATE);
	assert_false(m.complete);
	frag_clear(&f);
}

static void larger_total_starts_anew(void **state)
{
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	assert_int_equal(add(&f, 1, 2, "one", &m), IKE_OK);
	assert_true(frag_wanted(&f, 1, 3));
	assert_int_equal(add(&f, 2, 3, "b", &m), IKE_OK);
	assert_int_equal(add(&f, 3, 3, "c", &m), IKE_OK);
	assert_false(m.complete);
	assert_int_equal(add(&f, 1, 3, "a", &m), IKE_OK);
	assert_text(m.inner, "abc");
	frag_clear(&f);
}

static void smaller_total_is_ignored(void **state)
{
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	assert_int_equal(add(&f, 1, 3, "a", &m), IKE_OK);
	assert_false(frag_wanted(&f, 2, 2));
	assert_int_equal(add(&f, 2, 2, "x", &m), IKE_E_STATE);
	assert_int_equal(add(&f, 2, 3, "b", &m), IKE_OK);
	assert_int_equal(add(&f, 3, 3, "c", &m), IKE_OK);
	assert_text(m.inner, "abc");
	frag_clear(&f);
}

static void impossible_numbers_are_ignored(void **state)
{
	static const uint16_t bad[][2] = { { 0, 0 }, { 0, 1 }, { 2, 1 }, { 1, 0 }, { 1, FRAG_MAX + 1 }, { 65535, 65535 } };
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(frag_wanted(&f, bad[i][0], bad[i][1]));
		assert_int_equal(add(&f, bad[i][0], bad[i][1], "x", &m), IKE_E_STATE);
		assert_null(f.store);
	}
	assert_int_equal(add(&f, FRAG_MAX, FRAG_MAX, "x", &m), IKE_OK);
	frag_clear(&f);
}

static void total_size_is_bounded(void **state)
{
	static const uint8_t half[FRAG_BYTES_MAX / 2];
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	assert_int_equal(frag_add(&f, 1, 3, PL_IDR, span_of(half, sizeof half), &m), IKE_OK);
	assert_int_equal(frag_add(&f, 2, 3, 0, span_of(half, sizeof half), &m), IKE_OK);
	assert_int_equal(frag_add(&f, 3, 3, 0, span_of(half, 1), &m), IKE_E_LIMIT);
	assert_null(f.store);
	assert_int_equal(frag_add(&f, 1, 3, PL_IDR, span_of(half, sizeof half), &m), IKE_OK);
	assert_int_equal(frag_add(&f, 2, 3, 0, span_of(half, sizeof half), &m), IKE_OK);
	assert_int_equal(frag_add(&f, 3, 3, 0, (struct span){ NULL, 0 }, &m), IKE_OK);
	assert_true(m.complete);
	assert_int_equal(m.inner.n, FRAG_BYTES_MAX);
	frag_clear(&f);
}

static void empty_fragments_make_an_empty_message(void **state)
{
	struct frag_in f = { 0 };
	struct frag_message m;

	(void)state;
	assert_int_equal(add(&f, 1, 2, "", &m), IKE_OK);
	assert_int_equal(add(&f, 2, 2, "", &m), IKE_OK);
	assert_true(m.complete);
	assert_int_equal(m.inner.n, 0);
	frag_clear(&f);
}

/* RFC 7383 2.5.1: a datagram of 576 (IPv4) and 1280 (IPv6) bytes. */
static void room_in_a_datagram(void **state)
{
	(void)state;
	assert_int_equal(frag_sealed_room(&(struct frag_limit){ IP_V4, false, 576 }), 576 - 20 - 8 - 28 - 4 - 4);
	assert_int_equal(frag_sealed_room(&(struct frag_limit){ IP_V4, true, 576 }), 576 - 20 - 8 - 4 - 28 - 4 - 4);
	assert_int_equal(frag_sealed_room(&(struct frag_limit){ IP_V6, true, 1280 }), 1280 - 40 - 8 - 4 - 28 - 4 - 4);
	assert_int_equal(frag_sealed_room(&(struct frag_limit){ IP_V6, true, 88 }), 0);
	assert_int_equal(frag_sealed_room(&(struct frag_limit){ IP_V6, true, 0 }), 0);
	assert_true(frag_fits_whole(&(struct frag_limit){ IP_V4, false, 576 }, 516));
	assert_false(frag_fits_whole(&(struct frag_limit){ IP_V4, false, 576 }, 517));
	assert_false(frag_fits_whole(&(struct frag_limit){ IP_V4, false, 59 }, 0));
	assert_true(frag_fits_whole(&(struct frag_limit){ IP_V4, false, 60 }, 0));
}

/* The same figure, by writing such a message. */
static void full_fragment_fills_the_datagram_exactly(void **state)
{
	const struct frag_limit limit = { IP_V4, true, 576 };
	uint8_t buffer[1024];
	struct msg_wr m = msg_begin(buffer, sizeof buffer, &(struct ike_hdr){ .major = 2 });
	struct span out;

	(void)state;
	msg_payload_begin(&m, PL_SKF);
	wr_u32(&m.w, 0x00010002);
	(void)wr_reserve(&m.w, frag_sealed_room(&limit));
	msg_payload_end(&m);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_OK);
	assert_int_equal(20 + 8 + 4 + out.n, 576);
}

static void pieces_cover_the_whole(void **state)
{
	uint8_t all[300];

	(void)state;
	for (unsigned i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	for (size_t n = 0; n <= sizeof all; n++) {
		for (size_t chunk = 5; chunk < 310; chunk += 7) {
			unsigned count = frag_count(n, chunk);
			struct frag_in f = { 0 };
			struct frag_message m = { 0 };

			assert_in_range(count, 1, FRAG_MAX);
			for (unsigned k = 1; k <= count; k++) {
				struct span piece = frag_piece(span_of(all, n), chunk, k);

				assert_true(piece.n <= chunk);
				assert_int_equal(frag_add(&f, (uint16_t)k, (uint16_t)count, 0, piece, &m), IKE_OK);
			}
			assert_true(m.complete);
			unit_assert_span(m.inner, span_of(all, n));
			frag_clear(&f);
			assert_int_equal(frag_piece(span_of(all, n), chunk, 0).n, 0);
			assert_int_equal(frag_piece(span_of(all, n), chunk, count + 1).n, 0);
		}
	}
}

static void impossible_cuts_are_refused(void **state)
{
	(void)state;
	assert_int_equal(frag_count(1, 0), 0);
	assert_int_equal(frag_count(FRAG_MAX, 1), FRAG_MAX);
	assert_int_equal(frag_count(FRAG_MAX + 1, 1), 0);
	assert_int_equal(frag_count(SIZE_MAX, 1), 0);
	assert_int_equal(frag_piece(span_of("ab", 2), 0, 1).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_is_put_together),
		cmocka_unit_test(single_fragment_is_a_message),
		cmocka_unit_test(only_fragment_one_names_the_first_payload),
		cmocka_unit_test(copies_are_ignored),
		cmocka_unit_test(larger_total_starts_anew),
		cmocka_unit_test(smaller_total_is_ignored),
		cmocka_unit_test(impossible_numbers_are_ignored),
		cmocka_unit_test(total_size_is_bounded),
		cmocka_unit_test(empty_fragments_make_an_empty_message),
		cmocka_unit_test(room_in_a_datagram),
		cmocka_unit_test(full_fragment_fills_the_datagram_exactly),
		cmocka_unit_test(pieces_cover_the_whole),
		cmocka_unit_test(impossible_cuts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
