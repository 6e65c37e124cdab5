/* The SA payload: proposals, transforms, attributes. */
#include "tests/unit/walk.h"

#include "wire/payloads.h"

/* IKE: AES-GCM-256, PRF SHA2-256, X25519; then AES-CBC-256 with HMAC-SHA2-256-128, the same PRF, P-256. */
#define GCM_256 "03 00 000c 01 00 0014 800e0100"
#define PRF "03 00 0008 02 00 0005"
#define X25519_LAST "00 00 0008 04 00 001f"
#define FIRST "02 00 0024 01 01 00 03" GCM_256 PRF X25519_LAST
#define CBC_256 "03 00 000c 01 00 000c 800e0100"
#define SHA2_256_128 "03 00 0008 03 00 000c"
#define ECP256_LAST "00 00 0008 04 00 0013"
#define SECOND "00 00 002c 02 01 00 04" CBC_256 PRF SHA2_256_128 ECP256_LAST
#define TWO_PROPOSALS FIRST SECOND
/* ESP with an SPI: ChaCha20-Poly1305, no ESN. */
#define ESP_CHACHA "00 00 001c 01 03 04 02 c0ffee01 03 00 0008 01 00 001c 00 00 0008 05 00 0000"

static void two_proposals_are_read(void **state)
{
	struct unit_bytes b = unit_hex(TWO_PROPOSALS);
	struct pl_sa_reader sa = pl_sa_read(unit_span(&b));
	struct pl_proposal p;

	(void)state;
	assert_int_equal(pl_sa_next(&sa, &p), IKE_OK);
	assert_int_equal(p.number, 1);
	assert_int_equal(p.protocol, PROTO_IKE);
	assert_int_equal(p.spi_len, 0);
	assert_int_equal(p.n, 3);
	assert_int_equal(p.transform[0].type, TT_ENCR);
	assert_int_equal(p.transform[0].id, ENCR_AES_GCM_16);
	assert_int_equal(p.transform[0].key_bits, 256);
	assert_false(p.transform[0].unknown_attribute);
	assert_int_equal(p.transform[1].type, TT_PRF);
	assert_int_equal(p.transform[1].key_bits, 0);
	assert_int_equal(p.transform[2].id, GROUP_X25519);
	assert_int_equal(pl_sa_next(&sa, &p), IKE_OK);
	assert_int_equal(p.number, 2);
	assert_int_equal(p.n, 4);
	assert_int_equal(p.transform[2].id, INTEG_HMAC_SHA2_256_128);
	assert_int_equal(pl_sa_next(&sa, &p), IKE_E_STATE);
	assert_int_equal(pl_sa_next(&sa, &p), IKE_E_STATE);
	assert_int_equal(p.n, 0);
}

static void spi_is_read(void **state)
{
	struct unit_bytes b = unit_hex(ESP_CHACHA);
	struct pl_sa_reader sa = pl_sa_read(unit_span(&b));
	struct pl_proposal p;

	(void)state;
	assert_int_equal(pl_sa_next(&sa, &p), IKE_OK);
	assert_int_equal(p.protocol, PROTO_ESP);
	assert_span(span_of(p.spi, p.spi_len), "c0ffee01");
	assert_int_equal(p.transform[0].id, ENCR_CHACHA20_POLY1305);
	assert_int_equal(p.transform[1].type, TT_ESN);
	assert_int_equal(pl_sa_next(&sa, &p), IKE_E_STATE);
}

static void round_trip(const char *hex)
{
	struct unit_bytes b = unit_hex(hex);
	struct pl_sa_reader sa = pl_sa_read(unit_span(&b));
	struct pl_proposal p[4];
	unsigned n = 0;
	uint8_t buffer[1024];
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct span out;
	struct msg_chain c;

	while (n < 4 && pl_sa_next(&sa, &p[n]) == IKE_OK)
		n++;
	assert_true(n < 4);
	pl_sa_write(&m, p, n);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_OK);
	assert_int_equal(msg_chain_read(PL_SA, out, &c), IKE_OK);
	assert_span(c.payload[0].body, hex);
}

static void written_as_read(void **state)
{
	(void)state;
	round_trip(TWO_PROPOSALS);
	round_trip(ESP_CHACHA);
	round_trip("00 00 0018 07 01 08 01 0102030405060708 00 00 0008 04 00 000e");
}

/* The result of walking all of it: IKE_E_STATE for a good payload. */
static enum ike_err walk(struct span body)
{
	struct pl_sa_reader sa = pl_sa_read(body);
	struct pl_proposal p;
	enum ike_err err;
	unsigned steps = 0;

