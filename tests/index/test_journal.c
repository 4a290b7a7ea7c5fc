#include "index/journal.h"

#include <stdlib.h>

#include "index/format.h"
#include "index/journal_look.h"
#include "index/journal_mark.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

enum { PAYLOAD_BYTES = 100 * 1024 }; /* so that few records fill a file */

static const char dir[] = "users/0001/u";

static struct journal *open_it(struct task *task)
{
	struct userid userid = log_user_id(1);
	struct journal *journal = NULL;

	cr_assert_eq(journal_open(task, dir, &userid, 3, &journal), RP_OK);
	return journal;
}

/* Number and write one record whose payload is n bytes that follow from its LSN. */
static void put(struct task *task, struct journal *journal, size_t n)
{
	static uint8_t payload[RECORD_BYTES_MAX];
	struct record record = { .header = { .type = 1, .userid = log_user_id(1) } };
	const struct record *records[] = { &record };
	struct record_header sizes = { .payload_bytes = (uint32_t)n };

	journal_number(
	    journal, record_journal_bytes(&sizes), &record.header.lsn, &record.header.place);
	memset(payload, (int)record.header.lsn, n);
	record.payload = bytes_of(payload, n);
	record_fill(&record.header, record.payload, record.body);
	cr_assert_eq(journal_write(task, journal, records, 1, &(size_t){ 0 }), RP_OK);
}

struct seen {
	uint64_t next;
	uint64_t missing;
	uint64_t stop_at;
};

static enum rp_err see(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct seen *seen = arg;

	(void)task;
	if (record == NULL) {
		cr_assert_eq(missing_first, seen->next);
		seen->missing += missing_last - missing_first + 1;
		seen->next = missing_last + 1;
		return RP_OK;
	}
	cr_assert_eq(record->header.lsn, seen->next);
	if (record->payload.n != 0) {
		cr_assert_eq(record->payload.p[0], (uint8_t)seen->next);
		cr_assert_eq(record->payload.p[record->payload.n - 1], (uint8_t)seen->next);
	}
	if (seen->next++ == seen->stop_at)
		return RP_ERR_LIMIT;
	return RP_OK;
}

static void assert_replay(struct task *task, struct journal *journal, uint64_t since,
    uint64_t last, uint64_t missing)
{
	struct seen seen = { .next = since + 1 };

	cr_assert_eq(journal_replay(task, journal, since, see, &seen), RP_OK);
	cr_assert_eq(seen.next, last + 1);
	cr_assert_eq(seen.missing, missing);
}

IO_TASK_TEST(journal, an_empty_one_is_no_directory_at_all)
{
	struct journal *journal = open_it(task);

	(void)arg;
	cr_assert_eq(journal_last_lsn(journal), 0);
	cr_assert_eq(journal_first_lsn(journal), 0);
	cr_assert_eq(journal_bytes_since(journal, 0), 0);
	assert_replay(task, journal, 0, 0, 0);
	journal_close(journal);
}

IO_TASK_TEST(journal, goes_on_where_it_ended)
{
	(void)arg;
	for (unsigned run = 0; run < 4; run++) {
		struct journal *journal = open_it(task);

		cr_assert_eq(journal_last_lsn(journal), run * 5);
		for (unsigned i = 0; i < 5; i++)
			put(task, journal, run * 100 + i);
		assert_replay(task, journal, 0, run * 5 + 5, 0);
		assert_replay(task, journal, run * 5 + 2, run * 5 + 5, 0);
		journal_close(journal);
	}
}

