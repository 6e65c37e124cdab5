#include "config.h"

#include "daemon/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct loop {
	struct loop_user user;
	struct event_base *base;
	int timer_fd;
	uint64_t wake_at_ms;
	struct event *timer, *sigterm, *sigint, *sighup;
	struct watch {
		struct event *event;
		void (*readable)(void *arg);
		void *arg;
	} watches[LOOP_WATCHES_MAX];
	unsigned n_watches;
};

uint64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t loop_slept_ms(void)
{
	struct timespec with, without;

	clock_gettime(CLOCK_MONOTONIC, &without);
	clock_gettime(CLOCK_BOOTTIME, &with);
	return (uint64_t)(with.tv_sec - without.tv_sec) * 1000 + (uint64_t)((with.tv_nsec - without.tv_nsec) / 1000000);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t times;

	(void)what;
	/* Empty when the timer was set again after it became readable. */
	if (read(fd, &times, sizeof times) != (ssize_t)sizeof times)
		return;
	loop->wake_at_ms = UINT64_MAX;
	loop->user.due(loop->user.arg);
}

static void on_stop(evutil_socket_t signal, short what, void *arg)
{
	struct loop *loop = arg;

	(void)signal;
	(void)what;
	loop->user.stop(loop->user.arg);
}

static void on_reload(evutil_socket_t signal, short what, void *arg)
{
	struct loop *loop = arg;

	(void)signal;
	(void)what;
	loop->user.reload(loop->user.arg);
}

static bool watch_signal(struct loop *loop, int number, event_callback_fn on_signal, struct event **out)
{
	*out = evsignal_new(loop->base, number, on_signal, loop);
	return *out && event_add(*out, NULL) == 0;
}

enum ike_err loop_new(const struct loop_user *user, struct loop **out)
{
	struct loop *loop = calloc(1, sizeof *loop);
	struct event_config *config;

	*out = NULL;
	if (!loop)
		return IKE_E_NOMEM;
	loop->user = *user;
	loop->wake_at_ms = UINT64_MAX;
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	config = event_config_new();
	/* The time is asked for where it is wanted, and not each time that we wake. */
	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
		loop->base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (loop->timer_fd < 0 || !loop->base)
		goto fail;
	loop->timer = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST, on_timer, loop);
	if (!loop->timer || event_add(loop->timer, NULL) != 0)
		goto fail;
	if (user->stop && (!watch_signal(loop, SIGTERM, on_stop, &loop->sigterm) || !watch_signal(loop, SIGINT, on_stop, &loop->sigint)))
		goto fail;
	if (user->reload && !watch_signal(loop, SIGHUP, on_reload, &loop->sighup))
		goto fail;
	*out = loop;
	return IKE_OK;
fail:
	loop_free(loop);
	return IKE_E_IO;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->timer)
		event_free(loop->timer);
	if (loop->sigterm)
		event_free(loop->sigterm);
	if (loop->sigint)
		event_free(loop->sigint);
	if (loop->sighup)
		event_free(loop->sighup);
	for (unsigned i = 0; i < loop->n_watches; i++)
		event_free(loop->watches[i].event);
	if (loop->base)
		event_base_free(loop->base);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

void loop_wake_at(struct loop *loop, uint64_t at_ms)
{
	struct itimerspec when = { 0 };

	/* Waiting mostly ends with an answer, long before its time. One wake-up too many after a crowd of them is cheaper than to
	 * put the timer off with each. */
	if (at_ms >= loop->wake_at_ms)
		return;
	loop->wake_at_ms = at_ms;
	when.it_value.tv_sec = (time_t)(at_ms / 1000);
	when.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
	if (at_ms == 0)
		when.it_value.tv_nsec = 1;      /* zero would disarm it */
	(void)timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_watched(evutil_socket_t fd, short what, void *arg)
{
	const struct watch *w = arg;

	(void)fd;
	(void)what;
	w->readable(w->arg);
}

enum ike_err loop_watch(struct loop *loop, int fd, void (*readable)(void *arg))
{
	struct watch *w = &loop->watches[loop->n_watches];

	if (loop->n_watches == LOOP_WATCHES_MAX)
		return IKE_E_LIMIT;
	w->readable = readable;
	w->arg = loop->user.arg;
	w->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_watched, w);
	if (!w->event)
		return IKE_E_NOMEM;
	loop->n_watches++;
	return event_add(w->event, NULL) == 0 ? IKE_OK : IKE_E_NOMEM;
}

enum ike_err loop_run(struct loop *loop)
{
	return event_base_dispatch(loop->base) < 0 ? IKE_E_IO : IKE_OK;
}

void loop_end(struct loop *loop)
{
	(void)event_base_loopbreak(loop->base);
}
