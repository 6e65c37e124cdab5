#include "config.h"

#include "daemon/dns_loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/dns_channel.h"
#include "daemon/dns_socket.h"
#include "dnskey/dns_message.h"

enum { SOCKETS_MAX = 16 };

struct watch {
	ares_socket_t fd;
	struct event *event;        /* NULL: free */
};

struct dns_loop {
	struct event_base *base;
	int calls;
	void (*done)(void *arg);
	void *arg;
	ares_channel channel;
	bool library;
	struct event *timer;
	struct watch watch[SOCKETS_MAX];
};

/* Sockets, for c-ares ------------------------------------------------------------------------------------------------------- */

static ares_socket_t on_open(int family, int type, int protocol, void *arg)
{
	const struct dns_loop *d = arg;

	(void)family;
	(void)protocol;
	return dns_socket_ask(d->calls, type == SOCK_STREAM);
}

static int on_close(ares_socket_t fd, void *arg)
{
	(void)arg;
	return close(fd);
}

/* It comes connected. */
static int on_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t n, void *arg)
{
	(void)fd;
	(void)to;
	(void)n;
	(void)arg;
	return 0;
}

static ares_ssize_t on_receive(ares_socket_t fd, void *bytes, size_t n, int flags, struct sockaddr *from, ares_socklen_t *from_n, void *arg)
{
	(void)arg;
	return recvfrom(fd, bytes, n, flags, from, from_n);
}

static ares_ssize_t on_send(ares_socket_t fd, const struct iovec *iov, int n, void *arg)
{
	(void)arg;
	return writev(fd, iov, n);
}

static const struct ares_socket_functions sockets = {
	.asocket = on_open, .aclose = on_close, .aconnect = on_connect, .arecvfrom = on_receive, .asendv = on_send,
};

/* The loop ------------------------------------------------------------------------------------------------------------------ */

static void set_timer(struct dns_loop *d)
{
	struct timeval wait, *next = ares_timeout(d->channel, NULL, &wait);

	(void)evtimer_del(d->timer);
	if (next)
		(void)evtimer_add(d->timer, next);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct dns_loop *d = arg;

	(void)fd;
	(void)what;
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(d);
	d->done(d->arg);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct dns_loop *d = arg;

	ares_process_fd(d->channel, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(d);
	d->done(d->arg);
}

/* c-ares wants to hear of this socket, or no more. */
static void on_interest(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_loop *d = arg;
	struct watch *w = NULL;
	short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		if (d->watch[i].event && d->watch[i].fd == fd) {
			event_free(d->watch[i].event);
			d->watch[i].event = NULL;
		}
		if (!d->watch[i].event)
			w = &d->watch[i];
	}
	/* Without a place for it the question ends by its time. */
	if (!w || (!readable && !writable))
		return;
	w->fd = fd;
	w->event = event_new(d->base, fd, what, on_socket, d);
	if (w->event)
		(void)event_add(w->event, NULL);
}

void dns_loop_ask(struct dns_loop *d, const struct rng *rng, const struct dnsname *name, uint16_t type, ares_callback answer, void *arg)
{
	uint8_t bytes[DNS_QUESTION_MAX];
	struct wr w = wr_over(bytes, sizeof bytes);
	uint16_t id;

	rng_fill(rng, &id, sizeof id);
	dns_question_write(&w, id, name, type, DNS_FLAG_AD);
	ares_send(d->channel, bytes, (int)wr_span(&w).n, answer, arg);
	set_timer(d);
}

enum ike_err dns_loop_new(struct event_base *base, const struct ip_endpoint *resolver, int calls, void (*done)(void *arg), void *arg,
			  struct dns_loop **out)
{
	struct dns_loop *d = calloc(1, sizeof *d);

	*out = NULL;
	if (!d)
		return IKE_E_NOMEM;
	d->base = base;
	d->calls = calls;
	d->done = done;
	d->arg = arg;
	d->timer = evtimer_new(base, on_time, d);
	d->library = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
	if (!d->timer || !d->library || !dns_channel_open(resolver, on_interest, d, &d->channel)) {
		dns_loop_free(d);
		return IKE_E_IO;
	}
	ares_set_socket_functions(d->channel, &sockets, d);
	*out = d;
	return IKE_OK;
}

void dns_loop_free(struct dns_loop *d)
{
	if (!d)
		return;
	if (d->channel)
		ares_destroy(d->channel);
	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		if (d->watch[i].event)
			event_free(d->watch[i].event);
	}
	if (d->timer)
		event_free(d->timer);
	if (d->library)
		ares_library_cleanup();
	free(d);
}
