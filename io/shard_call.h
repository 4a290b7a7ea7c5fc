/* shard_call.h -- run a function on another shard, and wait for its answer.
 *
 * Shards share nothing else. A call is a row of one table; `in` and `out` are flat (no pointers,
 * except spans that the caller lends until the call returns). The function runs over there in a
 * task that is kept for calls, and makes no call itself: no circle, no deadlock. Its answer leaves
 * that shard only when what it may reveal is durable there. A cancelled caller still waits until
 * the call has ended, and then gets RP_ERR_CANCELED, as from any other wait. On the same shard it
 * is a plain function call.
 *
 * Messages travel by IORING_OP_MSG_RING (simulator: a queue), in order between two shards.
 */
#ifndef RP_IO_SHARD_CALL_H
#define RP_IO_SHARD_CALL_H

#include "io/task.h"

struct net;

/* world: loop_world() of the shard it runs on. The result is what shard_call() returns. */
typedef enum rp_err shard_call_fn(struct task *task, void *world, const void *in, void *out);

struct shard_call_row {
	const char *name;
	shard_call_fn *fn;
	/* It waits for another process, perhaps long: such calls have tasks of their own, so that they hold up each other only. */
	bool waits;
};

/* One way, no answer; runs on the other shard's loop outside any task, so must not take long. */
typedef void shard_post_fn(void *world, uint64_t arg);

/* All shards of one server. Made before the loops run, by one thread; read-only afterwards. */
struct shard_group;

struct shard_group_settings {
	unsigned shards_count;
	const struct shard_call_row *calls; /* static table, terminated by name == NULL */
	/* After a call's function returned, before its answer leaves: wait until all that it may
	 * reveal is durable. May be NULL. RP_OK, or the error that takes the answer's place. */
	enum rp_err (*hold_answer)(struct task *task, void *world);
};

RP_MUST_USE enum rp_err shard_group_open(
    const struct shard_group_settings *settings, struct shard_group **out);

/* After the loops. */
void shard_group_close(struct shard_group *group);

/* Each loop joins once, under its own shard number, on its own thread, before anything is sent to
 * it; the others wait for it in shard_group_wait() (blocking, at start only). */
void shard_group_join(struct shard_group *group, struct loop *loop);
void shard_group_wait(struct shard_group *group);

/* Each loop leaves once, on its own thread, behind loop_run() and before anything is closed that what arrives may use: what it has to
 * say goes out, and it returns when all have left. Only then may a loop be closed, as the others' messages name its ring. Loops that
 * share a thread need not. */
void shard_group_leave(struct shard_group *group, struct loop *loop);
unsigned shard_group_count(const struct shard_group *group);

/* Call and wait. call: index in the table. */
RP_MUST_USE enum rp_err shard_call(
    struct task *task, unsigned shard, unsigned call, const void *in, void *out);

/* What travels between shards; in its sender's memory until it has come back or was consumed. */
struct shard_message {
	struct shard_message *next;
	void (*arrive)(struct loop *loop, struct shard_message *message);
	void (*drop)(struct shard_message *message); /* it never will arrive; may be NULL */
};

/* Several under way at once. The pending object, in and out are lent until shard_join() returns,
 * which must be called for each. A task that is cancelled already starts nothing: its join says
 * RP_ERR_CANCELED. */
struct shard_pending {
	struct shard_message message;
	struct task_queue queue;
	const void *in;
	void *out;
	unsigned call;
	unsigned from;
	enum rp_err result;
	bool ended;
};

void shard_start(struct task *task, struct shard_pending *pending, unsigned shard, unsigned call,
    const void *in, void *out);
RP_MUST_USE enum rp_err shard_join(struct task *task, struct shard_pending *pending);

/* Send and forget, from loop context or a task, to another shard or this one. Never lost while both
 * run. */
void shard_post(struct loop *from, unsigned shard, shard_post_fn *fn, uint64_t arg);

#endif
