#include "base/conf_line.h"

#include <stdbool.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static struct span skip(struct span s, size_t n)
{
	return span_of(s.p + n, s.n - n);
}

static struct span trim_left(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = skip(s, 1);
	return s;
}

static struct span trim_right(struct span s)
{
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static struct span without_newline(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

static bool has_control(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	return false;
}

/* As in unbound.conf a '#' starts a comment only where a word could start: "a#b" is a value. */
static struct span without_comment(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] == '#' && (i == 0 || is_blank(s.p[i - 1])))
			return span_of(s.p, i);
	return s;
}

static struct conf_line bad(const char *error)
{
	return (struct conf_line){ .kind = CONF_LINE_BAD, .error = error };
}

static struct conf_line read_quoted(struct span name, struct span rest)
{
	uint8_t quote = rest.p[0];
	size_t n = 0;

	rest = skip(rest, 1);
	while (n < rest.n && rest.p[n] != quote)
		n++;
	if (n == rest.n)
		return bad("quote not closed");
	if (trim_left(without_comment(skip(rest, n + 1))).n > 0)
		return bad("text after the closing quote");
	return (struct conf_line){ .kind = CONF_LINE_OPTION, .name = name, .value = span_of(rest.p, n) };
}

struct conf_line conf_line_read(struct span line)
{
	struct span name, rest;

	line = without_newline(line);
	if (has_control(line))
		return bad("control character");
	line = trim_left(line);
	if (line.n == 0 || line.p[0] == '#')
		return (struct conf_line){ .kind = CONF_LINE_EMPTY };

	name = span_of(line.p, 0);
	while (name.n < line.n && is_name_char(line.p[name.n]))
		name.n++;
	if (name.n == line.n || line.p[name.n] != ':')
		return bad("no colon after the option name");
	if (name.n == 0)
		return bad("no option name");

	rest = trim_left(skip(line, name.n + 1));
	if (rest.n > 0 && (rest.p[0] == '"' || rest.p[0] == '\''))
		return read_quoted(name, rest);
	rest = trim_right(without_comment(rest));
	if (rest.n == 0)
		return bad("no value");
	return (struct conf_line){ .kind = CONF_LINE_OPTION, .name = name, .value = rest };
}
