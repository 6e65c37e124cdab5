/* described.h - an IPSECKEY record in words, for people and for JSON. */
#ifndef OE_CLI_DESCRIBED_H
#define OE_CLI_DESCRIBED_H

#include "dnskey/ipseckey.h"

struct described {
	struct ipseckey record;     /* views into the RDATA */
	bool readable, usable;      /* usable: by its key; whether a gateway fits an address is another question */
	char key[24];               /* "RSA-3072"; "": not usable */
	char gateway[DNSNAME_TEXT_MAX];     /* "": none */
	const char *why;            /* not usable */
};

void describe(struct span rdata, struct described *out);

#endif
