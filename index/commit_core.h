/* commit_core.h -- the inside of one shard's commit log. For commit*.c and settle.c alone.
 *
 * Memory is chunks. From a chunk's front grow the writes as they go to the disk (segments, each from a fresh block);
 * from its end grow the small objects that belong to them. So appending a record allocates nothing, and a chunk is
 * given back whole, when its last record is in its place.
 *
 * A log file goes round:
 *
 *   (made) --> free --> current --> full --------------------> free
 *      header written     room used up     all settled, syncfs, new header
 *
 * One more is kept beside, which says that it holds nothing and is never used: a crash leaves it as it is, so that there is
 * a log to begin with where the disk is full and all others still hold what has to be placed first.
 *
 * Files become full, and free again, in one order: so what is missing before the oldest is settled (recover.c).
 */
#ifndef RP_INDEX_COMMIT_CORE_H
#define RP_INDEX_COMMIT_CORE_H

#include "index/commit.h"
#include "index/logfile.h"
#include "io/base/seldom.h"

enum {
	COMMIT_GATHER_BYTES = 256 * 1024,
	COMMIT_CHUNK_BYTES = 1024 * 1024,
	COMMIT_CHUNKS_SPARE = 2,  /* made before they are needed */
	COMMIT_CHUNKS_KEPT = 8,   /* for the next: memory that was never touched costs a fault per page */
	COMMIT_SETTLE_TRIES = 10, /* one a second; then this user is stuck, and tried again more rarely */
	COMMIT_STUCK_RETRY_S = 60,
	COMMIT_STUCK_ROOM_S = 10, /* so long nobody else's records give room any more: the log ends, and recovery tries */
};
#define COMMIT_GATHER_NS (200 * UINT64_C(1000))

struct commit_chunk {
	struct list link; /* in commit->chunks or commit->spares */
	uint8_t *p;       /* aligned to a block */
	bool pinned;      /* of the loop's pinned memory */
	size_t front;     /* free is [front, back) */
	size_t back;
	unsigned refs; /* segments in it; one more while it is the newest */
};

struct commit_file {
	struct list link; /* in commit->free or commit->full */
	uint64_t number;
	struct file *file;
	uint64_t at;    /* where the next write goes */
	uint64_t nonce;
	uint64_t unsettled; /* entries in it that are not in their places */
};

struct commit_segment {
	struct list link;  /* in commit->unsent, then commit->sent */
	struct list alive; /* in commit->segments */
	struct commit_chunk *chunk;
	struct commit_file *file; /* once it is sent */
	uint8_t *p;
	size_t used;
	unsigned records;
	unsigned refs; /* entries; one more until it is durable */
	uint64_t number;
	uint64_t end_position;
	uint64_t first_ns; /* when its first record came */
	struct commit_entry *entries;
	struct commit_entry **entries_end;
	bool done;
	bool waited_for; /* a writer has set itself a time for it */
};

struct commit {
	struct loop *loop;
	struct commit_settings settings;
	struct file *sync; /* on DATA, held since the start: no error of a flush is missed */
	size_t chunk_bytes;
	size_t segment_bytes_max;
	uint8_t *pinned;      /* memory that is cheaper to write from, for the first chunks */
	uint64_t pinned_free; /* a bit for each chunk of it */

	struct list chunks; /* the newest last */
	struct list spares;
	size_t chunks_count;
	size_t spares_count;
	uint64_t live_bytes;     /* of segments, in blocks */
	uint64_t unsettled;      /* entries that are not in their places */
	uint64_t reserved_bytes; /* promised to tasks */
	struct task_queue room;  /* who waits in commit_reserve */

	uint64_t position;
	uint64_t durable;
	struct task_queue durable_wait;
	struct list segments; /* all alive */
	struct list unsent;   /* the last one may be open */
	struct commit_segment *open;
	struct list sent;
	unsigned writing;
	bool choosing; /* a writer is at the file question: the order of writes is that of segments */
	uint64_t number;         /* of the last write that was sent */
	uint64_t durable_number;
	struct task_queue writers;

	struct commit_file *current;
	struct list free;
	struct list full; /* the oldest first */
	struct commit_file *spare; /* NULL: none yet */
	uint64_t spare_retry_ns;   /* not before: there was no room for it */
	unsigned files_count;
	uint64_t files_there;  /* LOGFILE_EXTRA_FILES */
	uint64_t files_number; /* the highest name */
	uint64_t files_before; /* the highest that earlier runs left */
	uint64_t use;
	bool wants_file;               /* a writer waits for one */
	bool no_new_file;              /* the last one could not be made */
	struct task_queue file_wait;
	bool readying; /* a file gets its header: the next one when it is in `free` */
	struct task_queue ready_wait;
	struct task_queue recycle_wait;
	struct task_queue make_wait;

