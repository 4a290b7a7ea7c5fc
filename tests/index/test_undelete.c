/* What was expunged comes back, byte for byte: after merges, after its file of bodies was emptied, after a restart; once; and not
 * when its time is over. */
#include "index/undelete.h"

#include "index/compact.h"
#include "index/keep.h"
#include "index/mailbox_state.h"
#include "tests/index/kept_mail.h"
#include "tests/index/made_mail.h"
#include "tests/io/io_fixture.h"

IO_TASK_TEST(undelete, brings_back_what_was_expunged_moved_by_nobody_and_deleted)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	struct mailbox *inbox = kept_open_box(task, volume, "INBOX");
	struct mailbox *trash;
	struct message was;
	struct message is;
	struct runs uids = RUNS_EMPTY;
	struct runs moved = RUNS_EMPTY;
	uint32_t first_uid;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	kept_fill_among_junk(task, volume, "INBOX", 0);
	kept_fill_among_junk(task, volume, "Old", 1000);
	kept_churn(task, inbox);
	kept_flag(task, inbox, 3, 4, MAIL_FLAGGED, "$word");
	was = kept_message(task, inbox, 3);
	trash = kept_open_box(task, volume, "Trash");
	cr_assert_eq(runs_add(&uids, 1, 2), RP_OK);
	cr_assert_eq(mailbox_move(task, inbox, &uids, trash, &moved, &first_uid), RP_OK);
	kept_expunge(task, volume, "INBOX", 3, KEPT_MESSAGES - 2);
	kept_expunge(task, volume, "Old", 1, 10);
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("Old"), BYTES_LIT("Older")), RP_OK);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("Older")), RP_OK);
	/* When journals are sealed, and a merge is worth while, is a matter of when they are settled too. */
	for (unsigned round = 0; round < 4 || (store->merges_done == 0 && round < 20); round++) {
		cr_assert_eq(kept_offered(task, volume, "INBOX"), KEPT_MESSAGES - 4);
		cr_assert_eq(kept_offered(task, volume, "Older"), KEPT_MESSAGES);
		cr_assert_eq(kept_offered(task, volume, ""), 2 * KEPT_MESSAGES - 4);
		cr_assert_eq(kept_offered(task, volume, "Trash"), 0);
		kept_churn(task, inbox); /* so that all before lies in sealed journals */
		kept_clear_up(task, volume);
	}
	cr_assert_gt(store->merges_done, 0);
	cr_assert_gt(store->compacts_done, 0);
	mailbox_close(trash);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = kept_open_store(task, 2, KEPT_S);
	volume = kept_open_user(task, store);
	cr_assert_eq(kept_bring_back(task, volume, "INBOX", ""), KEPT_MESSAGES - 4);
	cr_assert_eq(kept_bring_back(task, volume, "Older", ""), KEPT_MESSAGES);
	cr_assert_eq(kept_bring_back(task, volume, "", ""), 0, "a second time there is nothing");
	kept_clear_up(task, volume);
	cr_assert_eq(kept_bring_back(task, volume, "", ""), 0);
	inbox = kept_open_box(task, volume, "INBOX");
	cr_assert_eq(mailbox_entry(inbox)->messages_count, KEPT_MESSAGES - 2);
	is = kept_message(task, inbox, KEPT_MESSAGES + 1);
	cr_assert_eq(is.flags, was.flags);
	cr_assert_eq(is.emailid, was.emailid);
	cr_assert_eq(is.internaldate.seconds, was.internaldate.seconds);
	cr_assert_eq(mailbox_keywords_count(inbox), 1);
	mailbox_close(inbox);
	kept_bodies_are(task, volume, "INBOX", KEPT_MESSAGES + 1, KEPT_MESSAGES - 4, 2);
	kept_bodies_are(task, volume, "Older", 1, KEPT_MESSAGES, 1000);
	kept_expunge(task, volume, "Older", 5, 9);
	cr_assert_eq(kept_offered(task, volume, "Older"), 5, "once more expunged, once more offered");
	cr_assert_eq(kept_bring_back(task, volume, "Older", "New/Below"), 5);
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
		kept_wait(task, &volume->compact_runs);
		cr_assert_eq(compact_now(task, volume), RP_OK);
		cr_assert_eq(task_sleep(task, UINT64_C(100) * 1000 * 1000), RP_OK);
	}
	cr_assert_gt(store->compacts_done, 0);
}

