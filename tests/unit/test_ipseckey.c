/* ipseckey.c, ipseckey_text.c: records seen in the wild (tests/vectors/ipseckey.txt), RFC 4025 3.2, and what is refused. */
#include "tests/unit/vector.h"

#include "dnskey/pubkey.h"

static const char rfc_key[] = "AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==";

static struct unit_bytes parse(const char *text)
{
	struct unit_bytes out = { 0 };
	struct wr w = wr_over(out.b, IPSECKEY_RDATA_MAX);
	const char *error = "not set";

	if (ipseckey_from_text(text, &w, &error) != IKE_OK)
		fail_msg("\"%s\": %s", text, error);
	assert_null(error);
	out.n = w.n;
	return out;
}

static void assert_text(const struct unit_bytes *rdata, const char *want)
{
	char text[IPSECKEY_TEXT_MAX];
	struct ipseckey key;

	assert_int_equal(ipseckey_read(unit_span(rdata), &key), IKE_OK);
	assert_int_equal(ipseckey_to_text(&key, text, sizeof text), IKE_OK);
	assert_string_equal(text, want);
}

/* What is read can be written, in wire form and as text, and is the same again. */
static void every_sample_comes_back(void **state)
{
	(void)state;
	char *file = vector_read("ipseckey.txt"), *line, *rest = file;
	unsigned count = 0;

	while ((line = strtok_r(rest, "\n", &rest))) {
		char *at = strstr(line, " IPSECKEY "), text[IPSECKEY_TEXT_MAX];
		struct unit_bytes rdata, again = { 0 };
		struct ipseckey key;
		struct wr w = wr_over(again.b, sizeof again.b);

		if (line[0] == ';' || !at)
			continue;
		rdata = parse(at + 10);
		assert_int_equal(ipseckey_read(unit_span(&rdata), &key), IKE_OK);
		ipseckey_write(&w, &key);
		unit_assert_span(wr_span(&w), unit_span(&rdata));
		assert_int_equal(ipseckey_to_text(&key, text, sizeof text), IKE_OK);
		again = parse(text);
		unit_assert_span(unit_span(&again), unit_span(&rdata));
		count++;
	}
	assert_int_equal(count, 7);
	free(file);
}

static struct unit_bytes sample(const char *owner)
{
	char *file = vector_read("ipseckey.txt"), *at = strstr(file, owner);
	struct unit_bytes rdata;

	assert_non_null(at);
	at = strstr(at, " IPSECKEY ");
	*strchr(at, '\n') = '\0';
	rdata = parse(at + 10);
	free(file);
	return rdata;
}

/* RSA with 4096 bits and exponent 3, published as algorithm 1: a clear reason, and a good key if the number were right. */
static void ipsec1_hack_org_has_the_wrong_algorithm(void **state)
{
	(void)state;
	struct unit_bytes rdata = sample("ipsec1.hack.org.");
	struct pubkey *key;
	struct ipseckey record;
	const char *why;
	char text[24];

	assert_int_equal(ipseckey_read(unit_span(&rdata), &record), IKE_OK);
	assert_int_equal(record.algorithm, IPSECKEY_DSA);
	assert_int_equal(record.public_key.n, 1 + 1 + 512);
	assert_int_equal(pubkey_read(&record, &key, &why), IKE_E_UNSUPPORTED);
	assert_null(key);
	assert_string_equal(why, "algorithm 1 (DSA) is not supported; an RSA key is algorithm 2");
	record.algorithm = IPSECKEY_RSA;
	assert_int_equal(pubkey_read(&record, &key, &why), IKE_OK);
	assert_null(why);
	assert_string_equal(pubkey_text(key, text, sizeof text), "RSA-4096");
	pubkey_free(key);
}

