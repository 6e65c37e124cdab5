/* key_publish.c - oe key publish: the IPSECKEY record of a key into the zone, by DNS UPDATE. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/key.h"
#include "cli/primary.h"

struct wish {
	struct key_server server;
	const char *file;           /* NULL: server-key */
	uint32_t ttl_s;
	bool beside, dry_run;
	struct dnsname name;
};

static enum oe_exit read_wish(int argc, char **argv, struct wish *wish)
{
	static const struct option known[] = {
		{ "beside", no_argument, NULL, 'b' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "key", required_argument, NULL, 'k' },
		{ "server", required_argument, NULL, 's' },
		{ "tsig", required_argument, NULL, 't' },
		{ "ttl", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	enum oe_exit status = OE_OK;
	int option;

	*wish = (struct wish){ .ttl_s = KEY_TTL_S };
	opterr = 0;
	while (status == OE_OK && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'b': wish->beside = true; break;
		case 'd': wish->dry_run = true; break;
		case 'k': wish->file = optarg; break;
		case 's': status = key_server_set(&wish->server, optarg); break;
		case 't': wish->server.tsig = optarg; break;
		case 'l': status = key_ttl_set(&wish->ttl_s, optarg); break;
		default: return oe_usage(&command_key, "unknown option, or it needs a value");
		}
	}
	if (status == OE_OK && (argc - optind != 1 || dnsname_from_text(argv[optind], &wish->name) != IKE_OK))
		return oe_usage(&command_key, "publish wants one domain name");
	return status;
}

static enum oe_exit publish(const struct wish *wish, const struct primary *primary, struct span rdata, const struct ipseckey *own)
{
	struct primary_change change = { .primary = primary, .rdata = rdata, .add = true, .ttl_s = wish->ttl_s };
	char name[DNSNAME_TEXT_MAX], zone[DNSNAME_TEXT_MAX], tags[PRIMARY_TAGS_MAX], at[IP_ENDPOINT_TEXT_MAX];
	enum oe_exit status;

	dnsname_text(&wish->name, name);
	if (primary_find(primary, own) >= 0) {
		printf("%s: published already; tag %u; TTL %u s\n", name, ipseckey_tag(own), primary->keys.ttl_s);
		return OE_OK;
	}
	if (primary->keys.n > 0 && !wish->beside)
		return oe_error(OE_OTHER_KEY,
				"%s publishes another key (tag %s): replace it by oe key rollover, or say --beside when both hold, as with two "
				"hosts of one name",
				name, primary_other_tags(primary, own, tags));
	if (primary->keys.n == DNS_RECORDS_MAX)
		return oe_error(OE_FAILED, "%s has %d IPSECKEY records already; clients would not use more", name, DNS_RECORDS_MAX);
	if (wish->dry_run) {
		primary_print_change(&change, stdout);
		return OE_OK;
	}
	status = primary_change(&change, wish->server.tsig);
	if (status == OE_OK)
		printf("%s: published in the zone %s on %s; tag %u; TTL %u s\n", name, dnsname_text(&primary->zone, zone),
		       ip_endpoint_text(&primary->at, at), ipseckey_tag(own), wish->ttl_s);
	return status;
}

enum oe_exit key_publish(const struct oe *oe, int argc, char **argv)
{
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct primary primary;
	struct ipseckey own;
	struct wish wish;
	struct conf conf;
	enum oe_exit status = read_wish(argc, argv, &wish);

	if (status == OE_OK)
		status = key_conf(oe, &conf);
	if (status == OE_OK && !wish.file && conf.server_key[0] == '\0')
		status = oe_usage(&command_key, "%s has no server-key: say --key FILE", oe->conf);
	if (status == OE_OK)
		status = key_file_record(wish.file ? wish.file : conf.server_key, rdata, &own);
	if (status != OE_OK)
		return status;
	status = primary_read(&conf.resolver, key_server(&wish.server), &wish.name, &primary);
	if (status == OE_OK)
		status = publish(&wish, &primary, key_rdata(rdata, &own), &own);
	primary_clear(&primary);
	return status;
}
