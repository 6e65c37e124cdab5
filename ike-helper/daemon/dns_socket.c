#include "config.h"

#include "daemon/dns_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/net.h"
#include "daemon/setup.h"

/* Room for one descriptor. */
union control {
	struct cmsghdr align;
	uint8_t b[CMSG_SPACE(sizeof(int))];
};

/* The answer: 0, and a descriptor beside it, or an errno. */
static struct msghdr answer_over(struct iovec *iov, int *error, union control *control)
{
	memset(control, 0, sizeof *control);
	*iov = (struct iovec){ .iov_base = error, .iov_len = sizeof *error };
	return (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1, .msg_control = control->b, .msg_controllen = sizeof control->b };
}

/* From here --------------------------------------------------------------------------------------------------------------- */

static int descriptor_in(struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

int dns_socket_ask(int calls, bool tcp)
{
	const uint8_t word = tcp ? SETUP_CALL_RESOLVER_TCP : SETUP_CALL_RESOLVER_UDP;
	union control control;
	struct iovec iov;
	int error = 0, fd;
	struct msghdr m = answer_over(&iov, &error, &control);
	ssize_t n = send(calls, &word, sizeof word, MSG_NOSIGNAL);

	if (n == (ssize_t)sizeof word)
		do {
			n = recvmsg(calls, &m, MSG_CMSG_CLOEXEC);
		} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof error)
		error = EPIPE;
	fd = error == 0 ? descriptor_in(&m) : -1;
	if (fd < 0)
		errno = error != 0 ? error : EMFILE;
	return fd;
}

/* To there ---------------------------------------------------------------------------------------------------------------- */

static bool has_turn(struct dns_sockets *s, uint64_t now_ms)
{
	if (s->second != now_ms / 1000) {
		s->second = now_ms / 1000;
		s->asked = 0;
	}
	return ++s->asked <= DNS_SOCKETS_PER_SECOND;
}

/* -1, or the descriptor. */
static int make(const struct ip_endpoint *resolver, bool tcp)
{
	const int one = 1;
	struct sockaddr_storage to;
	socklen_t n = net_sockaddr(resolver, &to);
	int fd = socket(to.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -1;
	/* A question is one write, which nothing follows. */
	if (tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (const struct sockaddr *)&to, n) == 0 || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool send_answer(int calls, int error, int fd)
{
	union control control;
	struct iovec iov;
	struct msghdr m = answer_over(&iov, &error, &control);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	if (fd < 0)
		m.msg_controllen = 0;
	return sendmsg(calls, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof error;
}

enum ike_err dns_socket_serve(struct dns_sockets *s, int calls, bool tcp, uint64_t now_ms)
{
	bool allowed = has_turn(s, now_ms), told;
	int fd = allowed ? make(&s->resolver, tcp) : -1;

	told = send_answer(calls, fd >= 0 ? 0 : allowed ? errno : EAGAIN, fd);
	if (fd >= 0)
		close(fd);
	if (!told)
		return IKE_E_IO;
	return allowed ? IKE_OK : IKE_E_LIMIT;
}
