#include "config.h"

#include "daemon/controld.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control_commands.h"
#include "daemon/unix_socket.h"
#include "proto/control_proto.h"

enum {
	PEOPLE_MAX = 16,
	IDLE_S = 30,            /* a connection that neither asks nor reads for so long is closed */
	WALK_BATCH = 32,        /* tunnels written before the buffer has to drain */
	WATCHERS_MAX = 8,       /* of PEOPLE_MAX */
	WATCHER_BYTES_MAX = 64 * 1024,  /* unsent; beyond it events are lost */
};

struct person {
	LIST_ENTRY(person) next;
	struct controld *d;
	struct bufferevent *stream;
	struct control_walk walk;       /* a long answer that is under way */
	bool wants_end;                 /* close when the answer has been written */
	bool said_all;                  /* nothing more will come in */
	bool watches;                   /* gets events, and asks nothing any more */
	unsigned lost;                  /* events that there was no room for, and that it does not know of */
};

struct controld {
	struct event_base *base;
	struct controld_user user;
	const struct log *log;
	int listener;
	struct event *acceptable;
	LIST_HEAD(, person) people;
	unsigned n_people, n_watchers;
};

static void person_free(struct person *p)
{
	LIST_REMOVE(p, next);
	p->d->n_people--;
	p->d->n_watchers -= p->watches;
	control_walk_end(&p->walk);
	if (p->stream)
		bufferevent_free(p->stream);
	free(p);
}

/* Takes the reference. Without memory for a line the connection ends: half an answer would be taken
 * for one. */
static void answer(struct person *p, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	json_decref(line);
	if (!text || bufferevent_write(p->stream, text, strlen(text)) != 0 ||
	    bufferevent_write(p->stream, "\n", 1) != 0)
		p->wants_end = true;
	free(text);
}

/* Write some more of a long answer; the table may be longer than any buffer should be. */
static void walk(struct person *p)
{
	unsigned i;

	for (i = 0; i < WALK_BATCH && p->walk.active && !p->wants_end; i++)
		answer(p, control_walk_next(&p->d->user, &p->walk));
}

/* Watching -------------------------------------------------------------------------------------- */

static json_t *watch(struct person *p)
{
	if (p->d->n_watchers >= WATCHERS_MAX)
		return control_error("too-many", "too many watch already");
	p->watches = true;
	p->d->n_watchers++;
	/* It may have nothing to read for hours. */
	bufferevent_set_timeouts(p->stream, NULL, NULL);
	return json_pack("{s:b}", "watching", true);
}

static bool has_room(const struct person *p)
{
	return evbuffer_get_length(bufferevent_get_output(p->stream)) < WATCHER_BYTES_MAX;
}

static void tell_lost(struct person *p)
{
	if (p->lost > 0 && has_room(p)) {
		answer(p, json_pack("{s:i}", "lost", (int)p->lost));
		p->lost = 0;
	}
}

void controld_event(struct controld *d, const struct tunnel_event *event)
{
	json_t *line = NULL;
	struct person *p;

	if (d->n_watchers == 0)
		return;
	LIST_FOREACH(p, &d->people, next) {
		if (!p->watches || p->wants_end)
			continue;
		tell_lost(p);
		if (!line)
			line = control_event(&d->user, event);
		if (has_room(p))
			answer(p, json_incref(line));
		else
			p->lost++;
	}
	json_decref(line);
}

/* Stream --------------------------------------------------------------------------------------- */

static void run_line(struct person *p, const char *line, size_t n)
{
	json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(request)) {
		answer(p, control_error("bad-request", "not a JSON object"));
		p->wants_end = true;
	} else {
		json_t *reply = control_run(&p->d->user, request, &p->walk);

		if (p->walk.active)
			walk(p);
		else
			answer(p, p->walk.watch ? watch(p) : reply);
	}
	json_decref(request);
}

