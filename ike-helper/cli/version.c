/* version.c - oe version: ours, and that of the oe-iked that runs and what its libcrypto allows. */
#include "config.h"

#include <stdio.h>

#include "cli/client.h"
#include "cli/text.h"

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	enum oe_exit status;
	const char *version, *post_quantum;
	char safe[TEXT_SAFE_MAX];
	json_t *last;

	(void)argv;
	if (argc > 1)
		return oe_usage(&command_version, "no argument is expected");
	printf("oe %s\n", PACKAGE_VERSION);
	status = client_ask(oe, json_pack("{s:s}", "command", "version"), NULL, NULL, &last);
	if (status != OE_OK)
		return status;
	version = json_string_value(json_object_get(last, "version"));
	printf("oe-iked %s\n", text_safe(version ? version : "of unknown version", safe));
	post_quantum = json_string_value(json_object_get(last, "post_quantum"));
	if (post_quantum)
		printf("post-quantum key exchange: %s\n", text_safe(post_quantum, safe));
	json_decref(last);
	return OE_OK;
}

const struct oe_command command_version = {
	.name = "version",
	.arguments = "",
	.summary = "Show the versions of oe and of the oe-iked that runs",
	.help = "The exit status is 3 when none runs; oe --version does not ask.\n",
	.run = run,
};
