#include "index/uidmap.h"

#include <stdlib.h>

#include "index/rank.h"

void uidmap_fini(struct uidmap *map)
{
	free(map->leaf);
	free(map->top);
	free(map->top_rank);
	free(map->sample);
	*map = UIDMAP_EMPTY;
}

size_t uidmap_bytes(const struct uidmap *map)
{
	return map->leaves_max * sizeof(*map->leaf) +
	       map->top_max * (sizeof(*map->top) + sizeof(*map->top_rank)) +
	       map->sample_max * sizeof(*map->sample);
}

/* Room for `count` objects in *p, a quarter more than asked for. */
static bool room(void **p, uint32_t *count_max, uint64_t count, size_t object_bytes)
{
	if (count <= *count_max)
		return true;
	count += count / 4 + 1;
	if (count > UINT32_MAX)
		return false;
	void *q = realloc(*p, count * object_bytes);

	if (q == NULL)
		return false;
	*p = q;
	*count_max = (uint32_t)count;
	return true;
}

enum rp_err uidmap_reserve(struct uidmap *map, uint32_t rows, uint32_t first_uid, uint32_t last_uid)
{
	if (rows == 0 || last_uid <= map->last_uid)
		return RP_OK;
	RP_ASSERT(first_uid <= last_uid);
	uint32_t key = first_uid / UIDMAP_LEAF_UIDS;
	uint32_t first_key = map->leaves_count == 0 ? key : map->first_key;
	uint32_t last_key = last_uid / UIDMAP_LEAF_UIDS;
	/* Not more leaves than rows, and not more than there are keys. */
	uint64_t leaves = (uint64_t)last_key - (key > first_key ? key : first_key) + 1;
	uint32_t top_max = map->top_max;

	if (leaves > rows)
		leaves = rows;
	if (!room((void **)&map->leaf, &map->leaves_max, map->leaves_count + leaves,
	        sizeof(*map->leaf)) ||
	    !room((void **)&map->sample, &map->sample_max,
	        ((uint64_t)map->rows + rows) / UIDMAP_SAMPLE_ROWS + 1, sizeof(*map->sample)) ||
	    !room((void **)&map->top, &top_max,
	        ((uint64_t)last_key - first_key) / RANK_WORD_BITS + 1, sizeof(*map->top)))
		return RP_ERR_NOMEM;
	if (top_max == map->top_max)
		return RP_OK;
	uint32_t *top_rank = realloc(map->top_rank, top_max * sizeof(*top_rank));

	if (top_rank == NULL)
		return RP_ERR_NOMEM; /* top is larger than we say: no harm */
	map->top_rank = top_rank;
	map->top_max = top_max;
	return RP_OK;
}

static void push_key(struct uidmap *map, uint32_t key)
{
	RP_ASSERT(map->leaves_count < map->leaves_max);
	if (map->leaves_count == 0)
		map->first_key = key;
	uint32_t at = key - map->first_key;

	while (map->top_count <= at / RANK_WORD_BITS) {
		RP_ASSERT(map->top_count < map->top_max);
		map->top[map->top_count] = 0;
		map->top_rank[map->top_count++] = map->leaves_count;
	}
	map->top[at / RANK_WORD_BITS] |= UINT64_C(1) << (at % RANK_WORD_BITS);
	map->leaf[map->leaves_count++] = (struct uidmap_leaf){.row = map->rows, .key = key};
}

void uidmap_push(struct uidmap *map, uint32_t uid)
{
	RP_ASSERT(uid > map->last_uid);
	uint32_t key = uid / UIDMAP_LEAF_UIDS;

	if (map->leaves_count == 0 || map->leaf[map->leaves_count - 1].key != key)
		push_key(map, key);
	if (map->rows % UIDMAP_SAMPLE_ROWS == 0) {
		RP_ASSERT(map->rows / UIDMAP_SAMPLE_ROWS < map->sample_max);
		map->sample[map->rows / UIDMAP_SAMPLE_ROWS] = map->leaves_count - 1;
	}
	map->leaf[map->leaves_count - 1].bits |= UINT64_C(1) << (uid % UIDMAP_LEAF_UIDS);
	map->rows++;
	map->last_uid = uid;
}

void uidmap_push_leaf(struct uidmap *map, uint32_t key, uint64_t bits)
{
	RP_ASSERT(bits != 0);
	RP_ASSERT(map->leaves_count == 0 || key > map->leaf[map->leaves_count - 1].key);
	push_key(map, key);
	uint32_t rows = (uint32_t)__builtin_popcountll(bits);
	uint32_t sample = (map->rows + UIDMAP_SAMPLE_ROWS - 1) / UIDMAP_SAMPLE_ROWS;

	map->leaf[map->leaves_count - 1].bits = bits;
	if (sample * UIDMAP_SAMPLE_ROWS < map->rows + rows) {
		RP_ASSERT(sample < map->sample_max);
		map->sample[sample] = map->leaves_count - 1;
	}
	map->rows += rows;
	map->last_uid = key * UIDMAP_LEAF_UIDS + 63 - (uint32_t)__builtin_clzll(bits);
}

