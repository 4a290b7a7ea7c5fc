#include "tests/sim/server.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/lmtp/spool.h"
#include "index/store_state.h"
#include "tests/sim/client.h"
#include "tests/sim/mailman.h"
#include "tests/sim/undeleter.h"

struct store_settings server_settings(unsigned shards_count)
{
	return (struct store_settings){.shards_count = shards_count,
	    .commit_file_bytes = 256 * 1024,
	    .unsettled_bytes_max = 2 * 1024 * 1024,
	    .journal_file_bytes = 6 * 1024,
	    .dbox_file_bytes = 24 * 1024,
	    .volumes_bytes_max = 48 * 1024, /* so small that volumes are closed and opened */
	    .reader = &model_reader};
}

enum { LOG_BYTES = 64 * 1024 };

/* Nothing more can come of this life. */
static void stop(struct shard *shard, const char *why)
{
	if (!shard->machine->life.stop)
		machine_tell(shard->machine, "shard %u: the server stops: %s", shard->number, why);
	shard->machine->life.stop = true;
}

static enum rp_err hold_answer(struct task *task, void *world)
{
	struct shard *shard = world;

	return store_wait_durable(task, shard->store, store_position(shard->store));
}

static const struct shard_call_row calls[] = {
    [SERVER_CALL_DELIVER] = {"deliver", mailman_call},
    {NULL, NULL},
};

static bool open_store(struct task *task, struct shard *shard)
{
	struct machine *machine = shard->machine;
	struct life *life = &machine->life;
	struct store_settings settings = server_settings(life->shards_count);
	const char *reason = "";

	settings.keep_expunged_s = undeleter_keep_s(machine);
	settings.keep_trust_s = 1;
	/* In half of the lives most copies and moves let others in before they are over. */
	if (life->number % 2 == 0)
		settings.transfer_messages_max = 2;
	/* In every second of these, and of the others, no mailbox that nobody is at work with stays in memory. */
	if (life->number % 4 <= 1)
		settings.volumes_bytes_max = 1024;
	if (shard->number == 0 &&
	    machine_is_well(machine, store_claim(task, &shard->arena, life->shards_count,
	                                 &life->claim, &life->epoch, &reason)))
		life->claimed = true;
	else if (shard->number == 0)
		stop(shard, reason);
	while (!life->claimed && !life->stop)
		(void)!task_sleep(task, machine_poll_ns(machine));
	if (!life->claimed)
		return false;
	if (!machine_is_well(
	        machine, store_open(task, &settings, life->epoch, &shard->store, &reason))) {
		stop(shard, reason);
		return false;
	}
	if (shard->number == 0 && !machine_is_well(machine, spool_clean(task)))
		stop(shard, "spool");
	shard->up = true;
	return true;
}

/* All shards have come so far, or never will. */
static bool all(struct machine *machine, size_t flag)
{
	for (unsigned i = 0; i < machine->life.shards_count; i++)
		if (!*(bool *)((char *)&machine->shard[i] + flag))
			return false;
	return true;
}

static bool wait_all(struct task *task, struct machine *machine, size_t flag)
{
	while (!all(machine, flag) && !machine->life.stop)
		(void)!task_sleep(task, machine_poll_ns(machine));
	return all(machine, flag);
}

static enum rp_err recover(struct task *task, struct shard *shard)
{
	struct life *life = &shard->machine->life;
	enum rp_err err = store_recover(task, shard->store);

	if (err != RP_OK)
		return err;
	shard->placed = true;
	if (!wait_all(task, shard->machine, offsetof(struct shard, placed)))
		return RP_OK; /* it is being stopped */
	if (shard->number == 0) {
		err = store_recover_void(task, shard->store);
		life->voided = err == RP_OK;
	}
	while (!life->voided && !life->stop)
		(void)!task_sleep(task, machine_poll_ns(shard->machine));
	if (err == RP_OK && life->voided)
		err = store_recovered(task, shard->store);
	if (err == RP_OK && life->voided && shard->number == 0)
		life->recovered = true;
	return err;
}

static void serve(struct task *task, struct shard *shard)
{
	struct machine *machine = shard->machine;

	for (unsigned u = 0; u < MACHINE_USERS; u++)
		if (userid_shard(&machine->ledger[u].userid, machine->life.shards_count) ==
		    shard->number)
			client_start(shard, &machine->ledger[u]);
	mailman_start(shard);
	if (!machine_is_well(machine, recover(task, shard)))
		stop(shard, "recovery");
	while (!machine->life.stop) {
		(void)!task_sleep(task, 10 * machine_poll_ns(machine));
		if (store_failed(shard->store)) {
			machine->life.log_failed = true;
			stop(shard, "the log has failed");
		}
	}
}

static bool anybody_works(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->life.shards_count; i++)
		if (machine->shard[i].clients > 0)
			return true;
	return false;
}

