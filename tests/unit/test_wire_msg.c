/* The header and the chain of payloads. */
#include "tests/unit/walk.h"

#include "wire/msg.h"
#include "wire/payloads.h"

/* HDR, N(COOKIE), Ni, V: a request in the shape of RFC 7296 2.6. */
#define HDR "0102030405060708 0000000000000000 29 20 22 08 00000000 00000040"
#define COOKIE "28 00 000c 00 00 4006 c00c1e55"
#define NONCE "2b 00 0014 000102030405060708090a0b0c0d0e0f"
#define VENDOR "00 00 0004"
#define REQUEST HDR COOKIE NONCE VENDOR

static void header_is_read(void **state)
{
	struct unit_bytes b = unit_hex(REQUEST);
	struct ike_hdr h;

	(void)state;
	assert_int_equal(b.n, 0x40);
	assert_int_equal(ike_hdr_read(unit_span(&b), &h), IKE_OK);
	assert_span(span_of(h.spi_i, 8), "0102030405060708");
	assert_span(span_of(h.spi_r, 8), "0000000000000000");
	assert_int_equal(h.next_payload, PL_NOTIFY);
	assert_int_equal(h.major, 2);
	assert_int_equal(h.minor, 0);
	assert_int_equal(h.exchange, EXCH_IKE_SA_INIT);
	assert_int_equal(h.flags, IKE_FLAG_INITIATOR);
	assert_int_equal(h.message_id, 0);
	assert_int_equal(h.length, 0x40);
}

/* RFC 7296 2.5: a higher version gets an answer, so the header must be readable. */
static void other_versions_and_exchanges_are_read(void **state)
{
	struct unit_bytes b = unit_hex("0102030405060708 1112131415161718 00 3f f0 ff fffffffe 0000001c");
	struct ike_hdr h;

	(void)state;
	assert_int_equal(ike_hdr_read(unit_span(&b), &h), IKE_OK);
	assert_int_equal(h.major, 3);
	assert_int_equal(h.minor, 15);
	assert_int_equal(h.exchange, 0xf0);
	assert_int_equal(h.flags, 0xff);
	assert_int_equal(h.message_id, 0xfffffffe);
}

static void length_must_be_the_datagrams(void **state)
{
	struct unit_bytes b = unit_hex(REQUEST);
	struct ike_hdr h;

	(void)state;
	b.b[27] = 0x3f;
	assert_int_equal(ike_hdr_read(unit_span(&b), &h), IKE_E_SYNTAX);
	assert_int_equal(h.length, 0);
	b.b[27] = 0x41;
	assert_int_equal(ike_hdr_read(unit_span(&b), &h), IKE_E_SYNTAX);
	b.b[27] = 0x40;
	b.b[24] = 0x80;
	assert_int_equal(ike_hdr_read(unit_span(&b), &h), IKE_E_SYNTAX);
}

static void header_refuses(struct span prefix, void *arg)
{
	struct ike_hdr h;

	(void)arg;
	assert_int_equal(ike_hdr_read(prefix, &h), IKE_E_SYNTAX);
}

static void cut_message_is_refused(void **state)
{
	struct unit_bytes b = unit_hex(REQUEST);

	(void)state;
	with_prefixes(unit_span(&b), header_refuses, NULL);
	with_copy((struct span){ NULL, 0 }, header_refuses, NULL);
}

static struct span behind_header(const struct unit_bytes *b)
{
	return span_of(b->b + IKE_HDR_LEN, b->n - IKE_HDR_LEN);
}

