/*
 * unbound-module/oe_client.c - one worker's connection to the helper.
 */

/**
 * \file
 * Non-blocking client for the protocol in proto/resolver_proto.h.
 */

#include "ub_compat.h"
#include "oe_client.h"
#include "oe_config.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include "util/netevent.h"
#include "util/ub_event.h"

/** The helper answers at its deadline at the latest; the client's own timer
 * only has to catch a helper that does not. */
#define OE_GRACE_MS 50
/** wait between attempts to connect, doubled from the first to the second */
#define OE_BACKOFF_MIN_MS 100
#define OE_BACKOFF_MAX_MS 2000
/** datagrams read in one go, so that a helper that floods us does not keep
 * the worker from its clients */
#define OE_READ_BURST 64
/** buckets of the table of jobs. Not one of Unbound's trees: those check the
 * comparison function, too, against the list of its own functions. */
#define OE_BUCKETS 256

/** a request that waits for its verdict */
struct oe_job {
	/** next in the bucket */
	struct oe_job* chain;
	/** list of all jobs of the client, oldest first */
	struct oe_job* next;
	/** list of all jobs of the client */
	struct oe_job* prev;
	/** id on the wire */
	uint32_t id;
	/** whose job */
	struct oe_client* client;
	/** the guaranteed end */
	struct ub_event* timer;
	/** what to call */
	oe_done_func* done;
	/** and with what */
	void* arg;
	/** request that the socket buffer had no room for, or NULL */
	uint8_t* unsent;
	/** length of unsent */
	size_t unsent_len;
	/** an alarm: the helper knows nothing of it */
	int alarm;
	/** lost: waits only for done to be called with this reason */
	enum rp_reason lost;
};

/** one worker's connection */
struct oe_client {
	/** the worker's environment */
	struct module_env* env;
	/** event base of the worker, NULL if it is not libevent's */
	struct ub_event_base* base;
	/** settings */
	const struct oe_config* cfg;
	/** for DOWN */
	oe_down_func* down;
	/** for DOWN */
	void* down_arg;
	/** the socket or -1 */
	int fd;
	/** HELLO came in */
	int greeted;
	/** socket is readable */
	struct ub_event* readable;
	/** socket is writable, pending only when jobs are unsent */
	struct ub_event* writable;
	/** writable is pending */
	int writable_added;
	/** fires when there are lost jobs to report */
	struct ub_event* report;
	/** for oe_client_wake */
	struct ub_event* wake;
	/** monotonic time in ms when wake fires, 0 if it is not pending */
	int64_t wake_at;
	/** for oe_client_wake */
	time_t (*wake_func)(struct module_env*, void*);
	/** for oe_client_wake */
	void* wake_arg;
	/** jobs by id */
	struct oe_job* buckets[OE_BUCKETS];
	/** oldest job */
	struct oe_job* first;
	/** newest job */
	struct oe_job* last;
	/** number of jobs */
	size_t num_jobs;
	/** last id given */
	uint32_t last_id;
	/** no attempt to connect before this time, monotonic ms */
	int64_t retry_at;
	/** wait after the next failure */
	int backoff_ms;
	/** the failure has been logged, success has not */
	int complained;
	/** DOWN messages and lost connections, counted */
	unsigned downs;
	/** the module's counters for this worker */
	struct oe_stats stats;
	/** datagrams in and out */
	uint8_t buffer[RP_MESSAGE_MAX];
};

