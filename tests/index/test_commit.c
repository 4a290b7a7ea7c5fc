#include "index/claim.h"
#include "index/commit.h"
#include "index/recover.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

enum { FILE_BYTES = 256 * 1024, MEMORY_BYTES = 2 * 1024 * 1024 };

static struct commit *open_log(struct task *task, uint64_t epoch)
{
	struct commit_settings settings = {
		.file_bytes = FILE_BYTES,
		.memory_bytes_max = MEMORY_BYTES,
		.epoch = epoch,
	};
	struct commit *commit = NULL;

	cr_assert_eq(commit_open(task, &settings, &commit), RP_OK);
	return commit;
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
