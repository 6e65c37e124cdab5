/* reload.c - oe reload: oe-iked reads its configuration again, and says what that has changed. */
#include "config.h"

#include <stdio.h>

#include "cli/client.h"
#include "cli/text.h"

static void print_names(const json_t *names, const char *what)
{
	char safe[TEXT_SAFE_MAX];
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		printf("%s: %s\n", text_safe(json_string_value(name) ? json_string_value(name) : "-", safe), what);
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	const json_t *changed, *restart;
	enum oe_exit status;
	json_t *last;

	(void)argv;
	if (argc > 1)
		return oe_usage(&command_reload, "no argument is expected");
	status = client_ask(oe, json_pack("{s:s}", "command", "reload"), NULL, NULL, &last);
	if (status != OE_OK)
		return status;
	changed = json_object_get(last, "changed");
	restart = json_object_get(last, "restart");
	print_names(changed, "changed");
	print_names(restart, "restart oe-iked to change it");
	if (json_array_size(changed) + json_array_size(restart) == 0)
		printf("nothing has changed\n");
	json_decref(last);
	return OE_OK;
}

const struct oe_command command_reload = {
	.name = "reload",
	.arguments = "",
	.summary = "Have oe-iked read its configuration again",
	.help = "Tunnels stay. Says which options have changed, and which ones need a restart. The exit status\n"
		"is 1 when the file has an error; then nothing has changed.\n",
	.run = run,
};
