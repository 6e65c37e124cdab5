#include "config.h"

#include "daemon/keeper.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/groups_file.h"
#include "daemon/dns_socket.h"
#include "daemon/group.h"
#include "daemon/link.h"
#include "daemon/loop.h"
#include "daemon/priv.h"
#include "daemon/resolverd.h"
#include "daemon/route.h"
#include "daemon/startup.h"
#include "daemon/unix_socket.h"
#include "kernel/far.h"
#include "kernel/judge.h"
#include "kernel/inner.h"
#include "kernel/kernel.h"

enum {
	BATCH_MAX = 64,             /* messages read before others have their turn */
	STOP_MS = 5000,             /* the network process takes three seconds at most for its end */
};

/* For the network process, which has not had time to read. */
struct waiting {
	STAILQ_ENTRY(waiting) next;
	enum link_kind kind;
	uint64_t client;
	size_t n;
	uint8_t b[];
};

struct keeper {
	struct setup *setup;
	struct channels channels;
	pid_t network;
	struct loop *loop;
	struct route *route;
	uint64_t now_ms;                /* of the call that is served */
	struct ip_addr own;             /* an address of this host ... */
	uint64_t own_until_ms;          /* ... that need not be looked up again */
	struct resolverd *resolverd;
	struct far_served served;
	struct dns_sockets dns_sockets;
	struct event *calls, *link, *link_writable, *kernel_events, *events_writable, *losses, *losses_again;
	struct event *trim;
	unsigned heap_peak;             /* most protections since memory was last given back to the system */
	STAILQ_HEAD(, waiting) queue;
	struct kernel_event event;      /* taken from the kernel, and not passed on yet */
	bool has_event;
	struct kernel_losses lost;      /* not told yet */
	bool stopping;
	struct link_inbox inbox;
};

/* To the network process ------------------------------------------------------------------------------------------------ */

/* While anything waits, the resolver's messages stay where they are, so that only what cannot wait there is added. */
static void keep_waiting(struct keeper *k, enum link_kind kind, uint64_t client, struct span datagram)
{
	struct waiting *w = malloc(sizeof *w + datagram.n);

	if (!w) {
		log_error(&k->setup->log, "out of memory");
		loop_end(k->loop);
		return;
	}
	*w = (struct waiting){ .kind = kind, .client = client, .n = datagram.n };
	if (datagram.n > 0)
		memcpy(w->b, datagram.p, datagram.n);
	if (STAILQ_EMPTY(&k->queue) && k->resolverd)
		resolverd_pause(k->resolverd, true);
	STAILQ_INSERT_TAIL(&k->queue, w, next);
	event_add(k->link_writable, NULL);
}

static void tell(struct keeper *k, enum link_kind kind, uint64_t client, struct span datagram)
{
	if (!STAILQ_EMPTY(&k->queue) || link_send(k->channels.link, kind, client, datagram, MSG_DONTWAIT) == IKE_E_LIMIT)
		keep_waiting(k, kind, client, datagram);
}

static void on_link_writable(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;
	struct waiting *w;

	(void)what;
	while ((w = STAILQ_FIRST(&k->queue))) {
		if (link_send(fd, w->kind, w->client, span_of(w->b, w->n), MSG_DONTWAIT) == IKE_E_LIMIT) {
			event_add(k->link_writable, NULL);
			return;
		}
		STAILQ_REMOVE_HEAD(&k->queue, next);
		free(w);
	}
	resolverd_pause(k->resolverd, false);
}

static void on_came(void *arg, uint64_t client)
{
	tell(arg, LINK_CAME, client, span_of(NULL, 0));
}

/* Here the books are made by which the network process is judged. */
static void on_message(void *arg, uint64_t client, const struct rp_message *message, struct span datagram)
{
	const struct rp_establish *q = message->type == RP_ESTABLISH ? &message->u.establish : NULL;
	const uint64_t now_ms = q ? loop_now_ms() : 0;
	struct keeper *k = arg;

	for (unsigned i = 0; q && i < q->n_addresses; i++)
		judge_asked(k->served.judge, &q->addresses[i], now_ms);
	tell(k, LINK_MESSAGE, client, datagram);
}

static void on_gone(void *arg, uint64_t client)
{
	tell(arg, LINK_GONE, client, span_of(NULL, 0));
}

