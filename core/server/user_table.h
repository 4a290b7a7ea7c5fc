/* user_table.h -- how many connections each user has from each address, on his home shard. */
#ifndef RP_CORE_SERVER_USER_TABLE_H
#define RP_CORE_SERVER_USER_TABLE_H

#include "io/base/hash.h"
#include "io/base/userid.h"
#include "io/net.h"

struct user_table;

/* NULL: no memory. */
struct user_table *user_table_open(struct hash_key key);
void user_table_close(struct user_table *table);

/* One more connection. RP_ERR_LIMIT: he has count_max of them from there. */
RP_MUST_USE enum rp_err user_table_join(
    struct user_table *table, const struct userid *userid, const struct net_address *peer, uint64_t count_max);
void user_table_leave(struct user_table *table, const struct userid *userid, const struct net_address *peer);

#endif
