#include "io/task.h"

#include <errno.h>
#include <stdatomic.h>

#include "io/loop_core.h"
#include "io/task_core.h"

void task_queue_init(struct task_queue *queue)
{
	list_init(&queue->waiting);
}

bool task_queue_empty(const struct task_queue *queue)
{
	return list_empty(&queue->waiting);
}

struct loop *task_loop(const struct task *task)
{
	return task->loop;
}

void task_set_name(struct task *task, const char *name)
{
	task->name = name;
}

static void note_owner(struct loop *loop, uint64_t high, uint64_t low)
{
	if (loop->owner_note == NULL)
		return;
	atomic_store_explicit(&loop->owner_note[0], high, memory_order_relaxed);
	atomic_store_explicit(&loop->owner_note[1], low, memory_order_relaxed);
}

void task_owner(const struct task *task, uint64_t *high, uint64_t *low)
{
	*high = task->owner[0];
	*low = task->owner[1];
}

void task_set_owner(struct task *task, uint64_t high, uint64_t low)
{
	task->owner[0] = high;
	task->owner[1] = low;
	if (task->loop->running == task)
		note_owner(task->loop, high, low);
}

bool task_canceled(const struct task *task)
{
	return task->canceled;
}

bool task_interrupted(const struct task *task)
{
	return task->canceled && task->shields == 0;
}

static void make_ready(struct task *task)
{
	RP_ASSERT(task->wait != TASK_RUNS);
	task->wait = TASK_READY;
	list_push_back(&task->loop->ready, &task->link);
}

static void sleep_over(struct timer *timer)
{
	struct task *task = RP_CONTAINER_OF(timer, struct task, timer);

	list_del(&task->link); /* out of the queue it waited in, if any */
	task->woken = RP_ERR_END;
	make_ready(task);
}

static void body(void *arg)
{
	struct task *task = arg;

	task->fn(task, task->arg);
	task->wait = TASK_ENDED;
}

enum rp_err task_start_kept(struct loop *loop, task_fn *fn, void *arg, struct task **out)
{
	struct task *task = pool_take(&loop->task_pool);

	if (task == NULL)
		return RP_ERR_NOMEM;
	if (!fiber_open(&task->fiber, &loop->stacks, &loop->home, body, task)) {
		pool_give(&loop->task_pool, task);
		return RP_ERR_NOMEM;
	}
	task->loop = loop;
	task->fn = fn;
	task->arg = arg;
	task->name = "";
	task->owner[0] = task->owner[1] = 0;
	list_init(&task->link);
	timer_init(&task->timer, sleep_over);
	list_push_back(&loop->tasks, &task->all);
	loop->tasks_count++;
	task->wait = TASK_STARTS;
	make_ready(task);
	if (out != NULL)
		*out = task;
	return RP_OK;
}

enum rp_err task_start(struct loop *loop, task_fn *fn, void *arg, struct task **out)
{
	if (loop->tasks_count >= loop->tasks_max)
		return RP_ERR_LIMIT;
	return task_start_kept(loop, fn, arg, out);
}

static void forget(struct task *task)
{
	struct loop *loop = task->loop;

	RP_ASSERT(!timer_is_set(&task->timer));
	list_del(&task->all);
	loop->tasks_count--;
	fiber_close(&task->fiber, &loop->stacks);
	pool_give(&loop->task_pool, task);
}

void task_run(struct task *task)
{
	struct loop *loop = task->loop;

	RP_ASSERT(loop->running == NULL);
	RP_ASSERT(task->wait == TASK_READY || task->wait == TASK_PAUSED);
	task->wait = TASK_RUNS;
	task->slice_since = 0;
	if (task->counts_cpu)
		task->cpu_since_ns = loop->kind->cpu_ns(loop);
	loop->running = task;
	note_owner(loop, task->owner[0], task->owner[1]);
	fiber_enter(&task->fiber);
	note_owner(loop, 0, 0);
	loop->running = NULL;
	RP_ASSERT(task->wait != TASK_RUNS);
	if (task->wait != TASK_ENDED)
		return;
	RP_ASSERT(task->shields == 0);
	forget(task);
}

void task_vanish(struct task *task)
{
	list_del(&task->link);
	timer_clear(&task->timer);
	forget(task);
}

