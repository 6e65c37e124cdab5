/* up.c - oe up: have a name looked up as an application would, and wait for what comes of it. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "cli/argument.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/why.h"

enum { WAIT_S = 10, WAIT_MAX_S = 600, AGAIN_MS = 250 };

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until there is an outcome that time alone does not change, or the time is over. */
static enum oe_exit try(const struct oe *oe, const struct dnsname *name, unsigned wait_s, struct why_verdict *out)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
	double end_s = now_s() + wait_s;

	for (;;) {
		struct why w;
		enum oe_exit status = why_gather(oe, name, &w);

		if (status != OE_OK)
			return status;
		why_judge(&w, out);
		why_clear(&w);
		if (out->outcome != WHY_REFUSED || !out->may_change || now_s() + out->wait_s >= end_s)
			return OE_OK;
		(void)nanosleep(&pause, NULL);
	}
}

static enum oe_exit bring_up(const struct oe *oe, const struct dnsname *name, unsigned wait_s)
{
	char text[DNSNAME_TEXT_MAX], safe[TEXT_SAFE_MAX];
	struct progress progress;
	struct why_verdict verdict;
	enum oe_exit status;

	progress_begin(&progress, dnsname_text(name, text));
	status = try(oe, name, wait_s, &verdict);
	progress_end(&progress);
	if (status != OE_OK)
		return status;
	printf("%s\n", text_safe(verdict.sentence, safe));
	return why_exit(verdict.outcome);
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	static const struct option known[] = { { "wait", required_argument, NULL, 'w' }, { NULL, 0, NULL, 0 } };
	struct dnsname name;
	uint32_t wait_s = WAIT_S;
	enum oe_exit status;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option != 'w')
			return oe_bad_option(&command_up, argv, option);
		if (!text_read_seconds(optarg, WAIT_MAX_S, &wait_s))
			return oe_usage(&command_up, "\"%s\" is no time like 30s or 2m, or more than ten minutes", optarg);
	}
	if (argc - optind != 1)
		return oe_usage(&command_up, "give one name");
	status = argument_name(&command_up, argv[optind], &name);
	return status == OE_OK ? bring_up(oe, &name, wait_s) : status;
}

const struct oe_command command_up = {
	.name = "up",
	.arguments = "[--wait TIME] NAME",
	.summary = "Look a name up, and wait until its host is protected",
	.help = "  --wait TIME  for so long at most: 30s, 2m; 10 seconds without it\n\n"
		"Asks the resolver of this host as any application would, again and again while an attempt is\n"
		"under way or may be made within that time, and says what came of it as oe why does. On a\n"
		"terminal it shows how long it has been waiting.\n"
		"Exit status: 0 protected; 4 answered in clear; 5 refused; 6 it cannot be told, or the name\n"
		"has no address.\n",
	.run = run,
};
