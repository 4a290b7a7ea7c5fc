/* loop_core.h -- the inside of a loop, for io's own files: what both kinds share, and where they
 * differ.
 */
#ifndef RP_IO_LOOP_CORE_H
#define RP_IO_LOOP_CORE_H

#include "io/base/list.h"
#include "io/base/pool.h"
#include "io/base/seldom.h"
#include "io/fiber.h"
#include "io/loop.h"
#include "io/op.h"
#include "io/timer.h"

struct shard_port;

enum {
	LOOP_TASKS_MAX_DEFAULT =
	    2048,            /* protects memory: stacks; beyond, whole commands wait in line */
	LOOP_CALLS_MAX = 64, /* tasks that serve other shards, half of them rows that wait; beyond, calls wait in line */
	LOOP_SLICE_NS = 500 * 1000, /* of CPU, until task_pause() lets others run */
	/* Open files of a shard: protects the process's descriptor table; caches above close their
	   oldest. */
	LOOP_FILES_MAX = 1 << 20,
	LOOP_NETS_MAX =
	    1 << 20, /* connections of a shard; the direct descriptor table is smaller */
};

/* What the kernel's ring and the simulator do each in their way. */
struct loop_kind {
	bool listens; /* it has listening sockets, and can connect to others' */
	void (*submit)(struct loop *loop, struct op *op);
	void (*cancel)(struct loop *loop, struct op *op);
	void (*recv_give)(struct loop *loop, struct op *op);
	/* Submit what waits, reap, call done; until `until_ns` (monotonic) nothing else has to be
	 * done. */
	void (*turn)(struct loop *loop, uint64_t until_ns);
	void (*wake)(struct loop *loop); /* from any thread: end a turn's wait */
	uint64_t (*wall_ns)(const struct loop *loop);
	uint64_t (*cpu_ns)(const struct loop *loop); /* CPU time of its thread */
	void (*random)(struct loop *loop, void *p, size_t n);
	/* Has the running task used up its slice? *since is 0 on the first call of a slice, then the kind's own. */
	bool (*slice_over)(struct loop *loop, uint64_t *since);
	enum rp_err (*map)(struct loop *loop, int fd, size_t n, void **out);
	void (*unmap)(struct loop *loop, void *p, size_t n);
	bool (*map_is_bad)(struct loop *loop, const void *p);
	void (*close)(struct loop *loop);
};

enum {
	TIMER_LEVELS = 8, /* of 64 slots each: 48 bits of ticks, more than a process lives */
	TIMER_SLOTS = 64,
	TIMER_TICK_SHIFT = 16, /* a tick is 65,536 ns */
};

struct timer_wheel {
	uint64_t tick;                   /* all that is due up to it has been called */
	uint64_t occupied[TIMER_LEVELS]; /* a bit per slot; may say so of an empty one, never not of
	                                    a full one */
	struct list slot[TIMER_LEVELS][TIMER_SLOTS];
};

struct loop {
	const struct loop_kind *kind;
	unsigned shard;
	struct log *log;
	void *world;
	uint64_t now_ns;
	bool stop; /* atomic: another thread may set it */

	struct list tasks;  /* all that are alive */
	struct list ready;  /* their turn comes in this round or the next */
	struct list paused; /* used up their slice: one of them per turn */
	struct task *running;
	_Atomic uint64_t *owner_note; /* two: the owner of the running task; NULL: nobody asks */
	unsigned tasks_count;
	unsigned tasks_max;
	struct pool task_pool;
	struct fiber_home home;
	struct fiber_stacks stacks;

	struct timer_wheel wheel;
	size_t ops_count;          /* in flight */
	size_t ops_standing_count; /* of these, the loop's own that stay in flight for its life */
	struct pool file_pool;
	size_t files_open;
	uint64_t disk_away_ns; /* when a read was waited for in vain last; 0: never */
	bool waits_no_more;    /* file_wait_no_more() */
	struct seldom refused; /* whose files could not be opened: file_err_of() */
	struct pool net_pool;
	uint8_t *pinned; /* NULL: none; registered as the ring's only buffer */
	size_t pinned_bytes;
	struct shard_port *port; /* shard_call; NULL: not in a group */
	bool unflushed;          /* messages were laid down for other shards, or for this one */
};

/* The common part; kinds call it from their open and close. */
void loop_init(
    struct loop *loop, const struct loop_kind *kind, const struct loop_settings *settings);
void loop_fini(struct loop *loop);

/* Memory to pin, whole pages of zeroes, given back by loop_fini(). NULL: there is none. */
void *loop_pinned_map(size_t bytes);
void loop_pinned_unmap(void *p, size_t bytes);

/* Call the timers that are due at now_ns. */
void loop_fire_timers(struct loop *loop);

/* Run each ready task once, then one paused one. */
void loop_run_tasks(struct loop *loop);

/* Is there something to run without waiting? */
bool loop_has_work(const struct loop *loop);

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns);

/* When the wheel wants to be looked at next; UINT64_MAX: no timer is set. */
uint64_t timer_wheel_next_ns(struct timer_wheel *wheel);

/* Switch to a ready task, and back when it suspends or ends. Not from inside a task. */
void task_run(struct task *task);

/* The machine it runs on is gone: forget it without running it (simulator). */
void task_vanish(struct task *task);

/* Lay a message before another shard's loop, or this one's own; in order. It goes with the next
 * flush. */
void shard_call_send(struct loop *loop, unsigned shard, struct shard_message *message);

/* Send what was laid down since the last flush; kinds call it outside any task, before they wait.
 */
void shard_call_flush(struct loop *loop);

/* A chain of messages from another shard has arrived. */
void shard_call_arrived(struct loop *loop, struct shard_message *first);

/* The machine is gone: what was laid down, or under way, never arrives (simulator). */
void shard_call_forget(struct loop *loop);

/* The loop of another shard of its group. */
struct loop *shard_call_loop(const struct loop *loop, unsigned shard);

/* As task_start(), but beyond tasks_max: for the bounded number of tasks that serve other shards'
 * calls. */
RP_MUST_USE enum rp_err task_start_kept(
    struct loop *loop, task_fn *fn, void *arg, struct task **out);

#endif
