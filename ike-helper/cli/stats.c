/* stats.c - oe stats: all counters, one a line, for people and monitoring. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/text.h"

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	enum oe_exit status;
	json_t *last, *stats, *value;
	const char *name;

	if (argc > 2 || (argc == 2 && !json))
		return oe_usage(&command_stats, "unknown argument");
	status = client_ask(oe, json_pack("{s:s}", "command", "stats"), NULL, NULL, &last);
	if (status != OE_OK)
		return status;
	stats = json_object_get(last, "stats");
	if (json) {
		json_dumpf(stats, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		json_object_foreach(stats, name, value) {
			char safe[TEXT_SAFE_MAX];

			printf("%s=%lld\n", text_safe(name, safe),
			       (long long)json_integer_value(value));
		}
	}
	json_decref(last);
	return OE_OK;
}

const struct oe_command command_stats = {
	.name = "stats",
	.arguments = "[--json]",
	.summary = "Show counters, as name=value",
	.help = "  --json  one object\n\n"
		"tunnels.*, resolver.connections, ike.sas*, ike.initiating and ike.half_open count what\n"
		"there is now; all others count events since the start.\n",
	.run = run,
};
