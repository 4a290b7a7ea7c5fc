/* auth_cache.h -- logins that were right a moment ago need not be verified again.
 *
 * An entry's key is a 128-bit hash, under a key that this process drew, of everything that the
 * answer depends on: kind, service, name, authzid, password, each with its length. So no password
 * is kept, and no other login can meet an entry. Entries live for a short time, and all of them go
 * when the user database changes. One thread; time is the caller's.
 */
#ifndef RP_CORE_AUTH_AUTH_CACHE_H
#define RP_CORE_AUTH_AUTH_CACHE_H

#include "core/auth/auth_wire.h"
#include "io/base/hash.h"
#include "io/base/list.h"
#include "io/base/pool.h"

enum {
	AUTH_CACHE_ENTRIES_MAX = 4096, /* bounds memory: about 1.5 MiB */
};

struct auth_cache_key {
	uint64_t word[2];
};

struct auth_cache {
	struct hash hash;
	struct hash_key key[2];
	struct list oldest_first;
	struct pool pool;
	uint64_t keep_ns;
};

/* key: random, two of them. keep_ns: how long a success is good; 0: nothing is kept. */
void auth_cache_init(struct auth_cache *cache, const struct hash_key key[2], uint64_t keep_ns);
void auth_cache_fini(struct auth_cache *cache);

struct auth_cache_key auth_cache_key_of(
    const struct auth_cache *cache, const struct auth_wire_request *request);

/* A success that is still good: its result, userid, flags and name; the name is good until the next
 * call. False: none. */
RP_MUST_USE bool auth_cache_find(struct auth_cache *cache, struct auth_cache_key key,
    uint64_t now_ns, struct auth_wire_answer *out);

/* Remember a success. Only AUTH_WIRE_OK is to be given. */
void auth_cache_add(struct auth_cache *cache, struct auth_cache_key key,
    const struct auth_wire_answer *answer, uint64_t now_ns);

void auth_cache_clear(struct auth_cache *cache);

#endif
