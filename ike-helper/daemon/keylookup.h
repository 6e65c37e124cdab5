/* keylookup.h - what DNS publishes for the name that a client claims: asked of the host's own validating resolver, without
 * waiting, bounded in number and time.
 *
 * Only the IPSECKEY records are asked for, and they must be the name's own. Its addresses are not compared: a question for them
 * would have this very host build a tunnel to the client before it is answered, the client has shown that it receives at its
 * address, and whoever signs for a zone can publish any address in it. A record that names a gateway is for that address alone.
 */
#ifndef OE_DAEMON_KEYLOOKUP_H
#define OE_DAEMON_KEYLOOKUP_H

#include "base/addr.h"
#include "base/dnsname.h"
#include "base/err.h"
#include "base/rng.h"
#include "dnskey/keyset.h"
#include "ike/ike.h"
#include "proto/resolver_proto.h"

struct event_base;
struct keylookup;

enum { KEYLOOKUP_DETAIL_MAX = 128 };

struct keylookup_user {
	void *arg;
	/* REASON_NONE: keys (borrowed) are what DNS has, validated; otherwise why there are none, with a detail for people. */
	void (*found)(void *arg, uint64_t id, const struct ike_client *client, enum rp_reason reason, const char *detail,
		      struct keyset *keys);
	void (*done)(void *arg);    /* after what the loop has called; not after keylookup_start() */
};

/* resolver: its AD bit is believed. calls: as for dns_loop_new(). rng is borrowed, user is copied. IKE_E_NOMEM, IKE_E_IO. */
IKE_CHECKED enum ike_err keylookup_new(struct event_base *base, const struct ip_endpoint *resolver, int calls, const struct rng *rng,
				       const struct keylookup_user *user, struct keylookup **out);
/* Nobody is told of what is still asked. NULL is fine. */
void keylookup_free(struct keylookup *k);

/* found() comes exactly once, perhaps at once, with this id and client. */
void keylookup_start(struct keylookup *k, uint64_t id, const struct ike_client *client, const struct dnsname *name);

#endif
