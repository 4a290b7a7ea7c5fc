/* commit.h -- one shard's commit log: what makes an OK durable, and the settling of what is durable.
 *
 *   commit_reserve   commit_append        write done, in order       settled, syncfs
 *  (task, suspends) ------------> queued ----------------> durable ------------------> reused
 *
 * A record is queued in one breath with the change it describes; writes gather what is queued (group
 * commit, DESIGN section 4). When it is durable the watcher is told, and the record waits to be settled
 * into its user's own files; until then its bytes stay in memory and reads are served from there. A failed
 * log write is final: commit_failed() is true from then on, durable never moves again, the watcher is told.
 *
 * One loop, its thread. `index/volume` is the only caller besides `index/store`.
 */
#ifndef RP_INDEX_COMMIT_H
#define RP_INDEX_COMMIT_H

#include "index/record.h"
#include "io/base/list.h"
#include "io/task.h"

struct commit;
struct settle;

struct commit_settings {
	uint64_t file_bytes;   /* of one log file: 64 MiB; quickstart and tests 4 MiB */
	uint64_t memory_bytes_max; /* of records not yet settled; commit_reserve waits beyond */
	uint64_t epoch;
	void (*changed)(void *arg); /* durable has moved, or the log has failed. No task; may start some. */
	void *arg;
};

/* Read nothing, make or take over this shard's log files: recovery has been done (recover.h). */
RP_MUST_USE enum rp_err commit_open(
    struct task *task, const struct commit_settings *settings, struct commit **out);

/* All that was appended is durable, settled and synced when it returns RP_OK. */
RP_MUST_USE enum rp_err commit_close(struct task *task, struct commit *commit);

/* Room for records of `bytes` (record_bytes()) in all, kept for this task until it appends them or gives it
 * back. RP_ERR_NOSPACE: the disk is full; RP_ERR_UNAVAILABLE: the log has failed. */
RP_MUST_USE enum rp_err commit_reserve(struct task *task, struct commit *commit, uint64_t bytes);
void commit_unreserve(struct commit *commit, uint64_t bytes);

/* A record that is in the log but not yet in its user's files. Counted; read-only. */
struct commit_entry {
	struct list link; /* in its settle's list, by LSN */
	struct settle *settle;
	uint64_t position; /* where it ends in the log: durable when commit_durable() >= this */
	unsigned refs;
	struct record record; /* spans into the entry's own memory */
};

/* Queue one record; room was reserved. header: type, userid, lsn, place, sizes are set by the caller, the rest is
 * done here. payload and body are copied. Cannot fail. Returns its position; *entry (may be NULL) is borrowed until
 * it is settled. */
uint64_t commit_append(struct commit *commit, struct settle *settle, struct record_header header,
    struct bytes payload, struct bytes body, struct commit_entry **entry);

void commit_entry_hold(struct commit_entry *entry);
void commit_entry_release(struct commit_entry *entry);

/* Everything before this position is durable. Positions of one shard only grow, over files and restarts of a run. */
uint64_t commit_durable(const struct commit *commit);
uint64_t commit_position(const struct commit *commit); /* of what was appended last */
bool commit_failed(const struct commit *commit);

/* Wait until durable >= position. RP_ERR_UNKNOWN: the log has failed before that. */
RP_MUST_USE enum rp_err commit_wait(struct task *task, struct commit *commit, uint64_t position);

/* One user's records on their way to his files: lies in his volume. The commit log calls write() from a task of its
 * own when records have gathered (64 KiB, 1 s, or need of a log file), with durable records only, in LSN order; write
 * puts them at their places, unflushed. An error is answered as DESIGN section 4 says ("Settle"). */
struct settle {
	struct list entries; /* of struct commit_entry, by LSN */
	uint64_t bytes;      /* of the durable ones */
	uint64_t oldest_ns;  /* when the oldest became durable; 0: none */
	struct list link;    /* in the commit log's list of those with something to do */
	bool writing;
	enum rp_err (*write)(struct task *task, struct settle *settle);
};

void settle_init(struct settle *settle, enum rp_err (*write)(struct task *, struct settle *));

/* The write function has put this entry in its place: it leaves the list. */
void settle_done(struct commit *commit, struct commit_entry *entry);

/* Settle all of this user's durable records now, and wait for it. */
RP_MUST_USE enum rp_err settle_flush(struct task *task, struct commit *commit, struct settle *settle);

#endif
