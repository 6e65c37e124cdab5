/* retry.c - oe retry: oe-iked is told that the network works again. */
#include "config.h"

#include "cli/client.h"

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	enum oe_exit status;
	json_t *last;

	(void)argv;
	if (argc > 1)
		return oe_usage(&command_retry, "no argument is expected");
	status = client_ask(oe, json_pack("{s:s}", "command", "retry"), NULL, NULL, &last);
	json_decref(last);
	return status;
}

const struct oe_command command_retry = {
	.name = "retry",
	.arguments = "",
	.summary = "The network works again: try at once what has failed",
	.help = "oe-iked sees addresses and routes that change by itself. This is for what it does not see: a\n"
		"portal that one has passed, a router further on that is back. NetworkManager says it by itself.\n",
	.run = run,
};
