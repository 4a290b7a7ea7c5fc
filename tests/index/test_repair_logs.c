/* After a crash, before a start: check looks at a user of whom the commit logs still have records, and changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox_format.h"
#include "index/journal_mark.h"
#include "index/logfile.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/repair/store_look.h"
#include "index/store_state.h"
#include "index/volume_files.h"
#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/open_store.h"
#include "tests/index/said.h"
#include "tests/io/io_fixture.h"

enum { LOG_BYTES = 1024 * 1024, BODIES = 5 };

static struct file *open_it(struct task *task, enum file_root root, const char *path)
{
	struct file *file;

	cr_assert_eq(file_open(task, root, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	return file;
}

/* Good until the next call. */
static const char *path_in_volume(const char *name)
{
	static char path[VOLUME_PATH_BYTES];
	char dir[USERID_PATH_BYTES];

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static uint64_t size_of(struct task *task, const char *name)
{
	struct file *file = open_it(task, FILE_ROOT_DATA, path_in_volume(name));
	uint64_t bytes;

	cr_assert_eq(file_size(task, file, &bytes), RP_OK);
	file_close(file);
	return bytes;
}

/* DATA/store is made. */
static void claim_once(struct task *task)
{
	struct claim *claim = NULL;
	struct arena arena;
	const char *reason;
	uint64_t epoch;

	arena_init(&arena, 65536);
	cr_assert_eq(store_claim(task, &arena, 1, &claim, &epoch, &reason), RP_OK);
	cr_assert_eq(epoch, 1);
	store_unclaim(claim);
	arena_fini(&arena);
}

/* Its body is nobody's then. */
static void take_out_first(struct task *task, struct volume *volume)
{
	struct mailbox *mailbox;
	struct runs uids = RUNS_EMPTY;

	cr_assert_eq(mailbox_open_id(task, volume, 1, &mailbox), RP_OK);
	cr_assert_eq(runs_add(&uids, 1, 1), RP_OK);
	cr_assert_eq(mailbox_take_out(task, mailbox, &uids), RP_OK);
	mailbox_close(mailbox);
	runs_fini(&uids);
}

/* Mail whose records are in the log still, as a crash leaves them, and in their places too. *before: the journal's size without the
 * last record. */
static uint8_t journal_before[16 * 1024];

static void crash_with(struct task *task, const char *last, bool without_first, uint64_t *before)
{
	uint8_t *p = malloc(LOG_BYTES);
	struct volume *volume;
	struct store *store;
	struct file *journal;
	struct file *log;
	size_t got;

	claim_once(task);
	store = made_open_store(task, 1);
	log = open_it(task, FILE_ROOT_COMMIT, "0/1.log");
	cr_assert_not_null(p);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	for (unsigned i = 0; i < BODIES; i++)
		made_append(task, volume, "INBOX", 0, "a body that is in the log");
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	*before = size_of(task, "1-.journal");
	journal = open_it(task, FILE_ROOT_DATA, path_in_volume("1-.journal"));
	cr_assert_eq(file_read(task, journal, journal_before, *before, 0, &got), RP_OK);
	file_close(journal);
	made_append(task, volume, "INBOX", 0, last);
	if (without_first)
		take_out_first(task, volume);
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	cr_assert_eq(file_read(task, log, p, LOG_BYTES, 0, &got), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cr_assert_eq(file_write(task, log, p, got, 0, false), RP_OK);
	file_close(log);
	free(p);
}

static void crash(struct task *task, uint64_t *before)
{
	crash_with(task, "the last", false, before);
}

static enum rp_err check(struct task *task, struct said *said, struct repair_report *report)
{
	struct store_settings settings = small_store();
	struct store *store;
	const char *reason;

	*said = (struct said){0};
	*report = (struct repair_report){0};
	cr_assert_eq(store_open_look(task, &settings, 1, &store, &reason), RP_OK);
	cr_assert(recover_has(store->recover, &made_user));

	enum rp_err err = repair_check(task, store, &made_user, said_keep, said, report);

	cr_assert_eq(store_close(task, store), RP_OK);
	return err;
}

static void flip(struct task *task, const char *name, uint64_t at)
{
	struct file *file = open_it(task, FILE_ROOT_DATA, path_in_volume(name));
	uint8_t byte;
	size_t got;

	cr_assert_eq(file_read(task, file, &byte, 1, at, &got), RP_OK);
	cr_assert_eq(got, 1);
	byte ^= 4;
	cr_assert_eq(file_write(task, file, &byte, 1, at, false), RP_OK);
	file_close(file);
}

static uint64_t look(struct task *task, struct said *said)
{
	struct store_settings settings = small_store();
	struct store *store;
	const char *reason;
	uint64_t damaged;

	*said = (struct said){0};
	cr_assert_eq(store_open_look(task, &settings, 1, &store, &reason), RP_OK);
	cr_assert_eq(store_look(task, store, said_keep, said, &damaged), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
	return damaged;
}

static void flip_log(struct task *task, uint64_t at)
{
	struct file *file = open_it(task, FILE_ROOT_COMMIT, "0/1.log");
	uint8_t byte;
	size_t got;

	cr_assert_eq(file_read(task, file, &byte, 1, at, &got), RP_OK);
	byte ^= 4;
	cr_assert_eq(file_write(task, file, &byte, 1, at, false), RP_OK);
	file_close(file);
}

/* Header, payload, zeroes to the end of the block of the first write and of a later one. */
IO_TASK_TEST(repair_logs, a_write_that_is_hit_is_named)
{
	static const struct {
		uint64_t hit;
		uint64_t named;
	} places[] = {{8192, 8192}, {8192 + 17, 8192}, {8192 + 70, 8192}, {12287, 12287},
	    {12288 + 59, 12288}, {12288 + 64, 12288}, {12288 + 4095, 12288 + 4095}};
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	cr_assert_eq(look(task, &said), 0, "%s", said.text);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char begin[64];

		snprintf(
		    begin, sizeof(begin), "0/1.log at %llu: ", (unsigned long long)places[i].named);
		flip_log(task, places[i].hit);
		cr_assert_eq(look(task, &said), 1, "%s", said.text);
		cr_assert(
		    strncmp(said.text, begin, strlen(begin)) == 0, "%s, not %s", said.text, begin);
		flip_log(task, places[i].hit);
	}
	cr_assert_eq(look(task, &said), 0, "%s", said.text);
}

/* A header as a commit log of this size would write it. */
static void write_header(struct task *task, const char *path, struct format_header header)
{
	struct file *file = open_it(task, FILE_ROOT_COMMIT, path);
	uint8_t *block = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);

	cr_assert_not_null(block);
	header.nonce = 3;
	header.extra[LOGFILE_EXTRA_STATE] = LOGFILE_FREE;
	header.extra[LOGFILE_EXTRA_BYTES] = LOG_BYTES;
	cr_assert_eq(logfile_write_header(task, file, &header, block), RP_OK);
	file_close(file);
	free(block);
}

/* In the second file: the newest of the shard. */
static void put_header(struct task *task, uint64_t files_there)
{
	struct format_header header = {.epoch = 1, .number = 2};

	header.extra[LOGFILE_EXTRA_USE] = 1000;
	header.extra[LOGFILE_EXTRA_FILES] = files_there;
	write_header(task, "0/2.log", header);
}

IO_TASK_TEST(repair_logs, a_file_that_the_newest_header_tells_of_is_missed)
{
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	put_header(task, 3);
	cr_assert_eq(look(task, &said), 0, "%s", said.text);
	cr_assert_eq(file_remove(task, FILE_ROOT_COMMIT, "0/1.log"), RP_OK);
	cr_assert_eq(look(task, &said), 1, "%s", said.text);
	cr_assert_not_null(strstr(said.text, "0/1.log is gone"), "%s", said.text);
	put_header(task, 0);
	cr_assert_eq(look(task, &said), 0, "%s", said.text);
}

static void put_zeroes(struct task *task, const char *path, uint64_t at, size_t n)
{
	static const uint8_t zeroes[LOGFILE_FIRST_OFFSET];
	struct file *file = open_it(task, FILE_ROOT_COMMIT, path);

	cr_assert_eq(file_write(task, file, zeroes, n, at, false), RP_OK);
	file_close(file);
}

static void cut_log(struct task *task, const char *path, uint64_t at)
{
	struct file *file = open_it(task, FILE_ROOT_COMMIT, path);

	cr_assert_eq(file_truncate(task, file, at), RP_OK);
	file_close(file);
}

static void assert_header_lost(struct task *task)
{
	static const char lost[] = "0/1.log at 0: both copies of the header are lost: records that were in no other place are lost";
	struct said said;

	cr_assert_eq(look(task, &said), 1, "%s", said.text);
	cr_assert(strncmp(said.text, lost, strlen(lost)) == 0, "%s", said.text);
}

/* The only copy of mail may have been in it: as a file of which nothing is left. */
IO_TASK_TEST(repair_logs, a_log_that_has_lost_both_headers_is_named)
{
	static const uint64_t sizes[] = {LOGFILE_BLOCK_BYTES, 127, 0};
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	put_header(task, 3);
	cr_assert_eq(look(task, &said), 0, "%s", said.text);
	flip_log(task, 5);
	flip_log(task, LOGFILE_BLOCK_BYTES + 5);
	assert_header_lost(task);
	put_zeroes(task, "0/1.log", 0, FORMAT_HEADER_BYTES);
	put_zeroes(task, "0/1.log", LOGFILE_BLOCK_BYTES, FORMAT_HEADER_BYTES);
	assert_header_lost(task);
	put_zeroes(task, "0/1.log", 0, LOGFILE_FIRST_OFFSET);
	put_zeroes(task, "0/1.log", LOGFILE_FIRST_OFFSET, LOGFILE_BLOCK_BYTES);
	assert_header_lost(task);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cut_log(task, "0/1.log", sizes[i]);
		assert_header_lost(task);
	}
	put_header(task, 2); /* no header tells of it: it was being made */
	cr_assert_eq(look(task, &said), 0, "%s", said.text);
	cr_assert_not_null(strstr(said.text, "0/1.log at 0: "), "%s", said.text);
}

