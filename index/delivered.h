/* delivered.h -- which messages the last day's deliveries were: so that one that is sent again is known.
 *
 * After an answer that was lost (the log failed, the connection was cut) the MTA sends the same bytes for the same recipient
 * again. The key of a delivery travels in its record, and lies in the catalog, so a restart does not forget it.
 */
#ifndef RP_INDEX_DELIVERED_H
#define RP_INDEX_DELIVERED_H

#include "io/base/bytes.h"
#include "io/base/err.h"
#include "io/base/userid.h"

enum {
	DELIVERED_S = 24 * 3600, /* so long: MTAs try again after minutes, then hours */
	/* Of one user: 24 bytes each, in memory and in his catalog. What is unknown at a crash was on its way then, and comes again
	   within hours: for so long it takes three mails a minute to push it out, and then it is stored twice, not lost. */
	DELIVERED_MAX = 4096,
};

/* XXH3 (128 bits) of recipient and message. */
struct delivery_key {
	uint64_t low;
	uint64_t high;
};

struct delivery {
	struct delivery_key key;
	uint64_t seconds; /* since 1970: when it came in */
};

/* The oldest first. All zero: empty. */
struct delivered {
	struct delivery *ring; /* ring_max of them, a power of two */
	uint16_t *slots;       /* heads of chains, 1 + the index in ring; as many; 0: empty */
	uint16_t *next;        /* of each in ring, likewise */
	size_t ring_max;
	size_t first;
	size_t count;
	size_t falls; /* so many stand behind one that has a later time: the clock was set back */
};

void delivered_fini(struct delivered *delivered);

/* Room for one more, so that it can be added in a breath. */
RP_MUST_USE enum rp_err delivered_prepare(struct delivered *delivered);

/* It was prepared. Those go that are over a day away from this one, and, if they are too many, the oldest. Twice does no harm. */
void delivered_add(struct delivered *delivered, const struct delivery *delivery);

/* One that a catalog file has, in its order: as it is. RP_ERR_CORRUPT: too many. */
RP_MUST_USE enum rp_err delivered_restore(
    struct delivered *delivered, const struct delivery *delivery);

/* Is it there, and of the last day? */
bool delivered_has(const struct delivered *delivered, struct delivery_key key, uint64_t now_s);

/* The i-th, from the oldest on. */
const struct delivery *delivered_at(const struct delivered *delivered, size_t i);

/* Make a key: seeded by the user's id, which nobody outside knows, so that nobody can make two messages that are taken for one
 * (to keep another's mail from arriving he would have to know all its bytes before). */
struct delivery_hash;
RP_MUST_USE enum rp_err delivery_hash_open(
    const struct userid *userid, struct bytes recipient, struct delivery_hash **out);
void delivery_hash_add(struct delivery_hash *hash, struct bytes b);
struct delivery_key delivery_hash_key(const struct delivery_hash *hash);
void delivery_hash_close(struct delivery_hash *hash);

#endif
