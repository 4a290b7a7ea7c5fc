#include "index/delivered.h"

#include <stdlib.h>
#include <xxhash.h>

#include "io/base/num.h"

enum { RING_MIN = 16 };

static_assert(DELIVERED_MAX < UINT16_MAX, "an index + 1 is 16 bits");

void delivered_fini(struct delivered *delivered)
{
	free(delivered->ring);
	free(delivered->slots);
	free(delivered->next);
	*delivered = (struct delivered){ 0 };
}

static size_t index_of(const struct delivered *delivered, size_t i)
{
	return (delivered->first + i) & (delivered->ring_max - 1);
}

const struct delivery *delivered_at(const struct delivered *delivered, size_t i)
{
	RP_ASSERT(i < delivered->count);
	return &delivered->ring[index_of(delivered, i)];
}

static uint16_t *slot_of(const struct delivered *delivered, struct delivery_key key)
{
	return &delivered->slots[key.low & (delivered->ring_max - 1)];
}

static void put(struct delivered *delivered, const struct delivery *delivery)
{
	size_t at = index_of(delivered, delivered->count);
	uint16_t *slot = slot_of(delivered, delivery->key);

	if (delivered->count > 0 &&
	    delivered_at(delivered, delivered->count - 1)->seconds > delivery->seconds)
		delivered->falls++;
	delivered->count++;
	delivered->ring[at] = *delivery;
	delivered->next[at] = *slot;
	*slot = (uint16_t)(at + 1);
}

static void drop_oldest(struct delivered *delivered)
{
	size_t at = delivered->first;
	uint16_t *link = slot_of(delivered, delivered->ring[at].key);

	if (delivered->count > 1 &&
	    delivered_at(delivered, 0)->seconds > delivered_at(delivered, 1)->seconds)
		delivered->falls--;
	while (*link != at + 1)
		link = &delivered->next[*link - 1];
	*link = delivered->next[at];
	delivered->first = index_of(delivered, 1);
	delivered->count--;
}

enum rp_err delivered_prepare(struct delivered *delivered)
{
	struct delivered grown = { .ring_max = num_max(2 * delivered->ring_max, RING_MIN) };

	if (delivered->count < delivered->ring_max || delivered->ring_max >= DELIVERED_MAX)
		return RP_OK;
	grown.ring = calloc(grown.ring_max, sizeof(*grown.ring));
	grown.slots = calloc(grown.ring_max, sizeof(*grown.slots));
	grown.next = calloc(grown.ring_max, sizeof(*grown.next));
	if (grown.ring == NULL || grown.slots == NULL || grown.next == NULL) {
		delivered_fini(&grown);
		return RP_ERR_NOMEM;
	}
	for (size_t i = 0; i < delivered->count; i++)
		put(&grown, delivered_at(delivered, i));
	delivered_fini(delivered);
	*delivered = grown;
	return RP_OK;
}

/* A clock that was set back makes none of them old; one of the future is none of ours. */
static bool is_old(const struct delivery *delivery, uint64_t now_s)
{
	uint64_t apart = now_s > delivery->seconds ? now_s - delivery->seconds
	                                           : delivery->seconds - now_s;

	return apart > DELIVERED_S;
}

static const struct delivery *find(const struct delivered *delivered, struct delivery_key key)
{
	if (delivered->count == 0)
		return NULL;
	for (uint16_t at = *slot_of(delivered, key); at != 0; at = delivered->next[at - 1]) {
		const struct delivery *delivery = &delivered->ring[at - 1];

		if (delivery->key.low == key.low && delivery->key.high == key.high)
			return delivery;
	}
	return NULL;
}

/* The clock has gone forward only, to this one: what is old stands in front. */
static bool in_order(const struct delivered *delivered, const struct delivery *delivery)
{
	return delivered->falls == 0 &&
	       (delivered->count == 0 ||
	           delivered_at(delivered, delivered->count - 1)->seconds <= delivery->seconds);
}

static bool any_old(const struct delivered *delivered, uint64_t now_s)
{
	for (size_t i = 0; i < delivered->count; i++)
		if (is_old(delivered_at(delivered, i), now_s))
			return true;
	return false;
}

/* Wherever they stand: so those that are left are within a day of each other, and told again, in their order, to somebody who
 * knows none, they do not drive each other out. */
static void drop_old(struct delivered *delivered, const struct delivery *delivery)
{
	if (in_order(delivered, delivery)) {
		while (delivered->count > 0 && is_old(delivered_at(delivered, 0), delivery->seconds))
			drop_oldest(delivered);
		return;
	}
	if (!any_old(delivered, delivery->seconds))
		return;
	for (size_t left = delivered->count; left > 0; left--) {
		struct delivery oldest = *delivered_at(delivered, 0);

		drop_oldest(delivered);
		if (!is_old(&oldest, delivery->seconds))
			put(delivered, &oldest);
	}
}

void delivered_add(struct delivered *delivered, const struct delivery *delivery)
{
	const struct delivery *found = find(delivered, delivery->key);

	if (found != NULL && found->seconds == delivery->seconds)
		return; /* replayed over itself */
	drop_old(delivered, delivery);
	if (delivered->count == delivered->ring_max)
		drop_oldest(delivered);
	put(delivered, delivery);
}

enum rp_err delivered_restore(struct delivered *delivered, const struct delivery *delivery)
{
	enum rp_err err = delivered_prepare(delivered);

	if (err == RP_OK && delivered->count == delivered->ring_max)
		err = RP_ERR_CORRUPT;
	if (err == RP_OK)
		put(delivered, delivery);
	return err;
}

bool delivered_has(const struct delivered *delivered, struct delivery_key key, uint64_t now_s)
{
	const struct delivery *found = find(delivered, key);

	return found != NULL && !is_old(found, now_s);
}

struct delivery_hash {
	XXH3_state_t *state;
};

enum rp_err delivery_hash_open(
    const struct userid *userid, struct bytes recipient, struct delivery_hash **out)
{
	struct delivery_hash *hash = malloc(sizeof(*hash));
	static const uint8_t nul;

	if (hash == NULL)
		return RP_ERR_NOMEM;
	hash->state = XXH3_createState();
	if (hash->state == NULL) {
		free(hash);
		return RP_ERR_NOMEM;
	}
	XXH3_128bits_reset_withSeed(hash->state, num_get_u64(userid->b) ^ num_get_u64(userid->b + 8));
	delivery_hash_add(hash, bytes_of(userid->b, USERID_BYTES));
	delivery_hash_add(hash, recipient);
	delivery_hash_add(hash, bytes_of(&nul, 1)); /* no address has one */
	*out = hash;
	return RP_OK;
}

void delivery_hash_add(struct delivery_hash *hash, struct bytes b)
{
	if (b.n != 0)
		XXH3_128bits_update(hash->state, b.p, b.n);
}

struct delivery_key delivery_hash_key(const struct delivery_hash *hash)
{
	XXH128_hash_t value = XXH3_128bits_digest(hash->state);

	return (struct delivery_key){ value.low64, value.high64 };
}

void delivery_hash_close(struct delivery_hash *hash)
{
	if (hash == NULL)
		return;
	XXH3_freeState(hash->state);
	free(hash);
}
