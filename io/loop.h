/* loop.h -- one shard's ring: submit in batches, reap, resume tasks or call done.
 *
 * A loop belongs to one thread. It runs tasks (task.h), timers (timer.h), operations (op.h) and what
 * other shards send (shard_call.h). There are two kinds behind one face: the kernel's io_uring
 * (loop_open) and the simulator (sim.h), which has neither kernel nor time of its own. Everything
 * above asks the loop for time and randomness, so that a seed replays a run to the byte.
 */
#ifndef RP_IO_LOOP_H
#define RP_IO_LOOP_H

#include "io/base/bytes.h"
#include "io/base/err.h"
#include "io/base/log.h"

struct loop;
struct shard_group;

/* The directories that a loop's file operations may name paths in; opened by whoever starts the loop. */
enum file_root {
	FILE_ROOT_DATA,   /* DATA */
	FILE_ROOT_COMMIT, /* the commit logs: DATA/commit, or a path of its own */
	FILE_ROOT_COUNT
};

struct loop_settings {
	unsigned shard;                /* which one this is, from 0 */
	unsigned entries;              /* of the submission queue; 0: a default */
	unsigned files_max;            /* direct descriptors; 0: from RLIMIT_NOFILE */
	unsigned recv_buffers;         /* provided buffers; 0: a default */
	unsigned tasks_max;            /* 0: 2,048 */
	int root_fd[FILE_ROOT_COUNT];  /* borrowed for the loop's life; -1: none */
	struct log *log;               /* borrowed; may be NULL */
	size_t pinned_bytes;           /* see loop_pinned(); 0: none */
	bool restricted;               /* allow the ring the opcodes in use only (DESIGN section 6) */
};

/* RP_ERR_UNAVAILABLE: this machine has no io_uring, or it is switched off; *reason is one static line
 * that says which setting. Other errors likewise with a reason. Call on the thread that will run it. */
RP_MUST_USE enum rp_err loop_open(
    const struct loop_settings *settings, struct loop **out, const char **reason);

/* No task is alive and no operation in flight any more (asserted). NULL is fine. */
void loop_close(struct loop *loop);

/* Run until loop_stop(). */
void loop_run(struct loop *loop);

/* From the loop's own thread, or as the one thing that any thread (not a signal handler) may call. */
void loop_stop(struct loop *loop);

unsigned loop_shard(const struct loop *loop);
struct log *loop_log(const struct loop *loop);

/* CLOCK_MONOTONIC as of the loop's current turn (cheap), and since 1970. */
uint64_t loop_now_ns(const struct loop *loop);
uint64_t loop_wall_ns(const struct loop *loop);

/* Bytes that cannot be guessed (in the simulator: that follow from the seed). */
void loop_random(struct loop *loop, void *p, size_t n);

/* Memory that the kernel knows the pages of: a write from it (file_write) looks up none. For the loop's life; whoever
 * writes most has it for himself. *bytes: as asked for, or less where the machine allows less (RLIMIT_MEMLOCK; a line in the
 * log tells), down to 0 and NULL. It begins at a page. */
void *loop_pinned(const struct loop *loop, size_t *bytes);

/* What functions that other shards call get as their world; the server sets it once. */
void loop_set_world(struct loop *loop, void *world);
void *loop_world(const struct loop *loop);

/* Keep the owner of the running task (task_set_owner) in these two words, 0 and 0 between tasks. They outlive the loop. */
void loop_note_owner(struct loop *loop, _Atomic uint64_t *note);

#endif
