/* What was expunged comes back, byte for byte: after merges, after its file of bodies was emptied, after a restart; once; and not
 * when its time is over. */
#include "index/undelete.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/journal_core.h"
#include "index/keep.h"
#include "index/mailbox_state.h"
#include "index/merge.h"
#include "index/repair.h"
#include "index/volume_files.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { KEEP_S = 3600, MESSAGES = 120, TEXT_BYTES = 3000, CUTS = 40 };

/* rows_max: 0: as many as there may be. */
static struct store *open_bounded(
    struct task *task, uint64_t epoch, uint64_t keep_s, size_t rows_max)
{
	struct store_settings settings = small_store();

	settings.kept_rows_max = rows_max;
	settings.journal_file_bytes = 8 * 1024;
	settings.dbox_file_bytes = 32 * 1024;
	settings.keep_expunged_s = keep_s;
	settings.keep_trust_s = 1;
	return open_recovered(task, &settings, epoch);
}

static struct store *open_store(struct task *task, uint64_t epoch, uint64_t keep_s)
{
	return open_bounded(task, epoch, keep_s, 0);
}

static void text_of(unsigned i, char text[TEXT_BYTES + 1])
{
	int n = snprintf(text, TEXT_BYTES, "Subject: number %u\r\n\r\n", i);

	memset(text + n, 'a' + (int)(i % 26), TEXT_BYTES - (size_t)n);
	text[TEXT_BYTES] = 0;
}

static void wait_for(struct task *task, const bool *busy)
{
	while (*busy)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
}

/* All that runs by itself now and then. */
static void clear_up(struct task *task, struct volume *volume)
{
	enum rp_err err;

	wait_for(task, &volume->compact_runs);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
	wait_for(task, &volume->merging);
	cr_assert_eq(merge_now(task, volume), RP_OK);
	wait_for(task, &volume->compact_runs);
}

static struct volume *open_user(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	return volume;
}

static struct mailbox *open_box(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	return mailbox;
}

