/* The bodies of all payloads but SA. */
#include "tests/unit/walk.h"

#include "wire/payloads.h"

/* A reader as seen from here: does it take this body? */
typedef enum ike_err (*reader)(struct span body);

static enum ike_err read_ke(struct span body)
{
	struct pl_ke out;

	return pl_ke_read(body, &out);
}

static enum ike_err read_id(struct span body)
{
	struct pl_id out;

	return pl_id_read(body, &out);
}

static enum ike_err read_auth(struct span body)
{
	struct pl_auth out;

	return pl_auth_read(body, &out);
}

static enum ike_err read_signature(struct span body)
{
	struct pl_auth_signature out;

	return pl_auth_signature_read(body, &out);
}

static enum ike_err read_nonce(struct span body)
{
	struct span out;

	return pl_nonce_read(body, &out);
}

static enum ike_err read_cert(struct span body)
{
	struct pl_cert out;

	return pl_cert_read(body, &out);
}

static enum ike_err read_notify(struct span body)
{
	struct pl_notify out;

	return pl_notify_read(body, &out);
}

static enum ike_err read_delete(struct span body)
{
	struct pl_delete out;

	return pl_delete_read(body, &out);
}

static enum ike_err read_ts(struct span body)
{
	struct pl_ts out;

	return pl_ts_read(body, &out);
}

static enum ike_err read_skf(struct span body)
{
	struct pl_skf out;

	return pl_skf_read(body, &out);
}

#define NONCE16 "000102030405060708090a0b0c0d0e0f"
#define TS_V4 "07 00 0010 0000 ffff c0000201 c0000201"
#define TS_V6 "08 00 0028 0000 ffff 20010db8000000000000000000000001 20010db8000000000000000000000001"

/* shortest: how many bytes of the example still make a good body. What comes last in most bodies runs to their end. */
struct example {
	const char *name;
	reader read;
	size_t shortest;
	const char *hex;
};

static const struct example examples[] = {
	{ "KE", read_ke, 5, "001f 0000" NONCE16 },
	{ "IDr FQDN", read_id, 4, "02 000000 7777772e6578616d706c65" },
	{ "IDi NULL", read_id, 4, "0d 000000" },
	{ "AUTH", read_auth, 5, "0e 000000 0102030405" },
	{ "AUTH of RFC 7427", read_signature, 9, "07 300506032b6570 aabbcc" },
	{ "nonce", read_nonce, 16, NONCE16 NONCE16 },
	{ "CERTREQ", read_cert, 1, "0f 010203" },
	{ "N with SPI", read_notify, 8, "03 04 4009 c0ffee01 0102" },
	{ "N", read_notify, 4, "00 00 4004 0102030405" },
	{ "D of the IKE SA", read_delete, 4, "01 00 0000" },
	{ "D of two ESP SAs", read_delete, 12, "03 04 0002 c0ffee01 c0ffee02" },
	{ "TS of both families", read_ts, 60, "02 000000" TS_V4 TS_V6 },
	{ "SKF", read_skf, 4, "0001 0002 010203040506" },
};

static void check_prefix(struct span body, void *arg)
{
	const struct example *e = arg;
	enum ike_err err = e->read(body);

	if (err != (body.n < e->shortest ? IKE_E_SYNTAX : IKE_OK))
		fail_msg("%s: first %zu bytes: %d", e->name, body.n, (int)err);
}

static void survives(struct span body, void *arg)
{
	const struct example *e = arg;

	(void)e->read(body);
}

static void examples_are_read_and_cut_ones_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof examples / sizeof *examples; i++) {
		struct example e = examples[i];
		struct unit_bytes b = unit_hex(e.hex);

		check_prefix(unit_span(&b), &e);
		with_prefixes(unit_span(&b), check_prefix, &e);
		with_changes(unit_span(&b), survives, &e);
	}
}