static void put_foreign_header(struct task *task, unsigned shard, uint64_t number, uint64_t epoch)
{
	struct format_header header = {.epoch = epoch, .number = number};

	header.extra[LOGFILE_EXTRA_SHARD] = shard;
	header.extra[LOGFILE_EXTRA_USE] = 2000;
	write_header(task, "0/1.log", header);
}

/* Mail that was in the file whose name it has is lost; what its header tells counts for nothing. */
IO_TASK_TEST(repair_logs, a_log_that_is_another_is_named)
{
	static const char another[] = "0/1.log at 0: its header is another log's, or of a later time: records that";
	static const struct {
		unsigned shard;
		uint64_t number;
		uint64_t epoch;
	} foreign[] = {{1, 1, 1}, {0, 2, 1}, {0, 1, 2}};
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	put_header(task, 67); /* tells of a seventh, which is not there */
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		put_foreign_header(task, foreign[i].shard, foreign[i].number, foreign[i].epoch);
		cr_assert_eq(look(task, &said), 2, "%s", said.text);
		cr_assert(strncmp(said.text, another, strlen(another)) == 0, "%s", said.text);
		cr_assert_not_null(strstr(said.text, "0/7.log is gone"), "%s", said.text);
	}
	put_header(task, 0); /* an end in order: nothing was in it */
	cr_assert_eq(look(task, &said), 1, "%s", said.text);
	cr_assert_not_null(strstr(said.text, "the next start writes it anew"), "%s", said.text);
}

