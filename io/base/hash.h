/* hash.h -- a hash table of objects that bear the link themselves, under a secret key.
 *
 * Names that clients choose go in here, so the hash is SipHash-2-4 under a key drawn at start:
 * nobody can make them collide. The table owns its slots, never the objects. It grows by doubling;
 * when memory for that is short it stays as it is and gets slower, so hash_add cannot fail.
 * One thread.
 */
#ifndef RP_IO_BASE_HASH_H
#define RP_IO_BASE_HASH_H

#include "io/base/bytes.h"

struct hash_key {
	uint64_t k0;
	uint64_t k1;
};

struct hash_link {
	struct hash_link *next;
	uint64_t hash;
};

struct hash {
	struct hash_key key;
	struct hash_link **slots; /* slots_count of them, a power of two; NULL: none yet */
	size_t slots_count;
	size_t count; /* objects in the table */
};

/* Is this the object that has the key `key`? */
typedef bool hash_match_fn(const struct hash_link *link, const void *key);

/* SipHash-2-4. */
uint64_t hash_bytes(struct hash_key key, struct bytes b);

/* Takes no memory. A test may give any key; the server draws it at random. */
void hash_init(struct hash *hash, struct hash_key key);

/* Gives the slots back; the objects are the caller's, who has taken them out or forgets them. */
void hash_fini(struct hash *hash);

/* The object with this key, or NULL. `h` is hash_bytes() of it. */
struct hash_link *hash_find(const struct hash *hash, uint64_t h, hash_match_fn *match, const void *key);

/* Add an object that is not in the table. False: not even the first slots could be had. */
RP_MUST_USE bool hash_add(struct hash *hash, struct hash_link *link, uint64_t h);

/* Take an object out that is in the table. */
void hash_del(struct hash *hash, struct hash_link *link);

#endif
