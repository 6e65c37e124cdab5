#include "tests/unit/unit.h"

#include "base/dnsname.h"

static enum ike_err read_whole(struct span s)
{
	struct rd r = rd_over(s);
	struct dnsname name;
	enum ike_err err = dnsname_read(&r, &name);

	if (err == IKE_OK && !rd_done(&r))
		return IKE_E_SYNTAX;
	if (err != IKE_OK)
		assert_int_equal(name.n, 0);
	return err;
}

static struct dnsname from_text(const char *text)
{
	struct dnsname name;

	assert_int_equal(dnsname_from_text(text, &name), IKE_OK);
	return name;
}

static void reads_one_name_and_leaves_the_rest(void **state)
{
	const struct unit_bytes in = unit_hex("03 777777 07 6578616d706c65 03 6f7267 00  aa");
	struct rd r = rd_over(unit_span(&in));
	struct dnsname name;
	char text[DNSNAME_TEXT_MAX];

	(void)state;
	assert_int_equal(dnsname_read(&r, &name), IKE_OK);
	assert_int_equal(rd_left(&r), 1);
	assert_int_equal(name.n, 17);
	assert_string_equal(dnsname_text(&name, text), "www.example.org");
	unit_walk_prefixes(span_of(in.b, in.n - 1), read_whole, NULL);
}

static void upper_case_is_the_same_name(void **state)
{
	const struct unit_bytes in = unit_hex("03 577757 00");
	struct rd r = rd_over(unit_span(&in));
	struct dnsname name, want = from_text("www."), text = from_text("WwW");

	(void)state;
	assert_int_equal(dnsname_read(&r, &name), IKE_OK);
	assert_true(dnsname_equal(&name, &want));
	assert_true(dnsname_equal(&name, &text));
	want = from_text("www.org");
	assert_false(dnsname_equal(&name, &want));
}

static void pointer_and_reserved_label_types_are_refused(void **state)
{
	const struct unit_bytes pointer = unit_hex("03 777777 c000"), first = unit_hex("c00c"), extended = unit_hex("41 00"),
		label64 = unit_hex("40 00"), reserved = unit_hex("80 00");

	(void)state;
	assert_int_equal(read_whole(unit_span(&pointer)), IKE_E_SYNTAX);
	assert_int_equal(read_whole(unit_span(&first)), IKE_E_SYNTAX);
	assert_int_equal(read_whole(unit_span(&extended)), IKE_E_SYNTAX);
	assert_int_equal(read_whole(unit_span(&label64)), IKE_E_SYNTAX);
	assert_int_equal(read_whole(unit_span(&reserved)), IKE_E_SYNTAX);
}

static void bad_name_makes_the_reader_bad(void **state)
{
	const struct unit_bytes in = unit_hex("c000 01020304");
	struct rd r = rd_over(unit_span(&in));
	struct dnsname name;

	(void)state;
	assert_int_equal(dnsname_read(&r, &name), IKE_E_SYNTAX);
	assert_false(rd_ok(&r));
	assert_int_equal(rd_u8(&r), 0);
}

/* Three labels of 63 bytes and one of last bytes: 255 bytes with last = 61. */
static struct unit_bytes long_name(unsigned last)
{
	struct unit_bytes out = { 0 };
	unsigned i;

	for (i = 0; i < 4; i++) {
		unsigned n = i < 3 ? 63 : last;

		out.b[out.n++] = (uint8_t)n;
		memset(out.b + out.n, 0xff, n);
		out.n += n;
	}
	out.n++;
	return out;
}

static void longest_name_and_one_more(void **state)
{
	const struct unit_bytes longest = long_name(61), longer = long_name(62);
	struct rd r = rd_over(unit_span(&longest));
	struct dnsname name, back;
	char text[DNSNAME_TEXT_MAX];

	(void)state;
	assert_int_equal(longest.n, DNSNAME_MAX);
	assert_int_equal(dnsname_read(&r, &name), IKE_OK);
	assert_int_equal(strlen(dnsname_text(&name, text)), 4 * 250 + 3);
	assert_int_equal(dnsname_from_text(text, &back), IKE_OK);
	assert_true(dnsname_equal(&name, &back));
	assert_int_equal(read_whole(unit_span(&longer)), IKE_E_SYNTAX);

	memcpy(strrchr(text, '.'), ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64);
	assert_int_equal(dnsname_from_text(text, &back), IKE_E_SYNTAX);
	assert_int_equal(back.n, 0);
}

static void root_is_a_name(void **state)
{
	const struct unit_bytes in = unit_hex("00");
	struct rd r = rd_over(unit_span(&in));
	struct dnsname name, root = from_text("."), none = { 0 };
	char text[DNSNAME_TEXT_MAX];

	(void)state;
	assert_int_equal(dnsname_read(&r, &name), IKE_OK);
	assert_int_equal(name.n, 1);
	assert_true(dnsname_equal(&name, &root));
	assert_string_equal(dnsname_text(&root, text), ".");
	assert_string_equal(dnsname_text(&none, text), "");
}

static void text_is_safe_for_terminals_and_reads_back(void **state)
{
	const struct unit_bytes in = unit_hex("0b 2e5c2220 1b7f 0080ff 3b40 00");
	struct rd r = rd_over(unit_span(&in));
	struct dnsname name, back;
	char text[DNSNAME_TEXT_MAX];

	(void)state;
	assert_int_equal(dnsname_read(&r, &name), IKE_OK);
	assert_string_equal(dnsname_text(&name, text), "\\.\\\\\\\"\\032\\027\\127\\000\\128\\255\\;\\@");
	back = from_text(text);
	assert_true(dnsname_equal(&name, &back));
}

static void malformed_text_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", "..", ".org", "a..org", "a\\", "a\\25", "a\\256", "a\\2x5",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",   /* 64 */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct dnsname name;

		if (dnsname_from_text(wrong[i], &name) != IKE_E_SYNTAX)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(name.n, 0);
	}
}

static void names_below_a_zone(void **state)
{
	static const struct {
		const char *name, *zone;
		bool under;
	} cases[] = {
		{ "example.org", "example.org", true }, { "www.example.org", "example.org", true },
		{ "WWW.Example.ORG", "example.org", true }, { "a.b.c.example.org", "c.example.org", true },
		{ "notexample.org", "example.org", false }, { "org", "example.org", false },
		{ "example.org.evil", "example.org", false }, { "www.example.org", ".", true }, { ".", ".", true },
		/* As long as the zone, and the bytes of the zone behind a byte that is no length. */
		{ "x\\007example.org", "example.org", false },
	};
	struct dnsname name, zone, none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(dnsname_from_text(cases[i].name, &name), IKE_OK);
		assert_int_equal(dnsname_from_text(cases[i].zone, &zone), IKE_OK);
		assert_int_equal(dnsname_is_under(&name, &zone), cases[i].under);
		assert_false(dnsname_is_under(&none, &zone));
		assert_false(dnsname_is_under(&name, &none));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_one_name_and_leaves_the_rest),
		cmocka_unit_test(upper_case_is_the_same_name),
		cmocka_unit_test(pointer_and_reserved_label_types_are_refused),
		cmocka_unit_test(bad_name_makes_the_reader_bad),
		cmocka_unit_test(longest_name_and_one_more),
		cmocka_unit_test(root_is_a_name),
		cmocka_unit_test(names_below_a_zone),
		cmocka_unit_test(text_is_safe_for_terminals_and_reads_back),
		cmocka_unit_test(malformed_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