/* As STORE does it. */
static void flag(struct task *task, struct mailbox *mailbox, uint32_t first, uint32_t last,
    uint32_t flags, const char *keyword)
{
	struct bytes word = bytes_of_str(keyword != NULL ? keyword : "");
	struct mail_store store = {.mode = MAIL_STORE_ADD,
	    .flags = flags,
	    .keywords = &word,
	    .keywords_count = keyword != NULL};
	struct runs uids = RUNS_EMPTY;

	cr_assert_eq(runs_add(&uids, first, last), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
	runs_fini(&uids);
}

static void expunge(
    struct task *task, struct volume *volume, const char *name, uint32_t first, uint32_t last)
{
	struct mailbox *mailbox = open_box(task, volume, name);

	flag(task, mailbox, first, last, MAIL_DELETED, NULL);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
}

/* Expunged while nothing is kept. */
static void drop(
    struct task *task, struct volume *volume, const char *name, uint32_t first, uint32_t last)
{
	store_set_keep(volume_store(volume), 0);
	expunge(task, volume, name, first, last);
	store_set_keep(volume_store(volume), KEEP_S);
}

/* Many changes of which none counts in the end: a merge is worth while. */
static void churn(struct task *task, struct mailbox *mailbox)
{
	struct mail_store store = {.flags = MAIL_ANSWERED};
	struct runs uids = RUNS_EMPTY;

	cr_assert_eq(runs_add(&uids, 1, MESSAGES), RP_OK);
	for (unsigned i = 0; i < 800; i++) {
		store.mode = i % 2 == 0 ? MAIL_STORE_ADD : MAIL_STORE_REMOVE;
		cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
	}
	runs_fini(&uids);
}

static void fill(struct task *task, struct volume *volume, const char *name, unsigned from)
{
	char text[TEXT_BYTES + 1];

	for (unsigned i = 0; i < MESSAGES; i++) {
		text_of(from + i, text);
		made_append(task, volume, name, i % 2 == 0 ? MAIL_SEEN : 0, text);
	}
}

/* The first merge, of what happens in another mailbox: all that is sealed is worth it after some rounds. */
static void merge_by_churn(struct task *task, struct volume *volume)
{
	struct mailbox *other;

	fill(task, volume, "Sent", 2000);
	other = open_box(task, volume, "Sent");
	for (unsigned round = 0; volume_store(volume)->merges_done == 0; round++) {
		cr_assert_lt(round, 20, "nothing is merged");
		churn(task, other);
		clear_up(task, volume);
	}
	mailbox_close(other);
}

/* Between these messages others, which nobody keeps: their files are worth emptying. */
static void fill_among_junk(
    struct task *task, struct volume *volume, const char *name, unsigned from)
{
	char text[TEXT_BYTES + 1];

	for (unsigned i = 0; i < MESSAGES; i++) {
		text_of(from + i, text);
		made_append(task, volume, name, i % 2 == 0 ? MAIL_SEEN : 0, text);
		made_append(task, volume, "Junk", 0, text);
		made_append(task, volume, "Junk", 0, text);
	}
	drop(task, volume, "Junk", 1, UINT32_MAX);
}

static size_t offered(struct task *task, struct volume *volume, const char *name)
{
	struct undelete_filter filter = {.mailbox = bytes_of_str(name)};
	struct undelete *undelete;
	size_t n;

	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	n = undelete_count(undelete);
	undelete_end(task, undelete);
	return n;
}

static size_t bring_back(struct task *task, struct volume *volume, const char *name, const char *to)
{
	struct undelete_filter filter = {.mailbox = bytes_of_str(name)};
	struct undelete *undelete;
	size_t back = 0;
	size_t lost = 0;

	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	cr_assert_eq(undelete_all(task, undelete, bytes_of_str(to), &back, &lost), RP_OK);
	undelete_end(task, undelete);
	cr_assert_eq(lost, 0);
	return back;
}

static void body_is(struct task *task, struct mailbox *mailbox, uint32_t uid, unsigned number)
{
	char expected[TEXT_BYTES + 1];
	char got[TEXT_BYTES + 1];
	struct dbox_body *body;
	size_t n = 0;

	text_of(number, expected);
	cr_assert_eq(mailbox_body_open(task, mailbox, uid, &body), RP_OK);
	cr_assert_eq(dbox_body_read(task, body, 0, got, sizeof(got), &n), RP_OK);
	dbox_body_close(body);
	cr_assert_eq(n, TEXT_BYTES);
	cr_assert_arr_eq(got, expected, TEXT_BYTES);
}

/* So many messages from this UID on are those from this number on. */
static void bodies_are(struct task *task, struct volume *volume, const char *name, uint32_t uid,
    unsigned count, unsigned number)
{
	struct mailbox *mailbox = open_box(task, volume, name);

	for (unsigned i = 0; i < count; i++)
		body_is(task, mailbox, uid + i, number + i);
	mailbox_close(mailbox);
}

static struct message message_of(struct task *task, struct mailbox *mailbox, uint32_t uid)
{
	struct view_cursor cursor;
	struct runs uids = RUNS_EMPTY;
	struct message message = {0};
	struct view *view;

	cr_assert_eq(view_open(task, mailbox, NULL, &view), RP_OK);
	view_cursor_init(&cursor, view, NULL);
	while (view_cursor_next(task, &cursor) == RP_OK)
		if (cursor.message.uid == uid)
			message = cursor.message;
	view_close(view);
	runs_fini(&uids);
	cr_assert_eq(message.uid, uid);
	return message;
}

IO_TASK_TEST(undelete, brings_back_what_was_expunged_moved_by_nobody_and_deleted)
{
	struct store *store = open_store(task, 1, KEEP_S);
	struct volume *volume = open_user(task, store);
	struct mailbox *inbox = open_box(task, volume, "INBOX");
	struct mailbox *trash;
	struct message was;
	struct message is;
	struct runs uids = RUNS_EMPTY;
	struct runs moved = RUNS_EMPTY;
	uint32_t first_uid;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	fill_among_junk(task, volume, "INBOX", 0);
	fill_among_junk(task, volume, "Old", 1000);
	churn(task, inbox);
	flag(task, inbox, 3, 4, MAIL_FLAGGED, "$word");
	was = message_of(task, inbox, 3);
	trash = open_box(task, volume, "Trash");
	cr_assert_eq(runs_add(&uids, 1, 2), RP_OK);
	cr_assert_eq(mailbox_move(task, inbox, &uids, trash, &moved, &first_uid), RP_OK);
	expunge(task, volume, "INBOX", 3, MESSAGES - 2);
	expunge(task, volume, "Old", 1, 10);
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("Old"), BYTES_LIT("Older")), RP_OK);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("Older")), RP_OK);
	/* When journals are sealed, and a merge is worth while, is a matter of when they are settled too. */
	for (unsigned round = 0; round < 4 || (store->merges_done == 0 && round < 20); round++) {
		cr_assert_eq(offered(task, volume, "INBOX"), MESSAGES - 4);
		cr_assert_eq(offered(task, volume, "Older"), MESSAGES);
		cr_assert_eq(offered(task, volume, ""), 2 * MESSAGES - 4);
		cr_assert_eq(offered(task, volume, "Trash"), 0);
		churn(task, inbox); /* so that all before lies in sealed journals */
		clear_up(task, volume);
	}
	cr_assert_gt(store->merges_done, 0);
	cr_assert_gt(store->compacts_done, 0);
	mailbox_close(trash);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = open_store(task, 2, KEEP_S);
	volume = open_user(task, store);
	cr_assert_eq(bring_back(task, volume, "INBOX", ""), MESSAGES - 4);
	cr_assert_eq(bring_back(task, volume, "Older", ""), MESSAGES);
	cr_assert_eq(bring_back(task, volume, "", ""), 0, "a second time there is nothing");
	clear_up(task, volume);
	cr_assert_eq(bring_back(task, volume, "", ""), 0);
	inbox = open_box(task, volume, "INBOX");
	cr_assert_eq(mailbox_entry(inbox)->messages_count, MESSAGES - 2);
	is = message_of(task, inbox, MESSAGES + 1);
	cr_assert_eq(is.flags, was.flags);
	cr_assert_eq(is.emailid, was.emailid);
	cr_assert_eq(is.internaldate.seconds, was.internaldate.seconds);
	cr_assert_eq(mailbox_keywords_count(inbox), 1);
	mailbox_close(inbox);
	bodies_are(task, volume, "INBOX", MESSAGES + 1, MESSAGES - 4, 2);
	bodies_are(task, volume, "Older", 1, MESSAGES, 1000);
	expunge(task, volume, "Older", 5, 9);
	cr_assert_eq(offered(task, volume, "Older"), 5, "once more expunged, once more offered");
	cr_assert_eq(bring_back(task, volume, "Older", "New/Below"), 5);
	volume_close(volume);
	runs_fini(&uids);
	runs_fini(&moved);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A file is there to be emptied when the bodies in it have settled. */
