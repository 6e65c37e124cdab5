/* kernel_socket.c - sockets of IKE itself: exempt from every policy, and the one that takes ESP in UDP. */
#include <linux/netlink.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "kernel/xfrm_nl.h"

/* Who judges these policies is xfrm_user. The kernel loads it for the first netlink socket of its kind, not for setsockopt. */
static void load_xfrm_user(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

	if (fd >= 0)
		close(fd);
}

enum ike_err kernel_socket_bypass(int fd, enum ip_family family)
{
	static const uint8_t dirs[] = { XFRM_POLICY_IN, XFRM_POLICY_OUT };

	load_xfrm_user();
	for (unsigned i = 0; i < 2; i++) {
		struct xfrm_userpolicy_info policy;

		XFRM_ZERO(policy);
		policy.sel.family = family == IP_V6 ? AF_INET6 : AF_INET;
		policy.dir = dirs[i];
		policy.action = XFRM_POLICY_ALLOW;
		if ((family == IP_V6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_XFRM_POLICY, &policy, sizeof policy)
				     : setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, &policy, sizeof policy)) != 0)
			return IKE_E_KERNEL;
	}
	return IKE_OK;
}

enum ike_err kernel_socket_encap(int fd)
{
	int type = UDP_ENCAP_ESPINUDP;

	return setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof type) == 0 ? IKE_OK : IKE_E_KERNEL;
}
