/* The part of a loop that is the same on the kernel's ring and in the simulator: whose turn it is.
 */
#include "io/loop.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "io/file_core.h"
#include "io/loop_core.h"
#include "io/net_core.h"
#include "io/task_core.h"

void loop_init(
    struct loop *loop, const struct loop_kind *kind, const struct loop_settings *settings)
{
	*loop = (struct loop){
	    .kind = kind,
	    .shard = settings->shard,
	    .log = settings->log,
	    .tasks_max = settings->tasks_max != 0 ? settings->tasks_max : LOOP_TASKS_MAX_DEFAULT,
	};
	list_init(&loop->tasks);
	list_init(&loop->ready);
	list_init(&loop->paused);
	fiber_stacks_init(&loop->stacks);
	pool_init(&loop->task_pool, "task", sizeof(struct task), loop->tasks_max + LOOP_CALLS_MAX);
	pool_init(&loop->file_pool, "file", sizeof(struct file), LOOP_FILES_MAX);
	pool_init(&loop->net_pool, "net", sizeof(struct net), LOOP_NETS_MAX);
}

void *loop_pinned_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

void loop_pinned_unmap(void *p, size_t bytes)
{
	if (p != NULL)
		munmap(p, bytes);
}

void loop_fini(struct loop *loop)
{
	RP_ASSERT(loop->tasks_count == 0);
	RP_ASSERT(loop->ops_count == 0);
	pool_fini(&loop->net_pool);
	pool_fini(&loop->file_pool);
	pool_fini(&loop->task_pool);
	fiber_stacks_fini(&loop->stacks);
	loop_pinned_unmap(loop->pinned, loop->pinned_bytes);
}

bool loop_has_work(const struct loop *loop)
{
	return !list_empty(&loop->ready) || !list_empty(&loop->paused) || loop->unflushed;
}

/* What becomes ready meanwhile waits for the next turn, so that the ring is looked at in between.
 */
void loop_run_tasks(struct loop *loop)
{
	struct list batch;
	struct list *link;

	list_init(&batch);
	list_splice_back(&batch, &loop->ready);
	while ((link = list_pop_front(&batch)) != NULL)
		task_run(RP_CONTAINER_OF(link, struct task, link));
	if ((link = list_pop_front(&loop->paused)) != NULL)
		task_run(RP_CONTAINER_OF(link, struct task, link));
}

static void turn(struct loop *loop)
{
	uint64_t until_ns = 0;

	shard_call_flush(loop);
	if (!loop_has_work(loop) && !__atomic_load_n(&loop->stop, __ATOMIC_ACQUIRE))
		until_ns = timer_wheel_next_ns(&loop->wheel);
	loop->kind->turn(loop, until_ns);
	loop_fire_timers(loop);
	loop_run_tasks(loop);
}

void loop_run(struct loop *loop)
{
	while (!__atomic_load_n(&loop->stop, __ATOMIC_ACQUIRE))
		turn(loop);
	__atomic_store_n(&loop->stop, false, __ATOMIC_RELAXED);
}

void loop_stop(struct loop *loop)
{
	__atomic_store_n(&loop->stop, true, __ATOMIC_RELEASE);
	loop->kind->wake(loop);
}

/* Closing a file or a connection goes on after its call has returned: let that end first. */
void loop_close(struct loop *loop)
{
	if (loop == NULL)
		return;
	RP_ASSERT(loop->running == NULL);
	RP_ASSERT(loop->tasks_count == 0);
	shard_call_flush(loop);
	while (loop->ops_count > loop->ops_standing_count) {
		loop->kind->turn(loop, UINT64_MAX);
		shard_call_flush(loop);
	}
	loop->kind->close(loop);
}

unsigned loop_shard(const struct loop *loop)
{
	return loop->shard;
}

struct log *loop_log(const struct loop *loop)
{
	return loop->log;
}

uint64_t loop_now_ns(const struct loop *loop)
{
	return loop->now_ns;
}

uint64_t loop_wall_ns(const struct loop *loop)
{
	return loop->kind->wall_ns(loop);
}

void loop_random(struct loop *loop, void *p, size_t n)
{
	loop->kind->random(loop, p, n);
}

void *loop_pinned(const struct loop *loop, size_t *bytes)
{
	*bytes = loop->pinned_bytes;
	return loop->pinned;
}

void loop_note_owner(struct loop *loop, _Atomic uint64_t *note)
{
	loop->owner_note = note;
}

void loop_set_world(struct loop *loop, void *world)
{
	loop->world = world;
}

void *loop_world(const struct loop *loop)
{
	return loop->world;
}