/** monotonic milliseconds */
static int64_t
now_ms(void)
{
	struct timespec ts;
	if(clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		return 0;
	return (int64_t)ts.tv_sec*1000 + ts.tv_nsec/1000000;
}

/** find a job by id */
static struct oe_job*
job_find(struct oe_client* client, uint32_t id)
{
	struct oe_job* job = client->buckets[id%OE_BUCKETS];
	while(job && job->id != id)
		job = job->chain;
	return job;
}

/** link a job into the table and list */
static void
job_link(struct oe_client* client, struct oe_job* job)
{
	job->chain = client->buckets[job->id%OE_BUCKETS];
	client->buckets[job->id%OE_BUCKETS] = job;
	job->prev = client->last;
	if(client->last)
		client->last->next = job;
	else	client->first = job;
	client->last = job;
	client->num_jobs++;
}

/** unlink a job from the table and list */
static void
job_unlink(struct oe_client* client, struct oe_job* job)
{
	struct oe_job** p = &client->buckets[job->id%OE_BUCKETS];
	while(*p != job)
		p = &(*p)->chain;
	*p = job->chain;
	if(job->prev)
		job->prev->next = job->next;
	else	client->first = job->next;
	if(job->next)
		job->next->prev = job->prev;
	else	client->last = job->prev;
	client->num_jobs--;
}

/** arm an event to fire after some milliseconds */
static void
add_in_ms(struct ub_event* ev, int64_t ms)
{
	struct timeval tv;
	tv.tv_sec = (time_t)(ms/1000);
	tv.tv_usec = (suseconds_t)((ms%1000)*1000);
	if(ub_event_add(ev, &tv) != 0)
		log_err("unbound-oe: cannot add a timer");
}

/** unlink and free a job */
static void
job_free(struct oe_job* job)
{
	job_unlink(job->client, job);
	(void)ub_event_del(job->timer);
	ub_event_free(job->timer);
	free(job->unsent);
	free(job);
}

/** end a job with a verdict */
static void
job_done(struct oe_job* job, const struct rp_verdict* verdict)
{
	oe_done_func* done = job->done;
	void* arg = job->arg;
	job_free(job);
	(*done)(arg, verdict);
}

/** end a job without the helper */
static void
job_refuse(struct oe_job* job, enum rp_reason reason)
{
	struct rp_verdict verdict;
	memset(&verdict, 0, sizeof(verdict));
	verdict.kind = RP_REFUSE;
	verdict.reason = reason;
	job_done(job, &verdict);
}

/** report jobs that went with the connection. They are not ended where the
 * loss is noticed, because that may be inside another query's operate(). */
static void
report_cb(int ATTR_UNUSED(fd), short ATTR_UNUSED(bits), void* arg)
{
	struct oe_client* client = (struct oe_client*)arg;
	struct oe_job* job;
	ub_comm_base_now(client->env->worker_base);
	/* ending one job may cancel others: start over each time */
	do {
		for(job = client->first; job && !job->lost; job = job->next)
			;
		if(job)
			job_refuse(job, job->lost);
	} while(job);
}

/** close the socket and mark its jobs lost */
static void
disconnect(struct oe_client* client, enum rp_reason reason)
{
	struct oe_job* job;
	int lost = 0;
	if(client->fd == -1)
		return;
	(void)ub_event_del(client->readable);
	ub_event_free(client->readable);
	client->readable = NULL;
	if(client->writable_added)
		(void)ub_event_del(client->writable);
	ub_event_free(client->writable);
	client->writable = NULL;
	client->writable_added = 0;
	close(client->fd);
	client->fd = -1;
	client->greeted = 0;
	/* The next one may listen at once: a service manager keeps the socket
	 * while the helper restarts. Waits grow if that was not so. */
	client->retry_at = now_ms() + (client->backoff_ms ==
		OE_BACKOFF_MIN_MS ? 0 : client->backoff_ms);
	client->backoff_ms = client->backoff_ms*2 > OE_BACKOFF_MAX_MS ?
		OE_BACKOFF_MAX_MS : client->backoff_ms*2;
	for(job = client->first; job; job = job->next) {
		if(!job->alarm && !job->lost) {
			job->lost = reason;
			lost = 1;
		}
	}
	if(lost)
		add_in_ms(client->report, 0);
	/* Whatever DOWN the helper would have sent now is missed. The kernel
	 * keeps what is protected so, but asking again is the only way to
	 * learn what still works. */
	client->downs++;
	(*client->down)(client->env, client->down_arg, NULL);
}

/** say once what is wrong with the helper */
static void
complain(struct oe_client* client, const char* what, const char* detail)
{
	if(client->complained)
		return;
	client->complained = 1;
	log_err("unbound-oe: %s: %s (%s); names with a key are refused",
		client->cfg->socket, what, detail);
}

/** send one datagram: 1 sent, 0 no room now, -1 the connection is lost */
static int
send_bytes(struct oe_client* client, const uint8_t* bytes, size_t len)
{
	ssize_t n;
	do {
		n = send(client->fd, bytes, len, MSG_DONTWAIT|MSG_NOSIGNAL);
	} while(n == -1 && errno == EINTR);
	if(n == (ssize_t)len)
		return 1;
	if(n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK ||
		errno == ENOBUFS))
		return 0;
	complain(client, "cannot send", n == -1 ? strerror(errno) : "cut");
	disconnect(client, REASON_HELPER_ABSENT);
	return -1;
}

