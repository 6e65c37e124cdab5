#include "config.h"

#include "daemon/resolverd.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/unix_socket.h"

enum {
	CLIENTS_MAX = 64,               /* worker threads of a few resolvers */
	BATCH_MAX = 64,                 /* messages read before others have their turn */
	QUEUE_BYTES_MAX = 256 * 1024,   /* unsent; beyond it the client does not read */
};

struct queued {
	STAILQ_ENTRY(queued) next;
	size_t n;
	uint8_t b[];
};

struct client {
	LIST_ENTRY(client) next;
	struct resolverd *d;
	uint64_t id;
	int fd;
	struct event *readable, *writable;
	bool greeted;
	STAILQ_HEAD(, queued) queue;
	size_t queue_bytes;
};

struct resolverd {
	struct event_base *base;
	struct resolverd_user user;
	const struct log *log;
	int listener;
	struct event *acceptable;
	LIST_HEAD(, client) clients;
	unsigned n_clients;
	uint64_t last_id;
	bool paused;
	uint8_t buffer[RP_MESSAGE_MAX];
};

static void client_free(struct client *c)
{
	struct queued *q;

	LIST_REMOVE(c, next);
	c->d->n_clients--;
	while ((q = STAILQ_FIRST(&c->queue))) {
		STAILQ_REMOVE_HEAD(&c->queue, next);
		free(q);
	}
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	close(c->fd);
	free(c);
}

static void client_close(struct client *c, const char *why)
{
	struct resolverd *d = c->d;
	uint64_t id = c->id;
	bool greeted = c->greeted;

	log_info(d->log, "resolver connection %llu closed: %s", (unsigned long long)id, why);
	client_free(c);
	if (greeted)
		d->user.gone(d->user.arg, id);
}

/* Out ------------------------------------------------------------------------------------------ */

