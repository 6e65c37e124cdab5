/* dns_channel.h - one c-ares channel to one resolver, as oe-iked and oe ask it: over UDP, and over TCP when the answer is cut; an
 * error is an answer, to be told; no search list, no file, no other server.
 */
#ifndef OE_DAEMON_DNS_CHANNEL_H
#define OE_DAEMON_DNS_CHANNEL_H

#include <ares.h>
#include <stdbool.h>

#include "base/addr.h"

enum {
	/* 0.5 s, then c-ares waits longer each time: less than 4 s in all. */
	DNS_TIMEOUT_MS = 500, DNS_TRIES = 3,
};

/* interest: as c-ares' sock_state_cb, with arg; NULL: the caller asks for descriptors himself. ares_library_init() has been called.
 * False: *out is NULL. */
bool dns_channel_open(const struct ip_endpoint *resolver, ares_sock_state_cb interest, void *arg, ares_channel *out);

#endif
