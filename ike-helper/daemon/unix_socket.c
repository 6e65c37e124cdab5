#include "config.h"

#include "daemon/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return address;
}

/* Nobody listens: the kernel says so at once. Anything but ECONNREFUSED (a full queue, another type
 * of socket) is a sign of life. */
static bool is_stale(const struct sockaddr_un *address, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static enum ike_err clear_the_way(const char *path, const struct sockaddr_un *address, int type,
				  char *error)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return IKE_OK;  /* bind() says what is wrong, if anything is */
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, UNIX_ERROR_MAX,
			 "%s exists and is not a socket; move it away or choose another path",
			 path);
		return IKE_E_CONFLICT;
	}
	if (!is_stale(address, type)) {
		snprintf(error, UNIX_ERROR_MAX,
			 "somebody listens on %s already; is another oe-iked running?", path);
		return IKE_E_CONFLICT;
	}
	(void)unlink(path);
	return IKE_OK;
}

static void make_folder(const char *path)
{
	char folder[sizeof((struct sockaddr_un *)0)->sun_path];
	char *slash;

	snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = '\0';
	/* If this fails, bind() fails too and its errno tells. */
	(void)mkdir(folder, 0755);
}

static bool bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	bool good = bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;

	(void)umask(before);
	return good;
}

enum ike_err unix_listen(const char *path, int type, gid_t group, int *out,
			 char error[UNIX_ERROR_MAX])
{
	struct sockaddr_un address = address_of(path);
	enum ike_err err;
	int fd;

	*out = -1;
	err = clear_the_way(path, &address, type, error);
	if (err != IKE_OK)
		return err;
	make_folder(path);
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || !bind_private(fd, &address)) {
		snprintf(error, UNIX_ERROR_MAX, "cannot make the socket %s: %s", path,
			 strerror(errno));
		goto fail;
	}
	if (group != (gid_t)-1 && (chown(path, (uid_t)-1, group) != 0 || chmod(path, 0660) != 0)) {
		snprintf(error, UNIX_ERROR_MAX, "cannot give the socket %s to its group: %s", path,
			 strerror(errno));
		goto fail_bound;
	}
	if (listen(fd, 64) != 0) {
		snprintf(error, UNIX_ERROR_MAX, "cannot listen on %s: %s", path, strerror(errno));
		goto fail_bound;
	}
	*out = fd;
	return IKE_OK;
fail_bound:
	(void)unlink(path);
fail:
	if (fd >= 0)
		close(fd);
	return IKE_E_IO;
}

int unix_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

const char *unix_peer_text(int connection, char to[UNIX_PEER_TEXT_MAX])
{
	struct ucred peer;
	socklen_t n = sizeof peer;

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		snprintf(to, UNIX_PEER_TEXT_MAX, "unknown peer");
	else
		snprintf(to, UNIX_PEER_TEXT_MAX, "pid %ld, uid %lu", (long)peer.pid,
			 (unsigned long)peer.uid);
	return to;
}
