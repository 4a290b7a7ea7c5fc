/* Files of one user that fail, while the server runs and when it recovers: the rest goes elsewhere, nobody else notices. */
#include "index/place.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/recover.h"
#include "io/sim.h"
#include "tests/index/log_user.h"

enum {
	FILE_BYTES = 256 * 1024,
	MEMORY_BYTES = 2 * 1024 * 1024,
	FIRST = 10, /* records that are in their files before one fails */
	MORE = 30,
	COUNT = FIRST + MORE,
	HALF = FIRST + MORE / 2,
	BODY_BYTES = 3000,
	USERS = 2, /* the second one's files are sound */
};

struct machine {
	struct sim_world *world;
	struct loop *loop;
	struct commit *commit;
	struct log_user users[USERS];
	struct dbox_ref refs[USERS][COUNT + 1];
	struct sim_broken broken;
	const char *file; /* of the first user, that fails */
	uint64_t epoch;
	uint64_t sealed;
	uint64_t met; /* records in the journal of the user that is looked at */
	bool ended;
	task_fn *fn;
};

static void run_task(struct task *task, void *arg)
{
	struct machine *machine = arg;

	machine->fn(task, machine);
	machine->ended = true;
}

static void run(struct machine *machine, task_fn *fn)
{
	machine->fn = fn;
	machine->ended = false;
	cr_assert_eq(task_start(machine->loop, run_task, machine, NULL), RP_OK);
	while (!machine->ended)
		cr_assert(sim_step(machine->world));
}

static void start_loop(struct machine *machine)
{
	struct loop_settings settings = { 0 };

	machine->epoch++;
	cr_assert_eq(sim_loop_open(machine->world, &settings, &machine->loop), RP_OK);
}

/* A life that ends in order. */
static void live(struct machine *machine, task_fn *fn)
{
	start_loop(machine);
	run(machine, fn);
	cr_assert(sim_run(machine->world, 1000000));
	loop_close(machine->loop);
}

static void open_all(struct task *task, struct machine *machine)
{
	struct commit_settings settings = { .file_bytes = FILE_BYTES,
		.memory_bytes_max = MEMORY_BYTES, .epoch = machine->epoch };

	cr_assert_eq(commit_open(task, &settings, &machine->commit), RP_OK);
	for (unsigned u = 0; u < USERS; u++)
		cr_assert_eq(log_user_open(
		                 task, &machine->users[u], machine->commit, u + 1, machine->epoch),
		    RP_OK);
}

static void append(struct task *task, struct machine *machine, uint64_t from, uint64_t to)
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

static void settle_all(struct task *task, struct machine *machine)
{
	for (unsigned u = 0; u < USERS; u++)
		cr_assert_eq(settle_flush(task, machine->commit, &machine->users[u].settle), RP_OK);
}

static void break_file(struct machine *machine)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", machine->users[0].dir, machine->file);
	cr_assert_eq(
	    sim_break_file(machine->world, FILE_ROOT_DATA, path, &machine->broken), RP_OK);
}

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

static enum rp_err meet(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct machine *machine = arg;

	(void)task;
	cr_assert_not_null(record, "%lu-%lu are missing", missing_first, missing_last);
	cr_assert_eq(record->header.lsn, ++machine->met);
	cr_assert_eq(record->payload.p[99], (uint8_t)record->header.lsn);
	return RP_OK;
}