/* The last that happened to a mailbox is that a kept body of it was moved: of a message that is not there. */
IO_TASK_TEST(undelete, does_not_hold_up_merges_by_what_was_moved)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);

	(void)arg;
	kept_fill_among_junk(task, volume, "INBOX", 0);
	kept_expunge(task, volume, "INBOX", 1, KEPT_MESSAGES);
	compact_some(task, volume);
	kept_merge(task, volume);
	cr_assert_eq(kept_bring_back(task, volume, "INBOX", ""), KEPT_MESSAGES);
	kept_bodies_are(task, volume, "INBOX", KEPT_MESSAGES + 1, KEPT_MESSAGES, 0);
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
	enum { ROWS_MAX = 90, THIRD = KEPT_MESSAGES / 3 };
	struct store *store = kept_open_bounded(task, 1, KEPT_S, ROWS_MAX);
	struct volume *volume = kept_open_user(task, store);
	struct store_stats stats;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	kept_fill(task, volume, "INBOX", 0);
	kept_fill(task, volume, "Old", 1000);
	kept_expunge(task, volume, "INBOX", 1, THIRD);
	next_second(task);
	kept_expunge(task, volume, "INBOX", THIRD + 1, 2 * THIRD);
	cr_assert_eq(kept_offered(task, volume, ""), 2 * THIRD);
	store_stats(store, &stats);
	cr_assert_eq(stats.kept_over, 0);
	next_second(task);
	kept_expunge(task, volume, "INBOX", 2 * THIRD + 1, KEPT_MESSAGES);
	cr_assert_eq(kept_offered(task, volume, ""), 2 * THIRD, "the first third has gone");
	next_second(task);
	kept_drop(task, volume, "Old", 11, KEPT_MESSAGES);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("Old")), RP_OK);
	cr_assert_eq(kept_offered(task, volume, ""), 2 * THIRD + 10, "the bound itself");
	store_stats(store, &stats);
	cr_assert_eq(stats.kept_over, 1);
	kept_merge(task, volume);
	cr_assert_gt(store->compacts_done, 0);
	cr_assert_eq(kept_offered(task, volume, ""), 2 * THIRD + 10);
	cr_assert_eq(kept_bring_back(task, volume, "INBOX", ""), 2 * THIRD);
	cr_assert_eq(kept_bring_back(task, volume, "Old", ""), 10);
	kept_bodies_are(task, volume, "INBOX", KEPT_MESSAGES + 1, 2 * THIRD, THIRD);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* What was brought back makes no room for what has been let go: its bodies may be gone by now. */
IO_TASK_TEST(undelete, does_not_offer_again_what_was_let_go)
{
	enum { ROWS_MAX = 90, THIRD = KEPT_MESSAGES / 3 };
	struct store *store = kept_open_bounded(task, 1, KEPT_S, ROWS_MAX);
	struct volume *volume = kept_open_user(task, store);

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	kept_fill(task, volume, "INBOX", 0);
	kept_fill(task, volume, "Old", 1000);
	kept_expunge(task, volume, "INBOX", 1, THIRD);
	next_second(task);
	kept_expunge(task, volume, "INBOX", THIRD + 1, 2 * THIRD);
	next_second(task);
	kept_expunge(task, volume, "Old", 1, THIRD);
	cr_assert_eq(kept_offered(task, volume, ""), 2 * THIRD, "the first third has gone");
	kept_wait(task, &volume->compact_runs);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, 0, "with its bodies");
	cr_assert_eq(kept_bring_back(task, volume, "Old", ""), THIRD);
	cr_assert_eq(kept_offered(task, volume, ""), THIRD);
	kept_clear_up(task, volume);
	cr_assert_eq(kept_offered(task, volume, ""), THIRD);
	cr_assert_eq(kept_bring_back(task, volume, "INBOX", ""), THIRD);
	kept_bodies_are(task, volume, "INBOX", KEPT_MESSAGES + 1, THIRD, THIRD);
	cr_assert_eq(kept_offered(task, volume, ""), 0);
	kept_clear_up(task, volume);
	cr_assert_eq(kept_offered(task, volume, ""), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Time alone makes room: nothing is expunged meanwhile. */
IO_TASK_TEST(undelete, lets_go_when_the_time_is_over)
{
	enum { SHORT_S = 2 };
	struct store *store = kept_open_store(task, 1, SHORT_S);
	struct volume *volume = kept_open_user(task, store);
	uint64_t emptied;

	(void)arg;
	kept_fill(task, volume, "INBOX", 0);
	kept_expunge(task, volume, "INBOX", 1, KEPT_MESSAGES - 1);
	kept_wait(task, &volume->compact_runs);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	emptied = store->compacts_done;
	cr_assert_eq(kept_offered(task, volume, ""), KEPT_MESSAGES - 1);
	cr_assert_lt(volume->compact_at_expiry, UINT64_MAX);
	cr_assert_lt(keep_since(store), volume->compact_at_expiry);
	cr_assert_eq(task_sleep(task, UINT64_C(1000) * 1000 * 1000 * (SHORT_S + 2)), RP_OK);
	cr_assert_geq(keep_since(store), volume->compact_at_expiry);
	cr_assert_eq(kept_offered(task, volume, ""), 0);
	compact_consider(volume);
	kept_wait(task, &volume->compact_runs);
	cr_assert_gt(store->compacts_done, emptied + 5);
	cr_assert_eq(volume->compact_at_expiry, UINT64_MAX);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(undelete, keeps_nothing_where_it_is_off)
{
	struct store *store = kept_open_store(task, 1, 0);
	struct volume *volume = kept_open_user(task, store);

	(void)arg;
	kept_fill(task, volume, "INBOX", 0);
	kept_expunge(task, volume, "INBOX", 1, KEPT_MESSAGES - 1);
	store_set_keep(store, KEPT_S);
	cr_assert_eq(kept_offered(task, volume, ""), 0, "its record tells no time");
	made_append(task, volume, "INBOX", 0, "Subject: one\r\n\r\n");
	kept_expunge(task, volume, "INBOX", KEPT_MESSAGES + 1, KEPT_MESSAGES + 1);
	cr_assert_eq(kept_offered(task, volume, ""), 1);
	store_set_keep(store, 0);
	cr_assert_eq(kept_offered(task, volume, ""), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(undelete, is_one_at_a_time)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
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
