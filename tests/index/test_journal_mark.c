/* Behind the newest record of a journal its end mark: a file that is cut has lost it, wherever it is cut; whoever writes leaves one. */
#include "index/journal_mark.h"

#include <stdlib.h>

#include "index/format.h"
#include "tests/index/journal_files.h"

enum { MARKED = 6, MARKED_PAYLOAD = 100, MARKED_RECORD = 200, MARK = JOURNAL_MARK_BYTES };

/* Records that can be placed again and again. */
struct again {
	struct record record[MARKED];
	const struct record *records[MARKED];
	uint8_t payload[MARKED][MARKED_PAYLOAD];
};

static void number_them(struct journal *journal, struct again *again)
{
	for (unsigned i = 0; i < MARKED; i++) {
		struct record *record = &again->record[i];

		again->records[i] = record;
		*record = (struct record){.header = {.type = 1, .userid = log_user_id(1)}};
		memset(again->payload[i], (int)i + 1, MARKED_PAYLOAD);
		record->payload = bytes_of(again->payload[i], MARKED_PAYLOAD);
		record_fill(&record->header, record->payload, record->body);
		journal_number(
		    journal, MARKED_RECORD, &record->header.lsn, &record->header.place);
	}
}

static void place_again(
    struct task *task, struct journal *journal, const struct again *again, unsigned from, unsigned to)
{
	cr_assert_eq(
	    journal_write(task, journal, again->records + from, to - from, &(size_t){0}), RP_OK);
}

static const char marked_path[] = "users/0001/u/1-.journal";

static struct bytes read_it(struct task *task, const char *path)
{
	static uint8_t content[64 * 1024];
	struct file *file;
	size_t got;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_OK);
	cr_assert_eq(file_read(task, file, content, sizeof(content), 0, &got), RP_OK);
	file_close(file);
	return bytes_of(content, got);
}

static void write_it(struct task *task, const char *path, struct bytes content)
{
	struct file *file;

	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &file),
	    RP_OK);
	cr_assert_eq(file_write(task, file, content.p, content.n, 0, false), RP_OK);
	file_close(file);
}

static void assert_end(struct task *task, bool lost, uint64_t last)
{
	struct journal *journal = open_it(task);
	unsigned count = 0;

	cr_assert_eq(journal_end_is_lost(journal), lost);
	cr_assert_eq(journal_last_lsn(journal), last);
	cr_assert_eq(journal_look(task, journal, false, count_oddity, &count), RP_OK);
	cr_assert_eq(count, lost);
	journal_close(journal);
}

/* Cut wherever it may be, where a record ends too. */
IO_TASK_TEST(journal_mark, a_file_that_is_cut_has_lost_its_end)
{
	struct journal *journal = open_it(task);
	struct again again;
	struct bytes whole;

	(void)arg;
	number_them(journal, &again);
	for (unsigned i = 0; i < MARKED; i++)
		place_again(task, journal, &again, i, i + 1);
	journal_close(journal);
	assert_end(task, false, MARKED);
	whole = read_it(task, marked_path);
	cr_assert_eq(whole.n, 1024 + MARKED * MARKED_RECORD + MARK);
	for (size_t n = 1024; n < whole.n; n += 8) {
		uint64_t last = (n - 1024) / MARKED_RECORD;

		write_it(task, marked_path, bytes_slice(whole, 0, n));
		/* Of the last record nothing but zeroes may be missing. */
		if ((n - 1024) % MARKED_RECORD >= 96 + MARKED_PAYLOAD)
			last++;
		assert_end(task, true, last);
	}
	for (size_t at = whole.n - MARK; at < whole.n; at++) {
		write_it(task, marked_path, whole);
		flip(task, at);
		assert_end(task, true, MARKED);
	}
}

/* A write that failed is made once more, from the first of its records on: those behind them are there to be read meanwhile. */
IO_TASK_TEST(journal_mark, a_mark_is_not_written_over_a_later_record)
{
	struct journal *journal = open_it(task);
	struct again again;

	(void)arg;
	number_them(journal, &again);
	place_again(task, journal, &again, 0, 2);
	place_again(task, journal, &again, 2, MARKED);
	place_again(task, journal, &again, 0, 2);
	assert_replay(task, journal, 0, MARKED, 0);
	journal_close(journal);
	assert_end(task, false, MARKED);
}

/* The log that had a record may be damaged, and the journal has it: a recovery must not end the file before it. */
IO_TASK_TEST(journal_mark, a_recovery_writes_no_mark_over_a_record)
{
	struct journal *journal = open_it(task);
	struct userid userid = log_user_id(1);
	struct again again;

	(void)arg;
	number_them(journal, &again);
	place_again(task, journal, &again, 0, MARKED);
	journal_close(journal);
	cr_assert_eq(journal_open_for_recovery(task, dir, &userid, 4, &journal), RP_OK);
	place_again(task, journal, &again, 1, 2);
	place_again(task, journal, &again, 3, 4);
	journal_close(journal);
	assert_end(task, false, MARKED);
}

