/* neighbour.h -- a connection that asks NOOP, again and again, on the shard where the work goes on: how long is it held up?
 *
 * It is one of the same user, for his are on one shard, and has no mailbox selected.
 */
#ifndef RP_BENCH_LOAD_NEIGHBOUR_H
#define RP_BENCH_LOAD_NEIGHBOUR_H

#include "bench/load/work.h"

struct neighbour;

struct neighbour *neighbour_start(const struct work *work);

/* End it. Round trips in ms: the 99th percentile and the longest. */
void neighbour_stop(struct neighbour *neighbour, double *p99_ms, double *longest_ms);

#endif
