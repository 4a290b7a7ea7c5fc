/* Files of one user that fail, while the server runs and when it recovers: the rest goes elsewhere, nobody else notices. */
#include "index/place.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/index/two_users.h"

/* It may have got the name of a sealed file. */
static void mend_file(struct machine *machine)
{
	static const struct sim_broken sound;
	char path[300];

	snprintf(path, sizeof(path), "%s/1-.journal", machine->users[0].dir);
	if (sim_break_file(machine->world, FILE_ROOT_DATA, path, &sound) == RP_OK)
		return;
	snprintf(path, sizeof(path), "%s/1-%d.journal", machine->users[0].dir, FIRST);
	cr_assert_eq(sim_break_file(machine->world, FILE_ROOT_DATA, path, &sound), RP_OK);
}

/* Every record and body of every user is there, from the files alone. */
static void check(struct task *task, struct machine *machine)
{
	for (unsigned u = 0; u < USERS; u++) {
		cr_assert(list_empty(&machine->users[u].settle.entries));
		two_users_check(task, machine, u);
		cr_assert_eq(machine->met, COUNT);
	}
}

/* The first records are on the disk; then a file fails, and those up to this one are settled. */
static void fill_and_fail(struct task *task, struct machine *machine, uint64_t last)
{
	two_users_open_all(task, machine);
	two_users_append(task, machine, 1, FIRST);
	two_users_settle_all(task, machine);
	two_users_sync_all(task);
	two_users_break_file(machine);
	two_users_append(task, machine, FIRST + 1, last);
	two_users_settle_all(task, machine);
}

static void fail_while_running(struct task *task, void *arg)
{
	struct machine *machine = arg;

	fill_and_fail(task, machine, COUNT);
	cr_assert_not(commit_failed(machine->commit), "one user's file is not the log's end");
	cr_assert_eq(commit_room(machine->commit), COMMIT_ROOM_ENOUGH, "nor is the disk full");
	check(task, machine);
	two_users_close_all(task, machine);
}

static void look_again(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_recover_wholly(task, machine);
	two_users_open_all(task, machine);
	check(task, machine);
	two_users_close_all(task, machine);
}

static void again(struct machine *machine)
{
	two_users_live(machine, look_again);
}

static const struct {
	const char *file;
	struct sim_broken broken;
} cases[] = {
	{ "1.dbox", { .write = EIO } },
	{ "1.dbox", { .write = ENOSPC } }, /* while the disk has room: the file is at fault */
	{ "1-.journal", { .write = EIO } },
	{ "1-.journal", { .write = ENOSPC } },
};

Test(place, a_file_that_fails_while_the_server_runs_is_sealed)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		machine->file = cases[i].file;
		machine->broken = cases[i].broken;
		cr_assert_eq(sim_open(7 + i, &machine->world), RP_OK);
		two_users_live(machine, fail_while_running);
		cr_assert_eq(machine->sealed, 1, "%s", machine->file);
		again(machine);
		cr_assert_eq(machine->sealed, 1, "it is not tried again");
		sim_close(machine->world);
		free(machine);
	}
}

static void fill_and_leave(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_open_all(task, machine);
	two_users_append(task, machine, 1, FIRST);
	two_users_settle_all(task, machine);
	two_users_sync_all(task);
	two_users_append(task, machine, FIRST + 1, COUNT);
}

/* Its user is there all the same, and the logs are made void. A file that cannot be read either costs what was in it. */
Test(place, a_file_that_fails_in_recovery_is_sealed)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		machine->file = cases[i].file;
		machine->broken = cases[i].broken;
		cr_assert_eq(sim_open(17 + i, &machine->world), RP_OK);
		two_users_start_loop(machine);
		two_users_run(machine, fill_and_leave);
		two_users_crash(machine);
		two_users_break_file(machine);
		again(machine);
		cr_assert_eq(machine->sealed, 1, "%s", machine->file);
		again(machine);
		cr_assert_eq(machine->sealed, 1);
		sim_close(machine->world);
		free(machine);
	}
}

static void recover_in_vain(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover_report report;
	struct recover *recover;
	struct userid id = log_user_id(1);

	cr_assert_eq(recover_open(task, 1, machine->epoch, &recover), RP_OK);
	cr_assert_eq(recover_user(task, recover, &id), RP_OK);
	cr_assert_eq(recover_sync(task, recover), RP_ERR_UNAVAILABLE, "the second user is left");
	recover_report(recover, &report);
	machine->sealed += report.files_sealed;
	recover_close(recover);
}

