#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "index/claim.h"
#include "index/commit.h"
#include "index/logfile.h"
#include "index/recover.h"
#include "io/base/num.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

enum { FILE_BYTES = 256 * 1024, MEMORY_BYTES = 2 * 1024 * 1024 };

static struct commit *open_log_of(struct task *task, uint64_t epoch, uint64_t file_bytes)
{
	struct commit_settings settings = {
		.file_bytes = file_bytes,
		.memory_bytes_max = MEMORY_BYTES,
		.files_max = 4, /* else a slow disk gets new ones rather than used ones */
		.epoch = epoch,
	};
	struct commit *commit = NULL;

	cr_assert_eq(commit_open(task, &settings, &commit), RP_OK);
	return commit;
}

static struct commit *open_log(struct task *task, uint64_t epoch)
{
	return open_log_of(task, epoch, FILE_BYTES);
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed * 31 + i * 7);
}

/* Nothing is to be recovered. */
static void assert_nothing_left(struct task *task, uint64_t epoch)
{
	struct recover_report report;
	struct recover *recover;

	cr_assert_eq(recover_open(task, 1, epoch, &recover), RP_OK);
	recover_report(recover, &report);
	cr_assert_eq(report.records, 0);
	cr_assert_eq(report.records_damaged, 0);
	cr_assert_eq(report.writes_cut, 0);
	recover_close(recover);
}

struct seen {
	uint64_t next;
	size_t payload_bytes;
};

static enum rp_err see(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct seen *seen = arg;
	uint8_t expected[4096];

	(void)task;
	cr_assert_not_null(record, "%lu-%lu are missing", missing_first, missing_last);
	cr_assert_eq(record->header.lsn, seen->next);
	cr_assert_eq(record->payload.n, seen->payload_bytes);
	fill(expected, seen->payload_bytes, seen->next);
	cr_assert(bytes_eq(record->payload, bytes_of(expected, seen->payload_bytes)));
	seen->next++;
	return RP_OK;
}

IO_TASK_TEST(commit, what_was_appended_is_in_the_journal_and_the_log_is_clean_at_the_end)
{
	enum { COUNT = 300, PAYLOAD = 200 };
	struct commit *commit = open_log(task, 1);
	struct log_user user;
	uint8_t payload[PAYLOAD];
	uint64_t lsn = 0;
	uint64_t position = 0;

	(void)arg;
	cr_assert_eq(log_user_open(task, &user, commit, 1, 1), RP_OK);
	for (unsigned i = 1; i <= COUNT; i++) {
		fill(payload, PAYLOAD, i);
		cr_assert_eq(log_user_append(task, &user, bytes_of(payload, PAYLOAD),
		                 bytes_of(NULL, 0), &lsn, &position, NULL),
		    RP_OK);
		cr_assert_eq(lsn, i);
	}
	cr_assert_eq(commit_position(commit), position);
	cr_assert_eq(commit_wait(task, commit, position), RP_OK);
	cr_assert_eq(commit_durable(commit), position);
	cr_assert_eq(log_user_close(task, &user), RP_OK);
	cr_assert_eq(commit_close(task, commit), RP_OK);
	assert_nothing_left(task, 2);

	struct seen seen = { .next = 1, .payload_bytes = PAYLOAD };

	commit = open_log(task, 2);
	cr_assert_eq(log_user_open(task, &user, commit, 1, 2), RP_OK);
	cr_assert_eq(journal_last_lsn(user.journal), COUNT);
	cr_assert_eq(journal_replay(task, user.journal, 0, see, &seen), RP_OK);
	cr_assert_eq(seen.next, COUNT + 1);
	cr_assert_eq(log_user_close(task, &user), RP_OK);
	cr_assert_eq(commit_close(task, commit), RP_OK);
}