static void chain_is_read(void **state)
{
	struct unit_bytes b = unit_hex(REQUEST);
	struct msg_chain c;

	(void)state;
	assert_int_equal(msg_chain_read(PL_NOTIFY, behind_header(&b), &c), IKE_OK);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.after, 0);
	assert_int_equal(c.payload[0].type, PL_NOTIFY);
	assert_span(c.payload[0].body, "00 00 4006 c00c1e55");
	assert_int_equal(c.payload[1].type, PL_NONCE);
	assert_span(c.payload[1].body, "000102030405060708090a0b0c0d0e0f");
	assert_int_equal(c.payload[2].type, PL_VENDOR);
	assert_int_equal(c.payload[2].body.n, 0);
	assert_ptr_equal(msg_find(&c, PL_NONCE), &c.payload[1]);
	assert_null(msg_find(&c, PL_KE));
	assert_int_equal(msg_count(&c, PL_NOTIFY), 1);
	assert_int_equal(msg_count(&c, PL_KE), 0);
}

static void chain_refuses(struct span bytes, void *arg)
{
	struct msg_chain c;

	(void)arg;
	assert_int_equal(msg_chain_read(PL_NOTIFY, bytes, &c), IKE_E_SYNTAX);
	assert_int_equal(c.n, 0);
}

static void cut_chain_is_refused(void **state)
{
	struct unit_bytes b = unit_hex(REQUEST);

	(void)state;
	with_prefixes(behind_header(&b), chain_refuses, NULL);
}

static void lengths_below_four_are_refused(void **state)
{
	struct unit_bytes b;

	(void)state;
	b = unit_hex("00 00 0000");
	chain_refuses(unit_span(&b), NULL);
	b = unit_hex("29 00 0000 00 00 0004");
	chain_refuses(unit_span(&b), NULL);
	b = unit_hex("00 00 0003");
	chain_refuses(unit_span(&b), NULL);
}

static void lengths_beyond_the_end_are_refused(void **state)
{
	struct unit_bytes b;

	(void)state;
	b = unit_hex("00 00 0005");
	chain_refuses(unit_span(&b), NULL);
	b = unit_hex("00 00 ffff 0000");
	chain_refuses(unit_span(&b), NULL);
	/* The first payload swallows the start of the second. */
	b = unit_hex("29 00 0006 00 00 0004");
	chain_refuses(unit_span(&b), NULL);
}

static void bytes_left_over_are_refused(void **state)
{
	struct unit_bytes b;
	struct msg_chain c;

	(void)state;
	b = unit_hex("00 00 0004 00");
	chain_refuses(unit_span(&b), NULL);
	b = unit_hex("00");
	assert_int_equal(msg_chain_read(PL_NONE, unit_span(&b), &c), IKE_E_SYNTAX);
	assert_int_equal(msg_chain_read(PL_NONE, (struct span){ NULL, 0 }, &c), IKE_OK);
	assert_int_equal(c.n, 0);
}

static void sealed_payload_ends_the_chain(void **state)
{
	struct unit_bytes b = unit_hex("2e 00 0006 aabb 23 00 0008 01020304");
	struct msg_chain c;

	(void)state;
	assert_int_equal(msg_chain_read(PL_NOTIFY, unit_span(&b), &c), IKE_OK);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.payload[1].type, PL_SK);
	assert_int_equal(c.after, PL_IDI);
	assert_span(c.payload[1].body, "01020304");
}

static void sealed_payload_that_is_not_last_is_refused(void **state)
{
	struct unit_bytes b = unit_hex("23 00 0008 01020304 00 00 0004");
	struct msg_chain c;

	(void)state;
	assert_int_equal(msg_chain_read(PL_SK, unit_span(&b), &c), IKE_E_SYNTAX);
	assert_int_equal(msg_chain_read(PL_SKF, unit_span(&b), &c), IKE_E_SYNTAX);
}

/* RFC 7383 2.5: in later fragments the field is 0. */
static void later_fragment_has_no_inner_type(void **state)
{
	struct unit_bytes b = unit_hex("00 00 000a 0002 0003 abcd");
	struct msg_chain c;
	struct pl_skf f;

	(void)state;
	assert_int_equal(msg_chain_read(PL_SKF, unit_span(&b), &c), IKE_OK);
	assert_int_equal(c.after, 0);
	assert_int_equal(pl_skf_read(c.payload[0].body, &f), IKE_OK);
	assert_int_equal(f.number, 2);
	assert_int_equal(f.total, 3);
	assert_span(f.rest, "abcd");
}

