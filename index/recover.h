/* recover.h -- at start: read the commit logs of all shards there ever were, and deal the records out.
 *
 * Each log is read up to its first bad write, unless a later header says that it was durable: then that is damage, is
 * reported, and costs that record only. A user's records are put in their places, by epoch and LSN, before his volume
 * opens; the rest in the background. Afterwards each log file gets a new nonce before its first write.
 */
#ifndef RP_INDEX_RECOVER_H
#define RP_INDEX_RECOVER_H

#include "index/record.h"
#include "io/task.h"

struct recover;

/* Read the logs; keep the records of users whose home is this loop's shard of shards_count. */
RP_MUST_USE enum rp_err recover_open(struct task *task, unsigned shards_count, struct recover **out);

/* Has this user records that are not in their places yet? */
bool recover_has(const struct recover *recover, const struct userid *userid);

/* Put this user's records in their places (files under his directory), unflushed; then forget them. */
RP_MUST_USE enum rp_err recover_user(
    struct task *task, struct recover *recover, const struct userid *userid);

/* The next user with records to place; false: none left, and after a syncfs the logs may be reused. */
bool recover_next(const struct recover *recover, struct userid *userid);

/* The highest LSN and position facts are the volume's business; this is for `ready`'s log line and stats. */
struct recover_report {
	uint64_t files_read;
	uint64_t bytes_read;
	uint64_t records;
	uint64_t records_damaged;
	uint64_t users;
};
void recover_report(const struct recover *recover, struct recover_report *out);
void recover_close(struct recover *recover);

#endif
