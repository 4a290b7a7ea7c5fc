/* Which time it is, by a clock that may be wrong. */
#include "index/keep.h"

#include <criterion/criterion.h>

enum { DAY = 24 * 3600, YEAR = 365 * DAY };

Test(keep, a_clock_is_believed_when_it_has_stood_for_a_day)
{
	struct keep_clock clock = {0};
	bool sure;

	cr_assert_eq(keep_clock_now(&clock, 1000, 5, DAY, &sure), 1000);
	cr_assert(!sure);
	cr_assert_eq(keep_clock_now(&clock, 1000 + DAY - 1, 4 + DAY, DAY, &sure), 999 + DAY);
	cr_assert(!sure);
	cr_assert_eq(keep_clock_now(&clock, 1000 + DAY, 5 + DAY, DAY, &sure), 1000 + DAY);
	cr_assert(sure);
}

Test(keep, a_jump_forward_counts_after_a_day_and_one_back_at_once)
{
	struct keep_clock clock = {0};
	bool sure;

	(void)keep_clock_now(&clock, YEAR, 0, DAY, &sure);
	cr_assert_eq(keep_clock_now(&clock, YEAR + DAY, DAY, DAY, &sure), YEAR + DAY);
	/* A correction. */
	cr_assert_eq(keep_clock_now(&clock, YEAR + DAY + 3600, DAY, DAY, &sure), YEAR + DAY + 3600);
	/* A year forward; time goes on from where it was. */
	cr_assert_eq(keep_clock_now(&clock, 2 * YEAR, DAY + 10, DAY, &sure), YEAR + DAY + 3610);
	cr_assert(sure);
	cr_assert_eq(
	    keep_clock_now(&clock, 2 * YEAR + DAY, 2 * DAY + 9, DAY, &sure), YEAR + 2 * DAY + 3609);
	cr_assert_eq(
	    keep_clock_now(&clock, 2 * YEAR + DAY, 2 * DAY + 10, DAY, &sure), 2 * YEAR + DAY);
	/* And back. */
	cr_assert_eq(keep_clock_now(&clock, 10, 2 * DAY + 11, DAY, &sure), 10);
	cr_assert(sure);
}