static void ipsec2_hack_org_is_good(void **state)
{
	(void)state;
	struct unit_bytes rdata = sample("ipsec2.hack.org.");
	struct ipseckey record;
	struct pubkey *key;

	assert_int_equal(ipseckey_read(unit_span(&rdata), &record), IKE_OK);
	assert_int_equal(pubkey_read(&record, &key, NULL), IKE_OK);
	assert_int_equal(pubkey_kind(key), PUBKEY_RSA);
	assert_int_equal(pubkey_bits(key), 4096);
	pubkey_free(key);
}

/* RFC 4025 3.2 */
static void gateways(void **state)
{
	(void)state;
	struct unit_bytes rdata;
	struct ipseckey key;
	char text[256];

	snprintf(text, sizeof text, "10 3 2 MyGateway.example.COM %s", rfc_key);
	rdata = parse(text);
	assert_memory_equal(rdata.b, "\x0a\x03\x02\x09mygateway\x07" "example\x03" "com\0\x01\x03\x51", 29);
	assert_int_equal(ipseckey_read(unit_span(&rdata), &key), IKE_OK);
	assert_int_equal(key.precedence, 10);
	assert_int_equal(key.gateway_type, GATEWAY_NAME);
	assert_int_equal(key.gateway_name.n, 23);
	assert_int_equal(key.public_key.n, 34);
	snprintf(text, sizeof text, "10 3 2 mygateway.example.com. %s", rfc_key);
	assert_text(&rdata, text);

	snprintf(text, sizeof text, "0 2 2 2001:0DB8:0:8002::2000:1 %s", rfc_key);
	rdata = parse(text);
	assert_memory_equal(rdata.b, "\x00\x02\x02\x20\x01\x0d\xb8\x00\x00\x80\x02\0\0\0\0\x20\x00\x00\x01\x01\x03", 21);
	assert_int_equal(ipseckey_read(unit_span(&rdata), &key), IKE_OK);
	assert_int_equal(key.gateway.family, IP_V6);

	snprintf(text, sizeof text, "255 1 2 192.0.2.38 %s", rfc_key);
	rdata = parse(text);
	assert_memory_equal(rdata.b, "\xff\x01\x02\xc0\x00\x02\x26\x01\x03", 9);
	assert_text(&rdata, text);

	rdata = parse("1 3 2 . AQNR");
	assert_text(&rdata, "1 3 2 . AQNR");
	rdata = parse("1 0 0 .");
	assert_int_equal(rdata.n, 3);
	assert_text(&rdata, "1 0 0 .");
	rdata = parse("1 3 0 a\\032b\\.c.example.");
	assert_memory_equal(rdata.b, "\x01\x03\x00\x05" "a b.c\x07" "example", 18);
}

static void blanks_in_the_key(void **state)
{
	(void)state;
	struct unit_bytes a = parse("10 0 2 . AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==");
	struct unit_bytes b = parse("\t10  0\t2 .  AQNRU3mG 7TVTO2BkR47usn\ttb102uFJtugbo6BSGvgqt4A\nQ = = \n");

	unit_assert_span(unit_span(&b), unit_span(&a));
}

/* Base64 of all lengths modulo 3, RFC 4648 10 */
static void base64(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{ "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" }, { "\xff\xef\xbe", "/+++" },
	};

	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char text[64];
		struct unit_bytes rdata;

		snprintf(text, sizeof text, "1 0 2 . %s", pairs[i][1]);
		rdata = parse(text);
		unit_assert_span(span_of(rdata.b + 3, rdata.n - 3), span_of(pairs[i][0], strlen(pairs[i][0])));
		assert_text(&rdata, text);
	}
}

