/* schedule.h -- the intended start times of one client in an open loop.
 *
 * They follow from the seed alone: neither the server's speed nor the tool's moves them. All lie on ticks of a loop's
 * timers (timer.h), so that the timer's grain makes no start late.
 */
#ifndef RP_BENCH_LOAD_SCHEDULE_H
#define RP_BENCH_LOAD_SCHEDULE_H

#include "bench/load/dice.h"

enum schedule_pace {
	SCHEDULE_POISSON, /* gaps are exponential: many clients that know nothing of each other */
	SCHEDULE_EVEN,    /* each gap is the mean one; the first start is anywhere within it */
};

enum { SCHEDULE_TICK_NS = 65536 };

struct schedule {
	struct dice dice;
	enum schedule_pace pace;
	double gap_ns;
	double at_ns; /* of the next start, since the beginning */
};

/* per_second: above 0. */
void schedule_init(struct schedule *schedule, struct dice dice, enum schedule_pace pace, double per_second);

/* The next start, in ns since the beginning: never before the one before it. */
uint64_t schedule_next(struct schedule *schedule);

#endif