static void compact_some(struct task *task, struct volume *volume)
{
	const struct store *store = volume_store(volume);

	for (unsigned i = 0; store->compacts_done == 0 && i < 40; i++) {
		wait_for(task, &volume->compact_runs);
		cr_assert_eq(compact_now(task, volume), RP_OK);
		cr_assert_eq(task_sleep(task, UINT64_C(100) * 1000 * 1000), RP_OK);
	}
	cr_assert_gt(store->compacts_done, 0);
}

/* The last that happened to a mailbox is that a kept body of it was moved: of a message that is not there. */
IO_TASK_TEST(undelete, does_not_hold_up_merges_by_what_was_moved)
{
	struct store *store = open_store(task, 1, KEEP_S);
	struct volume *volume = open_user(task, store);

	(void)arg;
	fill_among_junk(task, volume, "INBOX", 0);
	expunge(task, volume, "INBOX", 1, MESSAGES);
	compact_some(task, volume);
	merge_by_churn(task, volume);
	cr_assert_eq(bring_back(task, volume, "INBOX", ""), MESSAGES);
	bodies_are(task, volume, "INBOX", MESSAGES + 1, MESSAGES, 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void next_second(struct task *task)
{
	cr_assert_eq(task_sleep(task, UINT64_C(1100) * 1000 * 1000), RP_OK);
}

/* Merges and compaction go on; what is left comes back. */
IO_TASK_TEST(undelete, lets_the_oldest_go_where_there_are_too_many)
{
	enum { ROWS_MAX = 90, THIRD = MESSAGES / 3 };
	struct store *store = open_bounded(task, 1, KEEP_S, ROWS_MAX);
	struct volume *volume = open_user(task, store);
	struct store_stats stats;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	fill(task, volume, "INBOX", 0);
	fill(task, volume, "Old", 1000);
	expunge(task, volume, "INBOX", 1, THIRD);
	next_second(task);
	expunge(task, volume, "INBOX", THIRD + 1, 2 * THIRD);
	cr_assert_eq(offered(task, volume, ""), 2 * THIRD);
	store_stats(store, &stats);
	cr_assert_eq(stats.kept_over, 0);
	next_second(task);
	expunge(task, volume, "INBOX", 2 * THIRD + 1, MESSAGES);
	cr_assert_eq(offered(task, volume, ""), 2 * THIRD, "the first third has gone");
	next_second(task);
	drop(task, volume, "Old", 11, MESSAGES);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("Old")), RP_OK);
	cr_assert_eq(offered(task, volume, ""), 2 * THIRD + 10, "the bound itself");
	store_stats(store, &stats);
	cr_assert_eq(stats.kept_over, 1);
	merge_by_churn(task, volume);
	cr_assert_gt(store->compacts_done, 0);
	cr_assert_eq(offered(task, volume, ""), 2 * THIRD + 10);
	cr_assert_eq(bring_back(task, volume, "INBOX", ""), 2 * THIRD);
	cr_assert_eq(bring_back(task, volume, "Old", ""), 10);
	bodies_are(task, volume, "INBOX", MESSAGES + 1, 2 * THIRD, THIRD);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* What was brought back makes no room for what has been let go: its bodies may be gone by now. */
IO_TASK_TEST(undelete, does_not_offer_again_what_was_let_go)
{
	enum { ROWS_MAX = 90, THIRD = MESSAGES / 3 };
	struct store *store = open_bounded(task, 1, KEEP_S, ROWS_MAX);
	struct volume *volume = open_user(task, store);

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	fill(task, volume, "INBOX", 0);
	fill(task, volume, "Old", 1000);
	expunge(task, volume, "INBOX", 1, THIRD);
	next_second(task);
	expunge(task, volume, "INBOX", THIRD + 1, 2 * THIRD);
	next_second(task);
	expunge(task, volume, "Old", 1, THIRD);
	cr_assert_eq(offered(task, volume, ""), 2 * THIRD, "the first third has gone");
	wait_for(task, &volume->compact_runs);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, 0, "with its bodies");
	cr_assert_eq(bring_back(task, volume, "Old", ""), THIRD);
	cr_assert_eq(offered(task, volume, ""), THIRD);
	clear_up(task, volume);
	cr_assert_eq(offered(task, volume, ""), THIRD);
	cr_assert_eq(bring_back(task, volume, "INBOX", ""), THIRD);
	bodies_are(task, volume, "INBOX", MESSAGES + 1, THIRD, THIRD);
	cr_assert_eq(offered(task, volume, ""), 0);
	clear_up(task, volume);
	cr_assert_eq(offered(task, volume, ""), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

struct lost {
	struct undelete_message message[MESSAGES];
	enum rp_err why[MESSAGES];
	size_t count;
};

static void note_lost(void *arg, const struct undelete_message *message, enum rp_err why)
{
	struct lost *lost = arg;

	lost->message[lost->count] = *message;
	lost->why[lost->count++] = why;
}

/* From here on: damaged on the ring, refused by the disk in the simulator. */
static enum rp_err spoil_file(
    struct task *task, const struct io_fixture *fixture, struct volume *volume, uint32_t number)
{
	static const struct sim_broken broken = {.read = EIO};
	char path[VOLUME_PATH_BYTES];
	uint8_t bytes[28 * 1024];
	struct file *file;

	volume_path(volume, path, "%u.dbox", number);
	if (fixture->kind == IO_FIXTURE_SIM) {
		cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, path, &broken), RP_OK);
		return RP_ERR_IO;
	}
	memset(bytes, 0x55, sizeof(bytes));
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, bytes, sizeof(bytes), 4096, false), RP_OK);
	file_close(file);
	return RP_ERR_CORRUPT;
}

