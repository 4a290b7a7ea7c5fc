/* The record of a message is damaged, and nothing but its body tells of it: a repair brings it back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/dbox/dbox.h"
#include "index/dbox/dbox_format.h"
#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/store_state.h"
#include "index/table.h"
#include "index/undelete.h"
#include "index/view.h"
#include "index/volume_state.h"
#include "tests/index/kept_mail.h"
#include "tests/index/made_mail.h"
#include "tests/index/open_store.h"
#include "tests/index/said.h"
#include "tests/index/wasted.h"
#include "tests/io/io_fixture.h"

static void copy_all(struct task *task, struct volume *volume, const char *from, const char *to)
{
	struct runs uids = RUNS_EMPTY;
	struct runs copied = RUNS_EMPTY;
	struct mailbox *a;
	struct mailbox *b;
	uint32_t first_uid;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(from), &a), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(to), &b), RP_OK);
	cr_assert_eq(runs_add(&uids, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_copy(task, a, &uids, b, &copied, &first_uid), RP_OK);
	runs_fini(&uids);
	runs_fini(&copied);
	mailbox_close(a);
	mailbox_close(b);
}

static void assert_messages(struct task *task, struct volume *volume, const char *name, uint32_t count)
{
	struct mailbox *mailbox;
	struct dbox_body *body;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, count);
	for (uint32_t uid = 1; uid <= count; uid++) {
		cr_assert_eq(mailbox_body_open(task, mailbox, uid, &body), RP_OK);
		dbox_body_close(body);
	}
	mailbox_close(mailbox);
}

/* Another mailbox, which is no more, had copies of both: that its rows are void says nothing of the messages that were copied. */
IO_TASK_TEST(repair_bodies, one_that_was_copied_to_a_mailbox_that_is_gone_is_back)
{
	struct repair_report report;
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("w"), 0, NULL), RP_OK);
	made_append(task, volume, "INBOX", 0, "one");
	from = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "two");
	to = volume->journal->number_end;
	copy_all(task, volume, "INBOX", "w");
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("w")), RP_OK);
	made_append(task, volume, "INBOX", 0, "three");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm_between(task, from, to);

	store = made_open_store(task, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = made_open_volume(task, store);
	assert_messages(task, volume, "INBOX", 3);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void expunge(struct task *task, struct volume *volume, uint32_t first, uint32_t last)
{
	struct mail_store store = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct runs uids = RUNS_EMPTY;
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(runs_add(&uids, first, first), RP_OK);
	cr_assert_eq(runs_add(&uids, last, last), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	runs_fini(&uids);
	mailbox_close(mailbox);
}

/* The UIDs before it and behind it were expunged, by one record. */
IO_TASK_TEST(repair_bodies, one_between_others_that_were_expunged_is_back)
{
	struct repair_report report;
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	struct mailbox *mailbox;
	uint64_t from;
	uint64_t to;

	(void)arg;
	made_append(task, volume, "INBOX", 0, "one");
	from = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "two");
	to = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "three");
	expunge(task, volume, 1, 3);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm_between(task, from, to);

	store = made_open_store(task, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = made_open_volume(task, store);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, 1);
	cr_assert(table_has(mailbox->table, 2, false));
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Of all records one is left, which tells of no mailbox: who opens it makes an INBOX, which is not the one that bodies know. */
IO_TASK_TEST(repair_bodies, those_of_an_inbox_that_is_another_by_now_are_back)
{
	struct repair_report report;
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t to;

	(void)arg;
	made_append(task, volume, "INBOX", 0, "one");
	made_append(task, volume, "INBOX", 0, "two");
	to = volume->journal->number_end;
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("x"), true), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm_between(task, FORMAT_AREA_BYTES, to);

	store = made_open_store(task, 2);
	volume = made_open_volume(task, store);
	assert_messages(task, volume, "INBOX", 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);

	store = made_open_store(task, 3);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = made_open_volume(task, store);
	assert_messages(task, volume, "INBOX", 0);
	assert_messages(task, volume, "Recovered-1", 2);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static uint32_t assert_all_readable(struct task *task, struct volume *volume)
{
	struct mailbox *mailbox;
	uint32_t count;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	count = (uint32_t)mailbox_entry(mailbox)->messages_count;
	for (uint32_t uid = 0; (uid = table_uid_from(mailbox->table, uid + 1, false)) != 0;) {
		struct dbox_body *body;

		cr_assert_eq(mailbox_body_open(task, mailbox, uid, &body), RP_OK, "UID %u", uid);
		dbox_body_close(body);
	}
	mailbox_close(mailbox);
	return count;
}

/* Files of bodies were emptied, and what told of the new places is lost: rows and copies of them name places in files that are no more. */
IO_TASK_TEST(repair_bodies, one_whose_body_was_moved_by_a_lost_record_is_found)
{
	struct store_settings settings = small_store();
	struct repair_report report;
	struct volume *volume;
	struct store *store;
	uint64_t bytes;
	uint64_t from;
	uint64_t to;
	uint32_t count;

	(void)arg;
	settings.dbox_file_bytes = 32 * 1024;
	store = open_recovered(task, &settings, 1);
	volume = made_open_volume(task, store);
	wasted_make(task, volume);
	cr_assert_eq(compact_hold(task, volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("copies"), 0, NULL), RP_OK);
	copy_all(task, volume, "INBOX", "copies");
	cr_assert_eq(commit_wait(task, store->commit, volume->position), RP_OK);
	cr_assert_eq(settle_flush(task, store->commit, &volume->settle), RP_OK);
	compact_let_go(volume);
	count = assert_all_readable(task, volume);
	bytes = wasted_bytes(task, volume);
	from = volume->journal->number_end;
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_eq(commit_wait(task, store->commit, volume->position), RP_OK);
	cr_assert_eq(settle_flush(task, store->commit, &volume->settle), RP_OK);
	to = volume->journal->number_end;
	cr_assert_gt(to, from);
	cr_assert_lt(wasted_bytes(task, volume), bytes);
	made_append(task, volume, "INBOX", 0, "after");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm_between(task, from, to);
	made_harm(task, MADE_INDEX, true);
	made_harm(task, MADE_CATALOG, true);

	store = open_recovered(task, &settings, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = made_open_volume(task, store);
	cr_assert_eq(assert_all_readable(task, volume), count + 1);
	assert_messages(task, volume, "copies", count);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- a damaged body of which there is another copy ---- */

enum { BOX_BYTES_MAX = 64 * 1024 };

static struct file *open_box(struct task *task, uint32_t number, unsigned how)
{
	char dir[USERID_PATH_BYTES];
	char path[USERID_PATH_BYTES + 32];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/%u.dbox", dir, number);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE | how, &file), RP_OK, "%s", path);
	return file;
}

static struct table_row row_in(struct task *task, struct volume *volume, const char *name, uint32_t uid)
{
	struct mailbox *mailbox;
	struct table_row row;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(table_row(task, mailbox->table, uid, false, &row, NULL), RP_OK);
	mailbox_close(mailbox);
	return row;
}

static void settle_all(struct task *task, struct volume *volume)
{
	cr_assert_eq(commit_wait(task, volume->store->commit, volume->position), RP_OK);
	cr_assert_eq(settle_flush(task, volume->store->commit, &volume->settle), RP_OK);
}

/* The first message's body is moved as its file is emptied, which is there again afterwards, as if a crash had left it; and the body is
 * damaged where it is by then. */
static struct table_row move_and_damage(struct task *task, const struct store_settings *settings)
{
	struct store *store = open_recovered(task, settings, 1);
	struct volume *volume = made_open_volume(task, store);
	uint8_t *old = malloc(BOX_BYTES_MAX);
	struct table_row row;
	struct dbox_ref before;
	struct file *file;
	size_t got;

	cr_assert_not_null(old);
	wasted_make(task, volume);
	cr_assert_eq(compact_hold(task, volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("copies"), 0, NULL), RP_OK);
	copy_all(task, volume, "INBOX", "copies");
	settle_all(task, volume);
	compact_let_go(volume);
	before = row_in(task, volume, "copies", 1).body;
	file = open_box(task, before.file, 0);
	cr_assert_eq(file_read(task, file, old, BOX_BYTES_MAX, 0, &got), RP_OK);
	file_close(file);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	settle_all(task, volume);
	row = row_in(task, volume, "copies", 1);
	cr_assert_neq(row.body.file, before.file);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	file = open_box(task, before.file, FILE_CREATE);
	cr_assert_eq(file_write(task, file, old, got, 0, false), RP_OK);
	file_close(file);
	free(old);
	file = open_box(task, row.body.file, 0);
	cr_assert_eq(file_write(task, file, "damaged!", 8, (uint64_t)row.body.offset * DBOX_RECORD_ALIGN + DBOX_HEADER_BYTES + 100, false), RP_OK);
	file_close(file);
	return row;
}

static uint64_t read_whole(struct task *task, struct volume *volume, const char *name, uint32_t uid)
{
	struct mailbox *mailbox;
	struct dbox_body *body;
	uint8_t p[4096];
	uint64_t at = 0;
	size_t got = 1;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(mailbox_body_open(task, mailbox, uid, &body), RP_OK);
	for (; at < dbox_body_bytes(body) && got > 0; at += got)
		cr_assert_eq(dbox_body_read(task, body, at, p, sizeof(p), &got), RP_OK);
	dbox_body_close(body);
	mailbox_close(mailbox);
	return at;
}

/* No record is lost, and two mailboxes share the body: both are pointed to the copy, and nothing else of them changes. */
IO_TASK_TEST(repair_bodies, one_that_is_damaged_is_taken_from_another_copy)
{
	struct store_settings settings = small_store();
	struct repair_report report;
	struct said said = { .n = 0 };
	struct volume *volume;
	struct store *store;
	struct table_row row;
	struct table_row after;

	(void)arg;
	settings.dbox_file_bytes = 32 * 1024;
	row = move_and_damage(task, &settings);
	store = open_recovered(task, &settings, 2);
	cr_assert_eq(repair_check(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_eq(report.messages_bodiless, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_eq(report.messages_taken_out, 0);
	cr_assert_not_null(strstr(said.text, "(copies), UID 1, "), "%s", said.text);
	cr_assert_not_null(strstr(said.text, ": its body was damaged, and is taken from a sound copy here"), "%s", said.text);
	volume = made_open_volume(task, store);
	after = row_in(task, volume, "copies", 1);
	cr_assert_neq(after.body.file, row.body.file);
	cr_assert_eq(after.modseq, row.modseq);
	cr_assert_eq(after.emailid, row.emailid);
	cr_assert_eq(read_whole(task, volume, "copies", 1), row.rfc822_size_bytes);
	assert_all_readable(task, volume);
	volume_close(volume);
	cr_assert_eq(repair_check(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_not(repair_found_damage(&report));
	cr_assert_eq(report.bodies_dead, 1);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Where the bytes of the first message that is offered are. */
static struct undelete_message first_offered(struct task *task, struct volume *volume)
{
	struct undelete_filter filter = { .since_s = 0 };
	struct undelete_message message;
	struct undelete *undelete;

	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	cr_assert_gt(undelete_count(undelete), 0);
	undelete_at(undelete, 0, &message);
	undelete_end(task, undelete);
	return message;
}

/* It was expunged, and is kept: its place is told by a compaction's record, as a message's that is there, and it comes back. */
IO_TASK_TEST(repair_bodies, one_that_is_kept_is_taken_from_another_copy)
{
	enum { EXPUNGED = 4 };
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	uint8_t *old = malloc(BOX_BYTES_MAX);
	struct undelete_message before;
	struct undelete_message after;
	struct repair_report report;
	struct said said = { .n = 0 };
	struct file *file;
	size_t got;

	(void)arg;
	cr_assert_not_null(old);
	cr_assert_eq(compact_hold(task, volume), RP_OK);
	kept_fill_among_junk(task, volume, "INBOX", 0);
	kept_expunge(task, volume, "INBOX", 1, EXPUNGED);
	settle_all(task, volume);
	before = first_offered(task, volume);
	file = open_box(task, before.file, 0);
	cr_assert_eq(file_read(task, file, old, BOX_BYTES_MAX, 0, &got), RP_OK);
	file_close(file);
	compact_let_go(volume);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	settle_all(task, volume);
	after = first_offered(task, volume);
	cr_assert_neq(after.file, before.file);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	file = open_box(task, before.file, FILE_CREATE);
	cr_assert_eq(file_write(task, file, old, got, 0, false), RP_OK);
	file_close(file);
	free(old);
	file = open_box(task, after.file, 0);
	cr_assert_eq(file_write(task, file, "damaged!", 8, after.offset + DBOX_HEADER_BYTES + 100, false), RP_OK);
	file_close(file);

	store = kept_open_store(task, 2, KEPT_S);
	cr_assert_eq(repair_check(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_eq(report.kept_bodiless, 1);
	cr_assert_eq(repair_rebuild(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_eq(report.messages_taken_out, 0);
	cr_assert_not_null(strstr(said.text, ": its body was damaged, and is taken from a sound copy here"), "%s", said.text);
	volume = kept_open_user(task, store);
	cr_assert_eq(kept_offered(task, volume, ""), EXPUNGED);
	cr_assert_eq(kept_bring_back(task, volume, "", ""), EXPUNGED);
	kept_bodies_are(task, volume, "INBOX", KEPT_MESSAGES + 1, EXPUNGED, 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static struct store *open_keeping(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.keep_expunged_s = KEPT_S;
	settings.keep_trust_s = 1;
	settings.transfer_messages_max = 8;
	return open_recovered(task, &settings, epoch);
}

static void move_all(struct task *task, struct volume *volume, const char *from, const char *to)
{
	struct runs uids = RUNS_EMPTY;
	struct runs moved = RUNS_EMPTY;
	struct mailbox *a = kept_open_box(task, volume, from);
	struct mailbox *b = kept_open_box(task, volume, to);
	uint32_t first_uid;

	cr_assert_eq(runs_add(&uids, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_move(task, a, &uids, b, &moved, &first_uid), RP_OK);
	runs_fini(&uids);
	runs_fini(&moved);
	mailbox_close(a);
	mailbox_close(b);
}

static uint32_t count_of(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox = kept_open_box(task, volume, name);
	uint32_t count = (uint32_t)mailbox_entry(mailbox)->messages_count;

	mailbox_close(mailbox);
	return count;
}

enum { MESSAGES = 60 };

/* All of INBOX is moved to w, by several records, of which one with rows is lost; one of w is expunged. */
static void lose_of_move(struct task *task, bool derived)
{
	struct store *store = open_keeping(task, 1);
	struct volume *volume = made_open_volume(task, store);
	struct mailbox *inbox;
	uint64_t from;

	cr_assert_eq(volume_create(task, volume, BYTES_LIT("w"), 0, NULL), RP_OK);
	for (unsigned i = 0; i < MESSAGES; i++)
		made_append(task, volume, "INBOX", 0, "one of many");
	inbox = kept_open_box(task, volume, "INBOX");
	kept_flag(task, inbox, 1, MESSAGES, MAIL_FLAGGED, "$later");
	mailbox_close(inbox);
	from = volume->journal->number_end;
	move_all(task, volume, "INBOX", "w");
	from += (volume->journal->number_end - from) / 16 * 8;
	kept_expunge(task, volume, "w", 1, 1);
	if (derived)
		cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm_between(task, from, from + 8);
}

/* An index tells what the lost record told. */
IO_TASK_TEST(repair_bodies, those_that_a_move_has_put_where_an_index_knows_are_there)
{
	struct repair_report report;
	struct said said = { .n = 0 };
	struct store *store;
	struct volume *volume;

	(void)arg;
	lose_of_move(task, true);
	store = open_keeping(task, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_null(strstr(said.text, "undelete offers it"), "%s", said.text);
	volume = made_open_volume(task, store);
	cr_assert_eq(count_of(task, volume, "w"), MESSAGES - 1);
	cr_assert_eq(kept_offered(task, volume, "INBOX"), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* One record of a long MOVE is lost, and those that tell that the messages have left are not: nothing shows them any more, but they were
 * not expunged. */
IO_TASK_TEST(repair_bodies, those_of_which_a_move_has_lost_the_target_can_be_brought_back)
{
	struct repair_report report;
	struct said said = { .n = 0 };
	struct store *store;
	struct volume *volume;
	struct mailbox *inbox;
	uint32_t left;
	size_t offered;

	(void)arg;
	lose_of_move(task, false);
	store = open_keeping(task, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_not_null(strstr(said.text, "undelete offers it"), "%s", said.text);
	volume = made_open_volume(task, store);
	left = count_of(task, volume, "w");
	offered = kept_offered(task, volume, "INBOX");
	cr_assert_eq(kept_offered(task, volume, "w"), 1, "it was expunged");
	cr_assert_gt(left, 0);
	cr_assert_gt(offered, 0);
	cr_assert_eq(left + 1 + offered, MESSAGES, "%u are left, %zu are offered", left, offered);
	cr_assert_eq(count_of(task, volume, "INBOX"), 0);
	cr_assert_eq(kept_bring_back(task, volume, "INBOX", "INBOX"), offered);
	cr_assert_eq(count_of(task, volume, "INBOX"), offered);
	inbox = kept_open_box(task, volume, "INBOX");
	cr_assert((kept_message(task, inbox, table_last_uid(inbox->table)).flags & MAIL_FLAGGED) != 0);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A running server's catalog is its own: check names the place where the records are lost, and says what it does not look for. */
IO_TASK_TEST(repair_bodies, a_check_beside_a_server_says_that_it_names_none_by_bodies)
{
	struct repair_report report;
	struct said said = { .n = 0 };
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	char place[64];
	uint64_t from;
	uint64_t to;

	(void)arg;
	made_append(task, volume, "INBOX", 0, "one");
	from = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "two");
	to = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "three");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm_between(task, from, to);

	store = made_open_store(task, 2);
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert(repair_found_damage(&report));
	snprintf(place, sizeof(place), "1-.journal at %llu", (unsigned long long)from);
	cr_assert_not_null(strstr(said.text, place), "%s", said.text);
	cr_assert_null(strstr(said.text, "its body alone tells of it"), "%s", said.text);
	cr_assert_not_null(strstr(said.text, "are not named while a server runs"), "%s", said.text);
	cr_assert_eq(store_close(task, store), RP_OK);
}
