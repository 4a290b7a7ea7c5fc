/* admin_stats.h -- a shard's counters as JSON. */
#ifndef RP_CORE_SERVER_ADMIN_STATS_H
#define RP_CORE_SERVER_ADMIN_STATS_H

#include <jansson.h>

#include "core/server/shard.h"

/* A new reference; NULL: no memory. */
json_t *admin_stats_json(const struct shard_stats *stats);

#endif