/* The leaf of this key, or the first one behind where it would be. */
static uint32_t leaf_lower(const struct uidmap *map, uint32_t key, bool *there)
{
	*there = false;
	if (map->leaves_count == 0 || key < map->first_key)
		return 0;
	uint32_t at = key - map->first_key;
	uint32_t word = at / RANK_WORD_BITS;

	if (word >= map->top_count)
		return map->leaves_count;
	*there = (map->top[word] >> (at % RANK_WORD_BITS)) & 1;
	return map->top_rank[word] +
	       (uint32_t)__builtin_popcountll(map->top[word] & rank_mask(0, at % RANK_WORD_BITS));
}

bool uidmap_row(const struct uidmap *map, uint32_t uid, uint32_t *row)
{
	bool there;
	uint32_t leaf = leaf_lower(map, uid / UIDMAP_LEAF_UIDS, &there);
	unsigned bit = uid % UIDMAP_LEAF_UIDS;

	if (!there || !((map->leaf[leaf].bits >> bit) & 1))
		return false;
	*row = map->leaf[leaf].row +
	       (uint32_t)__builtin_popcountll(map->leaf[leaf].bits & rank_mask(0, bit));
	return true;
}

/* The row of the first UID of this leaf that is not before its `bit`-th; 64: none of the leaf's. */
static uint32_t row_in(const struct uidmap *map, uint32_t leaf, unsigned bit)
{
	return map->leaf[leaf].row +
	       (uint32_t)__builtin_popcountll(map->leaf[leaf].bits & rank_mask(0, bit));
}

uint32_t uidmap_lower(const struct uidmap *map, uint32_t uid)
{
	bool there;
	uint32_t leaf = leaf_lower(map, uid / UIDMAP_LEAF_UIDS, &there);

	if (leaf == map->leaves_count)
		return map->rows;
	return there ? row_in(map, leaf, uid % UIDMAP_LEAF_UIDS) : map->leaf[leaf].row;
}

void uidmap_range(
    const struct uidmap *map, uint32_t first, uint32_t last, uint32_t *from, uint32_t *to)
{
	bool there;
	uint32_t leaf = leaf_lower(map, first / UIDMAP_LEAF_UIDS, &there);

	if (there && first / UIDMAP_LEAF_UIDS ==
	                 last / UIDMAP_LEAF_UIDS) { /* as most runs, where there are many */
		*from = row_in(map, leaf, first % UIDMAP_LEAF_UIDS);
		*to = row_in(map, leaf, last % UIDMAP_LEAF_UIDS + 1);
		return;
	}
	*from = uidmap_lower(map, first);
	*to = last >= map->last_uid ? map->rows : uidmap_lower(map, last + 1);
}

uint32_t uidmap_leaf_of(const struct uidmap *map, uint32_t row)
{
	RP_ASSERT(row < map->rows);
	uint32_t sample = row / UIDMAP_SAMPLE_ROWS;
	uint32_t from = map->sample[sample];
	bool last = (sample + 1) * UIDMAP_SAMPLE_ROWS >= map->rows;
	uint32_t to = last ? map->leaves_count : map->sample[sample + 1] + 1;

	while (to - from > 1) {
		uint32_t mid = from + (to - from) / 2;

		if (map->leaf[mid].row <= row)
			from = mid;
		else
			to = mid;
	}
	return from;
}

uint32_t uidmap_uid(const struct uidmap *map, uint32_t row)
{
	const struct uidmap_leaf *leaf = &map->leaf[uidmap_leaf_of(map, row)];

	return leaf->key * UIDMAP_LEAF_UIDS + rank_select_word(leaf->bits, row - leaf->row);
}

uint32_t uidmap_walk(const struct uidmap *map, uint32_t *leaf, uint32_t row)
{
	uint32_t rows;

	return uidmap_walk_run(map, leaf, row, &rows);
}

uint32_t uidmap_walk_run(const struct uidmap *map, uint32_t *leaf, uint32_t row, uint32_t *rows)
{
	if (*leaf == UIDMAP_NO_LEAF ||
	    (*leaf + 1 < map->leaves_count && map->leaf[*leaf + 1].row <= row &&
	        row - map->leaf[*leaf].row >= UIDMAP_SAMPLE_ROWS))
		*leaf = uidmap_leaf_of(map, row);
	while (*leaf + 1 < map->leaves_count && map->leaf[*leaf + 1].row <= row)
		++*leaf;
	const struct uidmap_leaf *at = &map->leaf[*leaf];
	unsigned bit = rank_select_word(at->bits, row - at->row);

	*rows = rank_ones_from(at->bits, bit);
	return at->key * UIDMAP_LEAF_UIDS + bit;
}
