/* dns_answer.h - one question to a resolver and its answer (RFC 1035 4), as far as it takes to get records whose owner is the
 * name asked for. The answer is a stranger's: a resolver hands on much of what authoritative servers say. */
#ifndef OE_DNSKEY_DNS_ANSWER_H
#define OE_DNSKEY_DNS_ANSWER_H

#include "base/cursor.h"
#include "base/dnsname.h"
#include "base/err.h"

enum { DNS_TYPE_IPSECKEY = 45, DNS_RCODE_NOERROR = 0, DNS_RCODE_SERVFAIL = 2, DNS_RCODE_NXDOMAIN = 3 };
enum { DNS_QUESTION_MAX = 300, DNS_UDP_MAX = 1232, DNS_RECORDS_MAX = 16 };

/* RD, AD: the resolver is to say whether the answer is validated (RFC 6840 5.7); OPT: it may have up to DNS_UDP_MAX bytes. */
void dns_question_write(struct wr *w, uint16_t id, const struct dnsname *name, uint16_t type);

struct dns_answer {
	unsigned rcode;
	bool authentic;             /* AD */
	unsigned n;                 /* records of this type whose owner is the name itself; none by way of an alias */
	struct span rdata[DNS_RECORDS_MAX];     /* views into the message */
	bool more;                  /* there were more than DNS_RECORDS_MAX */
};

/* IKE_E_SYNTAX: not an answer to this question, cut, or malformed. */
IKE_CHECKED enum ike_err dns_answer_read(struct span message, const struct dnsname *name, uint16_t type, struct dns_answer *out);

#endif
