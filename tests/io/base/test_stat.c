#include <criterion/criterion.h>

#include "io/base/stat.h"

static struct stat_hist hist;

Test(stat, counters_go_up_and_down)
{
	struct stat_counter counter = {0};

	stat_add(&counter, 5);
	stat_sub(&counter, 2);
	cr_assert_eq(stat_get(&counter), 3);
}

/* Each bucket's upper bound lies in it, and one more in the next. */
Test(stat, buckets_touch_without_a_gap)
{
	for (size_t b = 0; b + 1 < STAT_HIST_BUCKETS; b++) {
		struct stat_hist one = {0};

		cr_assert_lt(stat_hist_upper(b), stat_hist_upper(b + 1));
		stat_hist_add(&one, stat_hist_upper(b));
		cr_assert_eq(one.bucket[b], 1, "bucket %zu", b);
		stat_hist_add(&one, stat_hist_upper(b) + 1);
		cr_assert_eq(one.bucket[b + 1], 1, "bucket %zu", b);
	}
	cr_assert_geq(stat_hist_upper(STAT_HIST_BUCKETS - 1), UINT64_C(1) << 40);
	stat_hist_add(&hist, UINT64_MAX);
	cr_assert_eq(hist.bucket[STAT_HIST_BUCKETS - 1], 1);
}

Test(stat, quantiles_are_right_to_a_quarter)
{
	cr_assert_eq(stat_hist_quantile(&hist, 500), 0);
	for (uint64_t v = 1; v <= 10000; v++)
		stat_hist_add(&hist, v);
	cr_assert_eq(hist.count, 10000);
	cr_assert_eq(hist.sum, 10000 * 10001 / 2);
	for (unsigned per_mille = 1; per_mille <= 1000; per_mille++) {
		uint64_t exact = per_mille * 10;
		uint64_t got = stat_hist_quantile(&hist, per_mille);

		cr_assert(got >= exact && got <= exact + exact / 4 + 1, "%u: %lu", per_mille,
		    (unsigned long)got);
	}
	cr_assert_eq(stat_hist_quantile(&hist, 0), 1);
}