/* Every record and body of every user is there, from the files alone. */
static void check(struct task *task, struct machine *machine)
{
	for (unsigned u = 0; u < USERS; u++) {
		struct log_user *user = &machine->users[u];

		machine->met = 0;
		cr_assert(list_empty(&user->settle.entries));
		cr_assert_eq(journal_replay(task, user->journal, 0, meet, machine), RP_OK);
		cr_assert_eq(machine->met, COUNT);
		for (uint64_t lsn = 1; lsn <= COUNT; lsn++) {
			struct dbox_body *body;
			uint8_t read[BODY_BYTES];
			size_t got;

			cr_assert_eq(dbox_body_open(task, user->dbox, NULL, machine->refs[u][lsn], 99,
			                 &body),
			    RP_OK, "user %u, LSN %lu", u, lsn);
			cr_assert_eq(dbox_body_read(task, body, 0, read, sizeof(read), &got), RP_OK);
			cr_assert_eq(got, BODY_BYTES);
			cr_assert_eq(read[BODY_BYTES - 1], (uint8_t)lsn);
			dbox_body_close(body);
		}
	}
}

static void close_all(struct task *task, struct machine *machine)
{
	struct commit_stats stats;

	commit_stats(machine->commit, &stats);
	machine->sealed += stats.files_sealed;
	for (unsigned u = 0; u < USERS; u++)
		cr_assert_eq(log_user_close(task, &machine->users[u]), RP_OK);
	cr_assert_eq(commit_close(task, machine->commit), RP_OK);
}

static void fail_while_running(struct task *task, void *arg)
{
	struct machine *machine = arg;

	open_all(task, machine);
	append(task, machine, 1, FIRST);
	settle_all(task, machine);
	break_file(machine);
	append(task, machine, FIRST + 1, COUNT);
	settle_all(task, machine);
	cr_assert_not(commit_failed(machine->commit), "one user's file is not the log's end");
	cr_assert_eq(commit_room(machine->commit), COMMIT_ROOM_ENOUGH, "nor is the disk full");
	check(task, machine);
	close_all(task, machine);
}

static void recover_all(struct task *task, struct machine *machine, struct recover **out)
{
	struct userid id;

	cr_assert_eq(recover_open(task, 1, machine->epoch, out), RP_OK);
	while (recover_next(*out, &id))
		cr_assert_eq(recover_user(task, *out, &id), RP_OK);
}

static void look_again(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover_report report;
	struct recover *recover;

	recover_all(task, machine, &recover);
	cr_assert_eq(recover_sync(task, recover), RP_OK);
	cr_assert_eq(recover_void(task, 1, machine->epoch), RP_OK);
	recover_report(recover, &report);
	machine->sealed += report.files_sealed;
	recover_close(recover);
	open_all(task, machine);
	check(task, machine);
	close_all(task, machine);
}

static void again(struct machine *machine)
{
	live(machine, look_again);
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
		live(machine, fail_while_running);
		cr_assert_eq(machine->sealed, 1, "%s", machine->file);
		again(machine);
		cr_assert_eq(machine->sealed, 1, "it is not tried again");
		sim_close(machine->world);
		free(machine);
	}
}

static void sync_all(struct task *task)
{
	struct file *file;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "store", FILE_READ | FILE_WRITE | FILE_CREATE, &file),
	    RP_OK);
	cr_assert_eq(file_syncfs(task, file), RP_OK);
	file_close(file);
}

static void fill_and_leave(struct task *task, void *arg)
{
	struct machine *machine = arg;

	open_all(task, machine);
	append(task, machine, 1, FIRST);
	settle_all(task, machine);
	sync_all(task);
	append(task, machine, FIRST + 1, COUNT);
}

/* Nobody unwinds: what the users held is remembered, so that no leak is seen where there is none. */
static void crash(struct machine *machine)
{
	enum { CRASHES_MAX = 64 };
	static struct log_user crashed[CRASHES_MAX][USERS];
	static struct log_user(*kept)[USERS] = crashed; /* as a pointer, so that gcc sees a use */
	static unsigned count;

	cr_assert_lt(count, CRASHES_MAX);
	memcpy(kept[count++], machine->users, sizeof(machine->users));
	sim_crash(machine->world);
}

