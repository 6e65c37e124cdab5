/* xfrm_events.h - what XFRM tells unasked: acquires and expiries, on a socket of their own. */
#ifndef OE_KERNEL_XFRM_EVENTS_H
#define OE_KERNEL_XFRM_EVENTS_H

#include <netlink/netlink.h>

#include "kernel/kernel_impl.h"

IKE_CHECKED enum ike_err xfrm_events_open(struct nl_sock **out, const char **why);
void xfrm_events_close(struct nl_sock *sock);
/* As kernel_next_event(). */
bool xfrm_events_next(struct nl_sock *sock, struct kernel_event *out);

/* News of other people's policies, read only when somebody wants to know: did any come, change or go since the last
 * call? */
IKE_CHECKED enum ike_err xfrm_watch_open(struct nl_sock **out, const char **why);
bool xfrm_watch_changed(struct nl_sock *sock);

/* News of what others delete, and of orphans that have expired. own_port: of the socket by which we delete. */
IKE_CHECKED enum ike_err xfrm_guard_open(uint32_t own_port, struct nl_sock **out, const char **why);
/* Adds to *out what has come. */
void xfrm_guard_read(struct nl_sock *sock, struct kernel_lost *out);

#endif
