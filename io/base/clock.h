/* clock.h -- time, in nanoseconds.
 *
 * Code that runs on a loop asks the loop (loop_now_ns, loop_wall_ns), where the simulator has a say;
 * these two are for programs without one. Timers use the monotonic clock alone.
 */
#ifndef RP_IO_BASE_CLOCK_H
#define RP_IO_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_US UINT64_C(1000)
#define CLOCK_NS_PER_MS UINT64_C(1000000)
#define CLOCK_NS_PER_S  UINT64_C(1000000000)

/* CLOCK_MONOTONIC. */
uint64_t clock_monotonic_ns(void);

/* CLOCK_REALTIME, since 1970. */
uint64_t clock_wall_ns(void);

/* CPU time of this thread. */
uint64_t clock_cpu_ns(void);

#endif
