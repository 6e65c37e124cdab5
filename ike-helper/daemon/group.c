#include "config.h"

#include "daemon/group.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

struct found {
	uid_t uid;
	gid_t gid;
};

static bool look_up_group(const char *name, struct found *out)
{
	const struct group *group = getgrnam(name);

	if (group)
		out->gid = group->gr_gid;
	return group != NULL;
}

static bool look_up_user(const char *name, struct found *out)
{
	const struct passwd *user = getpwnam(name);

	if (user)
		*out = (struct found){ .uid = user->pw_uid, .gid = user->pw_gid };
	return user != NULL;
}

typedef bool look_up(const char *name, struct found *out);

static void answer_and_exit(look_up *how, const char *name, int to)
{
	struct found found = { .uid = (uid_t)-1 };
	bool written = how(name, &found) && write(to, &found, sizeof found) == (ssize_t)sizeof found;

	_exit(written ? 0 : 1);
}

static enum ike_err ask(look_up *how, const char *name, struct found *out)
{
	int ends[2];
	pid_t child;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return IKE_E_IO;
	child = fork();
	if (child == 0)
		answer_and_exit(how, name, ends[1]);
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

enum ike_err group_find(const char *name, gid_t *out)
{
	struct found found = { .gid = (gid_t)-1 };
	enum ike_err err = ask(look_up_group, name, &found);

	*out = err == IKE_OK ? found.gid : (gid_t)-1;
	return err;
}

enum ike_err user_find(const char *name, uid_t *uid, gid_t *gid)
{
	struct found found = { .gid = (gid_t)-1 };
	enum ike_err err = ask(look_up_user, name, &found);

	*uid = err == IKE_OK ? found.uid : (uid_t)-1;
	*gid = err == IKE_OK ? found.gid : (gid_t)-1;
	return err;
}
