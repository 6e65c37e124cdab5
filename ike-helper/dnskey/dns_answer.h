/* dns_answer.h - the records of one type whose owner is the name that was asked for. */
#ifndef OE_DNSKEY_DNS_ANSWER_H
#define OE_DNSKEY_DNS_ANSWER_H

#include "dnskey/dns_message.h"

enum { DNS_RECORDS_MAX = 16 };

struct dns_answer {
	unsigned rcode;
	bool authentic;             /* AD */
	unsigned n;                 /* records of this type whose owner is the name itself; none by way of an alias */
	struct span rdata[DNS_RECORDS_MAX];     /* views into the message */
	uint32_t ttl_s;             /* the smallest of them */
	bool more;                  /* there were more than DNS_RECORDS_MAX */
};

/* IKE_E_SYNTAX: not an answer to this question, cut, or malformed. */
IKE_CHECKED enum ike_err dns_answer_read(struct span message, const struct dnsname *name, uint16_t type, struct dns_answer *out);

#endif
