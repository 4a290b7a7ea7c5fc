#include <criterion/criterion.h>
#include <stdlib.h>

#include "index/uidmap.h"

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(seed >> 4) * below) >> 28);
}

static void push(struct uidmap *map, uint32_t uid)
{
	cr_assert_eq(uidmap_reserve(map, 1, uid, uid), RP_OK);
	uidmap_push(map, uid);
}

/* Every UID from before the first to behind the last. */
static void compare(const struct uidmap *map, const uint32_t *uids, uint32_t count)
{
	uint32_t row = 0;
	uint32_t rows;
	uint32_t leaf = UIDMAP_NO_LEAF;

	cr_assert_eq(map->rows, count);
	for (uint32_t i = 0; i < count; i++) {
		cr_assert_eq(uidmap_uid(map, i), uids[i], "uid of row %u", i);
		cr_assert_eq(uidmap_walk(map, &leaf, i), uids[i]);
		cr_assert_eq(uidmap_walk_run(map, &leaf, i, &rows), uids[i]);
		cr_assert(rows >= 1 && rows <= count - i);
		for (uint32_t j = 0; j < rows; j++)
			cr_assert_eq(uids[i + j], uids[i] + j, "row %u of a run from %u", i + j, i);
		/* It ends at a hole or with a leaf's UIDs. */
		cr_assert(i + rows == count || uids[i + rows] != uids[i] + rows ||
		          uids[i + rows] % UIDMAP_LEAF_UIDS == 0);
		for (int off = -70; off <= 70; off++) {
			uint32_t uid = uids[i] + (uint32_t)off;

			if ((int64_t)uids[i] + off < 1 || (int64_t)uids[i] + off > UINT32_MAX)
				continue;
			uint32_t lower = i;

			while (lower > 0 && uids[lower - 1] >= uid)
				lower--;
			while (lower < count && uids[lower] < uid)
				lower++;
			cr_assert_eq(uidmap_lower(map, uid), lower, "lower of %u", uid);
			bool there = lower < count && uids[lower] == uid;

			cr_assert_eq(uidmap_row(map, uid, &row), there, "row of %u", uid);
			if (there)
				cr_assert_eq(row, lower);
		}
	}
}

static void random_gaps(uint32_t first, uint32_t gap, uint32_t count)
{
	struct uidmap map = UIDMAP_EMPTY;
	uint32_t *uids = calloc(count, sizeof(*uids));
	uint32_t uid = first;

	for (uint32_t i = 0; i < count; i++) {
		uids[i] = uid;
		push(&map, uid);
		uid += 1 + draw(gap);
	}
	compare(&map, uids, count);
	uidmap_fini(&map);
	free(uids);
}

Test(uidmap, agrees_with_a_plain_list_dense_and_sparse)
{
	random_gaps(1, 1, 3000);
	random_gaps(7, 2, 3000);
	random_gaps(63, 5, 2000);
	random_gaps(64, 200, 2000);
	random_gaps(1, 20000, 1500);
}

Test(uidmap, a_far_first_uid_costs_no_memory_before_it)
{
	struct uidmap map = UIDMAP_EMPTY;

	push(&map, UINT32_MAX - 1);
	push(&map, UINT32_MAX);
	cr_assert_lt(uidmap_bytes(&map), 1000);
	cr_assert_eq(uidmap_uid(&map, 1), UINT32_MAX);
	cr_assert_eq(uidmap_lower(&map, 1), 0);
	cr_assert_eq(uidmap_lower(&map, UINT32_MAX), 1);
	uidmap_fini(&map);
}

Test(uidmap, a_hole_as_large_as_can_be_costs_little)
{
	struct uidmap map = UIDMAP_EMPTY;
	uint32_t uids[] = {1, 2, UINT32_MAX};

	for (int i = 0; i < 3; i++)
		push(&map, uids[i]);
	compare(&map, uids, 3);
	cr_assert_lt(uidmap_bytes(&map), 17u << 20);
	uidmap_fini(&map);
}

Test(uidmap, nothing_is_found_in_an_empty_one)
{
	struct uidmap map = UIDMAP_EMPTY;
	uint32_t row;
	uint32_t to;

	cr_assert_not(uidmap_row(&map, 1, &row));
	cr_assert_eq(uidmap_lower(&map, UINT32_MAX), 0);
	uidmap_range(&map, 1, UINT32_MAX, &row, &to);
	cr_assert_eq(row, to);
}

Test(uidmap, whole_leaves_give_the_same_map)
{
	struct uidmap one = UIDMAP_EMPTY;
	struct uidmap leaves = UIDMAP_EMPTY;
	uint32_t count = 0;
	uint32_t uids[64 * 200];

	for (uint32_t key = 3; key < 900; key += 1 + draw(6)) {
		uint64_t bits = draw(2) ? UINT64_MAX : (uint64_t)draw(1 << 20) << draw(40) | 1;

		cr_assert_eq(uidmap_reserve(&leaves, 64, key * 64, key * 64 + 63), RP_OK);
		uidmap_push_leaf(&leaves, key, bits);
		for (unsigned bit = 0; bit < 64; bit++) {
			if ((bits >> bit) & 1 && count < sizeof(uids) / sizeof(uids[0]))
				uids[count++] = key * 64 + bit;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		push(&one, uids[i]);
	cr_assert_eq(leaves.last_uid, uids[count - 1]);
	compare(&one, uids, count);
	compare(&leaves, uids, count);
	uidmap_fini(&one);
	uidmap_fini(&leaves);
}

Test(uidmap, a_range_gives_the_rows_within)
{
	struct uidmap map = UIDMAP_EMPTY;
	uint32_t from;
	uint32_t to;

	for (uint32_t uid = 10; uid <= 1000; uid += 10)
		push(&map, uid);
	uidmap_range(&map, 10, 10, &from, &to);
	cr_assert_eq(to - from, 1);
	uidmap_range(&map, 11, 19, &from, &to);
	cr_assert_eq(from, to);
	uidmap_range(&map, 1, UINT32_MAX, &from, &to);
	cr_assert_eq(from, 0);
	cr_assert_eq(to, 100);
	uidmap_range(&map, 11, 31, &from, &to);
	cr_assert_eq(from, 1);
	cr_assert_eq(to, 3);
	uidmap_fini(&map);
}