/* A power cut comes between the two copies of a new file's header; where something was written it is damage. */
IO_TASK_TEST(repair_logs, a_file_that_was_just_made_is_sound)
{
	static const uint8_t zeroes[LOGFILE_BLOCK_BYTES];
	static const char *const path[] = {"0/2.log", "0/1.log"};
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	for (unsigned i = 0; i < 2; i++) {
		struct file *file = open_it(task, FILE_ROOT_COMMIT, path[i]);

		cr_assert_eq(
		    file_write(task, file, zeroes, sizeof(zeroes), LOGFILE_BLOCK_BYTES, false),
		    RP_OK);
		file_close(file);
		cr_assert_eq(look(task, &said), i, "%s", said.text);
		cr_assert_not_null(strstr(said.text, "0/2.log at 4096: "), "%s", said.text);
	}
	cr_assert_not_null(strstr(said.text, "0/1.log at 4096: "), "%s", said.text);
}

IO_TASK_TEST(repair_logs, records_that_are_in_their_places_too_are_no_obstacle)
{
	struct repair_report report;
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_eq(said.n, 0, "%s", said.text);
	cr_assert_eq(report.messages, BODIES + 1);
}

static void assert_sound(struct task *task, const char *begins)
{
	struct repair_report report;
	struct said said;

	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert(strncmp(said.text, begins, strlen(begins)) == 0, "%s", said.text);
	cr_assert_eq(report.messages, BODIES + 1);
}

