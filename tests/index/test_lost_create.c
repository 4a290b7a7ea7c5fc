/* The record that made a mailbox is damaged, or the one that freed its name: it costs that record, never the mailbox. */
#include <stdio.h>

#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/view.h"
#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

/* Where the journal is to have no sound record. */
struct place {
	uint64_t from;
	uint64_t to;
};

static struct volume *open_made(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	return volume;
}

static void damage(struct task *task, struct place place)
{
	char dir[USERID_PATH_BYTES];
	char path[USERID_PATH_BYTES + 32];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/1-.journal", dir);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	for (uint64_t at = place.from; at < place.to; at += 8)
		cr_assert_eq(file_write(task, file, "damaged!", 8, at, false), RP_OK);
	file_close(file);
}

static void lose_derived(struct task *task)
{
	made_harm(task, MADE_CATALOG, true);
	made_harm(task, MADE_INDEX, true);
}

/* CREATE w, two messages, RENAME w z, one message; the first of these records is lost. What its id was, and its UIDVALIDITY. */
static uint64_t lose_create(struct task *task, uint32_t *uidvalidity)
{
	struct place place;
	struct volume *volume;
	struct store *store;
	uint64_t digest;
	uint64_t id;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = open_made(task, store);
	place.from = volume->journal->number_end;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("w"), 0, NULL), RP_OK);
	place.to = volume->journal->number_end;
	made_append(task, volume, "w", MAIL_SEEN, "one");
	made_append(task, volume, "w", 0, "two");
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("w"), BYTES_LIT("z")), RP_OK);
	made_append(task, volume, "z", MAIL_FLAGGED, "three");
	id = volume_find(volume, BYTES_LIT("z"))->mailboxid;
	*uidvalidity = volume_find(volume, BYTES_LIT("z"))->uidvalidity;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	damage(task, place);
	lose_derived(task);
	return id;
}

/* Three messages, with the UIDs and flags that they had. */
static void assert_there(struct task *task, struct volume *volume, const char *name)
{
	static const uint32_t flags[] = { MAIL_SEEN, 0, MAIL_FLAGGED };
	struct view_cursor cursor;
	struct mailbox *mailbox;
	struct view *view;
	uint32_t count = 0;

	cr_assert_not_null(volume_find(volume, bytes_of_str(name)), "%s is not there", name);
	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, 3);
	cr_assert_eq(view_open(task, mailbox, NULL, &view), RP_OK);
	view_cursor_init(&cursor, view, NULL);
	for (; view_cursor_next(task, &cursor) == RP_OK; count++) {
		struct dbox_body *body;

		cr_assert_eq(cursor.message.uid, count + 1);
		cr_assert_eq(cursor.message.flags, flags[count]);
		cr_assert_eq(mailbox_body_open(task, mailbox, cursor.message.uid, &body), RP_OK);
		dbox_body_close(body);
	}
	cr_assert_eq(count, 3);
	view_close(view);
	mailbox_close(mailbox);
}

IO_TASK_TEST(lost_create, a_mailbox_of_which_the_first_record_is_lost_is_there)
{
	uint32_t uidvalidity;
	uint32_t given = 0;
	uint64_t id = lose_create(task, &uidvalidity);

	(void)arg;
	for (uint64_t epoch = 3; epoch <= 5; epoch++) {
		struct store *store = made_open_store(task, epoch);
		struct volume *volume = open_made(task, store);
		const struct catalog_entry *entry = volume_find(volume, BYTES_LIT("z"));

		assert_there(task, volume, "z");
		cr_assert_eq(entry->mailboxid, id);
		cr_assert_null(volume_find(volume, BYTES_LIT("w")));
		cr_assert_gt(entry->uidvalidity, uidvalidity, "it may have been another, with other UIDs");
		cr_assert(given == 0 || given == entry->uidvalidity, "once for all");
		given = entry->uidvalidity;
		if (epoch == 4)
			made_append(task, volume, "INBOX", 0, "the raised numbers stay");
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
	}
}

IO_TASK_TEST(lost_create, a_repair_gives_it_the_name_that_a_sound_record_tells)
{
	struct repair_report report;
	uint32_t uidvalidity;
	uint64_t id = lose_create(task, &uidvalidity);
	struct store *store = made_open_store(task, 3);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = open_made(task, store);
	assert_there(task, volume, "z");
	cr_assert_eq(volume_find(volume, BYTES_LIT("z"))->mailboxid, id);
	cr_assert_geq(volume_find(volume, BYTES_LIT("z"))->uidvalidity, uidvalidity);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

enum lost { LOST_RENAME, LOST_DELETE };

struct two {
	uint64_t older;
	uint64_t newer;
	uint32_t uidvalidity; /* the newer's */
};

/* CREATE w, RENAME w z, or DELETE w, CREATE w: the second is lost. renamed: CREATE v, RENAME v w. */
static struct two lose_what_freed(struct task *task, enum lost lost, bool renamed)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume = open_made(task, store);
	struct place place;
	struct two two;

	cr_assert_eq(volume_create(task, volume, BYTES_LIT("w"), 0, NULL), RP_OK);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("w"), true), RP_OK);
	made_append(task, volume, "w", 0, "older");
	two.older = volume_find(volume, BYTES_LIT("w"))->mailboxid;
	place.from = volume->journal->number_end;
	if (lost == LOST_DELETE)
		cr_assert_eq(volume_delete(task, volume, BYTES_LIT("w")), RP_OK);
	else
		cr_assert_eq(volume_rename(task, volume, BYTES_LIT("w"), BYTES_LIT("z")), RP_OK);
	place.to = volume->journal->number_end;
	cr_assert_eq(volume_create(task, volume, renamed ? BYTES_LIT("v") : BYTES_LIT("w"), 0, NULL), RP_OK);
	if (renamed)
		cr_assert_eq(volume_rename(task, volume, BYTES_LIT("v"), BYTES_LIT("w")), RP_OK);
	made_append(task, volume, "w", MAIL_SEEN, "one");
	made_append(task, volume, "w", 0, "two");
	made_append(task, volume, "w", MAIL_FLAGGED, "three");
	two.newer = volume_find(volume, BYTES_LIT("w"))->mailboxid;
	two.uidvalidity = volume_find(volume, BYTES_LIT("w"))->uidvalidity;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	damage(task, place);
	return two;
}

