/* clear.c - oe clear: the operator's permission to answer a name, and to reach it, in clear. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/argument.h"
#include "cli/client.h"
#include "cli/text.h"
#include "cli/why.h"
#include "proto/control_proto.h"

enum { CLEAR_FOR_S = 3600 };

struct wish {
	bool list, end;
	uint32_t for_s;
	const char *match;          /* as it was given */
	char owner[DNSNAME_TEXT_MAX];       /* or the name that it leads to */
};

static void print_permission(void *arg, const json_t *line)
{
	const json_t *p = json_object_get(line, "permission");
	const char *what = why_text(p, "name") ? why_text(p, "name") : why_text(p, "address");
	char time[TEXT_NUMBER_MAX], safe[TEXT_SAFE_MAX];

	(void)arg;
	printf("%s: in clear for %s", text_safe(what ? what : "-", safe),
	       text_seconds((uint64_t)why_number(p, "ends_in_s"), time));
	if (why_text(p, "protected_for"))
		printf("; its address is protected, because of %s", text_safe(why_text(p, "protected_for"), safe));
	printf("\n");
}

static enum oe_exit list(const struct oe *oe)
{
	json_t *last;
	enum oe_exit status = client_ask(oe, json_pack("{s:s}", "command", "clear-list"), print_permission, NULL, &last);

	if (status == OE_OK && why_number(last, "permissions") == 0)
		printf("nothing is permitted in clear\n");
	json_decref(last);
	return status;
}

static enum oe_exit end(const struct oe *oe, const struct wish *wish)
{
	json_t *last;
	enum oe_exit status = client_ask(oe, json_pack("{s:s, s:s}", "command", "clear-end", "match", wish->owner), NULL, NULL, &last);

	if (status == OE_OK)
		printf("%s: no longer in clear\n", wish->owner);
	json_decref(last);
	return status;
}

static enum oe_exit begin(const struct oe *oe, const struct wish *wish)
{
	char time[TEXT_NUMBER_MAX];
	json_t *last;
	enum oe_exit status = client_ask(oe, json_pack("{s:s, s:s, s:i}", "command", "clear", "match", wish->owner, "for_s",
						       (int)wish->for_s), NULL, NULL, &last);

	if (status == OE_OK) {
		long long released = why_number(last, "released");

		printf("%s: in clear for %s", wish->owner, text_seconds(wish->for_s, time));
		if (released > 0)
			printf("; %lld tunnel%s released", released, released == 1 ? "" : "s");
		printf("\n");
	}
	json_decref(last);
	return status;
}

/* The permission is of the owner of the addresses, where the keys are: the end of the aliases, as far as DNSSEC vouches for them. */
static enum oe_exit find_owner(const struct oe *oe, struct wish *wish)
{
	struct ip_addr address;
	struct dnsname name, owner;
	struct conf conf;
	enum oe_exit status = argument_name_or_address(&command_clear, wish->match, &name, &address);

	if (status != OE_OK)
		return status;
	if (address.family != IP_NONE) {
		ip_text(&address, wish->owner);
		return OE_OK;
	}
	if (strncmp(wish->match, "*.", 2) == 0)
		return oe_usage(&command_clear, "a permission is for one name; for all below %s there is the policy group \"clear\", oe.conf(5)", wish->match + 2);
	status = client_conf(oe, &conf);
	if (status != OE_OK)
		return status;
	why_follow(&conf.resolver, &name, &owner);
	dnsname_text(&owner, wish->owner);
	if (!dnsname_equal(&name, &owner))
		printf("%s is an alias of %s\n", wish->match, wish->owner);
	return OE_OK;
}

static enum oe_exit read_wish(int argc, char **argv, struct wish *out)
{
	static const struct option known[] = { { "for", required_argument, NULL, 'f' },
					       { "list", no_argument, NULL, 'l' },
					       { "end", no_argument, NULL, 'e' },
					       { NULL, 0, NULL, 0 } };
	bool timed = false;
	int option;

	*out = (struct wish){ .for_s = CLEAR_FOR_S };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == 'f' && !text_read_seconds(optarg, CONTROL_BY_HAND_MAX_S, &out->for_s))
			return oe_usage(&command_clear, "\"%s\" is no time like 90s, 15m or 2h, or more than a week", optarg);
		if (option == '?' || option == ':')
			return oe_bad_option(&command_clear, argv, option);
		timed |= option == 'f';
		out->list |= option == 'l';
		out->end |= option == 'e';
	}
	if (out->list + out->end + timed > 1)
		return oe_usage(&command_clear, "only one of --for, --end and --list");
	if (argc - optind != !out->list)
		return oe_usage(&command_clear, out->list ? "no name is expected" : "give one name or address");
	out->match = argv[optind];
	return OE_OK;
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	struct wish wish;
	enum oe_exit status = read_wish(argc, argv, &wish);

	if (status != OE_OK)
		return status;
	if (wish.list)
		return list(oe);
	status = find_owner(oe, &wish);
	if (status != OE_OK)
		return status;
	return wish.end ? end(oe, &wish) : begin(oe, &wish);
}

const struct oe_command command_clear = {
	.name = "clear",
	.arguments = "[--for TIME | --end] NAME | ADDRESS, or --list",
	.summary = "Permit a name, or an address, to be answered and reached in clear",
	.help = "  --for TIME  for so long: 90s, 15m, 2h, 7d at most; an hour without it\n"
		"  --end       no longer\n"
		"  --list      show what is permitted, and for how long\n\n"
		"Its tunnels are released at once, and nothing is established for it. What other names protect\n"
		"stays protected: a name that shares its address with one is not permitted, and the address\n"
		"has to be given. A permission ends with its time, or with oe-iked; a reload does not end it.\n"
		"Answers that were given out may be used for up to a minute after --end.\n",
	.run = run,
};
