#include "bench/load/hist.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "bench/load/dice.h"

Test(hist, buckets_touch_and_cover_everything)
{
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		cr_assert_leq(hist_lower(i), hist_upper(i));
		cr_assert_eq(hist_bucket_of(hist_lower(i)), i);
		cr_assert_eq(hist_bucket_of(hist_upper(i)), i);
		if (i > 0)
			cr_assert_eq(hist_lower(i), hist_upper(i - 1) + 1);
	}
	cr_assert_eq(hist_lower(0), 0);
	cr_assert_eq(hist_bucket_of(UINT64_MAX), HIST_BUCKETS - 1);
}

Test(hist, a_bucket_is_narrower_than_a_128th_of_its_values)
{
	for (size_t i = 1; i < HIST_BUCKETS; i++)
		cr_assert_leq((hist_upper(i) - hist_lower(i)) * 128, hist_lower(i), "bucket %zu", i);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Beside the sorted values themselves: never below, never above by a 128th or more. */
Test(hist, quantiles_are_those_of_the_values_within_the_bound)
{
	enum { COUNT = 10000 };
	static const unsigned per_million[] = {0, 1, 100, 500000, 900000, 990000, 999000, 999900, 1000000};
	static uint64_t value[COUNT];
	struct dice dice = dice_of(7, 0, 0);
	struct hist *hist = hist_new();

	for (size_t i = 0; i < COUNT; i++) {
		value[i] = dice_next(&dice) >> (20 + dice_below(&dice, 40));
		hist_add(hist, value[i]);
	}
	qsort(value, COUNT, sizeof(value[0]), compare);
	for (size_t i = 0; i < sizeof(per_million) / sizeof(per_million[0]); i++) {
		size_t rank = ((size_t)COUNT * per_million[i] + 999999) / 1000000;
		uint64_t right = value[rank > 0 ? rank - 1 : 0];
		uint64_t told = hist_quantile(hist, per_million[i]);

		cr_assert_geq(told, right);
		cr_assert_leq((told - right) * 128, right, "%u: %lu for %lu", per_million[i], told, right);
	}
	cr_assert_eq(hist_quantile(hist, 1000000), value[COUNT - 1]);
	free(hist);
}

Test(hist, merged_is_as_if_all_had_gone_into_one)
{
	struct dice dice = dice_of(8, 0, 0);
	struct hist *one = hist_new();
	struct hist *part[3] = {hist_new(), hist_new(), hist_new()};
	struct hist *merged = hist_new();

	for (unsigned i = 0; i < 5000; i++) {
		uint64_t value = dice_next(&dice) >> 30;

		hist_add(one, value);
		hist_add(part[i % 3], value);
	}
	for (unsigned i = 0; i < 3; i++) {
		hist_merge(merged, part[i]);
		free(part[i]);
	}
	cr_assert_arr_eq(one, merged, sizeof(*one));
	free(one);
	free(merged);
}

Test(hist, an_empty_one_has_no_quantile)
{
	struct hist *hist = hist_new();

	cr_assert_eq(hist_quantile(hist, 500000), 0);
	hist_add(hist, 5);
	cr_assert_eq(hist_quantile(hist, 1), 5);
	cr_assert_eq(hist_quantile(hist, 1000000), 5);
	free(hist);
}