/* Kernel events are left with the kernel while there is no room for them. */
static void on_kernel_events(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		if (!k->has_event && !kernel_next_event(k->served.kernel, &k->event))
			return;
		k->has_event = send(k->channels.events, &k->event, sizeof k->event, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
			       (errno == EAGAIN || errno == EINTR || errno == ENOBUFS);
		if (k->has_event) {
			event_del(k->kernel_events);
			event_add(k->events_writable, NULL);
			return;
		}
	}
}

static void on_events_writable(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;

	event_add(k->kernel_events, NULL);
	on_kernel_events(fd, what, k);
}

static void add_losses(struct kernel_losses *to, const struct kernel_losses *more)
{
	to->policies += more->policies;
	to->sas.all |= more->sas.all || to->sas.n + more->sas.n > KERNEL_LOST_SAS_MAX;
	for (unsigned i = 0; i < more->sas.n && !to->sas.all; i++)
		to->sas.sa[to->sas.n++] = more->sas.sa[i];
}

/* What others remove of ours is put back here, before anybody is told: policies first, without which packets leave in clear. */
static void on_losses(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = { .tv_usec = 100 * 1000 };
	struct keeper *k = arg;
	struct kernel_losses lost;
	bool whole = kernel_guard(k->served.kernel, &lost) == IKE_OK;

	(void)fd;
	(void)what;
	add_losses(&k->lost, &lost);
	if (k->lost.policies > 0 || k->lost.sas.n > 0 || k->lost.sas.all) {
		if (send(k->channels.losses, &k->lost, sizeof k->lost, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			memset(&k->lost, 0, sizeof k->lost);
		else
			whole = false;
	}
	if (!whole)
		(void)evtimer_add(k->losses_again, &again);
}

/* From the network process ---------------------------------------------------------------------------------------------- */

/* The allocator keeps what protections used; a moment after a crowd has gone the system gets it back. */
static void on_trim(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;

	(void)fd;
	(void)what;
	k->heap_peak = judge_counts(k->served.judge).pairs;
	(void)malloc_trim(0);
}

static void note_heap(struct keeper *k)
{
	enum { CROWD = 64, WAIT_S = 2 };
	const struct timeval wait = { .tv_sec = WAIT_S };
	const unsigned now = judge_counts(k->served.judge).pairs;

	if (now > k->heap_peak)
		k->heap_peak = now;
	if (k->heap_peak - now >= CROWD && !evtimer_pending(k->trim, NULL))
		(void)evtimer_add(k->trim, &wait);
}

static void reload(struct keeper *k)
{
	struct setup *s = k->setup;
	struct setup_conf *answer = calloc(1, sizeof *answer);

	if (!answer) {
		loop_end(k->loop);
		return;
	}
	answer->err = conf_read(s->file, s->file_given, &answer->conf, answer->error);
	if (answer->err == IKE_OK)
		answer->err = groups_read(answer->conf.policy_dir, &answer->groups, answer->error);
	if (answer->err == IKE_OK)
		s->log.max = answer->conf.log_level;
	/* The one that asks waits for something. */
	if (send(k->channels.calls, answer, sizeof *answer, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		(void)!send(k->channels.calls, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(answer);
}

static bool serve_socket(struct keeper *k, bool tcp)
{
	enum ike_err err = dns_socket_serve(&k->dns_sockets, k->channels.calls, tcp, loop_now_ms());

	if (err == IKE_E_LIMIT && k->dns_sockets.asked == DNS_SOCKETS_PER_SECOND + 1)   /* once */
		log_error(&k->setup->log, "more than %d sockets to the resolver in a second are refused", DNS_SOCKETS_PER_SECOND);
	return err == IKE_OK || err == IKE_E_LIMIT;
}

/* False: it is none, or the answer is not taken. */
static bool serve_word(struct keeper *k, uint8_t word)
{
	switch (word) {
	case SETUP_CALL_RELOAD:
		reload(k);
		return true;
	case SETUP_CALL_RESOLVER_UDP:
	case SETUP_CALL_RESOLVER_TCP:
		return serve_socket(k, word == SETUP_CALL_RESOLVER_TCP);
	default:
		return false;
	}
}

static bool serve_call(struct keeper *k, uint8_t *call, size_t n)
{
	uint8_t answer[FAR_ANSWER_MAX];
	unsigned length;

	if (n == 1)
		return serve_word(k, call[0]);
	k->now_ms = loop_now_ms();
	length = n <= FAR_CALL_MAX ? far_serve(&k->served, call, (unsigned)n, k->now_ms, answer) : 0;
	note_heap(k);
	return length > 0 && send(k->channels.calls, answer, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

/* There is room for an answer: the one that asks waits for each. */
static void on_calls(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;
	uint8_t call[FAR_CALL_MAX];
	ssize_t n;

	(void)what;
	n = recv(fd, call, sizeof call, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && serve_call(k, call, (size_t)n))
		return;
	event_del(k->calls);
	if (n > 0) {
		log_error(&k->setup->log, "the network process calls in a way that it never does: it is ended");
		(void)kill(k->network, SIGKILL);
	}
}

/* Nothing but answers goes to the resolver. */
static void pass_on(struct keeper *k, const struct link_header *header, struct span datagram)
{
	struct rp_message message;

	if (header->kind == LINK_CLOSE)
		resolverd_close(k->resolverd, header->client, "used an id twice");
	else if (rp_read(datagram, &message) != IKE_OK)
		return;
	else if ((header->kind == LINK_VERDICT && message.type == RP_VERDICT) ||
		 (header->kind == LINK_DOWN && message.type == RP_DOWN && header->client != 0))
		resolverd_send(k->resolverd, header->client, datagram);
	else if (header->kind == LINK_DOWN && message.type == RP_DOWN)
		resolverd_down(k->resolverd, datagram);
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;
	struct link_header header;
	struct span datagram;
	unsigned n;

	(void)what;
	if (link_receive(fd, MSG_DONTWAIT, &k->inbox, &n) != IKE_OK) {
		loop_end(k->loop);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (link_read(&k->inbox, i, &header, &datagram) == IKE_OK)
			pass_on(k, &header, datagram);
}

/* Signals --------------------------------------------------------------------------------------------------------------- */

static void on_stop(void *arg)
{
	struct keeper *k = arg;

	if (!k->stopping) {
		log_info(&k->setup->log, "stopping");
		startup_stopping();
		loop_wake_at(k->loop, loop_now_ms() + STOP_MS);
	}
	k->stopping = true;
	tell(k, LINK_STOP, 0, span_of(NULL, 0));
}

static void on_due(void *arg)
{
	struct keeper *k = arg;

	log_error(&k->setup->log, "the network process does not end: it is killed");
	(void)kill(k->network, SIGKILL);
}

static void on_reload(void *arg)
{
	tell(arg, LINK_RELOAD, 0, span_of(NULL, 0));
}

/* Steps of the start ---------------------------------------------------------------------------------------------------- */

/* Mostly it is the same one as a moment ago. */
static bool is_own(void *arg, const struct ip_addr *address)
{
	enum { MOMENT_MS = 1000 };
	struct keeper *k = arg;

	if (ip_equal(address, &k->own) && k->now_ms < k->own_until_ms)
		return true;
	if (!route_is_own(k->route, address))
		return false;
	k->own = *address;
	k->own_until_ms = k->now_ms + MOMENT_MS;
	return true;
}

static bool is_behind(void *arg, const struct ip_addr *address)
{
	struct keeper *k = arg;

	return route_is_behind(k->route, address);
}

static enum ike_err start_judge(struct keeper *k)
{
	enum { MORE_THAN_TUNNELS = 8192 };
	const struct conf *conf = &k->setup->conf;
	const bool serves = conf->server_key[0] != '\0' && (conf->accept_anonymous || conf->accept_identified);
	const struct judge_config judge = {
		.asked_max = conf->tunnels_max + MORE_THAN_TUNNELS,
		.clients_max = serves ? conf->tunnels_max : 0,
		.pool_v4 = conf->pool.v4.first, .pool_v4_size = conf->pool.v4.n,
		.pool_v6 = conf->pool.v6.first, .pool_v6_size = conf->pool.v6.n,
		.arg = k, .is_own = is_own, .is_behind = is_behind,
	};

	return judge_new(&judge, &k->served.judge) == IKE_OK ? IKE_OK : startup_failed("out of memory");
}

static enum ike_err start_kernel(struct keeper *k)
{
	const bool fake = k->setup->fake_kernel;
	const struct log *log = &k->setup->log;
	struct kernel **kernel = &k->served.kernel;
	const char *why = "out of memory";
	uint32_t suites;
	enum ike_err err;

	k->served.log = log;
	/* Assigned addresses that a killed run left go before their policies become orphans, which are below the exemptions. */
	if (inner_open(fake, log, &k->served.inner) != IKE_OK)
		return startup_failed("cannot read the kernel's addresses and routes");
	err = fake ? kernel_fake_open(log, kernel) : kernel_xfrm_open(log, kernel, &why);
	if (err != IKE_OK)
		return startup_failed("%s", why);
	if (fake)
		kernel_fake_clock(*kernel, loop_now_ms);
	if (kernel_check_esp(*kernel, &suites, &why) != IKE_OK)
		return startup_failed("%s", why);
	if (kernel_install_exemptions(*kernel, k->setup->conf.server_key[0] != '\0') != IKE_OK)
		return startup_failed("the kernel does not take the policies that exempt DNS, DHCP and neighbour discovery");
	if (route_open(&k->setup->conf, &k->route) != IKE_OK)
		return startup_failed("cannot ask the kernel for routes");
	return start_judge(k);
}

/* It says so by its first message. If it does not, it has said why not to whoever started us. */
static enum ike_err wait_for_network(struct keeper *k)
{
	struct link_header header;
	struct span datagram;
	unsigned n;
	enum ike_err err = link_receive(k->channels.link, 0, &k->inbox, &n);

	if (err == IKE_OK)
		err = link_read(&k->inbox, 0, &header, &datagram);
	return err == IKE_OK && header.kind != LINK_READY ? IKE_E_STATE : err;
}

static struct event *watch(struct keeper *k, int fd, short what, event_callback_fn on_event, bool now)
{
	struct event *event = event_new(loop_base(k->loop), fd, what, on_event, k);

	return event && now && event_add(event, NULL) != 0 ? NULL : event;
}

static enum ike_err start_loop(struct keeper *k)
{
	const struct loop_user user = { .arg = k, .due = on_due, .stop = on_stop, .reload = on_reload };
	int fd = kernel_event_fd(k->served.kernel), guard_fd = kernel_guard_fd(k->served.kernel);

	if (loop_new(&user, &k->loop) != IKE_OK)
		return startup_failed("cannot make the event loop: %s", strerror(errno));
	k->calls = watch(k, k->channels.calls, EV_READ | EV_PERSIST, on_calls, true);
	k->link = watch(k, k->channels.link, EV_READ | EV_PERSIST, on_link, true);
	k->link_writable = watch(k, k->channels.link, EV_WRITE, on_link_writable, false);
	k->events_writable = watch(k, k->channels.events, EV_WRITE, on_events_writable, false);
	k->kernel_events = fd < 0 ? NULL : watch(k, fd, EV_READ | EV_PERSIST, on_kernel_events, true);
	k->losses = guard_fd < 0 ? NULL : watch(k, guard_fd, EV_READ | EV_PERSIST, on_losses, true);
	k->losses_again = evtimer_new(loop_base(k->loop), on_losses, k);
	k->trim = evtimer_new(loop_base(k->loop), on_trim, k);
	if (!k->calls || !k->link || !k->losses_again || !k->trim || (guard_fd >= 0 && !k->losses) || !k->link_writable || !k->events_writable || (fd >= 0 && !k->kernel_events))
		return startup_failed("out of memory");
	return IKE_OK;
}

static enum ike_err make_listener(const struct conf *conf, int *listener)
{
	const char *wanted = conf->resolver_group;
	char error[UNIX_ERROR_MAX];
	gid_t group;

	if (group_find(wanted[0] != '\0' ? wanted : "unbound", &group) != IKE_OK) {
		if (wanted[0] != '\0')
			return startup_failed("resolver-group: there is no group \"%s\"", wanted);
		group = 0;
	}
	return unix_listen(conf->resolver_socket, SOCK_SEQPACKET, group, listener, error) == IKE_OK
		       ? IKE_OK : startup_failed("resolver-socket: %s", error);
}

/* The resolver's socket comes last: when it is there, or what waits in it is read, questions are answered. */
static enum ike_err start_resolverd(struct keeper *k)
{
	const struct resolverd_user user = { .arg = k, .came = on_came, .message = on_message, .gone = on_gone };
	int listener = k->setup->resolver_listener;

	if (listener >= 0 && k->setup->conf.resolver_group[0] != '\0')
		log_info(&k->setup->log, "resolver-group is not used: SocketGroup= of oe-iked.socket says who may open resolver-socket");
	if (listener < 0 && make_listener(&k->setup->conf, &listener) != IKE_OK)
		return IKE_E_IO;
	if (resolverd_new(loop_base(k->loop), listener, &user, &k->setup->log, &k->resolverd) != IKE_OK)
		return startup_failed("out of memory");
	return IKE_OK;
}

static enum ike_err start_finish(struct keeper *k)
{
	/* The second: the network process, which is another user's, can be ended. */
	if (priv_drop(&k->setup->log, UINT32_C(1) << CAP_NET_ADMIN | UINT32_C(1) << CAP_KILL) != IKE_OK)
		return startup_failed("cannot give up privileges");
	startup_trim();
	startup_ready();
	log_info(&k->setup->log, "ready%s", k->setup->fake_kernel ? " (kernel in memory: no packet is protected)" : "");
	return IKE_OK;
}

static enum ike_err start(struct keeper *k)
{
	static enum ike_err (*const steps[])(struct keeper *k) = {
		start_kernel,           /* close what a crash left, ask for ESP, exempt DNS, ND, ... */
		wait_for_network,       /* it is as far as this, and has given up its privileges */
		start_loop,             /* signals, calls, kernel events */
		start_resolverd,
		start_finish,           /* give up privileges, say ready */
	};
	enum ike_err err = IKE_OK;

	for (size_t i = 0; err == IKE_OK && i < sizeof steps / sizeof *steps; i++)
		err = steps[i](k);
	return err;
}

/* The end --------------------------------------------------------------------------------------------------------------- */

static void stop_listening(struct keeper *k)
{
	struct event *events[] = {
		k->calls, k->link, k->link_writable, k->kernel_events, k->events_writable, k->losses, k->losses_again, k->trim
	};
	struct waiting *w;

	for (unsigned i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i])
			event_free(events[i]);
	while ((w = STAILQ_FIRST(&k->queue))) {
		STAILQ_REMOVE_HEAD(&k->queue, next);
		free(w);
	}
	close(k->channels.link);
	close(k->channels.calls);
	close(k->channels.events);
	close(k->channels.losses);
}

/* It sees that the channels are closed, if nothing else; it is waited for, so that nobody has the ports when the program has ended.
 * True: it ended by itself, and well. */
static bool wait_for_end(struct keeper *k)
{
	int status = 0;

	stop_listening(k);
	while (waitpid(k->network, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		log_error(&k->setup->log, "the network process was ended by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
			  WTERMSIG(status) == SIGSYS ? ": a system call that it may not make" : "");
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* The kernel forgets us last, so that nothing is cleared while somebody still asks. Not in order: a run that failed opens nothing
 * that an earlier one has closed. */
static void finish(struct keeper *k, bool in_order)
{
	if (k->resolverd && k->setup->resolver_listener < 0)    /* one that was passed stays, and who connects to it waits */
		(void)unlink(k->setup->conf.resolver_socket);
	resolverd_free(k->resolverd);
	inner_close(k->served.inner, in_order);
	if (in_order)
		kernel_close(k->served.kernel);
	else
		kernel_leave(k->served.kernel);
	judge_free(k->served.judge);
	route_close(k->route);
	loop_free(k->loop);
}

int keeper_run(struct setup *setup, const struct channels *channels, pid_t network)
{
	struct keeper *k = calloc(1, sizeof *k);
	bool started, ended, in_order;

	if (!k)
		return EXIT_FAILURE;
	k->setup = setup;
	k->channels = *channels;
	k->network = network;
	k->dns_sockets.resolver = setup->conf.resolver;
	STAILQ_INIT(&k->queue);
	started = start(k) == IKE_OK && loop_run(k->loop) == IKE_OK;
	ended = wait_for_end(k);
	in_order = started && k->stopping;
	if (started && !k->stopping && ended)
		log_error(&setup->log, "the network process has ended");
	finish(k, in_order);
	if (in_order)
		log_info(&setup->log, "stopped");
	free(k);
	return in_order ? EXIT_SUCCESS : EXIT_FAILURE;
}
