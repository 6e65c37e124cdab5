/* translate.h - packets of sockets that are bound to another address of ours, on their way into a tunnel whose host has assigned us
 * one: they get the assigned address as their source (nftables, source NAT), and the answers go back to the socket. As nft(8) would
 * write it, for IPv4 and the same for IPv6:
 *
 *	table ip unbound-oe {
 *		map assigned { type ipv4_addr : ipv4_addr; elements = { 192.0.2.10 : 100.64.0.1 } }
 *		chain source {
 *			type nat hook postrouting priority 90;
 *			rt ipsec exists snat to ip daddr map @assigned
 *		}
 *	}
 *
 * "rt ipsec exists": what a policy turns into ESP, and nothing else, neither IKE nor the ESP packets themselves. Without the table (a
 * kernel without nf_tables, a firewall that flushed all tables) such packets go into the tunnel as they are, and the host
 * drops them: translation makes them arrive, and is not what keeps them from leaving in clear.
 */
#ifndef OE_KERNEL_TRANSLATE_H
#define OE_KERNEL_TRANSLATE_H

#include "base/addr.h"
#include "base/err.h"

struct translation {
	struct ip_addr remote, address;         /* to this host, from this address */
};

/* Replace the table of this family by one with these n translations, in one transaction; n = 0: remove it. Those of the other family
 * are skipped. IKE_E_UNSUPPORTED: the kernel does not do it; IKE_E_IO: netlink, errno says why; IKE_E_NOMEM. Nothing has changed then. */
IKE_CHECKED enum ike_err translate_write(enum ip_family family, const struct translation *all, unsigned n);

#endif
