/* An answer of a resolver about client.example: every record that is read lies in the message, and nothing is left over of one
 * that is refused. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "dnskey/dns_answer.h"

/* As `oe why` reads it: every record, where an alias leads, what the resolver says. */
static void walk(struct span bytes, const struct dnsname *name)
{
	char text[DNS_EDE_TEXT_MAX];
	struct dns_message m;
	struct dns_record record;
	struct dnsname end;
	size_t cursor = 0;
	uint16_t code;

	if (dns_message_open(bytes, name, DNS_TYPE_IPSECKEY, &m) != IKE_OK)
		return;
	while (dns_record_next(&m, &record)) {
		FUZZ_CHECK(dns_record_name(&m, &record, &end) == IKE_OK || end.n == 0);
		for (cursor = 0; dns_ede_next(&record, &cursor, &code, text);)
			FUZZ_CHECK(cursor <= record.rdata.n && strlen(text) < sizeof text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	struct dns_answer a;
	struct dnsname name;
	enum ike_err err;

	FUZZ_CHECK(dnsname_from_text("client.example", &name) == IKE_OK);
	err = dns_answer_read(span_of(input, n), &name, DNS_TYPE_IPSECKEY, &a);
	FUZZ_CHECK(err == IKE_OK || (err == IKE_E_SYNTAX && a.n == 0 && !a.authentic));
	for (unsigned i = 0; i < a.n; i++)
		FUZZ_CHECK(a.rdata[i].p >= input && a.rdata[i].p + a.rdata[i].n <= input + n);
	walk(span_of(input, n), &name);
	return 0;
}
