/* validation.h - does this network let the host's resolver validate?
 * dnskey/dns_probe.h says how that is found out.
 */
#ifndef OE_DAEMON_VALIDATION_H
#define OE_DAEMON_VALIDATION_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/rng.h"

struct event_base;
struct validation;

struct validation_user {
	void *arg;
	void (*works)(void *arg);   /* all of them have shown it; the asking has ended */
	void (*done)(void *arg);    /* after what the loop has called */
};

/* Asks nothing yet. calls: as for dns_loop_new(). rng is borrowed, user is copied. IKE_E_NOMEM, IKE_E_IO. */
IKE_CHECKED enum ike_err validation_new(struct event_base *base, const struct ip_endpoint *resolver, int calls, const struct rng *rng,
					const struct validation_user *user, struct validation **out);
void validation_free(struct validation *v);     /* NULL is fine */

/* Ask every 3 s from now on, until it works or is no longer wanted. NULL is fine. */
void validation_watch(struct validation *v, bool wanted);

#endif
