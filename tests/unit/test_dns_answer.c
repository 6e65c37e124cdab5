/* A question to the resolver, and what may come back for it. */
#include "tests/unit/walk.h"

#include <stdio.h>

#include "dnskey/dns_answer.h"
#include "dnskey/dns_probe.h"

/* client.example IPSECKEY, and one record "10 0 4 ." with four bytes of key. */
#define QUESTION "06636c69656e74076578616d706c6500 002d 0001"
#define RECORD(owner, type) owner type "0001 00000e10 0007 0a0004 01020304"
#define HEADER(flags, records) "1234" flags "0001" records "0000 0001"

static struct dnsname client(void)
{
	struct dnsname name;

	assert_int_equal(dnsname_from_text("client.example", &name), IKE_OK);
	return name;
}

static enum ike_err read_hex(const char *hex, struct dns_answer *out)
{
	static struct unit_bytes bytes;
	struct dnsname name = client();

	bytes = unit_hex(hex);
	return dns_answer_read(unit_span(&bytes), &name, DNS_TYPE_IPSECKEY, out);
}

static void question_asks_for_validation(void **state)
{
	uint8_t bytes[DNS_QUESTION_MAX];
	struct wr w = wr_over(bytes, sizeof bytes);
	struct dnsname name = client();

	(void)state;
	dns_question_write(&w, 0x1234, &name, DNS_TYPE_IPSECKEY, DNS_FLAG_AD);
	assert_true(wr_ok(&w));
	assert_span(wr_span(&w), "1234 0120 0001 0000 0000 0001" QUESTION "00 0029 04d0 00000000 0000");
}

static void longest_name_can_be_asked_for(void **state)
{
	uint8_t bytes[DNS_QUESTION_MAX];
	struct wr w = wr_over(bytes, sizeof bytes);
	struct dnsname name = { DNSNAME_MAX, { 0 } };

	(void)state;
	dns_question_write(&w, 1, &name, DNS_TYPE_IPSECKEY, DNS_FLAG_AD);
	assert_true(wr_ok(&w));
}

static void records_of_the_name_are_read(void **state)
{
	struct dns_answer a;

	(void)state;
	assert_int_equal(read_hex(HEADER("81a0", "0002") QUESTION RECORD("c00c", "002d")
				  RECORD("06434c49454e54c013", "002d"), &a), IKE_OK);
	assert_int_equal(a.rcode, DNS_RCODE_NOERROR);
	assert_true(a.authentic);
	assert_int_equal(a.n, 2);
	assert_false(a.more);
	assert_span(a.rdata[0], "0a0004 01020304");
	assert_span(a.rdata[1], "0a0004 01020304");
}

