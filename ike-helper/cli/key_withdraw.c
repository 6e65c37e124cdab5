/* key_withdraw.c - oe key withdraw: the IPSECKEY records of a key out of the zone, by DNS UPDATE. */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "cli/key.h"
#include "cli/primary.h"

/* A resolver may have asked a moment before the change, and has an answer with the key for as long as the record lives. */
static void say_until_when(const struct key_options *wish, int64_t until_s)
{
	char until[KEY_TIME_TEXT_MAX];

	if (wish->wait)
		key_wait_until(until_s);
	else
		printf("resolvers may know it until %s: so long the host has to prove it (--wait waits)\n", key_time_text(until_s, until));
	printf("next%s: take server-key out of the host's oe.conf, unless another name publishes the key, and restart oe-iked\n",
	       wish->wait ? "" : ", then");
}

static enum oe_exit none_to_withdraw(const struct primary *primary, const struct ipseckey *own)
{
	char name[DNSNAME_TEXT_MAX], tags[PRIMARY_TAGS_MAX];

	dnsname_text(&primary->name, name);
	if (primary->keys.n == 0) {
		printf("%s: publishes no key\n", name);
		return OE_OK;
	}
	return oe_error(OE_OTHER_KEY, "%s does not publish the key with tag %u (there is: %s): say --key FILE, or --all", name,
			ipseckey_tag(own), primary_other_tags(primary, own, tags));
}

static void say_withdrawn(const struct primary *primary, const struct ipseckey *own)
{
	char name[DNSNAME_TEXT_MAX], zone[DNSNAME_TEXT_MAX], at[IP_ENDPOINT_TEXT_MAX], tags[PRIMARY_TAGS_MAX] = "";

	printf("%s: withdrawn from the zone %s on %s; ", dnsname_text(&primary->name, name), dnsname_text(&primary->zone, zone),
	       ip_endpoint_text(&primary->at, at));
	if (own)
		printf("tag %u; ", ipseckey_tag(own));
	if (own && primary_other_tags(primary, own, tags)[0] != '\0')
		printf("it still publishes: %s\n", tags);
	else
		printf("it publishes no key any more, and is reached in clear\n");
}

/* own: NULL: all. */
static enum oe_exit withdraw(const struct key_options *wish, const struct primary *primary, const struct ipseckey *own)
{
	const struct primary_change change = { .primary = primary, .key = own };
	enum oe_exit status;

	if (primary->keys.n == 0 || (own && primary_find(primary, own) < 0))
		return none_to_withdraw(primary, own);
	if (wish->dry_run) {
		primary_print_change(&change, stdout);
		return OE_OK;
	}
	status = primary_change(&change, wish->server.tsig);
	if (status != OE_OK)
		return status;
	say_withdrawn(primary, own);
	say_until_when(wish, time(NULL) + 1 + primary->keys.ttl_s);     /* from the end of this second */
	return OE_OK;
}

enum oe_exit key_withdraw(const struct oe *oe, int argc, char **argv)
{
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct primary primary;
	struct ipseckey own;
	struct key_options wish;
	struct dnsname name;
	struct conf conf;
	enum oe_exit status = key_options_read(argc, argv, "adkstw", &wish);

	if (status == OE_OK)
		status = key_one_name(argv[0], &wish, &name);
	if (status == OE_OK && wish.all && wish.file)
		status = oe_usage(&command_key, "--key and --all exclude each other");
	if (status == OE_OK)
		status = key_conf(oe, &conf);
	if (status == OE_OK && !wish.all)
		status = key_own_record(oe, &conf, wish.file, rdata, &own);
	if (status != OE_OK)
		return status;
	status = primary_read(&conf.resolver, key_server(&wish.server), &name, &primary);
	if (status == OE_OK)
		status = withdraw(&wish, &primary, wish.all ? NULL : &own);
	primary_clear(&primary);
	return status;
}