/* Its user is there all the same, and the logs are made void. A file that cannot be read either costs what was in it. */
Test(place, a_file_that_fails_in_recovery_is_sealed)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		machine->file = cases[i].file;
		machine->broken = cases[i].broken;
		cr_assert_eq(sim_open(17 + i, &machine->world), RP_OK);
		start_loop(machine);
		run(machine, fill_and_leave);
		crash(machine);
		break_file(machine);
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
		start_loop(machine);
		run(machine, fill_and_leave);
		crash(machine);
		break_file(machine);
		start_loop(machine);
		run(machine, recover_in_vain);
		cr_assert_eq(machine->sealed, 1);
		cr_assert(sim_run(machine->world, 1000000));
		loop_close(machine->loop);
		machine->file = more[i];
		break_file(machine);
		again(machine);
		cr_assert_eq(machine->sealed, 2);
		sim_close(machine->world);
		free(machine);
	}
}

static void fill_some(struct task *task, void *arg)
{
	struct machine *machine = arg;

	open_all(task, machine);
	append(task, machine, 1, FIRST);
	close_all(task, machine);
}

/* The log of this run has no more than these. */
static void fill_more_and_leave(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover *recover;

	recover_all(task, machine, &recover);
	cr_assert_eq(recover_sync(task, recover), RP_OK);
	cr_assert_eq(recover_void(task, 1, machine->epoch), RP_OK);
	recover_close(recover);
	open_all(task, machine);
	append(task, machine, FIRST + 1, HALF);
}

/* His mail is open before all is flushed and the logs are made void. */
static void recover_and_go_on(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover_report report;
	struct recover *recover;

	recover_all(task, machine, &recover);
	recover_report(recover, &report);
	cr_assert_eq(report.files_sealed, 1);
	recover_close(recover);
	open_all(task, machine);
	append(task, machine, HALF + 1, COUNT);
}

/* New records were numbered in the file that a recovery had begun; its name must be there after a power cut, or what was to lie
 * before them goes to where it was given place first, and nobody looks for it there. */
Test(place, a_file_begun_in_recovery_is_there_when_the_power_goes)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		machine->file = "1-.journal";
		cr_assert_eq(sim_open(100 + seed, &machine->world), RP_OK);
		live(machine, fill_some);
		start_loop(machine);
		run(machine, fill_more_and_leave);
		crash(machine);
		machine->broken = (struct sim_broken){ .write = EIO };
		break_file(machine);
		start_loop(machine);
		run(machine, recover_and_go_on);
		crash(machine);
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
	struct userid id;

	cr_assert_eq(recover_open(task, 1, machine->epoch, &recover), RP_OK);
	while (recover_next(recover, &id))
		cr_assert_eq(recover_user(task, recover, &id), RP_OK);
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
		start_loop(machine);
		run(machine, fill_and_leave);
		crash(machine);
		break_file(machine);
		live(machine, fail_at_a_flush);
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

	open_all(task, machine);
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
	close_all(task, machine);
}

static void read_all(struct task *task, void *arg)
{
	struct machine *machine = arg;

	open_all(task, machine);
	check(task, machine);
	close_all(task, machine);
}

/* The file that was sealed cannot even be read at the next start: it may be back, so he has no mail. For who repairs what was in it
 * is missing, what went elsewhere is there. When it is back nothing is missing. */
Test(place, an_unreadable_file_costs_what_is_in_it)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	machine->file = "1-.journal";
	machine->broken = (struct sim_broken){ .write = EIO };
	cr_assert_eq(sim_open(51, &machine->world), RP_OK);
	live(machine, fail_while_running);
	machine->file = "1-10.journal";
	machine->broken.read = EIO;
	break_file(machine);
	live(machine, read_what_is_left);
	machine->broken = (struct sim_broken){ 0 };
	break_file(machine);
	live(machine, read_all);
	sim_close(machine->world);
	free(machine);
}

