#include "config.h"

#include "cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool term_is(FILE *stream)
{
	return isatty(fileno(stream)) == 1;
}

static bool has_colours(void)
{
	const char *none = getenv("NO_COLOR"), *kind = getenv("TERM");

	return term_is(stdout) && !(none && none[0] != '\0') && kind && strcmp(kind, "dumb") != 0;
}

const char *term_colour(const char *word)
{
	static const struct {
		const char *word, *sequence;
	} colours[] = {
		{ "protected", "\033[32m" }, { "answered", "\033[32m" }, { "rekeyed", "\033[32m" },
		{ "healing", "\033[33m" }, { "establishing", "\033[33m" }, { "draining", "\033[33m" },
		{ "refused", "\033[31m" }, { "failed", "\033[31m" },
		{ "plain", "\033[35m" }, { "clear", "\033[35m" }, { "permitted", "\033[35m" }, { "paused", "\033[35m" },
	};

	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
		if (strcmp(colours[i].word, word) == 0)
			return has_colours() ? colours[i].sequence : "";
	return "";
}

const char *term_plain(const char *word)
{
	return term_colour(word)[0] != '\0' ? "\033[0m" : "";
}
