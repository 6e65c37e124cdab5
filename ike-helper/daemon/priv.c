#include "config.h"

#include "daemon/priv.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum ike_err priv_seal(void)
{
	const struct rlimit none = { 0, 0 };

	(void)umask(077);
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return IKE_E_IO;
#ifndef __SANITIZE_ADDRESS__    /* its leak checker is a debugger of the same user */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return IKE_E_IO;
#endif
	return IKE_OK;
}

/* The bounding set limits what an exec could get back. EPERM: without CAP_SETPCAP there is nothing
 * to get back as no_new_privs holds. */
void priv_bound(uint32_t keep)
{
	int capability;

	for (capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (capability >= 32 || !(keep >> capability & 1))
			(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

enum ike_err priv_drop(const struct log *log, uint32_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		goto fail;
	if (syscall(SYS_capget, &header, sets) != 0)
		goto fail;
	keep &= sets[0].permitted;
	priv_bound(keep);
	memset(sets, 0, sizeof sets);
	sets[0].permitted = sets[0].effective = keep;
	if (syscall(SYS_capset, &header, sets) != 0)
		goto fail;
	log_debug(log, "capabilities: %08x", keep);
	return IKE_OK;
fail:
	log_error(log, "cannot give up privileges: %s", strerror(errno));
	return IKE_E_IO;
}
