/* monitor.c - oe monitor: what happens, one line each, as it happens. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/term.h"
#include "cli/text.h"
#include "cli/why.h"

static const char *member(const json_t *event, const char *name)
{
	const char *text = why_text(event, name);

	return text ? text : "";
}

/* "00:07:24.180", of "2026-11-27T00:07:24.180Z". */
static void print_time(const char *at)
{
	const char *time = strchr(at, 'T');
	char safe[TEXT_SAFE_MAX];

	printf("%.12s ", text_safe(time ? time + 1 : at, safe));
}

static void print_event(const json_t *event)
{
	const char *what = member(event, "what"), *text = member(event, "text");
	char safe[TEXT_SAFE_MAX];

	print_time(member(event, "at"));
	printf("%s%-14s%s", term_colour(what), text_safe(what, safe), term_plain(what));
	if (why_text(event, "name"))
		printf(" %s", text_safe(member(event, "name"), safe));
	if (why_text(event, "address"))
		printf(" %s", text_safe(member(event, "address"), safe));
	if (why_text(event, "local"))
		printf(" from %s", text_safe(member(event, "local"), safe));
	if (text[0] != '\0')
		printf(": %s", text_safe(text, safe));
	printf("\n");
}

static void on_line(void *arg, const json_t *line)
{
	const json_t *event = json_object_get(line, "event"), *lost = json_object_get(line, "lost");
	const bool *json = arg;

	if (*json) {
		json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		printf("\n");
	} else if (lost) {
		printf("(%lld events lost: not read in time)\n", (long long)json_integer_value(lost));
	} else if (event) {
		print_event(event);
	}
	fflush(stdout);
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc > 1 && !json)
		return oe_usage(&command_monitor, "--json or nothing is expected, not \"%s\"", argv[argc - 1]);
	return client_follow(oe, json_pack("{s:s}", "command", "monitor"), on_line, &json);
}

const struct oe_command command_monitor = {
	.name = "monitor",
	.arguments = "[--json]",
	.summary = "Show what happens, one line each, until it is interrupted",
	.help = "  --json  an object each, described in docs/control.md\n\n"
		"Attempts, tunnels that come up, are rekeyed, healed, released; verdicts with their reasons;\n"
		"answers that the resolver has to forget; what the operator permits and pauses.\n",
	.run = run,
};
