/* resolverd.h - the socket of Unbound's module: docs/protocol.md over SOCK_SEQPACKET.
 *
 * Every connection starts with HELLO both ways, ours at once. What breaks the protocol, and a
 * client that does not read its answers, is closed with a log line; others do not notice. Knows
 * nothing about tunnels: what is in a message is for somebody else (link.h).
 */
#ifndef OE_DAEMON_RESOLVERD_H
#define OE_DAEMON_RESOLVERD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "proto/resolver_proto.h"

struct event_base;
struct resolverd;

struct resolverd_user {
	void *arg;
	/* A connection has been greeted both ways. */
	void (*came)(void *arg, uint64_t client);
	/* ESTABLISH or CANCEL, and the datagram that it was read from. */
	void (*message)(void *arg, uint64_t client, const struct rp_message *message, struct span datagram);
	/* No verdicts for this client any more, which came before. */
	void (*gone)(void *arg, uint64_t client);
};

/* listener: from unix_listen(); owned from now on, also on failure. user is copied. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err resolverd_new(struct event_base *base, int listener,
				       const struct resolverd_user *user, const struct log *log,
				       struct resolverd **out);
/* Closes all connections without calling user. NULL is fine. */
void resolverd_free(struct resolverd *d);

/* To one client, the datagram of a VERDICT or DOWN; nothing happens when it is gone. May close it (and call user->gone). */
void resolverd_send(struct resolverd *d, uint64_t client, struct span datagram);
/* To every client, the datagram of a DOWN. */
void resolverd_down(struct resolverd *d, struct span datagram);
/* It has broken a rule: end the connection, and call user->gone. */
void resolverd_close(struct resolverd *d, uint64_t client, const char *why);

/* Whoever takes the messages has no room for more: leave them with those who send them, or go on. */
void resolverd_pause(struct resolverd *d, bool pause);

#endif
