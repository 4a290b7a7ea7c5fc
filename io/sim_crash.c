/* The power goes. */
#include <errno.h>
#include <stdlib.h>

#include "io/base/num.h"
#include "io/sim_core.h"
#include "io/task_core.h"

#ifdef RP_SANITIZED

/* What a dead machine's tasks had allocated is in nobody's hands, and that is no leak of the code
 * under test. The leak sanitizer follows pointers from globals through heap memory; so copies of
 * the stacks, and the loops, are laid where it finds them. This list is io's second mutable global,
 * and is there in sanitized builds only. */
static struct grave {
	struct grave *older;
	struct sim_loop *loop;
	void *held[];
} * graves;

__attribute__((no_sanitize("address"))) static void copy_words(
    void **to, const void *from, size_t n)
{
	void *const *words = from;

	for (size_t i = 0; i < n / sizeof(*to); i++)
		to[i] = ((void *const volatile *)words)[i];
}

static void bury_task(struct task *task)
{
	size_t n = 0;
	const uint8_t *from = task->wait == TASK_STARTS ? NULL : fiber_used(&task->fiber, &n);
	struct grave *grave = malloc(sizeof(*grave) + n + 2 * sizeof(void *));

	RP_ASSERT(grave != NULL);
	*grave = (struct grave){.older = graves};
	if (n > 0)
		copy_words(grave->held, from, n);
	grave->held[n / sizeof(void *)] = task->arg;
	grave->held[n / sizeof(void *) + 1] = task->op;
	graves = grave;
}

static void bury_loop(struct sim_loop *sim)
{
	struct grave *grave = malloc(sizeof(*grave));

	RP_ASSERT(grave != NULL);
	*grave = (struct grave){.older = graves, .loop = sim};
	graves = grave;
}

static void bury_op(struct op *op)
{
	struct grave *grave = malloc(sizeof(*grave) + 2 * sizeof(void *));

	RP_ASSERT(grave != NULL);
	*grave = (struct grave){.older = graves};
	grave->held[0] = op;
	grave->held[1] = op->owner;
	graves = grave;
}

#else

static void bury_task(struct task *task)
{
	(void)task;
}

static void bury_op(struct op *op)
{
	(void)op;
}

static void bury_loop(struct sim_loop *sim)
{
	free(sim);
}

#endif

/* A pool whose objects' owners are gone. */
static void drop_pool(struct pool *pool)
{
	pool->live_count = 0;
	pool_fini(pool);
}

static void vanish(struct sim_loop *sim)
{
	struct loop *loop = &sim->loop;

	RP_ASSERT(loop->running == NULL);
	LIST_FOR_EACH_SAFE (link, &loop->tasks) {
		struct task *task = RP_CONTAINER_OF(link, struct task, all);

		bury_task(task);
		task_vanish(task);
	}
	loop->ops_count = 0;
	drop_pool(&loop->file_pool);
	drop_pool(&loop->net_pool);
	loop_fini(loop);
	bury_loop(sim);
}

/* A write that was under way when the power went, if it left anything. */
struct torn {
	struct sim_node *node;
	size_t from; /* sectors */
	size_t to;
};

enum { TORN_MAX = 64 };

struct torn_list {
	struct torn torn[TORN_MAX];
	size_t count;
};

static void keep_torn(struct sim_world *world, struct torn_list *list, const struct op *op)
{
	struct sim_node *node = sim_handle_of(world, op->fd)->node;

	if (list->count == TORN_MAX)
		return;
	list->torn[list->count++] = (struct torn){.node = node,
	    .from = op->io.offset / SIM_SECTOR_BYTES,
	    .to = num_round_up(op->io.offset + op->io.n, SIM_SECTOR_BYTES) / SIM_SECTOR_BYTES};
	sim_disk_ref(node);
}

/* What was under way may have happened. */
static void crash_pending(struct sim_world *world, struct torn_list *torn)
{
	struct list *link;

	while ((link = list_pop_front(&world->pending)) != NULL) {
		struct sim_pending *pending = RP_CONTAINER_OF(link, struct sim_pending, link);
		struct op *op = pending->op;

		switch (op->kind) {
		case OP_WRITE:
		case OP_ALLOCATE:
		case OP_TRUNCATE:
		case OP_RENAME:
		case OP_UNLINK:
		case OP_RMDIR:
		case OP_MKDIR:
		case OP_SYNC:
			if (sim_dice_below(&world->dice, 2) == 0)
				break;
			op->dsync = op->dsync && sim_dice_below(&world->dice, 2) == 0;
			sim_op_carry_out(world, op);
			if (op->kind == OP_WRITE && !op->dsync)
				keep_torn(world, torn, op);
			break;
		default:
			break;
		}
		bury_op(op);
		free(pending);
	}
}

static void count_fates(struct sim_world *world, struct torn_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct torn *torn = &list->torn[i];

		if (sim_disk_fate_is_mixed(torn->node, torn->from, torn->to, true)) {
			torn->node->crash_did |= SIM_CRASH_TORE;
			world->met.writes_torn++;
		}
		sim_disk_unref(&world->disk, torn->node);
	}
	LIST_FOR_EACH (link, &world->disk.nodes) {
		const struct sim_node *node = RP_CONTAINER_OF(link, struct sim_node, link);

		for (size_t i = 0; i < node->fate_count; i++) {
			world->met.sectors_lost += node->fate[i] == SIM_FATE_LOST;
			world->met.sectors_torn += node->fate[i] == SIM_FATE_TORN;
		}
	}
}

void sim_crash(struct sim_world *world)
{
	struct torn_list torn = {.count = 0};

	world->met.crashes++;
	crash_pending(world, &torn);
	sim_unmap_all(world);
	for (unsigned i = 0; i < world->loops_count; i++)
		shard_call_forget(&world->loop[i]->loop);
	for (unsigned i = 0; i < world->loops_count; i++)
		vanish(world->loop[i]);
	world->loops_count = 0;
	for (size_t i = 0; i < world->handles_count; i++) {
		if (world->handle[i].node != NULL || world->handle[i].stream != NULL)
			sim_handle_give(world, (int)i);
	}
	sim_disk_crash(&world->disk);
	count_fates(world, &torn);
}