static void assert_two(struct task *task, uint64_t epoch, const struct two *two)
{
	struct store *store = made_open_store(task, epoch);
	struct volume *volume = open_made(task, store);
	const struct catalog_entry *newer = volume_find(volume, BYTES_LIT("w"));
	const struct catalog_entry *older;
	char name[CATALOG_RECOVERED_BYTES + 1];

	snprintf(name, sizeof(name), "Recovered-%llu", (unsigned long long)two->older);
	older = volume_find(volume, bytes_of_str(name));
	assert_there(task, volume, "w");
	cr_assert_eq(newer->mailboxid, two->newer);
	cr_assert_eq(newer->uidvalidity, two->uidvalidity);
	cr_assert(newer->subscribed);
	cr_assert_not_null(older);
	cr_assert_eq(older->mailboxid, two->older);
	cr_assert_eq(older->messages_count, 1);
	cr_assert_not(older->subscribed);
	cr_assert_null(volume_find(volume, BYTES_LIT("v")));
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void assert_newer_has_name(struct task *task, enum lost lost, bool renamed)
{
	struct two two = lose_what_freed(task, lost, renamed);
	struct repair_report report;
	struct store *store;

	for (uint64_t epoch = 3; epoch <= 4; epoch++)
		assert_two(task, epoch, &two);
	store = made_open_store(task, 5);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
	assert_two(task, 6, &two);
}

/* Whoever has its messages and its UIDVALIDITY goes on with them, and the name's UIDVALIDITY never falls; the one that was renamed, or is no more,
 * is there under another name. */
IO_TASK_TEST(lost_create, who_gets_a_name_has_it_though_the_rename_that_freed_it_is_lost)
{
	(void)arg;
	assert_newer_has_name(task, LOST_RENAME, false);
}

IO_TASK_TEST(lost_create, who_gets_a_name_has_it_though_the_delete_that_freed_it_is_lost)
{
	(void)arg;
	assert_newer_has_name(task, LOST_DELETE, false);
}

IO_TASK_TEST(lost_create, who_gets_a_name_by_a_rename_has_it_though_what_freed_it_is_lost)
{
	(void)arg;
	assert_newer_has_name(task, LOST_DELETE, true);
}

/* Who knows it as it was then has missed what lost records told, expunges maybe: he is told of all that is not there. */
static void assert_history_lost(struct task *task, struct volume *volume, const char *name, uint64_t since)
{
	struct runs expunged = RUNS_EMPTY;
	struct mailbox *mailbox;
	bool complete = true;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(table_expunged_since(mailbox->table, since, &expunged, &complete), RP_OK);
	cr_assert_not(complete);
	runs_fini(&expunged);
	mailbox_close(mailbox);
}

/* A dbox file that was made while it was there tells what it was; who has subscribed to its name is not in its way. */
IO_TASK_TEST(lost_create, a_mailbox_that_a_dbox_file_knows_is_what_it_was)
{
	struct place place;
	struct volume *volume;
	struct store *store = made_open_store(task, 1);
	uint32_t uidvalidity;
	uint64_t created_lsn;
	uint64_t id;

	(void)arg;
	volume = open_made(task, store);
	place.from = volume->journal->number_end;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("w"), 0, NULL), RP_OK);
	place.to = volume->journal->number_end;
	created_lsn = volume->catalog.lsn;
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("w"), true), RP_OK);
	made_append(task, volume, "w", MAIL_SEEN, "one");
	made_append(task, volume, "w", 0, "two");
	made_append(task, volume, "w", MAIL_FLAGGED, "three");
	id = volume_find(volume, BYTES_LIT("w"))->mailboxid;
	uidvalidity = volume_find(volume, BYTES_LIT("w"))->uidvalidity;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	damage(task, place);
	for (uint64_t epoch = 2; epoch <= 4; epoch++) {
		const struct catalog_entry *entry;

		store = made_open_store(task, epoch);
		volume = open_made(task, store);
		assert_there(task, volume, "w");
		entry = volume_find(volume, BYTES_LIT("w"));
		cr_assert_eq(entry->mailboxid, id);
		cr_assert_eq(entry->uidvalidity, uidvalidity);
		cr_assert(entry->subscribed);
		assert_history_lost(task, volume, "w", created_lsn - 1);
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
	}
}
