#include "kernel/exempt.h"

#include <netinet/in.h>

/* Each row gives a policy out and one in, for each family that it names. Ports are ours and theirs; 0 = any. */
static const struct {
	const char *name;
	bool v4, v6;
	enum exempt_where where;
	uint8_t proto;
	uint16_t ours, theirs;
	bool server;
} rows[] = {
	/* RFC 4861: without these two neighbours never learn each other's link-layer address under a `require` policy. The
	 * hop limit of 255 keeps them on the link. */
	{ "router solicitation", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 133, 0, false },
	{ "router advertisement", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 134, 0, false },
	{ "neighbour solicitation", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 135, 0, false },
	{ "neighbour advertisement", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 136, 0, false },
	{ "redirect", false, true, EXEMPT_ANYWHERE, IPPROTO_ICMPV6, 137, 0, false },
	/* Leases are renewed by unicast; both roles, as the server may be on this host. */
	{ "DHCP", true, false, EXEMPT_ANYWHERE, IPPROTO_UDP, 68, 67, false },
	{ "DHCP server", true, false, EXEMPT_ANYWHERE, IPPROTO_UDP, 67, 68, false },
	{ "DHCPv6", false, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 546, 547, false },
	{ "DHCPv6 server", false, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 547, 546, false },
	/* Without the time no signature of DNSSEC can be judged. */
	{ "NTP", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 0, 123, false },
	/* The resolver must reach name servers to find the keys, whatever addresses those have. */
	{ "DNS", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 0, 53, false },
	{ "DNS", true, true, EXEMPT_ANYWHERE, IPPROTO_TCP, 0, 53, false },
	{ "DNS over TLS", true, true, EXEMPT_ANYWHERE, IPPROTO_TCP, 0, 853, false },
	{ "DNS over QUIC", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 0, 853, false },
	/* From a protected host too: it has no SA for many receivers, and what it tells all of them is not for us alone. */
	{ "multicast", true, true, EXEMPT_MULTICAST, 0, 0, 0, false },
	{ "broadcast", true, false, EXEMPT_BROADCAST, 0, 0, 0, false },
	{ "loopback", true, true, EXEMPT_LOOPBACK, 0, 0, 0, false },
	/* The other end of the above: who has a tunnel to this host asks its name server in clear all the same. */
	{ "NTP server", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 123, 0, true },
	{ "DNS server", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 53, 0, true },
	{ "DNS server", true, true, EXEMPT_ANYWHERE, IPPROTO_TCP, 53, 0, true },
	{ "DNS over TLS server", true, true, EXEMPT_ANYWHERE, IPPROTO_TCP, 853, 0, true },
	{ "DNS over QUIC server", true, true, EXEMPT_ANYWHERE, IPPROTO_UDP, 853, 0, true },
};

static void exemption_fill(unsigned row, enum ip_family family, enum kernel_dir dir, struct exemption *out)
{
	/* XFRM reads the type of an ICMP message where other protocols have the source port, whichever way it goes. */
	bool swap = dir == DIR_IN && rows[row].proto != IPPROTO_ICMPV6;

	*out = (struct exemption){
		.dir = dir, .family = family, .where = rows[row].where, .proto = rows[row].proto,
		.sport = swap ? rows[row].theirs : rows[row].ours,
		.dport = swap ? rows[row].ours : rows[row].theirs,
		.name = rows[row].name, .server = rows[row].server,
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
