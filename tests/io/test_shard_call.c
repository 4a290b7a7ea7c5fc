#include "tests/io/io_fixture.h"

#include <pthread.h>

#include "io/shard_call.h"
#include "tests/io/shard_work.h"

enum { SHARDS = 2 };

struct thread {
	pthread_t thread;
	struct shard_group *group;
	unsigned shard;
	bool no_ring;
	struct shard_work work;
};

static void *serve(void *arg)
{
	struct thread *thread = arg;
	struct loop_settings settings = {
	    .shard = thread->shard, .files_max = 64, .root_fd = {-1, -1}};
	struct loop *loop;
	const char *reason;

	thread->no_ring = loop_open(&settings, &loop, &reason) != RP_OK;
	if (thread->no_ring)
		return NULL;
	shard_group_join(thread->group, loop);
	shard_group_wait(thread->group);
	shard_work_begin(&thread->work, loop, SHARDS);
	loop_run(loop);
	shard_group_leave(thread->group, loop);
	loop_close(loop);
	return NULL;
}

static struct shard_group *open_group(unsigned count)
{
	struct shard_group_settings settings = shard_work_settings;
	struct shard_group *group = NULL;

	settings.shards_count = count;
	cr_assert_eq(shard_group_open(&settings, &group), RP_OK);
	cr_assert_eq(shard_group_count(group), count);
	return group;
}

Test(shard_call, two_threads_call_each_other)
{
	static struct thread thread[SHARDS];
	struct io_fixture fixture;
	struct shard_group *group = open_group(SHARDS);

	io_fixture_open(&fixture, IO_FIXTURE_URING, 0); /* skips where there is no ring */
	io_fixture_close(&fixture);
	for (unsigned i = 0; i < SHARDS; i++) {
		thread[i] = (struct thread){.group = group, .shard = i};
		cr_assert_eq(pthread_create(&thread[i].thread, NULL, serve, &thread[i]), 0);
	}
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_join(thread[i].thread, NULL);
	for (unsigned i = 0; i < SHARDS; i++)
		cr_assert(shard_work_is_right(&thread[i].work), "shard %u", i);
	shard_group_close(group);
}

static struct loop *open_loop(struct sim_world *world, struct shard_group *group, unsigned shard)
{
	struct loop_settings settings = {.shard = shard};
	struct loop *loop = NULL;

	cr_assert_eq(sim_loop_open(world, &settings, &loop), RP_OK);
	shard_group_join(group, loop);
	return loop;
}

Test(shard_call, simulated_shards_call_each_other)
{
	for (uint64_t seed = 0; seed < 2; seed++) {
		static struct shard_work work[3];
		struct shard_group *group = open_group(3);
		struct sim_world *world;
		struct loop *loop[3];

		cr_assert_eq(sim_open(seed, &world), RP_OK);
		for (unsigned i = 0; i < 3; i++)
			loop[i] = open_loop(world, group, i);
		shard_group_wait(group);
		for (unsigned i = 0; i < 3; i++)
			shard_work_begin(&work[i], loop[i], 3);
		cr_assert(sim_run(world, 10 * 1000 * 1000));
		for (unsigned i = 0; i < 3; i++) {
			cr_assert(shard_work_is_right(&work[i]), "shard %u", i);
			loop_close(loop[i]);
		}
		shard_group_close(group);
		sim_close(world);
	}
}

struct cancel_world {
	bool runs;
	bool ended;
	enum rp_err err;
	struct task *task;
	uint64_t out;
};

static enum rp_err takes_its_time(struct task *task, void *world, const void *in, void *out)
{
	struct cancel_world *cancel = world;

	(void)in;
	cancel->runs = true;
	enum rp_err err = task_sleep(task, 5 * 1000 * 1000);

	*(uint64_t *)out = 99;
	cancel->ended = true;
	return err;
}

static void calls_and_is_cancelled(struct task *task, void *arg)
{
	struct cancel_world *cancel = arg;

	cancel->err = shard_call(task, 1, 0, NULL, &cancel->out);
	cr_assert_eq(cancel->out, 99, "the callee had ended when the call returned");
	cr_assert_eq(shard_call(task, 1, 0, NULL, &cancel->out), RP_ERR_CANCELED);
}