/** wait until the socket takes more */
static void
want_writable(struct oe_client* client)
{
	if(client->writable_added)
		return;
	if(ub_event_add(client->writable, NULL) == 0)
		client->writable_added = 1;
}

/** the socket takes more */
static void
writable_cb(int ATTR_UNUSED(fd), short ATTR_UNUSED(bits), void* arg)
{
	struct oe_client* client = (struct oe_client*)arg;
	struct oe_job* job;
	ub_comm_base_now(client->env->worker_base);
	client->writable_added = 0;
	for(job = client->first; job; job = job->next) {
		int sent;
		if(!job->unsent)
			continue;
		sent = send_bytes(client, job->unsent, job->unsent_len);
		if(sent == -1)
			return;
		if(sent == 0) {
			want_writable(client);
			return;
		}
		free(job->unsent);
		job->unsent = NULL;
	}
}

/** the version handshake: the first message, and only that, is HELLO */
static int
handle_hello(struct oe_client* client, const struct rp_message* msg)
{
	if(client->greeted || msg->type != RP_HELLO)
		return 0;
	if(msg->u.hello.version_min > RP_VERSION ||
		msg->u.hello.version_max < RP_VERSION)
		return 0;
	client->greeted = 1;
	if(client->complained)
		log_info("unbound-oe: %s: connected", client->cfg->socket);
	client->complained = 0;
	return 1;
}

/** a verdict; one for a job that is gone came too late and is dropped */
static int
handle_verdict(struct oe_client* client, const struct rp_message* msg)
{
	struct oe_job* job = job_find(client, msg->id);
	/* a helper that greets and dies does not get this far */
	client->backoff_ms = OE_BACKOFF_MIN_MS;
	if(job && !job->alarm && !job->lost && !job->unsent)
		job_done(job, &msg->u.verdict);
	return 1;
}

/** handle one datagram; returns 0 if the helper may not say this */
static int
handle_datagram(struct oe_client* client, size_t len)
{
	struct rp_message msg;
	if(rp_read(span_of(client->buffer, len), &msg) != IKE_OK)
		return 0;
	if(!client->greeted)
		return handle_hello(client, &msg);
	switch(msg.type) {
	case RP_VERDICT:
		return handle_verdict(client, &msg);
	case RP_DOWN:
		client->downs++;
		(*client->down)(client->env, client->down_arg, &msg.u.down);
		return 1;
	case RP_HELLO:
	case RP_ESTABLISH:
	case RP_CANCEL:
		break;
	}
	return 0;
}

