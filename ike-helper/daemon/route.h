/* route.h - what the kernel's routing table says about an address, asked at once over rtnetlink.
 *
 * One question gives both answers that tunnel/ needs. Not a connected UDP socket: connect() looks
 * at IPsec policies, so that for a protected address without an SA it would start an acquire or
 * fail; and bind(), as a test for an address of our own, lies where ip_nonlocal_bind is set.
 */
#ifndef OE_DAEMON_ROUTE_H
#define OE_DAEMON_ROUTE_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

struct conf;
struct route;

/* conf is borrowed: with `listen`, only those addresses are sources. IKE_E_IO, IKE_E_NOMEM. */
IKE_CHECKED enum ike_err route_open(const struct conf *conf, struct route **out);
void route_close(struct route *route);  /* NULL is fine */

/* The address from which this host sends to remote. IKE_E_REFUSED: no route. */
IKE_CHECKED enum ike_err route_source(struct route *route, const struct ip_addr *remote,
				      struct ip_addr *local);

/* Does this address belong to this host? */
bool route_is_own(struct route *route, const struct ip_addr *address);

/* Is it certainly somebody else's, to whom there is a way? Not a local address of another routing table, as a VRF has them: that
 * has a route here too, through whichever gateway. */
bool route_is_behind(struct route *route, const struct ip_addr *address);

/* What the kernel tells when the descriptor is readable. An address that is renewed as it was is not told, nor is one that a host has
 * assigned. */
enum route_event_kind {
	ROUTE_NEW_ADDRESS,          /* this one; IP_NONE: news were lost, it may be any */
	ROUTE_ADDRESS_GONE,
	ROUTE_CHANGED,              /* a default route came or went */
};
struct route_event {
	enum route_event_kind kind;
	struct ip_addr address;
};
int route_event_fd(const struct route *route);
/* False: no more (never blocks). */
bool route_next_event(struct route *route, struct route_event *out);

#endif
