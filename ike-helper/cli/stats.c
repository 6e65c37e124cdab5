/* stats.c - oe stats: all counters, one a line, for people and monitoring. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/text.h"

static void print_json(const json_t *stats)
{
	json_dumpf(stats, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

static void print_text(const json_t *stats)
{
	const json_t *value;
	const char *name;

	json_object_foreach((json_t *)stats, name, value) {
		char safe[TEXT_SAFE_MAX];

		printf("%s=%lld\n", text_safe(name, safe), (long long)json_integer_value(value));
	}
}

/* docs/control.md: what counts things that there are now; all others count events since the start. */
static bool is_gauge(const char *name)
{
	static const char *const gauges[] = {
		"tunnels.all", "tunnels.anonymous", "tunnels.establishing", "tunnels.protected", "tunnels.healing", "tunnels.draining",
		"resolver.connections", "ike.sas", "ike.initiating", "ike.half_open", "ike.sas_established",
	};

	for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
		if (strcmp(gauges[i], name) == 0)
			return true;
	return false;
}

/* Prometheus' text format 0.0.4: names of [a-zA-Z0-9_], and those of counters end with _total. Their own rules want a HELP line. */
static void print_prometheus(const json_t *stats)
{
	const json_t *value;
	const char *name;

	json_object_foreach((json_t *)stats, name, value) {
		const bool gauge = is_gauge(name);
		const char *suffix = gauge ? "" : "_total";
		char metric[128], safe[TEXT_SAFE_MAX];
		size_t n;

		snprintf(metric, sizeof metric, "unbound_oe_%.100s", name);
		for (n = 0; metric[n] != '\0'; n++)
			if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", metric[n]))
				metric[n] = '_';
		printf("# HELP %s%s %s of oe stats, %s\n", metric, suffix, text_safe(name, safe), gauge ? "now" : "since oe-iked has started");
		printf("# TYPE %s%s %s\n%s%s %lld\n", metric, suffix, gauge ? "gauge" : "counter", metric, suffix,
		       (long long)json_integer_value(value));
	}
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	void (*print)(const json_t *stats) = print_text;
	enum oe_exit status;
	json_t *last;

	if (argc == 2 && strcmp(argv[1], "--json") == 0)
		print = print_json;
	else if (argc == 2 && strcmp(argv[1], "--prometheus") == 0)
		print = print_prometheus;
	else if (argc > 1)
		return oe_usage(&command_stats, "one of --json and --prometheus, or nothing, is expected, not \"%s\"", argv[argc - 1]);
	status = client_ask(oe, json_pack("{s:s}", "command", "stats"), NULL, NULL, &last);
	if (status != OE_OK)
		return status;
	print(json_object_get(last, "stats"));
	json_decref(last);
	return OE_OK;
}

const struct oe_command command_stats = {
	.name = "stats",
	.arguments = "[--json | --prometheus]",
	.summary = "Show counters, as name=value",
	.help = "  --json        one object\n"
		"  --prometheus  the text format of Prometheus\n\n"
		"tunnels.all, .anonymous and those of the states, resolver.connections, ike.sas*,\n"
		"ike.initiating and ike.half_open count what there is now; all others count events since the\n"
		"start.\n",
	.run = run,
};
