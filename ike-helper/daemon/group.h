/* group.h - the numbers of groups and users. */
#ifndef OE_DAEMON_GROUP_H
#define OE_DAEMON_GROUP_H

#include <sys/types.h>

#include "base/err.h"

/* Asked of the name service in a child that ends at once: its modules are other people's code
 * (LDAP, systemd), which would stay in this process for good. IKE_E_STATE: no such group. IKE_E_IO:
 * cannot ask. */
IKE_CHECKED enum ike_err group_find(const char *name, gid_t *out);
/* Likewise, with the user's own group. */
IKE_CHECKED enum ike_err user_find(const char *name, uid_t *uid, gid_t *gid);

#endif
