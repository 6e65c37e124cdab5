#include "dnskey/dns_probe.h"

enum { RANDOM_BYTES = 8 };

void dns_probe_name(const struct rng *rng, struct dnsname *out)
{
	static const char prefix[] = "oe-", digits[] = "0123456789abcdef";
	uint8_t random[RANDOM_BYTES];
	struct wr w = wr_over(out->b, sizeof out->b);

	rng_fill(rng, random, sizeof random);
	wr_u8(&w, sizeof prefix - 1 + 2 * RANDOM_BYTES);
	wr_bytes(&w, prefix, sizeof prefix - 1);
	for (unsigned i = 0; i < RANDOM_BYTES; i++) {
		wr_u8(&w, (uint8_t)digits[random[i] >> 4]);
		wr_u8(&w, (uint8_t)digits[random[i] & 15]);
	}
	wr_u8(&w, 0);
	out->n = (uint8_t)wr_span(&w).n;
}

bool dns_probe_validates(const struct dns_message *answer)
{
	return answer->authentic && answer->rcode == DNS_RCODE_NXDOMAIN;
}
