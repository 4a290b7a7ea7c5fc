/* listeners.h -- the listening sockets: opened by the supervisor, used by every shard. */
#ifndef RP_CORE_SERVER_LISTENERS_H
#define RP_CORE_SERVER_LISTENERS_H

#include "core/server/config.h"

/* Open all of config->listen, in order (or take over what systemd passed for a name). TCP_NODELAY, so that every connection
 * has it. RP_ERR_BUSY and others: *reason says which, why and what to do. */
RP_MUST_USE enum rp_err listeners_open(
    const struct config *config, int fds[CONFIG_LISTEN_MAX], char *reason, size_t reason_size);

/* A unix socket at path, mode as given; a stale one is replaced, a live one is RP_ERR_BUSY. */
RP_MUST_USE enum rp_err listeners_open_unix(
    const char *path, unsigned mode, int *fd, char *reason, size_t reason_size);

#endif
