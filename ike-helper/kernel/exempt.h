/* exempt.h - the policies that let traffic through although its address may be protected, and the priorities of all
 * policies of ours.
 *
 * Priorities: XFRM takes the policy with the lowest number among those that match. All of ours lie above (are weaker
 * than) what anybody else uses: `ip xfrm policy add` without a priority is 0, strongSwan and libreswan count below 2^22.
 * So an exemption of ours beats a protection of ours and nothing else: the policies of an administrator or of another IKE
 * daemon decide as if we were not there. What follows from that for an address that such a policy covers is in
 * kernel_xfrm.c. Among ours: what protects a pair beats what lets forwarded packets pass, and both beat the shield. What is from
 * an address that one of the two has assigned, and that nobody else knows, beats exemptions too: in clear no answer would come back.
 *
 * Exemptions have no template and therefore no reqid to know them by. Their fingerprint is: priority exactly
 * PRIORITY_EXEMPT, action allow, no template, and a selector out of this table.
 */
#ifndef OE_KERNEL_EXEMPT_H
#define OE_KERNEL_EXEMPT_H

#include "base/addr.h"
#include "kernel/plan.h"

enum {
	PRIORITY_ASSIGNED = 0x6effff00, PRIORITY_EXEMPT = 0x6f000000, PRIORITY_PROTECT = 0x6f000100, PRIORITY_PASS = 0x6f000180, PRIORITY_SHIELD = 0x6f000200
};
enum { EXEMPT_MAX = 96 };

enum exempt_where {
	EXEMPT_ANYWHERE,            /* any two addresses */
	EXEMPT_LOOPBACK,            /* 127.0.0.0/8 or ::1 at both ends */
	EXEMPT_MULTICAST,           /* to 224.0.0.0/4 or ff00::/8 */
	EXEMPT_BROADCAST,           /* to 255.255.255.255 */
};

struct exemption {
	enum kernel_dir dir;
	enum ip_family family;
	enum exempt_where where;
	uint8_t proto;              /* 0 = any */
	uint16_t sport, dport;      /* of the packet; 0 = any. ICMPv6: sport is the type */
	const char *name;           /* "DNS", for the log */
	bool server;                /* only a host that others ask for tunnels needs it */
};

/* The i-th, from 0; false behind the last. Those of servers come last. */
bool exemption_at(unsigned i, struct exemption *out);

#endif