/* True when the datagram has gone or can never go (*broken). */
static bool send_now(struct client *c, struct span datagram, bool *broken)
{
	ssize_t n;

	do {
		n = send(c->fd, datagram.p, datagram.n, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	*broken = n < 0 && errno != EAGAIN && errno != ENOBUFS;
	return n >= 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct queued *q;
	bool broken;

	(void)fd;
	(void)what;
	while ((q = STAILQ_FIRST(&c->queue))) {
		if (!send_now(c, span_of(q->b, q->n), &broken)) {
			if (broken)
				client_close(c, "cannot be written to");
			else
				event_add(c->writable, NULL);
			return;
		}
		STAILQ_REMOVE_HEAD(&c->queue, next);
		c->queue_bytes -= q->n;
		free(q);
	}
}

/* False: the client was closed. */
static bool client_send(struct client *c, struct span datagram)
{
	struct queued *q;
	bool broken = false;

	if (STAILQ_EMPTY(&c->queue)) {
		if (send_now(c, datagram, &broken))
			return true;
		if (broken) {
			client_close(c, "cannot be written to");
			return false;
		}
	}
	q = c->queue_bytes + datagram.n <= QUEUE_BYTES_MAX ? malloc(sizeof *q + datagram.n) : NULL;
	if (!q) {
		client_close(c, "does not read its answers");
		return false;
	}
	q->n = datagram.n;
	memcpy(q->b, datagram.p, datagram.n);
	STAILQ_INSERT_TAIL(&c->queue, q, next);
	c->queue_bytes += q->n;
	event_add(c->writable, NULL);
	return true;
}

/* False: the client was closed. */
static bool send_hello(struct client *c)
{
	const struct rp_message hello = {
		.type = RP_HELLO,
		.u.hello = { .version_min = RP_VERSION, .version_max = RP_VERSION },
	};
	uint8_t buffer[64];
	struct wr w = wr_over(buffer, sizeof buffer);

	if (rp_write(&hello, &w) != IKE_OK) {
		client_close(c, "internal error: HELLO does not fit its buffer");
		return false;
	}
	return client_send(c, wr_span(&w));
}

static struct client *find_client(struct resolverd *d, uint64_t id)
{
	struct client *c;

	LIST_FOREACH(c, &d->clients, next)
		if (c->id == id)
			return c;
	return NULL;
}

void resolverd_send(struct resolverd *d, uint64_t client, struct span datagram)
{
	struct client *c = find_client(d, client);

	if (c)
		(void)client_send(c, datagram);
}

void resolverd_down(struct resolverd *d, struct span datagram)
{
	struct client *c, *following;

	for (c = LIST_FIRST(&d->clients); c; c = following) {
		following = LIST_NEXT(c, next);
		if (c->greeted)
			(void)client_send(c, datagram);
	}
}

void resolverd_close(struct resolverd *d, uint64_t client, const char *why)
{
	struct client *c = find_client(d, client);

	if (c)
		client_close(c, why);
}

void resolverd_pause(struct resolverd *d, bool pause)
{
	struct client *c;

	d->paused = pause;
	/* Nobody new either: while none is read, none is seen to go, and the few places would be taken by those who went. */
	(void)(pause ? event_del(d->acceptable) : event_add(d->acceptable, NULL));
	LIST_FOREACH(c, &d->clients, next)
		(void)(pause ? event_del(c->readable) : event_add(c->readable, NULL));
}

/* In ------------------------------------------------------------------------------------------- */

static bool handle_hello(struct client *c, const struct rp_hello *hello)
{
	if (c->greeted) {
		client_close(c, "said HELLO twice");
		return false;
	}
	if (hello->version_min > RP_VERSION || hello->version_max < RP_VERSION) {
		client_close(c, "speaks no version of the protocol that we speak");
		return false;
	}
	c->greeted = true;
	c->d->user.came(c->d->user.arg, c->id);
	return true;
}

/* False: the client was closed. */
static bool handle(struct client *c, struct span datagram)
{
	struct resolverd *d = c->d;
	struct rp_message message;
	enum ike_err err = rp_read(datagram, &message);

	if (err == IKE_E_UNSUPPORTED) {
		if (send_hello(c))
			client_close(c, "speaks no version of the protocol that we speak");
		return false;
	}
	if (err != IKE_OK) {
		client_close(c, "sent a malformed message");
		return false;
	}
	if (!c->greeted && message.type != RP_HELLO) {
		client_close(c, "did not say HELLO first");
		return false;
	}
	switch (message.type) {
	case RP_HELLO:
		return handle_hello(c, &message.u.hello);
	case RP_ESTABLISH:
	case RP_CANCEL:
		d->user.message(d->user.arg, c->id, &message, datagram);
		return true;
	case RP_VERDICT:
	case RP_DOWN:
		break;
	}
	client_close(c, "sent a message that only oe-iked sends");
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct resolverd *d = c->d;
	unsigned i;

	(void)what;
	for (i = 0; i < BATCH_MAX && !d->paused; i++) {
		/* MSG_TRUNC: the datagram's own length, also of one that is too long. */
		ssize_t n = recv(fd, d->buffer, sizeof d->buffer, MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			client_close(c, n == 0 ? "by the resolver" : "cannot be read from");
			break;
		}
		if ((size_t)n > sizeof d->buffer) {
			client_close(c, "sent a message that is too long");
			break;
		}
		if (!handle(c, span_of(d->buffer, (size_t)n)))
			break;
	}
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct resolverd *d = arg;
	char peer[UNIX_PEER_TEXT_MAX];
	struct client *c;
	int connection = unix_accept(fd);

	(void)what;
	if (connection < 0)
		return;
	c = d->n_clients < CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		log_error(d->log, "resolver connection refused (%s): there are %u already",
			  unix_peer_text(connection, peer), d->n_clients);
		close(connection);
		return;
	}
	c->d = d;
	c->id = ++d->last_id;
	c->fd = connection;
	STAILQ_INIT(&c->queue);
	LIST_INSERT_HEAD(&d->clients, c, next);
	d->n_clients++;
	c->readable = event_new(d->base, connection, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(d->base, connection, EV_WRITE, on_writable, c);
	if (!c->readable || !c->writable || (!d->paused && event_add(c->readable, NULL) != 0)) {
		log_error(d->log, "resolver connection refused (%s): out of memory",
			  unix_peer_text(connection, peer));
		client_free(c);
		return;
	}
	log_info(d->log, "resolver connection %llu from %s", (unsigned long long)c->id,
		 unix_peer_text(connection, peer));
	(void)send_hello(c);
}

enum ike_err resolverd_new(struct event_base *base, int listener, const struct resolverd_user *user,
			   const struct log *log, struct resolverd **out)
{
	struct resolverd *d = calloc(1, sizeof *d);

	*out = NULL;
	if (!d) {
		close(listener);
		return IKE_E_NOMEM;
	}
	d->base = base;
	d->user = *user;
	d->log = log;
	d->listener = listener;
	LIST_INIT(&d->clients);
	d->acceptable = event_new(base, listener, EV_READ | EV_PERSIST, on_acceptable, d);
	if (!d->acceptable || event_add(d->acceptable, NULL) != 0) {
		resolverd_free(d);
		return IKE_E_NOMEM;
	}
	*out = d;
	return IKE_OK;
}

void resolverd_free(struct resolverd *d)
{
	struct client *c;

	if (!d)
		return;
	while ((c = LIST_FIRST(&d->clients)))
		client_free(c);
	if (d->acceptable)
		event_free(d->acceptable);
	close(d->listener);
	free(d);
}
