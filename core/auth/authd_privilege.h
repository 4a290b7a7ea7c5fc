/* authd_privilege.h -- what the auth process gives up at its start. */
#ifndef RP_CORE_AUTH_AUTHD_PRIVILEGE_H
#define RP_CORE_AUTH_AUTHD_PRIVILEGE_H

#include <stdint.h>

#include "io/base/err.h"

/* Nobody may look into this process, neither by ptrace nor in a core file: it has passwords in
 * memory, and the server runs as the same user. And no program it starts may gain anything. */
void authd_privilege_shut(void);

/* Root becomes this user and group for good and keeps one capability, CAP_DAC_READ_SEARCH: the
 * passwd-file may be root's alone, and is read again whenever it changes. Not started as root, or
 * uid 0: nothing is done. Before the first thread. RP_ERR_DENIED: it did not work; the process must
 * end. */
RP_MUST_USE enum rp_err authd_privilege_drop(uint32_t uid, uint32_t gid);

#endif