Test(shard_call, a_cancelled_caller_waits_until_the_call_has_ended)
{
	static const struct shard_call_row rows[] = {{"slow", takes_its_time}, {NULL, NULL}};
	struct shard_group_settings settings = {.shards_count = 2, .calls = rows};
	struct shard_group *group;
	struct sim_world *world;
	struct loop *loop[2];
	struct cancel_world cancel = {0};

	cr_assert_eq(shard_group_open(&settings, &group), RP_OK);
	cr_assert_eq(sim_open(5, &world), RP_OK);
	for (unsigned i = 0; i < 2; i++) {
		loop[i] = open_loop(world, group, i);
		loop_set_world(loop[i], &cancel);
	}
	cr_assert_eq(task_start(loop[0], calls_and_is_cancelled, &cancel, &cancel.task), RP_OK);
	while (!cancel.runs)
		cr_assert(sim_step(world));
	cr_assert_not(cancel.ended);
	task_cancel(cancel.task);
	cr_assert(sim_run(world, 100000));
	cr_assert(cancel.ended);
	cr_assert_eq(cancel.err, RP_ERR_CANCELED);
	for (unsigned i = 0; i < 2; i++)
		loop_close(loop[i]);
	shard_group_close(group);
	sim_close(world);
}

static enum rp_err answers_at_once(struct task *task, void *world, const void *in, void *out)
{
	(void)task, (void)world, (void)in;
	*(uint64_t *)out = 1;
	return RP_OK;
}

static void calls_what_waits(struct task *task, void *arg)
{
	struct cancel_world *cancel = arg;
	uint64_t out;

	cr_assert_eq(shard_call(task, 1, 0, NULL, &out), RP_OK);
	cr_assert(cancel->ended);
}

static void calls_what_does_not(struct task *task, void *arg)
{
	struct cancel_world *cancel = arg;

	cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert(cancel->runs);
	cr_assert_eq(shard_call(task, 1, 1, NULL, &cancel->out), RP_OK);
	cr_assert(!cancel->ended, "it waited behind those that wait");
}

/* However many calls wait for somebody else, one that does not is served. */
Test(shard_call, calls_that_wait_hold_up_no_others)
{
	static const struct shard_call_row rows[] = {
	    {"slow", takes_its_time, .waits = true}, {"fast", answers_at_once}, {NULL, NULL}};
	struct shard_group_settings settings = {.shards_count = 2, .calls = rows};
	struct shard_group *group;
	struct sim_world *world;
	struct cancel_world cancel = {0};

	cr_assert_eq(shard_group_open(&settings, &group), RP_OK);
	cr_assert_eq(sim_open(1, &world), RP_OK);
	struct loop *here = open_loop(world, group, 0);
	struct loop *there = open_loop(world, group, 1);

	loop_set_world(there, &cancel);
	for (unsigned i = 0; i < 300; i++)
		cr_assert_eq(task_start(here, calls_what_waits, &cancel, NULL), RP_OK);
	cr_assert_eq(task_start(here, calls_what_does_not, &cancel, NULL), RP_OK);
	cr_assert(sim_run(world, 1000 * 1000));
	cr_assert_eq(cancel.out, 1);
	loop_close(here);
	loop_close(there);
	shard_group_close(group);
	sim_close(world);
}

Test(shard_call, a_crash_takes_messages_on_their_way)
{
	static struct shard_work work[3];

	for (uint64_t seed = 0; seed < 20; seed++) {
		struct shard_group *group = open_group(3);
		struct sim_world *world;

		cr_assert_eq(sim_open(seed, &world), RP_OK);
		for (unsigned i = 0; i < 3; i++)
			shard_work_begin(&work[i], open_loop(world, group, i), 3);
		cr_assert_not(sim_run(world, 1000 + sim_random(world) % 2000));
		sim_crash(world);
		shard_group_close(group);
		sim_close(world);
	}
}
