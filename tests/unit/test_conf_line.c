#include "tests/unit/unit.h"

#include "base/conf_line.h"

static struct conf_line read_line(const char *text)
{
	return conf_line_read(span_of(text, strlen(text)));
}

static void assert_option(const char *line, const char *name, const char *value)
{
	struct conf_line got = read_line(line);

	if (got.kind != CONF_LINE_OPTION)
		fail_msg("no option: %s", line);
	unit_assert_span(got.name, span_of(name, strlen(name)));
	unit_assert_span(got.value, span_of(value, strlen(value)));
}

static void assert_bad(const char *line, const char *error)
{
	struct conf_line got = read_line(line);

	if (got.kind != CONF_LINE_BAD)
		fail_msg("not refused: %s", line);
	assert_string_equal(got.error, error);
}

static void options(void **state)
{
	(void)state;
	assert_option("idle: 300", "idle", "300");
	assert_option("idle: 300\n", "idle", "300");
	assert_option("idle: 300\r\n", "idle", "300");
	assert_option("\t  key-file:/etc/key.pem  ", "key-file", "/etc/key.pem");
	assert_option("a: b c", "a", "b c");
	assert_option("a: b:c", "a", "b:c");
	assert_option("A_1: yes", "A_1", "yes");
}

static void comments(void **state)
{
	(void)state;
	assert_option("a: b # why", "a", "b");
	assert_option("a: b#c", "a", "b#c");
	assert_option("a: \"b # c\" # why", "a", "b # c");
	assert_option("a: 'b'#why", "a", "b");
	assert_int_equal(read_line("").kind, CONF_LINE_EMPTY);
	assert_int_equal(read_line("\n").kind, CONF_LINE_EMPTY);
	assert_int_equal(read_line(" \t \r\n").kind, CONF_LINE_EMPTY);
	assert_int_equal(read_line("# a: b").kind, CONF_LINE_EMPTY);
	assert_int_equal(read_line("  #").kind, CONF_LINE_EMPTY);
}

static void quotes(void **state)
{
	(void)state;
	assert_option("a: \"\"", "a", "");
	assert_option("a: \" b \"", "a", " b ");
	assert_option("a: 'it is \"so\"'", "a", "it is \"so\"");
	assert_option("a: b\"c\"", "a", "b\"c\"");
	assert_bad("a: \"b", "quote not closed");
	assert_bad("a: \"", "quote not closed");
	assert_bad("a: 'b\"", "quote not closed");
	assert_bad("a: \"b\" c", "text after the closing quote");
	assert_bad("a: \"b\"c", "text after the closing quote");
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	assert_bad("idle 300", "no colon after the option name");
	assert_bad("idle", "no colon after the option name");
	assert_bad("idle : 300", "no colon after the option name");
	assert_bad(": 300", "no option name");
	assert_bad("idle:", "no value");
	assert_bad("idle:   # 300", "no value");
	assert_bad("idle: 3\x1b[0m", "control character");
	assert_bad("idle: 3\x7f", "control character");
	assert_bad("a: b\nc: d\n", "control character");
	assert_bad("# \x01", "control character");
}

static void nul_inside_is_a_control_character(void **state)
{
	const uint8_t line[] = { 'a', ':', ' ', 'b', 0, 'c' };
	struct conf_line got = conf_line_read(span_of(line, sizeof line));

	(void)state;
	assert_int_equal(got.kind, CONF_LINE_BAD);
	assert_string_equal(got.error, "control character");
}

static void every_prefix_is_read_without_harm(void **state)
{
	static const char line[] = "  name: \"value\" # comment\r\n";
	size_t n;

	(void)state;
	for (n = 0; n <= strlen(line); n++) {
		char *copy = malloc(n + 1);
		struct conf_line got;

		assert_non_null(copy);
		memcpy(copy, line, n);
		got = conf_line_read(span_of(copy, n));
		if (n >= strlen("  name: \"value\""))
			assert_int_equal(got.kind, CONF_LINE_OPTION);
		else
			assert_int_equal(got.kind, n <= 2 ? CONF_LINE_EMPTY : CONF_LINE_BAD);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(comments),
		cmocka_unit_test(quotes),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(nul_inside_is_a_control_character),
		cmocka_unit_test(every_prefix_is_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
