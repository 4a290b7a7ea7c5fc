/* settle.h -- what is durable goes to its place in the user's own files.
 *
 *   appended ------------> durable ------------> gathered ------------> written ------> synced, the log file reused
 *            (commit.h)             64 KiB, 1 s,            settle_write
 *                                   need of room
 *
 * Until a record is written its bytes stay in memory and reads are served from there. The commit log keeps a few tasks
 * that take one user after the other and call his write function; nothing here is flushed, one syncfs before a log
 * file is reused covers all.
 */
#ifndef RP_INDEX_SETTLE_H
#define RP_INDEX_SETTLE_H

#include "index/record.h"
#include "io/base/list.h"
#include "io/task.h"

struct commit;
struct commit_segment;
struct dbox;
struct journal;
struct settle;

enum {
	SETTLE_GATHER_BYTES = 64 * 1024, /* of one user's: then they are written at once */
	SETTLE_TASKS = 4,                /* users written at the same time */
};
#define SETTLE_GATHER_NS (1000 * 1000 * UINT64_C(1000)) /* so long a record waits for others at most */

/* A record that is in the log but not yet in its user's files. Counted; read-only. */
struct commit_entry {
	struct list link; /* in its settle's list, by LSN */
	struct settle *settle; /* NULL: it is in its place */
	uint64_t position; /* where it ends in the log: durable when commit_durable() >= this */
	unsigned refs;
	struct record record; /* spans into the log's memory */
	struct commit_segment *segment; /* commit.c's */
	struct commit_entry *next;      /* in its segment */
};

/* One user's records on their way to his files: lies in his volume. The commit log calls write() from a task of its
 * own when records have gathered. write puts the durable ones at their places, in LSN order, unflushed (settle_write()
 * does it all), and says settle_done() for each. Never called twice at the same time for one user. */
struct settle {
	struct list entries; /* of struct commit_entry, by LSN */
	uint64_t bytes;      /* of the durable ones */
	uint64_t oldest_ns;  /* when the oldest became durable; 0: none */
	struct list link;    /* in the commit log's list of those with something to do */
	uint64_t retry_ns;   /* not before: it failed */
	uint64_t tries;      /* that failed, one after the other */
	unsigned failures;   /* of these, when it was not the full disk of all */
	bool urgent;
	bool writing;
	bool stuck;
	enum rp_err (*write)(struct task *task, struct settle *settle);
};

void settle_init(struct settle *settle, enum rp_err (*write)(struct task *, struct settle *));

/* Nothing waits in it (asserted). */
void settle_fini(struct settle *settle);

/* His files cannot be written, again and again: what he has in the log stays there, and with it each later log file, so he makes no more
 * changes (RP_ERR_UNAVAILABLE) till it has gone to its place. All others go on, in up to 16 times as many log files; when there is no
 * room left for these, or for their records in memory, the log fails. */
bool settle_is_stuck(const struct settle *settle);

/* The whole of a write function: each durable record to the journal and its body to the dbox, adjacent ones in one write. */
RP_MUST_USE enum rp_err settle_write(struct task *task, struct commit *commit, struct settle *settle,
    struct journal *journal, struct dbox *dbox);

/* The write function has put this entry in its place: it leaves the list. */
void settle_done(struct commit *commit, struct commit_entry *entry);

/* Write all of this user's durable records now, and wait for it; what is not durable yet stays. */
RP_MUST_USE enum rp_err settle_flush(struct task *task, struct commit *commit, struct settle *settle);

/* The body record that lies, or will lie, at this place of a dbox file, if it is not settled yet; good until the next
 * suspension. .n == 0: none, it is in the file. */
struct bytes settle_find_body(const struct settle *settle, uint64_t dbox, uint64_t dbox_offset);

#endif
