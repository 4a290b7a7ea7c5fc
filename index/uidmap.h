/* uidmap.h -- UID <-> row: a two-level bitmap with rank over the UIDs given out.
 *
 *     top     one bit per 64 UIDs: is there any row among them?    with rank: which leaf
 *     leaf    64 UIDs: which have a row?                           with rank: which row
 *
 * So stretches without a message cost a bit per 64 UIDs, and a mailbox without holes 2 bits a
 * message. Rows are in UID order and only added at the end; expunged ones stay (rank.h has the live
 * ones). Looking up is O(1) from UID to row, and a few steps within 512 rows from row to UID.
 */
#ifndef RP_INDEX_UIDMAP_H
#define RP_INDEX_UIDMAP_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	UIDMAP_LEAF_UIDS = 64,
	UIDMAP_SAMPLE_ROWS = 512, /* for each of these rows the leaf is noted */
};

struct uidmap_leaf {
	uint64_t bits;
	uint32_t row; /* of its first UID that is there: the number of rows before */
	uint32_t key; /* its UIDs are key * 64 and the next 63 */
};

struct uidmap {
	struct uidmap_leaf *leaf;
	uint32_t leaves_count;
	uint32_t leaves_max;
	uint64_t *top;
	uint32_t *top_rank; /* leaves before this word of top */
	uint32_t top_count;
	uint32_t top_max;
	uint32_t *sample;
	uint32_t sample_max;
	uint32_t first_key; /* of leaf[0]: where top begins */
	uint32_t rows;
	uint32_t last_uid; /* of the last row; 0: none */
};

#define UIDMAP_EMPTY ((struct uidmap){0})

void uidmap_fini(struct uidmap *map);
size_t uidmap_bytes(const struct uidmap *map);

/* Room for so many more rows, with UIDs of [first_uid, last_uid]. RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err uidmap_reserve(
    struct uidmap *map, uint32_t rows, uint32_t first_uid, uint32_t last_uid);

/* A row for a UID greater than all before; there is room. */
void uidmap_push(struct uidmap *map, uint32_t uid);

/* A whole leaf of rows, its key greater than all before, bits not 0; there is room (64 rows). */
void uidmap_push_leaf(struct uidmap *map, uint32_t key, uint64_t bits);

/* Is there a row for this UID, and which? */
bool uidmap_row(const struct uidmap *map, uint32_t uid, uint32_t *row);

/* How many rows have a UID < uid: the row of the least UID >= uid. */
uint32_t uidmap_lower(const struct uidmap *map, uint32_t uid);

/* The rows [*from, *to) that have UIDs of [first, last]. */
void uidmap_range(
    const struct uidmap *map, uint32_t first, uint32_t last, uint32_t *from, uint32_t *to);

/* The leaf of a row that is there, and its UID. */
uint32_t uidmap_leaf_of(const struct uidmap *map, uint32_t row);
uint32_t uidmap_uid(const struct uidmap *map, uint32_t row);

/* The UID of a row, for walking upwards: *leaf is the walk's own, UIDMAP_NO_LEAF at first. */
#define UIDMAP_NO_LEAF UINT32_MAX
uint32_t uidmap_walk(const struct uidmap *map, uint32_t *leaf, uint32_t row);

/* The same, and how many rows from this one on have adjacent UIDs, as far as its leaf can tell. */
uint32_t uidmap_walk_run(const struct uidmap *map, uint32_t *leaf, uint32_t row, uint32_t *rows);

#endif
