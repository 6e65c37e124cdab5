/* An answer of a resolver about client.example: every record that is read lies in the message, and nothing is left over of one
 * that is refused. */
#include "tests/fuzz/fuzz.h"

#include "dnskey/dns_answer.h"

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
	return 0;
}