IO_TASK_TEST(journal, files_are_sealed_and_named_by_their_lsns)
{
	enum { COUNT = 200 };
	struct journal *journal = open_it(task);
	struct dir_entry *names;
	struct arena arena;
	size_t count;

	(void)arg;
	for (unsigned i = 0; i < COUNT; i++)
		put(task, journal, PAYLOAD_BYTES);
	assert_replay(task, journal, 0, COUNT, 0);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &names, &count), RP_OK);
	cr_assert_eq(count, 3);
	cr_assert(bytes_eq(names[0].name, BYTES_LIT("1-81.journal")), "%.*s",
	    BYTES_FMT(names[0].name));
	cr_assert(bytes_eq(names[1].name, BYTES_LIT("163-.journal")));
	cr_assert(bytes_eq(names[2].name, BYTES_LIT("82-162.journal")));
	arena_fini(&arena);

	uint64_t all = journal_bytes_since(journal, 0);
	uint64_t half = journal_bytes_since(journal, COUNT / 2);

	cr_assert_gt(all, (uint64_t)COUNT * PAYLOAD_BYTES * 9 / 10);
	cr_assert_lt(half, all * 6 / 10);
	cr_assert_gt(half, all * 4 / 10);
	journal_close(journal);
	journal = open_it(task);
	cr_assert_eq(journal_last_lsn(journal), COUNT);
	assert_replay(task, journal, 100, COUNT, 0);
	cr_assert_eq(journal_remove_below(task, journal, 163), RP_OK);
	cr_assert_eq(journal_first_lsn(journal), 163);
	assert_replay(task, journal, 162, COUNT, 0);
	assert_replay(task, journal, 0, COUNT, 162);
	journal_close(journal);
}

IO_TASK_TEST(journal, a_cut_begins_a_new_file)
{
	struct journal *journal = open_it(task);

	(void)arg;
	put(task, journal, 10);
	put(task, journal, 10);
	journal_cut(journal);
	put(task, journal, 10);
	cr_assert_eq(journal_remove_below(task, journal, 3), RP_OK);
	cr_assert_eq(journal_first_lsn(journal), 3);
	journal_close(journal);
	journal = open_it(task);
	cr_assert_eq(journal_first_lsn(journal), 3);
	cr_assert_eq(journal_last_lsn(journal), 3);
	journal_number_from(journal, 9);
	put(task, journal, 10);
	cr_assert_eq(journal_last_lsn(journal), 10);
	journal_close(journal);
}

IO_TASK_TEST(journal, an_error_of_the_callee_ends_the_replay)
{
	struct journal *journal = open_it(task);
	struct seen seen = { .next = 1, .stop_at = 3 };

	(void)arg;
	for (unsigned i = 0; i < 5; i++)
		put(task, journal, 10);
	cr_assert_eq(journal_replay(task, journal, 0, see, &seen), RP_ERR_LIMIT);
	cr_assert_eq(seen.next, 4);
	journal_close(journal);
}

static void flip_in(struct task *task, const char *path, uint64_t offset)
{
	struct file *file;
	uint8_t byte;
	size_t got;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_read(task, file, &byte, 1, offset, &got), RP_OK);
	cr_assert_eq(got, 1);
	byte ^= 0x10;
	cr_assert_eq(file_write(task, file, &byte, 1, offset, false), RP_OK);
	file_close(file);
}

static void flip(struct task *task, uint64_t offset)
{
	flip_in(task, "users/0001/u/1-.journal", offset);
}

/* Flip one byte at a time, anywhere: at most the record that it lies in is missing, and is said to be. */
IO_TASK_TEST(journal, damage_costs_one_record_and_is_told)
{
	enum { COUNT = 10, PAYLOAD = 120, RECORD = 96 + PAYLOAD };
	struct journal *journal = open_it(task);

	(void)arg;
	for (unsigned i = 0; i < COUNT; i++)
		put(task, journal, PAYLOAD);
	journal_close(journal);
	for (uint64_t offset = 0; offset < 1024 + COUNT * RECORD; offset += 7) {
		flip(task, offset);
		journal = open_it(task);
		if (offset < 1024) { /* one of two copies of the header */
			assert_replay(task, journal, 0, COUNT, 0);
		} else if (offset < 1024 + (COUNT - 1) * RECORD) {
			cr_assert_eq(journal_last_lsn(journal), COUNT);
			assert_replay(task, journal, 0, COUNT, 1);
		} else { /* nothing says that there was one more: only the log or the catalog does */
			assert_replay(task, journal, 0, COUNT - 1, 0);
		}
		journal_close(journal);
		flip(task, offset);
	}
	journal = open_it(task);
	assert_replay(task, journal, 0, COUNT, 0);
	journal_close(journal);
}

