/* listeners.h -- the listening sockets: opened by the supervisor, used by every shard. */
#ifndef RP_CORE_SERVER_LISTENERS_H
#define RP_CORE_SERVER_LISTENERS_H

#include <sys/types.h>

#include "core/server/config.h"

/* Open all of config->listen, in order (or take over what systemd passed for a name). TCP_NODELAY, so that every connection
 * has it. RP_ERR_BUSY and others: *reason says which, why and what to do. */
RP_MUST_USE enum rp_err listeners_open(
    const struct config *config, int fds[CONFIG_LISTEN_MAX], char *reason, size_t reason_size);

/* A unix socket at path, mode as given. A socket that nobody listens on any more is replaced; one that somebody does is
 * RP_ERR_BUSY; what is no socket stays, RP_ERR_EXISTS. */
RP_MUST_USE enum rp_err listeners_open_unix(
    const char *path, unsigned mode, int *fd, char *reason, size_t reason_size);

/* The same, and it belongs to somebody. His folder is trusted no more than he is: root follows no link there. */
RP_MUST_USE enum rp_err listeners_open_owned(const char *path, unsigned mode, uid_t uid, gid_t gid,
    int *fd, char *reason, size_t reason_size);

#endif