static void critical_bit_is_told_and_reserved_bits_are_ignored(void **state)
{
	struct unit_bytes b = unit_hex("c8 7f 0005 01 00 80 0004");
	struct msg_chain c;

	(void)state;
	assert_int_equal(msg_chain_read(200, unit_span(&b), &c), IKE_OK);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.payload[0].type, 200);
	assert_false(c.payload[0].critical);
	assert_true(c.payload[1].critical);
}

static void many_payloads(void **state)
{
	struct unit_bytes b = { 0 };
	struct msg_chain c;

	(void)state;
	for (unsigned i = 0; i < MSG_PAYLOADS_MAX; i++) {
		b.b[4 * i] = i + 1 < MSG_PAYLOADS_MAX ? PL_VENDOR : PL_NONE;
		b.b[4 * i + 3] = 4;
	}
	b.n = 4 * MSG_PAYLOADS_MAX;
	assert_int_equal(msg_chain_read(PL_VENDOR, unit_span(&b), &c), IKE_OK);
	assert_int_equal(c.n, MSG_PAYLOADS_MAX);
	b.b[b.n - 4] = PL_VENDOR;
	b.b[b.n + 3] = 4;
	b.n += 4;
	assert_int_equal(msg_chain_read(PL_VENDOR, unit_span(&b), &c), IKE_E_NOSPACE);
	assert_int_equal(c.n, 0);
}

static const struct ike_hdr some_hdr = {
	.spi_i = { 1, 2, 3, 4, 5, 6, 7, 8 }, .major = 2, .exchange = EXCH_IKE_SA_INIT, .flags = IKE_FLAG_INITIATOR,
	.next_payload = 99, .length = 12345,
};

static void write_request(struct msg_wr *m)
{
	const uint8_t cookie[] = { 0xc0, 0x0c, 0x1e, 0x55 };
	const uint8_t nonce[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

	pl_notify_write(m, PROTO_NONE, (struct span){ NULL, 0 }, N_COOKIE, span_of(cookie, sizeof cookie));
	pl_nonce_write(m, span_of(nonce, sizeof nonce));
	msg_payload_begin(m, PL_VENDOR);
	msg_payload_end(m);
}

static void message_is_written(void **state)
{
	uint8_t buffer[256];
	struct msg_wr m = msg_begin(buffer, sizeof buffer, &some_hdr);
	uint8_t first;
	struct span out;

	(void)state;
	write_request(&m);
	assert_int_equal(msg_end(&m, &first, &out), IKE_OK);
	assert_int_equal(first, PL_NOTIFY);
	assert_span(out, REQUEST);
}

static void inner_chain_is_written(void **state)
{
	uint8_t buffer[256];
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	uint8_t first;
	struct span out;

	(void)state;
	write_request(&m);
	assert_int_equal(msg_end(&m, &first, &out), IKE_OK);
	assert_int_equal(first, PL_NOTIFY);
	assert_span(out, COOKIE NONCE VENDOR);

	m = msg_begin_inner(buffer, sizeof buffer);
	assert_int_equal(msg_end(&m, &first, &out), IKE_OK);
	assert_int_equal(first, PL_NONE);
	assert_int_equal(out.n, 0);
}

static void message_without_payloads_is_written(void **state)
{
	uint8_t buffer[IKE_HDR_LEN];
	struct msg_wr m = msg_begin(buffer, sizeof buffer, &some_hdr);
	struct span out;

	(void)state;
	assert_int_equal(msg_end(&m, NULL, &out), IKE_OK);
	assert_span(out, "0102030405060708 0000000000000000 00 20 22 08 00000000 0000001c");
}

static void every_buffer_too_small_is_nospace(void **state)
{
	(void)state;
	for (size_t max = 0; max < 0x40; max++) {
		uint8_t *buffer = malloc(max > 0 ? max : 1);
		struct msg_wr m = msg_begin(buffer, max, &some_hdr);
		uint8_t first;
		struct span out;

		write_request(&m);
		assert_int_equal(msg_end(&m, &first, &out), IKE_E_NOSPACE);
		assert_int_equal(out.n, 0);
		assert_int_equal(first, PL_NONE);
		free(buffer);
	}
}

static void sealed_message_is_written(void **state)
{
	uint8_t buffer[256];
	struct msg_wr m = msg_begin(buffer, sizeof buffer, &some_hdr);
	uint8_t first;
	struct span out;

	(void)state;
	pl_sk_write(&m, PL_IDI, 5);
	assert_int_equal(msg_end(&m, &first, &out), IKE_OK);
	assert_int_equal(first, PL_SK);
	assert_span(out, "0102030405060708 0000000000000000 2e 20 22 08 00000000 00000025 23 00 0009 0000000000");

	m = msg_begin(buffer, sizeof buffer, &some_hdr);
	pl_skf_write(&m, PL_IDI, 1, 2, 3);
	assert_int_equal(msg_end(&m, &first, &out), IKE_OK);
	assert_int_equal(first, PL_SKF);
	assert_span(out, "0102030405060708 0000000000000000 35 20 22 08 00000000 00000027 23 00 000b 0001 0002 000000");
}

static void writer_misuse_is_an_error(void **state)
{
	uint8_t buffer[256];
	struct msg_wr m;
	struct span out;

	(void)state;
	m = msg_begin(buffer, sizeof buffer, &some_hdr);
	msg_payload_begin(&m, PL_VENDOR);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_E_NOSPACE);

	m = msg_begin(buffer, sizeof buffer, &some_hdr);
	msg_payload_begin(&m, PL_VENDOR);
	msg_payload_begin(&m, PL_VENDOR);
	msg_payload_end(&m);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_E_NOSPACE);

	m = msg_begin(buffer, sizeof buffer, &some_hdr);
	msg_payload_end(&m);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_E_NOSPACE);

	/* Would overwrite the type of the first payload inside SK. */
	m = msg_begin(buffer, sizeof buffer, &some_hdr);
	pl_sk_write(&m, PL_IDI, 5);
	msg_payload_begin(&m, PL_VENDOR);
	msg_payload_end(&m);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_E_NOSPACE);
}

