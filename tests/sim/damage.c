#include "tests/sim/damage.h"

#include <stdlib.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/journal_core.h"
#include "index/repair/repair.h"
#include "index/volume_state.h"
#include "tests/sim/cost.h"
#include "tests/sim/server.h"
#include "tests/sim/undeleter.h"

enum {
	STEPS_MAX = 4 * 1000 * 1000,
	LINES_BYTES = 256 * 1024,
	ROUNDS_DERIVED = 3,
};

/* A start of a server that nobody but us uses, and its end. */
struct visit {
	struct machine *machine;
	struct ledger *ledger;
	struct store *store;
	void (*fn)(struct task *task, struct visit *visit);
	enum rp_err err; /* of the start */
	bool ended;
	bool renews; /* it is no server that starts, but a repair of the store */
	/* What check says. */
	struct repair_report report;
	enum rp_err check_err;
	size_t lines_bytes;
	char *lines;
	struct damage damage;
	struct damage_shown_all shown;
	struct cost cost;
	bool costs;  /* it is known what was hit */
	bool opened; /* over the damage, before the repair */
	unsigned hit; /* how many files */
};

static void visit_task(struct task *task, void *arg)
{
	struct visit *visit = arg;
	struct store_settings settings = server_settings(1);
	struct claim *claim = NULL;
	struct arena arena;
	const char *reason = "";
	uint64_t epoch = 0;
	enum rp_err err;

	if (visit->renews) {
		visit->err = store_claim_renew(task);
		visit->ended = true;
		return;
	}
	settings.keep_expunged_s = undeleter_keep_s(visit->machine);
	arena_init(&arena, 65536);
	err = store_claim(task, &arena, 1, &claim, &epoch, &reason);
	if (err == RP_OK)
		err = store_open(task, &settings, epoch, &visit->store, &reason);
	if (err == RP_OK) {
		MODEL_EQ(store_recover(task, visit->store), RP_OK);
		MODEL_EQ(store_recover_void(task, visit->store), RP_OK);
		MODEL_EQ(store_recovered(task, visit->store), RP_OK);
		visit->fn(task, visit);
		MODEL_EQ(store_close(task, visit->store), RP_OK);
	}
	visit->err = err;
	store_unclaim(claim);
	arena_fini(&arena);
	visit->ended = true;
}

static void make_visit(struct visit *visit)
{
	struct machine *machine = visit->machine;
	struct loop_settings settings = {.shard = 0};
	struct log *log = log_open("shard", 0, 65536);
	struct loop *loop;

	MODEL_CHECK(log != NULL);
	settings.log = log;
	visit->ended = false;
	MODEL_EQ(sim_loop_open(machine->world, &settings, &loop), RP_OK);
	MODEL_EQ(task_start(loop, visit_task, visit, NULL), RP_OK);
	MODEL_CHECK(sim_run(machine->world, STEPS_MAX));
	MODEL_CHECK(visit->ended);
	loop_close(loop);
	if (machine->plan.tells)
		log_flush_fd(log, 1);
	log_close(log);
	sim_disk_rest(machine->world);
}

static void say(void *arg, struct bytes line)
{
	struct visit *visit = arg;

	machine_tell(visit->machine, "check: %.*s", BYTES_FMT(line));
	if (visit->lines_bytes + line.n + 1 > LINES_BYTES)
		return;
	memcpy(visit->lines + visit->lines_bytes, line.p, line.n);
	visit->lines_bytes += line.n;
	visit->lines[visit->lines_bytes++] = '\n';
}

static struct volume *must_open(struct task *task, struct visit *visit)
{
	struct volume *volume;

	MODEL_EQ(volume_open(task, visit->store, &visit->ledger->userid, &volume), RP_OK);
	return volume;
}

/* Whatever crashes have left: who opens a journal seals what is not in use any more. */
static void names_are_right(const struct journal *journal)
{
	for (size_t i = 0; i + 1 < journal->files_count; i++)
		MODEL_EQ(journal->files[i].last, journal_core_last(journal, i));
}

/* What a crash has left of derived files is met, and all are written that are not sound. */
static void write_derived(struct task *task, struct visit *visit)
{
	struct volume *volume = must_open(task, visit);

	ledger_compare(task, visit->ledger, volume);
	names_are_right(volume->journal);
	MODEL_EQ(checkpoint_now(task, volume), RP_OK);
	volume_close(volume);
}

static void check(struct task *task, struct visit *visit)
{
	visit->check_err =
	    repair_check(task, visit->store, &visit->ledger->userid, say, visit, &visit->report);
}

static void compare(struct task *task, struct visit *visit)
{
	struct volume *volume = must_open(task, visit);

	ledger_compare(task, visit->ledger, volume);
	volume_close(volume);
}

