/* commit.h -- one shard's commit log: what makes an OK durable.
 *
 *   commit_reserve   commit_append        write done, in order       settled, syncfs
 *  (task, suspends) ------------> queued ----------------> durable ------------------> reused
 *
 * A record is queued in one breath with the change it describes; writes gather what is queued (group
 * commit, DESIGN section 4). When it is durable the watcher is told, and the record waits to be settled
 * (settle.h) into its user's own files. A failed log write is final: commit_failed() is true from then on,
 * durable never moves again, the watcher is told.
 *
 * One loop, its thread. `index/volume` is the only caller besides `index/store`.
 */
#ifndef RP_INDEX_COMMIT_H
#define RP_INDEX_COMMIT_H

#include "index/settle.h"

struct commit_settings {
	uint64_t file_bytes;   /* of one log file: 64 MiB; quickstart and tests 4 MiB; at least 64 KiB */
	uint64_t memory_bytes_max; /* of records not yet settled; commit_reserve waits beyond; at least 1 MiB */
	uint64_t reserve_bytes; /* of DATA/reserve, made again when a disk that was full has room; 0: memory_bytes_max */
	unsigned files_max;    /* log files at most; 0: COMMIT_FILES_MAX */
	uint64_t epoch;
	uint64_t lost_epoch;   /* LOGFILE_EXTRA_LOST of its files */
	bool recovering;       /* logs of earlier epochs are still being placed: commit_recovered() will follow */
	void (*changed)(void *arg); /* durable has moved, or the log has failed. No task; may start some. */
	void (*settled)(void *
	        arg); /* some user's records are in his files, which are open. No task. NULL is fine. */
	void *arg;
};

enum {
	COMMIT_FILES_START = 2,
	COMMIT_FILES_MAX = 16, /* beyond, changes wait until the disk has taken what is settled */
	COMMIT_FILES_RECOVERING = 16, /* times as many while recovery is not over, or somebody is stuck */
	COMMIT_WRITES_MAX = 4, /* under way at the same time */
	COMMIT_RESERVE_PARTS = 5, /* one of them is for what makes room */
	COMMIT_ROOM_FILES = 1024, /* with fewer left to be made the disk is full: a new user's mail is three */
	COMMIT_SCARCE_FILES = 64, /* with fewer, room is scarce */
};

/* Take over this shard's free log files, make what is missing: recover_open() has read the logs on every shard. */
RP_MUST_USE enum rp_err commit_open(
    struct task *task, const struct commit_settings *settings, struct commit **out);

/* All that was appended is durable, settled and synced, and the log files say that they hold nothing, when it returns
 * RP_OK. RP_ERR_UNKNOWN: the log failed, or what is durable could not be settled: recovery will. Either way `commit` is
 * gone, and so are its entries. No task may wait in it. NULL is fine. */
RP_MUST_USE enum rp_err commit_close(struct task *task, struct commit *commit);

/* All that earlier epochs left is placed, synced, and its logs are void (recover_void()): free files that are there now
 * may be used, and from now on files are used again. */
RP_MUST_USE enum rp_err commit_recovered(struct task *task, struct commit *commit);

/* Room for records of `bytes` (record_bytes()) in all, kept for this task until it appends them or gives it
 * back. RP_ERR_NOSPACE: the disk is full and cannot even take what is promised; RP_ERR_UNAVAILABLE: the log has
 * failed; RP_ERR_LIMIT: no log file could hold it. */
RP_MUST_USE enum rp_err commit_reserve(struct task *task, struct commit *commit, uint64_t bytes);
void commit_unreserve(struct commit *commit, uint64_t bytes);

/* Settle at once what is durable, without waiting for more of the same user, until it is turned off: what is not settled holds
 * something that is short. */
void commit_press(struct commit *commit, bool on);

/* What DATA's disk still takes, of bytes and of files. */
enum commit_room {
	COMMIT_ROOM_ENOUGH,
	COMMIT_ROOM_FULL,   /* new mail is refused; flags and expunges go on */
	COMMIT_ROOM_SCARCE, /* most of the reserve is used up as well: only what makes room goes on */
};

/* By the last look: there is one a second while something settles. */
enum commit_room commit_room(const struct commit *commit);

/* Look at once, for what will need files of its own. */
void commit_look_at_room(struct task *task, struct commit *commit);

/* So many bytes more may be written by what need not be, before room is scarce. */
uint64_t commit_room_bytes(const struct commit *commit);

/* Likewise by what makes more room than it takes: while the reserve is there what was promised has that, so all that is free. */
uint64_t commit_room_to_gain_bytes(const struct commit *commit);

/* Queue one record; room was reserved. header: type, flags, userid, lsn, place are set by the caller, the rest is
 * done here. payload and body are copied. Cannot fail. Returns its position; *entry (may be NULL) is borrowed until
 * it is settled. */
uint64_t commit_append(struct commit *commit, struct settle *settle, struct record_header header,
    struct bytes payload, struct bytes body, struct commit_entry **entry);

/* A held entry's bytes stay, and with them up to 1 MiB of the log's memory: not for long. */
void commit_entry_hold(struct commit_entry *entry);
void commit_entry_release(struct commit *commit, struct commit_entry *entry);

/* Everything before this position is durable. Positions of one shard only grow, over all files of a run. */
uint64_t commit_durable(const struct commit *commit);
uint64_t commit_position(const struct commit *commit); /* of what was appended last */
bool commit_failed(const struct commit *commit);

/* Wait until durable >= position. RP_ERR_UNKNOWN: the log has failed before that. */
RP_MUST_USE enum rp_err commit_wait(struct task *task, struct commit *commit, uint64_t position);

/* What a person asks for: all since commit_open(). */
struct commit_stats {
	uint64_t records;
	uint64_t writes;
	uint64_t written_bytes;
	uint64_t files;
	uint64_t files_reused; /* how often a file was used again */
	uint64_t settles;
	uint64_t memory_bytes;
	uint64_t waits; /* commit_reserve had to wait for memory */
	uint64_t files_sealed; /* users' files that failed: the rest went to others */
	uint64_t files_bound;  /* with so many files, and one that cannot be used again, changes wait */
	uint64_t users_stuck;  /* now: settle_is_stuck() */
};
void commit_stats(const struct commit *commit, struct commit_stats *out);

#endif
