/* A simulated machine: what happens next, and when. One thread; the seed decides everything. */
#include "io/sim.h"

#include <errno.h>
#include <stdlib.h>

#include "io/base/clock.h"
#include "io/base/num.h"
#include "io/sim_core.h"
#include "io/task_core.h"

enum {
	SIM_LATENCY_NS_DEFAULT = 100 * 1000,
	SIM_STEP_NS_MAX = 2000, /* time that a step takes, at most */
	SIM_SLICE_CHANCE = 16,  /* one task_pause() in so many finds its slice used up */
	SIM_CANCEL_CHANCE = 2,  /* one cancelled operation in so many is stopped in time */
	SIM_FS_TYPE = 0xef53,   /* ext4 */
};

static const uint64_t SIM_WALL_NS = UINT64_C(1767225600) * 1000000000; /* 2026-01-01 */

static struct sim_loop *sim_of(const struct loop *loop)
{
	return RP_CONTAINER_OF(loop, struct sim_loop, loop);
}

struct sim_world *sim_world_of(const struct loop *loop)
{
	return sim_of(loop)->world;
}

static void digest(struct sim_world *world, uint64_t a, uint64_t b)
{
	uint64_t state = world->digest ^ (a * UINT64_C(0x9e3779b97f4a7c15)) ^ b;

	world->digest = sim_dice(&state);
}

/* A world keeps its operations sorted by time; equal times stay in the order of submission. */
static void enqueue(struct sim_world *world, struct sim_pending *pending)
{
	struct list *at = world->pending.prev;

	while (at != &world->pending &&
	       RP_CONTAINER_OF(at, struct sim_pending, link)->due_ns > pending->due_ns)
		at = at->prev;
	list_insert_before(at->next, &pending->link);
}

static void submit(struct loop *loop, struct op *op)
{
	struct sim_world *world = sim_world_of(loop);
	struct sim_pending *pending = calloc(1, sizeof(*pending));
	uint64_t latency = world->faults.latency_ns_max;

	if (pending == NULL)
		assert_panic("no memory for the simulated machine");
	if (latency == 0)
		latency = SIM_LATENCY_NS_DEFAULT;
	pending->op = op;
	pending->due_ns = world->now_ns + sim_dice_below(&world->dice, latency + 1);
	enqueue(world, pending);
}

static struct sim_pending *pending_of(struct sim_world *world, const struct op *op)
{
	LIST_FOR_EACH (link, &world->pending) {
		struct sim_pending *pending = RP_CONTAINER_OF(link, struct sim_pending, link);

		if (pending->op == op)
			return pending;
	}
	return NULL;
}

/* Some are stopped, some are too far gone. */
static void cancel(struct loop *loop, struct op *op)
{
	struct sim_world *world = sim_world_of(loop);
	struct sim_pending *pending = pending_of(world, op);

	RP_ASSERT(pending != NULL);
	if (op->kind == OP_RECV || op->kind == OP_SEND)
		return; /* these may wait for ever: always stopped */
	if (op->kind == OP_CLOSE || op->kind == OP_MESSAGE || op->kind == OP_SEND_FD ||
	    sim_dice_below(&world->dice, SIM_CANCEL_CHANCE) != 0)
		op->cancel_asked = false;
}

static void complete(struct sim_world *world, struct sim_pending *pending)
{
	struct op *op = pending->op;
	int32_t result = op->cancel_asked ? -ECANCELED : sim_op_carry_out(world, op);

	list_del(&pending->link);
	free(pending);
	op->loop->now_ns = world->now_ns;
	if (op->kind == OP_MESSAGE) {
		op->message.to->now_ns = world->now_ns;
		shard_call_arrived(op->message.to, op->message.first);
	}
	digest(world, op->kind, (uint64_t)(uint32_t)result << 32 | op->loop->shard);
	op_complete(op, result);
}

static struct sim_pending *first_pending(struct sim_world *world, const struct loop *loop)
{
	LIST_FOR_EACH (link, &world->pending) {
		struct sim_pending *pending = RP_CONTAINER_OF(link, struct sim_pending, link);

		if ((loop == NULL || pending->op->loop == loop) &&
		    (pending->op->cancel_asked || sim_net_able(world, pending->op)))
			return pending;
	}
	return NULL;
}

/* For loop_close(): let this loop's operations end. */
static void turn(struct loop *loop, uint64_t until_ns)
{
	struct sim_world *world = sim_world_of(loop);
	struct sim_pending *pending = first_pending(world, loop);

	(void)until_ns;
	RP_ASSERT(pending != NULL);
	world->now_ns = num_max(world->now_ns, pending->due_ns);
	complete(world, pending);
}

