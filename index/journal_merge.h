/* journal_merge.h -- the files of a merge: a new one beside the old ones, and then in their place.
 *
 *   begin -> journal.tmp: header, records as they are put -> looked at -> synced, named <first>+<last>.journal, the name
 *   synced -> in one breath it stands in the list for the files whose LSNs it has -> these are removed
 *
 * A crash leaves the old files, or both, or the new one. What the records say is merge.h's business.
 */
#ifndef RP_INDEX_JOURNAL_MERGE_H
#define RP_INDEX_JOURNAL_MERGE_H

#include "index/journal.h"

struct journal_merge;

/* Are there two files, or what a merge has left? Without a look at the disk. */
bool journal_wants_merge(const struct journal *journal, uint64_t bound);

/* The files at the beginning of the journal that are sealed, settled, and have no LSN above `bound`: the last LSN of them,
 * and their bytes. 0: there are not two of them, or one cannot be read. Always from the first file on. */
RP_MUST_USE enum rp_err journal_mergeable(
    struct task *task, struct journal *journal, uint64_t bound, uint64_t *last, uint64_t *bytes);

/* A file for what counts of the records up to `last`, as journal_mergeable() said it. One at a time. */
RP_MUST_USE enum rp_err journal_merge_begin(
    struct task *task, struct journal *journal, uint64_t last, struct journal_merge **out);

/* A file for all that there ever was, LSNs 1 to `last`, which is above any that was given out (repair). When it has its name, and
 * that is durable, all other files are void; this journal does not know, and is opened anew. Put and abort as of a merge. */
RP_MUST_USE enum rp_err journal_replace_begin(
    struct task *task, struct journal *journal, uint64_t last, struct journal_merge **out);
RP_MUST_USE enum rp_err journal_replace_end(struct task *task, struct journal_merge *merge);

/* The next record: header as it was, payload perhaps a shorter one. By LSN; the last one is `last`'s. */
RP_MUST_USE enum rp_err journal_merge_put(struct task *task, struct journal_merge *merge,
    const struct record_header *header, struct bytes payload);

/* Bytes of the new file so far. */
uint64_t journal_merge_bytes(const struct journal_merge *merge);

/* As journal_replay(), of the new file alone, as it is on the disk. */
RP_MUST_USE enum rp_err journal_merge_replay(
    struct task *task, struct journal_merge *merge, journal_replay_fn *fn, void *arg);

/* It takes the place of the others, which are removed. On an error the journal is as it was. Gone in any case. */
RP_MUST_USE enum rp_err journal_merge_end(struct task *task, struct journal_merge *merge);

/* It was for nothing; NULL is fine. */
void journal_merge_abort(struct task *task, struct journal_merge *merge);

/* Remove the files that lie in a merged one's range: a crash has left them. */
RP_MUST_USE enum rp_err journal_remove_void(struct task *task, struct journal *journal);

#endif
