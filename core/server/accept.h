/* accept.h -- new connections: from a listening socket to a connection with its driver. */
#ifndef RP_CORE_SERVER_ACCEPT_H
#define RP_CORE_SERVER_ACCEPT_H

#include "core/server/shard.h"

struct net;

/* One that has come in on this socket. Owns net. */
void accept_connection(struct shard *shard, const struct config_listen *listen, struct net *net);

/* Accept on all listening sockets. listen: config->listen, good as long as any shard runs, as connections take it along; fds: in
 * its order, borrowed. */
RP_MUST_USE enum rp_err accept_start(struct shard *shard, const struct config_listen *listen, const int *fds);
void accept_stop(struct shard *shard);

#endif
