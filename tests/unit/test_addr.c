#include "tests/unit/unit_addr.h"

#include "base/addr.h"

static void text_becomes_canonical(void **state)
{
	static const char *const pairs[][2] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },    /* RFC 5952 4.2.2: one group is not shortened */
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },              /* 4.2.3: the longest run */
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },        /* 4.2.3: the first of equals */
		{ "2001:db8::0:1", "2001:db8::1" },
		{ "fe80::1:2:3:4:5:6", "fe80:0:1:2:3:4:5:6" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "::ffff:c000:201", "::ffff:192.0.2.1" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct ip_addr a = addr(pairs[i][0]);
		char text[IP_TEXT_MAX];

		assert_string_equal(ip_text(&a, text), pairs[i][1]);
	}
}

static void what_is_not_an_address_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", " ", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1..2.3", "1.2.3.4 ", " 1.2.3.4",
		"1.2.3.a", "-1.2.3.4", "1.2.3.4/32", "0x1.2.3.4", "1.2.3.0004",
		":", ":::", "1:", "1:2", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8", "::g", "::1%eth0", "[::1]", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", ":1::2", "::1:", "1.2.3.4::",
		"::1.2.3.4.5", "fe80::1/64",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct ip_addr a;

		if (ip_from_text(wrong[i], &a) == IKE_OK)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(a.family, IP_NONE);
	}
}

static void bytes_make_the_same_address_as_text(void **state)
{
	const struct unit_bytes v4 = unit_hex("c0000201"), v6 = unit_hex("20010db8 00000000 00000000 00000001");
	struct ip_addr a, b;
	size_t n;

	(void)state;
	assert_int_equal(ip_from_bytes(unit_span(&v4), &a), IKE_OK);
	b = addr("192.0.2.1");
	assert_true(ip_equal(&a, &b));
	unit_assert_span(ip_bytes(&a), unit_span(&v4));

	assert_int_equal(ip_from_bytes(unit_span(&v6), &a), IKE_OK);
	assert_false(ip_equal(&a, &b));
	b = addr("2001:db8::1");
	assert_true(ip_equal(&a, &b));
	unit_assert_span(ip_bytes(&a), unit_span(&v6));

	for (n = 0; n < 16; n++) {
		if (n == 4)
			continue;
		assert_int_equal(ip_from_bytes(span_of(v6.b, n), &a), IKE_E_SYNTAX);
		assert_int_equal(a.family, IP_NONE);
		assert_int_equal(ip_bytes(&a).n, 0);
	}
}

static void same_bytes_of_two_families_differ(void **state)
{
	struct ip_addr v4 = addr("32.1.13.184"), v6 = addr("2001:db8::");

	(void)state;
	assert_memory_equal(v4.b, v6.b, sizeof v4.b);
	assert_false(ip_equal(&v4, &v6));
}

