/* replay.h -- the changes of a journal, whole ones only.
 *
 * A change may be a group of records (change.h). One whose last part never became durable did not happen, so the parts
 * of a group are kept until the last is met. What a damaged record took with it is passed over.
 */
#ifndef RP_INDEX_REPLAY_H
#define RP_INDEX_REPLAY_H

#include "index/change.h"
#include "index/journal.h"
#include "io/base/list.h"

/* One record of a change that happened; payload is good during the call. */
typedef enum rp_err replay_fn(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload);

struct replay {
	replay_fn *fn;
	void *arg;
	struct log *log;
	const char *volume; /* its directory, for the log; borrowed */
	struct list parts; /* of a group whose last part was not met yet */
	uint64_t parts_bytes;
	uint32_t part_next;   /* 0: between groups */
	uint64_t lsn;         /* of the last record that was met */
	uint64_t missing;     /* records lost to damage */
	uint64_t missing_last; /* the newest of them; 0: none */
};

/* log: NULL where nothing is to be said. */
void replay_init(struct replay *replay, struct log *log, const char *volume, replay_fn *fn, void *arg,
    uint64_t since);
void replay_fini(struct replay *replay);

/* The newest records are lost: those of a group whose last part they were are taken too, as where records are lost between others. */
RP_MUST_USE enum rp_err replay_lost_end(struct task *task, struct replay *replay);

/* A journal_replay_fn; arg: struct replay. */
RP_MUST_USE enum rp_err replay_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last);

#endif
