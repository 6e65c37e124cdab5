/* key_publish.c - oe key publish: the IPSECKEY record of a key into the zone, by DNS UPDATE. */
#include "config.h"

#include <stdio.h>

#include "cli/key.h"
#include "cli/primary.h"

static enum oe_exit publish(const struct key_options *wish, const struct primary *primary, struct span rdata, const struct ipseckey *own)
{
	struct primary_change change = { .primary = primary, .rdata = rdata, .add = true, .ttl_s = wish->ttl_s };
	char name[DNSNAME_TEXT_MAX], zone[DNSNAME_TEXT_MAX], tags[PRIMARY_TAGS_MAX], at[IP_ENDPOINT_TEXT_MAX];
	enum oe_exit status;

	dnsname_text(&primary->name, name);
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
	struct key_options wish;
	struct dnsname name;
	struct conf conf;
	enum oe_exit status = key_options_read(argc, argv, "bdklst", &wish);

	if (status == OE_OK)
		status = key_one_name(argv[0], &wish, &name);
	if (status == OE_OK)
		status = key_conf(oe, &conf);
	if (status == OE_OK)
		status = key_own_record(oe, &conf, wish.file, rdata, &own);
	if (status != OE_OK)
		return status;
	status = primary_read(&conf.resolver, key_server(&wish.server), &name, &primary);
	if (status == OE_OK)
		status = publish(&wish, &primary, key_rdata(rdata, &own), &own);
	primary_clear(&primary);
	return status;
}
