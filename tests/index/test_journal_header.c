/* Both copies of a journal's header go while it is open: who has it open knows the header still, serves what lies in the file, says what is
 * damaged, and writes the header again before he lets go of it. */
#include <string.h>

#include "index/checkpoint.h"
#include "index/journal_core.h"
#include "index/journal_look.h"
#include "index/mailbox_state.h"
#include "index/merge.h"
#include "index/repair/repair.h"
#include "tests/index/kept_mail.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/index/said.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

enum { MANY = 40, SMALL_JOURNAL_BYTES = 4096 };

static struct said said;

static struct store *open_small(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.journal_file_bytes = SMALL_JOURNAL_BYTES;
	return open_recovered(task, &settings, epoch);
}

static void append(struct task *task, struct volume *volume, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		made_append(task, volume, "INBOX", 0, "one message");
	cr_assert_eq(volume_settle(task, volume), RP_OK);
}

static struct file *open_file(struct task *task, struct volume *volume, size_t at)
{
	char path[JOURNAL_CORE_PATH_BYTES];
	struct file *file;

	journal_core_path_of(volume->journal, &volume->journal->files[at], path);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	return file;
}

/* Its at-th file loses its header; area: what that was. */
static void lose_header(
    struct task *task, struct volume *volume, size_t at, uint8_t area[FORMAT_AREA_BYTES])
{
	static const uint8_t zeroes[FORMAT_AREA_BYTES];
	struct file *file = open_file(task, volume, at);
	size_t got;

	cr_assert_eq(file_read(task, file, area, FORMAT_AREA_BYTES, 0, &got), RP_OK);
	cr_assert_eq(got, FORMAT_AREA_BYTES);
	cr_assert_eq(file_write(task, file, zeroes, sizeof(zeroes), 0, false), RP_OK);
	file_close(file);
}

static void assert_header(
    struct task *task, struct volume *volume, size_t at, const uint8_t area[FORMAT_AREA_BYTES])
{
	uint8_t now[FORMAT_AREA_BYTES];
	struct file *file = open_file(task, volume, at);
	size_t got;

	cr_assert_eq(file_read(task, file, now, sizeof(now), 0, &got), RP_OK);
	cr_assert_eq(memcmp(now, area, sizeof(now)), 0);
	file_close(file);
}

static void assert_shows(struct task *task, struct volume *volume, uint32_t count)
{
	struct mailbox *inbox = kept_open_box(task, volume, "INBOX");
	struct view *view;

	cr_assert_eq(view_open(task, inbox, NULL, &view), RP_OK);
	cr_assert_eq(view_exists(view), count, "%u, not %u", view_exists(view), count);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, count);
	view_close(view);
	mailbox_close(inbox);
}

static void check(struct task *task, struct store *store, bool damaged)
{
	struct repair_report report;

	said = (struct said){0};
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_eq(repair_found_damage(&report), damaged, "%s", said.text);
	cr_assert_eq(report.records_missing, 0);
}

/* Nothing that is there was raised or left out. */
static void assert_sound(struct task *task, struct store *store, const struct shown *shown)
{
	struct volume *volume = shown_open_made(task, store);
	struct shown now = shown_of(volume, "INBOX");

	cr_assert_eq(memcmp(&now, shown, sizeof(now)), 0);
	check(task, store, false);
	volume_close(volume);
}

/* Of the one file that there is. A mailbox that nobody has open is read from it, and mail comes. */
IO_TASK_TEST(journal_header, of_the_file_in_use_is_written_again_when_the_volume_is_closed)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume = shown_open_made(task, store);
	uint8_t area[FORMAT_AREA_BYTES];
	struct shown shown;

	(void)arg;
	append(task, volume, 3);
	lose_header(task, volume, 0, area);
	assert_shows(task, volume, 3);
	append(task, volume, 3);
	check(task, store, true);
	cr_assert_not_null(strstr(said.text, "1-.journal at 0, 1024 bytes"), "%s", said.text);
	shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	volume = shown_open_made(task, store);
	assert_header(task, volume, 0, area);
	assert_shows(task, volume, 6);
	volume_close(volume);
	assert_sound(task, store, &shown);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(journal_header, is_written_again_when_the_server_ends)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume = shown_open_made(task, store);
	uint8_t area[FORMAT_AREA_BYTES];
	struct shown shown;

	(void)arg;
	append(task, volume, 3);
	lose_header(task, volume, 0, area);
	shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, 2);
	volume = shown_open_made(task, store);
	assert_shows(task, volume, 3);
	volume_close(volume);
	assert_sound(task, store, &shown);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* When the next file is made nothing goes to it any more. */
IO_TASK_TEST(journal_header, is_written_again_when_the_file_is_sealed)
{
	struct store *store = open_small(task, 1);
	struct volume *volume = shown_open_made(task, store);
	uint8_t area[FORMAT_AREA_BYTES];

	(void)arg;
	append(task, volume, 3);
	lose_header(task, volume, 0, area);
	append(task, volume, MANY);
	cr_assert_gt(volume->journal->files_count, 2);
	assert_header(task, volume, 0, area);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A sealed one, that was read when the volume was opened: a merge reads it once more. */
IO_TASK_TEST(journal_header, of_a_file_that_is_merged_is_not_missed)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	uint8_t area[FORMAT_AREA_BYTES];
	uint64_t digest;

	(void)arg;
	kept_fill(task, volume, "INBOX", 0);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	cr_assert_gt(volume->journal->files_count, 2);
	lose_header(task, volume, 0, area);
	kept_merge(task, volume);
	cr_assert(volume->journal->files[0].merged);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	digest = model_digest(task, volume);
	check(task, store, false);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm(task, MADE_INDEX, true);
	made_harm(task, MADE_CATALOG, true);
	store = kept_open_store(task, 2, KEPT_S);
	volume = kept_open_user(task, store);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Who has put another file there, as a backup is put back, has meant it. */
IO_TASK_TEST(journal_header, of_another_file_is_left_as_it_is)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume = shown_open_made(task, store);
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	struct file *file;

	(void)arg;
	append(task, volume, 3);
	lose_header(task, volume, 0, area);
	memcpy(&header, area, sizeof(header));
	header.nonce ^= 1;
	format_sign(&header, FORMAT_JOURNAL, JOURNAL_VERSION);
	format_put_area(&header, area);
	file = open_file(task, volume, 0);
	cr_assert_eq(file_write(task, file, area, sizeof(area), 0, false), RP_OK);
	file_close(file);
	cr_assert_eq(journal_keep_headers(task, volume->journal), RP_OK);
	assert_header(task, volume, 0, area);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
