/* What the log of a running server does when the disk does not: a write fails, a flush fails, there is no room. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "index/claim.h"
#include "io/base/log.h"
#include "io/loop_core.h"
#include "tests/index/two_users.h"

/* The first user's record of this LSN: its position. */
static uint64_t append_one(struct task *task, struct machine *machine, uint64_t lsn)
{
	uint8_t bytes[BODY_BYTES];
	uint64_t position = 0;
	uint64_t given;

	memset(bytes, (int)lsn, sizeof(bytes));
	cr_assert_eq(log_user_append(task, &machine->users[0], bytes_of(bytes, 100),
	                 bytes_of(bytes, BODY_BYTES), &given, &position, &machine->refs[0][lsn]),
	    RP_OK);
	cr_assert_eq(given, lsn);
	return position;
}

/* All that the first user has is there, with its bodies. */
static void look_again(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_recover_wholly(task, machine);
	two_users_open_all(task, machine);
	two_users_check(task, machine, 0);
	two_users_close_all(task, machine);
}

static void append_until_it_fails(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct sim_faults faults = { .write_eio = 65535 };
	uint64_t durable;

	sim_set_faults(machine->world, &faults);
	durable = commit_durable(machine->commit);
	machine->changes = 0;

	uint64_t position = append_one(task, machine, COUNT);

	machine->outcome = commit_wait(task, machine->commit, position);
	cr_assert_eq(commit_durable(machine->commit), durable, "durable never moves again");
	cr_assert(commit_failed(machine->commit));
	cr_assert_eq(machine->changes, 1, "the watcher is told");
	cr_assert_eq(commit_reserve(task, machine->commit, 100), RP_ERR_UNAVAILABLE);
	faults.write_eio = 0;
	sim_set_faults(machine->world, &faults);
	cr_assert_eq(commit_reserve(task, machine->commit, 100), RP_ERR_UNAVAILABLE, "it is final");
	cr_assert_eq(commit_close(task, machine->commit), RP_ERR_UNKNOWN);
	cr_assert(list_empty(&machine->users[0].settle.entries));
	two_users_drop(machine);
}

static void fill_less(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_open_all(task, machine);
	two_users_append(task, machine, 1, COUNT - 1);
	while (commit_durable(machine->commit) < commit_position(machine->commit))
		(void)!task_yield(task);
	(void)!task_sleep(task, 100 * 1000 * 1000); /* the second file is made */
}

Test(commit_failing, a_failed_write_is_final_and_what_was_acknowledged_is_there)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(7, &machine->world), RP_OK);
	two_users_start_loop(machine);
	two_users_run(machine, fill_less);
	two_users_run(machine, append_until_it_fails);
	cr_assert_eq(machine->outcome, RP_ERR_UNKNOWN);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
	two_users_live(machine, look_again);
	cr_assert_geq(machine->met, COUNT - 1);
	sim_close(machine->world);
	free(machine);
}

/* The disk fills up: what was promised gets the reserve's room; new mail is refused; room makes it well again. */
static void append_on_a_full_disk(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct sim_faults full = { .disk_bytes_max = 1 };
	struct file *file;

	cr_assert_eq(claim_reserve_make(task, 64 * 1024), RP_OK);
	two_users_open_all(task, machine);
	(void)!task_sleep(task, 100 * 1000 * 1000);
	for (uint64_t lsn = 1; lsn < COUNT; lsn++)
		(void)append_one(task, machine, lsn);
	sim_set_faults(machine->world, &full);
	cr_assert_eq(
	    commit_wait(task, machine->commit, commit_position(machine->commit)), RP_OK,
	    "the log has its room");
	(void)!task_sleep(task, 3 * UINT64_C(1000000000));
	cr_assert_neq(commit_room(machine->commit), COMMIT_ROOM_ENOUGH);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "reserve", FILE_READ, &file), RP_ERR_NOTFOUND);
	cr_assert_eq(commit_reserve(task, machine->commit, 100), RP_ERR_NOSPACE);
	cr_assert_not(commit_failed(machine->commit));
	full.disk_bytes_max = 0;
	sim_set_faults(machine->world, &full);
	(void)!task_sleep(task, 3 * UINT64_C(1000000000));
	cr_assert(list_empty(&machine->users[0].settle.entries), "all is settled");
	cr_assert_eq(
	    commit_wait(task, machine->commit, append_one(task, machine, COUNT)), RP_OK);
	(void)!task_sleep(task, 3 * UINT64_C(1000000000));
	cr_assert_eq(commit_room(machine->commit), COMMIT_ROOM_ENOUGH);
	two_users_close_all(task, machine);
}

/* The lines of settle.failed that are there; tries: of the last of them. */
static unsigned failures_told(struct log *log, unsigned long *tries)
{
	unsigned count = 0;

	for (struct bytes b; (b = log_take(log)).n > 0; log_taken(log, b.n))
		for (size_t at = 0; at < b.n; at += bytes_find(b, at, '\n') - at + 1) {
			struct bytes line = bytes_slice(b, at, bytes_find(b, at, '\n'));
			const char *end;

			if (memmem(line.p, line.n, " settle.failed ", 15) == NULL)
				continue;
			end = memmem(line.p, line.n, " tries=", 7);
			cr_assert_not_null(end);
			*tries = strtoul(end + 7, NULL, 10);
			count++;
		}
	return count;
}

