/* slept.c - preloaded into oe-iked (LD_PRELOAD): the machine has slept. In a sleep CLOCK_BOOTTIME goes on and CLOCK_MONOTONIC does not,
 * and from the two oe-iked knows how long it was. Here the second one lags by as many seconds as the file that OE_SLEPT names says.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long slept_s(void)
{
	const char *path = getenv("OE_SLEPT");
	FILE *f = path ? fopen(path, "re") : NULL;
	long seconds = 0;

	if (f && fscanf(f, "%ld", &seconds) != 1)
		seconds = 0;
	if (f)
		fclose(f);
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
