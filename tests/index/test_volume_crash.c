/* What was durable is there after a power cut, what was not is whole or absent, over hundreds of seeds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/checkpoint.h"
#include "index/volume_state.h"
#include "io/sim.h"
#include "tests/index/model.h"

enum {
	SNAPSHOTS_MAX = 96, /* changes between two power cuts */
	ROUNDS = 6,
	SEEDS = 30,
	STEPS_MAX = 4000,
	REOPEN_STEPS_MAX = 4 * 1000 * 1000,
};

static const struct userid user = { { 0x77, 0x01 } };

/* One machine, and what its user's mail may be after the next power cut. */
struct machine {
	struct sim_world *world;
	struct loop *loop;
	uint64_t seed;
	uint64_t random;
	uint64_t epoch;
	unsigned round;
	unsigned count;             /* snapshots */
	unsigned durable;           /* the newest that must be there */
	bool pending;               /* snapshot[count] is what the change under way makes */
	bool checked;               /* this round's opening has been compared */
	bool stop;                  /* close in order */
	bool stopped;
	struct model snapshot[SNAPSHOTS_MAX + 1];
};

static struct machine machine;

static struct store *open_store(struct task *task)
{
	struct store_settings settings = { .shards_count = 1,
		.commit_file_bytes = 512 * 1024,
		.unsettled_bytes_max = 4 * 1024 * 1024,
		.volumes_bytes_max = 64 * 1024,
		.reader = &model_reader };
	struct store *store;
	const char *reason;

	cr_assert_eq(
	    store_open(task, &settings, ++machine.epoch, &store, &reason), RP_OK, "%s", reason);
	return store;
}

static void recover_rest(struct task *task, struct store *store)
{
	cr_assert_eq(store_recover(task, store), RP_OK);
	cr_assert_eq(store_recover_void(task, store), RP_OK);
	cr_assert_eq(store_recovered(task, store), RP_OK);
}

/* Which snapshot it is now. */
static void compare(struct task *task, struct volume *volume)
{
	uint64_t lsn = volume->replayed_lsn;
	unsigned last = machine.count - 1;
	unsigned found = 0;

	for (unsigned i = 0; i <= last; i++)
		if (machine.snapshot[i].lsn <= lsn)
			found = i;
	if (machine.pending && lsn > machine.snapshot[last].lsn)
		found = machine.count;
	cr_assert_geq(found, machine.durable, "seed %lu round %u: lsn %lu, %u of %u",
	    (unsigned long)machine.seed, machine.round, (unsigned long)lsn, found,
	    machine.durable);
	machine.snapshot[0] = machine.snapshot[found];
	machine.count = 1;
	machine.durable = 0;
	machine.pending = false;
	model_check(task, volume, &machine.snapshot[0], 3);
	machine.checked = true;
}

static void change(struct task *task, struct volume *volume)
{
	struct model *now = &machine.snapshot[machine.count - 1];
	struct model *next = &machine.snapshot[machine.count];
	struct model_op op = model_draw(now, &machine.random);
	enum rp_err expected;

	if (op.kind != MODEL_STORE && op.kind != MODEL_EXPUNGE &&
	    (now->mailbox[op.a].count > 100 || now->mailbox[op.b].count > 100))
		op.kind = MODEL_EXPUNGE;
	*next = *now;
	expected = model_apply(next, &op);
	if (expected != RP_OK)
		*next = *now;
	machine.pending = true;
	cr_assert_eq(model_run(task, volume, &op), expected, "seed %lu round %u op %u kind %d",
	    (unsigned long)machine.seed, machine.round, machine.count, op.kind);
	model_check(task, volume, next, 0);
	machine.pending = false;
	machine.count++;
}

static void work(struct task *task, void *arg)
{
	struct store *store = open_store(task);
	struct volume *volume;
	bool late = model_random(&machine.random) % 2;

	(void)arg;
	if (!late)
		recover_rest(task, store);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	compare(task, volume);
	if (late)
		recover_rest(task, store);
	while (!machine.stop && machine.count < SNAPSHOTS_MAX) {
		uint32_t what = model_random(&machine.random) % 32;

		change(task, volume);
		if (what < 8) {
			unsigned there = machine.count - 1;

			cr_assert_eq(
			    store_wait_durable(task, store, volume_position(volume)), RP_OK);
			machine.durable = there;
		} else if (what == 8) {
			cr_assert_eq(checkpoint_now(task, volume), RP_OK);
		} else if (what == 9) {
			volume_close(volume);
			cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
		} else if (what < 12) {
			cr_assert_eq(task_sleep(task, UINT64_C(1500000000)), RP_OK);
		}
	}
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	machine.durable = machine.count - 1;
	machine.stopped = true;
}

static void open_loop(void)
{
	struct loop_settings settings = { .files_max = 1024 };

	cr_assert_eq(sim_loop_open(machine.world, &settings, &machine.loop), RP_OK);
}

static void run_round(void)
{
	uint32_t steps = model_random(&machine.random) % STEPS_MAX;

	machine.checked = false;
	machine.stop = false;
	machine.stopped = false;
	open_loop();
	cr_assert_eq(task_start(machine.loop, work, NULL, NULL), RP_OK);
	for (unsigned i = 0; !machine.checked; i++) {
		/* A power cut may come while the last one is being recovered from. */
		if (machine.round < ROUNDS && i == steps)
			break;
		cr_assert_lt(i, REOPEN_STEPS_MAX);
		cr_assert(sim_step(machine.world));
	}
	for (uint32_t i = 0; i < steps && machine.checked && !machine.stopped; i++)
		cr_assert(sim_step(machine.world));
}

/* The last round ends in order: then everything is there, and nothing is left to recover. */
static void end_in_order(void)
{
	machine.stop = true;
	for (unsigned i = 0; !machine.stopped; i++) {
		cr_assert_lt(i, REOPEN_STEPS_MAX);
		cr_assert(sim_step(machine.world));
	}
}

static void run_seed(uint64_t seed, const struct sim_faults *faults)
{
	machine = (struct machine){ .seed = seed, .random = seed * 977 + 1, .count = 1 };
	model_init(&machine.snapshot[0]);
	cr_assert_eq(sim_open(seed, &machine.world), RP_OK);
	sim_set_faults(machine.world, faults);
	for (machine.round = 0; machine.round <= ROUNDS; machine.round++) {
		run_round();
		if (machine.round == ROUNDS)
			end_in_order();
		sim_crash(machine.world);
	}
	machine.round++;
	run_round();
	cr_assert(machine.checked);
	sim_crash(machine.world);
	sim_close(machine.world);
}

Test(volume_crash, acknowledged_changes_outlive_a_power_cut)
{
	static const struct sim_faults faults = { .write_short = 200 };
	const char *more = getenv("RP_CRASH_SEEDS"); /* for a longer run: first-last */
	unsigned long first = 1;
	unsigned long last = SEEDS;

	if (more != NULL)
		sscanf(more, "%lu-%lu", &first, &last);
	for (unsigned long seed = first; seed <= last; seed++)
		run_seed(seed, &faults);
}