static void shard_task(struct task *task, void *arg)
{
	struct shard *shard = arg;
	struct machine *machine = shard->machine;

	task_set_name(task, "shard");
	if (open_store(task, shard) && wait_all(task, machine, offsetof(struct shard, up)))
		serve(task, shard);
	while (anybody_works(machine))
		(void)!task_sleep(task, machine_poll_ns(machine));
	if (shard->store != NULL) {
		bool failed = store_failed(shard->store);
		struct store *store = shard->store;

		shard->end_err = store_close(task, store);
		shard->store = NULL;
		if (shard->end_err != RP_OK && !machine->life.failing && !failed)
			assert_panic("a store cannot be closed: %s", err_name(shard->end_err));
	}
	shard->ended = true;
	if (shard->number != 0)
		return;
	while (!server_ended(machine))
		(void)!task_sleep(task, machine_poll_ns(machine));
	store_unclaim(machine->life.claim);
	machine->life.claim = NULL;
	machine->life.claimed = false;
}

void server_start(struct machine *machine)
{
	struct life *life = &machine->life;
	struct shard_group_settings settings = {
	    .shards_count = life->shards_count, .calls = calls, .hold_answer = hold_answer};

	MODEL_EQ(shard_group_open(&settings, &life->group), RP_OK);
	for (unsigned i = 0; i < life->shards_count; i++) {
		struct shard *shard = &machine->shard[i];
		struct loop_settings loop = {.shard = i};

		*shard = (struct shard){.machine = machine, .number = i};
		shard->log = log_open("shard", i, LOG_BYTES);
		MODEL_CHECK(shard->log != NULL);
		loop.log = shard->log;
		arena_init(&shard->arena, 65536);
		MODEL_EQ(sim_loop_open(machine->world, &loop, &shard->loop), RP_OK);
		loop_set_world(shard->loop, shard);
		shard_group_join(life->group, shard->loop);
		MODEL_EQ(task_start(shard->loop, shard_task, shard, NULL), RP_OK);
	}
}

bool server_ended(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->life.shards_count; i++)
		if (!machine->shard[i].ended)
			return false;
	return true;
}

bool server_ended_well(const struct machine *machine)
{
	for (unsigned i = 0; i < machine->life.shards_count; i++)
		if (machine->shard[i].end_err != RP_OK || !machine->shard[i].up)
			return false;
	return true;
}

/* After a power cut nobody lets go of DATA. What a task held the leak sanitizer finds where sim_crash() has put it; this no task did. */
static void bury_claim(struct claim *claim)
{
	static struct grave {
		struct grave *older;
		struct claim *claim;
	} * graves;
	struct grave *grave = malloc(sizeof(*grave));

	MODEL_CHECK(grave != NULL);
	*grave = (struct grave){graves, claim};
	graves = grave;
}

void server_gone(struct machine *machine)
{
	if (machine->life.claim != NULL)
		bury_claim(machine->life.claim);
	machine->life.claim = NULL;
	shard_group_close(machine->life.group);
	machine->life.group = NULL;
	for (unsigned i = 0; i < machine->life.shards_count; i++) {
		machine->shard[i].store = NULL;
		log_close(machine->shard[i].log);
		machine->shard[i].log = NULL;
	}
}

void server_count(struct machine *machine)
{
	for (unsigned i = 0; i < machine->life.shards_count; i++) {
		struct shard *shard = &machine->shard[i];

		if (shard->store == NULL)
			continue;
		if (shard->store->merges_given_up > 0 && !machine->life.reads_fail)
			assert_panic("a merge gives up, and nobody has damaged anything");
		shard->compacts = shard->store->compacts_done;
		shard->compacts_noted = shard->store->compacts_noted;
	}
}

void server_read_logs(struct machine *machine)
{
	for (unsigned i = 0; i < machine->life.shards_count; i++) {
		struct log *log = machine->shard[i].log;
		struct bytes lines = log_take(log);

		if (lines.n == 0)
			continue;
		if (machine->plan.tells)
			printf("%.*s", BYTES_FMT(lines));
		fflush(stdout);
		log_taken(log, lines.n);
	}
}

/* ---- a second server ---- */

static void second_task(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct arena arena;
	struct claim *claim = NULL;
	const char *reason;
	uint64_t epoch;
	bool taken = machine->life.claimed;
	enum rp_err err;

	arena_init(&arena, 65536);
	err = store_claim(task, &arena, 2, &claim, &epoch, &reason);
	if (err == RP_OK && taken && machine->life.claimed)
		assert_panic("two servers have the same DATA");
	if (err == RP_ERR_BUSY)
		machine->tally->second_servers++;
	else
		(void)machine_is_well(machine, err);
	store_unclaim(claim);
	arena_fini(&arena);
	machine->life.second_ended = true;
}

void server_second_start(struct machine *machine)
{
	struct loop_settings settings = {.shard = MACHINE_SHARDS_MAX};
	struct life *life = &machine->life;

	if (life->second != NULL || !life->claimed || server_ended(machine))
		return;
	life->second_ended = false;
	MODEL_EQ(sim_loop_open(machine->world, &settings, &life->second), RP_OK);
	MODEL_EQ(task_start(life->second, second_task, machine, NULL), RP_OK);
	machine_tell(machine, "a second server starts");
}

void server_second_look(struct machine *machine)
{
	struct life *life = &machine->life;

	if (life->second == NULL || !life->second_ended)
		return;
	loop_close(life->second);
	life->second = NULL;
}
