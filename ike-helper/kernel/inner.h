/* inner.h - addresses that live only inside of tunnels: those that hosts assign to us, and those that we assign to clients.
 *
 * Such an address is put on the loopback interface, where it belongs to no link and nothing else takes it as a source, and
 * each host that assigned it gets a route that makes it the source of what is sent there:
 *
 *	100.64.0.1/32 dev lo scope host  label lo:oe                    IPv6: /128, deprecated, proto 0x6f
 *	192.0.2.10 via 198.51.100.254 dev eth0 src 100.64.0.1 proto 0x6f metric 111
 *
 * What is sent to such a host from another address of ours is translated (translate.h).
 *
 * One that we have assigned to a client is reached by the way to where the client comes from:
 *
 *	100.64.0.7 via 198.51.100.254 dev eth0 src 192.0.2.10 proto 0x6f metric 112
 *
 * Several hosts may assign the same one. What is not marked like this is never touched; what is, and was left by a run
 * that was killed, goes at the next start.
 */
#ifndef OE_KERNEL_INNER_H
#define OE_KERNEL_INNER_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"

struct inner;

/* Removes what an earlier run left. in_memory: keep books only, for the kernel in memory. IKE_E_IO, IKE_E_NOMEM. */
IKE_CHECKED enum ike_err inner_open(bool in_memory, const struct log *log, struct inner **out);

/* The same for a process that may not change the kernel: books here, and what is to be done as a flat value for one that may. What
 * these functions return is what call() says. *fresh: of INNER_ADD. */
enum inner_op { INNER_ADD, INNER_REMOVE, INNER_CLIENT_ADD, INNER_CLIENT_REMOVE, INNER_UNROUTE, INNER_REFRESH };
struct inner_call {
	enum inner_op op;
	struct ip_addr address, local, remote;      /* as the function of that name has them; IP_NONE: not this one; remote: also via */
};
typedef enum ike_err inner_caller(void *arg, const struct inner_call *what, bool *fresh);
IKE_CHECKED enum ike_err inner_books_open(const struct log *log, inner_caller *call, void *arg, struct inner **out);
/* There: call the function. */
IKE_CHECKED enum ike_err inner_carry_out(struct inner *n, const struct inner_call *what, bool *fresh);

/* remove: everything of ours. NULL is fine. */
void inner_close(struct inner *n, bool remove);

/* remote has assigned address to us; local is where its tunnel ends here. *fresh: this is news, to be taken back if the
 * tunnel fails. IKE_E_CONFLICT: the address is one of this host's, or this host has a route to it, or somebody else's route
 * to remote is preferred. IKE_E_KERNEL. On failure nothing new is left. */
IKE_CHECKED enum ike_err inner_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local,
				   const struct ip_addr *remote, bool *fresh);
/* The route, and the address if no other host has assigned it. Absent ones are fine. */
void inner_remove(struct inner *n, const struct ip_addr *address, const struct ip_addr *remote);

/* We have assigned address to the client that comes from via; local is where its tunnel ends here. IKE_E_KERNEL, IKE_E_CONFLICT:
 * there is no way to it that could be copied. On failure nothing is left. */
IKE_CHECKED enum ike_err inner_client_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local,
					  const struct ip_addr *via);
/* One that is absent is fine. */
void inner_client_remove(struct inner *n, const struct ip_addr *address);

/* Our own end of the tunnel to remote is no address of this host any more: let the routing table tell the new one. */
void inner_unroute(struct inner *n, const struct ip_addr *remote);

/* The routes are copies of the way that there was: copy them again. remote: that one alone, and only if packets to it would go from
 * another address; NULL for all. */
void inner_refresh(struct inner *n, const struct ip_addr *remote);

/* Where the tunnel to remote ends here; false: there is none with an assigned address. The routing table would name that
 * address. */
bool inner_local(const struct inner *n, const struct ip_addr *remote, struct ip_addr *local);

#endif
