/* lmtp_drive.h -- LMTP on a connection: the lmtp machine's bytes, and its deliveries to the users' home shards. */
#ifndef RP_CORE_SERVER_LMTP_DRIVE_H
#define RP_CORE_SERVER_LMTP_DRIVE_H

#include "core/server/conn.h"

struct lmtp_drive;

extern const struct conn_driver drive_lmtp;

/* State for conn_open(). NULL: no memory. */
struct lmtp_drive *lmtp_drive_new(struct shard *shard);
void lmtp_drive_free(struct lmtp_drive *drive);

#endif
