#include "kernel/exempt.h"

#include <netinet/in.h>

/* Each row gives a policy out and one in, for each family that it names. Ports are ours and theirs; 0 = any. */
static const struct {
	const char *name;
	bool v4, v6;
	enum exempt_where where;
	uint8_t proto;
	uint16_t ours, theirs;
} rows[] = {
	/* RFC 4861: without these two neighbours never learn each other's link-layer address under a `require` policy. The
	 * hop limit of 255 keeps them on the link. */
	{ "router solicitation", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 133, 0 },
	{ "router advertisement", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 134, 0 },
	{ "neighbour solicitation", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 135, 0 },
	{ "neighbour advertisement", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 136, 0 },
	{ "redirect", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 137, 0 },
	/* Leases are renewed by unicast; both roles, as the server may be on this host. */
	{ "DHCP", true, false, EXEMPT_ANYWHERE, IPPROTO_UDP, 68, 67 },
	{ "DHCP server", true, false, EXEMPT_ANYWHERE, IPPROTO_UDP, 67, 68 },
	{ "DHCPv6", false, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 546, 547 },
	{ "DHCPv6 server", false, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 547, 546 },
	/* Without the time no signature of DNSSEC can be judged. */
	{ "NTP", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 0, 123 },
	/* The resolver must reach name servers to find the keys, whatever addresses those have. */
	{ "DNS", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 0, 53 },
	{ "DNS", true, true, EXEMPT_ANYWHERE, IPPROTO_TCP, 0, 53 },
	{ "DNS over TLS", true, true, EXEMPT_ANYWHERE, IPPROTO_TCP, 0, 853 },
	{ "DNS over QUIC", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 0, 853 },
	/* From a protected host too: it has no SA for many receivers, and what it tells all of them is not for us alone. */
	{ "multicast", true, true, EXEMPT_MULTICAST, 0, 0, 0 },
	{ "broadcast", true, false, EXEMPT_BROADCAST, 0, 0, 0 },
	{ "loopback", true, true, EXEMPT_LOOPBACK, 0, 0, 0 },
};

static void exemption_fill(unsigned row, enum ip_family family, enum kernel_dir dir, struct exemption *out)
{
	/* XFRM reads the type of an ICMP message where other protocols have the source port, whichever way it goes. */
	bool swap = dir == DIR_IN && rows[row].proto != IPPROTO_ICMPV6;

	*out = (struct exemption){
		.dir = dir, .family = family, .where = rows[row].where, .proto = rows[row].proto,
		.sport = swap ? rows[row].theirs : rows[row].ours,
		.dport = swap ? rows[row].ours : rows[row].theirs,
		.name = rows[row].name,
	};
}

bool exemption_at(unsigned i, struct exemption *out)
{
	for (unsigned row = 0; row < sizeof rows / sizeof rows[0]; row++) {
		unsigned here = 2 * ((unsigned)rows[row].v4 + (unsigned)rows[row].v6);

		if (i < here) {
			bool v6 = !rows[row].v4 || i >= 2;

			exemption_fill(row, v6 ? IP_V6 : IP_V4, i % 2 ? DIR_IN : DIR_OUT, out);
			return true;
		}
		i -= here;
	}
	return false;
}
