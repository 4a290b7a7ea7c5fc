/* journal_files.h -- a journal that a test writes, looks at, and damages. */
#ifndef RP_TESTS_INDEX_JOURNAL_FILES_H
#define RP_TESTS_INDEX_JOURNAL_FILES_H

#include "index/journal_look.h"
#include "tests/index/log_user.h"
#include "tests/io/io_fixture.h"

static const char dir[] = "users/0001/u";

static inline struct journal *open_it(struct task *task)
{
	struct userid userid = log_user_id(1);
	struct journal *journal = NULL;

	cr_assert_eq(journal_open(task, dir, &userid, 3, &journal), RP_OK);
	return journal;
}

/* Number and write one record whose payload is n bytes that follow from its LSN. */
static inline void put(struct task *task, struct journal *journal, size_t n)
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

static inline enum rp_err see(struct task *task, void *arg, const struct record *record,
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

static inline void assert_replay(struct task *task, struct journal *journal, uint64_t since,
    uint64_t last, uint64_t missing)
{
	struct seen seen = { .next = since + 1 };

	cr_assert_eq(journal_replay(task, journal, since, see, &seen), RP_OK);
	cr_assert_eq(seen.next, last + 1);
	cr_assert_eq(seen.missing, missing);
}

static inline void flip_in(struct task *task, const char *path, uint64_t offset)
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

static inline void flip(struct task *task, uint64_t offset)
{
	flip_in(task, "users/0001/u/1-.journal", offset);
}

static inline enum rp_err count_oddity(struct task *task, void *arg, const struct journal_oddity *oddity)
{
	(void)task;
	(void)oddity;
	++*(unsigned *)arg;
	return RP_OK;
}

static inline void assert_oddities(struct task *task, unsigned expected)
{
	struct journal *journal = open_it(task);
	unsigned count = 0;

	cr_assert_eq(journal_look(task, journal, false, count_oddity, &count), RP_OK);
	cr_assert_eq(count, expected);
	journal_close(journal);
}

#endif
