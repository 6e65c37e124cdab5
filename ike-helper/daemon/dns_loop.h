/* dns_loop.h - questions to the host's resolver from the event loop, without waiting, over sockets that the keeper makes. */
#ifndef OE_DAEMON_DNS_LOOP_H
#define OE_DAEMON_DNS_LOOP_H

#include <ares.h>

#include "base/addr.h"
#include "base/dnsname.h"
#include "base/err.h"
#include "base/rng.h"

struct dns_loop;
struct event_base;

/* calls: to the keeper, who knows the same resolver (dns_socket.h). done(arg): after answers that the loop has brought. IKE_E_NOMEM,
 * IKE_E_IO. */
IKE_CHECKED enum ike_err dns_loop_new(struct event_base *base, const struct ip_endpoint *resolver, int calls, void (*done)(void *arg),
				      void *arg, struct dns_loop **out);
/* What is still asked is answered with ARES_EDESTRUCTION, before this returns. NULL is fine. */
void dns_loop_free(struct dns_loop *d);

/* Ask, with the AD flag; answer(arg) comes exactly once, perhaps at once, within the time of dns_channel.h. */
void dns_loop_ask(struct dns_loop *d, const struct rng *rng, const struct dnsname *name, uint16_t type, ares_callback answer, void *arg);

#endif