static void bad_text_is_refused_with_its_field(void **state)
{
	(void)state;
	static const char *const bad[][2] = {
		{ "", "precedence" }, { "x 0 2 . AQNR", "precedence" }, { "256 0 2 . AQNR", "precedence" },
		{ "-1 0 2 . AQNR", "precedence" }, { "0x1 0 2 . AQNR", "precedence" }, { "1000 0 2 . AQNR", "precedence" },
		{ "10", "gateway type" }, { "10 256 2 . AQNR", "gateway type" }, { "10 4 2 . AQNR", "gateway type" },
		{ "10 0", "algorithm" }, { "10 0 999 . AQNR", "algorithm" }, { "10 0 2", "gateway" },
		{ "10 0 2 192.0.2.1 AQNR", "gateway" }, { "10 0 2 AQNR", "gateway" }, { "10 1 2 . AQNR", "gateway" },
		{ "10 1 2 2001:db8::1 AQNR", "gateway" }, { "10 2 2 192.0.2.1 AQNR", "gateway" },
		{ "10 1 2 192.0.2.256 AQNR", "gateway" }, { "10 3 2 a..b AQNR", "gateway" },
		{ "10 3 2 a\\", "gateway" }, { "10 0 2 .", "public key" }, { "10 0 0 . AQNR", "public key" },
		{ "10 0 2 . A", "public key" }, { "10 0 2 . AQ", "public key" }, { "10 0 2 . AQN", "public key" },
		{ "10 0 2 . AQ=", "public key" }, { "10 0 2 . A===", "public key" }, { "10 0 2 . AQ==AQNR", "public key" },
		{ "10 0 2 . AR==", "public key" }, { "10 0 2 . AQF=", "public key" }, { "10 0 2 . AQ=R", "public key" },
		{ "10 0 2 . ====", "public key" }, { "10 0 2 . AQNR=", "public key" }, { "10 0 2 . AQN-", "public key" },
		{ "10 0 2 . AQNR (", "public key" }, { "10 0 2 . AQNR\x01", "public key" },
	};

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t buffer[64];
		struct wr w = wr_over(buffer, sizeof buffer);
		const char *error = NULL;

		wr_u8(&w, 7);
		if (ipseckey_from_text(bad[i][0], &w, &error) != IKE_E_SYNTAX)
			fail_msg("accepted: %s", bad[i][0]);
		if (strncmp(error, bad[i][1], strlen(bad[i][1])) != 0)
			fail_msg("\"%s\" gives \"%s\"", bad[i][0], error);
		assert_int_equal(w.n, 1);
		assert_true(wr_ok(&w));
	}
}

static void too_small_buffers(void **state)
{
	(void)state;
	static const char text[] = "10 3 2 mygateway.example.com. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==";
	struct unit_bytes rdata = parse(text);
	struct ipseckey key;
	char to[sizeof text];

	assert_int_equal(ipseckey_read(unit_span(&rdata), &key), IKE_OK);
	for (size_t max = 0; max < sizeof text; max++) {
		assert_int_equal(ipseckey_to_text(&key, to, max), IKE_E_NOSPACE);
		assert_true(max == 0 || to[0] == '\0');
	}
	assert_int_equal(ipseckey_to_text(&key, to, sizeof text), IKE_OK);
	for (size_t max = 0; max < rdata.n; max++) {
		uint8_t buffer[64];
		struct wr w = wr_over(buffer, max);
		const char *error;

		assert_int_equal(ipseckey_from_text(text, &w, &error), IKE_E_NOSPACE);
		assert_string_equal(error, "record too long");
	}
}

/* The longest name with every octet escaped and the longest RDATA fit in IPSECKEY_TEXT_MAX. */
static void longest_text_fits(void **state)
{
	(void)state;
	static uint8_t buffer[IPSECKEY_RDATA_MAX];
	struct wr w = wr_over(buffer, sizeof buffer);
	char text[IPSECKEY_TEXT_MAX];
	struct ipseckey key;
	const char *error;

	memset(buffer, 0xff, sizeof buffer);
	memcpy(buffer, "\xff\x03\x02", 3);
	buffer[3] = buffer[3 + 64] = buffer[3 + 128] = 63;
	buffer[3 + 192] = 61;
	buffer[3 + 254] = 0;
	assert_int_equal(ipseckey_read(span_of(buffer, sizeof buffer), &key), IKE_OK);
	assert_int_equal(key.gateway_name.n, DNSNAME_MAX);
	assert_int_equal(ipseckey_to_text(&key, text, sizeof text), IKE_OK);
	assert_int_equal(ipseckey_from_text(text, &w, &error), IKE_OK);
	assert_int_equal(w.n, sizeof buffer);
	unit_assert_span(span_of(buffer, sizeof buffer), wr_span(&w));
}

