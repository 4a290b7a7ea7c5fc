#include "core/server/user_table.h"

#include <stdlib.h>

struct user_key {
	struct userid userid;
	uint8_t ip[16];
};

struct user_entry {
	struct hash_link link;
	struct user_key key;
	uint64_t count;
};

struct user_table {
	struct hash hash;
};

struct user_table *user_table_open(struct hash_key key)
{
	struct user_table *table = calloc(1, sizeof(*table));

	if (table != NULL)
		hash_init(&table->hash, key);
	return table;
}

void user_table_close(struct user_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->hash.slots_count; i++) {
		for (struct hash_link *l = table->hash.slots[i], *next; l != NULL; l = next) {
			next = l->next;
			free(RP_CONTAINER_OF(l, struct user_entry, link));
		}
	}
	hash_fini(&table->hash);
	free(table);
}

static bool match(const struct hash_link *link, const void *key)
{
	return memcmp(&RP_CONTAINER_OF(link, const struct user_entry, link)->key, key, sizeof(struct user_key)) == 0;
}

static struct user_key key_of(const struct userid *userid, const struct net_address *peer)
{
	struct user_key key = { .userid = *userid };

	net_address_scope(peer, key.ip);
	return key;
}

enum rp_err user_table_join(
    struct user_table *table, const struct userid *userid, const struct net_address *peer, uint64_t count_max)
{
	struct user_key key = key_of(userid, peer);
	uint64_t h = hash_bytes(table->hash.key, bytes_of(&key, sizeof(key)));
	struct hash_link *link = hash_find(&table->hash, h, match, &key);

	if (link == NULL) {
		struct user_entry *entry = calloc(1, sizeof(*entry));

		if (entry == NULL || !hash_add(&table->hash, &entry->link, h)) {
			free(entry);
			return RP_ERR_NOMEM;
		}
		entry->key = key;
		link = &entry->link;
	}
	struct user_entry *entry = RP_CONTAINER_OF(link, struct user_entry, link);

	if (entry->count >= count_max)
		return RP_ERR_LIMIT;
	entry->count++;
	return RP_OK;
}

void user_table_leave(struct user_table *table, const struct userid *userid, const struct net_address *peer)
{
	struct user_key key = key_of(userid, peer);
	uint64_t h = hash_bytes(table->hash.key, bytes_of(&key, sizeof(key)));
	struct hash_link *link = hash_find(&table->hash, h, match, &key);

	RP_ASSERT(link != NULL);
	struct user_entry *entry = RP_CONTAINER_OF(link, struct user_entry, link);

	if (--entry->count == 0) {
		hash_del(&table->hash, link);
		free(entry);
	}
}