/* The body of the only payload written into m, of this type. */
static struct span body_of(struct msg_wr *m, uint8_t type)
{
	struct span out;
	static struct msg_chain c;
	uint8_t first;

	assert_int_equal(msg_end(m, &first, &out), IKE_OK);
	assert_int_equal(first, type);
	assert_int_equal(msg_chain_read(first, out, &c), IKE_OK);
	assert_int_equal(c.n, 1);
	return c.payload[0].body;
}

static uint8_t buffer[4096];

static struct msg_wr begin(void)
{
	return msg_begin_inner(buffer, sizeof buffer);
}

static void ke_round_trip(void **state)
{
	struct unit_bytes value = unit_hex(NONCE16 NONCE16);
	struct msg_wr m = begin();
	struct pl_ke ke;
	struct span body;

	(void)state;
	pl_ke_write(&m, GROUP_X25519, unit_span(&value));
	body = body_of(&m, PL_KE);
	assert_span(body, "001f 0000" NONCE16 NONCE16);
	assert_int_equal(pl_ke_read(body, &ke), IKE_OK);
	assert_int_equal(ke.group, GROUP_X25519);
	assert_span(ke.public_value, NONCE16 NONCE16);
}

static void id_round_trip(void **state)
{
	struct unit_bytes name = unit_hex("7777772e6578616d706c65");
	struct msg_wr m = begin();
	struct pl_id id;
	struct span body;
	uint8_t octets[64];
	struct wr w = wr_over(octets, sizeof octets);

	(void)state;
	pl_id_write(&m, PL_IDR, ID_FQDN, unit_span(&name));
	body = body_of(&m, PL_IDR);
	assert_int_equal(pl_id_read(body, &id), IKE_OK);
	assert_int_equal(id.type, ID_FQDN);
	assert_span(id.value, "7777772e6578616d706c65");
	assert_span(id.rest_of_id, "02 000000 7777772e6578616d706c65");
	pl_id_body(&w, ID_FQDN, unit_span(&name));
	assert_true(span_equal(wr_span(&w), body));

	m = begin();
	pl_id_write(&m, PL_IDI, ID_NULL, (struct span){ NULL, 0 });
	body = body_of(&m, PL_IDI);
	assert_span(body, "0d 000000");
}

/* RFC 7296 2.15 signs the whole body: what a peer put into RESERVED stays part of it. */
static void reserved_bytes_of_an_id_stay_signed(void **state)
{
	struct unit_bytes b = unit_hex("02 a1a2a3 61");
	struct pl_id id;

	(void)state;
	assert_int_equal(pl_id_read(unit_span(&b), &id), IKE_OK);
	assert_span(id.value, "61");
	assert_span(id.rest_of_id, "02 a1a2a3 61");
}

static void null_identity_with_data_is_refused(void **state)
{
	struct unit_bytes b = unit_hex("0d 000000 61");

	(void)state;
	assert_int_equal(read_id(unit_span(&b)), IKE_E_SYNTAX);
}

static void auth_round_trip(void **state)
{
	struct unit_bytes value = unit_hex("07 300506032b6570 aabbcc");
	struct msg_wr m = begin();
	struct pl_auth auth;
	struct pl_auth_signature s;

	(void)state;
	pl_auth_write(&m, AUTH_SIGNATURE, unit_span(&value));
	assert_int_equal(pl_auth_read(body_of(&m, PL_AUTH), &auth), IKE_OK);
	assert_int_equal(auth.method, AUTH_SIGNATURE);
	assert_int_equal(pl_auth_signature_read(auth.value, &s), IKE_OK);
	assert_span(s.algorithm, "300506032b6570");
	assert_span(s.signature, "aabbcc");
}

static void signature_without_algorithm_is_refused(void **state)
{
	struct unit_bytes b = unit_hex("00 aabbcc");

	(void)state;
	assert_int_equal(read_signature(unit_span(&b)), IKE_E_SYNTAX);
	b = unit_hex("ff 3000 aabbcc");
	assert_int_equal(read_signature(unit_span(&b)), IKE_E_SYNTAX);
}

