/* cut.c - preloaded into oe-iked (LD_PRELOAD) by tests/lab/lives: its end, or the kernel's refusal, at one chosen change.
 *
 * A change is a netlink message that makes, changes or deletes an SA, a policy, an address or a route, or a transaction of
 * nftables. The file that OE_CUT names holds the order, "kill N" or "refuse N"; without one nothing happens. At the N-th change from then on the order is
 * taken away, and
 *
 *	kill	the change reaches the kernel, what was to be sent together with it does not, and the process is killed;
 *	refuse	the change reaches the kernel with a type that it does not know, and is refused.
 *
 * Netlink is synchronous: when sendmsg() returns the kernel has done it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REFUSED_TYPE = 0x7fff };

static bool is_netlink(int fd, int *protocol)
{
	socklen_t n = sizeof *protocol;
	int domain;
	socklen_t n_domain = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n_domain) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, protocol, &n) == 0;
}

static bool is_change(int protocol, const struct nlmsghdr *hdr)
{
	switch (hdr->nlmsg_type) {
	case XFRM_MSG_NEWSA: case XFRM_MSG_UPDSA: case XFRM_MSG_DELSA:
	case XFRM_MSG_NEWPOLICY: case XFRM_MSG_UPDPOLICY: case XFRM_MSG_DELPOLICY:
		/* The same numbers are something else there. */
		if (protocol == NETLINK_XFRM)
			return true;
		break;
	}
	switch (hdr->nlmsg_type) {
	case RTM_NEWADDR: case RTM_DELADDR: case RTM_NEWROUTE: case RTM_DELROUTE:
		return protocol == NETLINK_ROUTE;
	}
	return false;
}

/* Counts one change. 'k' or 'r': this is the one; 0: it is not. */
static char order_due(void)
{
	const char *path = getenv("OE_CUT");
	char text[32] = "", how[16];
	unsigned n;
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	char due = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, text, sizeof text - 1, 0) > 0 && sscanf(text, "%15s %u", how, &n) == 2) {
		int length = n > 1 ? snprintf(text, sizeof text, "%s %u", how, n - 1) : 0;

		if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
			abort();
		due = n == 1 ? how[0] : 0;
	}
	close(fd);
	return due;
}

static ssize_t send_on(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*next)(int, const struct msghdr *, int);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "sendmsg");
	return next(fd, m, flags);
}

/* oe-iked and libnl put one message into each element. */
__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct nlmsghdr *refused = NULL;
	struct msghdr part = *m;
	uint16_t type = 0;
	int protocol;
	ssize_t sent;

	if (!is_netlink(fd, &protocol))
		return send_on(fd, m, flags);
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct nlmsghdr *hdr = m->msg_iov[i].iov_base;
		char due = is_change(protocol, hdr) ? order_due() : 0;

		if (due == 'r') {
			refused = hdr;
			type = hdr->nlmsg_type;
			hdr->nlmsg_type = REFUSED_TYPE;
		}
		if (due != 'k')
			continue;
		part.msg_iovlen = i + 1;
		(void)!send_on(fd, &part, flags);
		kill(getpid(), SIGKILL);
	}
	sent = send_on(fd, m, flags);
	if (refused)
		refused->nlmsg_type = type;     /* whoever sends it again shall send what he has made */
	return sent;
}

/* A transaction is sent by libmnl, as one datagram that begins with NFNL_MSG_BATCH_BEGIN. */
__attribute__((visibility("default"))) ssize_t sendto(int fd, const void *data, size_t n, int flags, const struct sockaddr *to,
						      socklen_t to_n)
{
	static ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	const struct nlmsghdr *begin = data;
	int protocol;
	char due = is_netlink(fd, &protocol) && protocol == NETLINK_NETFILTER ? order_due() : 0;
	ssize_t sent;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "sendto");
	if (due == 'r')
		((struct nlmsghdr *)((uintptr_t)data + NLMSG_ALIGN(begin->nlmsg_len)))->nlmsg_type = REFUSED_TYPE;
	sent = next(fd, data, n, flags, to, to_n);
	if (due == 'k')
		kill(getpid(), SIGKILL);
	return sent;
}
