/* pause.c - oe pause, oe resume: what is new is answered in clear, in a network where nothing can be validated. */
#include "config.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>

#include "cli/client.h"
#include "cli/lookup.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/why.h"
#include "dnskey/dns_probe.h"
#include "proto/control_proto.h"

enum { PAUSE_FOR_S = 900 };

static void fill_random(void *arg, void *to, size_t n)
{
	(void)arg;
	randombytes_buf(to, n);
}

/* Could this resolver validate what it asks now? */
static bool validates(const struct ip_endpoint *resolver)
{
	const struct rng rng = { .fill = fill_random };
	struct lookup_question q[DNS_PROBE_NAMES] = { { .type = DNS_TYPE_A }, { .type = DNS_TYPE_A }, { .type = DNS_TYPE_A } };
	struct progress progress;
	bool shown = true;

	for (unsigned i = 0; i < DNS_PROBE_NAMES; i++)
		dns_probe_name(&rng, &q[i].name);
	progress_begin(&progress, "does DNSSEC validate here?");
	lookup_ask(resolver, q, DNS_PROBE_NAMES);
	progress_end(&progress);
	for (unsigned i = 0; i < DNS_PROBE_NAMES; i++)
		shown &= q[i].answered && dns_probe_validates(&q[i].message);
	lookup_clear(q, DNS_PROBE_NAMES);
	return shown;
}

static enum oe_exit begin(const struct oe *oe, uint32_t for_s)
{
	char time[TEXT_NUMBER_MAX];
	struct conf conf;
	enum oe_exit status = client_conf(oe, &conf);
	json_t *last;

	if (status != OE_OK)
		return status;
	if (sodium_init() < 0)
		return oe_error(OE_FAILED, "the crypto libraries do not start");
	if (validates(&conf.resolver))
		return oe_error(OE_FAILED, "DNSSEC validates here: nothing to pause (oe clear permits a name in clear)");
	status = client_ask(oe, json_pack("{s:s, s:i}", "command", "pause", "for_s", (int)for_s), NULL, NULL, &last);
	if (status == OE_OK) {
		printf("paused for %s, or until DNSSEC validates: what is new is answered in clear\n", text_seconds(for_s, time));
		if (why_number(last, "resolver_connections") == 0)
			printf("The resolver has not been heard of yet: what does not validate is refused until it has.\n");
	}
	json_decref(last);
	return status;
}

static enum oe_exit run_pause(const struct oe *oe, int argc, char **argv)
{
	static const struct option known[] = { { "for", required_argument, NULL, 'f' }, { NULL, 0, NULL, 0 } };
	uint32_t for_s = PAUSE_FOR_S;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option != 'f')
			return oe_bad_option(&command_pause, argv, option);
		if (!text_read_seconds(optarg, CONTROL_BY_HAND_MAX_S, &for_s))
			return oe_usage(&command_pause, "\"%s\" is no time like 90s, 15m or 2h, or more than a week", optarg);
	}
	if (optind < argc)
		return oe_usage(&command_pause, "no argument is expected");
	return begin(oe, for_s);
}

static enum oe_exit run_resume(const struct oe *oe, int argc, char **argv)
{
	enum oe_exit status;
	json_t *last;

	(void)argv;
	if (argc > 1)
		return oe_usage(&command_resume, "no argument is expected");
	status = client_ask(oe, json_pack("{s:s}", "command", "resume"), NULL, NULL, &last);
	if (status == OE_OK)
		printf("no longer paused\n");
	json_decref(last);
	return status;
}

const struct oe_command command_pause = {
	.name = "pause",
	.arguments = "[--for TIME]",
	.summary = "In a network that spoils DNSSEC: answer what is new in clear",
	.help = "  --for TIME  for so long at most: 90s, 15m, 2h, a week at most; 15 minutes without it\n\n"
		"For a portal that answers all names with its own address until one has logged in. What does\n"
		"not validate, and names with keys, are answered in clear; what is protected stays encrypted\n"
		"or is dropped. Ends by itself as soon as DNSSEC validates, which is tried every 3 s. The exit\n"
		"status is 1 when it does so now.\n",
	.run = run_pause,
};

const struct oe_command command_resume = {
	.name = "resume",
	.arguments = "",
	.summary = "End a pause",
	.help = "The exit status is 1 when there is none.\n",
	.run = run_resume,
};