/* Its message counts, as the next start puts it in its place. Of the write that had it in the journal anything may be there. */
IO_TASK_TEST(repair_logs, a_record_in_the_log_alone_is_sound)
{
	struct file *file;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	for (uint64_t more = 0; more < 120; more += 24) {
		file = open_it(task, FILE_ROOT_DATA, path_in_volume("1-.journal"));
		cr_assert_eq(file_truncate(task, file, before - JOURNAL_MARK_BYTES + more), RP_OK);
		file_close(file);
		assert_sound(task, "1 records, from ");
		cr_assert_eq(size_of(task, "1-.journal"), before - JOURNAL_MARK_BYTES + more);
	}
	file = open_it(task, FILE_ROOT_DATA, path_in_volume("1-.journal"));
	cr_assert_eq(file_truncate(task, file, before), RP_OK);
	cr_assert_eq(file_write(task, file, journal_before, before, 0, false), RP_OK);
	file_close(file);
	assert_sound(task, "1 records, from ");
}

IO_TASK_TEST(repair_logs, who_has_no_journal_yet_is_sound)
{
	struct repair_report report;
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path_in_volume("1-.journal")), RP_OK);
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_not_null(strstr(said.text, "from 1 on"), "%s", said.text);
}

/* What a power cut has torn the next start writes anew. */
IO_TASK_TEST(repair_logs, what_the_log_mends_is_no_damage)
{
	uint64_t before;
	uint64_t end;

	(void)arg;
	crash(task, &before);
	end = size_of(task, "1-.journal");
	flip(task, "1-.journal", before + 100);
	assert_sound(task, "1 records, from ");
	flip(task, "1-.journal", before + 100);
	flip(task, "1-.journal", end - 1);
	assert_sound(task, "");
	flip(task, "1-.journal", 50);
	assert_sound(task, "");
	flip(task, "1-.journal", FORMAT_SECTOR_BYTES + 50);
	assert_sound(task, "7 records, from 1 on");
	flip(task, "1.dbox", size_of(task, "1.dbox") - 40);
	assert_sound(task, "7 records, from 1 on");
	flip(task, "1.dbox", 50);
	assert_sound(task, "7 records, from 1 on");
}

static void flip_in_box(struct task *task, const char *name, const char *text)
{
	static uint8_t p[64 * 1024];
	struct file *file = open_it(task, FILE_ROOT_DATA, path_in_volume(name));
	uint8_t *found;
	size_t got;

	cr_assert_eq(file_read(task, file, p, sizeof(p), 0, &got), RP_OK);
	file_close(file);
	found = memmem(p, got, text, strlen(text));
	cr_assert_not_null(found);
	flip(task, name, (uint64_t)(found - p));
}

/* Of a body too that nobody has, of a beginning that is gone: nothing is said of what the next start writes. */
IO_TASK_TEST(repair_logs, what_the_log_mends_is_not_told)
{
	struct repair_report report;
	struct said said;
	struct file *file;
	uint64_t before;

	(void)arg;
	crash_with(task, "the last", true, &before);
	flip_in_box(task, "1.dbox", "a body that is in the log");
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_eq(report.messages, BODIES);
	cr_assert_eq(said.n, 0, "%s", said.text);
	file = open_it(task, FILE_ROOT_DATA, path_in_volume("1.dbox"));
	cr_assert_eq(file_truncate(task, file, 0), RP_OK);
	file_close(file);
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_eq(said.n, 0, "%s", said.text);
}

