/* down.c - oe down: release the tunnels of a name or an address. */
#include "config.h"

#include <stdio.h>

#include "cli/argument.h"
#include "cli/client.h"

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	char match[DNSNAME_TEXT_MAX];
	enum oe_exit status;
	json_t *last;

	if (argc != 2)
		return oe_usage(&command_down, "give one name or address");
	if (argv[1][0] == '-')
		return oe_usage(&command_down, "unknown option %s", argv[1]);
	status = argument_match(&command_down, argv[1], match);
	if (status != OE_OK)
		return status;
	status = client_ask(oe, json_pack("{s:s, s:s}", "command", "down", "match", match), NULL, NULL, &last);
	if (status == OE_OK) {
		json_int_t released = json_integer_value(json_object_get(last, "released"));

		printf("%lld tunnel%s released\n", (long long)released, released == 1 ? "" : "s");
	}
	json_decref(last);
	return status;
}

const struct oe_command command_down = {
	.name = "down",
	.arguments = "NAME | ADDRESS",
	.summary = "Release the tunnels of a name, or the one to an address",
	.help = "The resolver forgets the answers that led to it; two seconds later packets to the address\n"
		"are no longer encrypted. The next lookup of the name establishes a tunnel again.\n"
		"The exit status is 1 when there is no such tunnel.\n",
	.run = run,
};
