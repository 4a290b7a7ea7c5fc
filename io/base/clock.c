#include "io/base/clock.h"

#include <time.h>

#include "io/base/assert.h"

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;
	int failed = clock_gettime(id, &t);

	RP_ASSERT(failed == 0);
	return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
