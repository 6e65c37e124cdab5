/* net.h - the UDP sockets of IKE: where datagrams come from and go to, and nothing of what is in
 * them.
 *
 * Two ports for each family: IKE's own, and the NAT-T one, where IKE messages follow four zero
 * bytes (the non-ESP marker, RFC 7296 2.23), the kernel takes ESP away, and a single 0xff is a
 * keepalive (RFC 3948 2.3).
 */
#ifndef OE_DAEMON_NET_H
#define OE_DAEMON_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/log.h"

struct conf;
struct event_base;
struct net;

enum { NET_ERROR_MAX = 256 };     /* no shorter than UNIX_ERROR_MAX */

#define NET_STATS(X) X(received) X(sent) X(send_failed) X(keepalives) X(not_ike) X(icmp_errors)

struct net_stats {
#define NET_STAT_FIELD(name) uint64_t name;
	NET_STATS(NET_STAT_FIELD)
#undef NET_STAT_FIELD
};

/* in: one IKE message, marker removed. undelivered: an ICMP error about a message of ours; what
 * came back of it. */
struct net_user {
	void *arg;
	void (*in)(void *arg, const struct ip_path *path, struct span datagram);
	void (*undelivered)(void *arg, struct span datagram);
};

/* Open and bind all sockets. kernel: make them bypass IPsec policies and take ESP from the NAT-T
 * ones; false for the kernel in memory. A host without IPv6 gets IPv4 only. IKE_E_IO: *error is a
 * whole sentence for people; stop. Nothing is read before net_start(). */
IKE_CHECKED enum ike_err net_open(const struct conf *conf, bool kernel, const struct log *log,
				  struct net **out, char error[NET_ERROR_MAX]);
/* IKE_E_NOMEM. user is copied. */
IKE_CHECKED enum ike_err net_start(struct net *net, struct event_base *base,
				   const struct net_user *user);
void net_close(struct net *net);        /* NULL is fine */

/* Send an IKE message, with the marker where it belongs, or a keepalive, which has none. What cannot be sent is counted and logged
 * at debug: IKE retransmits. */
void net_send(struct net *net, const struct ip_path *path, struct span datagram);

/* Returns the length. */
socklen_t net_sockaddr(const struct ip_endpoint *from, struct sockaddr_storage *to);

const struct net_stats *net_stats(const struct net *net);

#endif