static void nonce_has_16_to_256_bytes(void **state)
{
	static const uint8_t zero[NONCE_MAX + 1];
	struct msg_wr m = begin();
	struct span out;

	(void)state;
	assert_int_equal(pl_nonce_read(span_of(zero, NONCE_MIN - 1), &out), IKE_E_SYNTAX);
	assert_int_equal(out.n, 0);
	assert_int_equal(pl_nonce_read(span_of(zero, NONCE_MIN), &out), IKE_OK);
	assert_int_equal(pl_nonce_read(span_of(zero, NONCE_MAX), &out), IKE_OK);
	assert_int_equal(out.n, NONCE_MAX);
	assert_int_equal(pl_nonce_read(span_of(zero, NONCE_MAX + 1), &out), IKE_E_SYNTAX);
	pl_nonce_write(&m, span_of(zero, NONCE_MIN));
	assert_int_equal(body_of(&m, PL_NONCE).n, NONCE_MIN);
}

static void cert_round_trip(void **state)
{
	struct unit_bytes value = unit_hex("3059");
	struct msg_wr m = begin();
	struct pl_cert cert;
	struct span body;

	(void)state;
	pl_cert_write(&m, PL_CERTREQ, 15, unit_span(&value));
	body = body_of(&m, PL_CERTREQ);
	assert_span(body, "0f 3059");
	assert_int_equal(pl_cert_read(body, &cert), IKE_OK);
	assert_int_equal(cert.encoding, 15);
	assert_span(cert.value, "3059");
}

static void notify_round_trip(void **state)
{
	struct unit_bytes spi = unit_hex("c0ffee01"), value = unit_hex("0102");
	struct msg_wr m = begin();
	struct pl_notify n;
	struct span body;

	(void)state;
	pl_notify_write(&m, PROTO_ESP, unit_span(&spi), N_REKEY_SA, unit_span(&value));
	body = body_of(&m, PL_NOTIFY);
	assert_span(body, "03 04 4009 c0ffee01 0102");
	assert_int_equal(pl_notify_read(body, &n), IKE_OK);
	assert_int_equal(n.protocol, PROTO_ESP);
	assert_int_equal(n.type, N_REKEY_SA);
	assert_span(n.spi, "c0ffee01");
	assert_span(n.value, "0102");
}

static void notify_is_found_behind_broken_and_other_ones(void **state)
{
	/* N with an SPI longer than the payload, Ni, N(type 1), N(COOKIE) "a", N(COOKIE) "b" */
	struct unit_bytes b = unit_hex("28 00 0008 00 ff 4006" "29 00 0014" NONCE16 "29 00 0008 00 00 0001"
			       "29 00 0009 00 00 4006 61" "00 00 0009 00 00 4006 62");
	struct msg_chain c;
	struct pl_notify n;

	(void)state;
	assert_int_equal(msg_chain_read(PL_NOTIFY, unit_span(&b), &c), IKE_OK);
	assert_true(pl_notify_find(&c, N_COOKIE, &n));
	assert_span(n.value, "61");
	assert_true(pl_notify_find(&c, N_UNSUPPORTED_CRITICAL_PAYLOAD, &n));
	assert_int_equal(n.value.n, 0);
	assert_false(pl_notify_find(&c, N_REDIRECT, &n));
	assert_int_equal(n.type, 0);
}

static void delete_round_trip(void **state)
{
	const uint32_t spis[] = { 0xc0ffee01, 0xc0ffee02 };
	struct msg_wr m = begin();
	struct pl_delete d;

	(void)state;
	pl_delete_write(&m, PROTO_ESP, spis, 2);
	assert_int_equal(pl_delete_read(body_of(&m, PL_DELETE), &d), IKE_OK);
	assert_int_equal(d.protocol, PROTO_ESP);
	assert_int_equal(d.n, 2);
	assert_span(d.spis, "c0ffee01 c0ffee02");

	m = begin();
	pl_delete_write(&m, PROTO_IKE, NULL, 0);
	assert_int_equal(pl_delete_read(body_of(&m, PL_DELETE), &d), IKE_OK);
	assert_int_equal(d.protocol, PROTO_IKE);
	assert_int_equal(d.n, 0);
	assert_int_equal(d.spis.n, 0);
}

