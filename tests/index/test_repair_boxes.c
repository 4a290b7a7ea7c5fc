/* What is spoilt in a dbox file: check names it by file and offset, repair mends all that is not a body, and no message changes. */
#include <stdio.h>
#include <string.h>

#include "index/format.h"
#include "index/mailbox.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/volume_state.h"
#include "io/base/runs.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/index/said.h"
#include "tests/io/io_fixture.h"

enum { KEEP_S = 14 * 24 * 3600 };

static bool says(const struct said *said, const char *what)
{
	return strstr(said->text, what) != NULL;
}

static struct file *open_box(struct task *task, uint64_t *bytes)
{
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	userid_path(&made_user, path);
	strcat(path, "/1.dbox");
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, bytes), RP_OK);
	return file;
}

/* n bytes from `at` on, if at is not negative, else from the end. */
static void flip(struct task *task, int64_t at, size_t n)
{
	uint64_t bytes;
	struct file *file = open_box(task, &bytes);
	uint64_t from = at >= 0 ? (uint64_t)at : bytes - (uint64_t)-at;
	uint8_t byte;
	size_t got;

	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(file_read(task, file, &byte, 1, from + i, &got), RP_OK);
		byte ^= 0x20;
		cr_assert_eq(file_write(task, file, &byte, 1, from + i, false), RP_OK);
	}
	file_close(file);
}

static struct store *open_keeping(struct task *task, uint64_t epoch, uint64_t keep_s)
{
	struct store_settings settings = small_store();

	settings.keep_expunged_s = keep_s;
	return open_recovered(task, &settings, epoch);
}

static struct repair_report check(struct task *task, uint64_t epoch, struct said *said)
{
	struct repair_report report;
	struct store *store = open_keeping(task, epoch, KEEP_S);

	*said = (struct said){.n = 0};
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, said, &report), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
	return report;
}