	struct list dirty; /* of struct settle: something durable waits, the oldest first */
	struct list urgent;
	struct list failed_users; /* likewise, and the last try failed: each has a time to be tried again */
	uint64_t failed_due_ns;   /* none of them before */
	struct seldom failed_told; /* of these, whom the log has named */
	unsigned settling;        /* write functions under way */
	unsigned settling_failed; /* of these, of users whose last try failed */
	bool hurry;        /* settle now: a log file is needed */
	bool pressed;      /* settle now: commit_press() */
	bool draining;     /* settle all: the end */
	struct task_queue settlers;
	struct task_queue settled_wait;
	uint64_t room_checked_ns;
	enum commit_room disk;
	enum commit_room disk_told;
	uint64_t disk_free_bytes; /* when it was looked at last, if it was not ENOUGH then */
	bool reserve_given; /* it is not there, as far as is known */
	uint64_t reserve_gifts; /* how often it was given up here */
	bool settle_stuck;
	unsigned users_stuck;   /* whose files cannot be written */
	uint64_t stuck_room_ns; /* since then their records take all the room that there is; 0: they do not */

	bool direct;
	bool failed;
	bool stopping;
	unsigned tasks_count;
	struct task_queue ended;
	struct commit_stats stats;
};

/* Of DATA's disk, what is not for changes that can be refused: part of the reserve, and what was promised and is not settled. */
uint64_t commit_core_scarce_bytes(const struct commit *commit);

void commit_core_fail(struct commit *commit, const char *what, enum rp_err err);

/* commit_memory.c. next_chunk: it takes the newest one's place; have_spares() saw to it that there is one. */
void commit_core_divide_pinned(struct commit *commit);
RP_MUST_USE enum rp_err commit_core_have_spares(struct commit *commit, uint64_t bytes);
struct commit_chunk *commit_core_newest_chunk(struct commit *commit);
struct commit_chunk *commit_core_next_chunk(struct commit *commit);
uint64_t commit_core_live_bytes(const struct commit_segment *segment);
void commit_core_unref_segment(struct commit *commit, struct commit_segment *segment);
void commit_core_free_chunks(struct commit *commit);

/* Is there memory for so much more? */
bool commit_core_has_room(const struct commit *commit, uint64_t bytes);

/* settle.c: this entry is durable now; nothing is left but records of users who are stuck; a task for commit->settlers. */
void settle_core_durable(struct commit *commit, struct commit_entry *entry);
bool settle_core_only_stuck(const struct commit *commit);
void settle_core_task(struct task *task, void *arg);
bool settle_core_has_room_for_file(struct task *task, const struct commit *commit); /* may a log file be made? */

/* commit_file.c: this shard's files. Its header has a new nonce: it can be used. Or it is kept beside. And one of ours with this name is made, or made anew over one that holds
 * nothing, for either. */
RP_MUST_USE enum rp_err commit_core_ready(
    struct task *task, struct commit *commit, struct commit_file *file);
RP_MUST_USE enum rp_err commit_core_ready_spare(
    struct task *task, struct commit *commit, struct commit_file *file);
RP_MUST_USE enum rp_err commit_core_make_file(struct task *task, struct commit *commit, uint64_t number,
    enum rp_err (*then)(struct task *, struct commit *, struct commit_file *));
RP_MUST_USE enum rp_err commit_core_open_files(struct task *task, struct commit *commit);
RP_MUST_USE enum rp_err commit_core_adopt(struct task *task, struct commit *commit);
RP_MUST_USE enum rp_err commit_core_free_all(struct task *task, struct commit *commit);
void commit_core_close_files(struct commit *commit);

/* commit_reuse.c: when files are used again, and made. */
void commit_core_recycle_task(struct task *task, void *arg);
void commit_core_make_task(struct task *task, void *arg);
void commit_core_wake_recycler(struct commit *commit);
unsigned commit_core_files_bound(const struct commit *commit);
bool commit_core_has_no_files(const struct commit *commit); /* a writer waits, and none is used again, nor made */

/* commit_write.c */
void commit_core_write_task(struct task *task, void *arg);
void commit_core_wake_writer(struct commit *commit);

#endif
