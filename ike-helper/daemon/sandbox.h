/* sandbox.h - what a process that parses what strangers send is left with. */
#ifndef OE_DAEMON_SANDBOX_H
#define OE_DAEMON_SANDBOX_H

#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"

/* Looked up before the start divides, while files can be read. */
struct sandbox {
	uid_t uid;                      /* (uid_t)-1: stay who we are, who is not root */
	gid_t gid;
};

/* The user "unbound-oe", or "nobody" if there is none; nobody else if this is not root. IKE_E_STATE: root, and no such user.
 * IKE_E_IO: cannot ask. */
IKE_CHECKED enum ike_err sandbox_find(struct sandbox *out);

/* Where there is nothing to see, as somebody who owns nothing, without capabilities, and with the system calls alone that the loop
 * needs; no socket can be made or connected.
 * A process that was not started as root keeps its user and its root folder. IKE_E_IO: logged; do not go on. */
IKE_CHECKED enum ike_err sandbox_enter(const struct sandbox *s, const struct log *log);

#endif
