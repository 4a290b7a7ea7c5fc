#include "tests/io/shard_work.h"

#include "io/task.h"

enum { CALL_ADD, CALL_SLOW, CALL_FAIL, CALL_COUNT };

struct numbers {
	uint64_t a;
	uint64_t b;
	const uint8_t *lent; /* large bytes: not copied */
	size_t lent_bytes;
};

static enum rp_err call_add(struct task *task, void *world, const void *in, void *out)
{
	struct shard_work *work = world;
	const struct numbers *numbers = in;
	uint64_t sum = numbers->a + numbers->b;

	(void)task;
	for (size_t i = 0; i < numbers->lent_bytes; i++)
		sum += numbers->lent[i];
	*(uint64_t *)out = sum;
	work->served++;
	return RP_OK;
}

static enum rp_err call_slow(struct task *task, void *world, const void *in, void *out)
{
	enum rp_err err = task_sleep(task, 200 * 1000);

	return err != RP_OK ? err : call_add(task, world, in, out);
}

static enum rp_err call_fail(struct task *task, void *world, const void *in, void *out)
{
	struct shard_work *work = world;

	(void)task;
	(void)in;
	(void)out;
	work->served++;
	return RP_ERR_QUOTA;
}

static enum rp_err hold_answer(struct task *task, void *world)
{
	struct shard_work *work = world;

	work->held++;
	return task_yield(task);
}

static const struct shard_call_row rows[] = {
    [CALL_ADD] = {"add", call_add},
    [CALL_SLOW] = {"slow", call_slow},
    [CALL_FAIL] = {"fail", call_fail},
    [CALL_COUNT] = {NULL, NULL},
};

const struct shard_group_settings shard_work_settings = {.calls = rows, .hold_answer = hold_answer};

/* Posts of one shard to another arrive in the order in which they were sent. */
static void count_post(void *world, uint64_t arg)
{
	struct shard_work *work = world;
	unsigned from = (unsigned)(arg >> 32);

	work->errors += (arg & UINT32_MAX) != work->next_post[from];
	work->next_post[from]++;
}

static void shard_ended(void *world, uint64_t arg)
{
	struct shard_work *work = world;

	(void)arg;
	if (++work->shards_ended == work->shards_count)
		loop_stop(work->loop);
}

static void one_round(struct task *task, struct shard_work *work, unsigned round)
{
	uint8_t lent[300];
	struct shard_pending pending[SHARD_WORK_SHARDS_MAX];
	struct numbers numbers = {.a = round, .b = 7, .lent = lent, .lent_bytes = sizeof(lent)};
	uint64_t sum[SHARD_WORK_SHARDS_MAX] = {0};
	unsigned me = loop_shard(task_loop(task));

	memset(lent, (int)(round & 15), sizeof(lent));
	for (unsigned to = 0; to < work->shards_count; to++) {
		uint64_t arg = (uint64_t)me << 32 | work->posts[to]++;

		shard_post(task_loop(task), to, count_post, arg);
		shard_start(task, &pending[to], to, round % 8 == 0 ? CALL_SLOW : CALL_ADD, &numbers,
		    &sum[to]);
	}
	for (unsigned to = 0; to < work->shards_count; to++) {
		work->errors += shard_join(task, &pending[to]) != RP_OK;
		work->errors += sum[to] != round + 7 + sizeof(lent) * (round & 15);
	}
	unsigned other = (me + 1) % work->shards_count;

	work->errors += shard_call(task, other, CALL_FAIL, &numbers, NULL) != RP_ERR_QUOTA;
}

static void worker(struct task *task, void *arg)
{
	struct shard_work *work = arg;

	for (unsigned round = 0; round < SHARD_WORK_ROUNDS; round++)
		one_round(task, work, round);
	if (--work->tasks_left > 0)
		return;
	for (unsigned to = 0; to < work->shards_count; to++)
		shard_post(work->loop, to, shard_ended, 0);
}

void shard_work_begin(struct shard_work *work, struct loop *loop, unsigned shards_count)
{
	*work = (struct shard_work){
	    .loop = loop, .shards_count = shards_count, .tasks_left = SHARD_WORK_TASKS};
	loop_set_world(loop, work);
	for (unsigned i = 0; i < SHARD_WORK_TASKS; i++)
		work->errors += task_start(loop, worker, work, NULL) != RP_OK;
}

bool shard_work_is_right(const struct shard_work *work)
{
	uint64_t rounds = SHARD_WORK_TASKS * SHARD_WORK_ROUNDS;

	for (unsigned from = 0; from < work->shards_count; from++) {
		if (work->next_post[from] != rounds)
			return false;
	}
	/* Each shard is called once a round by every task of each shard, and once more by its
	 * neighbour's. */
	return work->errors == 0 && work->served == rounds * (work->shards_count + 1) &&
	       work->held == work->served;
}