IO_TASK_TEST(journal, a_lost_header_loses_the_file_but_not_the_numbers)
{
	struct journal *journal = open_it(task);

	(void)arg;
	for (unsigned i = 0; i < 3; i++)
		put(task, journal, 50);
	journal_close(journal);
	flip(task, 100);
	flip(task, 600);
	journal = open_it(task);
	journal_number_from(journal, 3);
	put(task, journal, 50);
	cr_assert_eq(journal_last_lsn(journal), 4);
	assert_replay(task, journal, 0, 4, 3);
	journal_close(journal);
}

/* A write that failed leaves anything behind the record with which its file ends; what it was to write is in the next file. */
IO_TASK_TEST(journal, what_lies_behind_a_files_last_record_is_no_damage)
{
	static const uint8_t rest[100] = { 0xab };
	struct journal *journal = open_it(task);
	struct file *file;
	uint64_t end;

	(void)arg;
	for (unsigned i = 0; i < 5; i++)
		put(task, journal, 50);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "users/0001/u/1-.journal", FILE_READ | FILE_WRITE, &file),
	    RP_OK);
	cr_assert_eq(file_size(task, file, &end), RP_OK);
	cr_assert_eq(file_write(task, file, rest, sizeof(rest), end, false), RP_OK);
	file_close(file);
	assert_replay(task, journal, 0, 5, 0);
	journal_cut(journal);
	put(task, journal, 50);
	journal_close(journal);
	journal = open_it(task);
	assert_replay(task, journal, 0, 6, 0);
	cr_assert_eq(journal_damaged(journal), 0);
	journal_close(journal);
}

/* A recovery cannot write to a file that has the name of a sealed one already: what follows lies in one of its own, and counts. */
IO_TASK_TEST(journal, a_sealed_file_may_end_before_its_name_says)
{
	enum { COUNT = 30, FAILED = 5 };
	static uint8_t payload[1000];
	struct journal *journal = open_it(task);
	struct userid userid = log_user_id(1);
	struct record record[COUNT + 1];

	(void)arg;
	journal_set_file_bytes(journal, 16 * 1024);
	for (unsigned i = 1; i <= COUNT; i++) {
		struct record_header sizes = { .payload_bytes = sizeof(payload) };

		record[i] = (struct record){ .header = { .type = 1, .userid = userid } };
		journal_number(journal, record_journal_bytes(&sizes), &record[i].header.lsn,
		    &record[i].header.place);
	}
	for (unsigned run = 0; run < 2; run++) {
		for (unsigned i = run == 0 ? 1 : FAILED; i <= COUNT; i++) {
			const struct record *one = &record[i];

			memset(payload, (int)i, sizeof(payload));
			record[i].payload = bytes_of(payload, sizeof(payload));
			record_fill(&record[i].header, record[i].payload, record[i].body);
			if (run == 1 && i == FAILED)
				cr_assert_eq(journal_give_up(task, journal, one), RP_OK);
			cr_assert_eq(journal_write(task, journal, &one, 1, &(size_t){ 0 }), RP_OK);
		}
		journal_close(journal);
		if (run == 0)
			cr_assert_eq(
			    journal_open_for_recovery(task, dir, &userid, 4, &journal), RP_OK);
	}
	flip_in(task, "users/0001/u/1-14.journal", 1024 + FAILED * 1096); /* what it had is not needed */
	journal = open_it(task);
	assert_replay(task, journal, 0, COUNT, 0);
	journal_close(journal);
}

static enum rp_err count_oddity(struct task *task, void *arg, const struct journal_oddity *oddity)
{
	(void)task;
	(void)oddity;
	++*(unsigned *)arg;
	return RP_OK;
}