static void repair(struct task *task, uint64_t epoch, struct repair_report *report)
{
	struct said said = {.n = 0};
	struct store *store = open_keeping(task, epoch, KEEP_S);

	cr_assert_eq(repair_rebuild(task, store, &made_user, said_keep, &said, report), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static uint64_t digest_of(struct task *task, uint64_t epoch)
{
	struct store *store = open_keeping(task, epoch, KEEP_S);
	struct volume *volume;
	uint64_t digest;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	return digest;
}

/* Found and named; mended; and nothing has changed for a client. In four epochs, this one and those behind it. */
static void assert_mended(struct task *task, uint64_t epoch, uint64_t digest, const char *line)
{
	struct said said;
	struct repair_report report = check(task, epoch, &said);

	cr_assert_eq(report.boxes_spoilt, 1);
	cr_assert(repair_found_damage(&report));
	cr_assert(says(&said, line));
	repair(task, epoch + 1, &report);
	cr_assert(!repair_found_damage(&report));
	report = check(task, epoch + 2, &said);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(digest_of(task, epoch + 3), digest);
}

IO_TASK_TEST(repair_boxes, a_copy_of_the_header_is_written_again)
{
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	flip(task, 70, 1);
	assert_mended(task, 2, digest, "1.dbox at 0: ");
	flip(task, FORMAT_SECTOR_BYTES + 200, 1); /* a zero behind it */
	assert_mended(task, 6, digest, "1.dbox at 512: ");
}

IO_TASK_TEST(repair_boxes, a_file_without_a_header_gets_one)
{
	struct repair_report report;
	struct said said;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	flip(task, 0, 1);
	flip(task, FORMAT_SECTOR_BYTES, 1);
	report = check(task, 2, &said);
	cr_assert(repair_found_damage(&report));
	cr_assert(says(&said, "1.dbox at 0: "));
	cr_assert_eq(report.messages_bodiless, 0);
	repair(task, 3, &report);
	report = check(task, 4, &said);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(digest_of(task, 5), digest);
}

/* It is told as long as it lies there; what it has cost a repair has settled, and its number is not given again. */
IO_TASK_TEST(repair_boxes, a_file_of_which_nothing_can_be_read_is_no_damage_behind_a_repair)
{
	static const char line[] =
	    "1.dbox at 0: its header is lost, and no body in it can be read: it stays as it is\n";
	struct repair_report report;
	struct volume *volume;
	struct store *store;
	struct file *file;
	struct said said;
	uint64_t digest;
	uint64_t bytes;

	(void)arg;
	made_mail(task, &digest);
	file = open_box(task, &bytes);
	file_close(file);
	flip(task, 0, (size_t)bytes);
	report = check(task, 2, &said);
	cr_assert_eq(report.messages_bodiless, 41);
	cr_assert(says(&said, line), "%s", said.text);
	repair(task, 3, &report);
	cr_assert_eq(report.messages_taken_out, 41);
	store = open_keeping(task, 4, KEEP_S);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 0);
	made_append(task, volume, "INBOX", 0, "new");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	report = check(task, 5, &said);
	cr_assert(!repair_found_damage(&report), "%s", said.text);
	cr_assert_str_eq(said.text, line);
}

/* Who has lost his journals has all the more need to know which of his bodies are hit. */
IO_TASK_TEST(repair_boxes, damage_is_named_also_where_the_journals_are_gone)
{
	static const char gone[] = "the journals are gone, with 1-.journal\n";
	struct repair_report report;
	struct said said;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	made_harm(task, MADE_JOURNAL, true);
	for (unsigned run = 0; run < 2; run++) {
		report = check(task, 2 + run, &said);
		cr_assert(report.journals_gone);
		cr_assert(says(&said, gone));
		cr_assert_null(strstr(strstr(said.text, gone) + 1, gone), "%s", said.text);
		cr_assert_eq(report.boxes_spoilt, run);
		cr_assert_eq(says(&said, "1.dbox at 0: "), run != 0, "%s", said.text);
		cr_assert_eq(says(&said, "a body that no message has is damaged"), run != 0, "%s",
		    said.text);
		if (run == 0) {
			flip(task, 70, 1);
			flip(task, -16, 1);
		}
	}
	repair(task, 4, &report);
	cr_assert(!report.journals_gone);
	report = check(task, 5, &said);
	cr_assert(!repair_found_damage(&report), "%s", said.text);
}

IO_TASK_TEST(repair_boxes, names_that_are_damaged_are_done_without)
{
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	flip(task, FORMAT_AREA_BYTES + 3, 1);
	assert_mended(task, 2, digest, "1.dbox at 1024: ");
}

IO_TASK_TEST(repair_boxes, zeroes_behind_a_record_are_zeroes_again)
{
	char line[64];
	uint64_t digest;
	uint64_t bytes;

	(void)arg;
	made_mail(task, &digest);
	file_close(open_box(task, &bytes));
	snprintf(line, sizeof(line), "1.dbox at %llu: ", (unsigned long long)(bytes - 8));
	flip(task, -3, 1);
	assert_mended(task, 2, digest, line);
}

/* An upload that was broken off leaves such. */
IO_TASK_TEST(repair_boxes, bytes_that_are_no_record_are_said_and_are_no_damage)
{
	uint8_t more[96];
	struct repair_report report;
	struct said said;
	uint64_t digest;
	uint64_t bytes;
	struct file *file;

	(void)arg;
	made_mail(task, &digest);
	memset(more, 0x55, sizeof(more));
	file = open_box(task, &bytes);
	cr_assert_eq(file_write(task, file, more, sizeof(more), bytes, false), RP_OK);
	file_close(file);
	report = check(task, 2, &said);
	cr_assert(!repair_found_damage(&report));
	cr_assert(says(&said, "1.dbox at "));
	cr_assert(says(&said, "are no record of a body"));
	cr_assert_eq(digest_of(task, 3), digest);
}

/* UID 21 of INBOX, the last in the file, with this keep: 0, its record tells no time. */
static void expunge_last(struct task *task, uint64_t keep_s)
{
	struct store *store = open_keeping(task, 2, keep_s);
	struct mailbox *mailbox;
	struct volume *volume;
	struct runs uids = RUNS_EMPTY;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(runs_add(&uids, 21, 21), RP_OK);
	cr_assert_eq(
	    mailbox_store(task, mailbox, &uids,
	        &(struct mail_store){.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED}, NULL, NULL),
	    RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, &uids, NULL), RP_OK);
	runs_fini(&uids);
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair_boxes, a_damaged_body_that_nobody_has_is_no_damage)
{
	struct repair_report report;
	struct said said;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	expunge_last(task, 0);
	flip(task, -16, 1);
	report = check(task, 3, &said);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(report.bodies_dead, 1);
	cr_assert(says(&said, "a body that no message has is damaged"));
	cr_assert(!says(&said, "UID 21"));
}

/* By a record, so that it is asked for no more. */
IO_TASK_TEST(repair_boxes, what_is_kept_with_a_damaged_body_is_named_and_kept_no_more)
{
	struct repair_report report;
	struct said said;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	expunge_last(task, KEEP_S);
	digest = digest_of(task, 3);
	flip(task, -16, 1);
	report = check(task, 4, &said);
	cr_assert(repair_found_damage(&report));
	cr_assert_eq(report.kept_bodiless, 1);
	cr_assert_eq(report.bodies_dead, 0);
	cr_assert(says(&said, "mailbox 1 (INBOX), UID 21, 1.dbox at "));
	repair(task, 5, &report);
	cr_assert_eq(report.messages_taken_out, 1);
	report = check(task, 6, &said);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(report.kept_bodiless, 0);
	cr_assert_eq(digest_of(task, 7), digest);
}

/* Who is told "expunged" waits for an EXPUNGE; of a message that is there, and whose file somebody has removed, none comes. */
IO_TASK_TEST(repair_boxes, a_file_that_is_gone_expunges_nothing)
{
	struct runs uids = RUNS_EMPTY;
	struct mailbox *mailbox;
	struct dbox_body *body;
	struct volume *volume;
	struct store *store;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	made_harm(task, MADE_BODIES, true);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(mailbox_body_open(task, mailbox, 3, &body), RP_ERR_CORRUPT);
	cr_assert_eq(runs_add(&uids, 3, 3), RP_OK);
	cr_assert_eq(mailbox_take_out(task, mailbox, &uids), RP_OK);
	cr_assert_eq(mailbox_body_open(task, mailbox, 3, &body), RP_ERR_EXPUNGED);
	runs_fini(&uids);
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
