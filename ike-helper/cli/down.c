/* down.c - oe down: release the tunnels of a name or an address. */
#include "config.h"

#include <stdio.h>

#include "cli/client.h"

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	enum oe_exit status;
	json_t *request, *last;

	if (argc != 2 || argv[1][0] == '-')
		return oe_usage(&command_down, "give one name or address");
	request = json_pack("{s:s, s:s}", "command", "down", "match", argv[1]);
	if (!request)
		return oe_usage(&command_down, "the name is not UTF-8");
	status = client_ask(oe, request, NULL, NULL, &last);
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
