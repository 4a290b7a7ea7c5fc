/* purge.h -- all of a user's mail goes, for good.
 *
 *   a record says so (RECORD_DESTROYS)   durable: from here on he has none, whatever is still on the disk
 *   it is in its place                   in a journal of its own, which stays: no log brings him back
 *   every other file of his is removed   whoever was to remove them, recovery does it while a log has the record
 */
#ifndef RP_INDEX_PURGE_H
#define RP_INDEX_PURGE_H

#include "index/store.h"

struct dbox;
struct journal;

/* On his home shard. Doing it again is all there is to do after any error, or a crash. RP_ERR_BUSY: a body is still being
 * written; his mail is gone, some of its files are not. RP_ERR_UNAVAILABLE: he is being repaired, or cannot be read now. */
RP_MUST_USE enum rp_err purge_user(
    struct task *task, struct store *store, const struct userid *userid);

/* The files alone, when the record with this LSN is in its place; where no journal begins with it nothing is removed. */
RP_MUST_USE enum rp_err purge_files(
    struct task *task, const char *dir, struct journal *journal, struct dbox *dbox, uint64_t lsn);

#endif
