#include "config.h"

#include "daemon/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parent waits at the other end; -1 in the foreground. Process state, as the standard
 * descriptors are. */
static int parent = -1;

static void wait_for_child(int pipe_end, pid_t child)
{
	int status;
	char word;
	ssize_t n;

	do {
		n = read(pipe_end, &word, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

enum ike_err startup_failed(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "oe-iked: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return IKE_E_IO;
}

enum ike_err startup_background(void)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return IKE_E_IO;
	child = fork();
	if (child < 0) {
		close(ends[0]);
		close(ends[1]);
		return IKE_E_IO;
	}
	if (child > 0) {
		close(ends[1]);
		wait_for_child(ends[0], child);
	}
	close(ends[0]);
	parent = ends[1];
	if (setsid() < 0 || chdir("/") != 0)
		return IKE_E_IO;
	return IKE_OK;
}

static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n == 0 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* If nobody hears it, the service manager says so after its own time limit. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

static void leave_standard_descriptors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		close(null);
	}
}

void startup_detach(void)
{
	if (parent < 0)
		return;
	leave_standard_descriptors();
	close(parent);
	parent = -1;
}

void startup_ready(void)
{
	notify("READY=1");
	if (parent < 0)
		return;
	leave_standard_descriptors();
	(void)!write(parent, "", 1);
	close(parent);
	parent = -1;
}

void startup_stopping(void)
{
	notify("STOPPING=1");
}

/* Then what is in memory is not what is in the file. */
static bool has_text_relocations(const ElfW(Dyn) *entry)
{
	for (; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
			return true;
	return false;
}

static int trim_file(struct dl_phdr_info *file, size_t size, void *arg)
{
	const uintptr_t page = *(const uintptr_t *)arg;

	(void)size;
	for (unsigned i = 0; i < file->dlpi_phnum; i++)
		if (file->dlpi_phdr[i].p_type == PT_DYNAMIC &&
		    has_text_relocations((const void *)(file->dlpi_addr + file->dlpi_phdr[i].p_vaddr)))
			return 0;
	for (unsigned i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &file->dlpi_phdr[i];
		uintptr_t first = file->dlpi_addr + part->p_vaddr, end = first + part->p_memsz;

		first -= first % page;
		/* Where it is refused nothing is lost. */
		if (part->p_type == PT_LOAD && part->p_flags == PF_R)
			(void)madvise((void *)first, end - first, MADV_DONTNEED);
	}
	return 0;
}

void startup_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(trim_file, &page);
}