/* A body that cannot be read costs its message, which is named; all others come back. */
IO_TASK_TEST(undelete, passes_over_bodies_that_cannot_be_read)
{
	static struct lost lost;
	struct store *store = open_store(task, 1, KEEP_S);
	struct volume *volume = open_user(task, store);
	struct undelete_filter filter = {.since_s = 0};
	struct undelete_message message;
	struct undelete *undelete;
	size_t passed = 0;
	size_t back = 0;
	enum rp_err why;

	lost.count = 0;
	fill(task, volume, "INBOX", 0);
	expunge(task, volume, "INBOX", 1, MESSAGES);
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	cr_assert_eq(settle_flush(task, store->commit, &volume->settle), RP_OK);
	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	cr_assert_eq(undelete_count(undelete), MESSAGES);
	undelete_at(undelete, MESSAGES / 2, &message);
	why = spoil_file(task, arg, volume, message.file);
	undelete_tell_lost(undelete, note_lost, &lost);
	cr_assert_eq(undelete_all(task, undelete, bytes_of(NULL, 0), &back, &passed), RP_OK);
	cr_assert_gt(passed, 2);
	cr_assert_lt(passed, 20);
	cr_assert_eq(back, MESSAGES - passed);
	cr_assert_eq(lost.count, passed);
	for (size_t i = 0; i < lost.count; i++) {
		cr_assert_eq(lost.why[i], why);
		cr_assert_eq(lost.message[i].file, message.file);
		cr_assert(bytes_eq(lost.message[i].mailbox, BYTES_LIT("INBOX")));
	}
	undelete_end(task, undelete);
	cr_assert_eq(offered(task, volume, ""), passed, "the disk may give it tomorrow");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Time alone makes room: nothing is expunged meanwhile. */
IO_TASK_TEST(undelete, lets_go_when_the_time_is_over)
{
	enum { SHORT_S = 2 };
	struct store *store = open_store(task, 1, SHORT_S);
	struct volume *volume = open_user(task, store);
	uint64_t emptied;

	(void)arg;
	fill(task, volume, "INBOX", 0);
	expunge(task, volume, "INBOX", 1, MESSAGES - 1);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	emptied = store->compacts_done;
	cr_assert_eq(offered(task, volume, ""), MESSAGES - 1);
	cr_assert_lt(volume->compact_at_expiry, UINT64_MAX);
	cr_assert_lt(keep_since(store), volume->compact_at_expiry);
	cr_assert_eq(task_sleep(task, UINT64_C(1000) * 1000 * 1000 * (SHORT_S + 2)), RP_OK);
	cr_assert_geq(keep_since(store), volume->compact_at_expiry);
	cr_assert_eq(offered(task, volume, ""), 0);
	compact_consider(volume);
	wait_for(task, &volume->compact_runs);
	cr_assert_gt(store->compacts_done, emptied + 5);
	cr_assert_eq(volume->compact_at_expiry, UINT64_MAX);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(undelete, keeps_nothing_where_it_is_off)
{
	struct store *store = open_store(task, 1, 0);
	struct volume *volume = open_user(task, store);

	(void)arg;
	fill(task, volume, "INBOX", 0);
	expunge(task, volume, "INBOX", 1, MESSAGES - 1);
	store_set_keep(store, KEEP_S);
	cr_assert_eq(offered(task, volume, ""), 0, "its record tells no time");
	made_append(task, volume, "INBOX", 0, "Subject: one\r\n\r\n");
	expunge(task, volume, "INBOX", MESSAGES + 1, MESSAGES + 1);
	cr_assert_eq(offered(task, volume, ""), 1);
	store_set_keep(store, 0);
	cr_assert_eq(offered(task, volume, ""), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(undelete, is_one_at_a_time)
{
	struct store *store = open_store(task, 1, KEEP_S);
	struct volume *volume = open_user(task, store);
	struct undelete_filter filter = {.since_s = 0};
	struct undelete *undelete;
	struct undelete *second;

	(void)arg;
	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	cr_assert_eq(undelete_begin(task, volume, &filter, &second), RP_ERR_BUSY);
	cr_assert_eq(compact_now(task, volume), RP_ERR_BUSY);
	undelete_end(task, undelete);
	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	undelete_end(task, undelete);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- journals that are damaged ---- */

static void repair(struct task *task, struct store *store)
{
	struct repair_report report;
	enum rp_err err;

	/* What runs by itself uses him too. */
	while ((err = repair_rebuild(task, store, &made_user, NULL, NULL, &report)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
	cr_assert(!repair_found_damage(&report));
}

/* The record with this LSN is none any more. */
static void lose_record(struct task *task, struct volume *volume, uint64_t lsn)
{
	struct journal_walk walk;
	struct record record;
	const struct journal *journal = volume->journal;
	char path[JOURNAL_CORE_PATH_BYTES];
	struct file *file;
	size_t at = journal->files_count;
	uint64_t offset = 0;

	while (at > 0 && journal->files[at - 1].first > lsn)
		at--;
	cr_assert_gt(at, 0);
	journal_core_path_of(journal, &journal->files[at - 1], path);
	cr_assert_eq(
	    journal_core_walk_begin(task, &walk, journal, journal->files[at - 1].first), RP_OK);
	while (journal_core_walk_next(task, &walk, &record) == RP_OK && record.header.lsn != lsn)
		offset = walk.at;
	cr_assert_eq(record.header.lsn, lsn);
	journal_core_walk_end(&walk);
	cr_assert_gt(offset, 0);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, "damage", 6, offset, false), RP_OK);
	file_close(file);
}

IO_TASK_TEST(undelete, outlives_a_repair_of_damaged_journals)
{
	struct store *store = open_store(task, 1, KEEP_S);
	struct volume *volume = open_user(task, store);
	struct mailbox *mailbox;
	char text[TEXT_BYTES + 1];
	uint64_t row_lost;
	uint64_t lost;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	fill(task, volume, "INBOX", 0);
	row_lost = volume->catalog.lsn + 1;
	text_of(500, text);
	made_append(task, volume, "INBOX", MAIL_SEEN, text);
	fill(task, volume, "Old", 1000);
	mailbox = open_box(task, volume, "INBOX");
	flag(task, mailbox, 5, 5, MAIL_FLAGGED, "$word");
	mailbox_close(mailbox);
	expunge(task, volume, "INBOX", 5, 14);
	expunge(task, volume, "INBOX", MESSAGES + 1, MESSAGES + 1);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("Old")), RP_OK);
	lost = volume->catalog.lsn + 1;
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("lost"), true), RP_OK);
	made_append(task, volume, "INBOX", 0, "Subject: behind it\r\n\r\n");
	cr_assert_eq(offered(task, volume, ""), MESSAGES + 11);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	lose_record(task, volume, row_lost);
	lose_record(task, volume, lost);
	volume_close(volume);
	for (unsigned again = 0; again < 2; again++) {
		repair(task, store);
		volume = open_user(task, store);
		cr_assert_null(volume_find(volume, BYTES_LIT("Old")));
		cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, MESSAGES - 9);
		cr_assert_eq(offered(task, volume, "INBOX"), 11);
		cr_assert_eq(offered(task, volume, "Old"), MESSAGES);
		volume_close(volume);
	}
	volume = open_user(task, store);
	cr_assert_eq(bring_back(task, volume, "", ""), MESSAGES + 11);
	cr_assert_eq(offered(task, volume, ""), 0);
	mailbox = open_box(task, volume, "INBOX");
	cr_assert_eq(message_of(task, mailbox, MESSAGES + 3).flags & MAIL_FLAGGED, MAIL_FLAGGED);
	cr_assert_eq(mailbox_keywords_count(mailbox), 1);
	mailbox_close(mailbox);
	bodies_are(task, volume, "INBOX", MESSAGES + 3, 10, 4);
	bodies_are(task, volume, "INBOX", MESSAGES + 13, 1, 500);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- derived files, with merged journals and moved bodies ---- */

/* Cut the k-th way: at the edges of what a file begins with, and at each part of the rest. */
static void cut_derived(struct task *task, unsigned k)
{
	static const uint64_t edges[] = {0, 1, 127, 128, 511, 512, 640, 1023, 1024, 1025};
	const unsigned edges_count = sizeof(edges) / sizeof(edges[0]);
	struct volume_files files;
	struct arena arena;
	char dir[USERID_PATH_BYTES];
	unsigned cut = 0;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(volume_files_list(task, dir, &arena, &files), RP_OK);
	for (size_t i = 0; i < files.count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;
		uint64_t bytes;

		if (volume_file_parse(files.entries[i].name).kind == VOLUME_FILE_OTHER)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(files.entries[i].name));
		cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
		cr_assert_eq(file_size(task, file, &bytes), RP_OK);
		uint64_t to = k < edges_count ? edges[k] : bytes * (k - edges_count) / CUTS;

		if (to < bytes)
			cr_assert_eq(file_truncate(task, file, to), RP_OK);
		cut += to < bytes;
		file_close(file);
	}
	arena_fini(&arena);
	cr_assert_gt(cut, 0);
}

