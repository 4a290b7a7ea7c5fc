#include "core/auth/authd_privilege.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void authd_privilege_shut(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef RP_SANITIZED
	/* The leak check looks into its own process this way. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static bool keep_one_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	data[0].permitted = data[0].effective = 1u << CAP_DAC_READ_SEARCH;
	return syscall(SYS_capset, &header, data) == 0;
}

enum rp_err authd_privilege_drop(uint32_t uid, uint32_t gid)
{
	if (geteuid() != 0 || uid == 0)
		return RP_OK;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
	    setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0 ||
	    !keep_one_capability())
		return RP_ERR_DENIED;
	authd_privilege_shut(); /* a change of user makes a process dumpable again */
	return RP_OK;
}