IO_TASK_TEST(commit, files_go_round_and_bodies_read_back_before_and_after_settling)
{
	enum { COUNT = 200, BODY = 9000 };
	static uint8_t body[BODY];
	static uint8_t read[BODY];
	static struct dbox_ref refs[COUNT];
	struct commit *commit = open_log(task, 1);
	struct commit_stats stats;
	struct log_user user;
	uint64_t lsn;
	uint64_t position = 0;

	(void)arg;
	cr_assert_eq(log_user_open(task, &user, commit, 1, 1), RP_OK);
	for (unsigned i = 0; i < COUNT; i++) {
		fill(body, BODY, i);
		cr_assert_eq(log_user_append(task, &user, BYTES_LIT("row"), bytes_of(body, BODY - i),
		                 &lsn, &position, &refs[i]),
		    RP_OK);
	}
	cr_assert_eq(commit_wait(task, commit, position), RP_OK);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < COUNT; i++) {
			struct dbox_body *out;
			size_t got;

			fill(body, BODY, i);
			cr_assert_eq(dbox_body_open(task, user.dbox, &user.settle, refs[i], 99, &out),
			    RP_OK);
			cr_assert_eq(dbox_body_bytes(out), BODY - i);
			cr_assert_eq(dbox_body_read(task, out, 0, read, BODY, &got), RP_OK);
			cr_assert(bytes_eq(bytes_of(read, got), bytes_of(body, BODY - i)));
			dbox_body_close(out);
		}
		cr_assert_eq(settle_flush(task, commit, &user.settle), RP_OK);
		cr_assert(list_empty(&user.settle.entries));
	}
	commit_stats(commit, &stats);
	cr_assert_eq(stats.records, COUNT);
	cr_assert_gt(stats.files_reused, 0);
	cr_assert_eq(log_user_close(task, &user), RP_OK);
	cr_assert_eq(commit_close(task, commit), RP_OK);
	assert_nothing_left(task, 2);
}

struct changes {
	struct commit *commit;
	uint64_t durable;
	unsigned calls;
};

static void changed(void *arg)
{
	struct changes *changes = arg;

	changes->calls++;
	if (changes->commit != NULL)
		changes->durable = commit_durable(changes->commit);
}

IO_TASK_TEST(commit, the_watcher_is_told_and_records_of_one_turn_share_a_write)
{
	struct changes changes = { 0 };
	struct commit_settings settings = { .file_bytes = FILE_BYTES,
		.memory_bytes_max = MEMORY_BYTES, .epoch = 1, .changed = changed, .arg = &changes };
	struct commit_stats stats;
	struct commit *commit;
	struct log_user user;
	uint64_t lsn;
	uint64_t position = 0;

	(void)arg;
	cr_assert_eq(commit_open(task, &settings, &commit), RP_OK);
	changes.commit = commit;
	cr_assert_eq(log_user_open(task, &user, commit, 1, 1), RP_OK);
	for (int i = 0; i < 50; i++) {
		cr_assert_eq(log_user_append(task, &user, BYTES_LIT("x"), bytes_of(NULL, 0), &lsn,
		                 &position, NULL),
		    RP_OK);
		cr_assert_lt(commit_durable(commit), position, "nothing is durable at once");
	}
	cr_assert_eq(commit_wait(task, commit, position), RP_OK);
	cr_assert_eq(changes.durable, position);
	commit_stats(commit, &stats);
	cr_assert_eq(stats.writes, 1);
	cr_assert_eq(changes.calls, 1);
	cr_assert_eq(log_user_close(task, &user), RP_OK);
	cr_assert_eq(commit_close(task, commit), RP_OK);
}

IO_TASK_TEST(commit, a_reservation_is_bounded_and_given_back)
{
	struct commit *commit = open_log(task, 1);

	(void)arg;
	cr_assert_eq(commit_reserve(task, commit, MEMORY_BYTES / 2 + 1), RP_ERR_LIMIT);
	cr_assert_eq(commit_reserve(task, commit, MEMORY_BYTES / 2), RP_OK);
	commit_unreserve(commit, MEMORY_BYTES / 2);
	cr_assert_eq(commit_reserve(task, commit, MEMORY_BYTES / 2), RP_OK);
	commit_unreserve(commit, MEMORY_BYTES / 2);
	cr_assert_eq(commit_close(task, commit), RP_OK);
}

