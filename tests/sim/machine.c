#include "tests/sim/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/volume_floor.h"
#include "index/volume_state.h"
#include "tests/sim/away.h"
#include "tests/sim/damage.h"
#include "tests/sim/looker.h"
#include "tests/sim/room.h"
#include "tests/sim/server.h"
#include "tests/sim/undeleter.h"

enum {
	STEPS_MAX = 3 * 1000 * 1000, /* an end in order takes less */
	STEPS_LONG = 10000,
	STEPS_SHORT = 2500,
	STEPS_FLIGHT = 1000,
	STEPS_PARTS = 6000,
	STEPS_AWAY = 16, /* of so many while the disk is away one counts: all wait, and look again and again */
};

const char *const plan_off_name[PLAN_OFF_COUNT] = {
    "short", "eio", "sync-eio", "full", "slow", "jump", "second", "damage", "cancel", "destroy", "away"};

uint32_t machine_draw(struct machine *machine, uint32_t n)
{
	return model_random(&machine->random) % n;
}

void machine_tell(struct machine *machine, const char *format, ...)
{
	va_list args;

	if (!machine->plan.tells)
		return;
	printf("  %9.6f ", (double)sim_now_ns(machine->world) / 1e9);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

bool machine_wants(struct machine *machine, unsigned client, unsigned op)
{
	struct plan *plan = &machine->plan;
	uint32_t number =
	    (machine->life.number * PLAN_CLIENTS_PER_LIFE + client) * PLAN_OPS_PER_CLIENT + op;

	bool wanted = !plan->some;

	for (unsigned i = 0; i < plan->only_count && !wanted; i++)
		wanted = number >= plan->only[i].first && number <= plan->only[i].last;
	if (wanted && plan->did_max > 0 && *plan->did_count < plan->did_max)
		plan->did[(*plan->did_count)++] = number;
	return wanted;
}

/* On a slow disk longer, or a life would be spent with looking. */
uint64_t machine_poll_ns(const struct machine *machine)
{
	return 100 * 1000 + machine->life.faults.latency_ns_max / 2;
}

void machine_act(struct machine *machine, struct actor *actor, struct task *task)
{
	actor->task = task;
	actor->made = 0;
	actor->since = actor->ledger->count;
	for (unsigned i = 0; i < MACHINE_ACTORS_MAX; i++) {
		if (machine->actor[i] != NULL)
			continue;
		machine->actor[i] = actor;
		return;
	}
	assert_panic("too many actors");
}

void machine_acted(struct machine *machine, struct actor *actor)
{
	for (unsigned i = 0; i < MACHINE_ACTORS_MAX; i++)
		if (machine->actor[i] == actor)
			machine->actor[i] = NULL;
}

bool machine_is_well(struct machine *machine, enum rp_err err)
{
	if (err == RP_OK)
		return true;
	if (err == RP_ERR_CANCELED)
		return false;
	if (!machine->life.failing && !machine->life.stop)
		assert_panic("an operation fails (%s), and nothing is wrong", err_name(err));
	if (err != RP_ERR_IO && err != RP_ERR_NOSPACE && err != RP_ERR_UNAVAILABLE &&
	    err != RP_ERR_UNKNOWN && err != RP_ERR_CORRUPT)
		assert_panic(
		    "an operation fails in no way that a fault explains: %s", err_name(err));
	if (err == RP_ERR_CORRUPT && !machine->life.reads_fail)
		assert_panic("something is called damaged that nobody damaged");
	machine->tally->refused++;
	return false;
}

/* ---- after each step ---- */

static bool has_userid(const struct hash_link *link, const void *key)
{
	return userid_eq(&RP_CONTAINER_OF(link, struct volume, by_userid)->userid, key);
}

/* Where his mail is open. */
static struct volume *volume_of(const struct store *store, const struct userid *userid)
{
	struct hash_link *link;

	if (store == NULL || store->volumes.count == 0)
		return NULL;
	link = hash_find(&store->volumes,
	    hash_bytes(store->volumes.key, bytes_of(userid->b, USERID_BYTES)), has_userid, userid);
	if (link == NULL)
		return NULL;

	struct volume *volume = RP_CONTAINER_OF(link, struct volume, by_userid);

	return volume->open ? volume : NULL;
}

static struct actor *actor_of(struct machine *machine, const struct ledger *ledger)
{
	for (unsigned i = 0; i < MACHINE_ACTORS_MAX; i++) {
		struct actor *actor = machine->actor[i];

		if (actor != NULL && actor->ledger == ledger &&
		    actor->task == sim_ran(machine->world))
			return actor;
	}
	return NULL;
}

/* What the mailbox's next message will be called. */
static uint32_t next_uid(const struct model *model, const struct model_op *op)
{
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		if (op->a_id != 0 ? model->mailbox[i].mailboxid == op->a_id : i == op->a)
			return model->mailbox[i].uidnext;
	return 0;
}

static void change(struct machine *machine, struct ledger *ledger, struct volume *volume)
{
	struct actor *actor = actor_of(machine, ledger);

	if (actor == NULL && (volume->compact_runs || ledger->compacting)) {
		ledger_unchanged(ledger, volume);
		return;
	}
	if (actor == NULL)
		assert_panic("user %u: LSN %llu, and nobody made a change after %llu",
		    (unsigned)(ledger - machine->ledger), (unsigned long long)volume->catalog.lsn,
		    (unsigned long long)ledger->lsn_seen);
	if (actor->destroys) {
		ledger_destroyed(ledger, volume);
		actor->made++;
		return;
	}
	MODEL_CHECK(actor->made < actor->ops_count);
	for (bool more = true; more;) {
		const struct model_op *op = &actor->op[actor->made++];

		more = actor->made < actor->ops_count && volume->catalog.lsn > ledger->lsn_seen + 1;
		actor->uid = next_uid(&ledger_newest(ledger)->model, op);
		ledger_changed(ledger, volume, op, more);
	}
}

/* Just opened: did it end with parts of a change whose last one was never made, and nothing more? */
static bool has_void_parts(const struct volume *volume)
{
	return volume->replayed_lsn != 0 && volume->catalog.lsn > volume->replayed_lsn &&
	       !volume->log_spared && !volume_floor_end_is_lost(volume);
}

void machine_look(struct machine *machine, struct ledger *ledger)
{
	unsigned home = userid_shard(&ledger->userid, machine->life.shards_count);
	struct store *store = machine->shard[home].store;
	struct volume *volume;

	if (store != NULL && store->commit == NULL) /* it has ended, but for its files */
		store = NULL;
	volume = volume_of(store, &ledger->userid);
	ledger->volume = volume;
	if (volume != NULL && !ledger->met) {
		machine_tell(machine, "user %u is open: LSN %llu, %llu whole",
		    (unsigned)(ledger - machine->ledger), (unsigned long long)volume->catalog.lsn,
		    (unsigned long long)volume->replayed_lsn);
		machine->tally->groups_cut += has_void_parts(volume);
		ledger_found(ledger, volume);
	} else if (volume != NULL && volume->catalog.lsn != ledger->lsn_seen) {
		change(machine, ledger, volume);
	}
	if (ledger->met && store != NULL)
		ledger_durable(ledger, store_durable(store));
	if (volume != NULL && volume->checkpointing && store_durable(store) < store_position(store))
		machine->life.checkpoint_met = true;
	ledger->compacting = volume != NULL && volume->compact_runs;
}

bool machine_step(struct machine *machine)
{
	bool more = sim_step(machine->world);

	machine->steps++;
	if (sim_ran(machine->world) != NULL)
		for (unsigned i = 0; i < MACHINE_USERS; i++)
			machine_look(machine, &machine->ledger[i]);
	server_read_logs(machine);
	server_count(machine);
	return more;
}

/* ---- lives ---- */

static void draw_faults(struct machine *machine)
{
	struct life *life = &machine->life;
	struct sim_faults *faults = &life->faults;
	unsigned off = machine->plan.off;
	uint32_t kind = machine_draw(machine, 16);
	uint32_t little = 50 + machine_draw(machine, 1000);

	if (machine_draw(machine, 4) == 0 && (off & PLAN_NO_SHORT) == 0)
		faults->write_short = (uint16_t)(50 + machine_draw(machine, 3000));
	if (machine_draw(machine, 4) == 0 && (off & PLAN_NO_SLOW) == 0)
		faults->latency_ns_max = UINT64_C(1000000) * (1 + machine_draw(machine, 20));
	life->failing = machine->told_late;
	if (life->number >= MACHINE_LIVES_MAX - 2)
		return; /* at the end the disk is sound */
	if ((kind == 0 || kind == 1) && (off & PLAN_NO_EIO) == 0)
		faults->write_eio = (uint16_t)little;
	if ((kind == 2 || kind == 1) && (off & PLAN_NO_EIO) == 0)
		faults->read_eio = (uint16_t)little;
	if ((kind == 3 || kind == 1) && (off & PLAN_NO_SYNC_EIO) == 0)
		faults->sync_eio = (uint16_t)(100 + 10 * little);
	if ((kind == 4 || kind == 1) && (off & PLAN_NO_FULL) == 0)
		faults->write_nospace = (uint16_t)little;
	if (kind == 5 && (off & PLAN_NO_FULL) == 0)
		faults->disk_bytes_max = 1024 * 1024 * (2 + machine_draw(machine, 6));
	life->reads_fail = faults->read_eio != 0;
	life->failing = faults->write_eio != 0 || faults->read_eio != 0 || faults->sync_eio != 0 ||
	                faults->write_nospace != 0 || faults->disk_bytes_max != 0 ||
	                machine->told_late;
	machine->told_late = machine->told_late || faults->sync_eio != 0;
}

static void draw_life(struct machine *machine, unsigned number)
{
	unsigned shards_before = machine->life.shards_count;
	struct life *life = &machine->life;
	bool longer = machine_draw(machine, 4) != 0;

	*life = (struct life){.number = number};
	life->shards_count = 1 + machine_draw(machine, MACHINE_SHARDS_MAX);
	life->steps = machine_draw(machine, longer ? STEPS_LONG : STEPS_SHORT);
	life->in_order = machine_draw(machine, 5) == 0 || number == MACHINE_LIVES_MAX - 1;
	if (number == MACHINE_LIVES_MAX - 1 && machine->loses_logs)
		life->in_order = false;
	draw_faults(machine);
	away_draw(machine);
	room_draw(machine);
	if (number > 0 && shards_before != life->shards_count)
		machine->tally->shards_changed++;
	machine->tally->lives++;
	machine_tell(machine,
	    "life %u: %u shards, %llu steps, then %s; short %u eio %u/%u sync %u full %u/%llu slow "
	    "%llu us",
	    number, life->shards_count, (unsigned long long)life->steps,
	    life->in_order ? "an end in order" : "a power cut", life->faults.write_short,
	    life->faults.write_eio, life->faults.read_eio, life->faults.sync_eio,
	    life->faults.write_nospace, (unsigned long long)life->faults.disk_bytes_max,
	    (unsigned long long)life->faults.latency_ns_max / 1000);
}

static void new_user(struct machine *machine, unsigned u)
{
	struct userid id;
	uint64_t random = machine->plan.seed * 31 + u + 100 * machine->generation[u];

	for (unsigned i = 0; i < USERID_BYTES; i++)
		id.b[i] = (uint8_t)model_random(&random);
	ledger_fini(&machine->ledger[u]);
	ledger_init(&machine->ledger[u], &id, machine->tally);
}

/* A client goes away, in the midst of whatever it does. */
static void cancel_one(struct machine *machine)
{
	struct task *task = machine->session[machine_draw(machine, MACHINE_ACTORS_MAX)];

	if (task == NULL)
		return;
	task_cancel(task);
	machine->tally->clients_canceled++;
}

/* Between steps: what happens from outside. */
static void disturb(struct machine *machine)
{
	uint32_t what = machine_draw(machine, 4096);
	int64_t seconds = (int64_t)machine_draw(machine, 200000) - 100000;

	if (what == 0 && (machine->plan.off & PLAN_NO_JUMP) == 0) {
		undeleter_note_clock(machine);
		sim_jump_wall(machine->world, seconds);
		undeleter_note_clock(machine);
		machine->tally->clock_jumps++;
		machine_tell(machine, "the clock jumps by %lld s", (long long)seconds);
	} else if (what == 1 && (machine->plan.off & PLAN_NO_SECOND) == 0) {
		server_second_start(machine);
	} else if (what < 12 && (machine->plan.off & PLAN_NO_CANCEL) == 0) {
		cancel_one(machine);
	}
	server_second_look(machine);
}

/* False: nothing more will happen. */
static bool run_steps(struct machine *machine, uint64_t steps)
{
	for (uint64_t i = 0; i < steps && !server_ended(machine); i++) {
		if (!machine_step(machine))
			assert_panic("all wait for nothing");
		disturb(machine);
		away_step(machine);
		room_step(machine);
		if (away_is_on(machine) && machine->steps % STEPS_AWAY != 0)
			i--;
	}
	return !server_ended(machine);
}

static void end_in_order(struct machine *machine)
{
	struct life *life = &machine->life;

	life->stop = true;
	if (run_steps(machine, STEPS_MAX))
		assert_panic("the server never ends");
	if (life->second != NULL && !life->second_ended) {
		for (unsigned i = 0; !life->second_ended; i++) {
			MODEL_CHECK(i < STEPS_MAX);
			MODEL_CHECK(machine_step(machine));
		}
		server_second_look(machine);
	}
	MODEL_CHECK(sim_run(machine->world, STEPS_MAX));
	for (unsigned i = 0; i < life->shards_count; i++) {
		loop_close(machine->shard[i].loop);
		arena_fini(&machine->shard[i].arena);
	}
	machine->tally->ends++;
}

static void note_crash_file(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct machine *machine = arg;
	unsigned did = sim_disk_crash_did(machine->world, root, path);
	size_t n = strlen(path);

	(void)bytes;
	if (root == FILE_ROOT_COMMIT && (did & SIM_CRASH_TORE) != 0)
		machine->tally->torn_log_writes++;
	if (n > 8 && strcmp(path + n - 8, ".journal") == 0 && (did & SIM_CRASH_REORDERED) != 0)
		machine->tally->journals_reordered++;
}

/* A merged journal beside one of those that it was made of: they have the same first LSN. */
struct merged_look {
	struct machine *machine;
	char old[256]; /* ".../<first>-": what its name begins with */
	bool found;
};

static void look_for_old(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct merged_look *look = arg;

	(void)bytes;
	look->found = look->found ||
	              (root == FILE_ROOT_DATA && strncmp(path, look->old, strlen(look->old)) == 0);
}

static void note_merged(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	struct merged_look look = {.machine = arg};
	size_t n = strcspn(path, "+");

	(void)bytes;
	if (root != FILE_ROOT_DATA || path[n] == 0)
		return;
	snprintf(look.old, sizeof(look.old), "%.*s-", (int)n, path);
	sim_disk_walk(look.machine->world, look_for_old, &look);
	look.machine->tally->merges_cut += look.found;
}

/* Bytes of a log, for mails. */
static void keep_evil(struct machine *machine)
{
	struct bytes log;

	if (machine->has_evil ||
	    sim_disk_read(machine->world, FILE_ROOT_COMMIT, "0/1.log", &log) != RP_OK ||
	    log.n < 8192 + MODEL_EVIL_BYTES)
		return;
	memcpy(
	    model_evil, log.p + 8192 + 64, MODEL_EVIL_BYTES); /* behind the first write's header */
	machine->has_evil = true;
}

static bool anything_in_flight(const struct machine *machine)
{
	for (unsigned i = 0; i < MACHINE_USERS; i++)
		if (machine->ledger[i].met &&
		    machine->ledger[i].durable + 1 < machine->ledger[i].count)
			return true;
	return false;
}

/* Parts of a change are in the log for good, and its last one is not made yet. Asked at each step: first[] has for each user where in the
 * log the first parts end, as they were seen; 0: he is not in the midst of one. */
static bool anybody_is_within(const struct machine *machine, uint64_t first[MACHINE_USERS])
{
	bool within = false;

	for (unsigned i = 0; i < MACHINE_USERS; i++) {
		const struct volume *volume = machine->ledger[i].volume;

		if (volume == NULL || !volume->changing ||
		    journal_last_lsn(volume->journal) <= volume->catalog.lsn)
			first[i] = 0;
		else if (first[i] == 0)
			first[i] = volume->position;
		within = within || (first[i] != 0 && store_durable(volume->store) >= first[i]);
	}
	return within;
}

/* Some come in the midst of a change of many parts. Does this one? */
static bool wait_parts(struct machine *machine)
{
	uint64_t first[MACHINE_USERS] = {0};
	bool within = false;

	if (machine_draw(machine, 4) != 0)
		return false;
	for (unsigned i = 0; i < STEPS_PARTS && !within; i++) {
		within = anybody_is_within(machine, first);
		if (!within && !run_steps(machine, 1))
			return false;
	}
	return within;
}

/* Half of the power cuts come when something is appended and not durable. */
static void wait_flight(struct machine *machine)
{
	if (machine_draw(machine, 2) == 0)
		return;
	for (unsigned i = 0; i < STEPS_FLIGHT && !anything_in_flight(machine); i++)
		if (!run_steps(machine, 1))
			return;
}

static void crash(struct machine *machine)
{
	struct tally *tally = machine->tally;

	machine_tell(machine, "the power goes");
	tally->crashes++;
	tally->crashes_in_recovery += machine->life.claimed && !machine->life.recovered;
	for (unsigned i = 0; i < MACHINE_USERS; i++) {
		const struct ledger_state *state = ledger_newest(&machine->ledger[i]);

		tally->transfers_cut +=
		    machine->ledger[i].volume != NULL && machine->ledger[i].volume->changing;
		tally->destroyed_in_log +=
		    state->destroyed && state->position != 0 &&
		    machine->ledger[i].durable + 1 == machine->ledger[i].count;
	}
	sim_crash(machine->world);
	machine->told_late = false;
	sim_disk_walk(machine->world, note_crash_file, machine);
	sim_disk_walk(machine->world, note_merged, machine);
}

static void live(struct machine *machine)
{
	struct life *life = &machine->life;
	bool in_order;
	bool cut = false;

	sim_set_faults(machine->world, &life->faults);
	for (unsigned i = 0; i < MACHINE_USERS; i++)
		machine->ledger[i].poll_ns = machine_poll_ns(machine);
	memset(machine->actor, 0, sizeof(machine->actor));
	memset(machine->session, 0, sizeof(machine->session));
	server_start(machine);
	in_order = !run_steps(machine, life->steps);
	if (!in_order && !life->in_order && !wait_parts(machine))
		wait_flight(machine);
	in_order = server_ended(machine);
	if (in_order || life->in_order) {
		end_in_order(machine);
		in_order = server_ended_well(machine);
	} else {
		crash(machine);
		cut = true;
	}
	for (unsigned i = 0; i < life->shards_count; i++) {
		machine->tally->compacts += machine->shard[i].compacts;
		machine->tally->compacts_noted += machine->shard[i].compacts_noted;
	}
	server_gone(machine);
	away_end(machine);
	keep_evil(machine);
	if (cut && machine_draw(machine, 2) == 0)
		looker_run(machine);
	machine->tally->checkpoints_in_flight += life->checkpoint_met;
	machine->tally->log_failed += life->log_failed;
	for (unsigned i = 0; i < MACHINE_USERS; i++) {
		bool gone = machine->ledger[i].met &&
		            machine->ledger[i].durable + 1 == machine->ledger[i].count &&
		            ledger_newest(&machine->ledger[i])->destroyed;

		ledger_new_life(&machine->ledger[i], in_order);
		if (gone && machine_draw(machine, 2) == 0) {
			machine->generation[i]++;
			new_user(machine, i);
		}
	}
}

static void add_met(struct machine *machine)
{
	const struct sim_met *met = sim_met(machine->world);
	struct tally *tally = machine->tally;

	tally->reads_failed += met->reads_failed;
	tally->reads_away += met->reads_away;
	tally->writes_failed += met->writes_failed;
	tally->writes_refused += met->writes_refused;
	tally->writes_short += met->writes_short;
	tally->syncs_failed += met->syncs_failed;
	tally->syncfs_failed += met->syncfs_failed;
	tally->sectors_lost += met->sectors_lost;
	tally->sectors_torn += met->sectors_torn;
	tally->steps += machine->steps;
	tally->seeds++;
}

/* One seed in six. */
static bool draw_loses_logs(const struct plan *plan)
{
	uint64_t random = plan->seed * 4093 + 1;

	return (plan->off & PLAN_NO_DAMAGE) == 0 && model_random(&random) % 6 == 0;
}

uint64_t machine_run(const struct plan *plan, struct tally *tally)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	uint64_t digest;

	MODEL_CHECK(machine != NULL);
	memset(model_evil, 0, sizeof(model_evil));
	machine->plan = *plan;
	machine->tally = tally;
	machine->random = plan->seed * 977 + 1;
	machine->loses_logs = draw_loses_logs(plan);
	MODEL_EQ(sim_open(plan->seed, &machine->world), RP_OK);
	for (unsigned u = 0; u < MACHINE_USERS; u++)
		new_user(machine, u);
	for (unsigned i = 0; i < MACHINE_LIVES_MAX; i++) {
		draw_life(machine, i);
		live(machine);
	}
	if ((plan->off & PLAN_NO_DAMAGE) == 0)
		(machine->loses_logs ? damage_run_without_logs : damage_run)(machine);
	add_met(machine);
	digest = sim_digest(machine->world) * 31 + damage_disk_digest_all(machine);
	sim_close(machine->world);
	for (unsigned u = 0; u < MACHINE_USERS; u++)
		ledger_fini(&machine->ledger[u]);
	free(machine);
	return digest;
}