/** the socket is readable */
static void
readable_cb(int ATTR_UNUSED(fd), short ATTR_UNUSED(bits), void* arg)
{
	struct oe_client* client = (struct oe_client*)arg;
	int i;
	ub_comm_base_now(client->env->worker_base);
	/* handling a datagram runs queries, and those may lose the connection
	 * or even make a new one */
	for(i = 0; i < OE_READ_BURST && client->fd != -1; i++) {
		ssize_t n = recv(client->fd, client->buffer,
			sizeof(client->buffer), MSG_DONTWAIT|MSG_TRUNC);
		if(n == -1 && errno == EINTR)
			continue;
		if(n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if(n <= 0) {
			complain(client, "the helper is gone",
				n == 0 ? "closed" : strerror(errno));
			disconnect(client, REASON_HELPER_ABSENT);
			return;
		}
		if((size_t)n > sizeof(client->buffer) ||
			!handle_datagram(client, (size_t)n)) {
			complain(client, "the helper broke the protocol",
				"closing");
			disconnect(client, REASON_HELPER_BROKEN);
			return;
		}
	}
}

/** put a message into the buffer; length or 0 */
static size_t
encode(struct oe_client* client, const struct rp_message* msg)
{
	struct wr w = wr_over(client->buffer, sizeof(client->buffer));
	if(rp_write(msg, &w) != IKE_OK)
		return 0;
	return wr_span(&w).n;
}

/** open the socket; -1 with errno set */
static int
open_socket(const char* path)
{
	struct sockaddr_un sun;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);
	if(fd == -1)
		return -1;
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	memcpy(sun.sun_path, path, strlen(path)+1);
	/* A local connect does not wait for anybody: it works, or it fails,
	 * with EAGAIN if too many others wait to be accepted. */
	if(connect(fd, (struct sockaddr*)&sun, (socklen_t)sizeof(sun)) == -1) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/** connect and say HELLO; returns 0 if that cannot be done now */
static int
connect_helper(struct oe_client* client)
{
	struct rp_message hello;
	size_t len;
	if(now_ms() < client->retry_at)
		return 0;
	client->fd = open_socket(client->cfg->socket);
	if(client->fd == -1) {
		complain(client, "cannot connect to the helper",
			strerror(errno));
		client->retry_at = now_ms() + client->backoff_ms;
		client->backoff_ms = client->backoff_ms*2 > OE_BACKOFF_MAX_MS ?
			OE_BACKOFF_MAX_MS : client->backoff_ms*2;
		return 0;
	}
	client->readable = ub_event_new(client->base, client->fd,
		UB_EV_READ|UB_EV_PERSIST, readable_cb, client);
	client->writable = ub_event_new(client->base, client->fd, UB_EV_WRITE,
		writable_cb, client);
	if(!client->readable || !client->writable ||
		ub_event_add(client->readable, NULL) != 0) {
		log_err("unbound-oe: cannot add an event for the helper");
		ub_event_free(client->readable);
		ub_event_free(client->writable);
		client->readable = client->writable = NULL;
		close(client->fd);
		client->fd = -1;
		return 0;
	}
	memset(&hello, 0, sizeof(hello));
	hello.type = RP_HELLO;
	hello.u.hello.version_min = RP_VERSION;
	hello.u.hello.version_max = RP_VERSION;
	len = encode(client, &hello);
	return len && send_bytes(client, client->buffer, len) == 1;
}

/** tell the helper that nobody waits for this job; if there is no room for
 * that now, the helper's verdict will be dropped when it comes */
static void
send_cancel(struct oe_job* job)
{
	struct oe_client* client = job->client;
	struct rp_message cancel;
	size_t len;
	if(client->fd == -1 || job->alarm || job->unsent || job->lost)
		return;
	memset(&cancel, 0, sizeof(cancel));
	cancel.type = RP_CANCEL;
	cancel.id = job->id;
	if((len = encode(client, &cancel)) != 0)
		(void)send_bytes(client, client->buffer, len);
}

/** the job's deadline has passed and the helper has not said a word */
static void
deadline_cb(int ATTR_UNUSED(fd), short ATTR_UNUSED(bits), void* arg)
{
	struct oe_job* job = (struct oe_job*)arg;
	ub_comm_base_now(job->client->env->worker_base);
	send_cancel(job);
	job_refuse(job, job->lost ? job->lost : REASON_HELPER_SILENT);
}

struct oe_client*
oe_client_create(struct module_env* env, const struct oe_config* cfg,
	oe_down_func* down, void* arg)
{
	struct oe_client* client = (struct oe_client*)calloc(1,
		sizeof(*client));
	const char* name = "none", *sys, *method;
	if(!client)
		return NULL;
	client->env = env;
	client->cfg = cfg;
	client->down = down;
	client->down_arg = arg;
	client->fd = -1;
	client->backoff_ms = OE_BACKOFF_MIN_MS;
	if(env->worker_base)
		ub_get_event_sys(comm_base_internal(env->worker_base), &name,
			&sys, &method);
	if(strncmp(name, "libevent", 8) != 0) {
		log_err("unbound-oe: the event library of this Unbound is %s, "
			"not libevent; names with a key are refused", name);
		return client;
	}
	client->base = comm_base_internal(env->worker_base);
	client->report = ub_event_new(client->base, -1, UB_EV_TIMEOUT,
		report_cb, client);
	if(!client->report) {
		free(client);
		return NULL;
	}
	return client;
}

void
oe_client_delete(struct oe_client* client)
{
	struct oe_job* job;
	if(!client)
		return;
	while((job = client->first) != NULL) {
		job_unlink(client, job);
		ub_event_free(job->timer);
		free(job->unsent);
		free(job);
	}
	ub_event_free(client->readable);
	ub_event_free(client->writable);
	ub_event_free(client->report);
	ub_event_free(client->wake);
	if(client->fd != -1)
		close(client->fd);
	free(client);
}

int
oe_client_is_for(struct oe_client* client, struct module_env* env)
{
	return client->env == env;
}

/** make the job of a request; NULL if out of memory */
static struct oe_job*
job_create(struct oe_client* client, oe_done_func* done, void* arg)
{
	struct oe_job* job = (struct oe_job*)calloc(1, sizeof(*job));
	if(!job)
		return NULL;
	do {
		job->id = ++client->last_id;
	} while(job->id == 0 || job_find(client, job->id));
	job->client = client;
	job->done = done;
	job->arg = arg;
	job->timer = ub_event_new(client->base, -1, UB_EV_TIMEOUT, deadline_cb,
		job);
	if(!job->timer) {
		free(job);
		return NULL;
	}
	job_link(client, job);
	return job;
}

/** send a request, or keep it until there is room; 0 on failure */
static int
job_send(struct oe_job* job, const struct rp_establish* ask,
	enum rp_reason* refused)
{
	struct oe_client* client = job->client;
	struct rp_message msg;
	size_t len;
	int sent = 0;
	memset(&msg, 0, sizeof(msg));
	msg.type = RP_ESTABLISH;
	msg.id = job->id;
	msg.u.establish = *ask;
	if((len = encode(client, &msg)) == 0) {
		*refused = REASON_TOO_MANY_RECORDS;
		return 0;
	}
	if(!client->writable_added)
		sent = send_bytes(client, client->buffer, len);
	if(sent == 1)
		return 1;
	if(sent == -1) {
		*refused = REASON_HELPER_ABSENT;
		return 0;
	}
	*refused = REASON_INTERNAL;
	if(!(job->unsent = (uint8_t*)memdup(client->buffer, len)))
		return 0;
	job->unsent_len = len;
	want_writable(client);
	return 1;
}

void
oe_client_greet(struct oe_client* client)
{
	if(client->base && client->fd == -1)
		(void)connect_helper(client);
}

struct oe_job*
oe_client_establish(struct oe_client* client, const struct rp_establish* ask,
	oe_done_func* done, void* arg, enum rp_reason* refused)
{
	struct oe_job* job;
	*refused = REASON_INTERNAL;
	if(!client->base)
		return NULL;
	if(client->fd == -1 && !connect_helper(client)) {
		*refused = REASON_HELPER_ABSENT;
		return NULL;
	}
	if(!(job = job_create(client, done, arg))) {
		log_err("unbound-oe: out of memory");
		return NULL;
	}
	if(!job_send(job, ask, refused)) {
		job_free(job);
		return NULL;
	}
	add_in_ms(job->timer, (int64_t)ask->deadline_ms + OE_GRACE_MS);
	return job;
}

struct oe_job*
oe_client_alarm(struct oe_client* client, int ms, oe_done_func* done,
	void* arg)
{
	struct oe_job* job;
	if(!client->base || !(job = job_create(client, done, arg)))
		return NULL;
	job->alarm = 1;
	add_in_ms(job->timer, ms);
	return job;
}

void
oe_job_cancel(struct oe_job* job)
{
	send_cancel(job);
	job_free(job);
}

/** time to call what oe_client_wake asked for */
static void
wake_cb(int ATTR_UNUSED(fd), short ATTR_UNUSED(bits), void* arg)
{
	struct oe_client* client = (struct oe_client*)arg;
	time_t again;
	ub_comm_base_now(client->env->worker_base);
	client->wake_at = 0;
	again = (*client->wake_func)(client->env, client->wake_arg);
	if(again > 0)
		oe_client_wake(client, again, client->wake_func,
			client->wake_arg);
}

void
oe_client_wake(struct oe_client* client, time_t seconds,
	time_t (*func)(struct module_env* env, void* arg), void* arg)
{
	int64_t at = now_ms() + (int64_t)seconds*1000;
	if(!client->base || (client->wake_at && client->wake_at <= at))
		return;
	client->wake_func = func;
	client->wake_arg = arg;
	if(!client->wake && !(client->wake = ub_event_new(client->base, -1,
		UB_EV_TIMEOUT, wake_cb, client))) {
		log_err("unbound-oe: out of memory");
		return;
	}
	client->wake_at = at;
	add_in_ms(client->wake, (int64_t)seconds*1000);
}

unsigned
oe_client_downs(struct oe_client* client)
{
	return client->downs;
}

struct oe_stats*
oe_client_stats(struct oe_client* client)
{
	return &client->stats;
}

size_t
oe_client_waiting(struct oe_client* client)
{
	struct oe_job* job;
	size_t n = 0;
	for(job = client->first; job; job = job->next)
		n += !job->alarm;
	return n;
}

size_t
oe_client_get_mem(struct oe_client* client)
{
	return sizeof(*client) + client->num_jobs*sizeof(struct oe_job);
}