static void do_visit(struct visit *visit, void (*fn)(struct task *, struct visit *))
{
	visit->fn = fn;
	make_visit(visit);
	MODEL_EQ(visit->err, RP_OK);
}

/* Did it find something? It must not change a byte. */
static bool do_check(struct visit *visit)
{
	uint64_t before = damage_disk_digest(visit->machine, &visit->ledger->userid);

	visit->lines_bytes = 0;
	do_visit(visit, check);
	if (damage_disk_digest(visit->machine, &visit->ledger->userid) != before)
		assert_panic("check has changed something");
	return visit->check_err != RP_OK || repair_found_damage(&visit->report);
}

/* ---- derived files ---- */

static void damage_derived(struct visit *visit)
{
	struct tally *tally = visit->machine->tally;
	bool found;

	if (!damage_disk(visit->machine, DAMAGE_DERIVED, &visit->ledger->userid, &visit->damage))
		return;
	tally->damage_derived++;
	found = do_check(visit) || visit->report.derived_gone > 0;
	tally->damage_derived_found += found;
	tally->damage_derived_rest += !found;
	do_visit(visit, compare);
	damage_fini(&visit->damage);
}

/* ---- journals and bodies ---- */

static void look_around(struct task *task, struct visit *visit)
{
	struct tally *tally = visit->machine->tally;
	struct damage_loss loss = {0};
	struct volume *volume;
	bool found = visit->check_err != RP_OK || repair_found_damage(&visit->report);
	enum rp_err err = volume_open(task, visit->store, &visit->ledger->userid, &volume);

	if (err != RP_OK) {
		MODEL_EQ(err, RP_ERR_CORRUPT);
		MODEL_CHECK(found);
		return;
	}
	cost_opened(task, &visit->cost, volume);
	damage_look(task, visit->ledger, volume, bytes_of(visit->lines, visit->lines_bytes), &loss);
	damage_shown(volume, &visit->shown);
	volume_close(volume);
	machine_tell(visit->machine,
	    "lost: %u mailboxes, %u messages, %u bodies (%u not named); %u are back, %u older, "
	    "counters of %u older",
	    loss.mailboxes_lost, loss.messages_lost, loss.bodies_lost, loss.bodies_unnamed,
	    loss.messages_back, loss.messages_older, loss.counters_older);
	if (!found && damage_is_loss(&loss))
		assert_panic("check finds nothing, and something is lost");
	/* Where journals have lost records too, an index may tell of messages that check does not know. */
	if (visit->hit == 1)
		MODEL_EQ(loss.bodies_unnamed, 0);
	/* Numbers that were shown are not given out again. */
	MODEL_EQ(loss.counters_older, 0);
	tally->messages_lost += loss.messages_lost + loss.bodies_lost;
	tally->messages_served += loss.served;
}

/* What the server writes now, indexes and a catalog too, must not count as what knows of the lost records. */
static void go_on(struct task *task, struct visit *visit)
{
	struct volume *volume;

	if (volume_open(task, visit->store, &visit->ledger->userid, &volume) != RP_OK)
		return; /* it has been looked at why */
	damage_go_on(task, volume);
	damage_shown(volume, &visit->shown);
	volume_close(volume);
	visit->machine->tally->damage_went_on++;
}

static void repair(struct task *task, struct visit *visit)
{
	static const char from_bodies[] = "the journals are gone"; /* new UIDVALIDITYs, then */
	struct repair_report report;
	struct damage_loss loss = {0};
	struct volume *volume;
	enum rp_err err =
	    repair_rebuild(task, visit->store, &visit->ledger->userid, say, visit, &report);

	if (err == RP_ERR_NOTFOUND)
		return; /* it was his only file */
	MODEL_EQ(err, RP_OK);
	visit->machine->tally->repairs++;
	volume = must_open(task, visit);
	damage_shown(volume, &visit->shown);
	if (visit->costs)
		cost_repaired(task, &visit->cost, volume, visit->opened);
	if (memmem(visit->lines, visit->lines_bytes, from_bodies, sizeof(from_bodies) - 1) ==
	        NULL &&
	    visit->check_err == RP_OK)
		damage_look(
		    task, visit->ledger, volume, bytes_of(visit->lines, visit->lines_bytes), &loss);
	if (visit->check_err != RP_OK || repair_found_damage(&visit->report))
		MODEL_EQ(loss.counters_older, 0);
	volume_close(volume);
}

/* As they were after the repair, and its next start. */
static void compare_numbers(struct task *task, struct visit *visit)
{
	struct volume *volume;

	if (volume_open(task, visit->store, &visit->ledger->userid, &volume) != RP_OK)
		return; /* he has no files */
	damage_shown(volume, &visit->shown);
	volume_close(volume);
}

