/* Messages whose own record is lost come back with what later records say of them: flags, keywords, that they are no more. */
#include "index/checkpoint.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/undelete.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

static void repair(struct task *task, struct store *store)
{
	struct repair_report report;

	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
}

static void store_flags(struct task *task, struct mailbox *mailbox, uint32_t first, uint32_t last,
    enum mail_store_mode mode, uint32_t flags, const char *keyword)
{
	struct run run = {first, last};
	struct runs uids = {.run = &run, .count = 1, .count_max = 1};
	struct bytes name = bytes_of_str(keyword != NULL ? keyword : "");
	struct mail_store store = {
	    .mode = mode, .flags = flags, .keywords = &name, .keywords_count = keyword != NULL};

	cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
}

static struct mailbox *open_inbox(struct task *task, struct volume *volume)
{
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	return mailbox;
}

static bool has_keyword(struct task *task, struct mailbox *mailbox, uint32_t uid, const char *name)
{
	uint16_t k = table_keyword(mailbox->table, bytes_of_str(name), false);
	struct table_row row;
	bool has = false;

	cr_assert_eq(table_row(task, mailbox->table, uid, false, &row, NULL), RP_OK);
	for (size_t i = 0; i < row.keywords_count; i++)
		has = has || row.keywords[i] == k;
	return k != UINT16_MAX && has;
}

enum { LOST = 5 }; /* messages whose records go */

/* INBOX has `LOST` more, the first with UID *uid, of whose records nothing will be left; what changes them stays. */
static void make_and_lose(struct task *task, struct shown *shown, uint32_t *uid)
{
	struct store *store = made_open_store(task, 3);
	struct volume *volume = shown_open_made(task, store);
	uint64_t before = volume->journal->number_end;
	struct mailbox *mailbox;
	uint64_t after;

	*uid = volume_find(volume, BYTES_LIT("INBOX"))->uidnext;
	for (unsigned i = 0; i < LOST; i++)
		made_append(task, volume, "INBOX", MAIL_SEEN, "its record goes");
	after = volume->journal->number_end;
	mailbox = open_inbox(task, volume);
	store_flags(task, mailbox, *uid, *uid, MAIL_STORE_REMOVE, MAIL_SEEN, NULL);
	store_flags(task, mailbox, *uid, *uid, MAIL_STORE_ADD, MAIL_FLAGGED, "urgent");
	store_flags(task, mailbox, *uid + 1, *uid + 1, MAIL_STORE_ADD, MAIL_DELETED, NULL);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	store_flags(task, mailbox, *uid + 2, *uid + 3, MAIL_STORE_ADD, MAIL_DRAFT, "urgent");
	store_flags(task, mailbox, *uid + 2, *uid + 2, MAIL_STORE_REMOVE, MAIL_DRAFT, "URGENT");
	store_flags(task, mailbox, *uid + 3, *uid + 3, MAIL_STORE_REPLACE, MAIL_DELETED, "later");
	mailbox_close(mailbox);
	*shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	shown_damage_journal(task, before, after);
}

static void assert_as_it_was(
    struct task *task, struct store *store, const struct shown *shown, uint32_t uid)
{
	struct volume *volume = shown_open_made(task, store);
	const struct catalog_entry *entry = volume_find(volume, BYTES_LIT("INBOX"));
	struct mailbox *mailbox = open_inbox(task, volume);
	struct runs newer = RUNS_EMPTY;

