/* primary.h - the server that takes the changes of a name's zone: which it is, what it says, and changes by DNS UPDATE.
 *
 * The records that it has are read first; a change then holds only if they are still exactly these (RFC 2136 2.4), and is
 * confirmed by a second message that changes nothing. nsupdate(1) speaks DNS UPDATE and TSIG (RFC 8945) for us.
 */
#ifndef OE_CLI_PRIMARY_H
#define OE_CLI_PRIMARY_H

#include <stdio.h>

#include "base/addr.h"
#include "base/dnsname.h"
#include "cli/lookup.h"
#include "cli/oe.h"
#include "dnskey/dns_answer.h"
#include "dnskey/ipseckey.h"

struct primary {
	struct dnsname name, zone;
	struct ip_endpoint at;
	struct lookup_question question;    /* has the bytes of keys */
	struct dns_answer keys;             /* the IPSECKEY records of name there */
};

/* Find it and read the records. server: NULL, or where it is; when that is NULL it is what the SOA record of the zone says, by the
 * word of resolver. Otherwise the person has been told why. Give *out back with primary_clear() in any case. */
enum oe_exit primary_read(const struct ip_endpoint *resolver, const struct ip_endpoint *server, const struct dnsname *name,
			  struct primary *out);
void primary_clear(struct primary *p);

/* Which of its records has this public key; -1. */
int primary_find(const struct primary *p, const struct ipseckey *key);
/* "4711, 12": the tags of its keys but this one; "" when there are no others. Returns to. */
enum { PRIMARY_TAGS_MAX = 128 };
const char *primary_other_tags(const struct primary *p, const struct ipseckey *key, char to[PRIMARY_TAGS_MAX]);

/* One record more (add), or those of a key less. */
struct primary_change {
	const struct primary *primary;
	bool add;
	struct span rdata;              /* what is added, */
	uint32_t ttl_s;                 /* for so long; */
	const struct ipseckey *key;     /* whose records go, with any precedence and gateway; NULL: all */
};

/* What nsupdate is told: first the change, then what confirms it. */
void primary_print_change(const struct primary_change *change, FILE *out);

/* Change it, with the TSIG key in the file tsig (NULL: unsigned), and have it confirmed. Otherwise the person has been told why. */
enum oe_exit primary_change(const struct primary_change *change, const char *tsig);

#endif
