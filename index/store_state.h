/* store_state.h -- what a store is inside index: shared by store.c, volume*.c, mailbox*.c, breath.c and checkpoint.c. */
#ifndef RP_INDEX_STORE_STATE_H
#define RP_INDEX_STORE_STATE_H

#include "index/commit.h"
#include "index/keep.h"
#include "index/recover.h"
#include "index/store.h"
#include "io/base/hash.h"
#include "io/base/list.h"
#include "io/base/seldom.h"
#include "io/loop.h"

enum {
	/* Body records and plans of one breath: 64 small bodies, or the names of a large rename. */
	STORE_ARENA_BYTES_MAX = 32 * 1024 * 1024,
	STORE_SEEN_COUNT =
	    8192, /* users whose last LSN is remembered, in 128 KiB: a power of two */
};

/* The last LSN of a volume that was open in this life. Of two users with one place the later is remembered. */
struct store_seen {
	uint64_t hash; /* of the userid; 0: nobody */
	uint64_t lsn;
};

struct store {
	struct loop *loop;
	struct store_settings settings;
	uint64_t epoch;
	struct commit *commit;   /* NULL: who has it open only looks */
	struct recover *recover; /* NULL: all records of earlier runs are in their places */
	uint64_t recover_sealed; /* files that it gave up */
	uint64_t lost_epoch;     /* logs up to this epoch had lost what was durable: log_loss.h; 0: none had */
	struct hash volumes;     /* struct volume, by userid */
	struct store_seen *seen; /* STORE_SEEN_COUNT of them */
	struct list repairs;        /* users whose mail is taken apart: struct volume_repair */
	struct list idle_volumes;   /* that nobody uses, longest first */
	struct list idle_mailboxes; /* whose messages nobody uses, longest first */
	uint64_t idle_bytes;        /* memory of both */
	struct list resting_mailboxes; /* selected by sessions that do nothing, longest first */
	uint64_t resting_bytes;        /* their memory */
	uint8_t *payload;           /* of the record that is being made: one breath at a time */
	struct arena arena;         /* one breath's */
	unsigned tasks;             /* background tasks that run */
	struct task_queue tasks_ended;
	uint64_t room_asked_bytes; /* room.h: since the last look */
	uint64_t room_looked_ns;   /* 0: never */
	unsigned checkpoints; /* that run */
	uint64_t checkpoints_done;
	uint64_t paced_ns;    /* until then background work has spent its bytes */
	unsigned merges;      /* likewise */
	uint64_t merges_done;
	uint64_t merges_given_up; /* CORRUPT or LIMIT: the same again would come to the same end */
	unsigned compacts; /* that run */
	uint64_t compacts_done; /* dbox files that were emptied */
	uint64_t compacts_noted; /* rows that came to refer to one meanwhile */
	unsigned kept_over;      /* users who have more that could be kept than is */
	struct keep_clock keep_clock;
	struct task *sweep; /* sweep.h; NULL: none runs */
	struct seldom bad_bodies; /* messages that the log has named: mailbox_body.c */
	bool closing; /* no new background work */
};

/* Start a task of the store's own, which store_close() waits for. fn says store_task_ended() last. NULL: none can be
 * started now. What belongs to one user: volume_task_start(). */
RP_MUST_USE struct task *store_task_start(
    struct store *store, const char *name, task_fn *fn, void *arg);
void store_task_ended(struct store *store);

/* Give memory and files of idle mailboxes and volumes back until the bounds are kept. No task. */
void store_trim(struct store *store);

#endif
