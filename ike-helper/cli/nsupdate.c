#include "config.h"

#include "cli/nsupdate.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/text.h"

extern char **environ;

/* Two files in memory instead of pipes: nobody waits for anybody, and a program that ends early breaks nothing. */
enum oe_exit nsupdate_open(struct nsupdate *run)
{
	int fd = memfd_create("script", MFD_CLOEXEC);

	run->script = fd >= 0 ? fdopen(fd, "w+") : NULL;
	if (run->script)
		return OE_OK;
	if (fd >= 0)
		close(fd);
	return oe_error(OE_FAILED, "out of memory");
}

static int spawn(int script, int said, const char *tsig, pid_t *pid)
{
	/* Seconds in all, and for a datagram: the server may be on the other side of the earth, and a person waits. */
	char *const with_key[] = { (char[]){ "nsupdate" }, (char[]){ "-t" }, (char[]){ "12" }, (char[]){ "-u" }, (char[]){ "3" },
				   (char[]){ "-k" }, (char *)(uintptr_t)tsig, NULL };
	char *const without[] = { with_key[0], with_key[1], with_key[2], with_key[3], with_key[4], NULL };
	posix_spawn_file_actions_t files;
	int error = posix_spawn_file_actions_init(&files);

	if (error != 0)
		return error;
	error = posix_spawn_file_actions_adddup2(&files, script, STDIN_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&files, said, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&files, said, STDERR_FILENO);
	if (error == 0)
		error = posix_spawnp(pid, "nsupdate", &files, NULL, tsig ? with_key : without, environ);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* What the person has to know of what nsupdate has said. */
static const char *explain(const char *said)
{
	if (strstr(said, "YXRRSET") || strstr(said, "NXRRSET"))
		return "the records of the name have changed meanwhile: try again";
	if (strstr(said, "REFUSED"))
		return "the server refuses: it does not take updates of this zone, or not with this TSIG key (--tsig)";
	if (strstr(said, "NOTAUTH"))
		return "the server does not know the TSIG key (--tsig), or has another secret or time for it, or the zone is not its own";
	if (strstr(said, "NOTZONE") || strstr(said, "NOTIMP"))
		return "the server does not take updates of this zone";
	return said[0] != '\0' ? said : "nsupdate failed, and does not say why";
}

static enum oe_exit tell(FILE *said, const char *failed)
{
	char text[512], safe[TEXT_SAFE_MAX];
	size_t n;

	rewind(said);
	n = fread(text, 1, sizeof text - 1, said);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\n' || text[i] == '\t')
			text[i] = ' ';
	return oe_error(OE_FAILED, "%s: %s", failed, text_safe(explain(text), safe));
}

static enum oe_exit run_with(FILE *script, FILE *said, const char *tsig, const char *failed)
{
	int error, status = -1;
	pid_t pid;

	if (fflush(script) != 0 || fseek(script, 0, SEEK_SET) != 0 || lseek(fileno(script), 0, SEEK_SET) != 0)
		return oe_error(OE_FAILED, "out of memory");
	error = spawn(fileno(script), fileno(said), tsig, &pid);
	if (error == ENOENT)
		return oe_error(OE_FAILED, "nsupdate is not there, which sends DNS updates: install bind9-dnsutils (Debian), bind-utils "
					   "(Fedora), or have --dry-run print what somebody else can give to it");
	if (error != 0)
		return oe_error(OE_FAILED, "nsupdate: %s", strerror(error));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? OE_OK : tell(said, failed);
}

enum oe_exit nsupdate_run(struct nsupdate *run, const char *tsig, const char *failed)
{
	struct nsupdate said;
	enum oe_exit status = nsupdate_open(&said);

	if (status == OE_OK) {
		status = run_with(run->script, said.script, tsig, failed);
		fclose(said.script);
	}
	fclose(run->script);
	return status;
}
