/* What the ground floor costs: ns per task, pause, call between shards, and operation on the ring.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/base/clock.h"
#include "io/op.h"
#include "io/shard_call.h"
#include "io/task.h"

enum {
	ROUNDS = 200 * 1000,
	AT_ONCE = 64,
	SHARDS = 2,
};

struct shard {
	pthread_t thread;
	unsigned number;
	struct loop *loop;
};

static struct shard_group *group;

static void report(const char *what, uint64_t since_ns, uint64_t count)
{
	uint64_t ns = clock_monotonic_ns() - since_ns;

	printf("%-52s %8.1f ns\n", what, (double)ns / (double)count);
}

static enum rp_err nothing(struct task *task, void *world, const void *in, void *out)
{
	(void)task;
	(void)world;
	(void)in;
	(void)out;
	return RP_OK;
}

static const struct shard_call_row rows[] = {{"nothing", nothing}, {NULL, NULL}};

static void must(enum rp_err err)
{
	if (err == RP_OK)
		return;
	fprintf(stderr, "bench_io: %s\n", err_name(err));
	exit(1);
}

static void counts(struct task *task, void *arg)
{
	(void)task;
	++*(unsigned *)arg;
}

static void bench_tasks(struct task *task)
{
	unsigned ran = 0;
	uint64_t since = clock_monotonic_ns();

	for (unsigned i = 0; i < ROUNDS; i += AT_ONCE) {
		for (unsigned j = 0; j < AT_ONCE; j++)
			must(task_start(task_loop(task), counts, &ran, NULL));
		must(task_yield(task));
	}
	report("task: start, run and end", since, ran);
	since = clock_monotonic_ns();
	for (unsigned i = 0; i < ROUNDS; i++)
		must(task_yield(task));
	report("task_yield, one task, with a turn of the loop", since, ROUNDS);
	since = clock_monotonic_ns();
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned j = 0; j < ROUNDS / 10; j++)
			must(task_pause(task));
	}
	report("task_pause within its slice (mostly)", since, ROUNDS);
}

static void nop(struct task *task)
{
	struct op op = {.kind = OP_NOP};

	if (op_await(task, &op) != 0)
		must(RP_ERR_IO);
}

static void nops(struct task *task, void *arg)
{
	for (unsigned i = 0; i < ROUNDS / AT_ONCE; i++)
		nop(task);
	++*(unsigned *)arg;
}

static void bench_ops(struct task *task)
{
	unsigned ended = 0;
	uint64_t since = clock_monotonic_ns();

	for (unsigned i = 0; i < ROUNDS; i++)
		nop(task);
	report("operation (NOP), one at a time", since, ROUNDS);
	since = clock_monotonic_ns();
	for (unsigned i = 0; i < AT_ONCE; i++)
		must(task_start(task_loop(task), nops, &ended, NULL));
	while (ended < AT_ONCE)
		must(task_yield(task));
	report("operation (NOP), 64 at once", since, ROUNDS / AT_ONCE * AT_ONCE);
}

static void calls(struct task *task, void *arg)
{
	for (unsigned i = 0; i < ROUNDS / AT_ONCE; i++)
		must(shard_call(task, 1, 0, NULL, NULL));
	++*(unsigned *)arg;
}

static void bench_calls(struct task *task)
{
	unsigned ended = 0;
	uint64_t since = clock_monotonic_ns();

	for (unsigned i = 0; i < ROUNDS / 10; i++)
		must(shard_call(task, 1, 0, NULL, NULL));
	report("shard_call round trip, one at a time", since, ROUNDS / 10);
	since = clock_monotonic_ns();
	for (unsigned i = 0; i < AT_ONCE; i++)
		must(task_start(task_loop(task), calls, &ended, NULL));
	while (ended < AT_ONCE)
		must(task_sleep(task, 100 * 1000));
	report("shard_call, 64 at once", since, ROUNDS / AT_ONCE * AT_ONCE);
	since = clock_monotonic_ns();
	for (unsigned i = 0; i < ROUNDS; i++)
		must(shard_call(task, 0, 0, NULL, NULL));
	report("shard_call on the same shard", since, ROUNDS);
}

static void stop(void *world, uint64_t arg)
{
	(void)arg;
	loop_stop(((struct shard *)world)->loop);
}

static void bench(struct task *task, void *arg)
{
	(void)arg;
	bench_tasks(task);
	bench_ops(task);
	bench_calls(task);
	for (unsigned to = 0; to < SHARDS; to++)
		shard_post(task_loop(task), to, stop, 0);
}

static void *serve(void *arg)
{
	struct shard *shard = arg;
	struct loop_settings settings = {
	    .shard = shard->number, .files_max = 64, .root_fd = {-1, -1}, .restricted = true};
	const char *reason;

	if (loop_open(&settings, &shard->loop, &reason) != RP_OK) {
		fprintf(stderr, "bench_io: %s\n", reason);
		exit(1);
	}
	loop_set_world(shard->loop, shard);
	shard_group_join(group, shard->loop);
	shard_group_wait(group);
	if (shard->number == 0)
		must(task_start(shard->loop, bench, NULL, NULL));
	loop_run(shard->loop);
	shard_group_leave(group, shard->loop);
	loop_close(shard->loop);
	return NULL;
}

int main(void)
{
	struct shard_group_settings settings = {.shards_count = SHARDS, .calls = rows};
	struct shard shards[SHARDS] = {{.number = 0}, {.number = 1}};

	must(shard_group_open(&settings, &group));
	for (unsigned i = 0; i < SHARDS; i++) {
		if (pthread_create(&shards[i].thread, NULL, serve, &shards[i]) != 0)
			must(RP_ERR_NOMEM);
	}
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_join(shards[i].thread, NULL);
	shard_group_close(group);
	return 0;
}
