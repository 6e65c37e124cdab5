/* checkconf.c - oe checkconf: is the configuration one that oe-iked would take? */
#include "config.h"

#include <stdio.h>

#include "cli/oe.h"
#include "conf/conf.h"
#include "conf/groups_file.h"

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	char error[CONF_ERROR_MAX];
	static struct groups groups;
	struct conf conf;
	const char *file = argc > 1 ? argv[1] : oe->conf;

	if (argc > 2)
		return oe_usage(&command_checkconf, "one file at most");
	if (conf_read(file, argc > 1 || oe->conf_given, &conf, error) != IKE_OK)
		return oe_error(OE_USAGE, "%s", error);
	if (groups_read(conf.policy_dir, &groups, error) != IKE_OK)
		return oe_error(OE_USAGE, "%s", error);
	printf("no errors in %s", file);
	if (groups_count(&groups) > 0)
		printf(", nor in the %u entries of policy groups in %s", groups_count(&groups), conf.policy_dir);
	printf("\n");
	return OE_OK;
}

const struct oe_command command_checkconf = {
	.name = "checkconf",
	.arguments = "[FILE]",
	.summary = "Look for errors in the configuration",
	.help = "  FILE  another one than that of oe-iked\n\n"
		"The files of policy-dir are read, too. An error names file, line, option and what is allowed;\n"
		"the exit status is 2 then. The key in server-key is not read: oe-iked --check does that, too.\n",
	.run = run,
};
