/* pace.h -- background work gives way: so many bytes in a second, and no more than a share of the time.
 *
 *   pace_begin -> a piece of work, pace_spend of its bytes (sleeps) -> the next piece ...
 *
 * The bytes are those of all such work of a shard. The share is of the time between two calls, waits for the disk included: so the
 * processor's is less. Without settings (tests, tools) it only lets others have their turn.
 */
#ifndef RP_INDEX_PACE_H
#define RP_INDEX_PACE_H

#include "io/task.h"

struct store;

struct pace {
	uint64_t from_ns; /* when this piece of work began */
	uint64_t owed_ns; /* of sleep; slept when it has gathered */
};

void pace_begin(struct pace *pace, const struct store *store);
RP_MUST_USE enum rp_err pace_spend(
    struct task *task, struct store *store, struct pace *pace, uint64_t bytes);

/* Did it end for a reason that may be over when it is tried again, with nothing new to do? */
bool pace_cut_short(enum rp_err err);

#endif
