/* log_machine.h -- a simulated machine whose users append to the log, and the model that it is held against.
 *
 * The model knows of each record its bytes and its position, and of each user what was acknowledged: that is there after a
 * crash, in the order of LSNs; nothing is there that was never appended.
 */
#ifndef RP_TESTS_INDEX_LOG_MACHINE_H
#define RP_TESTS_INDEX_LOG_MACHINE_H

#include <stdio.h>

#include "index/claim.h"
#include "index/recover.h"
#include "io/base/assert.h"
#include "io/sim.h"
#include "tests/index/log_user.h"

enum {
	USERS = 5,
	SHARDS_MAX = 3,
	RECORDS_MAX = 4000,
	LARGE_BYTES = 70000,
};

/* What one record was when it was appended. */
struct model_record {
	uint64_t seed; /* its bytes follow from it */
	uint64_t position;
	struct dbox_ref ref;
	uint32_t payload_bytes;
	uint32_t body_bytes;
	uint64_t body_sum;
	bool streamed;
};

struct model_user {
	struct model_record records[RECORDS_MAX + 1]; /* by LSN */
	uint64_t appended;
	uint64_t durable; /* acknowledged */
	uint64_t first;   /* destroyed below */
	unsigned busy;    /* tasks in the middle of something */
	bool destroying;
};

struct machine;

struct shard {
	struct machine *machine;
	struct loop *loop;
	unsigned number;
	struct commit *commit;
	struct recover *recover;
	struct log_user users[USERS];
	bool open[USERS];
	unsigned workers;
	bool placed;
	bool adopted;
	bool ended;
};

/* What the seeds have met. */
struct tally {
	uint64_t crashes;
	uint64_t clean_ends;
	uint64_t records;
	uint64_t acknowledged;
	uint64_t recovered;
	uint64_t cut;
	uint64_t damaged;
	uint64_t reused;
	uint64_t crashes_in_recovery;
	uint64_t bodies_read;
	uint64_t streamed;
	uint64_t destroyed;
	uint64_t dropped; /* appended, not acknowledged, and gone after the crash */
	uint64_t shards_changed;
	uint64_t broken; /* users' files that took no write any more */
	uint64_t sealed; /* and were given up */
};

struct machine {
	struct sim_world *world;
	struct model_user model[USERS];
	struct shard shards[SHARDS_MAX];
	unsigned shards_count;
	uint64_t epoch;
	uint64_t random;
	struct claim *claim;
	bool claimed;
	bool stop;
	bool voided;
	bool was_clean;
	bool worn; /* files of users fail, one after the other */
	uint64_t seed;
	struct bytes old_log; /* of an earlier run: an evil mail */
	uint8_t old_log_room[LARGE_BYTES];
	struct tally *tally;
};

#define CHECK(machine, cond, ...)                                                                  \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, __VA_ARGS__);                                              \
			assert_panic(" seed %lu: %s", (machine)->seed, #cond);                     \
		}                                                                                  \
	} while (0)

/* Not the world's stream: what a task draws must not depend on the order of others. */
uint64_t log_machine_draw(struct machine *machine, uint64_t below);

/* The bytes that follow from a seed; of a record's body; and a sum of some. */
void log_machine_fill(uint8_t *p, size_t n, uint64_t seed);
void log_machine_body(struct machine *machine, const struct model_record *record, uint8_t *p);
uint64_t log_machine_sum(const uint8_t *p, size_t n);

/* The body of a record is there, byte for byte. */
void log_machine_check_body(struct task *task, struct shard *shard, unsigned u, uint64_t lsn);

/* After a start: the volume as it is becomes what the model goes on from. */
void log_machine_check_user(struct task *task, struct shard *shard, unsigned u);

#endif
