/* link.h - what passes between the process with the privileges (keeper.h) and the one that parses the network (network.h), beside the
 * calls and events of kernel/far.h: the resolver's messages and their verdicts, datagram by datagram as docs/protocol.md has them, and
 * a few words of their own.
 *
 * The keeper never waits for the network process; that one may wait for the keeper.
 */
#ifndef OE_DAEMON_LINK_H
#define OE_DAEMON_LINK_H

#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/log.h"
#include "proto/resolver_proto.h"

struct event_base;
struct link;

enum link_kind {
	/* From the keeper. */
	LINK_CAME = 1,              /* a connection of the resolver, greeted */
	LINK_MESSAGE,               /* its ESTABLISH or CANCEL */
	LINK_GONE,
	LINK_STOP,                  /* begin the clean stop; the second time: end */
	LINK_RELOAD,                /* ask for the configuration again */
	/* To the keeper. */
	LINK_READY,                 /* all is there, and the privileges are gone */
	LINK_VERDICT,               /* to one connection */
	LINK_DOWN,                  /* to one, or to all */
	LINK_CLOSE,                 /* this one has broken a rule */
};

struct link_header {
	uint64_t client;            /* 0: of no connection */
	uint32_t kind, reserved;
};

enum { LINK_MAX = sizeof(struct link_header) + RP_MESSAGE_MAX };

/* One message; flags as for send(2). IKE_E_LIMIT: no room now (MSG_DONTWAIT). IKE_E_IO: the other end is gone. */
IKE_CHECKED enum ike_err link_send(int fd, enum link_kind kind, uint64_t client, struct span datagram, int flags);
/* What there is, a few messages at once: the last system call, which finds none, is as dear as the others. */
enum { LINK_INBOX = 4 };
struct link_inbox {
	uint8_t b[LINK_INBOX][LINK_MAX];
	size_t n[LINK_INBOX];           /* bytes */
};

/* flags as for recv(2). *n messages, 0: none now. IKE_E_IO: the other end is gone. */
IKE_CHECKED enum ike_err link_receive(int fd, int flags, struct link_inbox *inbox, unsigned *n);
/* The i-th of them; *datagram is a view into it. IKE_E_SYNTAX: not one of ours. */
IKE_CHECKED enum ike_err link_read(const struct link_inbox *inbox, unsigned i, struct link_header *header, struct span *datagram);

/* The end of the network process --------------------------------------------------------------------------------------- */

struct link_user {
	void *arg;
	/* IKE_E_SYNTAX: the client broke the rules (an id used twice): it is closed. */
	enum ike_err (*request)(void *arg, uint64_t client, uint32_t id, const struct rp_establish *request);
	void (*cancel)(void *arg, uint64_t client, uint32_t id);
	/* No verdicts for this client any more. */
	void (*gone)(void *arg, uint64_t client);
	/* Is what is new paused, for how many seconds? Told to each connection that is made. 0: no. */
	uint32_t (*paused_s)(void *arg);
	void *owner;
	void (*stop)(void *owner);
	void (*reload)(void *owner);
	/* groups_digest() of the policy groups. Told to each connection that is made, and to all by link_groups(). */
	uint64_t (*groups)(void *owner);
	/* The keeper is gone. */
	void (*lost)(void *owner);
};

/* fd: a connected SOCK_SEQPACKET socket that blocks; owned from now on, also on failure. user is copied. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err link_new(struct event_base *base, int fd, const struct link_user *user, const struct log *log,
				  struct link **out);
void link_free(struct link *link);      /* NULL is fine */

void link_ready(struct link *link);
void link_verdict(struct link *link, uint64_t client, uint32_t id, const struct rp_verdict *verdict);
void link_down(struct link *link, const struct rp_down *down);

/* The policy groups may be others: tell all connections. */
void link_groups(struct link *link);

/* Connections of the resolver. */
unsigned link_clients(const struct link *link);

#endif
