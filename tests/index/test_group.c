#include <criterion/criterion.h>

#include "index/group.h"

static struct group *group_of(uint32_t rows)
{
	struct group *group = group_new(GROUP_ROWS_MIN);

	cr_assert_eq(group_reserve(group, rows), RP_OK);
	for (uint32_t row = 0; row < rows; row++) {
		group->rows++;
		group_put_row(group, row,
		    &(struct table_row){.modseq = row + 1, .rfc822_size_bytes = 2 * row});
	}
	return group;
}

Test(group, grows_by_doubling_and_keeps_what_it_has)
{
	struct group *group = group_of(5);

	cr_assert_eq(group->rows_max, GROUP_ROWS_MIN);
	cr_assert_eq(group_reserve(group, GROUP_ROWS_MIN), RP_OK);
	cr_assert_eq(group->rows_max, GROUP_ROWS_MIN);
	cr_assert_eq(group_reserve(group, GROUP_ROWS_MIN + 1), RP_OK);
	cr_assert_eq(group->rows_max, 2 * GROUP_ROWS_MIN);
	cr_assert_eq(group_reserve(group, GROUP_ROWS_MAX), RP_OK);
	cr_assert_eq(group->rows_max, GROUP_ROWS_MAX);
	for (uint32_t row = 0; row < 5; row++) {
		cr_assert_eq(group_get(group, COLUMN_MODSEQ, row), row + 1);
		cr_assert_eq(group_get(group, COLUMN_SIZE, row), 2 * row);
	}
	cr_assert_eq(group_get(group, COLUMN_MODSEQ, 5), 0);
	group_free(group);
}

Test(group, a_flag_takes_bits_from_the_spares_and_gives_them_back)
{
	struct group *group = group_of(100);
	uint64_t all = UINT64_MAX;

	cr_assert_eq(group_reserve_flags(group, TABLE_SYSTEM_FLAGS, 2), RP_OK);
	cr_assert_eq(group->spares_count, 2);
	cr_assert(group_set_flag(group, 3, 1, 6, all, true));
	cr_assert_not(group_set_flag(group, 3, 1, 2, all, true));
	cr_assert_eq(group->spares_count, 1);
	cr_assert_eq(group->flag[3].live_ones, 2);
	cr_assert_eq(group_flag_word(group, 3, 1), 6);
	cr_assert_eq(group_flag_word(group, 3, 0), 0);
	cr_assert(group_set_flag(group, 3, 1, 6, all, false));
	group_settle_flag(group, 3, 100);
	cr_assert_eq(group->flag[3].state, FLAGMAP_CLEAR);
	cr_assert_eq(group->spares_count, 2);
	cr_assert(group_set_flag(group, 4, 0, 1, all, true)); /* the spare was clean */
	cr_assert_eq(group_flag_word(group, 4, 0), 1);
	cr_assert_eq(group_flag_word(group, 4, 1), 0);
	group_free(group);
}

Test(group, turning_off_what_is_off_needs_nothing)
{
	struct group *group = group_of(10);

	cr_assert_not(group_set_flag(group, 900, 0, 1, 1, false));
	cr_assert_eq(group->spares_count, 0);
	cr_assert_eq(group_reserve_flags(group, TABLE_SYSTEM_FLAGS, 0), RP_OK);
	cr_assert_eq(group->spares_count, 0);
	cr_assert_not(group_set_flag(group, 2, 0, 1, 1, false));
	group_free(group);
}

Test(group, a_flag_on_for_all_of_a_full_group_is_a_state_and_comes_apart_again)
{
	struct group *group = group_of(GROUP_ROWS_MAX);

	cr_assert_eq(group_reserve_flags(group, TABLE_SYSTEM_FLAGS, 1), RP_OK);
	for (uint32_t word = 0; word < GROUP_ROWS_MAX / 64; word++)
		cr_assert(group_set_flag(group, 0, word, UINT64_MAX, UINT64_MAX, true));
	group_settle_flag(group, 0, GROUP_ROWS_MAX);
	cr_assert_eq(group->flag[0].state, FLAGMAP_SET);
	cr_assert_eq(group_reserve_flags(group, TABLE_SYSTEM_FLAGS, 0), RP_OK);
	cr_assert_eq(group->spares_count, 1); /* for turning it off somewhere */
	cr_assert(group_set_flag(group, 0, 7, 1, UINT64_MAX, false));
	cr_assert_eq(group->flag[0].live_ones, GROUP_ROWS_MAX - 1);
	cr_assert_eq(group_flag_word(group, 0, 7), UINT64_MAX - 1);
	cr_assert_eq(group_flag_word(group, 0, 8), UINT64_MAX);
	group_free(group);
}

/* All of a word is written otherwise than some of it. */
Test(group, a_modseq_reaches_the_rows_of_its_mask_and_no_others)
{
	static const uint64_t masks[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX >> 1, 1, 0};

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		struct group *group = group_of(200);

		group_put_modseq(group, 1, masks[i], 7000);
		for (uint32_t row = 0; row < 200; row++) {
			bool in = row / 64 == 1 && (masks[i] >> (row % 64) & 1) != 0;

			cr_assert_eq(group_get(group, COLUMN_MODSEQ, row), in ? 7000 : row + 1);
		}
		group_free(group);
	}
}

Test(group, bounds_and_blocks_know_the_greatest_modseq)
{
	struct group *group = group_of(2000);

	cr_assert_eq(group->bounds[COLUMN_MODSEQ].least, 1);
	cr_assert_eq(group->bounds[COLUMN_MODSEQ].greatest, 2000);
	cr_assert_eq(group->bounds[COLUMN_SIZE].greatest, 3998);
	cr_assert_eq(group->modseq_max[0], 512);
	cr_assert_eq(group->modseq_max[3], 2000);
	group_put_modseq(group, 1, 2, 5000);
	cr_assert_eq(group->modseq_max[0], 5000);
	cr_assert_eq(group->modseq_max[1], 1024);
	cr_assert_eq(group_get(group, COLUMN_MODSEQ, 65), 5000);
	group_put_modseq(group, 2, 0, 9000);
	cr_assert_eq(group->bounds[COLUMN_MODSEQ].greatest, 5000);
	group_free(group);
}
