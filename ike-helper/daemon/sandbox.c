#include "config.h"

#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/group.h"
#include "daemon/priv.h"

enum ike_err sandbox_find(struct sandbox *out)
{
	static const char *const names[] = { "unbound-oe", "nobody" };
	enum ike_err err = IKE_E_STATE;

	*out = (struct sandbox){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (geteuid() != 0)
		return IKE_OK;
	for (unsigned i = 0; err == IKE_E_STATE && i < sizeof names / sizeof *names; i++)
		err = user_find(names[i], &out->uid, &out->gid);
	return err;
}

#define TMP "/tmp/"

/* A folder that is gone again: nothing is in it, and nothing can be made in it. Removed from outside of it and when it is the root
 * already, since hostfs (User-Mode Linux) cannot enter one that is gone. */
static bool enter_nowhere(void)
{
	char path[] = TMP "oe-iked.XXXXXX";
	int outside = open(TMP, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool entered, removed = false;

	if (outside < 0)
		return false;
	if (mkdtemp(path)) {
		entered = chdir(path) == 0 && chroot(".") == 0;
		removed = unlinkat(outside, path + strlen(TMP), AT_REMOVEDIR) == 0 && entered;
	}
	close(outside);
	return removed;
}

static bool become_nobody(const struct sandbox *s)
{
	priv_bound(PRIV_NONE);
	return setgroups(0, NULL) == 0 && setresgid(s->gid, s->gid, s->gid) == 0 && setresuid(s->uid, s->uid, s->uid) == 0;
}

/* System calls ---------------------------------------------------------------------------------------------------------- */

/* What the loop, the allocator and the libraries do when all is open. */
static const int allowed[] = {
	SCMP_SYS(accept4), SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(close), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(futex),
	SCMP_SYS(getpeername), SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday), SCMP_SYS(ioctl), SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap),
	SCMP_SYS(munmap), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_yield), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(sigaltstack),
	SCMP_SYS(time), SCMP_SYS(timerfd_settime), SCMP_SYS(write), SCMP_SYS(writev),
#ifdef __SANITIZE_ADDRESS__     /* whose leak checker is a process that looks into this one */
	SCMP_SYS(clone), SCMP_SYS(dup), SCMP_SYS(getppid), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(prctl),
	SCMP_SYS(prlimit64), SCMP_SYS(process_vm_readv), SCMP_SYS(ptrace), SCMP_SYS(readlink), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(set_robust_list), SCMP_SYS(tgkill), SCMP_SYS(wait4),
#endif
};

#ifndef __SANITIZE_ADDRESS__
/* Nobody does these by mistake: whoever tries is ended, and the whole program with him. */
static const int fatal[] = {
	SCMP_SYS(bpf), SCMP_SYS(capset), SCMP_SYS(chroot), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(keyctl), SCMP_SYS(kexec_load), SCMP_SYS(mount), SCMP_SYS(perf_event_open),
	SCMP_SYS(pivot_root), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(ptrace), SCMP_SYS(setns), SCMP_SYS(unshare),
	SCMP_SYS(vfork),
};
#else
static const int fatal[] = { SCMP_SYS(execve) };
#endif

static int add_rules(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < sizeof allowed / sizeof *allowed; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; err == 0 && i < sizeof fatal / sizeof *fatal; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, fatal[i], 0);
	/* Data in a SYN (RFC 7413) would connect a TCP socket, whose connection to the resolver has ended, to anybody. */
	if (err == 0)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	if (err == 0)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	return err;
}

/* What is not in the list fails with EPERM. 0, or a negative errno. */
static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? add_rules(filter) : -ENOMEM;

	if (err == 0)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

enum ike_err sandbox_enter(const struct sandbox *s, const struct log *log)
{
	int err;

	if (s->uid != (uid_t)-1 && (!enter_nowhere() || !become_nobody(s))) {
		log_error(log, "cannot give up root: %s", strerror(errno));
		return IKE_E_IO;
	}
	/* A change of the user takes these back: no core dumps, no debugger, the end together with the keeper. */
	if (priv_seal() != IKE_OK || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || priv_drop(log, PRIV_NONE) != IKE_OK)
		return IKE_E_IO;
	err = filter_calls();
	/* EINVAL: this kernel cannot, nor can valgrind's. */
	if (err == -EINVAL)
		log_info(log, "system calls are not filtered: the kernel has no CONFIG_SECCOMP_FILTER");
	else if (err != 0)
		log_error(log, "cannot filter system calls: %s", strerror(-err));
	return err == 0 || err == -EINVAL ? IKE_OK : IKE_E_IO;
}
