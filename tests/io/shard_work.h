/* shard_work.h -- shards that call each other heavily: the work of several tests.
 */
#ifndef RP_TESTS_IO_SHARD_WORK_H
#define RP_TESTS_IO_SHARD_WORK_H

#include "io/loop.h"
#include "io/shard_call.h"

enum {
	SHARD_WORK_SHARDS_MAX = 4,
	SHARD_WORK_TASKS = 100, /* a shard; more than may be served at once */
	SHARD_WORK_ROUNDS = 40,
};

/* What each shard counts; read when all have ended. */
struct shard_work {
	struct loop *loop;
	unsigned shards_count;
	unsigned tasks_left;
	unsigned shards_ended; /* that have told us */
	uint64_t errors;
	uint64_t served;
	uint64_t held;
	uint64_t posts[SHARD_WORK_SHARDS_MAX];     /* sent to each */
	uint64_t next_post[SHARD_WORK_SHARDS_MAX]; /* expected from each */
};

extern const struct shard_group_settings shard_work_settings; /* but the count */

/* On the loop's own thread, once all have joined. The loop is stopped when all shards have ended.
 */
void shard_work_begin(struct shard_work *work, struct loop *loop, unsigned shards_count);

/* All as it must be? */
bool shard_work_is_right(const struct shard_work *work);

#endif
