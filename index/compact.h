/* compact.h -- dbox files most of whose bodies nobody refers to any more are emptied, and go.
 *
 *   looked for: all indexes are scanned                         (compact_scan.c)
 *     -> the files take nothing more; from now on each new row that refers to them is noted
 *     -> scanned: which messages' bodies lie in them
 *     -> for one file after the other: each body copied to the file in use, in one record with the new places of all messages
 *        that share it (compact_move.c) -> what was noted meanwhile likewise, until nothing is -> a record: the file is void
 *     -> durable -> settled, by which they are removed (place.h); who has one open reads on
 *
 * Two looks at all that a user has, however many files: with more waste a file costs less, so it is not outrun by who makes it.
 * What is live is what an index refers to, or a view still lists, or can be brought back (kept.h); no stored count is believed. An index or a body that cannot be
 * read stops it. A crash leaves less to copy for the next time, or a file without a live body.
 */
#ifndef RP_INDEX_COMPACT_H
#define RP_INDEX_COMPACT_H

#include "index/change.h"
#include "index/volume_state.h"

enum { COMPACTS_MAX = 1 }; /* of a shard at the same time */

struct compact;

/* Start one if it may be worth while. No task. */
void compact_consider(struct volume *volume);

/* In a change's breath: likewise, when so much mail has come or gone since the last time that it may be. */
void compact_count(struct volume *volume);

/* Empty what files are worth it, now. RP_ERR_BUSY: one is under way. For tests and tools. */
RP_MUST_USE enum rp_err compact_now(struct task *task, struct volume *volume);

/* Between these none runs, and no file goes: for who knows places of bodies over suspensions. One that is under way ends early;
 * but if they have kept one off for a minute whoever comes waits till a file is emptied. compact_let_go() also after an error. */
RP_MUST_USE enum rp_err compact_hold(struct task *task, struct volume *volume);
void compact_let_go(struct volume *volume);

/* In a change's breath: these rows are new. */
void compact_note(struct compact *compact, const struct change_item *item);

/* Likewise: so many bytes of messages are there once more, and their bodies are not. */
void compact_note_copied(struct volume *volume, uint64_t bytes);

#endif