static void assert_oddities(struct task *task, unsigned expected)
{
	struct journal *journal = open_it(task);
	unsigned count = 0;

	cr_assert_eq(journal_look(task, journal, false, count_oddity, &count), RP_OK);
	cr_assert_eq(count, expected);
	journal_close(journal);
}

static void spoil_end(struct task *task, const char *path, uint64_t offset)
{
	static const uint8_t torn[100] = {0xab};
	struct file *file;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, torn, sizeof(torn), offset, false), RP_OK);
	file_close(file);
}

/* The file that goes on with what a failed one was to have tells of it, also when a power cut has taken its header, or parts of
 * its own end: recovery, which writes it again, knows it by the places. */
IO_TASK_TEST(journal, parts_of_what_a_failed_file_was_to_have_are_no_damage)
{
	enum { COUNT = 10, PAYLOAD = 104, RECORD = 96 + PAYLOAD, FAILED = 6, LATER = 8 };
	uint8_t payload[PAYLOAD] = {0};
	struct journal *journal = open_it(task);
	struct userid userid = log_user_id(1);
	struct record record[COUNT + 1];
	const struct record *records[COUNT + 1];

	(void)arg;
	for (unsigned i = 1; i <= COUNT; i++) {
		records[i] = &record[i];
		record[i] = (struct record){.header = {.type = 1, .userid = userid},
		    .payload = bytes_of(payload, sizeof(payload))};
		record_fill(&record[i].header, record[i].payload, record[i].body);
		journal_number(journal, RECORD, &record[i].header.lsn, &record[i].header.place);
	}
	cr_assert_eq(journal_write(task, journal, records + 1, FAILED - 1, &(size_t){0}), RP_OK);
	cr_assert_eq(journal_give_up(task, journal, records[FAILED]), RP_OK);
	cr_assert_eq(
	    journal_write(task, journal, records + FAILED, COUNT + 1 - FAILED, &(size_t){0}),
	    RP_OK);
	journal_close(journal);
	assert_oddities(task, 0);
	spoil_end(task, "users/0001/u/1-5.journal", 1024 + (FAILED - 1) * RECORD);
	assert_oddities(task, 0);

	flip_in(task, "users/0001/u/6-.journal", 9);
	flip_in(task, "users/0001/u/6-.journal", FORMAT_SECTOR_BYTES + 9);
	for (unsigned from = FAILED; from <= LATER; from += LATER - FAILED) {
		cr_assert_eq(journal_open_for_recovery(task, dir, &userid, 4, &journal), RP_OK);
		cr_assert_eq(
		    journal_write(task, journal, records + from, COUNT + 1 - from, &(size_t){0}),
		    RP_OK);
		journal_close(journal);
		assert_oddities(task, 0);
	}
	spoil_end(task, "users/0001/u/6-7.journal", 1024 + (LATER - FAILED) * RECORD);
	assert_oddities(task, 0);
	journal = open_it(task);
	cr_assert_eq(journal_last_lsn(journal), COUNT);
	journal_close(journal);
}

/* Of a header that was not flushed a power cut may leave one copy: recovery, which has the records, writes both. */
IO_TASK_TEST(journal, a_recovery_makes_both_copies_of_a_header_whole)
{
	static const char path[] = "users/0001/u/1-.journal";
	uint8_t payload[] = "again";
	struct journal *journal = open_it(task);
	struct userid userid = log_user_id(1);
	struct record record = { .header = { .type = 1, .userid = userid } };
	const struct record *one = &record;
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	struct file *file;
	size_t got;

	(void)arg;
	record.payload = bytes_of(payload, sizeof(payload));
	record_fill(&record.header, record.payload, record.body);
	journal_number(journal, record_journal_bytes(&record.header), &record.header.lsn,
	    &record.header.place);
	for (unsigned copy = 0; copy < 2; copy++) {
		cr_assert_eq(journal_write(task, journal, &one, 1, &(size_t){ 0 }), RP_OK);
		journal_close(journal);
		flip_in(task, path, copy * FORMAT_SECTOR_BYTES + 9);
		cr_assert_eq(journal_open_for_recovery(task, dir, &userid, 4, &journal), RP_OK);
	}
	cr_assert_eq(journal_write(task, journal, &one, 1, &(size_t){ 0 }), RP_OK);
	journal_close(journal);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_OK);
	cr_assert_eq(file_read(task, file, area, sizeof(area), 0, &got), RP_OK);
	for (unsigned copy = 0; copy < 2; copy++)
		cr_assert_eq(format_check(bytes_from(bytes_of(area, got), copy * FORMAT_SECTOR_BYTES),
				 FORMAT_JOURNAL, JOURNAL_VERSION, &header),
		    RP_OK);
	file_close(file);
}

