#define _GNU_SOURCE                 /* recvmmsg */
#include "kernel/xfrm_events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "kernel/xfrm_policy.h"
#include "kernel/xfrm_sa.h"

static enum ike_err listen_to(int group, int other, int third, struct nl_sock **out, const char **why)
{
	struct nl_sock *sock = nl_socket_alloc();

	*out = NULL;
	if (!sock || nl_connect(sock, NETLINK_XFRM) < 0 || nl_socket_add_memberships(sock, group, other, third, 0) < 0) {
		*why = "cannot listen to the kernel's IPsec events: CAP_NET_ADMIN is missing";
		nl_socket_free(sock);
		return IKE_E_IO;
	}
	*out = sock;
	return IKE_OK;
}

enum ike_err xfrm_events_open(struct nl_sock **out, const char **why)
{
	return listen_to(XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING, out, why);
}

void xfrm_events_close(struct nl_sock *sock)
{
	nl_socket_free(sock);
}

/* A packet met one of our policies and found no SA. */
static bool read_acquire(struct nlmsghdr *hdr, struct kernel_event *out)
{
	struct xfrm_user_acquire acquire;
	struct xfrm_user_tmpl tmpl;
	struct nlattr *attr;

	if (nlmsg_datalen(hdr) < (int)sizeof acquire)
		return false;
	attr = nlmsg_find_attr(hdr, sizeof acquire, XFRMA_TMPL);
	if (!attr || nla_len(attr) < (int)sizeof tmpl)
		return false;
	memcpy(&acquire, nlmsg_data(hdr), sizeof acquire);
	memcpy(&tmpl, nla_data(attr), sizeof tmpl);
	/* The packet's: what is beside the selector are the ends of the SA, in tunnel mode other addresses. */
	*out = (struct kernel_event){ .kind = KERNEL_EV_ACQUIRE, .reqid = tmpl.reqid,
				      .local = xfrm_ip(&acquire.sel.saddr, acquire.sel.family),
				      .remote = xfrm_ip(&acquire.sel.daddr, acquire.sel.family) };
	return true;
}

static bool read_expire(struct nlmsghdr *hdr, struct kernel_event *out)
{
	struct xfrm_user_expire e;

	if (nlmsg_datalen(hdr) < (int)sizeof e)
		return false;
	memcpy(&e, nlmsg_data(hdr), sizeof e);
	*out = (struct kernel_event){ .kind = e.hard ? KERNEL_EV_HARD_EXPIRE : KERNEL_EV_SOFT_EXPIRE,
				      .reqid = e.state.reqid, .spi = ntohl(e.state.id.spi) };
	/* A larval SA that nobody filled ends like this: the next packet makes another acquire, no SA was lost. */
	return out->spi != 0;
}

static bool read_mapping(struct nlmsghdr *hdr, struct kernel_event *out)
{
	struct xfrm_user_mapping m;

	if (nlmsg_datalen(hdr) < (int)sizeof m)
		return false;
	memcpy(&m, nlmsg_data(hdr), sizeof m);
	*out = (struct kernel_event){ .kind = KERNEL_EV_MAPPING, .reqid = m.reqid, .spi = ntohl(m.id.spi),
				      .from = { .addr = xfrm_ip(&m.new_saddr, m.id.family), .port = ntohs(m.new_sport) } };
	return true;
}

static bool read_event(struct nlmsghdr *hdr, struct kernel_event *out)
{
	bool read = false;

	if (hdr->nlmsg_type == XFRM_MSG_ACQUIRE)
		read = read_acquire(hdr, out);
	else if (hdr->nlmsg_type == XFRM_MSG_EXPIRE)
		read = read_expire(hdr, out);
	else if (hdr->nlmsg_type == XFRM_MSG_MAPPING)
		read = read_mapping(hdr, out);
	return read && (out->reqid & ~(uint32_t)KERNEL_REQID_MASK) == KERNEL_REQID_BASE;
}

bool xfrm_events_next(struct nl_sock *sock, struct kernel_event *out)
{
	_Alignas(struct nlmsghdr) uint8_t buf[4096];
	struct sockaddr_nl from;

	for (;;) {
		socklen_t from_n = sizeof from;
		ssize_t n = recvfrom(nl_socket_get_fd(sock), buf, sizeof buf, MSG_DONTWAIT,
				     (struct sockaddr *)&from, &from_n);

		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;       /* ENOBUFS: some were lost, those that are left are good */
		if (n < 0)
			return false;
		/* The kernel sends one event a datagram. */
		if (from.nl_pid == 0 && nlmsg_ok((struct nlmsghdr *)(void *)buf, (int)n) &&
		    read_event((struct nlmsghdr *)(void *)buf, out))
			return true;
	}
}

enum ike_err xfrm_watch_open(struct nl_sock **out, const char **why)
{
	return listen_to(XFRMNLGRP_POLICY, XFRMNLGRP_EXPIRE, 0, out, why);
}

static bool is_foreign_news(struct nlmsghdr *hdr)
{
	struct xfrm_policy p;

	if (xfrm_policy_read(hdr, &p))
		return p.kind == XP_FOREIGN;
	return hdr->nlmsg_type == XFRM_MSG_FLUSHPOLICY || hdr->nlmsg_type == XFRM_MSG_POLEXPIRE;
}

