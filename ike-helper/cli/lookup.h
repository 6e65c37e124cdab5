/* lookup.h - questions to the resolver of this host, asked together and waited for. */
#ifndef OE_CLI_LOOKUP_H
#define OE_CLI_LOOKUP_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/dnsname.h"
#include "dnskey/dns_message.h"

enum { LOOKUP_ERROR_MAX = 96 };

struct lookup_question {
	struct dnsname name;
	uint16_t type;
	bool unchecked;             /* also what does not validate (CD) */
	/* The answer: */
	bool answered;
	struct dns_message message; /* a view into bytes */
	unsigned char *bytes;       /* give it back with lookup_clear() */
	char error[LOOKUP_ERROR_MAX];       /* not answered: why */
};

/* Ask all n and wait for the answers, at most as long as daemon/dns_channel.h says. Unbound gives no answer at all to what has taken
 * it longer than its discard-timeout. */
enum { LOOKUP_WAIT_S = 4 };
void lookup_ask(const struct ip_endpoint *resolver, struct lookup_question *q, unsigned n);

/* The same, and no longer than this. */
void lookup_ask_for(const struct ip_endpoint *resolver, struct lookup_question *q, unsigned n, unsigned wait_ms);

void lookup_clear(struct lookup_question *q, unsigned n);

#endif
