/* The folder of policy groups: what is read, what is passed over, and what is said about the rest. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/groups_file.h"

static char folder[] = "/tmp/test_groups.XXXXXX";
static struct groups groups;
static char said[CONF_ERROR_MAX];

static void write_file(const char *name, const char *bytes, size_t n)
{
	char path[128];
	FILE *out;

	sprintf(path, "%s/%s", folder, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static int clean(void **state)
{
	static const char *const names[] = { "block", "clear", "clear-or-private", "private-or-clear", "private", "privat", "clear~",
					     "notes.txt" };
	char path[128];

	(void)state;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		sprintf(path, "%s/%s", folder, names[i]);
		unlink(path);
		rmdir(path);
	}
	return 0;
}

static void assert_says(const char *wanted)
{
	char whole[256];

	sprintf(whole, "%s%s", folder, wanted);
	assert_int_equal(groups_read(folder, &groups, said), IKE_E_CONFIG);
	assert_string_equal(said, whole);
	assert_int_equal(groups_count(&groups), 0);
}

static void what_is_not_there_has_no_entries(void **state)
{
	(void)state;
	assert_int_equal(groups_read("/nonexistent/policies", &groups, said), IKE_OK);
	assert_int_equal(groups_count(&groups), 0);
	assert_int_equal(groups_read(folder, &groups, said), IKE_OK);
	assert_int_equal(groups_count(&groups), 0);
}

static void each_file_is_a_group(void **state)
{
	static const char *const words[] = { "block", "clear", "clear-or-private", "private-or-clear", "private" };
	struct group_entry entry;
	struct dnsname name;
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		sprintf(text, "# %s\n%s.example\n192.0.2.%u", words[i], words[i], i);
		write_text(words[i], text);
	}
	write_text("clear~", "rubbish here\n");
	write_text("notes.txt", "rubbish here\n");
	if (groups_read(folder, &groups, said) != IKE_OK)
		fail_msg("%s", said);
	assert_int_equal(groups_count(&groups), 10);
	for (unsigned i = 0; i < 5; i++) {
		sprintf(text, "www.%s.example", words[i]);
		assert_int_equal(dnsname_from_text(text, &name), IKE_OK);
		assert_string_equal(group_word(groups_of_name(&groups, &name, &entry)), words[i]);
	}
}

static void an_error_names_file_and_line(void **state)
{
	(void)state;
	write_text("clear", "example.org\n");
	write_text("private", "# fine\nexample.net\nexample.org\n");
	assert_says("/private:3: \"example.org\" is in the group clear, too (allowed: one group for each)");
	write_text("private", "192.0.2.7/24\n");
	assert_says("/private:1: \"192.0.2.7/24\" has bits behind its length (allowed: ADDRESS, ADDRESS/LENGTH, or a domain name, which "
		    "covers what is below it)");
}

static void a_file_that_is_no_group_is_an_error(void **state)
{
	(void)state;
	write_text("privat", "example.org\n");
	assert_says("/privat: there is no such group (allowed: block, clear, clear-or-private, private-or-clear, private)");
}

static void nothing_hides_behind_a_nul_byte_or_in_a_long_line(void **state)
{
	char line[3000];

	(void)state;
	write_file("private", "a.example\n\0b.example\n", 21);
	assert_says("/private:2: control character");
	memset(line, 'a', sizeof line);
	write_file("private", line, sizeof line);
	assert_says("/private:1: line too long (allowed: 2046 bytes)");
}

static void what_cannot_be_read_is_an_error(void **state)
{
	char path[128];

	(void)state;
	sprintf(path, "%s/private", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_says("/private: cannot be read: Is a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_not_there_has_no_entries, clean),
		cmocka_unit_test_setup(each_file_is_a_group, clean),
		cmocka_unit_test_setup(an_error_names_file_and_line, clean),
		cmocka_unit_test_setup(a_file_that_is_no_group_is_an_error, clean),
		cmocka_unit_test_setup(nothing_hides_behind_a_nul_byte_or_in_a_long_line, clean),
		cmocka_unit_test_setup(what_cannot_be_read_is_an_error, clean),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	clean(NULL);
	rmdir(folder);
	return failed;
}