static void wake(struct loop *loop)
{
	(void)loop; /* nobody sleeps here */
}

static uint64_t wall_ns(const struct loop *loop)
{
	struct sim_world *world = sim_world_of(loop);

	return SIM_WALL_NS + world->wall_offset_ns + world->now_ns;
}

/* Time stands still while a task runs; what it computes takes a slice each time that it is told so. */
static uint64_t cpu_ns(const struct loop *loop)
{
	return sim_of(loop)->slices * (uint64_t)LOOP_SLICE_NS;
}

static void fill_random(struct loop *loop, void *p, size_t n)
{
	struct sim_world *world = sim_world_of(loop);
	uint8_t *at = p;

	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)sim_dice(&world->dice);
}

static bool slice_over(struct loop *loop, uint64_t *since)
{
	bool over = sim_dice_below(&sim_world_of(loop)->dice, SIM_SLICE_CHANCE) == 0;

	(void)since;
	sim_of(loop)->slices += over;
	return over;
}

static void recv_give(struct loop *loop, struct op *op)
{
	(void)loop;
	sim_net_recv_give(op);
}

static bool map_is_bad(struct loop *loop, const void *p)
{
	(void)loop;
	(void)p;
	return false; /* a copy loses no pages */
}

static void leave_world(struct sim_loop *sim)
{
	struct sim_world *world = sim->world;

	for (unsigned i = 0; i < world->loops_count; i++) {
		if (world->loop[i] != sim)
			continue;
		world->loop[i] = world->loop[--world->loops_count];
		return;
	}
}

static void close_loop(struct loop *loop)
{
	leave_world(sim_of(loop));
	loop_fini(loop);
	free(sim_of(loop));
}

static const struct loop_kind sim_kind = {
    .submit = submit,
    .cancel = cancel,
    .recv_give = recv_give,
    .turn = turn,
    .wake = wake,
    .wall_ns = wall_ns,
    .cpu_ns = cpu_ns,
    .random = fill_random,
    .slice_over = slice_over,
    .map = sim_map,
    .unmap = sim_unmap,
    .map_is_bad = map_is_bad,
    .close = close_loop,
};

enum rp_err sim_open(uint64_t seed, struct sim_world **out)
{
	struct sim_world *world = calloc(1, sizeof(*world));

	if (world == NULL)
		return RP_ERR_NOMEM;
	world->dice = seed;
	world->now_ns = CLOCK_NS_PER_S;
	for (unsigned i = 0; i < FILE_ROOT_COUNT; i++)
		world->fs_type[i] = SIM_FS_TYPE;
	list_init(&world->pending);
	list_init(&world->mappings);
	enum rp_err err = sim_disk_init(&world->disk, &world->dice);

	if (err != RP_OK) {
		free(world);
		return err;
	}
	*out = world;
	return RP_OK;
}

void sim_close(struct sim_world *world)
{
	if (world == NULL)
		return;
	RP_ASSERT(world->loops_count == 0);
	RP_ASSERT(list_empty(&world->pending));
	sim_unmap_all(world);
	for (size_t i = 0; i < world->handles_count; i++) {
		if (world->handle[i].node != NULL || world->handle[i].stream != NULL)
			sim_handle_give(world, (int)i);
	}
	free(world->handle);
	sim_disk_fini(&world->disk);
	free(world);
}

void sim_set_faults(struct sim_world *world, const struct sim_faults *faults)
{
	world->faults = *faults;
	world->disk.bytes_max = faults->disk_bytes_max;
}

void sim_disk_away(struct sim_world *world, uint64_t until_ns)
{
	world->away_until_ns = until_ns;
}

enum rp_err sim_break_file(struct sim_world *world, enum file_root root, const char *path,
    const struct sim_broken *broken)
{
	struct sim_node *node;

	if (sim_disk_find(&world->disk, root, path, &node) != 0)
		return RP_ERR_NOTFOUND;
	node->broken = *broken;
	return RP_OK;
}

enum rp_err sim_loop_open(
    struct sim_world *world, const struct loop_settings *settings, struct loop **out)
{
	if (world->loops_count >= SIM_LOOPS_MAX)
		return RP_ERR_LIMIT;
	struct sim_loop *sim = calloc(1, sizeof(*sim));