IO_TASK_TEST(undelete, derived_files_may_be_cut_anywhere_after_merges_and_compaction)
{
	struct store *store = open_store(task, 1, KEEP_S);
	struct volume *volume = open_user(task, store);
	struct mailbox *inbox = open_box(task, volume, "INBOX");
	uint64_t digest;

	(void)arg;
	fill_among_junk(task, volume, "INBOX", 0);
	flag(task, inbox, 30, 90, MAIL_FLAGGED, "$word");
	expunge(task, volume, "INBOX", 5, 14);
	for (unsigned round = 0; round < 4 || (store->merges_done == 0 && round < 20); round++) {
		churn(task, inbox);
		clear_up(task, volume);
	}
	cr_assert_gt(store->merges_done, 0);
	cr_assert_gt(store->compacts_done, 0);
	mailbox_close(inbox);
	digest = model_digest(task, volume);
	for (unsigned k = 0; k < CUTS + 10; k++) {
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
		cut_derived(task, k);
		store = open_store(task, 2 + k, KEEP_S);
		volume = open_user(task, store);
		cr_assert_eq(model_digest(task, volume), digest, "cut %u", k);
		cr_assert_eq(offered(task, volume, ""), 10);
		clear_up(task, volume);
	}
	bodies_are(task, volume, "INBOX", 20, 1, 19);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
