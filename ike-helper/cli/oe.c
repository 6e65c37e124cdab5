/* oe.c - the command for people: finds the subcommand and runs it. */
#include "config.h"

#include "cli/oe.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control_proto.h"

const struct oe_command *const oe_commands[] = {
	&command_status, &command_why, &command_monitor, &command_up, &command_down, &command_clear, &command_pause, &command_resume,
	&command_retry, &command_stats, &command_reload, &command_checkconf, &command_key, &command_version, &command_help, NULL,
};

static void print_error(const char *prefix, const char *format, va_list args, const char *suffix)
{
	fprintf(stderr, "%s: ", prefix);
	vfprintf(stderr, format, args);
	fprintf(stderr, "%s\n", suffix);
}

enum oe_exit oe_error(enum oe_exit status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error("oe", format, args, "");
	va_end(args);
	return status;
}

enum oe_exit oe_usage(const struct oe_command *command, const char *format, ...)
{
	char suffix[64];
	va_list args;

	snprintf(suffix, sizeof suffix, "; see oe %s --help", command->name);
	va_start(args, format);
	print_error("oe", format, args, suffix);
	va_end(args);
	return OE_USAGE;
}

enum oe_exit oe_bad_option(const struct oe_command *command, char **argv, int got)
{
	const char *word = argv[optind - 1];

	if (got == ':')
		return oe_usage(command, "%s needs a value", word);
	if (strncmp(word, "--", 2) == 0)
		return oe_usage(command, strchr(word, '=') ? "%s: unknown option, or it takes no value" : "unknown option %s", word);
	return oe_usage(command, "unknown option -%c", optopt);
}

void oe_print_help(const struct oe_command *command)
{
	printf("usage: oe %s%s%s\n%s.\n%s%s", command->name,
	       command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary,
	       command->help[0] != '\0' ? "\n" : "", command->help);
}

static enum oe_exit run_help(const struct oe *oe, int argc, char **argv)
{
	int i;

	(void)oe;
	if (argc > 2)
		return oe_usage(&command_help, "one command at a time");
	if (argc == 2) {
		for (i = 0; oe_commands[i]; i++)
			if (strcmp(oe_commands[i]->name, argv[1]) == 0) {
				oe_print_help(oe_commands[i]);
				return OE_OK;
			}
		return oe_error(OE_USAGE, "there is no command \"%s\"; see oe help", argv[1]);
	}
	printf("usage: oe [-c FILE] COMMAND [ARGUMENT...]\n"
	       "Look at the tunnels that oe-iked holds, and make keys for names.\n\n");
	for (i = 0; oe_commands[i]; i++)
		printf("  %-9s  %s\n", oe_commands[i]->name, oe_commands[i]->summary);
	printf("\n  -c, --config=FILE  the configuration of the oe-iked to talk to; without it $OE_CONF, or\n"
	       "                     " CONTROL_CONF_DEFAULT "\n"
	       "  -V, --version      print the version and exit\n"
	       "  -h, --help         this; after a command: about the command\n\n"
	       "Exit status: 0 done; 1 failed or refused; 2 wrong usage; 3 oe-iked does not answer;\n"
	       "others: see oe why --help.\n");
	return OE_OK;
}

const struct oe_command command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "Say how to use oe, or one of its commands",
	.help = "",
	.run = run_help,
};

static bool asks_for_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static enum oe_exit run_command(const struct oe *oe, int argc, char **argv)
{
	int i;

	for (i = 0; oe_commands[i]; i++) {
		if (strcmp(oe_commands[i]->name, argv[0]) != 0)
			continue;
		if (asks_for_help(argc, argv)) {
			oe_print_help(oe_commands[i]);
			return OE_OK;
		}
		return oe_commands[i]->run(oe, argc, argv);
	}
	return oe_error(OE_USAGE, "there is no command \"%s\"; see oe help", argv[0]);
}

/* Output that could not be written is a failure, too: a full disk, a closed pipe. */
static int finish(enum oe_exit status)
{
	if ((fflush(stdout) == 0 && !ferror(stdout)) || status != OE_OK)
		return (int)status;
	return (int)oe_error(OE_FAILED, "the output could not be written");
}

int main(int argc, char **argv)
{
	const char *environment = getenv("OE_CONF");
	struct oe oe = { .conf = CONTROL_CONF_DEFAULT };
	int i;

	if (environment && environment[0] != '\0')
		oe = (struct oe){ .conf = environment, .conf_given = true };
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
			return finish(run_help(&oe, 1, argv));
		if (strcmp(argv[i], "-V") == 0 || strcmp(argv[i], "--version") == 0) {
			printf("oe %s\n", PACKAGE_VERSION);
			return finish(OE_OK);
		}
		if (strncmp(argv[i], "--config=", strlen("--config=")) == 0)
			oe.conf = argv[i] + strlen("--config=");
		else if ((strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) &&
			 i + 1 < argc)
			oe.conf = argv[++i];
		else
			return oe_error(OE_USAGE,
					"\"%s\" is no option, or needs a value; see oe help",
					argv[i]);
		oe.conf_given = true;
	}
	if (i == argc) {
		(void)oe_error(OE_USAGE, "which command? See oe help");
		return OE_USAGE;
	}
	return finish(run_command(&oe, argc - i, argv + i));
}