/* Promise 2: only what is validated counts, and it is the AD bit that says so. */
static void missing_ad_is_seen(void **state)
{
	struct dns_answer a;

	(void)state;
	assert_int_equal(read_hex(HEADER("8180", "0001") QUESTION RECORD("c00c", "002d"), &a), IKE_OK);
	assert_false(a.authentic);
	assert_int_equal(read_hex(HEADER("8182", "0000") QUESTION, &a), IKE_OK);
	assert_int_equal(a.rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(read_hex(HEADER("81a3", "0000") QUESTION, &a), IKE_OK);
	assert_int_equal(a.rcode, DNS_RCODE_NXDOMAIN);
	assert_int_equal(a.n, 0);
}

/* What stands under another name, or came by an alias, is nobody's proof. */
static void records_of_others_are_passed_over(void **state)
{
	struct dns_answer a;

	(void)state;
	assert_int_equal(read_hex(HEADER("81a0", "0004") QUESTION RECORD("c013", "002d") RECORD("c00c", "0010")
				  RECORD("0165c00c", "002d") "c00c 002d 0003 00000e10 0000", &a), IKE_OK);
	assert_int_equal(a.n, 0);
}

static void too_many_records_are_counted_and_not_stored(void **state)
{
	char hex[4096] = HEADER("81a0", "0011") QUESTION;
	struct dns_answer a;

	(void)state;
	for (unsigned i = 0; i < DNS_RECORDS_MAX + 1; i++)
		strcat(hex, "c00c 002d 0001 00000000 0001 00");
	assert_int_equal(read_hex(hex, &a), IKE_OK);
	assert_int_equal(a.n, DNS_RECORDS_MAX);
	assert_true(a.more);
}

static void what_is_no_answer_to_this_is_refused(void **state)
{
	static const char *const bad[] = {
		HEADER("01a0", "0000") QUESTION,                                        /* a question */
		HEADER("83a0", "0001") QUESTION RECORD("c00c", "002d"),                 /* cut */
		"1234 81a0 0000 0000 0000 0000",
		"1234 81a0 0002 0000 0000 0000" QUESTION QUESTION,
		HEADER("81a0", "0000") "06636c69656e74076578616d706c6500 0001 0001",    /* another type */
		HEADER("81a0", "0000") "06636c69656e74076578616d706c6500 002d 0003",    /* another class */
		HEADER("81a0", "0000") "06636c69656e75076578616d706c6500 002d 0001",    /* another name */
		HEADER("81a0", "0001") QUESTION "c00c 002d 0001 00000e10 0007 0a0004",  /* cut RDATA */
		HEADER("81a0", "0002") QUESTION RECORD("c00c", "002d"),                 /* fewer than it says */
		HEADER("81a0", "0001") QUESTION RECORD("c020", "002d"),                 /* a pointer to itself */
		HEADER("81a0", "0001") QUESTION RECORD("c022", "002d"),                 /* ... forwards */
		HEADER("81a0", "0001") QUESTION RECORD("0161c020", "002d"),             /* ... in a circle */
		HEADER("81a0", "0001") QUESTION RECORD("c003", "002d"),                 /* ... into the header */
		HEADER("81a0", "0001") QUESTION RECORD("8001", "002d"),                 /* a reserved kind of label */
	};
	struct dns_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (read_hex(bad[i], &a) != IKE_E_SYNTAX)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(a.n, 0);
	}
}

static void read_anything(struct span message, void *arg)
{
	struct dnsname name = client();
	struct dns_answer a;

	(void)arg;
	if (dns_answer_read(message, &name, DNS_TYPE_IPSECKEY, &a) != IKE_OK)
		assert_int_equal(a.n, 0);
}

static void read_prefix(struct span message, void *arg)
{
	struct dnsname name = client();
	struct dns_answer a;

	(void)arg;
	assert_int_equal(dns_answer_read(message, &name, DNS_TYPE_IPSECKEY, &a), IKE_E_SYNTAX);
}

static void prefixes_and_changes(void **state)
{
	struct unit_bytes bytes = unit_hex(HEADER("81a0", "0002") QUESTION RECORD("c00c", "002d") RECORD("03777777c00c", "002d"));

	(void)state;
	with_prefixes(unit_span(&bytes), read_prefix, NULL);
	with_changes(unit_span(&bytes), read_anything, NULL);
}

/* What `oe why` walks: an alias whose end is compressed, and the reasons of the resolver (RFC 8914). */
static void aliases_and_reasons_are_read(void **state)
{
	static const char hex[] = "1234 8182 0001 0001 0000 0001" QUESTION
		"c00c 0005 0001 00000e10 0006 03777777 c013"
		"00 0029 04d0 00000000 001a 000a 0002 ffff 000f 000a 0006 626f677573000a2e 000f 0002 0016";
	struct unit_bytes bytes = unit_hex(hex);
	struct dnsname name = client(), end;
	char text[DNS_EDE_TEXT_MAX], owner[DNSNAME_TEXT_MAX];
	struct dns_message m;
	struct dns_record record;
	size_t cursor = 0;
	uint16_t code;

	(void)state;
	assert_int_equal(dns_message_open(unit_span(&bytes), &name, DNS_TYPE_IPSECKEY, &m), IKE_OK);
	assert_int_equal(m.rcode, DNS_RCODE_SERVFAIL);
	assert_true(dns_record_next(&m, &record));
	assert_int_equal(record.type, DNS_TYPE_CNAME);
	assert_int_equal(record.section, DNS_ANSWER);
	assert_int_equal(dns_record_name(&m, &record, &end), IKE_OK);
	assert_string_equal(dnsname_text(&end, owner), "www.example");
	assert_true(dns_record_next(&m, &record));
	assert_int_equal(record.type, DNS_TYPE_OPT);
	assert_true(dns_ede_next(&record, &cursor, &code, text));
	assert_int_equal(code, 6);
	assert_string_equal(text, "bogus??.");
	assert_true(dns_ede_next(&record, &cursor, &code, text));
	assert_int_equal(code, 22);
	assert_string_equal(text, "");
	assert_false(dns_ede_next(&record, &cursor, &code, text));
	assert_false(dns_record_next(&m, &record));
	assert_false(m.malformed);
}

