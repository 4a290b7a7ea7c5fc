/* sandbox.h -- what the server gives up before its first thread and ring (DESIGN section 6).
 *
 * From then on: no file but those below DATA and the commit logs, no new sockets or programs, no system call that it does not
 * need. Landlock holds for ring operations too; seccomp does not see them, so each ring is restricted by itself (io/loop), and,
 * when all are made, there are no more: sandbox_tighten().
 */
#ifndef RP_CORE_SERVER_SANDBOX_H
#define RP_CORE_SERVER_SANDBOX_H

#include "io/base/err.h"

struct sandbox_settings {
	int data_fd; /* folders, borrowed */
	int commit_fd;
};

/* RP_OK: as far as this kernel can; *reason (static) says what could not be had, "" if nothing. Other: do not go on. */
RP_MUST_USE enum rp_err sandbox_enter(const struct sandbox_settings *settings, const char **reason);

/* All threads and rings are there: for all threads, no more of either, nor a process; no memory to run code from; nothing
 * that reaches another process. What it returns and says is as above. */
RP_MUST_USE enum rp_err sandbox_tighten(const char **reason);

#endif