/* ---- whose mail it is ---- */

static _Atomic uint64_t owner_note[2];

static bool notes(const struct userid *userid)
{
	return owner_note[0] == num_get_u64(userid->b) && owner_note[1] == num_get_u64(userid->b + 8);
}

struct noted {
	struct log_user user; /* first */
	bool seen;
};

static enum rp_err write_noted(struct task *task, struct settle *settle)
{
	struct noted *noted = RP_CONTAINER_OF(settle, struct noted, user.settle);
	struct log_user *user = &noted->user;

	cr_assert(notes(&user->userid));

	enum rp_err err = settle_write(task, user->commit, settle, user->journal, user->dbox);

	cr_assert(notes(&user->userid), "after suspensions too");
	noted->seen = true;
	return err;
}

IO_TASK_TEST(commit, who_is_being_settled_is_noted)
{
	static struct noted noted[3];
	struct commit *commit = open_log(task, 1);
	uint64_t lsn;
	uint64_t position = 0;

	(void)arg;
	memset(noted, 0, sizeof(noted));
	loop_note_owner(task_loop(task), owner_note);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(log_user_open(task, &noted[i].user, commit, i + 1, 1), RP_OK);
		noted[i].user.settle.write = write_noted;
		cr_assert_eq(log_user_append(task, &noted[i].user, BYTES_LIT("x"), BYTES_LIT("body"), &lsn,
		                 &position, &(struct dbox_ref){ 0 }),
		    RP_OK);
	}
	cr_assert_eq(commit_wait(task, commit, position), RP_OK);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(log_user_close(task, &noted[i].user), RP_OK);
		cr_assert(noted[i].seen);
		cr_assert_eq(owner_note[0] | owner_note[1], 0, "who asked for it works for nobody again");
	}
	cr_assert_eq(commit_close(task, commit), RP_OK);
	loop_note_owner(task_loop(task), NULL);
}

static void on_crash(int number)
{
	struct userid id = log_user_id(2);

	(void)number;
	_exit(notes(&id) ? 42 : 1);
}

static void crash_while_sending(struct task *task, void *arg)
{
	struct record_header header = { .type = LOG_USER_TYPE };
	struct commit *commit = open_log(task, 1);
	struct commit_entry *entry;
	struct log_user user;
	uint64_t lsn;
	uint64_t position;
	uint8_t *nothing = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	loop_note_owner(task_loop(task), owner_note);
	cr_assert_eq(log_user_open(task, &user, commit, 1, 1), RP_OK);
	cr_assert_eq(log_user_append(task, &user, BYTES_LIT("x"), bytes_of(NULL, 0), &lsn, &position, NULL),
	    RP_OK);
	header.userid = log_user_id(2);
	header.lsn = 1;
	header.place = (struct record_place){ .journal = 1, .journal_offset = 1024 };
	cr_assert_eq(commit_reserve(task, commit, sizeof(header)), RP_OK);
	(void)commit_append(commit, &user.settle, header, bytes_of(NULL, 0), bytes_of(NULL, 0), &entry);
	entry->record.payload.p = nothing + 4096; /* its header would go where nobody may write */
	signal(SIGSEGV, on_crash);
	signal(SIGBUS, on_crash);
	(void)!commit_wait(task, commit, commit_position(commit));
}

/* In a write of two users' records it is the one whose record is at hand. */
Test(commit, who_crashes_the_server_while_his_record_is_sent_is_noted, .exit_code = 42)
{
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&fixture, crash_while_sending, NULL);
}

