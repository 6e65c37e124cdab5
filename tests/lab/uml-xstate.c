/*
 * uml-xstate: let User-Mode Linux 6.1 run on processors with a large XSAVE area (Intel AMX).
 *
 * UML restores the floating point registers of its processes with ptrace(PTRACE_SETREGSET, NT_X86_XSTATE)
 * from a buffer of 2696 bytes, as long as the area was before AMX. The host's kernel takes the whole area or
 * nothing: where it is longer (11008 bytes with AMX) every restore fails with EFAULT and UML dies with "ptrace
 * set fp regs failed, errno = 14". This library, preloaded into UML alone, lengthens the buffer. The guest
 * cannot use the state components that UML does not know (AMX needs an arch_prctl that UML does not pass on),
 * so they are always in their initial state.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

/* Intel SDM volume 1, 13.4: a legacy area of 512 bytes, then the header, which begins with XSTATE_BV. */
#define XSTATE_BV_AT 512
#define XSTATE_MIN (512 + 64)
#define XSTATE_COMPONENTS 63

static unsigned char area[64 * 1024];
static size_t area_n;		/* length of the host's area in standard form; 0 before the first call */
static uint64_t known;		/* the state components that lie within the caller's buffer */
static size_t known_for;

static void measure(size_t have)
{
	unsigned int a, b, c, d, i;

	if (have == known_for)
		return;
	__cpuid_count(0xd, 0, a, b, c, d);
	area_n = b;
	known = 3;		/* x87 and SSE: the legacy area */
	for (i = 2; i < XSTATE_COMPONENTS; i++) {
		__cpuid_count(0xd, i, a, b, c, d);
		if (a != 0 && !(c & 1) && (size_t)a + b <= have)
			known |= UINT64_C(1) << i;
	}
	known_for = have;
}

static long set_xstate(long (*real)(int, ...), pid_t pid, const struct iovec *iov)
{
	struct iovec longer;
	uint64_t in_use;

	if (iov->iov_len < XSTATE_MIN)
		return real(PTRACE_SETREGSET, pid, NT_X86_XSTATE, iov);
	measure(iov->iov_len);
	if (iov->iov_len >= area_n || area_n > sizeof(area))
		return real(PTRACE_SETREGSET, pid, NT_X86_XSTATE, iov);
	memcpy(area, iov->iov_base, iov->iov_len);
	memset(area + iov->iov_len, 0, area_n - iov->iov_len);
	memcpy(&in_use, area + XSTATE_BV_AT, sizeof(in_use));
	in_use &= known;
	memcpy(area + XSTATE_BV_AT, &in_use, sizeof(in_use));
	longer.iov_base = area;
	longer.iov_len = area_n;
	return real(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &longer);
}

long ptrace(enum __ptrace_request request, ...)
{
	static long (*real)(int, ...);
	va_list ap;
	pid_t pid;
	void *addr, *data;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "ptrace");
	if (request == PTRACE_SETREGSET && (uintptr_t)addr == NT_X86_XSTATE)
		return set_xstate(real, pid, data);
	return real((int)request, pid, addr, data);
}
