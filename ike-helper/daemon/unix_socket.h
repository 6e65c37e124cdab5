/* unix_socket.h - a listening socket in the file system, and who is at the other end. */
#ifndef OE_DAEMON_UNIX_SOCKET_H
#define OE_DAEMON_UNIX_SOCKET_H

#include <sys/types.h>

#include "base/err.h"

enum { UNIX_ERROR_MAX = 256, UNIX_PEER_TEXT_MAX = 64 };

/* Make the folder (one level) if it is missing, remove a socket on which nobody listens any more,
 * and listen. The file gets mode 0660 for group, or 0600 when group is (gid_t)-1. type: SOCK_STREAM
 * or SOCK_SEQPACKET. The descriptor does not block. IKE_E_CONFLICT: somebody listens there, or the
 * file is something else. IKE_E_IO: anything else. Both: *error is a whole sentence for people;
 * stop. */
IKE_CHECKED enum ike_err unix_listen(const char *path, int type, gid_t group, int *out,
				     char error[UNIX_ERROR_MAX]);

/* The next connection, not blocking; -1 when there is none. */
int unix_accept(int listener);

/* "pid 12, uid 0" of the other end of a connection; returns to. */
const char *unix_peer_text(int connection, char to[UNIX_PEER_TEXT_MAX]);

#endif
