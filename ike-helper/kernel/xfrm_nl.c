#define _GNU_SOURCE                 /* recvmmsg */
#include "kernel/xfrm_nl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/secret.h"

/* An SA with the longest keys and the widest replay window needs about 900 bytes. */
enum { REQUEST_MAX = 1536 };
/* Loading the modules for the first SA takes a second on a slow machine; the kernel never takes its time otherwise. */
enum { ANSWER_TIMEOUT_S = 10 };

static void set_option(int fd, int option)
{
	int one = 1;

	/* Both are refinements: without them errors have no words, and echo what was sent. */
	(void)setsockopt(fd, SOL_NETLINK, option, &one, sizeof one);
}

enum ike_err xnl_open(struct xnl *x, const struct log *log, const char **why)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	int fd;

	*why = NULL;
	x->log = log;
	x->seq = 0;
	x->sock = nl_socket_alloc();
	if (!x->sock) {
		*why = "no memory for a netlink socket";
		return IKE_E_IO;
	}
	if (nl_connect(x->sock, NETLINK_XFRM) < 0) {
		*why = "cannot open a netlink socket for XFRM: this kernel lacks CONFIG_XFRM_USER (modprobe xfrm_user)";
		xnl_close(x);
		return IKE_E_IO;
	}
	fd = nl_socket_get_fd(x->sock);
	set_option(fd, NETLINK_EXT_ACK);
	set_option(fd, NETLINK_CAP_ACK);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
		*why = "cannot set a time limit on the netlink socket";
		xnl_close(x);
		return IKE_E_IO;
	}
	return IKE_OK;
}

void xnl_close(struct xnl *x)
{
	nl_socket_free(x->sock);
	x->sock = NULL;
}

uint32_t xnl_port(const struct xnl *x)
{
	return nl_socket_get_local_port(x->sock);
}

void xnl_add(struct xnl_batch *b, int type, const void *body, size_t n)
{
	struct nl_msg *msg = b->n < XNL_BATCH_MAX ? nlmsg_alloc_size(REQUEST_MAX) : NULL;

	if (!msg || !nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST | NLM_F_ACK) ||
	    (n > 0 && nlmsg_append(msg, (void *)(uintptr_t)body, n, NLMSG_ALIGNTO) < 0)) {
		nlmsg_free(msg);
		b->bad = true;
		return;
	}
	b->r[b->n++] = (struct xnl_request){ .msg = msg };
}

void xnl_attr(struct xnl_batch *b, int type, const void *body, size_t n)
{
	if (b->bad || nla_put(b->r[b->n - 1].msg, type, (int)n, body) < 0)
		b->bad = true;
}

static void free_messages(struct xnl_batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (!b->r[i].msg)
			continue;
		/* nlmsg_free() leaves the keys in freed memory. */
		secret_wipe(nlmsg_hdr(b->r[i].msg), REQUEST_MAX);
		nlmsg_free(b->r[i].msg);
		b->r[i].msg = NULL;
	}
}

void xnl_clear(struct xnl_batch *b)
{
	free_messages(b);
	b->n = 0;
	b->bad = false;
}

/* Sequence numbers first ... first + n - 1. */
static enum ike_err send_all(struct xnl *x, struct xnl_batch *b, uint32_t first, int more_flags)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov[XNL_BATCH_MAX];
	struct msghdr m = { .msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = iov, .msg_iovlen = b->n };

	for (unsigned i = 0; i < b->n; i++) {
		struct nlmsghdr *hdr = nlmsg_hdr(b->r[i].msg);

		hdr->nlmsg_seq = first + i;
		hdr->nlmsg_pid = xnl_port(x);
		hdr->nlmsg_flags = (uint16_t)(hdr->nlmsg_flags | more_flags);
		iov[i] = (struct iovec){ .iov_base = hdr, .iov_len = NLMSG_ALIGN(hdr->nlmsg_len) };
	}
	while (sendmsg(nl_socket_get_fd(x->sock), &m, 0) < 0) {
		if (errno == EINTR)
			continue;
		log_error(x->log, "kernel: netlink send: %s", strerror(errno));
		return IKE_E_KERNEL;
	}
	return IKE_OK;
}

/* The kernel's words about an error: attributes behind the header, or behind its copy of the request (NETLINK_CAP_ACK). */
static void error_text(struct nlmsghdr *hdr, char *to, size_t max)
{
	struct nlmsgerr *e = nlmsg_data(hdr);
	size_t before = sizeof *e;
	struct nlattr *attr;

	if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(hdr->nlmsg_flags & NLM_F_CAPPED))
		before += e->msg.nlmsg_len - NLMSG_HDRLEN;
	if ((size_t)nlmsg_datalen(hdr) < before)
		return;
	attr = nlmsg_find_attr(hdr, (int)before, NLMSGERR_ATTR_MSG);
	if (attr)
		snprintf(to, max, "%.*s", nla_len(attr), (const char *)nla_data(attr));
}

/* One datagram of answers. Returns how many requests it finished. */
static unsigned read_answers(struct xnl_batch *b, uint32_t first, uint8_t *from, size_t n, xnl_answer *answer, void *arg)
{
	struct nlmsghdr *hdr = (struct nlmsghdr *)(void *)from;
	int left = (int)n;
	unsigned finished = 0;

	for (; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left)) {
		uint32_t i = hdr->nlmsg_seq - first;

		if (i >= b->n)
			continue;       /* late answer to a request that was given up */
		if (hdr->nlmsg_type == NLMSG_ERROR && nlmsg_datalen(hdr) >= (int)sizeof(struct nlmsgerr)) {
			b->r[i].error = -((struct nlmsgerr *)nlmsg_data(hdr))->error;
			if (b->r[i].error)
				error_text(hdr, b->r[i].text, sizeof b->r[i].text);
			finished++;
		} else if (hdr->nlmsg_type >= XFRM_MSG_BASE && answer) {
			answer(arg, i, hdr);
		}
	}
	return finished;
}

