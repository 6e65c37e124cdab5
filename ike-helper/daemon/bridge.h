/* bridge.h - the only glue: carries the outputs of the core and of tunnel/ to the network, the
 * kernel, the signer and the resolver, and their results back, until nobody wants anything any
 * more.
 */
#ifndef OE_DAEMON_BRIDGE_H
#define OE_DAEMON_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

struct controld;
struct ike;
struct inner;
struct kernel;
struct keylookup;
struct keylookup_user;
struct link;
struct link_user;
struct loop;
struct net;
struct net_user;
struct route;
struct signer;
struct tunnel_env;
struct tunnels;
struct validation;
struct validation_user;

/* All borrowed; the owner, network.c, fills it in step by step and has it complete before the loop
 * runs. */
struct bridge {
	const struct log *log;
	struct loop *loop;
	struct net *net;
	struct route *route;
	struct kernel *kernel;
	struct inner *inner;
	struct signer *signer;          /* NULL: no key of our own */
	struct keylookup *keylookup;    /* NULL: clients that say who they are do not come in */
	struct validation *validation;  /* asks during a pause if it is over */
	struct ike *ike;
	struct tunnels *tunnels;
	struct link *link;              /* to the resolver, by way of the keeper */
	struct controld *controld;      /* NULL: nobody watches yet, or any more */
	unsigned heap_peak;             /* most tunnels and IKE SAs since memory was last given back to the system */
	uint64_t trim_at_ms;            /* when to give some back; UINT64_MAX: never */
	uint64_t slept_ms;              /* loop_slept_ms() when it was last looked at */
	uint64_t guard_at_ms;           /* when to put policies back that the kernel did not take; UINT64_MAX: all are there */
	unsigned put_back;              /* policies since that was last told, */
	uint64_t put_back_told_ms;      /* which was then; 0: never */
	uint64_t stop_by_ms;            /* the loop ends when no tunnel is left, or at this time; UINT64_MAX: goes on */
};

/* Take all outputs and set the timer. After everything that went in. */
void bridge_pump(struct bridge *b);

/* Begin the clean stop: refuse, tell the resolver, release all; bounded to 3 s. The second call
 * ends it at once. */
void bridge_stop(struct bridge *b);

/* The time of loop_wake_at() has come. */
void bridge_due(struct bridge *b);

/* What the parts call. */
void bridge_net_user(struct bridge *b, struct net_user *out);
/* Without stop, reload, groups and lost, which are the owner's. */
void bridge_link_user(struct bridge *b, struct link_user *out);
void bridge_keylookup_user(struct bridge *b, struct keylookup_user *out);
void bridge_validation_user(struct bridge *b, struct validation_user *out);
void bridge_tunnel_env(struct bridge *b, struct tunnel_env *out);

/* The kernel's own events; call when kernel_event_fd() is readable. */
void bridge_kernel_events(struct bridge *b);
/* What others have deleted of ours; call when kernel_guard_fd() is readable. */
void bridge_guard(struct bridge *b);
/* Addresses and routes of this host; call when route_event_fd() is readable. */
void bridge_route_events(struct bridge *b);

#endif
