#include "config.h"

#include "daemon/link.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
	struct link_user user;
	const struct log *log;
	int fd;
	struct event *readable;
	unsigned clients;
	struct link_inbox inbox;
};

enum ike_err link_send(int fd, enum link_kind kind, uint64_t client, struct span datagram, int flags)
{
	struct link_header header = { .client = client, .kind = kind };
	struct iovec iov[2] = {
		{ .iov_base = &header, .iov_len = sizeof header },
		{ .iov_base = (void *)(uintptr_t)datagram.p, .iov_len = datagram.n },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	do {
		n = sendmsg(fd, &m, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return IKE_OK;
	return errno == EAGAIN || errno == ENOBUFS ? IKE_E_LIMIT : IKE_E_IO;
}

enum ike_err link_receive(int fd, int flags, struct link_inbox *inbox, unsigned *n)
{
	struct iovec iov[LINK_INBOX];
	struct mmsghdr m[LINK_INBOX];
	int got;

	*n = 0;
	for (unsigned i = 0; i < LINK_INBOX; i++) {
		iov[i] = (struct iovec){ .iov_base = inbox->b[i], .iov_len = sizeof inbox->b[i] };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	do {
		got = recvmmsg(fd, m, LINK_INBOX, flags | MSG_WAITFORONE, NULL);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? IKE_OK : IKE_E_IO;
	for (int i = 0; i < got; i++)
		inbox->n[i] = m[i].msg_len;
	/* The end comes as messages of no length, behind all others. */
	while (got > 0 && inbox->n[got - 1] == 0)
		got--;
	*n = (unsigned)got;
	return got > 0 ? IKE_OK : IKE_E_IO;
}

enum ike_err link_read(const struct link_inbox *inbox, unsigned i, struct link_header *header, struct span *datagram)
{
	memset(header, 0, sizeof *header);
	*datagram = span_of(NULL, 0);
	if (inbox->n[i] < sizeof *header)
		return IKE_E_SYNTAX;
	memcpy(header, inbox->b[i], sizeof *header);
	*datagram = span_of(inbox->b[i] + sizeof *header, inbox->n[i] - sizeof *header);
	return IKE_OK;
}

/* Out ----------------------------------------------------------------------------------------------------------------- */

/* A keeper that is gone is noticed where its messages are read. */
static void tell(struct link *link, enum link_kind kind, uint64_t client, const struct rp_message *message)
{
	uint8_t buffer[1024 + RP_REASON_TEXT_MAX];
	struct wr w = wr_over(buffer, sizeof buffer);

	if (message && rp_write(message, &w) != IKE_OK)
		log_error(link->log, "internal error: an answer to the resolver does not fit its buffer");
	else
		(void)!link_send(link->fd, kind, client, wr_span(&w), 0);
}

void link_ready(struct link *link)
{
	tell(link, LINK_READY, 0, NULL);
}

void link_verdict(struct link *link, uint64_t client, uint32_t id, const struct rp_verdict *verdict)
{
	const struct rp_message message = { .type = RP_VERDICT, .id = id, .u.verdict = *verdict };

	tell(link, LINK_VERDICT, client, &message);
}

void link_down(struct link *link, const struct rp_down *down)
{
	const struct rp_message message = { .type = RP_DOWN, .u.down = *down };

	tell(link, LINK_DOWN, 0, &message);
}

static void tell_pause(struct link *link, uint64_t client)
{
	const uint32_t seconds = link->user.paused_s(link->user.arg);
	const struct rp_message message = {
		.type = RP_DOWN,
		.u.down = { .owner = { .n = 1 }, .reason = REASON_DOWN_BY_OPERATOR, .tells_pause = true, .pause_s = seconds },
	};

	if (seconds > 0)
		tell(link, LINK_DOWN, client, &message);
}

/* client: 0: all. */
static void tell_groups(struct link *link, uint64_t client)
{
	const struct rp_message message = {
		.type = RP_DOWN,
		.u.down = { .owner = { .n = 1 }, .reason = REASON_DOWN_BY_OPERATOR, .tells_groups = true,
			    .groups_digest = link->user.groups(link->user.owner) },
	};

	tell(link, LINK_DOWN, client, &message);
}

void link_groups(struct link *link)
{
	tell_groups(link, 0);
}

unsigned link_clients(const struct link *link)
{
	return link->clients;
}

/* In ------------------------------------------------------------------------------------------------------------------ */

static void take_message(struct link *link, uint64_t client, struct span datagram)
{
	struct rp_message message;

	/* The keeper has read it before. */
	if (rp_read(datagram, &message) != IKE_OK)
		return;
	if (message.type == RP_CANCEL)
		link->user.cancel(link->user.arg, client, message.id);
	else if (message.type == RP_ESTABLISH &&
		 link->user.request(link->user.arg, client, message.id, &message.u.establish) != IKE_OK)
		tell(link, LINK_CLOSE, client, NULL);
}

static void take(struct link *link, const struct link_header *header, struct span datagram)
{
	switch (header->kind) {
	case LINK_CAME:
		link->clients++;
		tell_pause(link, header->client);
		tell_groups(link, header->client);
		break;
	case LINK_MESSAGE:
		take_message(link, header->client, datagram);
		break;
	case LINK_GONE:
		link->clients--;
		link->user.gone(link->user.arg, header->client);
		break;
	case LINK_STOP:
		link->user.stop(link->user.owner);
		break;
	case LINK_RELOAD:
		link->user.reload(link->user.owner);
		break;
	default:
		break;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	struct link_header header;
	struct span datagram;
	unsigned n;

	(void)what;
	if (link_receive(fd, MSG_DONTWAIT, &link->inbox, &n) != IKE_OK) {
		event_del(link->readable);
		link->user.lost(link->user.owner);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (link_read(&link->inbox, i, &header, &datagram) == IKE_OK)
			take(link, &header, datagram);
}

enum ike_err link_new(struct event_base *base, int fd, const struct link_user *user, const struct log *log, struct link **out)
{
	struct link *link = calloc(1, sizeof *link);

	*out = NULL;
	if (!link) {
		close(fd);
		return IKE_E_NOMEM;
	}
	link->user = *user;
	link->log = log;
	link->fd = fd;
	link->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, link);
	if (!link->readable || event_add(link->readable, NULL) != 0) {
		link_free(link);
		return IKE_E_NOMEM;
	}
	*out = link;
	return IKE_OK;
}

void link_free(struct link *link)
{
	if (!link)
		return;
	if (link->readable)
		event_free(link->readable);
	close(link->fd);
	free(link);
}