/* The power goes before all is recovered, and what stood in for the file is broken the next time. */
Test(place, what_stands_in_for_a_file_may_fail_too)
{
	static const char *const more[] = { "1-1.dbox", "1-.journal" };

	for (size_t i = 0; i < 2; i++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		machine->file = i == 0 ? "1.dbox" : "1-.journal";
		machine->broken = (struct sim_broken){ .write = EIO };
		cr_assert_eq(sim_open(31 + i, &machine->world), RP_OK);
		two_users_start_loop(machine);
		two_users_run(machine, fill_and_leave);
		two_users_crash(machine);
		two_users_break_file(machine);
		two_users_start_loop(machine);
		two_users_run(machine, recover_in_vain);
		cr_assert_eq(machine->sealed, 1);
		cr_assert(sim_run(machine->world, 1000000));
		loop_close(machine->loop);
		machine->file = more[i];
		two_users_break_file(machine);
		again(machine);
		cr_assert_eq(machine->sealed, 2);
		sim_close(machine->world);
		free(machine);
	}
}

static void fill_some(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_open_all(task, machine);
	two_users_append(task, machine, 1, FIRST);
	two_users_close_all(task, machine);
}

/* The log of this run has no more than these. */
static void fill_more_and_leave(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_recover_wholly(task, machine);
	two_users_open_all(task, machine);
	two_users_append(task, machine, FIRST + 1, HALF);
}

/* His mail is open before all is flushed and the logs are made void. */
static void recover_and_go_on(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover_report report;
	struct recover *recover;

	two_users_recover_all(task, machine, &recover);
	recover_report(recover, &report);
	cr_assert_eq(report.files_sealed, 1);
	recover_close(recover);
	two_users_open_all(task, machine);
	two_users_append(task, machine, HALF + 1, COUNT);
}

/* New records were numbered in the file that a recovery had begun; its name must be there after a power cut, or what was to lie
 * before them goes to where it was given place first, and nobody looks for it there. */
Test(place, a_file_begun_in_recovery_is_there_when_the_power_goes)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		machine->file = "1-.journal";
		cr_assert_eq(sim_open(100 + seed, &machine->world), RP_OK);
		two_users_live(machine, fill_some);
		two_users_start_loop(machine);
		two_users_run(machine, fill_more_and_leave);
		two_users_crash(machine);
		machine->broken = (struct sim_broken){ .write = EIO };
		two_users_break_file(machine);
		two_users_start_loop(machine);
		two_users_run(machine, recover_and_go_on);
		two_users_crash(machine);
		mend_file(machine);
		again(machine);
		again(machine);
		sim_close(machine->world);
		free(machine);
	}
}

/* Its user is idle for a while, and his mail is opened again: the newest file is the one that was begun. */
static void fail_and_open_again(struct task *task, void *arg)
{
	struct machine *machine = arg;

	fill_and_fail(task, machine, HALF);
	cr_assert_eq(log_user_close(task, &machine->users[0]), RP_OK);
	cr_assert_eq(log_user_open(task, &machine->users[0], machine->commit, 1, machine->epoch), RP_OK);
	two_users_append(task, machine, HALF + 1, COUNT);
}

/* New records must not be numbered in it: when its name goes with the power, what was to lie before them goes to where it was given
 * place first, and a file that the new ones make says that nobody need look for it there. */
Test(place, a_file_begun_while_the_server_runs_gets_no_new_records)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		machine->file = "1-.journal";
		machine->broken = (struct sim_broken){.write = EIO};
		cr_assert_eq(sim_open(200 + seed, &machine->world), RP_OK);
		two_users_start_loop(machine);
		two_users_run(machine, fail_and_open_again);
		two_users_crash(machine);
		mend_file(machine);
		again(machine);
		again(machine);
		sim_close(machine->world);
		free(machine);
	}
}

/* What fails is not the write but the flush, and that of all files at once: who it was is found at the next start. */
static void fail_at_a_flush(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover *recover;

	two_users_recover_all(task, machine, &recover);
	cr_assert_eq(recover_sync(task, recover), RP_ERR_IO);
	recover_close(recover);
}