/* One request after the other: the next one is read when the answer to the last has been made. */
static void serve(struct person *p)
{
	struct evbuffer *in = bufferevent_get_input(p->stream);

	/* Whoever watches has said what he wants. */
	if (p->watches && (evbuffer_get_length(in) > 0 || p->said_all))
		p->wants_end = true;
	while (!p->walk.active && !p->watches && !p->wants_end) {
		size_t n;
		char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF);

		if (!line) {
			if (evbuffer_get_length(in) >= CONTROL_REQUEST_MAX) {
				answer(p, control_error("bad-request", "request too long"));
				p->wants_end = true;
			}
			break;
		}
		run_line(p, line, n);
		free(line);
	}
	if (p->said_all && !p->walk.active)
		p->wants_end = true;
	if (p->wants_end) {
		bufferevent_disable(p->stream, EV_READ);
		if (evbuffer_get_length(bufferevent_get_output(p->stream)) == 0)
			person_free(p);
	}
}

static void on_readable(struct bufferevent *stream, void *arg)
{
	(void)stream;
	serve(arg);
}

/* Everything written so far has gone. */
static void on_drained(struct bufferevent *stream, void *arg)
{
	struct person *p = arg;

	(void)stream;
	if (p->walk.active && !p->wants_end)
		walk(p);
	if (p->watches && !p->wants_end)
		tell_lost(p);
	else if (!p->walk.active || p->wants_end)
		serve(p);
}

static void on_end(struct bufferevent *stream, short what, void *arg)
{
	struct person *p = arg;

	/* `printf ... | nc`: the other end has said all and still reads. */
	if (what & BEV_EVENT_EOF) {
		p->said_all = true;
		bufferevent_disable(stream, EV_READ);
		serve(p);
	} else {
		person_free(p);
	}
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval idle = { .tv_sec = IDLE_S };
	struct controld *d = arg;
	struct person *p;
	int connection = unix_accept(fd);
	char peer[UNIX_PEER_TEXT_MAX];

	(void)what;
	if (connection < 0)
		return;
	log_debug(d->log, "control connection from %s", unix_peer_text(connection, peer));
	p = d->n_people < PEOPLE_MAX ? calloc(1, sizeof *p) : NULL;
	if (!p) {
		log_error(d->log, "control connection refused (%s): there are %u already",
			  unix_peer_text(connection, peer), d->n_people);
		close(connection);
		return;
	}
	p->d = d;
	LIST_INSERT_HEAD(&d->people, p, next);
	d->n_people++;
	p->stream = bufferevent_socket_new(d->base, connection, BEV_OPT_CLOSE_ON_FREE);
	if (!p->stream) {
		close(connection);
		person_free(p);
		return;
	}
	bufferevent_setwatermark(p->stream, EV_READ, 0, CONTROL_REQUEST_MAX);
	bufferevent_setcb(p->stream, on_readable, on_drained, on_end, p);
	bufferevent_set_timeouts(p->stream, &idle, &idle);
	bufferevent_enable(p->stream, EV_READ | EV_WRITE);
}

enum ike_err controld_new(struct event_base *base, int listener, const struct controld_user *user,
			  const struct log *log, struct controld **out)
{
	struct controld *d = calloc(1, sizeof *d);

	*out = NULL;
	if (!d) {
		close(listener);
		return IKE_E_NOMEM;
	}
	d->base = base;
	d->user = *user;
	d->log = log;
	d->listener = listener;
	LIST_INIT(&d->people);
	d->acceptable = event_new(base, listener, EV_READ | EV_PERSIST, on_acceptable, d);
	if (!d->acceptable || event_add(d->acceptable, NULL) != 0) {
		controld_free(d);
		return IKE_E_NOMEM;
	}
	*out = d;
	return IKE_OK;
}

void controld_free(struct controld *d)
{
	struct person *p;

	if (!d)
		return;
	while ((p = LIST_FIRST(&d->people)))
		person_free(p);
	if (d->acceptable)
		event_free(d->acceptable);
	close(d->listener);
	free(d);
}
