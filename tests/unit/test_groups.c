/* Policy groups: what a line may be, and which entry counts. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "base/groups.h"

static struct groups groups;
static char said[GROUPS_WRONG_MAX];

static enum ike_err add(enum group group, const char *line)
{
	return groups_add_line(&groups, group, span_of(line, strlen(line)), said);
}

static void add_all(enum group group, const char *const *lines)
{
	for (; *lines; lines++)
		if (add(group, *lines) != IKE_OK)
			fail_msg("%s: %s", *lines, said);
}

static int empty(void **state)
{
	(void)state;
	groups_clear(&groups);
	return 0;
}

static void assert_wrong(const char *line, const char *text)
{
	unsigned before = groups_count(&groups);

	if (add(GROUP_PRIVATE, line) != IKE_E_CONFIG)
		fail_msg("not refused: %s", line);
	if (!strstr(said, text))
		fail_msg("%s: \"%s\" is not in \"%s\"", line, text, said);
	assert_int_equal(groups_count(&groups), before);
}

static struct dnsname name_of(const char *text)
{
	struct dnsname name;

	assert_int_equal(dnsname_from_text(text, &name), IKE_OK);
	return name;
}

static struct ip_addr address_of(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_from_text(text, &a), IKE_OK);
	return a;
}

/* want: the entry as text, "" for none. */
static void assert_name(const char *name, const char *want)
{
	struct dnsname n = name_of(name);
	char text[GROUP_ENTRY_TEXT_MAX];
	struct group_entry entry;

	enum group found = groups_of_name(&groups, &n, &entry);

	assert_int_equal(found, entry.group);
	assert_string_equal(group_entry_text(&entry, text), want);
}

static void assert_address(const char *address, const char *want)
{
	struct ip_addr a = address_of(address);
	char text[GROUP_ENTRY_TEXT_MAX];
	struct group_entry entry;

	enum group found = groups_of_address(&groups, &a, &entry);

	assert_int_equal(found, entry.group);
	assert_string_equal(group_entry_text(&entry, text), want);
}

static void assert_both(const char *name, const char *address, const char *want)
{
	struct dnsname n = name_of(name);
	struct ip_addr a = address_of(address);
	char text[GROUP_ENTRY_TEXT_MAX];
	struct group_entry entry;

	enum group found = groups_find(&groups, &n, &a, &entry);

	assert_int_equal(found, entry.group);
	assert_string_equal(group_entry_text(&entry, text), want);
}

static void comments_and_blanks_add_nothing(void **state)
{
	static const char *const lines[] = { "", "\n", " \t\r\n", "# example.org", "  # example.org\n", NULL };

	(void)state;
	add_all(GROUP_CLEAR, lines);
	assert_int_equal(groups_count(&groups), 0);
	assert_int_equal(add(GROUP_CLEAR, "  Example.ORG.\t# a customer\r\n"), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR, "192.0.2.1 # another"), IKE_OK);
	assert_int_equal(groups_count(&groups), 2);
	assert_name("www.example.org", "clear: example.org");
	assert_address("192.0.2.1", "clear: 192.0.2.1");
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_wrong("192.0.2.0/33", "\"192.0.2.0/33\" is not a network (allowed: ADDRESS, ADDRESS/LENGTH, or a domain name, which covers what is below it)");
	assert_wrong("2001:db8::/129", "is not a network");
	assert_wrong("192.0.2.0/", "is not a network");
	assert_wrong("192.0.2.0/8x", "is not a network");
	assert_wrong("192.0.2.0/-1", "is not a network");
	assert_wrong("192.0.2/24", "is not a network");
	assert_wrong("example.org/24", "is not a network");
	assert_wrong("192.0.2.1/24", "has bits behind its length");
	assert_wrong("2001:db8::1/64", "has bits behind its length");
	assert_wrong("192.0.2.300", "neither an address nor a domain name");
	assert_wrong("10.1", "neither an address nor a domain name");
	assert_wrong("2001:db8::g", "neither an address nor a domain name");
	assert_wrong("a..b", "neither an address nor a domain name");
	assert_wrong("*.example.org", "wildcard");
	assert_wrong("\\#", "neither an address nor a domain name");      /* printed it would be a comment */
	assert_wrong("a\\046b.example", "neither an address nor a domain name");
	assert_wrong("http:example.org", "neither an address nor a domain name");
	assert_wrong("b\xc3\xbc" "cher.example", "xn--");
	assert_wrong("example\001org", "control character");
	assert_int_equal(groups_add_line(&groups, GROUP_CLEAR, span_of("a\0b", 3), said), IKE_E_CONFIG);
}