	cr_assert_eq(table_flags(mailbox->table, uid), MAIL_FLAGGED);
	cr_assert(has_keyword(task, mailbox, uid, "urgent"));
	cr_assert(!table_has(mailbox->table, uid + 1, true), "it was expunged");
	cr_assert_eq(table_flags(mailbox->table, uid + 2), MAIL_SEEN);
	cr_assert(!has_keyword(task, mailbox, uid + 2, "urgent"));
	cr_assert_eq(table_flags(mailbox->table, uid + 3), MAIL_DELETED);
	cr_assert(has_keyword(task, mailbox, uid + 3, "later"));
	cr_assert(!has_keyword(task, mailbox, uid + 3, "urgent"));
	cr_assert_eq(table_flags(mailbox->table, uid + 4), MAIL_SEEN, "as it was saved");
	cr_assert_eq(entry->messages_count, 21 + MORE + LOST - 1);
	cr_assert_eq(entry->deleted_count, 1);
	cr_assert_geq(entry->uidnext, shown->uidnext);
	cr_assert_eq(entry->uidvalidity, shown->uidvalidity);
	/* Each is told anew to who asks what changed. */
	cr_assert_gt(entry->highestmodseq, shown->highestmodseq);
	cr_assert_eq(table_having_modseq_above(
	                 task, mailbox->table, NULL, shown->highestmodseq, &newer),
	    RP_OK);
	cr_assert_eq(runs_total(&newer), entry->messages_count);
	runs_fini(&newer);
	mailbox_close(mailbox);
	volume_close(volume);
}

IO_TASK_TEST(repair_flags, what_was_set_later_is_put_on_a_message_that_comes_back)
{
	struct shown shown;
	struct store *store;
	uint32_t uid;

	(void)arg;
	(void)shown_make_more(task);
	make_and_lose(task, &shown, &uid);
	store = made_open_store(task, 4);
	repair(task, store);
	assert_as_it_was(task, store, &shown, uid);
	/* Again: nothing is put on it twice, and nothing goes. */
	repair(task, store);
	assert_as_it_was(task, store, &shown, uid);
	cr_assert_eq(store_close(task, store), RP_OK);
	/* And so say the journals. */
	made_harm(task, MADE_INDEX, true);
	made_harm(task, MADE_CATALOG, true);
	store = made_open_store(task, 5);
	assert_as_it_was(task, store, &shown, uid);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- of what was expunged, and is kept ---- */

static struct store *open_keeping(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.keep_expunged_s = 3600;
	return open_recovered(task, &settings, epoch);
}

/* One that was expunged is offered with the flags that it then had, though nothing but its body tells of its row. */
IO_TASK_TEST(repair_flags, what_was_set_later_is_put_on_what_is_kept)
{
	struct undelete_filter all = {0};
	struct undelete *undelete;
	struct mailbox *mailbox;
	struct volume *volume;
	struct store *store;
	uint64_t before;
	uint64_t after;
	uint32_t uid;
	size_t back;
	size_t lost;

	(void)arg;
	(void)shown_make_more(task);
	store = open_keeping(task, 3);
	volume = shown_open_made(task, store);
	uid = volume_find(volume, BYTES_LIT("INBOX"))->uidnext;
	before = volume->journal->number_end;
	made_append(task, volume, "INBOX", MAIL_SEEN, "its record goes");
	after = volume->journal->number_end;
	mailbox = open_inbox(task, volume);
	store_flags(task, mailbox, uid, uid, MAIL_STORE_REPLACE, MAIL_FLAGGED | MAIL_DELETED, "urgent");
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	shown_damage_journal(task, before, after);

	store = open_keeping(task, 4);
	repair(task, store);
	volume = shown_open_made(task, store);
	cr_assert_eq(undelete_begin(task, volume, &all, &undelete), RP_OK);
	cr_assert_eq(undelete_count(undelete), 1);
	uid = volume_find(volume, BYTES_LIT("INBOX"))->uidnext;
	cr_assert_eq(undelete_all(task, undelete, BYTES_LIT("INBOX"), &back, &lost), RP_OK);
	cr_assert_eq(back, 1);
	undelete_end(task, undelete);
	mailbox = open_inbox(task, volume);
	cr_assert_eq(table_flags(mailbox->table, uid), MAIL_FLAGGED);
	cr_assert(has_keyword(task, mailbox, uid, "urgent"));
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
