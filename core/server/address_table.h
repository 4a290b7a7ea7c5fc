/* address_table.h -- what each address is doing that is not logged in: connections, and the delay for failed logins.
 *
 * The books of an address (IPv6: of its /64), and of its network (IPv4: its /24, IPv6: its /64), lie on the shard that the network
 * hashes to; others ask by one shard_call.
 */
#ifndef RP_CORE_SERVER_ADDRESS_TABLE_H
#define RP_CORE_SERVER_ADDRESS_TABLE_H

#include "io/base/hash.h"
#include "io/net.h"
#include "io/task.h"

struct address_table;
struct shard_group;

/* NULL: no memory. */
struct address_table *address_table_open(struct hash_key key, uint64_t connections_max, uint64_t network_max);
void address_table_close(struct address_table *table);

/* Who is there already stays. */
void address_table_set_max(struct address_table *table, uint64_t connections_max, uint64_t network_max);

/* The shard that keeps an address's books. */
unsigned address_table_shard(const struct net_address *address, unsigned shards_count);

/* On that shard. join: one more connection; RP_ERR_LIMIT: there are too many
 * of the address, or of its network. */
RP_MUST_USE enum rp_err address_table_join(struct address_table *table, const struct net_address *address);
void address_table_leave(struct address_table *table, const struct net_address *address);

/* How long the answer to its next failed login is held back; failed: it has just failed once more. */
uint64_t address_table_delay_ns(
    struct address_table *table, const struct net_address *address, uint64_t now_ns, bool failed);

#endif