static void suspend(struct task *task, enum task_wait wait)
{
	RP_ASSERT(task->loop->running == task);
	if (task->counts_cpu)
		task->cpu_ns += task->loop->kind->cpu_ns(task->loop) - task->cpu_since_ns;
	task->wait = wait;
	fiber_leave(&task->fiber);
	RP_ASSERT(task->wait == TASK_RUNS);
}

void task_cancel(struct task *task)
{
	if (task->canceled)
		return;
	task->canceled = true;
	if (task->shields > 0)
		return;
	switch (task->wait) {
	case TASK_WAITS_OP:
		op_cancel(task->op);
		break;
	case TASK_WAITS_QUEUE:
	case TASK_SLEEPS:
		list_del(&task->link);
		timer_clear(&task->timer);
		task->woken = RP_ERR_CANCELED;
		make_ready(task);
		break;
	default:
		break; /* it runs, or will: the next wait says so */
	}
}

void task_shield(struct task *task)
{
	RP_ASSERT(task->loop->running == task);
	task->shields++;
}

void task_unshield(struct task *task)
{
	RP_ASSERT(task->loop->running == task);
	RP_ASSERT(task->shields > 0);
	task->shields--;
}

static enum rp_err stand_in(struct task *task, struct list *line, enum task_wait wait)
{
	if (task_interrupted(task))
		return RP_ERR_CANCELED;
	list_push_back(line, &task->link);
	suspend(task, wait);
	return task_interrupted(task) ? RP_ERR_CANCELED : RP_OK;
}

enum rp_err task_yield(struct task *task)
{
	return stand_in(task, &task->loop->ready, TASK_READY);
}

enum rp_err task_pause(struct task *task)
{
	struct loop *loop = task->loop;

	RP_ASSERT(loop->running == task);
	if (!loop->kind->slice_over(loop, &task->slice_since))
		return task_interrupted(task) ? RP_ERR_CANCELED : RP_OK;
	return stand_in(task, &loop->paused, TASK_PAUSED);
}

void task_count_cpu(struct task *task)
{
	RP_ASSERT(task->loop->running == task);
	task->counts_cpu = true;
	task->cpu_since_ns = task->loop->kind->cpu_ns(task->loop);
	task->cpu_ns = 0;
}

uint64_t task_cpu_ns(const struct task *task)
{
	RP_ASSERT(task->counts_cpu);
	return task->cpu_ns;
}

enum rp_err task_sleep(struct task *task, uint64_t ns)
{
	if (task_interrupted(task))
		return RP_ERR_CANCELED;
	timer_set(task->loop, &task->timer, ns);
	suspend(task, TASK_SLEEPS);
	return task->woken == RP_ERR_END ? RP_OK : task->woken;
}

static enum rp_err wait_in(struct task *task, struct task_queue *queue)
{
	list_push_back(&queue->waiting, &task->link);
	suspend(task, TASK_WAITS_QUEUE);
	return task->woken;
}

enum rp_err task_queue_wait(struct task *task, struct task_queue *queue)
{
	if (task_interrupted(task))
		return RP_ERR_CANCELED;
	return wait_in(task, queue);
}

enum rp_err task_queue_wait_ns(struct task *task, struct task_queue *queue, uint64_t ns)
{
	if (task_interrupted(task))
		return RP_ERR_CANCELED;
	timer_set(task->loop, &task->timer, ns);
	return wait_in(task, queue);
}

void task_queue_wake(struct task_queue *queue)
{
	struct list *link = list_pop_front(&queue->waiting);

	if (link == NULL)
		return;
	struct task *task = RP_CONTAINER_OF(link, struct task, link);

	timer_clear(&task->timer);
	task->woken = RP_OK;
	make_ready(task);
}

void task_queue_wake_all(struct task_queue *queue)
{
	while (!task_queue_empty(queue))
		task_queue_wake(queue);
}

static void resume(struct op *op)
{
	make_ready(op->owner);
}

int op_await(struct task *task, struct op *op)
{
	if (task_interrupted(task))
		return -ECANCELED;
	op->done = resume;
	op->owner = task;
	task->op = op;
	op_submit(task->loop, op);
	suspend(task, TASK_WAITS_OP);
	task->op = NULL;
	return op->result;
}
