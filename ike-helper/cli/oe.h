/* oe.h - what the subcommands of oe share. One file a subcommand; oe.c has the table. */
#ifndef OE_CLI_OE_H
#define OE_CLI_OE_H

#include <jansson.h>
#include <stdbool.h>

enum oe_exit {
	OE_OK = 0,
	OE_FAILED = 1,              /* refused, or nothing like that exists */
	OE_USAGE = 2,               /* wrong usage or configuration */
	OE_UNREACHABLE = 3,         /* oe-iked, or the resolver, does not answer */
	/* Of oe key check: */
	OE_NOT_VALIDATED = 4,       /* the key is there, but not validated */
	OE_OTHER_KEY = 5,           /* another key is there */
	OE_NOT_PUBLISHED = 6,       /* none is there, or none that can be used */
	OE_NOT_PROVED = 7,          /* it is there, and the host does not prove it */
	/* Of oe why; OE_OK: protected */
	OE_PLAIN = 4,               /* the name is answered in clear */
	OE_REFUSED = 5,             /* it is refused */
	OE_CANNOT_TELL = 6,         /* it cannot be told, or there is nothing to protect */
};

struct oe {
	const char *conf;           /* file that names the control socket */
	bool conf_given;            /* it has to exist */
};

struct oe_command {
	const char *name;
	const char *arguments;      /* "[--json] [NAME | ADDRESS]" */
	const char *summary;        /* one line for `oe help` */
	const char *help;           /* the rest of `oe NAME --help` */
	/* argv[0] is the command's own name; --help has been dealt with. */
	enum oe_exit (*run)(const struct oe *oe, int argc, char **argv);
};

extern const struct oe_command command_status, command_up, command_down, command_clear, command_pause, command_resume, command_monitor, command_key, command_stats,
	command_version, command_why, command_retry, command_reload, command_checkconf, command_help;

/* In the order of `oe help`; ends with NULL. */
extern const struct oe_command *const oe_commands[];

/* Usage and help of a command on the standard output. */
void oe_print_help(const struct oe_command *command);

/* "oe: ..." on the standard error output. Returns status. */
__attribute__((format(printf, 2, 3)))
enum oe_exit oe_error(enum oe_exit status, const char *format, ...);

/* "oe NAME: ...; see oe NAME --help". Returns OE_USAGE. */
__attribute__((format(printf, 2, 3)))
enum oe_exit oe_usage(const struct oe_command *command, const char *format, ...);

/* What getopt_long() returns for a wrong option when its letters begin with ":" (behind a "+") and opterr is 0. Returns OE_USAGE. */
enum oe_exit oe_bad_option(const struct oe_command *command, char **argv, int got);

#endif
