/* key_show.c - oe key show: what is in a key file. */
#include "config.h"

#include <stdio.h>

#include "cli/key.h"
#include "dnskey/pubkey.h"

enum oe_exit key_show(int argc, char **argv)
{
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	char text[IPSECKEY_TEXT_MAX], kind[24];
	struct ipseckey record;
	struct pubkey *key;
	enum oe_exit status;

	if (argc != 2)
		return oe_usage(&command_key, "show wants FILE");
	status = key_file_record(argv[1], rdata, &record);
	if (status != OE_OK)
		return status;
	if (pubkey_read(&record, &key, NULL) != IKE_OK || ipseckey_to_text(&record, text, sizeof text) != IKE_OK)
		return oe_error(OE_FAILED, "%s: cannot be described", argv[1]);
	printf("type: %s\nbits: %u\ntag: %u\nIPSECKEY: %s\n", pubkey_text(key, kind, sizeof kind), pubkey_bits(key),
	       ipseckey_tag(&record), text);
	pubkey_free(key);
	return OE_OK;
}
