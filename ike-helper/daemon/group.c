#include "config.h"

#include "daemon/group.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer_and_exit(const char *name, int to)
{
	const struct group *group = getgrnam(name);
	const size_t n = sizeof group->gr_gid;
	bool written = group && write(to, &group->gr_gid, n) == (ssize_t)n;

	_exit(written ? 0 : 1);
}

enum ike_err group_find(const char *name, gid_t *out)
{
	int ends[2];
	pid_t child;
	ssize_t n;

	*out = (gid_t)-1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return IKE_E_IO;
	child = fork();
	if (child == 0)
		answer_and_exit(name, ends[1]);
	close(ends[1]);
	do {
		n = child > 0 ? read(ends[0], out, sizeof *out) : -1;
	} while (n < 0 && errno == EINTR);
	close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (child < 0)
		return IKE_E_IO;
	return n == (ssize_t)sizeof *out ? IKE_OK : IKE_E_STATE;
}
