/* One user's folder fails, and nothing of his can be put in its place: he waits, the log has it, all others go on. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/index/two_users.h"

enum { LOG_FILES_MAX = 2, STUCK_S = 20 };

static void break_folder(struct machine *machine, const struct sim_broken *broken)
{
	static const char *const files[] = { "1.dbox", "1-.journal" };
	const struct sim_broken sound = { 0 };

	cr_assert_eq(
	    sim_break_file(machine->world, FILE_ROOT_DATA, machine->users[0].dir, &sound), RP_OK);
	machine->broken = (struct sim_broken){ .write = broken->read };
	for (unsigned i = 0; i < 2; i++) {
		machine->file = files[i];
		two_users_break_file(machine);
	}
	cr_assert_eq(
	    sim_break_file(machine->world, FILE_ROOT_DATA, machine->users[0].dir, broken), RP_OK);
}

/* One record of the second user. False: the log has failed. */
static bool append_other(struct task *task, struct machine *machine)
{
	uint8_t bytes[BODY_BYTES] = { 7 };
	struct dbox_ref ref;
	uint64_t position = 0;
	uint64_t lsn;

	return log_user_append(task, &machine->users[1], bytes_of(bytes, 100),
	           bytes_of(bytes, BODY_BYTES), &lsn, &position, &ref) == RP_OK &&
	    commit_wait(task, machine->commit, position) == RP_OK;
}

/* Both have records; the first one's cannot go to their places. */
static void get_stuck(struct task *task, struct machine *machine)
{
	static const struct sim_broken broken = { .read = EIO };
	struct commit_stats stats;

	machine->log_files_max = LOG_FILES_MAX;
	two_users_open_all(task, machine);
	machine->log_files_max = 0;
	two_users_append(task, machine, 1, FIRST);
	two_users_settle_all(task, machine);
	two_users_sync_all(task);
	break_folder(machine, &broken);
	two_users_append(task, machine, FIRST + 1, COUNT);
	cr_assert_eq(task_sleep(task, STUCK_S * UINT64_C(1000000000)), RP_OK);
	cr_assert_not(commit_failed(machine->commit), "one user's folder is not the log's end");
	commit_stats(machine->commit, &stats);
	cr_assert_eq(stats.users_stuck, 1);
	cr_assert(settle_is_stuck(&machine->users[0].settle));
	cr_assert_not(settle_is_stuck(&machine->users[1].settle));
	cr_assert(list_empty(&machine->users[1].settle.entries));
	cr_assert_not(list_empty(&machine->users[0].settle.entries));
}

static void be_stuck_for_a_while(struct task *task, void *arg)
{
	static const struct sim_broken sound;
	struct machine *machine = arg;
	struct commit_stats stats;

	get_stuck(task, machine);
	for (unsigned i = 0; i < 500; i++)
		cr_assert(append_other(task, machine));
	commit_stats(machine->commit, &stats);
	cr_assert_gt(stats.files, LOG_FILES_MAX, "in new log files");
	cr_assert_eq(stats.files_bound, LOG_FILES_MAX * COMMIT_FILES_RECOVERING);
	break_folder(machine, &sound);
	cr_assert_eq(task_sleep(task, 2 * 60 * UINT64_C(1000000000)), RP_OK);
	commit_stats(machine->commit, &stats);
	cr_assert_eq(stats.users_stuck, 0);
	cr_assert(list_empty(&machine->users[0].settle.entries));
	for (unsigned i = 0; i < 500; i++)
		cr_assert(append_other(task, machine));
	commit_stats(machine->commit, &stats);
	cr_assert_gt(stats.files_reused, 0, "and they are used again");
	two_users_close_all(task, machine);
}

/* His folder gives EIO for a minute: all others go on, and so does he. */
Test(place_stuck, one_users_folder_is_in_nobodys_way)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(61, &machine->world), RP_OK);
	two_users_live(machine, be_stuck_for_a_while);
	sim_close(machine->world);
	free(machine);
}

static void run_out_of_room(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct commit_stats stats;
	unsigned count = 0;

	get_stuck(task, machine);
	while (append_other(task, machine))
		cr_assert_lt(++count, 5000);
	cr_assert(commit_failed(machine->commit));
	commit_stats(machine->commit, &stats);
	cr_assert_eq(stats.files, LOG_FILES_MAX * COMMIT_FILES_RECOVERING);
}

static void end_stuck(struct task *task, void *arg)
{
	struct machine *machine = arg;

	get_stuck(task, machine);
	cr_assert_eq(commit_close(task, machine->commit), RP_ERR_UNKNOWN, "he is not settled");
	two_users_drop(machine);
}

static void look_at_him(struct task *task, void *arg)
{
	struct machine *machine = arg;

	two_users_recover_wholly(task, machine);
	two_users_open_all(task, machine);
	machine->met = 0;
	cr_assert_eq(journal_replay(task, machine->users[0].journal, 0, two_users_meet, machine), RP_OK);
	cr_assert_eq(machine->met, COUNT);
	two_users_close_all(task, machine);
}

/* For good: the log ends when it has no file left, or when the server does, and has all that he has not got. */
Test(place_stuck, what_is_stuck_stays_in_the_log)
{
	static task_fn *const ends[] = { run_out_of_room, end_stuck };
	static const struct sim_broken sound;

	for (unsigned i = 0; i < 2; i++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		cr_assert_eq(sim_open(62 + i, &machine->world), RP_OK);
		two_users_start_loop(machine);
		two_users_run(machine, ends[i]);
		if (i == 0) {
			two_users_crash(machine);
		} else {
			cr_assert(sim_run(machine->world, 1000000));
			loop_close(machine->loop);
		}
		break_folder(machine, &sound);
		two_users_live(machine, look_at_him);
		sim_close(machine->world);
		free(machine);
	}
}