/* libreswan's files may say more. What is not understood must not be half obeyed. */
static void ports_are_refused(void **state)
{
	(void)state;
	assert_wrong("10.0.1.0/24  tcp  0  22", "protocols and ports are not known here");
}

static void one_entry_has_one_group(void **state)
{
	(void)state;
	assert_int_equal(add(GROUP_CLEAR, "example.org"), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR, "EXAMPLE.org."), IKE_OK);
	assert_int_equal(add(GROUP_BLOCK, "10.0.0.0/8"), IKE_OK);
	assert_int_equal(groups_count(&groups), 2);
	assert_wrong("Example.org", "\"Example.org\" is in the group clear, too (allowed: one group for each)");
	assert_wrong("10.0.0.0/8", "is in the group block, too");
}

static void the_longest_name_counts(void **state)
{
	(void)state;
	assert_int_equal(add(GROUP_PRIVATE, "example.org"), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR, "www.example.org"), IKE_OK);
	assert_int_equal(add(GROUP_BLOCK, "a.b.www.example.org"), IKE_OK);
	assert_name("example.org", "private: example.org");
	assert_name("mail.example.org", "private: example.org");
	assert_name("www.example.org", "clear: www.example.org");
	assert_name("b.www.example.org", "clear: www.example.org");
	assert_name("a.b.www.example.org", "block: a.b.www.example.org");
	assert_name("org", "");
	assert_name("notexample.org", "");
	assert_int_equal(add(GROUP_PRIVATE_OR_CLEAR, "."), IKE_OK);
	assert_name("org", "private-or-clear: .");
	assert_name(".", "private-or-clear: .");
	assert_name("mail.example.org", "private: example.org");
}

static void the_longest_prefix_counts(void **state)
{
	static const char *const private_lines[] = { "192.0.2.0/24", "2001:db8::/33", "0.0.0.0/0", NULL };

	(void)state;
	add_all(GROUP_PRIVATE, private_lines);
	assert_int_equal(add(GROUP_CLEAR, "192.0.2.128/25"), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR_OR_PRIVATE, "192.0.2.129"), IKE_OK);
	assert_address("192.0.2.1", "private: 192.0.2.0/24");
	assert_address("192.0.2.130", "clear: 192.0.2.128/25");
	assert_address("192.0.2.129", "clear-or-private: 192.0.2.129");
	assert_address("198.51.100.1", "private: 0.0.0.0/0");
	assert_address("2001:db8:7fff::1", "private: 2001:db8::/33");
	assert_address("2001:db8:8000::1", "");
}

static void a_name_counts_more_than_an_address_unless_that_is_blocked(void **state)
{
	(void)state;
	assert_int_equal(add(GROUP_PRIVATE, "192.0.2.1"), IKE_OK);
	assert_int_equal(add(GROUP_BLOCK, "192.0.2.2"), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR, "example.org"), IKE_OK);
	assert_both("www.example.org", "192.0.2.1", "clear: example.org");
	assert_both("www.example.net", "192.0.2.1", "private: 192.0.2.1");
	assert_both("www.example.org", "192.0.2.2", "block: 192.0.2.2");
	assert_both("www.example.net", "192.0.2.3", "");
}