static void fail_for_minutes(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct sim_faults full = { .disk_bytes_max = 1 };
	struct log *log = log_open(NULL, 0, 65536);
	unsigned long tries = 0;

	machine->loop->log = log;
	two_users_open_all(task, machine);
	for (uint64_t lsn = 1; lsn < COUNT; lsn++)
		(void)append_one(task, machine, lsn);
	sim_set_faults(machine->world, &full);
	cr_assert_eq(
	    commit_wait(task, machine->commit, commit_position(machine->commit)), RP_OK);
	(void)!task_sleep(task, 150 * UINT64_C(1000000000));
	cr_assert_eq(failures_told(log, &tries), 3, "once a minute");
	cr_assert_gt(tries, 100);
	full.disk_bytes_max = 0;
	sim_set_faults(machine->world, &full);
	(void)!task_sleep(task, 3 * UINT64_C(1000000000));
	cr_assert(list_empty(&machine->users[0].settle.entries), "all is settled");
	cr_assert_eq(failures_told(log, &tries), 0);
	two_users_close_all(task, machine);
	machine->loop->log = NULL;
	log_close(log);
}

Test(commit_failing, a_full_disk_is_told_now_and_then_with_all_tries)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(8, &machine->world), RP_OK);
	two_users_live(machine, fail_for_minutes);
	sim_close(machine->world);
	free(machine);
}

Test(commit_failing, a_full_disk_is_survived)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(7, &machine->world), RP_OK);
	two_users_start_loop(machine);
	two_users_run(machine, append_on_a_full_disk);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
	two_users_live(machine, look_again);
	cr_assert_eq(machine->report.records, 0);
	cr_assert_eq(machine->met, COUNT);
	sim_close(machine->world);
	free(machine);
}

/* A flush that fails is final: nothing is used again, and the records are still in the logs. */
static void append_until_a_sync_fails(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct sim_faults faults = { .sync_eio = 65535 };
	uint8_t payload[4000] = { 0 };

	sim_set_faults(machine->world, &faults);
	machine->outcome = RP_OK;
	for (int i = 0; i < 10000 && machine->outcome == RP_OK; i++) {
		struct dbox_ref ref;
		uint64_t position;
		uint64_t lsn;

		machine->outcome = log_user_append(task, &machine->users[0],
		    bytes_of(payload, sizeof(payload)), bytes_of(NULL, 0), &lsn, &position, &ref);
		if (machine->outcome == RP_OK)
			machine->outcome = commit_wait(task, machine->commit, position);
	}
	cr_assert(commit_failed(machine->commit));
	cr_assert_eq(commit_close(task, machine->commit), RP_ERR_UNKNOWN);
	two_users_drop(machine);
}

Test(commit_failing, a_failed_flush_is_final)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(7, &machine->world), RP_OK);
	two_users_start_loop(machine);
	two_users_run(machine, fill_less);
	two_users_run(machine, append_until_a_sync_fails);
	cr_assert(machine->outcome == RP_ERR_UNKNOWN || machine->outcome == RP_ERR_UNAVAILABLE);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
	sim_close(machine->world);
	free(machine);
}

/* Two users' records are put in their places at the same time: of two shards, as it were. */
struct recovering {
	struct machine *machine;
	struct recover *recover;
	unsigned user;
	enum rp_err err;
	bool ended;
};

static void leave_records(struct task *task, void *arg)
{
	struct machine *machine = arg;

	cr_assert_eq(claim_reserve_make(task, 1024 * 1024), RP_OK);
	two_users_open_all(task, machine);
	two_users_append(task, machine, 1, COUNT);
	(void)!commit_wait(task, machine->commit, commit_position(machine->commit));
	two_users_sync_all(task);
}

static void recover_one(struct task *task, void *arg)
{
	struct recovering *recovering = arg;
	struct userid id = log_user_id(recovering->user + 1);

	recovering->err = recover_user(task, recovering->recover, &id);
	recovering->ended = true;
}

/* Both find no room; who comes second finds the reserve given up already, by the other: what it took is there for him too. */
static void recover_both(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct sim_faults full = {.disk_bytes_max = 1};
	struct recovering both[USERS] = {0};
	struct recover *recover;
	struct file_room room;

	cr_assert_eq(recover_open(task, 1, machine->epoch, &recover), RP_OK);
	full.disk_bytes_max = UINT64_C(1) << 30;
	sim_set_faults(machine->world, &full);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	full.disk_bytes_max = room.total_bytes - room.free_bytes;
	sim_set_faults(machine->world, &full);
	for (unsigned u = 0; u < USERS; u++) {
		both[u] = (struct recovering){.machine = machine, .recover = recover, .user = u};
		cr_assert_eq(task_start(task_loop(task), recover_one, &both[u], NULL), RP_OK);
	}
	while (!both[0].ended || !both[1].ended)
		(void)!task_sleep(task, 1000 * 1000);
	cr_assert_eq(both[0].err, RP_OK, "%s", err_name(both[0].err));
	cr_assert_eq(both[1].err, RP_OK, "%s", err_name(both[1].err));
	recover_close(recover);
	full.disk_bytes_max = 0;
	sim_set_faults(machine->world, &full);
}

Test(commit_failing, a_reserve_that_another_shard_gave_up_is_there_for_recovery_too)
{
	for (unsigned seed = 1; seed <= 8; seed++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		cr_assert_eq(sim_open(seed, &machine->world), RP_OK);
		two_users_start_loop(machine);
		two_users_run(machine, leave_records);
		two_users_crash(machine);
		two_users_start_loop(machine);
		two_users_run(machine, recover_both);
		cr_assert(sim_run(machine->world, 1000000));
		loop_close(machine->loop);
		sim_close(machine->world);
		free(machine);
	}
}
