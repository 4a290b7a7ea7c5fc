/* merge.h -- the sealed journals of a user become one with the same effect, when most of what they say counts no more.
 *
 *   a checkpoint has ended -> two sealed journals or more, all of whose records every index and the catalog have
 *     -> read: what counts (thin.h) -> read again: written to a file beside -> read back: it makes the same catalog
 *     -> it takes their place (journal_merge.h)
 *
 * A journal in which something is missing is left as it is: the gap says that something was lost, and what.
 */
#ifndef RP_INDEX_MERGE_H
#define RP_INDEX_MERGE_H

#include "index/volume_state.h"

enum {
	MERGES_MAX = 1,       /* of a shard at the same time */
	MERGE_ROW_BYTES = 64, /* of journal that a message surely takes */
};

/* Start one if it may be worth while. No task. */
void merge_consider(struct volume *volume);

/* Merge now, if it is worth while. RP_ERR_BUSY: one is under way. For tests and tools. */
RP_MUST_USE enum rp_err merge_now(struct task *task, struct volume *volume);

#endif
