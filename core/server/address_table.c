#include "core/server/address_table.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/auth/auth_delay.h"
#include "io/base/num.h"

struct address_entry {
	struct hash_link link;
	uint8_t ip[16];
	uint64_t count;
};

struct address_table {
	struct hash hash;
	uint64_t connections_max;
	uint64_t network_max;
	struct auth_delay delay;
};

struct address_table *address_table_open(struct hash_key key, uint64_t connections_max, uint64_t network_max)
{
	struct address_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	hash_init(&table->hash, key);
	auth_delay_init(&table->delay, key);
	address_table_set_max(table, connections_max, network_max);
	return table;
}

void address_table_set_max(struct address_table *table, uint64_t connections_max, uint64_t network_max)
{
	table->connections_max = connections_max;
	table->network_max = network_max;
}

void address_table_close(struct address_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->hash.slots_count; i++) {
		for (struct hash_link *l = table->hash.slots[i], *next; l != NULL; l = next) {
			next = l->next;
			free(RP_CONTAINER_OF(l, struct address_entry, link));
		}
	}
	hash_fini(&table->hash);
	auth_delay_fini(&table->delay);
	free(table);
}

/* The key of an address's network: of IPv4 as no address is written, so that it is none's. */
static void network_of(const struct net_address *address, uint8_t ip[16])
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };

	net_address_scope(address, ip);
	if (memcmp(ip, v4, sizeof(v4)) != 0)
		return;
	ip[0] = 0xff;
	ip[15] = 0;
}

unsigned address_table_shard(const struct net_address *address, unsigned shards_count)
{
	uint8_t ip[16];

	network_of(address, ip);
	return (unsigned)(XXH3_64bits(ip, sizeof(ip)) % shards_count);
}

static bool match(const struct hash_link *link, const void *key)
{
	return memcmp(RP_CONTAINER_OF(link, const struct address_entry, link)->ip, key, 16) == 0;
}

static struct address_entry *find(struct address_table *table, const uint8_t ip[16], uint64_t *h)
{
	*h = hash_bytes(table->hash.key, bytes_of(ip, 16));
	struct hash_link *link = hash_find(&table->hash, *h, match, ip);

	return link != NULL ? RP_CONTAINER_OF(link, struct address_entry, link) : NULL;
}

static enum rp_err join(struct address_table *table, const uint8_t ip[16], uint64_t max)
{
	uint64_t h;
	struct address_entry *entry = find(table, ip, &h);

	if (entry == NULL) {
		entry = calloc(1, sizeof(*entry));
		if (entry == NULL || !hash_add(&table->hash, &entry->link, h)) {
			free(entry);
			return RP_ERR_NOMEM;
		}
		memcpy(entry->ip, ip, sizeof(entry->ip));
	}
	if (entry->count >= max)
		return RP_ERR_LIMIT;
	entry->count++;
	return RP_OK;
}

static void leave(struct address_table *table, const uint8_t ip[16])
{
	uint64_t h;
	struct address_entry *entry = find(table, ip, &h);

	RP_ASSERT(entry != NULL);
	if (--entry->count == 0) {
		hash_del(&table->hash, &entry->link);
		free(entry);
	}
}

enum rp_err address_table_join(struct address_table *table, const struct net_address *address)
{
	uint8_t ip[16];
	uint8_t network[16];

	net_address_scope(address, ip);
	network_of(address, network);
	if (memcmp(ip, network, sizeof(ip)) == 0)
		return join(table, ip, num_min(table->connections_max, table->network_max));
	enum rp_err err = join(table, ip, table->connections_max);

	if (err != RP_OK)
		return err;
	err = join(table, network, table->network_max);
	if (err != RP_OK)
		leave(table, ip);
	return err;
}

void address_table_leave(struct address_table *table, const struct net_address *address)
{
	uint8_t ip[16];
	uint8_t network[16];

	net_address_scope(address, ip);
	network_of(address, network);
	leave(table, ip);
	if (memcmp(ip, network, sizeof(ip)) != 0)
		leave(table, network);
}

uint64_t address_table_delay_ns(
    struct address_table *table, const struct net_address *address, uint64_t now_ns, bool failed)
{
	return failed ? auth_delay_fail_ns(&table->delay, address->ip, now_ns)
		      : auth_delay_get_ns(&table->delay, address->ip, now_ns);
}
