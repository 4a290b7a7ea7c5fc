#include "io/base/hash.h"

#include <stdlib.h>

#include "io/base/num.h"

enum { HASH_SLOTS_MIN = 16 };

static inline uint64_t rotl(uint64_t x, unsigned by)
{
	return (x << by) | (x >> (64 - by));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t hash_bytes(struct hash_key key, struct bytes b)
{
	uint64_t v[4] = {
		key.k0 ^ 0x736f6d6570736575u,
		key.k1 ^ 0x646f72616e646f6du,
		key.k0 ^ 0x6c7967656e657261u,
		key.k1 ^ 0x7465646279746573u,
	};
	size_t whole = b.n & ~(size_t)7;
	uint64_t last = (uint64_t)b.n << 56;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t word = num_get_u64(b.p + i);

		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = whole; i < b.n; i++)
		last |= (uint64_t)b.p[i] << (8 * (i - whole));
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void hash_init(struct hash *hash, struct hash_key key)
{
	*hash = (struct hash){ .key = key };
}

void hash_fini(struct hash *hash)
{
	if (hash == NULL)
		return;
	free(hash->slots);
	hash_init(hash, hash->key);
}

struct hash_link *hash_find(const struct hash *hash, uint64_t h, hash_match_fn *match, const void *key)
{
	if (hash->slots_count == 0)
		return NULL;
	for (struct hash_link *l = hash->slots[h & (hash->slots_count - 1)]; l != NULL; l = l->next)
		if (l->hash == h && match(l, key))
			return l;
	return NULL;
}

static void grow(struct hash *hash)
{
	size_t slots_count = hash->slots_count == 0 ? HASH_SLOTS_MIN : hash->slots_count * 2;
	struct hash_link **slots = calloc(slots_count, sizeof(struct hash_link *));

	if (slots == NULL)
		return;
	for (size_t i = 0; i < hash->slots_count; i++) {
		for (struct hash_link *l = hash->slots[i], *next; l != NULL; l = next) {
			struct hash_link **slot = &slots[l->hash & (slots_count - 1)];

			next = l->next;
			l->next = *slot;
			*slot = l;
		}
	}
	free(hash->slots);
	hash->slots = slots;
	hash->slots_count = slots_count;
}

bool hash_add(struct hash *hash, struct hash_link *link, uint64_t h)
{
	if (hash->count >= hash->slots_count)
		grow(hash);
	if (hash->slots_count == 0)
		return false;

	struct hash_link **slot = &hash->slots[h & (hash->slots_count - 1)];

	link->hash = h;
	link->next = *slot;
	*slot = link;
	hash->count++;
	return true;
}

void hash_del(struct hash *hash, struct hash_link *link)
{
	RP_ASSERT(hash->count > 0);
	struct hash_link **at = &hash->slots[link->hash & (hash->slots_count - 1)];

	while (*at != link) {
		RP_ASSERT(*at != NULL);
		at = &(*at)->next;
	}
	*at = link->next;
	link->next = NULL;
	hash->count--;
}