/* What a power cut leaves of the last writes: the log has these records, and they are written again, with the mark. */
IO_TASK_TEST(journal_mark, a_recovery_writes_the_mark_again)
{
	struct journal *journal = open_it(task);
	struct userid userid = log_user_id(1);
	struct again again;
	struct bytes whole;

	(void)arg;
	number_them(journal, &again);
	place_again(task, journal, &again, 0, MARKED);
	journal_close(journal);
	whole = read_it(task, marked_path);
	for (size_t n = 0; n < whole.n; n += 40) {
		write_it(task, marked_path, bytes_slice(whole, 0, n));
		cr_assert_eq(journal_open_for_recovery(task, dir, &userid, 4, &journal), RP_OK);
		place_again(task, journal, &again, 0, 3);
		place_again(task, journal, &again, 3, MARKED);
		journal_close(journal);
		assert_end(task, false, MARKED);
	}
}

/* As an older server would have left it. */
static void make_unmarked(struct task *task, const char *path)
{
	struct bytes whole = read_it(task, path);
	struct format_header header;
	uint8_t *p = malloc(whole.n);

	cr_assert_not_null(p);
	memcpy(p, whole.p, whole.n);
	cr_assert_eq(
	    format_check_area(whole, FORMAT_JOURNAL, JOURNAL_VERSION, &header), RP_OK);
	format_sign(&header, FORMAT_JOURNAL, JOURNAL_VERSION_UNMARKED);
	format_put_area(&header, p);
	write_it(task, path, bytes_of(p, whole.n - MARK));
	free(p);
}

IO_TASK_TEST(journal_mark, an_older_servers_file_is_read_and_left_as_it_is)
{
	struct journal *journal = open_it(task);
	struct userid userid = log_user_id(1);
	struct again again;

	(void)arg;
	number_them(journal, &again);
	place_again(task, journal, &again, 0, MARKED);
	journal_close(journal);
	make_unmarked(task, marked_path);
	assert_end(task, false, MARKED);
	cr_assert_eq(journal_open_for_recovery(task, dir, &userid, 4, &journal), RP_OK);
	place_again(task, journal, &again, 3, MARKED);
	journal_close(journal);
	assert_end(task, false, MARKED);
	journal = open_it(task);
	put(task, journal, 10);
	assert_replay(task, journal, 0, MARKED + 1, 0);
	journal_close(journal);
	cr_assert_eq(
	    read_it(task, "users/0001/u/1-6.journal").n, 1024 + MARKED * MARKED_RECORD);
	assert_end(task, false, MARKED + 1);
}

/* Of one that is sealed no record is missing without its mark; it is put in order. */
IO_TASK_TEST(journal_mark, the_mark_of_a_sealed_file_is_mended)
{
	static const char path[] = "users/0001/u/1-6.journal";
	static const size_t cut[] = {MARK, 1, 0};
	struct journal *journal = open_it(task);
	struct again again;
	struct bytes whole;
	unsigned count;

	(void)arg;
	number_them(journal, &again);
	place_again(task, journal, &again, 0, MARKED);
	journal_cut(journal);
	put(task, journal, 10);
	journal_close(journal);
	assert_oddities(task, 0);
	whole = read_it(task, path);
	for (unsigned i = 0; i < 3; i++) {
		write_it(task, path, bytes_slice(whole, 0, whole.n - cut[i]));
		if (cut[i] == 0)
			flip_in(task, path, whole.n - 3);
		assert_oddities(task, 1);
		journal = open_it(task);
		cr_assert_not(journal_end_is_lost(journal));
		count = 0;
		cr_assert_eq(journal_look(task, journal, true, count_oddity, &count), RP_OK);
		journal_close(journal);
		assert_oddities(task, 0);
	}
}

/* A power cut may lose the new name, and a file that failed in a recovery has one that it had before. */
IO_TASK_TEST(journal_mark, what_is_not_in_use_is_sealed)
{
	static const char proper[] = "users/0001/u/1-6.journal";
	static const char *const wrong[] = {"users/0001/u/1-.journal", "users/0001/u/1-9.journal"};
	struct journal *journal = open_it(task);
	struct again again;

	(void)arg;
	number_them(journal, &again);
	place_again(task, journal, &again, 0, MARKED);
	journal_cut(journal);
	put(task, journal, 10);
	journal_close(journal);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(file_rename(task, FILE_ROOT_DATA, proper, wrong[i]), RP_OK);
		journal = open_it(task);
		journal_seal(task, journal);
		assert_replay(task, journal, 0, MARKED + 1, 0);
		journal_close(journal);
		(void)read_it(task, proper);
		assert_end(task, false, MARKED + 1);
	}
}
