/* key_dns.c - oe key dns: the IPSECKEY record of a key, for the zone. */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/argument.h"
#include "cli/key.h"

enum oe_exit key_dns(int argc, char **argv)
{
	static const struct option known[] = {
		{ "nsupdate", no_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	char text[IPSECKEY_TEXT_MAX], owner[DNSNAME_TEXT_MAX + 1];
	struct ipseckey record;
	struct dnsname name;
	bool nsupdate = false;
	enum oe_exit status;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == '?')
			return oe_bad_option(&command_key, argv, option);
		nsupdate |= option == 'n';
	}
	if (argc - optind != 2)
		return oe_usage(&command_key, "dns wants FILE and NAME");
	status = argument_name(&command_key, argv[optind + 1], &name);
	if (status == OE_OK)
		status = key_file_record(argv[optind], rdata, &record);
	if (status != OE_OK)
		return status;
	if (ipseckey_to_text(&record, text, sizeof text) != IKE_OK)
		return oe_error(OE_FAILED, "%s: the record is too long", argv[optind]);
	dnsname_text(&name, owner);
	if (strcmp(owner, ".") != 0)
		strcat(owner, ".");
	/* Nothing is deleted: while a key is replaced, both records are there. */
	if (nsupdate)
		printf("update add %s %d IN IPSECKEY %s\nsend\n", owner, KEY_TTL_S, text);
	else
		printf("%s IN IPSECKEY %s\n", owner, text);
	return OE_OK;
}