static void break_all_new(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct commit_stats stats;

	open_all(task, machine);
	append(task, machine, 1, FIRST);
	settle_all(task, machine);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const files[] = { "1.dbox", "1-1.dbox", "2.dbox" };

		machine->file = files[i];
		machine->broken = (struct sim_broken){ .write = EIO };
		break_file(machine);
		append(task, machine, FIRST + 1 + 10 * i, FIRST + 10 + 10 * i);
		settle_all(task, machine);
	}
	commit_stats(machine->commit, &stats);
	cr_assert_eq(stats.files_sealed, 2, "nothing more went to the one that stands in for the first");
	check(task, machine);
	close_all(task, machine);
}

/* What is numbered after it is not laid into a sealed file any more. */
Test(place, a_sealed_file_gets_no_new_mail)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(27, &machine->world), RP_OK);
	live(machine, break_all_new);
	again(machine);
	cr_assert_neq(machine->refs[0][COUNT].file, 1);
	cr_assert_eq(machine->refs[1][COUNT].file, 1);
	sim_close(machine->world);
	free(machine);
}

/* ---- a folder that fails ---- */

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
		break_file(machine);
	}
	cr_assert_eq(
	    sim_break_file(machine->world, FILE_ROOT_DATA, machine->users[0].dir, broken), RP_OK);
}

static void open_few_files(struct task *task, struct machine *machine)
{
	struct commit_settings settings = { .file_bytes = FILE_BYTES,
		.memory_bytes_max = MEMORY_BYTES, .epoch = machine->epoch, .files_max = LOG_FILES_MAX };

	cr_assert_eq(commit_open(task, &settings, &machine->commit), RP_OK);
	for (unsigned u = 0; u < USERS; u++)
		cr_assert_eq(log_user_open(
		                 task, &machine->users[u], machine->commit, u + 1, machine->epoch),
		    RP_OK);
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

	open_few_files(task, machine);
	append(task, machine, 1, FIRST);
	settle_all(task, machine);
	sync_all(task);
	break_folder(machine, &broken);
	append(task, machine, FIRST + 1, COUNT);
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
	close_all(task, machine);
}

/* His folder gives EIO for a minute: all others go on, and so does he. */
Test(place, one_users_folder_is_in_nobodys_way)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	cr_assert_eq(sim_open(61, &machine->world), RP_OK);
	live(machine, be_stuck_for_a_while);
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
	for (unsigned u = 0; u < USERS; u++) {
		settle_fini(&machine->users[u].settle);
		journal_close(machine->users[u].journal);
		dbox_close(machine->users[u].dbox);
	}
}

static void look_at_him(struct task *task, void *arg)
{
	struct machine *machine = arg;
	struct recover *recover;

	recover_all(task, machine, &recover);
	cr_assert_eq(recover_sync(task, recover), RP_OK);
	cr_assert_eq(recover_void(task, 1, machine->epoch), RP_OK);
	recover_close(recover);
	open_all(task, machine);
	machine->met = 0;
	cr_assert_eq(journal_replay(task, machine->users[0].journal, 0, meet, machine), RP_OK);
	cr_assert_eq(machine->met, COUNT);
	close_all(task, machine);
}

/* For good: the log ends when it has no file left, or when the server does, and has all that he has not got. */
Test(place, what_is_stuck_stays_in_the_log)
{
	static task_fn *const ends[] = { run_out_of_room, end_stuck };
	static const struct sim_broken sound;

	for (unsigned i = 0; i < 2; i++) {
		struct machine *machine = calloc(1, sizeof(*machine));

		cr_assert_eq(sim_open(62 + i, &machine->world), RP_OK);
		start_loop(machine);
		run(machine, ends[i]);
		if (i == 0) {
			crash(machine);
		} else {
			cr_assert(sim_run(machine->world, 1000000));
			loop_close(machine->loop);
		}
		break_folder(machine, &sound);
		live(machine, look_at_him);
		sim_close(machine->world);
		free(machine);
	}
}
