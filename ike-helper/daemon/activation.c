#include "config.h"

#include "daemon/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST = 3 };                     /* SD_LISTEN_FDS_START */
#define NAME "resolver"                 /* FileDescriptorName= of system/oe-iked.socket */

static bool number_is(const char *text, long wanted)
{
	char *end;

	return text[0] >= '0' && text[0] <= '9' && strtol(text, &end, 10) == wanted && *end == '\0';
}

static bool socket_is(int fd, int option, int wanted)
{
	int value;
	socklen_t n = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 && value == wanted;
}

static bool path_is(int fd, const char *path, char found[static sizeof((struct sockaddr_un *)0)->sun_path + 1])
{
	struct sockaddr_un address = { 0 };
	socklen_t n = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &n) != 0)
		return false;
	memcpy(found, address.sun_path, sizeof address.sun_path);
	found[sizeof address.sun_path] = '\0';
	return strcmp(found, path) == 0;
}

static enum ike_err check(int fd, const char *path, char *error)
{
	char found[sizeof((struct sockaddr_un *)0)->sun_path + 1] = "";

	if (!socket_is(fd, SO_DOMAIN, AF_UNIX) || !socket_is(fd, SO_TYPE, SOCK_SEQPACKET) || !socket_is(fd, SO_ACCEPTCONN, 1)) {
		snprintf(error, ACTIVATION_ERROR_MAX,
			 "what the service manager passes is no listening Unix socket of type SOCK_SEQPACKET; in oe-iked.socket write "
			 "ListenSequentialPacket=%s and Accept=no", path);
		return IKE_E_CONFIG;
	}
	if (!path_is(fd, path, found)) {
		snprintf(error, ACTIVATION_ERROR_MAX,
			 "resolver-socket is %s, but the service manager passes %s: write ListenSequentialPacket= and below it "
			 "ListenSequentialPacket=%s by \"systemctl edit oe-iked.socket\", or leave resolver-socket as it is by default",
			 path, found, path);
		return IKE_E_CONFIG;
	}
	return IKE_OK;
}

enum ike_err activation_take(const char *path, int *out, char error[ACTIVATION_ERROR_MAX])
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	int flags;

	*out = -1;
	if (!pid || !n || !number_is(pid, getpid()) || number_is(n, 0))
		return IKE_OK;
	if (!number_is(n, 1) || (names && strcmp(names, NAME) != 0)) {
		snprintf(error, ACTIVATION_ERROR_MAX,
			 "the service manager passes %s sockets, named \"%s\"; one is expected, \"" NAME "\": oe-iked.socket has one "
			 "ListenSequentialPacket= and FileDescriptorName=" NAME ", and no other unit has Service=oe-iked.service",
			 n, names ? names : "");
		return IKE_E_CONFIG;
	}
	if (check(FIRST, path, error) != IKE_OK)
		return IKE_E_CONFIG;
	flags = fcntl(FIRST, F_GETFL);
	if (flags < 0 || fcntl(FIRST, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(FIRST, F_SETFD, FD_CLOEXEC) != 0) {
		snprintf(error, ACTIVATION_ERROR_MAX, "the socket that the service manager passes: %s", strerror(errno));
		return IKE_E_CONFIG;
	}
	*out = FIRST;
	return IKE_OK;
}
