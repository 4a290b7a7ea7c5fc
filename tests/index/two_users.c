#include "tests/index/two_users.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void run_task(struct task *task, void *arg)
{
	struct machine *machine = arg;

	machine->fn(task, machine);
	machine->ended = true;
}

void two_users_run(struct machine *machine, task_fn *fn)
{
	machine->fn = fn;
	machine->ended = false;
	cr_assert_eq(task_start(machine->loop, run_task, machine, NULL), RP_OK);
	while (!machine->ended)
		cr_assert(sim_step(machine->world));
}

void two_users_start_loop(struct machine *machine)
{
	struct loop_settings settings = { 0 };

	machine->epoch++;
	cr_assert_eq(sim_loop_open(machine->world, &settings, &machine->loop), RP_OK);
}

void two_users_live(struct machine *machine, task_fn *fn)
{
	two_users_start_loop(machine);
	two_users_run(machine, fn);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
}

static void changed(void *arg)
{
	struct machine *machine = arg;

	machine->changes++;
}

void two_users_open_all(struct task *task, struct machine *machine)
{
	struct commit_settings settings = { .file_bytes = FILE_BYTES,
		.memory_bytes_max = MEMORY_BYTES, .epoch = machine->epoch, .files_max = machine->log_files_max,
		.changed = changed, .arg = machine };

	cr_assert_eq(commit_open(task, &settings, &machine->commit), RP_OK);
	for (unsigned u = 0; u < USERS; u++)
		cr_assert_eq(log_user_open(
		                 task, &machine->users[u], machine->commit, u + 1, machine->epoch),
		    RP_OK);
}

void two_users_append(struct task *task, struct machine *machine, uint64_t from, uint64_t to)
{
	uint8_t bytes[BODY_BYTES];
	uint64_t position = 0;

	for (uint64_t lsn = from; lsn <= to; lsn++) {
		for (unsigned u = 0; u < USERS; u++) {
			uint64_t given;

			memset(bytes, (int)lsn, sizeof(bytes));
			cr_assert_eq(log_user_append(task, &machine->users[u], bytes_of(bytes, 100),
			                 bytes_of(bytes, BODY_BYTES), &given, &position,
			                 &machine->refs[u][lsn]),
			    RP_OK);
			cr_assert_eq(given, lsn);
		}
	}
	cr_assert_eq(commit_wait(task, machine->commit, position), RP_OK);
}

void two_users_settle_all(struct task *task, struct machine *machine)
{
	for (unsigned u = 0; u < USERS; u++)
		cr_assert_eq(settle_flush(task, machine->commit, &machine->users[u].settle), RP_OK);
}

void two_users_break_file(struct machine *machine)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", machine->users[0].dir, machine->file);
	cr_assert_eq(
	    sim_break_file(machine->world, FILE_ROOT_DATA, path, &machine->broken), RP_OK);
}

enum rp_err two_users_meet(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct machine *machine = arg;

	(void)task;
	cr_assert_not_null(record, "%lu-%lu are missing", missing_first, missing_last);
	cr_assert_eq(record->header.lsn, ++machine->met);
	cr_assert_eq(record->payload.p[99], (uint8_t)record->header.lsn);
	return RP_OK;
}

void two_users_check(struct task *task, struct machine *machine, unsigned u)
{
	struct log_user *user = &machine->users[u];

	machine->met = 0;
	cr_assert_eq(journal_replay(task, user->journal, 0, two_users_meet, machine), RP_OK);
	for (uint64_t lsn = 1; lsn <= machine->met; lsn++) {
		struct dbox_body *body;
		uint8_t read[BODY_BYTES];
		size_t got;

		cr_assert_eq(
		    dbox_body_open(task, user->dbox, NULL, machine->refs[u][lsn], 99, &body), RP_OK,
		    "user %u, LSN %lu", u, lsn);
		cr_assert_eq(dbox_body_read(task, body, 0, read, sizeof(read), &got), RP_OK);
		cr_assert_eq(got, BODY_BYTES);
		cr_assert_eq(read[BODY_BYTES - 1], (uint8_t)lsn);
		dbox_body_close(body);
	}
}

void two_users_drop(struct machine *machine)
{
	for (unsigned u = 0; u < USERS; u++) {
		settle_fini(&machine->users[u].settle);
		journal_close(machine->users[u].journal);
		dbox_close(machine->users[u].dbox);
	}
}

void two_users_close_all(struct task *task, struct machine *machine)
{
	struct commit_stats stats;

	commit_stats(machine->commit, &stats);
	machine->sealed += stats.files_sealed;
	for (unsigned u = 0; u < USERS; u++)
		cr_assert_eq(log_user_close(task, &machine->users[u]), RP_OK);
	cr_assert_eq(commit_close(task, machine->commit), RP_OK);
}

void two_users_recover_all(struct task *task, struct machine *machine, struct recover **out)
{
	struct userid id;

	cr_assert_eq(recover_open(task, 1, machine->epoch, out), RP_OK);
	while (recover_next(*out, &id))
		cr_assert_eq(recover_user(task, *out, &id), RP_OK);
}

void two_users_recover_wholly(struct task *task, struct machine *machine)
{
	struct recover *recover;

	two_users_recover_all(task, machine, &recover);
	cr_assert_eq(recover_sync(task, recover), RP_OK);
	cr_assert_eq(recover_void(task, 1, machine->epoch), RP_OK);
	recover_report(recover, &machine->report);
	machine->sealed += machine->report.files_sealed;
	recover_close(recover);
}

void two_users_sync_all(struct task *task)
{
	struct file *file;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "store", FILE_READ | FILE_WRITE | FILE_CREATE, &file),
	    RP_OK);
	cr_assert_eq(file_syncfs(task, file), RP_OK);
	file_close(file);
}

void two_users_crash(struct machine *machine)
{
	enum { CRASHES_MAX = 64 };
	static struct log_user crashed[CRASHES_MAX][USERS];
	static struct log_user(*kept)[USERS] = crashed; /* as a pointer, so that gcc sees a use */
	static unsigned count;

	cr_assert_lt(count, CRASHES_MAX);
	memcpy(kept[count++], machine->users, sizeof(machine->users));
	sim_crash(machine->world);
}
