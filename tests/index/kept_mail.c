#include "tests/index/kept_mail.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/mailbox_state.h"
#include "index/merge.h"
#include "index/undelete.h"
#include "index/view.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"

/* rows_max: 0: as many as there may be. */
struct store *kept_open_bounded(
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

struct store *kept_open_store(struct task *task, uint64_t epoch, uint64_t keep_s)
{
	return kept_open_bounded(task, epoch, keep_s, 0);
}

void kept_text(unsigned i, char text[KEPT_TEXT_BYTES + 1])
{
	int n = snprintf(text, KEPT_TEXT_BYTES, "Subject: number %u\r\n\r\n", i);

	memset(text + n, 'a' + (int)(i % 26), KEPT_TEXT_BYTES - (size_t)n);
	text[KEPT_TEXT_BYTES] = 0;
}

void kept_wait(struct task *task, const bool *busy)
{
	while (*busy)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
}

/* All that runs by itself now and then. */
void kept_clear_up(struct task *task, struct volume *volume)
{
	enum rp_err err;

	kept_wait(task, &volume->compact_runs);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
	kept_wait(task, &volume->merging);
	cr_assert_eq(merge_now(task, volume), RP_OK);
	kept_wait(task, &volume->compact_runs);
}

struct volume *kept_open_user(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	return volume;
}

struct mailbox *kept_open_box(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	return mailbox;
}

/* As STORE does it. */
void kept_flag(struct task *task, struct mailbox *mailbox, uint32_t first, uint32_t last,
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

void kept_expunge(
    struct task *task, struct volume *volume, const char *name, uint32_t first, uint32_t last)
{
	struct mailbox *mailbox = kept_open_box(task, volume, name);

	kept_flag(task, mailbox, first, last, MAIL_DELETED, NULL);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
}

/* Expunged while nothing is kept. */
void kept_drop(
    struct task *task, struct volume *volume, const char *name, uint32_t first, uint32_t last)
{
	store_set_keep(volume_store(volume), 0);
	kept_expunge(task, volume, name, first, last);
	store_set_keep(volume_store(volume), KEPT_S);
}

/* Many changes of which none counts in the end: a merge is worth while. */
void kept_churn(struct task *task, struct mailbox *mailbox)
{
	struct mail_store store = {.flags = MAIL_ANSWERED};
	struct runs uids = RUNS_EMPTY;

	cr_assert_eq(runs_add(&uids, 1, KEPT_MESSAGES), RP_OK);
	for (unsigned i = 0; i < 800; i++) {
		store.mode = i % 2 == 0 ? MAIL_STORE_ADD : MAIL_STORE_REMOVE;
		cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
	}
	runs_fini(&uids);
}

void kept_fill(struct task *task, struct volume *volume, const char *name, unsigned from)
{
	char text[KEPT_TEXT_BYTES + 1];

	for (unsigned i = 0; i < KEPT_MESSAGES; i++) {
		kept_text(from + i, text);
		made_append(task, volume, name, i % 2 == 0 ? MAIL_SEEN : 0, text);
	}
}

/* The first merge, of what happens in another mailbox: all that is sealed is worth it after some rounds. */
void kept_merge(struct task *task, struct volume *volume)
{
	struct mailbox *other;

	kept_fill(task, volume, "Sent", 2000);
	other = kept_open_box(task, volume, "Sent");
	for (unsigned round = 0; volume_store(volume)->merges_done == 0; round++) {
		cr_assert_lt(round, 20, "nothing is merged");
		kept_churn(task, other);
		kept_clear_up(task, volume);
	}
	mailbox_close(other);
}

/* Between these messages others, which nobody keeps: their files are worth emptying. */
void kept_fill_among_junk(
    struct task *task, struct volume *volume, const char *name, unsigned from)
{
	char text[KEPT_TEXT_BYTES + 1];

	for (unsigned i = 0; i < KEPT_MESSAGES; i++) {
		kept_text(from + i, text);
		made_append(task, volume, name, i % 2 == 0 ? MAIL_SEEN : 0, text);
		made_append(task, volume, "Junk", 0, text);
		made_append(task, volume, "Junk", 0, text);
	}
	kept_drop(task, volume, "Junk", 1, UINT32_MAX);
}

size_t kept_offered(struct task *task, struct volume *volume, const char *name)
{
	struct undelete_filter filter = {.mailbox = bytes_of_str(name)};
	struct undelete *undelete;
	size_t n;

	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	n = undelete_count(undelete);
	undelete_end(task, undelete);
	return n;
}

size_t kept_bring_back(struct task *task, struct volume *volume, const char *name, const char *to)
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
	char expected[KEPT_TEXT_BYTES + 1];
	char got[KEPT_TEXT_BYTES + 1];
	struct dbox_body *body;
	size_t n = 0;

	kept_text(number, expected);
	cr_assert_eq(mailbox_body_open(task, mailbox, uid, &body), RP_OK);
	cr_assert_eq(dbox_body_read(task, body, 0, got, sizeof(got), &n), RP_OK);
	dbox_body_close(body);
	cr_assert_eq(n, KEPT_TEXT_BYTES);
	cr_assert_arr_eq(got, expected, KEPT_TEXT_BYTES);
}

/* So many messages from this UID on are those from this number on. */
void kept_bodies_are(struct task *task, struct volume *volume, const char *name, uint32_t uid,
    unsigned count, unsigned number)
{
	struct mailbox *mailbox = kept_open_box(task, volume, name);

	for (unsigned i = 0; i < count; i++)
		body_is(task, mailbox, uid + i, number + i);
	mailbox_close(mailbox);
}

struct message kept_message(struct task *task, struct mailbox *mailbox, uint32_t uid)
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