/* ---- the end mark ---- */

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
IO_TASK_TEST(journal, a_file_that_is_cut_has_lost_its_end)
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
IO_TASK_TEST(journal, a_mark_is_not_written_over_a_later_record)
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
IO_TASK_TEST(journal, a_recovery_writes_no_mark_over_a_record)
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
IO_TASK_TEST(journal, a_recovery_writes_the_mark_again)
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

IO_TASK_TEST(journal, an_older_servers_file_is_read_and_left_as_it_is)
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
IO_TASK_TEST(journal, the_mark_of_a_sealed_file_is_mended)
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
IO_TASK_TEST(journal, what_is_not_in_use_is_sealed)
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

struct busy {
	struct seen seen;
	struct journal *journal;
	unsigned left; /* records that are written while others are read */
};

static enum rp_err see_and_write(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct busy *busy = arg;
	enum rp_err err = see(task, &busy->seen, record, missing_first, missing_last);

	for (; busy->left > 0; busy->left--)
		put(task, busy->journal, 1000);
	return err;
}

IO_TASK_TEST(journal, what_is_written_meanwhile_is_not_taken_for_lost)
{
	enum { BEFORE = 3, MEANWHILE = 40 };
	struct journal *journal = open_it(task);
	struct busy busy = { .seen = { .next = 1 }, .journal = journal, .left = MEANWHILE };

	(void)arg;
	journal_set_file_bytes(journal, 16 * 1024);
	for (unsigned i = 0; i < BEFORE; i++)
		put(task, journal, 1000);
	cr_assert_eq(journal_replay(task, journal, 0, see_and_write, &busy), RP_OK);
	cr_assert_eq(busy.seen.missing, 0);
	cr_assert_eq(busy.seen.next, BEFORE + MEANWHILE + 1);
	journal_close(journal);
}

/* What has been read wrongly would be written on: counters, numbers that were given out before. */
SIM_TASK_TEST(journal, a_disk_that_refuses_now_and_then_loses_nothing)
{
	enum { COUNT = 10, OPENINGS = 400, ONE_IN_TWENTY = 65536 / 20 };
	struct io_fixture *fixture = arg;
	struct journal *journal = open_it(task);

	for (unsigned i = 0; i < COUNT; i++)
		put(task, journal, 200);
	journal_close(journal);
	sim_set_faults(fixture->world, &(struct sim_faults){ .read_eio = ONE_IN_TWENTY });
	for (unsigned i = 0; i < OPENINGS; i++) {
		journal = open_it(task);
		cr_assert_eq(journal_last_lsn(journal), COUNT, "opening %u", i);
		assert_replay(task, journal, 0, COUNT, 0);
		journal_close(journal);
	}
	cr_assert_gt(sim_met(fixture->world)->reads_failed, OPENINGS / 10);
}

IO_TASK_TEST(journal, of_another_user_is_not_read)
{
	struct journal *journal = open_it(task);
	struct userid other = log_user_id(2);

	(void)arg;
	put(task, journal, 50);
	journal_close(journal);
	cr_assert_eq(journal_open(task, dir, &other, 3, &journal), RP_OK);

	struct seen seen = { .next = 1 };

	cr_assert_eq(journal_replay(task, journal, 0, see, &seen), RP_OK);
	cr_assert_eq(seen.next, 1);
	journal_close(journal);
}
