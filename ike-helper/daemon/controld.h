/* controld.h - the socket of the command oe: docs/control.md, one JSON object a line over
 * SOCK_STREAM. */
#ifndef OE_DAEMON_CONTROLD_H
#define OE_DAEMON_CONTROLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

struct controld;
struct event_base;
struct ike;
struct link;
struct net;
struct reload;
struct tunnel_event;
struct tunnels;

/* What people may look at. All borrowed. */
struct controld_user {
	void *arg;
	uint64_t (*now_ms)(void *arg);
	uint64_t started_ms;            /* when this oe-iked had read its configuration and its key, by that clock */
	void (*done)(void *arg);        /* after a request that changed something: look for outputs */
	struct tunnels *tunnels;
	const struct ike *ike;
	const struct groups *groups;    /* policy groups */
	bool serves;                    /* it answers hosts that want a tunnel */
	/* Read the configuration again. IKE_E_CONFIG: nothing has changed, and out->error says why. */
	enum ike_err (*reload)(void *arg, struct reload *out);
	const char *post_quantum;       /* the key exchange that is added, or why none is; for people */
	const struct net *net;
	const struct link *link;
};

/* listener: from unix_listen(); owned from now on, also on failure. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err controld_new(struct event_base *base, int listener,
				      const struct controld_user *user, const struct log *log,
				      struct controld **out);
/* Tell those who watch. One who does not read loses events, and is told how many; nobody waits. */
void controld_event(struct controld *d, const struct tunnel_event *event);
/* NULL is fine. */
void controld_free(struct controld *d);

#endif
