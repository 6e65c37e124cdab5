/* slept.c - preloaded into oe-iked (LD_PRELOAD): the machine has slept. In a sleep CLOCK_BOOTTIME goes on and CLOCK_MONOTONIC does not,
 * and from the two oe-iked knows how long it was. Here the second one lags by as many seconds as the file that OE_SLEPT names says. It
 * is mapped at the start, since oe-iked can open no file later, has one digit at least, and changes only while oe-iked stands still.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS_MAX = 20 };

static const char *said;

__attribute__((constructor)) static void map_file(void)
{
	const char *path = getenv("OE_SLEPT");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd >= 0 ? mmap(NULL, DIGITS_MAX, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (at != MAP_FAILED)
		said = at;
	if (fd >= 0)
		close(fd);
}

static long slept_s(void)
{
	long seconds = 0;

	for (const char *p = said; p && *p >= '0' && *p <= '9'; p++)
		seconds = 10 * seconds + (*p - '0');
	return seconds;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *out)
{
	static int (*next)(clockid_t, struct timespec *);
	int failed;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
	failed = next(clock, out);
	if (!failed && clock == CLOCK_MONOTONIC)
		out->tv_sec -= slept_s();
	return failed;
}
