/* What was durable is there after a power cut, what was not is whole or absent, over hundreds of seeds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/checkpoint.h"
#include "index/merge.h"
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
	bool pending;               /* snapshot[count] is what the change under way makes, */
	uint64_t pending_lsn;       /* with an LSN above this one */
	bool checked;               /* this round's opening has been compared */
	bool failing;               /* the disk has faults: what fails ends the round */
	bool stop;                  /* close in order */
	bool stopped;
	struct model snapshot[SNAPSHOTS_MAX + 1];
};

static struct machine machine;

/* RP_OK, or, where the disk has faults, one of the ways in which they may show themselves. */
static bool is_well(enum rp_err err)
{
	if (err == RP_OK)
		return true;
	cr_assert(machine.failing, "%s", err_name(err));
	cr_assert(err == RP_ERR_IO || err == RP_ERR_NOSPACE || err == RP_ERR_UNAVAILABLE ||
		      err == RP_ERR_UNKNOWN || err == RP_ERR_CORRUPT,
	    "seed %lu: %s", (unsigned long)machine.seed, err_name(err));
	return false;
}

/* NULL: the disk's faults do not let it. */
static struct store *open_store(struct task *task)
{
	struct store_settings settings = { .shards_count = 1,
		.commit_file_bytes = 512 * 1024,
		.unsettled_bytes_max = 4 * 1024 * 1024,
		.journal_file_bytes = 8 * 1024, /* so small that they are merged */
		.volumes_bytes_max = 64 * 1024,
		.reader = &model_reader };
	struct store *store;
	const char *reason;

	return is_well(store_open(task, &settings, ++machine.epoch, &store, &reason)) ? store : NULL;
}

static bool recover_rest(struct task *task, struct store *store)
{
	return is_well(store_recover(task, store)) && is_well(store_recover_void(task, store)) &&
	       is_well(store_recovered(task, store));
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
	if (machine.pending && lsn > machine.pending_lsn)
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

/* False: the disk's faults ended it. An error that says "nothing has changed" is true. */
static bool change(struct task *task, struct volume *volume)
{
	struct model *now = &machine.snapshot[machine.count - 1];
	struct model *next = &machine.snapshot[machine.count];
	struct model_op op = model_draw(now, &machine.random);
	uint64_t lsn = volume->catalog.lsn;
	enum rp_err expected;
	enum rp_err err;

	*next = *now;
	expected = model_apply(next, &op);
	if (expected != RP_OK)
		*next = *now;
	machine.pending = true;
	machine.pending_lsn = lsn; /* not the snapshot's: what compact notes has LSNs too */
	err = model_run(task, volume, &op);
	if (err != expected) {
		cr_assert(!is_well(err), "seed %lu round %u op %u kind %d",
		    (unsigned long)machine.seed, machine.round, machine.count, op.kind);
		cr_assert(err == RP_ERR_UNKNOWN || volume->catalog.lsn == lsn);
		machine.pending = err == RP_ERR_UNKNOWN;
		return false;
	}
	model_check(task, volume, next, 0);
	machine.pending = false;
	machine.count++;
	return true;
}

/* Now and then something else happens between two changes. */
static bool something_else(
    struct task *task, struct store *store, struct volume **volume, unsigned there)
{
	uint32_t what = model_random(&machine.random) % 32;

	if (what < 8) {
		if (!is_well(store_wait_durable(task, store, volume_position(*volume))))
			return false;
		machine.durable = there;
	} else if (what == 8) {
		enum rp_err err = checkpoint_now(task, *volume);

		return err == RP_ERR_BUSY || is_well(err); /* one may be under way by itself */
	} else if (what == 9) {
		volume_close(*volume);
		*volume = NULL;
		return is_well(volume_open(task, store, &user, volume));
	} else if (what < 12) {
		cr_assert_eq(task_sleep(task, UINT64_C(1500000000)), RP_OK);
	} else if (what == 12) {
		enum rp_err err = merge_now(task, *volume);

		return err == RP_ERR_BUSY || is_well(err);
	}
	return true;
}

static void work(struct task *task, void *arg)
{
	struct store *store = open_store(task);
	struct volume *volume = NULL;
	bool late = model_random(&machine.random) % 2;
	bool well = store != NULL;

	(void)arg;
	well = well && (late || recover_rest(task, store));
	well = well && is_well(volume_open(task, store, &user, &volume));
	if (well)
		compare(task, volume);
	well = well && (!late || recover_rest(task, store));
	while (well && !machine.stop && machine.count < SNAPSHOTS_MAX) {
		unsigned there = machine.count;

		well = change(task, volume) && something_else(task, store, &volume, there);
	}
	volume_close(volume);
	if (store != NULL && is_well(store_close(task, store)) && well)
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
	for (unsigned i = 0; !machine.checked && !machine.stopped; i++) {
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

static void run_seed(uint64_t seed, const struct sim_faults *faults, bool failing)
{
	static const struct sim_faults none;

	machine = (struct machine){ .seed = seed, .random = seed * 977 + 1, .count = 1 };
	model_init(&machine.snapshot[0]);
	cr_assert_eq(sim_open(seed, &machine.world), RP_OK);
	for (machine.round = 0; machine.round <= ROUNDS + 1; machine.round++) {
		/* At the end the disk is sound again. */
		machine.failing = failing && machine.round < ROUNDS;
		sim_set_faults(machine.world, machine.failing || !failing ? faults : &none);
		run_round();
		if (machine.round == ROUNDS)
			end_in_order();
		sim_crash(machine.world);
	}
	cr_assert(machine.checked);
	sim_close(machine.world);
}

static void run_seeds(const struct sim_faults *faults, bool failing)
{
	const char *more = getenv("RP_CRASH_SEEDS"); /* for a longer run: first-last */
	unsigned long first = 1;
	unsigned long last = SEEDS;

	if (more != NULL)
		sscanf(more, "%lu-%lu", &first, &last);
	for (unsigned long seed = first; seed <= last; seed++)
		run_seed(seed, faults, failing);
}

Test(volume_crash, acknowledged_changes_outlive_a_power_cut)
{
	static const struct sim_faults faults = { .write_short = 200 };

	run_seeds(&faults, false);
}

Test(volume_crash, acknowledged_changes_outlive_a_failing_disk)
{
	static const struct sim_faults faults = {
		.write_eio = 150, .sync_eio = 300, .write_nospace = 100, .write_short = 200
	};

	run_seeds(&faults, true);
}
