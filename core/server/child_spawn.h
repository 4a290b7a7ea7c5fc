/* child_spawn.h -- the supervisor's two children: started by fork and exec, each with one end of a socket pair (child.h). */
#ifndef RP_CORE_SERVER_CHILD_SPAWN_H
#define RP_CORE_SERVER_CHILD_SPAWN_H

#include <sys/types.h>

#include "io/base/err.h"

enum child_kind {
	CHILD_SERVER,
	CHILD_AUTH,
	CHILD_COUNT
};

/* Started as root, the server is uid and gid from its first instruction on; the auth process becomes them by itself. *sock: our
 * end. */
RP_MUST_USE enum rp_err child_spawn(enum child_kind kind, uid_t uid, gid_t gid, pid_t *pid, int *sock);

#endif
