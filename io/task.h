/* task.h -- a fiber of its shard, in which a command runs as if it blocked.
 *
 * Only a function with a struct task * parameter can suspend. While a task does not suspend, nothing
 * else runs on its shard: a change that is made in one function without a task is one breath.
 *
 *            task_start                     an operation, a queue, task_pause
 *   (none) ------------> ready ---> running ---------------------------------> suspended
 *                          ^            |  returns from its function               |
 *                          |            v                                          |
 *                          |         (gone)                                        |
 *                          +-------- completion, wake, cancel, its turn -----------+
 *
 * Cancel: what the task waits for is asked to stop. When the kernel or the other shard has let go of
 * the memory, the waiting call returns RP_ERR_CANCELED, and so does every later one at once, except
 * inside task_shield(). The task unwinds like after any other error.
 */
#ifndef RP_IO_TASK_H
#define RP_IO_TASK_H

#include "io/base/list.h"
#include "io/loop.h"

struct task;

typedef void task_fn(struct task *task, void *arg);

/* Start a task: it first runs when the loop comes to it, never inside this call. *out (may be NULL) is
 * good until its function returns. RP_ERR_LIMIT: tasks_max are alive. RP_ERR_NOMEM: no stack. */
RP_MUST_USE enum rp_err task_start(struct loop *loop, task_fn *fn, void *arg, struct task **out);

/* Ask it to stop; may be called twice, or by the task itself. Not for a task of another shard. */
void task_cancel(struct task *task);
bool task_canceled(const struct task *task);

/* While shielded (calls nest) waiting is not cut short by a cancel: for what must be finished, such as
 * giving back what another shard lent. The cancel shows itself after the last unshield. */
void task_shield(struct task *task);
void task_unshield(struct task *task);

struct loop *task_loop(const struct task *task);

/* Let others run if this task's slice of 500 us is used up; else return at once (about 30 ns). Every
 * loop over input or over messages calls it. RP_ERR_CANCELED as always. */
RP_MUST_USE enum rp_err task_pause(struct task *task);

/* Always let others run once. */
RP_MUST_USE enum rp_err task_yield(struct task *task);

/* Count this task's CPU time from now on, for work that has a budget: two readings of the clock each time it runs. Again: from 0. */
void task_count_cpu(struct task *task);

/* What it has used since, up to the last time that it let others run. */
uint64_t task_cpu_ns(const struct task *task);

/* Suspend for a time. */
RP_MUST_USE enum rp_err task_sleep(struct task *task, uint64_t ns);

/* A place to wait at: room in a log, a volume that is being opened, a rope that drains. */
struct task_queue {
	struct list waiting;
};

void task_queue_init(struct task_queue *queue);

/* Suspend until woken: first come, first woken. RP_ERR_CANCELED: not woken. A wake that has reached it counts,
 * also when a cancel comes before it runs: RP_OK, and the cancel shows itself at the next wait; so no wake is
 * lost. Being woken promises nothing: look again. The queue may be gone once all its waiters are woken. */
RP_MUST_USE enum rp_err task_queue_wait(struct task *task, struct task_queue *queue);

/* The same with a bound; RP_ERR_END: the time is over. */
RP_MUST_USE enum rp_err task_queue_wait_ns(struct task *task, struct task_queue *queue, uint64_t ns);

/* Make the first waiter, or all, ready. No task needed; nothing runs inside the call. */
void task_queue_wake(struct task_queue *queue);
void task_queue_wake_all(struct task_queue *queue);
bool task_queue_empty(const struct task_queue *queue);

/* What a person sees in a list of tasks: static text, set by who starts the work. */
void task_set_name(struct task *task, const char *name);

/* Whose work it does from now on, in two words of the caller's; 0 and 0: nobody's. See loop_note_owner(). */
void task_set_owner(struct task *task, uint64_t high, uint64_t low);
void task_owner(const struct task *task, uint64_t *high, uint64_t *low);

#endif