	if (sim == NULL)
		return RP_ERR_NOMEM;
	loop_init(&sim->loop, &sim_kind, settings);
	if (settings->pinned_bytes != 0)
		sim->loop.pinned = loop_pinned_map(settings->pinned_bytes);
	sim->loop.pinned_bytes = sim->loop.pinned != NULL ? settings->pinned_bytes : 0;
	sim->world = world;
	sim->loop.now_ns = world->now_ns;
	timer_wheel_init(&sim->loop.wheel, world->now_ns);
	world->loop[world->loops_count++] = sim;
	*out = &sim->loop;
	return RP_OK;
}

/* What a shard can do now. */
enum choice { CHOICE_COMPLETION, CHOICE_TIMERS, CHOICE_READY, CHOICE_PAUSED, CHOICE_COUNT };

static unsigned choices_of(
    struct sim_world *world, struct loop *loop, enum choice choice[CHOICE_COUNT])
{
	struct sim_pending *pending = first_pending(world, loop);
	unsigned count = 0;

	if (pending != NULL && pending->due_ns <= world->now_ns)
		choice[count++] = CHOICE_COMPLETION;
	if (timer_wheel_next_ns(&loop->wheel) <= world->now_ns)
		choice[count++] = CHOICE_TIMERS;
	if (!list_empty(&loop->ready))
		choice[count++] = CHOICE_READY;
	if (!list_empty(&loop->paused))
		choice[count++] = CHOICE_PAUSED;
	return count;
}

static void run_first(struct loop *loop, struct list *line)
{
	struct task *task = RP_CONTAINER_OF(list_pop_front(line), struct task, link);

	digest(sim_world_of(loop), 100 + loop->shard, sim_world_of(loop)->now_ns);
	loop->now_ns = sim_world_of(loop)->now_ns;
	sim_world_of(loop)->ran = task;
	task_run(task);
}

static void act(struct sim_world *world, struct loop *loop, enum choice choice)
{
	switch (choice) {
	case CHOICE_COMPLETION:
		complete(world, first_pending(world, loop));
		break;
	case CHOICE_TIMERS:
		loop->now_ns = world->now_ns;
		loop_fire_timers(loop);
		break;
	case CHOICE_READY:
		run_first(loop, &loop->ready);
		break;
	default:
		run_first(loop, &loop->paused);
		break;
	}
}

/* Nothing can be done now: go to where something can. False: there is no such time. */
static bool pass_time(struct sim_world *world)
{
	struct sim_pending *pending = first_pending(world, NULL);
	uint64_t next = pending != NULL ? pending->due_ns : UINT64_MAX;

	for (unsigned i = 0; i < world->loops_count; i++)
		next = num_min(next, timer_wheel_next_ns(&world->loop[i]->loop.wheel));
	if (next == UINT64_MAX)
		return false;
	world->now_ns = num_max(world->now_ns, next);
	return true;
}

bool sim_step(struct sim_world *world)
{
	enum choice choice[CHOICE_COUNT];
	unsigned able[SIM_LOOPS_MAX];
	unsigned able_count = 0;

	world->ran = NULL;
	for (unsigned i = 0; i < world->loops_count; i++) {
		if (choices_of(world, &world->loop[i]->loop, choice) > 0)
			able[able_count++] = i;
	}
	if (able_count == 0)
		return pass_time(world);
	struct loop *loop = &world->loop[able[sim_dice_below(&world->dice, able_count)]]->loop;
	unsigned count = choices_of(world, loop, choice);

	act(world, loop, choice[sim_dice_below(&world->dice, count)]);
	for (unsigned i = 0; i < world->loops_count; i++)
		shard_call_flush(&world->loop[i]->loop);
	world->now_ns += sim_dice_below(&world->dice, SIM_STEP_NS_MAX);
	return true;
}

bool sim_run(struct sim_world *world, uint64_t steps)
{
	for (uint64_t i = 0; i < steps; i++) {
		if (!sim_step(world))
			return true;
	}
	return false;
}

uint64_t sim_random(struct sim_world *world)
{
	return sim_dice(&world->dice);
}

const struct task *sim_ran(const struct sim_world *world)
{
	return world->ran;
}

const struct sim_met *sim_met(const struct sim_world *world)
{
	return &world->met;
}

uint64_t sim_digest(const struct sim_world *world)
{
	return world->digest;
}

uint64_t sim_now_ns(const struct sim_world *world)
{
	return world->now_ns;
}

void sim_set_fs_type(struct sim_world *world, enum file_root root, uint64_t type)
{
	world->fs_type[root] = type;
}

void sim_jump_wall(struct sim_world *world, int64_t seconds)
{
	world->wall_offset_ns += (uint64_t)seconds * CLOCK_NS_PER_S;
}
