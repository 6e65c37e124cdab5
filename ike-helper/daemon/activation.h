/* activation.h - the resolver's socket as a service manager passes it (sd_listen_fds(3), systemd.socket(5)).
 *
 * Who makes the socket before us, and keeps it while we are started anew, has Unbound's questions wait in it meanwhile.
 */
#ifndef OE_DAEMON_ACTIVATION_H
#define OE_DAEMON_ACTIVATION_H

#include "base/err.h"

enum { ACTIVATION_ERROR_MAX = 512 };

/* By LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; call it before this process forks. *out: it listens, does not block, and is closed by
 * execve(); -1 when none was passed to this process. IKE_E_CONFIG: what was passed is not one listening socket of that kind under
 * path, and *error says what is to be changed; stop. */
IKE_CHECKED enum ike_err activation_take(const char *path, int *out, char error[ACTIVATION_ERROR_MAX]);

#endif
