/* status.c - oe status: one line a tunnel. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/argument.h"
#include "cli/client.h"
#include "cli/takeover.h"
#include "cli/term.h"
#include "cli/text.h"

enum column { NAME, ADDRESS, FROM, STATE, KEY, SPIS, CIPHER, MODE, AGE, IN, OUT, IDLE, COLUMNS };

static const char *const titles[COLUMNS] = {
	"NAME", "ADDRESS", "FROM", "STATE", "KEY/TAG", "SPI-IN/OUT", "CIPHER", "MODE", "AGE", "IN", "OUT",
	"IDLE",
};

struct rows {
	char *(*cells)[COLUMNS];
	size_t n, max;
	size_t width[COLUMNS];
	bool out_of_memory;
};

static const char *member_text(const json_t *tunnel, const char *member)
{
	const char *text = json_string_value(json_object_get(tunnel, member));

	return text && text[0] != '\0' ? text : "-";
}

static uint64_t member_number(const json_t *tunnel, const char *member)
{
	json_int_t number = json_integer_value(json_object_get(tunnel, member));

	return number > 0 ? (uint64_t)number : 0;
}

static void set_cell(struct rows *rows, enum column column, const char *text)
{
	char safe[TEXT_SAFE_MAX];
	char *copy = strdup(text_safe(text, safe));

	if (!copy)
		rows->out_of_memory = true;
	else if (strlen(copy) > rows->width[column])
		rows->width[column] = strlen(copy);
	rows->cells[rows->n][column] = copy;
}

static void set_numbers(struct rows *rows, const json_t *tunnel)
{
	bool is_up = json_is_integer(json_object_get(tunnel, "age_s"));
	char text[TEXT_NUMBER_MAX];

	set_cell(rows, AGE, is_up ? text_seconds(member_number(tunnel, "age_s"), text) : "-");
	set_cell(rows, IN, is_up ? text_bytes(member_number(tunnel, "bytes_in"), text) : "-");
	set_cell(rows, OUT, is_up ? text_bytes(member_number(tunnel, "bytes_out"), text) : "-");
	set_cell(rows, IDLE, is_up ? text_seconds(member_number(tunnel, "idle_s"), text) : "-");
}

static void add_row(struct rows *rows, const json_t *tunnel)
{
	char text[TEXT_SAFE_MAX];
	uint64_t names = member_number(tunnel, "names");

	if (rows->n == rows->max) {
		size_t max = rows->max > 0 ? rows->max * 2 : 16;
		void *more = realloc(rows->cells, max * sizeof *rows->cells);

		if (!more) {
			rows->out_of_memory = true;
			return;
		}
		rows->cells = more;
		rows->max = max;
	}
	snprintf(text, sizeof text, names > 1 ? "%s(+%u)" : "%s", member_text(tunnel, "name"),
		 (unsigned)(names - 1));
	set_cell(rows, NAME, text);
	snprintf(text, sizeof text, "%s via %s", member_text(tunnel, "address"), member_text(tunnel, "gateway"));
	set_cell(rows, ADDRESS, json_is_string(json_object_get(tunnel, "gateway")) ? text : member_text(tunnel, "address"));
	set_cell(rows, FROM, member_text(tunnel, "local"));
	set_cell(rows, STATE, member_text(tunnel, "state"));
	snprintf(text, sizeof text, "%s/%u", member_text(tunnel, "key"),
		 (unsigned)member_number(tunnel, "key_tag"));
	set_cell(rows, KEY, json_is_string(json_object_get(tunnel, "key")) ? text : "-");
	snprintf(text, sizeof text, "%s/%s", member_text(tunnel, "spi_in"),
		 member_text(tunnel, "spi_out"));
	set_cell(rows, SPIS, text);
	snprintf(text, sizeof text, "%s%s", member_text(tunnel, "cipher"),
		 json_is_true(json_object_get(tunnel, "encapsulated")) ? " in UDP" : "");
	set_cell(rows, CIPHER, text);
	snprintf(text, sizeof text, "%s/%s", member_text(tunnel, "mode"), member_text(tunnel, "inner"));
	set_cell(rows, MODE, json_is_string(json_object_get(tunnel, "inner")) ? text : member_text(tunnel, "mode"));
	set_numbers(rows, tunnel);
	rows->n++;
}

static bool is_number(enum column column)
{
	return column >= AGE;
}

static void print_cell(const struct rows *rows, int c, const char *text, const char *end)
{
	printf(is_number((enum column)c) ? "%s%*s%s%s" : "%s%-*s%s%s", c == STATE ? term_colour(text) : "", (int)rows->width[c], text,
	       c == STATE ? term_plain(text) : "", end);
}

static void print_rows(const struct rows *rows)
{
	size_t i;
	int c;

	for (c = 0; c < COLUMNS; c++)
		print_cell(rows, c, titles[c], c + 1 < COLUMNS ? "  " : "\n");
	for (i = 0; i < rows->n; i++)
		for (c = 0; c < COLUMNS; c++)
			print_cell(rows, c, rows->cells[i][c], c + 1 < COLUMNS ? "  " : "\n");
}

static void rows_free(struct rows *rows)
{
	size_t i;
	int c;

	for (i = 0; i < rows->n; i++)
		for (c = 0; c < COLUMNS; c++)
			free(rows->cells[i][c]);
	free(rows->cells);
}

static void on_row(void *arg, const json_t *line)
{
	const json_t *tunnel = json_object_get(line, "tunnel");
	struct rows *rows = arg;

	if (json_is_object(tunnel) && !rows->out_of_memory)
		add_row(rows, tunnel);
}

static void on_json(void *arg, const json_t *line)
{
	json_array_append(arg, json_object_get(line, "tunnel"));
}

static enum oe_exit print_json(const struct oe *oe, json_t *request)
{
	json_t *all = json_array(), *last;
	enum oe_exit status = client_ask(oe, request, on_json, all, &last);

	if (status == OE_OK) {
		/* ASCII only: what a name holds beyond it is escaped, as JSON does. */
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	}
	json_decref(last);
	json_decref(all);
	return status;
}