/* As many datagrams as there are, at least one. *got: how many; their lengths in n. */
static enum ike_err receive(struct xnl *x, size_t n[XNL_BATCH_MAX], unsigned *got)
{
	struct mmsghdr m[XNL_BATCH_MAX];
	struct sockaddr_nl from[XNL_BATCH_MAX];
	struct iovec iov[XNL_BATCH_MAX];
	int count;

	for (unsigned i = 0; i < XNL_BATCH_MAX; i++) {
		iov[i] = (struct iovec){ .iov_base = x->answers[i], .iov_len = XNL_ANSWER_MAX };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &from[i], .msg_namelen = sizeof from[i],
						      .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	do
		count = recvmmsg(nl_socket_get_fd(x->sock), m, XNL_BATCH_MAX, MSG_WAITFORONE, NULL);
	while (count < 0 && errno == EINTR);
	if (count < 0) {
		log_error(x->log, "kernel: netlink receive: %s", strerror(errno));
		return IKE_E_KERNEL;
	}
	for (int i = 0; i < count; i++)
		/* Only the kernel is believed. What it cut short is no answer. */
		n[i] = from[i].nl_pid == 0 && !(m[i].msg_hdr.msg_flags & MSG_TRUNC) ? m[i].msg_len : 0;
	*got = (unsigned)count;
	return IKE_OK;
}

enum ike_err xnl_talk(struct xnl *x, struct xnl_batch *b, xnl_answer *answer, void *arg)
{
	uint32_t first = x->seq + 1;
	size_t n[XNL_BATCH_MAX];
	unsigned finished = 0, got;
	enum ike_err err = b->bad ? IKE_E_NOMEM : IKE_OK;

	if (err == IKE_OK && b->n > 0) {
		x->seq += b->n;
		for (unsigned i = 0; i < b->n; i++)
			b->r[i].error = EPROTO;         /* until the kernel says otherwise */
		err = send_all(x, b, first, 0);
	}
	while (err == IKE_OK && finished < b->n) {
		err = receive(x, n, &got);
		for (unsigned i = 0; err == IKE_OK && i < got; i++) {
			finished += read_answers(b, first, x->answers[i], n[i], answer, arg);
			secret_wipe(x->answers[i], n[i]);
		}
	}
	free_messages(b);
	return err;
}

/* One datagram of a dump. True at its end. */
static bool read_dump(struct nlmsghdr *hdr, size_t n, uint32_t seq, xnl_answer *answer, void *arg, int *error, bool *whole)
{
	int left = (int)n;

	for (; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left)) {
		if (hdr->nlmsg_seq != seq)
			continue;
		if (hdr->nlmsg_flags & NLM_F_DUMP_INTR)
			*whole = false;
		if (hdr->nlmsg_type == NLMSG_DONE)
			return true;
		if (hdr->nlmsg_type == NLMSG_ERROR && nlmsg_datalen(hdr) >= (int)sizeof(struct nlmsgerr)) {
			*error = -((struct nlmsgerr *)nlmsg_data(hdr))->error;
			return true;
		}
		if (hdr->nlmsg_type >= XFRM_MSG_BASE)
			answer(arg, 0, hdr);
	}
	return false;
}

enum ike_err xnl_dump(struct xnl *x, struct xnl_batch *b, xnl_answer *answer, void *arg, bool *whole)
{
	uint32_t seq = ++x->seq;
	int error = 0;
	bool done = false;
	enum ike_err err = b->bad || b->n != 1 ? IKE_E_NOMEM : send_all(x, b, seq, NLM_F_DUMP);

	*whole = true;
	while (err == IKE_OK && !done) {
		/* The kernel fills as much as it is offered: all of the buffer as one piece. */
		ssize_t n = recv(nl_socket_get_fd(x->sock), x->answers, sizeof x->answers, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			log_error(x->log, "kernel: netlink dump: %s", strerror(errno));
			err = IKE_E_KERNEL;
			break;
		}
		done = read_dump((struct nlmsghdr *)(void *)x->answers, (size_t)n, seq, answer, arg, &error, whole);
		secret_wipe(x->answers, (size_t)n);
	}
	if (error) {
		log_error(x->log, "kernel: dump refused: %s", strerror(error));
		err = IKE_E_KERNEL;
	}
	xnl_clear(b);
	return err;
}

uint16_t xfrm_family(const struct ip_addr *a)
{
	return a->family == IP_V6 ? AF_INET6 : AF_INET;
}

uint8_t xfrm_prefix(const struct ip_addr *a)
{
	return a->family == IP_V6 ? 128 : 32;
}

xfrm_address_t xfrm_addr(const struct ip_addr *a)
{
	xfrm_address_t out;

	_Static_assert(sizeof out == sizeof a->b, "both hold either family in network order");
	memcpy(&out, a->b, sizeof out);
	return out;
}

struct ip_addr xfrm_ip(const xfrm_address_t *a, uint16_t family)
{
	struct ip_addr out = { .family = family == AF_INET6 ? IP_V6 : IP_V4 };

	memcpy(out.b, a, family == AF_INET6 ? 16 : 4);
	return out;
}
