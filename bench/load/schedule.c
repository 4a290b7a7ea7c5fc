#include "bench/load/schedule.h"

#include <math.h>

#include "io/base/assert.h"

static double gap(struct schedule *schedule)
{
	if (schedule->pace == SCHEDULE_EVEN)
		return schedule->gap_ns;
	return -log(dice_unit(&schedule->dice)) * schedule->gap_ns;
}

void schedule_init(
    struct schedule *schedule, struct dice dice, enum schedule_pace pace, double per_second)
{
	RP_ASSERT(per_second > 0);
	*schedule = (struct schedule){.dice = dice, .pace = pace, .gap_ns = 1e9 / per_second};
	schedule->at_ns = pace == SCHEDULE_EVEN ? dice_unit(&schedule->dice) * schedule->gap_ns
	                                        : gap(schedule);
}

uint64_t schedule_next(struct schedule *schedule)
{
	uint64_t ticks = (uint64_t)(schedule->at_ns / SCHEDULE_TICK_NS + 0.5);

	schedule->at_ns += gap(schedule);
	return ticks * SCHEDULE_TICK_NS;
}