IO_TASK_TEST(commit, while_recovery_is_not_over_there_are_new_files)
{
	struct commit_settings settings = { .file_bytes = FILE_BYTES,
		.memory_bytes_max = MEMORY_BYTES, .files_max = 2, .epoch = 1, .recovering = true };
	static uint8_t body[9000];
	struct commit_stats stats;
	struct commit *commit;
	struct log_user user;
	struct dbox_ref ref;
	uint64_t lsn;
	uint64_t position = 0;

	(void)arg;
	cr_assert_eq(commit_open(task, &settings, &commit), RP_OK);
	cr_assert_eq(log_user_open(task, &user, commit, 1, 1), RP_OK);
	for (unsigned i = 0; i < 150; i++) {
		cr_assert_eq(log_user_append(task, &user, BYTES_LIT("row"), bytes_of(body, sizeof(body)),
		                 &lsn, &position, &ref),
		    RP_OK);
		cr_assert_eq(commit_wait(task, commit, position), RP_OK);
	}
	commit_stats(commit, &stats);
	cr_assert_gt(stats.files, 2, "nothing may be used again yet, and nobody waits for that");
	cr_assert_eq(stats.files_reused, 0);
	cr_assert_eq(commit_recovered(task, commit), RP_OK);
	cr_assert_eq(log_user_close(task, &user), RP_OK);
	cr_assert_eq(commit_close(task, commit), RP_OK);
}

/* All that this run had have it, and their headers say so. How many. */
static unsigned assert_sizes(struct task *task, uint64_t epoch, uint64_t file_bytes)
{
	unsigned count = 0;

	for (uint64_t number = 1; number <= 8; number++) {
		char path[LOGFILE_PATH_BYTES];
		struct format_header header;
		struct file *file;
		uint64_t bytes;

		logfile_path(0, number, path);
		if (file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &file) != RP_OK)
			continue;
		cr_assert_eq(file_size(task, file, &bytes), RP_OK);
		cr_assert_eq(logfile_read_header(task, file, &header), RP_OK);
		file_close(file);
		if (header.epoch != epoch)
			continue;
		count++;
		cr_assert_eq(bytes, file_bytes);
		cr_assert_eq(header.extra[LOGFILE_EXTRA_BYTES], file_bytes);
	}
	return count;
}

static void open_and_close(struct task *task, uint64_t epoch, uint64_t file_bytes)
{
	struct commit *commit = open_log_of(task, epoch, file_bytes);

	cr_assert_eq(task_sleep(task, 1000 * 1000 * 1000), RP_OK); /* all are made */
	cr_assert_eq(commit_close(task, commit), RP_OK);
}

IO_TASK_TEST(commit, files_of_another_size_are_made_anew)
{
	static const uint64_t sizes[] = {FILE_BYTES, 2 * FILE_BYTES, FILE_BYTES, FILE_BYTES / 2};

	(void)arg;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		open_and_close(task, i + 1, sizes[i]);
		cr_assert_geq(assert_sizes(task, i + 1, sizes[i]), 2);
		assert_nothing_left(task, i + 2);
	}
}

/* All that are free. */
static void cut_files(struct task *task)
{
	for (uint64_t number = 1; number <= 8; number++) {
		char path[LOGFILE_PATH_BYTES];
		struct file *file;

		logfile_path(0, number, path);
		if (file_open(task, FILE_ROOT_COMMIT, path, FILE_READ | FILE_WRITE, &file) != RP_OK)
			continue;
		cr_assert_eq(file_truncate(task, file, FILE_BYTES - 200), RP_OK);
		file_close(file);
	}
}

/* Else a recovery would take what is not there for lost. */
IO_TASK_TEST(commit, a_free_file_that_is_cut_has_its_size_again_when_it_is_used)
{
	(void)arg;
	open_and_close(task, 1, FILE_BYTES);
	cut_files(task);
	open_and_close(task, 2, FILE_BYTES);
	cr_assert_geq(assert_sizes(task, 2, FILE_BYTES), 2);
	assert_nothing_left(task, 3);
}