static void payload_of_more_than_64k_is_nospace(void **state)
{
	static uint8_t buffer[70000];
	struct msg_wr m = msg_begin(buffer, sizeof buffer, &some_hdr);
	struct span out;

	(void)state;
	pl_sk_write(&m, PL_IDI, 65535 - 4);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_OK);
	m = msg_begin(buffer, sizeof buffer, &some_hdr);
	pl_sk_write(&m, PL_IDI, 65535 - 3);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_E_NOSPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_is_read),
		cmocka_unit_test(other_versions_and_exchanges_are_read),
		cmocka_unit_test(length_must_be_the_datagrams),
		cmocka_unit_test(cut_message_is_refused),
		cmocka_unit_test(chain_is_read),
		cmocka_unit_test(cut_chain_is_refused),
		cmocka_unit_test(lengths_below_four_are_refused),
		cmocka_unit_test(lengths_beyond_the_end_are_refused),
		cmocka_unit_test(bytes_left_over_are_refused),
		cmocka_unit_test(sealed_payload_ends_the_chain),
		cmocka_unit_test(sealed_payload_that_is_not_last_is_refused),
		cmocka_unit_test(later_fragment_has_no_inner_type),
		cmocka_unit_test(critical_bit_is_told_and_reserved_bits_are_ignored),
		cmocka_unit_test(many_payloads),
		cmocka_unit_test(message_is_written),
		cmocka_unit_test(inner_chain_is_written),
		cmocka_unit_test(message_without_payloads_is_written),
		cmocka_unit_test(every_buffer_too_small_is_nospace),
		cmocka_unit_test(sealed_message_is_written),
		cmocka_unit_test(writer_misuse_is_an_error),
		cmocka_unit_test(payload_of_more_than_64k_is_nospace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