/* "refused: anonymous-max 5, half-open-max 2": the options that have done it, and how often; nothing when none has. */
static void print_counts(const char *what, json_t *counts)
{
	char safe[TEXT_SAFE_MAX];
	const char *option;
	bool first = true;
	json_t *n;

	json_object_foreach(counts, option, n) {
		if (json_integer_value(n) <= 0)
			continue;
		printf("%s%s %" JSON_INTEGER_FORMAT, first ? what : ", ", text_safe(option, safe), json_integer_value(n));
		first = false;
	}
	if (!first)
		putchar('\n');
}

/* What others want of this host; server: NULL when it answers nobody. */
static void print_server(json_t *server)
{
	if (!json_is_object(server))
		return;
	printf("\nanonymous clients: %u, handshakes that are not finished: %u\n", (unsigned)member_number(server, "anonymous"),
	       (unsigned)member_number(server, "half_open"));
	print_counts("refused by limits: ", json_object_get(server, "refused"));
	print_counts("released for others by limits: ", json_object_get(server, "released"));
}

static void print_summary(const struct oe *oe, const json_t *last)
{
	uint64_t permissions = member_number(last, "permissions"), paused_s = member_number(last, "paused_s");
	uint64_t policy_entries = member_number(last, "policy_entries");
	struct conf conf;
	char time[TEXT_NUMBER_MAX];

	if (paused_s > 0)
		printf("\n%spaused%s for %s: what is new, and what does not validate, is answered in clear (oe resume)\n",
		       term_colour("paused"), term_plain("paused"), text_seconds(paused_s, time));
	if (permissions > 0)
		printf("\nin clear by the operator's word: %u (oe clear --list)\n", (unsigned)permissions);
	if (policy_entries > 0)
		printf("\nin policy groups: %u (oe why NAME tells which one counts)\n", (unsigned)policy_entries);
	print_server(json_object_get(last, "server"));
	if (client_conf(oe, &conf) == OE_OK)
		takeover_warn(&conf.resolver);
}

static enum oe_exit print_table(const struct oe *oe, json_t *request, bool all)
{
	struct rows rows = { 0 };
	enum oe_exit status;
	json_t *last;
	int c;

	for (c = 0; c < COLUMNS; c++)
		rows.width[c] = strlen(titles[c]);
	status = client_ask(oe, request, on_row, &rows, &last);
	if (status == OE_OK && rows.out_of_memory)
		status = oe_error(OE_FAILED, "out of memory");
	else if (status == OE_OK)
		print_rows(&rows);
	if (status == OE_OK && all)
		print_summary(oe, last);
	json_decref(last);
	rows_free(&rows);
	return status;
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	static const struct option known[] = { { "json", no_argument, NULL, 'j' },
					       { NULL, 0, NULL, 0 } };
	char match[DNSNAME_TEXT_MAX];
	enum oe_exit status = OE_OK;
	bool json = false;
	json_t *request;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option != 'j')
			return oe_bad_option(&command_status, argv, option);
		json = true;
	}
	if (argc - optind > 1)
		return oe_usage(&command_status, "one name or address at most");
	if (optind < argc)
		status = argument_match(&command_status, argv[optind], match);
	if (status != OE_OK)
		return status;
	request = json_pack("{s:s, s:s*}", "command", "status", "match", optind < argc ? match : NULL);
	return json ? print_json(oe, request) : print_table(oe, request, optind == argc);
}

const struct oe_command command_status = {
	.name = "status",
	.arguments = "[--json] [NAME | ADDRESS]",
	.summary = "Show the tunnels, one a line",
	.help = "  NAME, ADDRESS  only the tunnels for this name, or to this address\n"
		"  --json         an array of objects, described in docs/control.md\n\n"
		"The columns: the DNS name that led to the tunnel, and how many more names share it; its\n"
		"address (via its gateway, if it has one), and ours; its state (establishing, protected,\n"
		"healing: encrypted or dropped while it is established again, draining: about to go); kind\n"
		"and tag of the key that proved it; the SPIs; the cipher; transport or tunnel mode, and our\n"
		"address inside when the host assigned one; how old it is; bytes in and out; time since the\n"
		"last packet.\n\n"
		"A host that answers others also says how many of them are anonymous, how many handshakes\n"
		"of theirs are not finished, and which limits of oe.conf have refused or released how many.\n",
	.run = run,
};
