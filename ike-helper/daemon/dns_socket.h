/* dns_socket.h - sockets to the resolver for the process that may not make any (sandbox.h): it asks the keeper, who knows one address
 * only, the one that oe.conf has, and bounds their number. What the resolver sends is read by the one that asked.
 */
#ifndef OE_DAEMON_DNS_SOCKET_H
#define OE_DAEMON_DNS_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* A resolver that is there needs one or two until it closes them; one that is not, three a question. */
enum { DNS_SOCKETS_PER_SECOND = 64 };

/* From here: a socket that does not block and is connected, or about to be (TCP); the caller's. calls: of setup.h. -1: errno says why;
 * EAGAIN: too many in this second. */
int dns_socket_ask(int calls, bool tcp);

/* To there. */
struct dns_sockets {
	struct ip_endpoint resolver;
	uint64_t second;
	unsigned asked;                 /* for so many in this second */
};

/* Make one and send it over calls. IKE_E_LIMIT: not made, and the other end knows. IKE_E_IO: it does not take the answer. */
IKE_CHECKED enum ike_err dns_socket_serve(struct dns_sockets *s, int calls, bool tcp, uint64_t now_ms);

#endif
