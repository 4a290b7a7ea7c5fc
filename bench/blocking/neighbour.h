/* neighbour.h -- connections that ask NOOP, again and again, on the shards where the work goes on: how long are they held up?
 *
 * They are of other users, for one of the same user is told nothing that is not durable yet, and so waits for the disk.
 * Which of them are on the busy shard is not known: the worst of them is told.
 */
#ifndef RP_BENCH_BLOCKING_NEIGHBOUR_H
#define RP_BENCH_BLOCKING_NEIGHBOUR_H

#include "bench/blocking/work.h"

struct neighbours;

struct neighbours *neighbours_start(const struct work *work);

/* End it. Round trips of the worst, in ms: the 99th percentile and the longest. */
void neighbours_stop(struct neighbours *neighbours, double *p99_ms, double *longest_ms);

#endif
