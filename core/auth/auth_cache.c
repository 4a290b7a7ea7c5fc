#include "core/auth/auth_cache.h"

#include "io/base/num.h"

struct entry {
	struct hash_link link;
	struct list by_age;
	struct auth_cache_key key;
	uint64_t until_ns;
	struct auth_wire_userid userid;
	uint32_t flags;
	uint8_t name_n;
	uint8_t name[AUTH_WIRE_NAME_BYTES_MAX];
};

void auth_cache_init(struct auth_cache *cache, const struct hash_key key[2], uint64_t keep_ns)
{
	*cache = (struct auth_cache){.key = {key[0], key[1]}, .keep_ns = keep_ns};
	hash_init(&cache->hash, key[0]);
	list_init(&cache->oldest_first);
	pool_init(&cache->pool, "auth_cache", sizeof(struct entry), AUTH_CACHE_ENTRIES_MAX);
}

static struct entry *oldest(const struct auth_cache *cache)
{
	return RP_CONTAINER_OF(cache->oldest_first.next, struct entry, by_age);
}

static void drop(struct auth_cache *cache, struct entry *entry)
{
	hash_del(&cache->hash, &entry->link);
	list_del(&entry->by_age);
	pool_give(&cache->pool, entry);
}

void auth_cache_clear(struct auth_cache *cache)
{
	while (!list_empty(&cache->oldest_first))
		drop(cache, oldest(cache));
}

void auth_cache_fini(struct auth_cache *cache)
{
	auth_cache_clear(cache);
	hash_fini(&cache->hash);
	pool_fini(&cache->pool);
	bytes_wipe(cache->key, sizeof(cache->key));
}

struct auth_cache_key auth_cache_key_of(
    const struct auth_cache *cache, const struct auth_wire_request *request)
{
	uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX];
	struct auth_wire_request what = *request;
	struct auth_cache_key key;

	/* The message itself is the key: it has all texts, each with its length. What names only
	 * this one request is left out. */
	what.id = 0;
	memset(what.peer, 0, sizeof(what.peer));
	size_t n = auth_wire_put_request(&what, room);

	key.word[0] = hash_bytes(cache->key[0], bytes_of(room, n));
	key.word[1] = hash_bytes(cache->key[1], bytes_of(room, n));
	bytes_wipe(room, n);
	return key;
}

static bool match(const struct hash_link *link, const void *key)
{
	return bytes_eq_secret(
	    bytes_of(&RP_CONTAINER_OF(link, struct entry, link)->key, 16), bytes_of(key, 16));
}

static struct entry *find(const struct auth_cache *cache, struct auth_cache_key key)
{
	struct hash_link *link = hash_find(&cache->hash, key.word[0], match, &key);

	return link != NULL ? RP_CONTAINER_OF(link, struct entry, link) : NULL;
}

bool auth_cache_find(struct auth_cache *cache, struct auth_cache_key key, uint64_t now_ns,
    struct auth_wire_answer *out)
{
	struct entry *entry = find(cache, key);

	if (entry == NULL)
		return false;
	if (now_ns >= entry->until_ns) {
		drop(cache, entry);
		return false;
	}
	*out = (struct auth_wire_answer){
	    .result = AUTH_WIRE_OK,
	    .flags = entry->flags,
	    .userid = entry->userid,
	    .name = bytes_of(entry->name, entry->name_n),
	};
	return true;
}

void auth_cache_add(struct auth_cache *cache, struct auth_cache_key key,
    const struct auth_wire_answer *answer, uint64_t now_ns)
{
	RP_ASSERT(answer->result == AUTH_WIRE_OK && answer->name.n <= AUTH_WIRE_NAME_BYTES_MAX);
	struct entry *entry = find(cache, key);

	if (entry != NULL)
		drop(cache, entry);
	if (cache->keep_ns == 0)
		return;
	/* All are kept for the same time, so the oldest is also the first to end. */
	if (cache->pool.live_count == AUTH_CACHE_ENTRIES_MAX)
		drop(cache, oldest(cache));
	entry = pool_take(&cache->pool);
	if (entry == NULL)
		return;
	entry->key = key;
	entry->until_ns = now_ns + cache->keep_ns;
	entry->userid = answer->userid;
	entry->flags = answer->flags;
	entry->name_n = (uint8_t)answer->name.n;
	memcpy(entry->name, answer->name.p, answer->name.n);
	if (!hash_add(&cache->hash, &entry->link, key.word[0])) {
		pool_give(&cache->pool, entry);
		return;
	}
	list_push_back(&cache->oldest_first, &entry->by_age);
}
