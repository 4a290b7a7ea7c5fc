#include <criterion/criterion.h>

#include "io/base/runs.h"

Test(runs, adding_merges_what_overlaps_or_touches)
{
	struct runs runs = RUNS_EMPTY;

	cr_assert_eq(runs_add(&runs, 5, 6), RP_OK);
	cr_assert_eq(runs_add(&runs, 9, 9), RP_OK);
	cr_assert_eq(runs_add(&runs, 1, 3), RP_OK);
	cr_assert_eq(runs.count, 3);
	cr_assert_eq(runs_add(&runs, 4, 4), RP_OK);
	cr_assert_eq(runs.count, 2);
	cr_assert_eq(runs.run[0].first, 1);
	cr_assert_eq(runs.run[0].last, 6);
	cr_assert_eq(runs_add(&runs, 0, UINT32_MAX), RP_OK);
	cr_assert_eq(runs.count, 1);
	cr_assert_eq(runs_total(&runs), (uint64_t)UINT32_MAX + 1);
	runs_fini(&runs);
}

/* Every operation on a small universe agrees with an array of booleans. */
Test(runs, agrees_with_a_plain_model)
{
	enum { UNIVERSE = 40 };
	struct runs runs = RUNS_EMPTY;
	bool model[UNIVERSE] = { false };
	uint32_t seed = 7;

	for (int step = 0; step < 20000; step++) {
		seed = seed * 1664525 + 1013904223;
		uint32_t first = (seed >> 8) % UNIVERSE;
		uint32_t last = first + (seed >> 16) % 6;
		bool add = (seed >> 28) & 1;

		if (last >= UNIVERSE)
			last = UNIVERSE - 1;
		cr_assert_eq(add ? runs_add(&runs, first, last) : runs_remove(&runs, first, last), RP_OK);
		for (uint32_t n = first; n <= last; n++)
			model[n] = add;
		uint64_t rank = 0;

		for (uint32_t n = 0; n < UNIVERSE; n++) {
			rank += model[n];
			cr_assert_eq(runs_has(&runs, n), model[n]);
			cr_assert_eq(runs_rank(&runs, n), rank);
		}
		for (size_t i = 1; i < runs.count; i++)
			cr_assert_gt(runs.run[i].first, runs.run[i - 1].last + 1);
	}
	runs_fini(&runs);
}