static void delete_with_wrong_spi_length_is_refused(void **state)
{
	static const char *const bad[] = {
		"01 08 0001 0102030405060708", "03 00 0000", "03 08 0001 0102030405060708", "02 02 0001 0102",
		"03 04 0001 c0ffee01 00", "03 04 0002 c0ffee01", "03 04 ffff c0ffee01",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct unit_bytes b = unit_hex(bad[i]);

		assert_int_equal(read_delete(unit_span(&b)), IKE_E_SYNTAX);
	}
}

static void ts_round_trip(void **state)
{
	struct unit_bytes b = unit_hex("02 000000" TS_V4 TS_V6);
	struct msg_wr m = begin();
	struct pl_ts ts;

	(void)state;
	assert_int_equal(pl_ts_read(unit_span(&b), &ts), IKE_OK);
	assert_int_equal(ts.n, 2);
	assert_int_equal(ts.selector[0].family, IP_V4);
	assert_int_equal(ts.selector[0].first.family, IP_V4);
	assert_int_equal(ts.selector[0].port_last, 65535);
	assert_span(span_of(ts.selector[0].last.b, 16), "c0000201 000000000000000000000000");
	assert_int_equal(ts.selector[1].family, IP_V6);
	assert_span(span_of(ts.selector[1].first.b, 16), "20010db8000000000000000000000001");
	pl_ts_write(&m, PL_TSI, ts.selector, ts.n);
	assert_span(body_of(&m, PL_TSI), "02 000000" TS_V4 TS_V6);
}

static void unknown_selector_type_is_skipped_by_its_length(void **state)
{
	struct unit_bytes b = unit_hex("03 000000" "09 00 0008 01020304" "0a 06 0004" TS_V4);
	struct pl_ts ts;

	(void)state;
	assert_int_equal(pl_ts_read(unit_span(&b), &ts), IKE_OK);
	assert_int_equal(ts.selector[0].family, IP_NONE);
	assert_int_equal(ts.selector[1].family, IP_NONE);
	assert_int_equal(ts.selector[2].family, IP_V4);
}

