/* resolverd.h - the socket of Unbound's module: docs/protocol.md over SOCK_SEQPACKET.
 *
 * Every connection starts with HELLO both ways, ours at once. What breaks the protocol, and a
 * client that does not read its answers, is closed with a log line; others do not notice. Knows
 * nothing about tunnels.
 */
#ifndef OE_DAEMON_RESOLVERD_H
#define OE_DAEMON_RESOLVERD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"
#include "proto/resolver_proto.h"

struct event_base;
struct resolverd;

struct resolverd_user {
	void *arg;
	/* IKE_E_SYNTAX: the client broke the rules (an id used twice): it is closed. */
	enum ike_err (*request)(void *arg, uint64_t client, uint32_t id,
				const struct rp_establish *request);
	void (*cancel)(void *arg, uint64_t client, uint32_t id);
	/* No verdicts for this client any more. */
	void (*gone)(void *arg, uint64_t client);
	/* Is what is new paused, for how many seconds? Told to each connection that is made. 0: no. */
	uint32_t (*paused_s)(void *arg);
	/* After a batch of the above: look for outputs. */
	void (*done)(void *arg);
};

/* listener: from unix_listen(); owned from now on, also on failure. user is copied. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err resolverd_new(struct event_base *base, int listener,
				       const struct resolverd_user *user, const struct log *log,
				       struct resolverd **out);
/* Closes all connections without calling user. NULL is fine. */
void resolverd_free(struct resolverd *d);

/* To one client; nothing happens when it is gone. May close it (and call user->gone). */
void resolverd_verdict(struct resolverd *d, uint64_t client, uint32_t id,
		       const struct rp_verdict *verdict);
/* To every client. */
void resolverd_down(struct resolverd *d, const struct rp_down *down);

unsigned resolverd_clients(const struct resolverd *d);

#endif
