/* key_options.c - the options of those parts of oe key that change zones. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/argument.h"
#include "cli/key.h"
#include "cli/text.h"

static enum oe_exit set_ttl(uint32_t *ttl_s, const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	/* RFC 2181 8; the record of a host that changes its key should not be remembered for longer than a week. */
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || number > 604800)
		return oe_usage(&command_key, "a TTL is a number of seconds up to 604800, not \"%s\"", text);
	*ttl_s = (uint32_t)number;
	return OE_OK;
}

enum oe_exit key_server_set(struct key_server *server, const char *text)
{
	if (ip_server_from_text(text, 53, &server->at) != IKE_OK)
		return oe_usage(&command_key, "--server wants ADDRESS or ADDRESS@PORT, not \"%s\"", text);
	server->text = text;
	return OE_OK;
}

const struct ip_endpoint *key_server(const struct key_server *server)
{
	return server->text ? &server->at : NULL;
}

static enum oe_exit take(struct key_options *o, int option)
{
	switch (option) {
	case 'a': o->all = true; return OE_OK;
	case 'b': o->beside = true; return OE_OK;
	case 'd': o->dry_run = true; return OE_OK;
	case 'f': o->state = optarg; return OE_OK;
	case 'k': o->file = optarg; return OE_OK;
	case 'l': return set_ttl(&o->ttl_s, optarg);
	case 's': return key_server_set(&o->server, optarg);
	case 't':
		o->server.tsig = optarg;
		return access(optarg, R_OK) == 0 ? OE_OK : oe_error(OE_FAILED, "--tsig %s: %s", optarg, strerror(errno));
	default: o->wait = true; return OE_OK;
	}
}

enum oe_exit key_options_read(int argc, char **argv, const char *accepted, struct key_options *out)
{
	static const struct option known[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "beside", no_argument, NULL, 'b' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "state", required_argument, NULL, 'f' },
		{ "key", required_argument, NULL, 'k' },
		{ "ttl", required_argument, NULL, 'l' },
		{ "server", required_argument, NULL, 's' },
		{ "tsig", required_argument, NULL, 't' },
		{ "wait", no_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	enum oe_exit status = OE_OK;
	int option, which = 0;

	*out = (struct key_options){ .state = LOCALSTATEDIR "/lib/unbound-oe/rollover.json", .ttl_s = KEY_TTL_S };
	opterr = 0;
	while (status == OE_OK && (option = getopt_long(argc, argv, ":", known, &which)) != -1) {
		if (option == '?' || option == ':')
			return oe_bad_option(&command_key, argv, option);
		if (!strchr(accepted, option))
			return oe_usage(&command_key, "%s takes no --%s", argv[0], known[which].name);
		status = take(out, option);
	}
	out->arguments = argv + optind;
	out->n = (unsigned)(argc - optind);
	return status;
}

enum oe_exit key_one_name(const char *part, const struct key_options *options, struct dnsname *out)
{
	if (options->n != 1)
		return oe_usage(&command_key, "%s wants one domain name", part);
	return argument_name(&command_key, options->arguments[0], out);
}

void key_wait_until(int64_t at_s)
{
	bool shown = isatty(STDERR_FILENO);
	char left[TEXT_NUMBER_MAX];

	(void)fflush(stdout);       /* what is done has been said, whoever interrupts this */
	while (time(NULL) < at_s) {
		if (shown)
			fprintf(stderr, "\r%s left \033[K", text_seconds((uint64_t)(at_s - time(NULL)), left));
		sleep(1);
	}
	if (shown)
		fprintf(stderr, "\r\033[K");
}

const char *key_time_text(int64_t at_s, char to[KEY_TIME_TEXT_MAX])
{
	time_t at = (time_t)at_s;
	struct tm broken;

	if (!gmtime_r(&at, &broken) || strftime(to, KEY_TIME_TEXT_MAX, "%Y-%m-%d %H:%M:%S UTC", &broken) == 0)
		snprintf(to, KEY_TIME_TEXT_MAX, "never");
	return to;
}
