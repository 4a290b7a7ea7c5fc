#include "index/journal.h"

#include <stdlib.h>

#include "index/format.h"
#include "tests/index/journal_files.h"

enum { PAYLOAD_BYTES = 100 * 1024 }; /* so that few records fill a file */

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

static void copy_sector(struct task *task, uint64_t from, uint64_t to, uint8_t was[FORMAT_SECTOR_BYTES])
{
	uint8_t sector[FORMAT_SECTOR_BYTES];
	struct file *file;
	size_t got;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "users/0001/u/1-.journal", FILE_READ | FILE_WRITE, &file),
	    RP_OK);
	cr_assert_eq(file_read(task, file, sector, sizeof(sector), from, &got), RP_OK);
	cr_assert_eq(file_read(task, file, was, sizeof(sector), to, &got), RP_OK);
	cr_assert_eq(file_write(task, file, sector, sizeof(sector), to, false), RP_OK);
	file_close(file);
}

static void write_sector(struct task *task, uint64_t at, const uint8_t sector[FORMAT_SECTOR_BYTES])
{
	struct file *file;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "users/0001/u/1-.journal", FILE_READ | FILE_WRITE, &file),
	    RP_OK);
	cr_assert_eq(file_write(task, file, sector, FORMAT_SECTOR_BYTES, at, false), RP_OK);
	file_close(file);
}

/* A write that went astray leaves sound records of this very file where others were. They cost those, and nothing behind them. */
IO_TASK_TEST(journal, a_sector_that_lies_in_anothers_place_costs_what_was_there)
{
	enum { COUNT = 24, PAYLOAD = 40, RECORD = 96 + PAYLOAD, SECTOR = FORMAT_SECTOR_BYTES };
	uint64_t end = 1024 + (uint64_t)COUNT * RECORD;
	struct journal *journal = open_it(task);

	(void)arg;
	for (unsigned i = 0; i < COUNT; i++)
		put(task, journal, PAYLOAD);
	journal_close(journal);
	for (uint64_t to = 1024; to + SECTOR <= end - RECORD; to += SECTOR) {
		uint64_t first = (to - 1024) / RECORD;
		uint64_t last = (to + SECTOR - 1 - 1024) / RECORD;

		for (uint64_t from = 1024; from + SECTOR <= end; from += SECTOR) {
			uint8_t was[SECTOR];

			copy_sector(task, from, to, was);
			journal = open_it(task);
			cr_assert_eq(journal_last_lsn(journal), COUNT);
			assert_replay(task, journal, 0, COUNT, from != to ? last - first + 1 : 0);
			journal_close(journal);
			assert_oddities(task, from != to);
			write_sector(task, to, was);
		}
	}
	assert_oddities(task, 0);
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

static void copy_file(struct task *task, const char *from, const char *to)
{
	static uint8_t content[65536];
	struct file *file;
	size_t got;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, from, FILE_READ, &file), RP_OK);
	cr_assert_eq(file_read(task, file, content, sizeof(content), 0, &got), RP_OK);
	file_close(file);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, to, FILE_READ | FILE_WRITE | FILE_CREATE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, content, got, 0, false), RP_OK);
	file_close(file);
}

/* Somebody has put a copy back, and the file has gone on: nothing that it has is lost by that. What had more may be. */
IO_TASK_TEST(journal, of_a_file_and_a_sealed_copy_the_longer_one_counts)
{
	static const char used[] = "users/0001/u/1-.journal";
	struct journal *journal = open_it(task);

	(void)arg;
	for (unsigned i = 0; i < 5; i++)
		put(task, journal, 50);
	copy_file(task, used, "users/0001/u/1-5.journal");
	put(task, journal, 50);
	journal_close(journal);
	journal = open_it(task);
	cr_assert_eq(journal_last_lsn(journal), 6);
	cr_assert(journal_end_is_lost(journal));
	assert_replay(task, journal, 0, 6, 0);
	journal_cut(journal);
	put(task, journal, 50);
	journal_close(journal);
	journal = open_it(task);
	cr_assert_eq(journal_last_lsn(journal), 7);
	cr_assert(!journal_end_is_lost(journal));
	assert_replay(task, journal, 0, 7, 0);
	journal_close(journal);
	/* A copy of what it was before tells nothing. */
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "users/0001/u/1-5.journal"), RP_OK);
	copy_file(task, "users/0001/u/1-6.journal", used);
	flip(task, 1024 + 5 * 152);
	journal = open_it(task);
	assert_replay(task, journal, 0, 7, 0);
	journal_close(journal);
}

struct sealing {
	struct journal *journal;
	bool ended;
};

static void seal_task(struct task *task, void *arg)
{
	struct sealing *sealing = arg;

	journal_seal(task, sealing->journal);
	sealing->ended = true;
}

/* Two files, of which a power cut has taken the first one's sealed name. */
static struct journal *open_unsealed(struct task *task)
{
	struct journal *journal = open_it(task);
	enum rp_err err;

	put(task, journal, 10);
	put(task, journal, 10);
	journal_cut(journal);
	put(task, journal, 10);
	journal_close(journal);
	err = file_rename(
	    task, FILE_ROOT_DATA, "users/0001/u/1-2.journal", "users/0001/u/1-.journal");
	cr_assert_eq(err, RP_OK);
	return open_it(task);
}

/* Who gives a file its sealed name may go away meanwhile, or not know yet that it is done: nobody takes the file for lost. */
IO_TASK_TEST(journal, a_file_that_is_being_sealed_is_read)
{
	(void)arg;
	for (unsigned yields = 0; yields < 12; yields++) {
		struct sealing sealing = {.journal = open_unsealed(task)};
		struct task *sealer;

		cr_assert_eq(task_start(task_loop(task), seal_task, &sealing, &sealer), RP_OK);
		for (unsigned i = 0; i < yields / 2; i++)
			cr_assert_eq(task_yield(task), RP_OK);
		if (yields % 2 == 0 && !sealing.ended)
			task_cancel(sealer);
		assert_replay(task, sealing.journal, 0, 3, 0);
		while (!sealing.ended)
			cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
		assert_replay(task, sealing.journal, 0, 3, 0);
		journal_close(sealing.journal);
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "users/0001/u/3-.journal"), RP_OK);
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "users/0001/u/1-2.journal"), RP_OK);
	}
}