static enum ike_err read_only(struct span rdata)
{
	struct ipseckey key;
	enum ike_err err = ipseckey_read(rdata, &key);

	assert_true(err == IKE_OK || (err == IKE_E_SYNTAX && key.public_key.n == 0 && key.gateway_name.n == 0));
	return err;
}

static size_t whole_from;

static bool has_a_key(size_t n)
{
	return n >= whole_from;
}

/* The key has no length of its own: what is cut behind its first byte is a shorter key. */
static void every_cut_is_refused(void **state)
{
	(void)state;
	static const struct { const char *text; size_t header; } records[] = {
		{ "10 0 2 . AQNR", 3 }, { "10 1 2 192.0.2.1 AQNR", 7 }, { "10 2 2 2001:db8::1 AQNR", 19 },
		{ "10 3 2 a.example. AQNR", 3 + 11 },
	};

	for (unsigned i = 0; i < 4; i++) {
		struct unit_bytes rdata = parse(records[i].text);

		whole_from = records[i].header + 1;
		assert_int_equal(read_only(unit_span(&rdata)), IKE_OK);
		unit_walk_prefixes(unit_span(&rdata), read_only, has_a_key);
	}
}

static void bad_rdata_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"0a 04 02 01 03 51",                    /* gateway type 4 */
		"0a ff 02 01 03 51",
		"0a 03 02 c0 0c 01 03 51",              /* compressed gateway */
		"0a 03 02 01 61 c0 0c 01 03 51",
		"0a 03 02 41 61 61 61 01 03 51",        /* label type 01 */
		"0a 03 02 3f 61 61 61 01 03 51",        /* label cut off */
		"0a 00 00 01",                          /* algorithm 0 with a key */
		"0a 00 02", "0a 00 01", "0a 00 05",     /* a key without bytes */
		"0a 01 02 c0 00 02 26",
	};

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct unit_bytes rdata = unit_hex(bad[i]);

		if (read_only(unit_span(&rdata)) != IKE_E_SYNTAX)
			fail_msg("accepted: %s", bad[i]);
	}
}

/* RFC 4034 appendix B over the key alone, by hand: 0x0103 + 0x5153 = 0x5256; an odd last byte is the high half;
 * 3 * 0xffff = 0x2fffd, and the carry 2 comes back once. */
static void tag(void **state)
{
	(void)state;
	struct ipseckey key = { .algorithm = IPSECKEY_RSA, .public_key = span_of("\x01\x03\x51\x53", 4) };

	assert_int_equal(ipseckey_tag(&key), 0x5256);
	key.public_key = span_of("\x01\x03\x51", 3);
	assert_int_equal(ipseckey_tag(&key), 0x5203);
	key.public_key = span_of("\xff\xff\xff\xff\xff\xff", 6);
	assert_int_equal(ipseckey_tag(&key), 0xffff);
	key.precedence = 99;
	assert_int_equal(ipseckey_tag(&key), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_comes_back),
		cmocka_unit_test(ipsec1_hack_org_has_the_wrong_algorithm),
		cmocka_unit_test(ipsec2_hack_org_is_good),
		cmocka_unit_test(gateways),
		cmocka_unit_test(blanks_in_the_key),
		cmocka_unit_test(base64),
		cmocka_unit_test(bad_text_is_refused_with_its_field),
		cmocka_unit_test(too_small_buffers),
		cmocka_unit_test(longest_text_fits),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(bad_rdata_is_refused),
		cmocka_unit_test(tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
