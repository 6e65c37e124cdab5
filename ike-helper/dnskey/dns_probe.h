/* dns_probe.h - names by which a question shows whether this network lets the host's resolver validate.
 *
 * They are in the root zone, do not exist, and nobody has asked for them, so that the answer comes from the root servers and not
 * from a cache: validated, it proves that they do not exist, while a portal answers a question for their addresses with its own, or
 * nothing validates. Several are asked for at once, since the resolver may know by itself that some do not exist (RFC 8198).
 */
#ifndef OE_DNSKEY_DNS_PROBE_H
#define OE_DNSKEY_DNS_PROBE_H

#include "base/rng.h"
#include "dnskey/dns_message.h"

enum { DNS_PROBE_NAMES = 3 };

/* One such name. */
void dns_probe_name(const struct rng *rng, struct dnsname *out);
/* Does this answer to a question for its addresses show it? All of them must. */
bool dns_probe_validates(const struct dns_message *answer);

#endif