/* Nothing is damaged yet: a plain reading says what the server says. */
static void begin_cost(struct task *task, struct visit *visit)
{
	struct volume *volume = must_open(task, visit);

	cost_sound(task, &visit->cost, volume);
	volume_close(volume);
}

static unsigned damage_some(struct visit *visit)
{
	struct machine *machine = visit->machine;
	unsigned wanted = machine_draw(machine, 3) != 0 ? 1 : 2 + machine_draw(machine, 2);
	unsigned done = 0;

	for (; done < wanted; done++) {
		if (!damage_disk(machine, DAMAGE_TRUTH, &visit->ledger->userid, &visit->damage))
			break;
		damage_fini(&visit->damage);
		machine->tally->damage_truth++;
	}
	machine->tally->damage_several += done > 1;
	return done;
}

static void damage_truth(struct visit *visit)
{
	struct machine *machine = visit->machine;
	bool derived = machine_draw(machine, 2) != 0;
	bool found;

	cost_begin(&visit->cost, machine, &visit->ledger->userid);
	do_visit(visit, begin_cost);
	if (!derived)
		damage_forget(machine, &visit->ledger->userid);
	visit->hit = damage_some(visit);
	if (visit->hit > 0) {
		cost_damaged(&visit->cost, derived);
		found = do_check(visit);
		machine->tally->damage_truth_found += found;
		machine->tally->damage_truth_rest += !found;
		if (!found && visit->cost.records_lost > 0)
			assert_panic("records are hit, and check finds nothing");
		visit->opened = machine_draw(machine, 2) == 0;
		if (visit->opened)
			do_visit(visit, look_around);
		if (visit->opened && machine_draw(machine, 2) == 0) {
			do_visit(visit, go_on);
			cost_went_on(&visit->cost);
		}
		visit->costs = true;
		do_visit(visit, repair);
		do_visit(visit, compare_numbers);
	}
	cost_fini(&visit->cost);
}

/* ---- commit logs, their owner file, and DATA/store ---- */

static void damage_log(struct visit *visit)
{
	struct tally *tally = visit->machine->tally;

	if (!damage_disk(visit->machine, DAMAGE_LOG, &visit->ledger->userid, &visit->damage))
		return;
	tally->damage_log++;
	visit->fn = compare;
	make_visit(visit);
	if (visit->err == RP_OK) {
		tally->damage_log_rest++;
		damage_fini(&visit->damage);
		return;
	}
	MODEL_EQ(strcmp(visit->damage.path, "store") == 0 || strcmp(visit->damage.path, "owner") == 0, true);
	tally->damage_log_refused++;
	damage_undo(visit->machine, &visit->damage);
}

/* The folder of the logs is gone, and a repair goes on without; or that of one shard, which keeps no server from starting. */
static bool lose_logs(struct visit *visit, int shard)
{
	struct tally *tally = visit->machine->tally;

	damage_shown_promised(visit->ledger, &visit->shown);
	if (damage_lose_logs(visit->machine, shard) == 0)
		return false;
	if (shard != DAMAGE_ALL_SHARDS) {
		tally->logs_gone_of_shard++;
		return true;
	}
	tally->logs_gone++;
	visit->fn = compare;
	make_visit(visit);
	MODEL_EQ(visit->err, RP_ERR_CORRUPT);
	visit->renews = true;
	make_visit(visit);
	MODEL_EQ(visit->err, RP_OK);
	visit->renews = false;
	return true;
}

/* Nothing was in the logs: numbers may have risen, as not all of them tell so, and nothing else is other than it was. */
static void look_at_all(struct task *task, struct visit *visit)
{
	struct damage_loss loss = {0};
	struct volume *volume = must_open(task, visit);

	damage_look(task, visit->ledger, volume, bytes_of_str(""), &loss);
	damage_shown(volume, &visit->shown);
	MODEL_CHECK(!damage_is_loss(&loss));
	volume_close(volume);
}

/* Whose logs are gone: all, or, as often, those of one that has some. */
static int draw_lost(struct machine *machine)
{
	int shard = (int)machine_draw(machine, 2 * machine->life.shards_count);

	return shard < (int)machine->life.shards_count ? shard : DAMAGE_ALL_SHARDS;
}

/* Crashes may leave derived files half written, and files that failed; in no journal is a place that has no sound record. */
static void check_journals(struct visit *visit)
{
	const struct repair_report *report = &visit->report;

	(void)do_check(visit);
	if (report->records_missing != 0 || report->records_unsound != 0 ||
	    report->places_spoilt != 0 || report->journals_gone)
		assert_panic("check finds damage in journals that nothing has damaged");
}