static void endpoints_print_and_compare(void **state)
{
	struct ip_endpoint v4 = { addr("192.0.2.1"), 500 }, v6 = { addr("2001:db8::1"), 65535 };
	struct ip_endpoint longest = { addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535 };
	struct ip_endpoint none = { { 0 }, 0 }, other = v4;
	char text[IP_ENDPOINT_TEXT_MAX];

	(void)state;
	assert_string_equal(ip_endpoint_text(&v4, text), "192.0.2.1:500");
	assert_string_equal(ip_endpoint_text(&v6, text), "[2001:db8::1]:65535");
	assert_string_equal(ip_endpoint_text(&longest, text), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	assert_string_equal(ip_endpoint_text(&none, text), "-:0");
	assert_true(ip_endpoint_equal(&v4, &other));
	other.port++;
	assert_false(ip_endpoint_equal(&v4, &other));
	assert_false(ip_endpoint_equal(&v4, &v6));
}

static void scopes(void **state)
{
	static const struct { const char *text; enum ip_scope scope; } cases[] = {
		{ "192.0.2.1", IP_SCOPE_GLOBAL }, { "2001:db8::1", IP_SCOPE_GLOBAL }, { "64:ff9b::1", IP_SCOPE_GLOBAL },
		{ "10.0.0.0", IP_SCOPE_PRIVATE }, { "9.255.255.255", IP_SCOPE_GLOBAL }, { "11.0.0.0", IP_SCOPE_GLOBAL },
		{ "172.15.255.255", IP_SCOPE_GLOBAL }, { "172.16.0.0", IP_SCOPE_PRIVATE },
		{ "172.31.255.255", IP_SCOPE_PRIVATE }, { "172.32.0.0", IP_SCOPE_GLOBAL },
		{ "192.168.0.1", IP_SCOPE_PRIVATE }, { "192.169.0.1", IP_SCOPE_GLOBAL },
		{ "100.63.255.255", IP_SCOPE_GLOBAL }, { "100.64.0.0", IP_SCOPE_PRIVATE },
		{ "100.127.255.255", IP_SCOPE_PRIVATE }, { "100.128.0.0", IP_SCOPE_GLOBAL },
		{ "fc00::", IP_SCOPE_PRIVATE }, { "fdff::1", IP_SCOPE_PRIVATE }, { "fbff::1", IP_SCOPE_GLOBAL },
		{ "169.254.0.1", IP_SCOPE_LINK_LOCAL }, { "fe80::1", IP_SCOPE_LINK_LOCAL },
		{ "febf::1", IP_SCOPE_LINK_LOCAL }, { "fec0::1", IP_SCOPE_GLOBAL },
		{ "127.0.0.1", IP_SCOPE_LOOPBACK }, { "127.255.255.255", IP_SCOPE_LOOPBACK }, { "::1", IP_SCOPE_LOOPBACK },
		{ "224.0.0.1", IP_SCOPE_MULTICAST }, { "239.255.255.255", IP_SCOPE_MULTICAST },
		{ "255.255.255.255", IP_SCOPE_MULTICAST }, { "ff02::1", IP_SCOPE_MULTICAST },
		{ "0.0.0.0", IP_SCOPE_UNUSABLE }, { "0.1.2.3", IP_SCOPE_UNUSABLE }, { "240.0.0.1", IP_SCOPE_UNUSABLE },
		{ "::", IP_SCOPE_UNUSABLE }, { "::192.0.2.1", IP_SCOPE_UNUSABLE }, { "::ffff:192.0.2.1", IP_SCOPE_UNUSABLE },
	};
	struct ip_addr none = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_addr a = addr(cases[i].text);

		if (ip_scope(&a) != cases[i].scope)
			fail_msg("%s is %s, not %s", cases[i].text, ip_scope_text(ip_scope(&a)), ip_scope_text(cases[i].scope));
	}
	assert_int_equal(ip_scope(&none), IP_SCOPE_UNUSABLE);
	assert_string_equal(ip_scope_text(IP_SCOPE_LINK_LOCAL), "link-local");
}

static void source_is_an_ipv4_address_or_an_ipv6_64(void **state)
{
	static const struct { const char *text, *source; } cases[] = {
		{ "192.0.2.77", "192.0.2.77" }, { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" }, { "2001:db8::", "2001:db8::" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_addr a, source;
		char text[IP_TEXT_MAX];

		assert_int_equal(ip_from_text(cases[i].text, &a), IKE_OK);
		source = ip_source(&a);
		assert_string_equal(ip_text(&source, text), cases[i].source);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_becomes_canonical),
		cmocka_unit_test(what_is_not_an_address_is_refused),
		cmocka_unit_test(bytes_make_the_same_address_as_text),
		cmocka_unit_test(same_bytes_of_two_families_differ),
		cmocka_unit_test(endpoints_print_and_compare),
		cmocka_unit_test(scopes),
		cmocka_unit_test(source_is_an_ipv4_address_or_an_ipv6_64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
