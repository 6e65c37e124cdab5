/* dns_message.h - a question to a resolver, and what comes back, record by record (RFC 1035 4). The answer is a stranger's: a
 * resolver hands on much of what authoritative servers say. */
#ifndef OE_DNSKEY_DNS_MESSAGE_H
#define OE_DNSKEY_DNS_MESSAGE_H

#include "base/cursor.h"
#include "base/dnsname.h"
#include "base/err.h"

enum {
	DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_SOA = 6, DNS_TYPE_AAAA = 28, DNS_TYPE_DNAME = 39, DNS_TYPE_OPT = 41,
	DNS_TYPE_IPSECKEY = 45,
};
enum { DNS_RCODE_NOERROR = 0, DNS_RCODE_SERVFAIL = 2, DNS_RCODE_NXDOMAIN = 3 };
enum { DNS_QUESTION_MAX = 300, DNS_UDP_MAX = 1232, DNS_EDE_TEXT_MAX = 256 };

/* Header flags that a question may have besides RD. */
enum {
	DNS_FLAG_AD = 0x0020,       /* say whether the answer is validated (RFC 6840 5.7) */
	DNS_FLAG_CD = 0x0010,       /* answer also what does not validate */
};

/* With OPT: the answer may have up to DNS_UDP_MAX bytes. */
void dns_question_write(struct wr *w, uint16_t id, const struct dnsname *name, uint16_t type, uint16_t flags);

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

struct dns_message {
	unsigned rcode;             /* without the upper bits of OPT */
	bool authentic;             /* AD */
	bool malformed;             /* met by dns_record_next() */
	struct span bytes;
	struct rd at;
	unsigned left[DNS_SECTIONS];
};

struct dns_record {
	enum dns_section section;
	struct dnsname owner;
	uint16_t type, class;
	uint32_t ttl_s;
	struct span rdata;          /* a view into the message */
};

/* IKE_E_SYNTAX: not an answer to this question, or cut (TC). bytes must live as long as *out. */
IKE_CHECKED enum ike_err dns_message_open(struct span bytes, const struct dnsname *name, uint16_t type, struct dns_message *out);

/* The next record of any section; false at the end, and at something malformed. */
bool dns_record_next(struct dns_message *m, struct dns_record *out);

/* The name that is the whole RDATA of a CNAME or DNAME, or the first field of an SOA's: it may be compressed. IKE_E_SYNTAX. */
IKE_CHECKED enum ike_err dns_record_name(const struct dns_message *m, const struct dns_record *record, struct dnsname *out);

/* The Extended DNS Errors of an OPT record (RFC 8914). *cursor begins with 0; false when there is no further one. text: its
 * printable ASCII, other bytes as '?'. */
bool dns_ede_next(const struct dns_record *opt, size_t *cursor, uint16_t *code, char text[DNS_EDE_TEXT_MAX]);

#endif