/* In whatever order a crowd comes, each is found. */
static void many_are_found(void **state)
{
	char line[64], want[64];

	(void)state;
	for (unsigned i = 0; i < 1500; i++) {
		unsigned k = i * 7919 % 1500;

		sprintf(line, "10.%u.%u.0/24", k / 250, k % 250);
		assert_int_equal(add(k % 2 ? GROUP_CLEAR : GROUP_PRIVATE, line), IKE_OK);
		sprintf(line, "h%u.example", k);
		assert_int_equal(add(k % 2 ? GROUP_CLEAR : GROUP_PRIVATE, line), IKE_OK);
	}
	for (unsigned k = 0; k < 1500; k++) {
		sprintf(line, "10.%u.%u.9", k / 250, k % 250);
		sprintf(want, "%s: 10.%u.%u.0/24", k % 2 ? "clear" : "private", k / 250, k % 250);
		assert_address(line, want);
		sprintf(line, "www.h%u.example", k);
		sprintf(want, "%s: h%u.example", k % 2 ? "clear" : "private", k);
		assert_name(line, want);
	}
}

static void there_is_an_end(void **state)
{
	char line[300];
	unsigned i;

	(void)state;
	for (i = 0; i < GROUPS_NETWORKS_MAX; i++) {
		sprintf(line, "10.0.%u.%u", i / 256, i % 256);
		assert_int_equal(add(GROUP_CLEAR, line), IKE_OK);
	}
	assert_wrong("192.0.2.1", "one network too many (allowed: 2048 in all groups)");
	for (i = 0; i < GROUPS_NAMES_MAX; i++) {
		sprintf(line, "h%u.example", i);
		assert_int_equal(add(GROUP_CLEAR, line), IKE_OK);
	}
	assert_wrong("example.net", "one name too many");
	empty(NULL);
	for (i = 0; i < GROUPS_NAMES_MAX; i++) {
		sprintf(line, "%04u%059u.%063u.%062ua", i, 0, 0, 0);
		if (add(GROUP_CLEAR, line) != IKE_OK && !strstr(said, "one name too many"))
			fail_msg("%s", said);
		if (said[0] != '\0')
			break;
	}
	assert_in_range(i, 100, GROUPS_NAMES_MAX - 1);
	assert_true(groups.n_bytes <= GROUPS_NAME_BYTES_MAX);
}

static void the_digest_is_of_the_entries(void **state)
{
	uint64_t none = groups_digest(&groups), both;

	(void)state;
	assert_int_equal(add(GROUP_CLEAR, "example.org"), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR, "192.0.2.0/24"), IKE_OK);
	assert_int_equal(add(GROUP_PRIVATE, "example.com"), IKE_OK);
	both = groups_digest(&groups);
	assert_true(both != none);
	empty(NULL);
	assert_int_equal(add(GROUP_PRIVATE, "example.com."), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR, "192.0.2.0/24 # the same"), IKE_OK);
	assert_true(groups_digest(&groups) != both);
	assert_int_equal(add(GROUP_CLEAR, "Example.org"), IKE_OK);
	assert_true(groups_digest(&groups) == both);
	empty(NULL);
	assert_int_equal(add(GROUP_PRIVATE, "example.com"), IKE_OK);
	assert_int_equal(add(GROUP_PRIVATE, "192.0.2.0/24"), IKE_OK);
	assert_int_equal(add(GROUP_CLEAR, "example.org"), IKE_OK);
	assert_true(groups_digest(&groups) != both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(comments_and_blanks_add_nothing, empty),
		cmocka_unit_test_setup(what_is_wrong_is_named, empty),
		cmocka_unit_test_setup(ports_are_refused, empty),
		cmocka_unit_test_setup(one_entry_has_one_group, empty),
		cmocka_unit_test_setup(the_longest_name_counts, empty),
		cmocka_unit_test_setup(the_longest_prefix_counts, empty),
		cmocka_unit_test_setup(a_name_counts_more_than_an_address_unless_that_is_blocked, empty),
		cmocka_unit_test_setup(many_are_found, empty),
		cmocka_unit_test_setup(there_is_an_end, empty),
		cmocka_unit_test_setup(the_digest_is_of_the_entries, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
