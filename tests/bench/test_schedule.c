#include "bench/load/schedule.h"

#include <criterion/criterion.h>
#include <math.h>

#include "io/base/clock.h"

static struct schedule schedule_of(uint64_t seed, uint64_t client, enum schedule_pace pace, double per_second)
{
	struct schedule schedule;

	schedule_init(&schedule, dice_of(seed, 1, client), pace, per_second);
	return schedule;
}

Test(schedule, the_same_seed_gives_the_same_times_and_another_gives_others)
{
	struct schedule a = schedule_of(3, 4, SCHEDULE_POISSON, 100);
	struct schedule b = schedule_of(3, 4, SCHEDULE_POISSON, 100);
	struct schedule c = schedule_of(4, 4, SCHEDULE_POISSON, 100);
	struct schedule d = schedule_of(3, 5, SCHEDULE_POISSON, 100);
	unsigned same_c = 0;
	unsigned same_d = 0;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t at = schedule_next(&a);

		cr_assert_eq(at, schedule_next(&b));
		same_c += at == schedule_next(&c);
		same_d += at == schedule_next(&d);
	}
	cr_assert_lt(same_c, 10);
	cr_assert_lt(same_d, 10);
}

/* What a seed gives today it gives for ever: results of different versions are of the same load. */
Test(schedule, times_of_a_seed_never_change)
{
	static const uint64_t expected[] = {24, 29, 31, 35, 90, 105, 112, 128};
	struct schedule schedule = schedule_of(1, 0, SCHEDULE_POISSON, 1000);

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		cr_assert_eq(schedule_next(&schedule) / SCHEDULE_TICK_NS, expected[i], "start %zu", i);
}

Test(schedule, starts_never_go_back_and_lie_on_ticks)
{
	struct schedule schedule = schedule_of(5, 0, SCHEDULE_POISSON, 50000);
	uint64_t before = 0;

	for (unsigned i = 0; i < 10000; i++) {
		uint64_t at = schedule_next(&schedule);

		cr_assert_geq(at, before);
		cr_assert_eq(at % SCHEDULE_TICK_NS, 0);
		before = at;
	}
}

/* 100,000 starts: the rate is right within five standard deviations, and gaps spread as exponential ones do. */
Test(schedule, the_rate_of_poisson_is_right)
{
	enum { STARTS = 100000 };
	struct schedule schedule = schedule_of(9, 0, SCHEDULE_POISSON, 20);
	double mean = 1e9 / 20;
	double sum_squares = 0;
	double before = 0;
	double at = 0;

	for (unsigned i = 0; i < STARTS; i++) {
		at = (double)schedule_next(&schedule);
		sum_squares += (at - before - mean) * (at - before - mean);
		before = at;
	}
	cr_assert_lt(fabs(at / STARTS / mean - 1), 5 / sqrt(STARTS));
	cr_assert_lt(fabs(sqrt(sum_squares / STARTS) / mean - 1), 0.02);
}

Test(schedule, even_starts_are_one_gap_apart)
{
	struct schedule schedule = schedule_of(9, 3, SCHEDULE_EVEN, 10);
	uint64_t first = schedule_next(&schedule);

	cr_assert_leq(first, CLOCK_NS_PER_S / 10 + SCHEDULE_TICK_NS);
	for (unsigned i = 1; i < 1000; i++) {
		double off = (double)schedule_next(&schedule) - (double)first - i * 1e8;

		cr_assert_lt(fabs(off), 2 * SCHEDULE_TICK_NS);
	}
}