	while ((err = pl_sa_next(&sa, &p)) == IKE_OK || err == IKE_E_NOSPACE)
		assert_true(++steps <= 255);
	assert_int_equal(pl_sa_next(&sa, &p), err);
	return err;
}

static void refuses(struct span body, void *arg)
{
	(void)arg;
	assert_int_equal(walk(body), IKE_E_SYNTAX);
}

static void survives(struct span body, void *arg)
{
	(void)arg;
	(void)walk(body);
}

static void cut_payload_is_refused(void **state)
{
	struct unit_bytes b = unit_hex(TWO_PROPOSALS);

	(void)state;
	with_prefixes(unit_span(&b), refuses, NULL);
	b = unit_hex(ESP_CHACHA);
	with_prefixes(unit_span(&b), refuses, NULL);
}

static void changed_bytes_are_survived(void **state)
{
	struct unit_bytes b = unit_hex(TWO_PROPOSALS);

	(void)state;
	with_changes(unit_span(&b), survives, NULL);
	b = unit_hex(ESP_CHACHA);
	with_changes(unit_span(&b), survives, NULL);
}

static void malformed_payloads_are_refused(void **state)
{
	static const struct {
		const char *what, *hex;
	} cases[] = {
		{ "nothing at all", "" },
		{ "proposal length 0", "00 00 0000 01 01 00 00" },
		{ "proposal length 7", "00 00 0007 01 01 00 00" },
		{ "proposal number 0", "00 00 0010 00 01 00 01" X25519_LAST },
		{ "last, but more follows", "00 00 0010 01 01 00 01" X25519_LAST "00 00 0010 02 01 00 01" X25519_LAST },
		{ "more, but none follows", "02 00 0010 01 01 00 01" X25519_LAST },
		{ "neither last nor more", "03 00 0010 01 01 00 01" X25519_LAST },
		{ "number repeated", "02 00 0010 01 01 00 01" X25519_LAST "00 00 0010 01 01 00 01" X25519_LAST },
		{ "number skipped", "02 00 0010 01 01 00 01" X25519_LAST "00 00 0010 03 01 00 01" X25519_LAST },
		{ "SPI of 3 bytes", "00 00 0013 01 03 03 01 010203" X25519_LAST },
		{ "SPI of 16 bytes", "00 00 0020 01 03 10 01 0102030405060708090a0b0c0d0e0f10" X25519_LAST },
		{ "SPI longer than the proposal", "00 00 000a 01 03 04 00 0102 0000" },
		{ "fewer transforms than counted", "00 00 0010 01 01 00 02" X25519_LAST },
		{ "more transforms than counted", "00 00 0018 01 01 00 01" X25519_LAST X25519_LAST },
		{ "bytes behind the transforms", "00 00 0011 01 01 00 01" X25519_LAST "00" },
		{ "transform length 0", "00 00 0010 01 01 00 01 00 00 0000 04 00 001f" },
		{ "transform length 7", "00 00 0010 01 01 00 01 00 00 0007 04 00 001f" },
		{ "transform beyond its proposal", "00 00 0010 01 01 00 01 00 00 000c 04 00 001f" },
		{ "last transform says more", "00 00 0010 01 01 00 01 03 00 0008 04 00 001f" },
		{ "first transform says last", "00 00 0018 01 01 00 02" X25519_LAST X25519_LAST },
		{ "transform says 2", "00 00 0010 01 01 00 01 02 00 0008 04 00 001f" },
		{ "half an attribute", "00 00 0012 01 01 00 01 00 00 000a 01 00 0014 800e" },
		{ "attribute beyond its transform", "00 00 0014 01 01 00 01 00 00 000c 01 00 0014 00ff0001" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct unit_bytes b = unit_hex(cases[i].hex);

		if (walk(unit_span(&b)) != IKE_E_SYNTAX)
			fail_msg("accepted: %s", cases[i].what);
	}
}

static struct pl_transform transform_of(const char *hex)
{
	struct unit_bytes b = unit_hex(hex);
	struct pl_sa_reader sa = pl_sa_read(unit_span(&b));
	struct pl_proposal p;

	assert_int_equal(pl_sa_next(&sa, &p), IKE_OK);
	assert_int_equal(p.n, 1);
	return p.transform[0];
}

static void attributes_other_than_one_key_length_are_marked(void **state)
{
	struct pl_transform t;

	(void)state;
	t = transform_of("00 00 0014 01 01 00 01 00 00 000c 01 00 0014 800e0080");
	assert_int_equal(t.key_bits, 128);
	assert_false(t.unknown_attribute);
	/* type 15, short form */
	t = transform_of("00 00 0014 01 01 00 01 00 00 000c 01 00 0014 800f0080");
	assert_true(t.unknown_attribute);
	assert_int_equal(t.key_bits, 0);
	/* type 15, long form, after the key length */
	t = transform_of("00 00 001b 01 01 00 01 00 00 0013 01 00 0014 800e0080 000f0003 010203");
	assert_true(t.unknown_attribute);
	assert_int_equal(t.key_bits, 128);
	/* the key length in long form, which RFC 7296 3.3.5 does not allow */
	t = transform_of("00 00 0016 01 01 00 01 00 00 000e 01 00 0014 000e0002 0080");
	assert_true(t.unknown_attribute);
	assert_int_equal(t.key_bits, 0);
	/* twice, and zero */
	t = transform_of("00 00 0018 01 01 00 01 00 00 0010 01 00 0014 800e0080 800e0100");
	assert_true(t.unknown_attribute);
	assert_int_equal(t.key_bits, 128);
	t = transform_of("00 00 0014 01 01 00 01 00 00 000c 01 00 0014 800e0000");
	assert_true(t.unknown_attribute);
}

static void reserved_bytes_are_ignored(void **state)
{
	struct pl_transform t = transform_of("00 ff 0014 01 01 00 01 00 ff 000c 01 ff 0014 800e0080");

	(void)state;
	assert_int_equal(t.id, ENCR_AES_GCM_16);
	assert_false(t.unknown_attribute);
}

static void unknown_numbers_are_read(void **state)
{
	struct unit_bytes b = unit_hex("00 00 0010 01 c8 00 01 00 00 0008 c9 00 fedc");
	struct pl_sa_reader sa = pl_sa_read(unit_span(&b));
	struct pl_proposal p;

	(void)state;
	assert_int_equal(pl_sa_next(&sa, &p), IKE_OK);
	assert_int_equal(p.protocol, 200);
	assert_int_equal(p.transform[0].type, 201);
	assert_int_equal(p.transform[0].id, 0xfedc);
}

/* One proposal with count transforms, then one with a single transform. */
static struct unit_bytes long_proposal(unsigned count)
{
	struct unit_bytes b = { 0 };
	struct wr w = wr_over(b.b, sizeof b.b);
	struct unit_bytes last = unit_hex("00 00 0010 02 01 00 01" X25519_LAST);

	wr_u8(&w, 2);
	wr_u8(&w, 0);
	wr_u16(&w, (uint16_t)(8 + 8 * count));
	wr_u32(&w, 0x01010000 | count);
	for (unsigned i = 0; i < count; i++) {
		wr_u8(&w, i + 1 < count ? 3 : 0);
		wr_u8(&w, 0);
		wr_u16(&w, 8);
		wr_u32(&w, 0x04000000 | i);
	}
	wr_put(&w, unit_span(&last));
	assert_true(wr_ok(&w));
	b.n = w.n;
	return b;
}

static void proposal_with_too_many_transforms_is_passed_over(void **state)
{
	static const unsigned counts[] = { PL_TRANSFORMS_MAX, PL_TRANSFORMS_MAX + 1, 255 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct unit_bytes b = long_proposal(counts[i]);
		struct pl_sa_reader sa = pl_sa_read(unit_span(&b));
		struct pl_proposal p;
		bool fits = counts[i] <= PL_TRANSFORMS_MAX;

		assert_int_equal(pl_sa_next(&sa, &p), fits ? IKE_OK : IKE_E_NOSPACE);
		assert_int_equal(p.n, fits ? counts[i] : 0);
		assert_int_equal(pl_sa_next(&sa, &p), IKE_OK);
		assert_int_equal(p.number, 2);
		assert_int_equal(p.transform[0].id, GROUP_X25519);
		assert_int_equal(pl_sa_next(&sa, &p), IKE_E_STATE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_proposals_are_read),
		cmocka_unit_test(spi_is_read),
		cmocka_unit_test(written_as_read),
		cmocka_unit_test(cut_payload_is_refused),
		cmocka_unit_test(changed_bytes_are_survived),
		cmocka_unit_test(malformed_payloads_are_refused),
		cmocka_unit_test(attributes_other_than_one_key_length_are_marked),
		cmocka_unit_test(reserved_bytes_are_ignored),
		cmocka_unit_test(unknown_numbers_are_read),
		cmocka_unit_test(proposal_with_too_many_transforms_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
