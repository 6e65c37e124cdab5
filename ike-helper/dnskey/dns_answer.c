#include "dnskey/dns_answer.h"

#include <string.h>

enum { CLASS_IN = 1 };

enum ike_err dns_answer_read(struct span message, const struct dnsname *name, uint16_t type, struct dns_answer *out)
{
	struct dns_message m;
	struct dns_record record;
	enum ike_err err = dns_message_open(message, name, type, &m);

	memset(out, 0, sizeof *out);
	while (err == IKE_OK && m.left[DNS_ANSWER] > 0 && dns_record_next(&m, &record)) {
		if (record.type != type || record.class != CLASS_IN || !dnsname_equal(&record.owner, name))
			continue;
		if (out->n == 0 || record.ttl_s < out->ttl_s)
			out->ttl_s = record.ttl_s;
		if (out->n < DNS_RECORDS_MAX)
			out->rdata[out->n++] = record.rdata;
		else
			out->more = true;
	}
	if (err != IKE_OK || m.malformed) {
		memset(out, 0, sizeof *out);
		return IKE_E_SYNTAX;
	}
	out->rcode = m.rcode;
	out->authentic = m.authentic;
	return IKE_OK;
}