/* A power cut may leave a file that was just begun without its names. They are in no log. */
IO_TASK_TEST(repair_logs, names_that_the_next_start_gives_up_are_told_and_no_damage)
{
	struct repair_report report;
	struct said said;
	uint64_t before;

	(void)arg;
	crash(task, &before);
	flip(task, "1.dbox", FORMAT_AREA_BYTES + 1);
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_not_null(strstr(said.text, "1.dbox at 1024: "), "%s", said.text);
	cr_assert_not_null(strstr(said.text, "the next start does without"), "%s", said.text);
}

/* The bytes behind the names, up to the first record. */
IO_TASK_TEST(repair_logs, zeroes_behind_the_names_that_the_next_start_writes_are_not_told)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct repair_report report;
	struct format_header header;
	struct said said;
	struct file *file;
	uint64_t before;
	uint64_t end;
	size_t got;

	(void)arg;
	crash(task, &before);
	file = open_it(task, FILE_ROOT_DATA, path_in_volume("1.dbox"));
	cr_assert_eq(file_read(task, file, area, sizeof(area), 0, &got), RP_OK);
	file_close(file);
	cr_assert_eq(format_check_area(bytes_of(area, got), FORMAT_DBOX, DBOX_VERSION, &header), RP_OK);
	end = FORMAT_AREA_BYTES + header.extra[DBOX_EXTRA_NAMES_BYTES];
	cr_assert_neq(end % DBOX_RECORD_ALIGN, 0);
	flip(task, "1.dbox", end);
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_null(strstr(said.text, "dbox"), "%s", said.text);
}

/* It is in its file before its record is, and in no log. */
IO_TASK_TEST(repair_logs, a_large_body_of_which_a_log_alone_tells_is_missed)
{
	enum { LARGE_BYTES = 100 * 1024 };
	static const char begins[] = "it begins so";
	char *large = malloc(LARGE_BYTES);
	struct repair_report report;
	struct said said;
	struct file *file;
	uint64_t before;

	(void)arg;
	cr_assert_not_null(large);
	memset(large, 'x', LARGE_BYTES - 1);
	memcpy(large, begins, sizeof(begins) - 1);
	large[LARGE_BYTES - 1] = '\0';
	crash_with(task, large, false, &before);
	free(large);
	file = open_it(task, FILE_ROOT_DATA, path_in_volume("1-.journal"));
	cr_assert_eq(file_truncate(task, file, before), RP_OK);
	file_close(file);
	assert_sound(task, "1 records, from ");
	flip_in_box(task, "2.dbox", begins);
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_eq(report.messages_bodiless, 1);
	cr_assert_not_null(strstr(said.text, "UID 6, 2.dbox at "), "%s", said.text);
	cr_assert_not_null(strstr(said.text, ": its body is damaged"), "%s", said.text);
}

/* Where nothing will be written. */
IO_TASK_TEST(repair_logs, other_damage_is_damage)
{
	static const uint8_t more[100] = {0x55};
	struct repair_report report;
	struct said said;
	struct file *file;
	uint64_t before;
	char line[64];
	uint64_t end;

	(void)arg;
	crash(task, &before);
	end = size_of(task, "1-.journal");
	file = open_it(task, FILE_ROOT_DATA, path_in_volume("1-.journal"));
	cr_assert_eq(file_write(task, file, more, sizeof(more), end, false), RP_OK);
	file_close(file);
	cr_assert_eq(check(task, &said, &report), RP_OK, "%s", said.text);
	cr_assert_eq(report.records_missing, 1);
	snprintf(line, sizeof(line), "1-.journal at %llu, ",
	    (unsigned long long)end - JOURNAL_MARK_BYTES);
	cr_assert_not_null(strstr(said.text, line), "%s", said.text);
}
