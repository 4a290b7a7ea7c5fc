/* Mailboxes that are selected by sessions which do nothing give their memory up where it is short, the longest unused first, and come
 * back with what each session knows. */
#include <stdio.h>

#include "index/mailbox_state.h"
#include "index/store_state.h"
#include "index/view.h"
#include "tests/index/made_mail.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { BOXES = 6 };

struct box {
	struct mailbox *mailbox;
	struct view *view;
};

static struct store *open_store(struct task *task, uint64_t epoch, uint64_t bytes_max)
{
	struct store_settings settings = small_store();

	settings.volumes_bytes_max = bytes_max;
	return open_recovered(task, &settings, epoch);
}

static void open_box(struct task *task, struct volume *volume, const char *name, struct box *box)
{
	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &box->mailbox), RP_OK);
	cr_assert_eq(view_open(task, box->mailbox, NULL, &box->view), RP_OK);
	mailbox_close(box->mailbox);
}

static void make(struct task *task, struct volume *volume, struct box *box)
{
	for (unsigned i = 0; i < BOXES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "box%u", i);
		cr_assert_eq(volume_create(task, volume, bytes_of_str(name), 0, NULL), RP_OK);
		for (unsigned k = 0; k < 5; k++)
			made_append(task, volume, name, MAIL_SEEN, "a message");
		open_box(task, volume, name, &box[i]);
	}
}

static void change(struct task *task, struct volume *volume, const char *name, uint32_t uid,
    uint32_t flags, bool expunges)
{
	struct run run = {uid, uid};
	struct runs uids = {.run = &run, .count = 1, .count_max = 1};
	struct mail_store store = {.mode = MAIL_STORE_ADD, .flags = flags};
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
	if (expunges)
		cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
}

static void end(struct task *task, struct store *store, struct volume *volume, struct box *box)
{
	for (unsigned i = 0; i < BOXES; i++)
		view_close(box[i].view);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(rest, the_longest_unused_gives_up_its_memory_and_comes_back)
{
	struct box box[BOXES];
	struct volume *volume;
	struct store *store = open_store(task, 1, 1);

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	make(task, volume, box);
	store->settings.volumes_bytes_max = UINT64_MAX;
	for (unsigned i = 0; i < BOXES; i++)
		view_rest(box[i].view);
	for (unsigned i = 0; i < BOXES; i++)
		cr_assert_not_null(box[i].mailbox->table);
	store->settings.volumes_bytes_max = store->idle_bytes + store->resting_bytes - 1;
	store_trim(store);
	for (unsigned i = 0; i < BOXES; i++)
		cr_assert_eq(box[i].mailbox->table == NULL, i == 0);
	store->settings.volumes_bytes_max = 0;
	store_trim(store);
	cr_assert_eq(store->resting_bytes, 0);
	for (unsigned i = 0; i < BOXES; i++) {
		cr_assert_null(box[i].mailbox->table);
		cr_assert_eq(view_wake(task, box[i].view), RP_OK);
		cr_assert_not_null(box[i].mailbox->table);
		cr_assert(!view_has_news(box[i].view));
		cr_assert_eq(view_exists(box[i].view), 5);
		cr_assert_eq(view_uid_of(box[i].view, 5), 5);
	}
	end(task, store, volume, box);
}

/* What others do meanwhile is news as ever: they have it loaded for their change. */
IO_TASK_TEST(rest, what_changes_meanwhile_is_news)
{
	struct box box[BOXES];
	struct view_cursor cursor;
	struct volume *volume;
	struct store *store = open_store(task, 1, 1);

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	make(task, volume, box);
	for (unsigned i = 0; i < BOXES; i++)
		view_rest(box[i].view);
	cr_assert_null(box[0].mailbox->table);
	made_append(task, volume, "box0", 0, "a new one");
	change(task, volume, "box1", 2, MAIL_FLAGGED, false);
	change(task, volume, "box2", 2, MAIL_DELETED, true);
	cr_assert_null(box[1].mailbox->table);
	cr_assert_not_null(box[2].mailbox->table, "its session is still to hear what is gone");

	cr_assert_eq(view_wake(task, box[0].view), RP_OK);
	cr_assert(view_has_news(box[0].view));
	cr_assert_eq(view_exists(box[0].view), 5);
	cr_assert_eq(view_take_exists(box[0].view), 6);

	cr_assert_eq(view_wake(task, box[1].view), RP_OK);
	cr_assert(view_has_news(box[1].view));
	view_flags_cursor(&cursor, box[1].view);
	cr_assert_eq(view_cursor_next(task, &cursor), RP_OK);
	cr_assert_eq(cursor.message.uid, 2);
	cr_assert_eq(cursor.message.flags, MAIL_SEEN | MAIL_FLAGGED);
	cr_assert_eq(view_cursor_next(task, &cursor), RP_ERR_END);
	view_take_flags(box[1].view);
	cr_assert(!view_has_news(box[1].view));
	view_rest(box[1].view);
	cr_assert_null(box[1].mailbox->table);
	cr_assert_eq(view_wake(task, box[1].view), RP_OK);
	cr_assert(!view_has_news(box[1].view), "it was told");

	cr_assert_eq(view_wake(task, box[2].view), RP_OK);
	cr_assert_eq(view_exists(box[2].view), 5);
	cr_assert_eq(view_seqno_of(box[2].view, 2), 2);
	cr_assert_eq(view_message(task, box[2].view, 2, &cursor), RP_OK);
	view_take_expunged(box[2].view, 0);
	cr_assert_eq(view_exists(box[2].view), 4);
	view_rest(box[2].view);
	cr_assert_null(box[2].mailbox->table);
	cr_assert_eq(view_wake(task, box[2].view), RP_OK);
	cr_assert_eq(view_uid_of(box[2].view, 2), 3);
	end(task, store, volume, box);
}

/* Nothing can be shown of one that was deleted meanwhile; nor is anything else shown in its place. */
IO_TASK_TEST(rest, one_that_is_deleted_meanwhile_ends_its_sessions)
{
	struct box box[BOXES];
	struct volume *volume;
	struct store *store = open_store(task, 1, 1);

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	make(task, volume, box);
	for (unsigned i = 0; i < 3; i++)
		view_rest(box[i].view);
	cr_assert_null(box[0].mailbox->table);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("box0")), RP_OK);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("box1")), RP_OK);
	cr_assert_eq(view_wake(task, box[0].view), RP_OK);
	cr_assert(view_is_overrun(box[0].view));
	view_rest(box[0].view);
	cr_assert_eq(view_wake(task, box[0].view), RP_OK);
	end(task, store, volume, box); /* box1 never woke */
}
