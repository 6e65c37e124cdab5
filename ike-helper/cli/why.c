/* why.c - oe why: walks the decision about a name. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>

#include "cli/argument.h"
#include "cli/progress.h"
#include "cli/why.h"

enum oe_exit why_exit(enum why_outcome outcome)
{
	switch (outcome) {
	case WHY_PROTECTED: return OE_OK;
	case WHY_PLAIN: return OE_PLAIN;
	case WHY_REFUSED: return OE_REFUSED;
	case WHY_CANNOT_TELL:
	case WHY_NOTHING: break;
	}
	return OE_CANNOT_TELL;
}

static enum oe_exit explain(const struct oe *oe, const struct dnsname *name, bool json)
{
	struct why_verdict verdict;
	struct why w;
	struct progress progress;
	char text[DNSNAME_TEXT_MAX];
	enum oe_exit status;

	progress_begin(&progress, dnsname_text(name, text));
	status = why_gather(oe, name, &w);
	progress_end(&progress);
	if (status != OE_OK)
		return status;
	why_judge(&w, &verdict);
	if (json)
		why_print_json(&w, &verdict);
	else
		why_print(&w, &verdict);
	why_clear(&w);
	return why_exit(verdict.outcome);
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	static const struct option known[] = { { "json", no_argument, NULL, 'j' },
					       { NULL, 0, NULL, 0 } };
	struct dnsname name;
	struct ip_addr address;
	bool json = false;
	enum oe_exit status;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option != 'j')
			return oe_bad_option(&command_why, argv, option);
		json = true;
	}
	if (argc - optind != 1)
		return oe_usage(&command_why, "give one name");
	if (ip_from_text(argv[optind], &address) == IKE_OK)
		return oe_usage(&command_why, "an address is protected because of a name: give that (oe status %s shows it)",
				argv[optind]);
	status = argument_name(&command_why, argv[optind], &name);
	return status == OE_OK ? explain(oe, &name, json) : status;
}

const struct oe_command command_why = {
	.name = "why",
	.arguments = "[--json] NAME",
	.summary = "Say what the next query for a name comes to, and why",
	.help = "  --json  one object, described in oe(1)\n\n"
		"Asks the resolver of this host for the addresses of NAME once, as any application would, so\n"
		"that a tunnel may be established; then for the aliases and keys on the way to them, and\n"
		"oe-iked for tunnels and failures. The last line says what the next query comes to.\n"
		"Exit status: 0 protected; 4 answered in clear; 5 refused; 6 it cannot be told, or the name\n"
		"has no address.\n",
	.run = run,
};