static void alias_that_does_not_fill_its_record_is_refused(void **state)
{
	static const char *const bad[] = {
		"c00c 0005 0001 00000e10 0007 03777777 c013 00",
		"c00c 0005 0001 00000e10 0005 03777777 c0",
		"c00c 0005 0001 00000e10 0002 c02c",
		"c00c 0005 0001 00000e10 0000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char hex[400];
		struct unit_bytes bytes;
		struct dnsname name = client(), end;
		struct dns_message m;
		struct dns_record record;

		snprintf(hex, sizeof hex, "1234 8180 0001 0001 0000 0000" QUESTION "%s", bad[i]);
		bytes = unit_hex(hex);
		assert_int_equal(dns_message_open(unit_span(&bytes), &name, DNS_TYPE_IPSECKEY, &m), IKE_OK);
		assert_true(dns_record_next(&m, &record));
		if (dns_record_name(&m, &record, &end) != IKE_E_SYNTAX)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(end.n, 0);
	}
}

static void count_up(void *arg, void *to, size_t n)
{
	uint8_t *next = arg, *b = to;

	while (n-- > 0)
		*b++ = (*next)++;
}

static void only_a_validated_denial_shows_that_dnssec_works(void **state)
{
	static const struct {
		const char *flags;
		bool shows;
	} answers[] = {
		{ "81a3", true },       /* NXDOMAIN, AD */
		{ "8183", false },
		{ "81a0", false },      /* NOERROR, AD: not what was asked for */
		{ "8182", false },
	};
	uint8_t next = 0x9a;
	const struct rng rng = { .fill = count_up, .arg = &next };
	struct dnsname first, second;
	char text[DNSNAME_TEXT_MAX];

	(void)state;
	dns_probe_name(&rng, &first);
	dns_probe_name(&rng, &second);
	assert_string_equal(dnsname_text(&first, text), "oe-9a9b9c9d9e9fa0a1");
	assert_string_equal(dnsname_text(&second, text), "oe-a2a3a4a5a6a7a8a9");
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct dns_message m;
		struct unit_bytes bytes;
		char hex[256];

		snprintf(hex, sizeof hex, "1234 %s 0001 0000 0000 0000 136f652d 39613962396339643965396661306131 00 0001 0001", answers[i].flags);
		bytes = unit_hex(hex);
		assert_int_equal(dns_message_open(unit_span(&bytes), &first, DNS_TYPE_A, &m), IKE_OK);
		assert_int_equal(dns_probe_validates(&m), answers[i].shows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_asks_for_validation),
		cmocka_unit_test(longest_name_can_be_asked_for),
		cmocka_unit_test(records_of_the_name_are_read),
		cmocka_unit_test(missing_ad_is_seen),
		cmocka_unit_test(records_of_others_are_passed_over),
		cmocka_unit_test(too_many_records_are_counted_and_not_stored),
		cmocka_unit_test(what_is_no_answer_to_this_is_refused),
		cmocka_unit_test(prefixes_and_changes),
		cmocka_unit_test(aliases_and_reasons_are_read),
		cmocka_unit_test(alias_that_does_not_fill_its_record_is_refused),
		cmocka_unit_test(only_a_validated_denial_shows_that_dnssec_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