bool xfrm_watch_changed(struct nl_sock *sock)
{
	enum { MANY = 8 };
	_Alignas(struct nlmsghdr) uint8_t buf[MANY][1024];
	struct iovec iov[MANY];
	struct mmsghdr m[MANY];
	bool changed = false;
	int got;

	do {
		for (unsigned i = 0; i < MANY; i++) {
			iov[i] = (struct iovec){ .iov_base = buf[i], .iov_len = sizeof buf[i] };
			m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
		}
		got = recvmmsg(nl_socket_get_fd(sock), m, MANY, MSG_DONTWAIT, NULL);
		/* Lost some (ENOBUFS), or one is too long: who knows whose they were. Who sent it does not matter
		 * either: at worst the policies are read once more. */
		changed |= got < 0 && errno != EAGAIN;
		for (int i = 0; i < got; i++) {
			struct nlmsghdr *hdr = (struct nlmsghdr *)(void *)buf[i];

			changed |= (m[i].msg_hdr.msg_flags & MSG_TRUNC) || !nlmsg_ok(hdr, (int)m[i].msg_len) ||
				   is_foreign_news(hdr);
		}
	} while (got == MANY || (got < 0 && errno != EAGAIN));
	return changed;
}

/* Guarding ------------------------------------------------------------------------------------------------------------ */

/* Only these are queued for us, and not what we have deleted ourselves: whatever we install is news too, with its keys, and a crowd of
 * tunnels must not push out what matters. Of the header, in network order as a filter reads: type at 4, port of who asked at 12. */
static bool filter(int fd, uint32_t own_port)
{
	enum { TYPES = 5, FIRST = 3, ACCEPT = FIRST + TYPES + 1, DROP = FIRST + TYPES };
	static const uint16_t types[TYPES] = { XFRM_MSG_DELSA, XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY,
					       XFRM_MSG_POLEXPIRE };
	struct sock_filter code[ACCEPT + 1] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), DROP - 2, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		[DROP] = BPF_STMT(BPF_RET | BPF_K, 0),
		[ACCEPT] = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = ACCEPT + 1, .filter = code };

	for (unsigned i = 0; i < TYPES; i++)
		code[FIRST + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(types[i]),
							       (uint8_t)(ACCEPT - FIRST - i - 1), 0);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

enum ike_err xfrm_guard_open(uint32_t own_port, struct nl_sock **out, const char **why)
{
	/* A script may delete thousands of SAs one by one while we are busy. */
	int room = 1 << 20;
	enum ike_err err = listen_to(XFRMNLGRP_POLICY, XFRMNLGRP_SA, XFRMNLGRP_EXPIRE, out, why);

	if (err != IKE_OK)
		return err;
	(void)setsockopt(nl_socket_get_fd(*out), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	if (filter(nl_socket_get_fd(*out), own_port))
		return IKE_OK;
	*why = "cannot set a filter for the kernel's IPsec events";
	xfrm_events_close(*out);
	*out = NULL;
	return IKE_E_IO;
}

static void add_policy(struct lost_policies *to, const struct xfrm_policy *p)
{
	if (to->n == LOST_MAX)
		to->all = true;
	else
		to->policy[to->n++] = xfrm_policy_name(p);
}

static void add_sa(struct kernel_lost_sas *to, const struct xfrm_sa *sa)
{
	if ((sa->reqid & ~(uint32_t)KERNEL_REQID_MASK) != KERNEL_REQID_BASE)
		return;
	if (to->n == KERNEL_LOST_SAS_MAX) {
		to->all = true;
		return;
	}
	to->sa[to->n].reqid = sa->reqid;
	to->sa[to->n++].spi = sa->spi;
}

static void read_loss(struct nlmsghdr *hdr, struct kernel_lost *out)
{
	struct xfrm_policy p;
	struct xfrm_sa sa;

	if (hdr->nlmsg_type == XFRM_MSG_FLUSHPOLICY)
		out->policies.all = true;
	else if (hdr->nlmsg_type == XFRM_MSG_FLUSHSA)
		out->sas.all = true;
	else if (xfrm_sa_read(hdr, &sa))
		add_sa(&out->sas, &sa);
	else if (xfrm_policy_read(hdr, &p) && (p.kind == XP_PROTECT || p.kind == XP_PASS))
		add_policy(hdr->nlmsg_type == XFRM_MSG_POLEXPIRE ? &out->expired : &out->policies, &p);
	else
		out->policies.exemptions |= p.kind == XP_EXEMPT;
}

void xfrm_guard_read(struct nl_sock *sock, struct kernel_lost *out)
{
	/* Then what they tell is put back, even if somebody deletes as fast as we read. */
	enum { READ_MAX = 4096 };
	_Alignas(struct nlmsghdr) uint8_t buf[4096];
	struct nlmsghdr *hdr = (struct nlmsghdr *)(void *)buf;

	for (unsigned i = 0; i < READ_MAX; i++) {
		struct sockaddr_nl from = { .nl_pid = 0 };
		socklen_t from_n = sizeof from;
		ssize_t n = recvfrom(nl_socket_get_fd(sock), buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *)&from, &from_n);

		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return;
		if (n < 0) {
			out->policies.all |= errno == ENOBUFS;
			out->sas.all |= errno == ENOBUFS;
			continue;
		}
		if (from.nl_pid == 0 && nlmsg_ok(hdr, (int)n))
			read_loss(hdr, out);
		secret_wipe(buf, (size_t)n);
	}
}