Test(place, a_file_that_cannot_be_flushed_is_found_and_sealed)
{
	static const char *const files[] = { "1.dbox", "1-.journal" };

	for (size_t i = 0; i < 2; i++) {
		struct machine *machine = calloc(1, sizeof(*machine));
		struct bytes mark;

		machine->file = files[i];
		machine->broken = (struct sim_broken){ .sync = EIO };
		cr_assert_eq(sim_open(41 + i, &machine->world), RP_OK);
		two_users_start_loop(machine);
		two_users_run(machine, fill_and_leave);
		two_users_crash(machine);
		two_users_break_file(machine);
		two_users_live(machine, fail_at_a_flush);
		cr_assert_eq(sim_disk_read(machine->world, FILE_ROOT_DATA, "careful", &mark), RP_OK);
		again(machine);
		cr_assert_eq(machine->sealed, 1, "%s", files[i]);
		cr_assert_eq(
		    sim_disk_read(machine->world, FILE_ROOT_DATA, "careful", &mark), RP_ERR_NOTFOUND);
		again(machine);
		cr_assert_eq(machine->sealed, 1);
		sim_close(machine->world);
		free(machine);
	}
}

static enum rp_err meet_some(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct machine *machine = arg;

	(void)task;
	if (record == NULL) {
		cr_assert_eq(missing_first, 1);
		cr_assert_eq(missing_last, FIRST);
		machine->met = FIRST;
		return RP_OK;
	}
	cr_assert_eq(record->header.lsn, ++machine->met);
	return RP_OK;
}

static void read_what_is_left(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct file *store;

	two_users_open_all(task, machine);
	machine->met = 0;
	cr_assert_eq(journal_replay(task, machine->users[0].journal, 0, meet_some, machine),
	    RP_ERR_UNAVAILABLE);
	cr_assert_eq(machine->met, 0);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "store", FILE_WRITE | FILE_CREATE, &store), RP_OK);
	cr_assert_eq(file_write(task, store, "store", 5, 0, true), RP_OK);
	file_close(store);
	file_lose_whole(task, true);
	cr_assert_eq(journal_replay(task, machine->users[0].journal, 0, meet_some, machine), RP_OK);
	file_lose_whole(task, false);
	cr_assert_eq(machine->met, COUNT);
	two_users_close_all(task, machine);
}

static void read_all(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_open_all(task, machine);
	check(task, machine);
	two_users_close_all(task, machine);
}

/* The file that was sealed cannot even be read at the next start: it may be back, so he has no mail. For who repairs what was in it
 * is missing, what went elsewhere is there. When it is back nothing is missing. */
Test(place, an_unreadable_file_costs_what_is_in_it)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	machine->file = "1-.journal";
	machine->broken = (struct sim_broken){ .write = EIO };
	cr_assert_eq(sim_open(51, &machine->world), RP_OK);
	two_users_live(machine, fail_while_running);
	machine->file = "1-10.journal";
	machine->broken.read = EIO;
	two_users_break_file(machine);
	two_users_live(machine, read_what_is_left);
	machine->broken = (struct sim_broken){ 0 };
	two_users_break_file(machine);
	two_users_live(machine, read_all);
	sim_close(machine->world);
	free(machine);
}

static void break_all_new(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct commit_stats stats;

	two_users_open_all(task, machine);
	two_users_append(task, machine, 1, FIRST);
	two_users_settle_all(task, machine);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const files[] = { "1.dbox", "1-1.dbox", "2.dbox" };

		machine->file = files[i];
		machine->broken = (struct sim_broken){ .write = EIO };
		two_users_break_file(machine);
		two_users_append(task, machine, FIRST + 1 + 10 * i, FIRST + 10 + 10 * i);
		two_users_settle_all(task, machine);
	}
	commit_stats(machine->commit, &stats);
	cr_assert_eq(stats.files_sealed, 2, "nothing more went to the one that stands in for the first");
	check(task, machine);
	two_users_close_all(task, machine);
}

/* What is numbered after it is not laid into a sealed file any more. */
Test(place, a_sealed_file_gets_no_new_mail)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(27, &machine->world), RP_OK);
	two_users_live(machine, break_all_new);
	again(machine);
	cr_assert_neq(machine->refs[0][COUNT].file, 1);
	cr_assert_eq(machine->refs[1][COUNT].file, 1);
	sim_close(machine->world);
	free(machine);
}
