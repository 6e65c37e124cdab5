#include "config.h"

#include "cli/described.h"

#include <stdio.h>
#include <string.h>

#include "dnskey/pubkey.h"

void describe(struct span rdata, struct described *out)
{
	char address[IP_TEXT_MAX];
	struct pubkey *key = NULL;

	memset(out, 0, sizeof *out);
	out->why = "it is malformed";
	out->readable = ipseckey_read(rdata, &out->record) == IKE_OK;
	if (!out->readable)
		return;
	out->usable = pubkey_read(&out->record, &key, &out->why) == IKE_OK;
	if (out->usable)
		pubkey_text(key, out->key, sizeof out->key);
	pubkey_free(key);
	if (out->record.gateway_type == GATEWAY_NAME)
		dnsname_text(&out->record.gateway_name, out->gateway);
	else if (out->record.gateway_type != GATEWAY_NONE)
		snprintf(out->gateway, sizeof out->gateway, "%s", ip_text(&out->record.gateway, address));
}