static bool is_there(struct ledger *ledger)
{
	return !ledger_newest(ledger)->destroyed && !ledger_newest(ledger)->blank &&
	       ledger->durable + 1 == ledger->count;
}

static unsigned voids_of(struct machine *machine, struct ledger *ledger)
{
	struct plain plain;
	unsigned voids;

	plain_read(&plain, machine, &ledger->userid);
	voids = plain.voids;
	plain_fini(&plain);
	return voids;
}

/* Somebody; or who has in his journals what is rare. */
static struct ledger *draw_user(struct machine *machine)
{
	struct ledger *ledger = &machine->ledger[machine_draw(machine, MACHINE_USERS)];

	for (unsigned u = 0; u < MACHINE_USERS; u++)
		if (is_there(&machine->ledger[u]) && voids_of(machine, &machine->ledger[u]) > 0)
			return &machine->ledger[u];
	return ledger;
}

void damage_run(struct machine *machine)
{
	static const struct sim_faults none;
	struct visit visit = {.machine = machine, .lines = malloc(LINES_BYTES)};
	struct ledger *ledger;
	bool lost;

	MODEL_CHECK(visit.lines != NULL);
	sim_set_faults(machine->world, &none);
	sim_disk_rest(machine->world);
	visit.ledger = ledger = draw_user(machine);
	if (is_there(ledger)) {
		do_visit(&visit, write_derived);
		check_journals(&visit);
		do_visit(&visit, repair); /* crashes may have left derived files half written */
		if (do_check(&visit))
			assert_panic("check finds damage where there is none");
		for (unsigned i = 0; i < ROUNDS_DERIVED; i++) {
			damage_derived(&visit);
			if (machine_draw(machine, 2) == 0)
				do_visit(&visit, write_derived);
		}
		damage_log(&visit);
		lost = machine_draw(machine, 6) == 0 && lose_logs(&visit, draw_lost(machine));
		if (lost)
			do_visit(&visit, look_at_all);
		do_visit(&visit, repair); /* one damage at a time */
		if (lost) /* millions of UIDs are told as expunged by now: too many for a plain reading */
			do_visit(&visit, compare_numbers);
		else
			damage_truth(&visit);
	}
	free(visit.lines);
}

/* What was in the logs alone is lost: which state it is depends on what had reached the disk, in which order. */
static void look_at_rest(struct task *task, struct visit *visit)
{
	struct tally *tally = visit->machine->tally;
	struct damage_loss loss = {0};
	struct volume *volume = must_open(task, visit);

	damage_look(
	    task, visit->ledger, volume, bytes_of(visit->lines, visit->lines_bytes), &loss);
	damage_shown(volume, &visit->shown);
	MODEL_EQ(loss.counters_older, 0);
	tally->logs_gone_lost += damage_is_loss(&loss);
	tally->messages_served += loss.served;
	volume_close(volume);
}

/* What no flush had reached may be a journal without its beginning: then he is served when that is repaired, and check says so. */
static void look_before_repair(struct task *task, struct visit *visit)
{
	struct volume *volume;
	enum rp_err err = volume_open(task, visit->store, &visit->ledger->userid, &volume);

	if (err == RP_OK) {
		volume_close(volume);
		look_at_rest(task, visit);
		return;
	}
	MODEL_EQ(err, RP_ERR_CORRUPT);
	MODEL_CHECK(visit->check_err == RP_OK && visit->report.journals_gone);
}

/* Has he mail, whatever a power cut leaves? */
static bool has_mail(struct ledger *ledger)
{
	for (uint64_t i = ledger->durable; i < ledger->count; i++)
		if (ledger->state[i % LEDGER_STATES].destroyed)
			return false;
	return !ledger_newest(ledger)->blank;
}

void damage_run_without_logs(struct machine *machine)
{
	static const struct sim_faults none;
	struct visit visit = {.machine = machine, .lines = malloc(LINES_BYTES)};
	int shard;

	MODEL_CHECK(visit.lines != NULL);
	sim_set_faults(machine->world, &none);
	visit.ledger = &machine->ledger[machine_draw(machine, MACHINE_USERS)];
	/* Till a start is over nothing tells that a shard which is new in it has logs. */
	shard = machine->life.voided ? draw_lost(machine) : DAMAGE_ALL_SHARDS;
	if (has_mail(visit.ledger) && lose_logs(&visit, shard)) {
		machine->tally->logs_gone_cut++;
		if (machine_draw(machine, 2) == 0) {
			do_visit(&visit, check); /* the start before it may place what other shards' logs have */
			do_visit(&visit, look_before_repair);
		}
		do_visit(&visit, repair);
		do_visit(&visit, look_at_rest);
	}
	free(visit.lines);
}
