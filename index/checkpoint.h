/* checkpoint.h -- derived files are written anew now and then, so that opening needs little of the journal.
 *
 *   for each mailbox whose index lacks something:
 *     table_write to a .tmp -> all that is in it durable -> renamed -> opened, replayed, swapped in one breath
 *   then the catalog in the same way; files that these replace go at the next checkpoint
 *
 * In the background, a few volumes at a time. Nothing here is flushed: a file that a crash spoils is rebuilt.
 */
#ifndef RP_INDEX_CHECKPOINT_H
#define RP_INDEX_CHECKPOINT_H

#include "index/volume_state.h"

enum {
	CHECKPOINT_BYTES_MIN = 256 * 1024, /* of journal, before one is worth while */
	CHECKPOINT_ROW_BYTES = 64,         /* an index's bytes, about, for each message */
	CHECKPOINT_FILE_BYTES = 8192,      /* of one, besides: what it takes on the disk at least */
	CHECKPOINT_NAME_BYTES = 128,       /* the catalog's, about, for each name */
	CHECKPOINTS_MAX = 2,               /* of a shard at the same time: it is paced by that */
};

/* Start one if the journal has grown enough since the last. No task. */
void checkpoint_consider(struct volume *volume);

/* bytes were added to the journal. */
void checkpoint_count(struct volume *volume, uint64_t bytes);

/* Write all that is behind, now. RP_ERR_BUSY: one is under way. For tests, tools and the end of a run. */
RP_MUST_USE enum rp_err checkpoint_now(struct task *task, struct volume *volume);

#endif
