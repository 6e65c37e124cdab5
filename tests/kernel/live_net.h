/* live_net.h - two hosts, the wire between them, and datagrams to try it with. For live.c only.
 *
 * The namespaces client, server and wire are made by tests/lab; the wire is looked at where the client is plugged in.
 */
#ifndef OE_TESTS_KERNEL_LIVE_NET_H
#define OE_TESTS_KERNEL_LIVE_NET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

enum host { CLIENT, SERVER };
enum { SERVICE_PORT = 7000, TEXT_MAX = 65536 };

/* Enters the namespaces once, opens what is needed. False: not in the lab. */
bool net_open(void);
void net_close(void);
/* Sockets opened after this belong to the host. */
void net_enter(enum host host);
struct ip_addr net_addr(enum host host, enum ip_family family);

/* A datagram from host to the other one, from and to the ports; false: the kernel refused to send. */
bool net_send(enum host from, enum ip_family family, uint16_t sport, uint16_t dport);
/* Has the last one, sent by from, arrived at the service port (waits for a moment)? */
bool net_arrived(enum host from, enum ip_family family);
/* Service port to service port, and it arrived. */
bool net_reaches(enum host from, enum ip_family family);

/* Frames on the wire since the last call. */
struct wire {
	unsigned esp, esp_in_udp, neighbours, clear;
};
struct wire net_wire(void);

/* Run a shell command; false if it failed. */
bool net_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All SAs and policies of a host as `ip xfrm` prints them, with keys, without counters. */
const char *net_snapshot(enum host host, char to[TEXT_MAX]);

#endif