static void malformed_selectors_are_refused(void **state)
{
	static const char *const bad[] = {
		"00 000000",                            /* none */
		"00 000000" TS_V4,                      /* more than counted */
		"02 000000" TS_V4,                      /* fewer */
		"01 000000" TS_V4 "00",                 /* bytes left over */
		"01 000000 07 00 0000 0000 ffff c0000201 c0000201",
		"01 000000 07 00 0003 0000 ffff c0000201 c0000201",
		"01 000000 07 00 000f 0000 ffff c0000201 c00002",
		"01 000000 07 00 0011 0000 ffff c0000201 c0000201 00",
		"01 000000 08 00 0010 0000 ffff c0000201 c0000201",     /* IPv6 with the length of IPv4 */
		"01 000000 09 00 0009 01020304",        /* unknown, beyond the end */
		"01 000000 09 00 0003 01020304",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct unit_bytes b = unit_hex(bad[i]);

		if (read_ts(unit_span(&b)) != IKE_E_SYNTAX)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void more_selectors_than_the_table_are_nospace(void **state)
{
	struct pl_selector s[PL_SELECTORS_MAX + 1];
	struct msg_wr m = begin();
	struct pl_ts ts;

	(void)state;
	for (unsigned i = 0; i <= PL_SELECTORS_MAX; i++)
		s[i] = (struct pl_selector){ .family = IP_V4, .first = { .family = IP_V4 }, .last = { .family = IP_V4 } };
	pl_ts_write(&m, PL_TSR, s, PL_SELECTORS_MAX);
	assert_int_equal(pl_ts_read(body_of(&m, PL_TSR), &ts), IKE_OK);
	assert_int_equal(ts.n, PL_SELECTORS_MAX);
	m = begin();
	pl_ts_write(&m, PL_TSR, s, PL_SELECTORS_MAX + 1);
	assert_int_equal(pl_ts_read(body_of(&m, PL_TSR), &ts), IKE_E_NOSPACE);
	assert_int_equal(ts.n, 0);
}

/* RFC 7296 2.5: RESERVED is ignored on receipt. */
static void cp_round_trip(void **state)
{
	struct unit_bytes v4 = unit_hex("64400001"), v6 = unit_hex("20010db8000000000000000000000001");
	struct msg_wr m = begin();
	struct ip_addr a, b;
	struct pl_cp cp;

	(void)state;
	assert_int_equal(ip_from_bytes(unit_span(&v4), &a), IKE_OK);
	assert_int_equal(ip_from_bytes(unit_span(&v6), &b), IKE_OK);
	pl_cp_write(&m, CFG_REQUEST, IP_V4, NULL);
	assert_span(body_of(&m, PL_CP), "01 000000 0001 0000");
	m = begin();
	pl_cp_write(&m, CFG_REPLY, IP_V4, &a);
	assert_span(body_of(&m, PL_CP), "02 000000 0001 0004 64400001");
	assert_int_equal(pl_cp_read(body_of(&m, PL_CP), &cp), IKE_OK);
	assert_int_equal(cp.type, CFG_REPLY);
	assert_int_equal(cp.v4.n, 1);
	assert_int_equal(cp.v6.n, 0);
	assert_true(ip_equal(&cp.v4.first, &a));
	m = begin();
	pl_cp_write(&m, CFG_REPLY, IP_V6, &b);
	assert_span(body_of(&m, PL_CP), "02 000000 0008 0011 20010db8000000000000000000000001 80");
	assert_int_equal(pl_cp_read(body_of(&m, PL_CP), &cp), IKE_OK);
	assert_int_equal(cp.v4.n, 0);
	assert_true(ip_equal(&cp.v6.first, &b));
}

/* The first of each family is kept, all are counted, everything else is read over: DNS, subnets, private use. */
static void cp_counts_addresses_and_reads_over_the_rest(void **state)
{
	struct unit_bytes b = unit_hex("02 a5a5a5 0003 0004 c0000235 8001 0004 64400001 0001 0004 64400002 000d 0008 "
				       "0a000000 ff000000 7fff 0003 010203 0008 0000");
	struct pl_cp cp;

	(void)state;
	assert_int_equal(pl_cp_read(unit_span(&b), &cp), IKE_OK);
	assert_int_equal(cp.v4.n, 2);
	assert_span(ip_bytes(&cp.v4.first), "64400001");
	assert_int_equal(cp.v6.n, 1);
	assert_int_equal(cp.v6.first.family, IP_NONE);
}

/* What ends behind an attribute, or has none, is a good body. */
static void check_cp_prefix(struct span body, void *arg)
{
	bool whole = body.n == 4 || body.n == 12 || body.n == 16;
	struct pl_cp cp;

	(void)arg;
	if (pl_cp_read(body, &cp) != (whole ? IKE_OK : IKE_E_SYNTAX))
		fail_msg("CP: first %zu bytes", body.n);
}

static void cp_survives(struct span body, void *arg)
{
	struct pl_cp cp;

	(void)arg;
	(void)!pl_cp_read(body, &cp);
}

static void cut_cp_is_refused(void **state)
{
	struct unit_bytes b = unit_hex("02 000000 0001 0004 64400001 0003 0000");

	(void)state;
	check_cp_prefix(unit_span(&b), NULL);
	with_prefixes(unit_span(&b), check_cp_prefix, NULL);
	with_changes(unit_span(&b), cp_survives, NULL);
}

static void malformed_cp_is_refused(void **state)
{
	static const char *const bad[] = {
		"02 000000 0001 0003 644000",           /* too short for an address */
		"02 000000 0001 0005 6440000100",       /* too long */
		"02 000000 0001 0008 64400001ffffffff",
		"02 000000 0008 0010 20010db8000000000000000000000001",         /* without prefix length */
		"02 000000 0008 0011 20010db8000000000000000000000001 81",      /* prefix of 129 */
		"02 000000 0001 0004 64400001 00",      /* bytes left over */
		"02 000000 0003 0005 64400001",         /* beyond the end */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct unit_bytes b = unit_hex(bad[i]);
		struct pl_cp cp;

		if (pl_cp_read(unit_span(&b), &cp) != IKE_E_SYNTAX || cp.v4.n || cp.v6.n)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void reserved_bytes_are_ignored(void **state)
{
	struct unit_bytes b;

	(void)state;
	b = unit_hex("001f ffff 01");
	assert_int_equal(read_ke(unit_span(&b)), IKE_OK);
	b = unit_hex("0e ffffff 01");
	assert_int_equal(read_auth(unit_span(&b)), IKE_OK);
	b = unit_hex("01 ffffff" TS_V4);
	assert_int_equal(read_ts(unit_span(&b)), IKE_OK);
}

static void fragment_numbers_are_checked(void **state)
{
	static const char *const bad[] = { "0000 0001 aa", "0000 0000 aa", "0002 0001 aa", "0001 0000 aa" };
	struct unit_bytes b = unit_hex("ffff ffff aa");

	(void)state;
	assert_int_equal(read_skf(unit_span(&b)), IKE_OK);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		b = unit_hex(bad[i]);
		assert_int_equal(read_skf(unit_span(&b)), IKE_E_SYNTAX);
	}
}

static void oversized_spi_and_lists_make_the_writer_bad(void **state)
{
	static const uint8_t spi[256];
	static struct pl_selector s[256];
	struct msg_wr m = begin();
	struct span out;

	(void)state;
	pl_notify_write(&m, PROTO_ESP, span_of(spi, sizeof spi), N_REKEY_SA, (struct span){ NULL, 0 });
	assert_int_equal(msg_end(&m, NULL, &out), IKE_E_NOSPACE);
	m = begin();
	pl_ts_write(&m, PL_TSI, s, 256);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_E_NOSPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_are_read_and_cut_ones_refused),
		cmocka_unit_test(ke_round_trip),
		cmocka_unit_test(id_round_trip),
		cmocka_unit_test(reserved_bytes_of_an_id_stay_signed),
		cmocka_unit_test(null_identity_with_data_is_refused),
		cmocka_unit_test(auth_round_trip),
		cmocka_unit_test(signature_without_algorithm_is_refused),
		cmocka_unit_test(nonce_has_16_to_256_bytes),
		cmocka_unit_test(cert_round_trip),
		cmocka_unit_test(notify_round_trip),
		cmocka_unit_test(notify_is_found_behind_broken_and_other_ones),
		cmocka_unit_test(delete_round_trip),
		cmocka_unit_test(delete_with_wrong_spi_length_is_refused),
		cmocka_unit_test(ts_round_trip),
		cmocka_unit_test(unknown_selector_type_is_skipped_by_its_length),
		cmocka_unit_test(malformed_selectors_are_refused),
		cmocka_unit_test(more_selectors_than_the_table_are_nospace),
		cmocka_unit_test(cp_round_trip),
		cmocka_unit_test(cp_counts_addresses_and_reads_over_the_rest),
		cmocka_unit_test(cut_cp_is_refused),
		cmocka_unit_test(malformed_cp_is_refused),
		cmocka_unit_test(reserved_bytes_are_ignored),
		cmocka_unit_test(fragment_numbers_are_checked),
		cmocka_unit_test(oversized_spi_and_lists_make_the_writer_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
