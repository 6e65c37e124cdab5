/* loop.h - time, signals and the one timer.
 *
 * The clock is CLOCK_BOOTTIME in milliseconds: deadlines pass while the machine sleeps, and the
 * timer fires at once when it wakes up.
 */
#ifndef OE_DAEMON_LOOP_H
#define OE_DAEMON_LOOP_H

#include <stdint.h>

#include "base/err.h"

struct event_base;
struct loop;

struct loop_user {
	void *arg;
	void (*due)(void *arg);         /* the time of loop_wake_at() has come */
	void (*stop)(void *arg);        /* SIGTERM, SIGINT; NULL: they are somebody else's */
	void (*reload)(void *arg);      /* SIGHUP; likewise */
};

/* user is copied. IKE_E_NOMEM, IKE_E_IO. */
IKE_CHECKED enum ike_err loop_new(const struct loop_user *user, struct loop **out);
void loop_free(struct loop *loop);      /* NULL is fine */

struct event_base *loop_base(struct loop *loop);
uint64_t loop_now_ms(void);
/* How long the machine has slept since it was started. */
uint64_t loop_slept_ms(void);

/* Call due() once, at this time at the latest: an earlier time that was set before stands. UINT64_MAX: nothing new. */
void loop_wake_at(struct loop *loop, uint64_t at_ms);

/* The kernel's events: call this when fd is readable; at most LOOP_WATCHES_MAX such fds. (main.c
 * cannot include libevent's header: its EV_CLOSED is not ike.h's.) IKE_E_NOMEM, IKE_E_LIMIT. */
enum { LOOP_WATCHES_MAX = 3 };
IKE_CHECKED enum ike_err loop_watch(struct loop *loop, int fd, void (*readable)(void *arg));

/* Until loop_end(). IKE_E_IO: the loop broke. */
IKE_CHECKED enum ike_err loop_run(struct loop *loop);
void loop_end(struct loop *loop);

#endif
