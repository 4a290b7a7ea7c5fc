/* A mailbox has a thousand keywords: names that no message has any more make room for others, and whatever reads its journal or its
 * index comes to the same end. */
#include <stdio.h>
#include <stdlib.h>

#include "index/checkpoint.h"
#include "index/mailbox_state.h"
#include "index/view.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { PART = 100 };

static struct mailbox *open_inbox(struct task *task, struct store *store, struct volume **volume)
{
	struct mailbox *mailbox;

	cr_assert_eq(volume_open(task, store, &made_user, volume), RP_OK);
	cr_assert_eq(mailbox_open(task, *volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	return mailbox;
}

static void end(struct task *task, struct store *store, struct volume *volume, struct mailbox *mailbox)
{
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Names [from, from + count) on one message, or off. */
static enum rp_err set(struct task *task, struct mailbox *mailbox, uint32_t uid, unsigned from,
    unsigned count, bool on)
{
	char text[MAILBOX_KEYWORDS_MAX][16];
	struct bytes names[MAILBOX_KEYWORDS_MAX];
	struct run run = {uid, uid};
	struct runs uids = {.run = &run, .count = 1, .count_max = 1};
	struct mail_store store = {
	    .mode = on ? MAIL_STORE_ADD : MAIL_STORE_REMOVE, .keywords = names};
	enum rp_err err = RP_OK;

	for (unsigned done = 0; err == RP_OK && done < count; done += (unsigned)store.keywords_count) {
		store.keywords_count = count - done < PART ? count - done : PART;
		for (unsigned i = 0; i < store.keywords_count; i++) {
			snprintf(text[i], sizeof(text[i]), "k%u", from + done + i);
			names[i] = bytes_of_str(text[i]);
		}
		err = mailbox_store(task, mailbox, &uids, &store, NULL, NULL);
	}
	return err;
}

static bool has(struct task *task, struct mailbox *mailbox, uint32_t uid, unsigned number)
{
	char text[16];
	struct table_row row;
	struct bytes name;
	bool found = false;

	snprintf(text, sizeof(text), "k%u", number);
	name = bytes_of_str(text);
	cr_assert_eq(table_row(task, mailbox->table, uid, false, &row, NULL), RP_OK);
	for (size_t i = 0; i < row.keywords_count; i++)
		found = found || bytes_eq(mailbox_keyword(mailbox, row.keywords[i]), name);
	return found;
}

/* UID 1 has [0, 10) and [1000, 1990); nobody has another. */
static void assert_all(struct task *task, struct mailbox *mailbox)
{
	struct table_row row;

	cr_assert_eq(table_row(task, mailbox->table, 1, false, &row, NULL), RP_OK);
	cr_assert_eq(row.keywords_count, MAILBOX_KEYWORDS_MAX);
	for (unsigned k = 0; k < 10; k++)
		cr_assert(has(task, mailbox, 1, k));
	for (unsigned k = 1000; k < 1990; k++)
		cr_assert(has(task, mailbox, 1, k));
	for (uint32_t uid = 2; uid <= 21; uid++) {
		cr_assert_eq(table_row(task, mailbox->table, uid, false, &row, NULL), RP_OK);
		cr_assert_eq(row.keywords_count, 0);
	}
}

static void change_all(struct task *task, struct mailbox *mailbox)
{
	cr_assert_eq(set(task, mailbox, 1, 0, 1000, true), RP_OK);
	cr_assert_eq(set(task, mailbox, 1, 10, 990, false), RP_OK);
	cr_assert_eq(set(task, mailbox, 1, 1000, 990, true), RP_OK);
}

IO_TASK_TEST(keywords, names_that_no_message_has_make_room)
{
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	mailbox = open_inbox(task, store, &volume);
	change_all(task, mailbox);
	assert_all(task, mailbox);
	/* One too many is one too many still, and all of a command's count, used before or not. */
	cr_assert_eq(set(task, mailbox, 2, 5000, 1, true), RP_ERR_LIMIT);
	cr_assert_eq(set(task, mailbox, 1, 0, 1, false), RP_OK);
	cr_assert_eq(set(task, mailbox, 2, 0, 1, true), RP_OK);
	cr_assert_eq(set(task, mailbox, 2, 0, 1, false), RP_OK);
	cr_assert_eq(set(task, mailbox, 2, 4999, 2, true), RP_ERR_LIMIT);
	cr_assert_eq(set(task, mailbox, 1, 0, 1, true), RP_OK);
	assert_all(task, mailbox);
	digest = model_digest(task, volume);
	end(task, store, volume, mailbox);

	/* The journal alone says the same, */
	made_harm(task, MADE_INDEX, true);
	store = made_open_store(task, 3);
	mailbox = open_inbox(task, store, &volume);
	assert_all(task, mailbox);
	cr_assert_eq(model_digest(task, volume), digest);
	while (checkpoint_now(task, volume) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	assert_all(task, mailbox);
	end(task, store, volume, mailbox);
	/* and so does the index. */
	store = made_open_store(task, 4);
	mailbox = open_inbox(task, store, &volume);
	assert_all(task, mailbox);
	cr_assert_eq(model_digest(task, volume), digest);
	end(task, store, volume, mailbox);
}

/* A message that is gone, though a session lists it still, holds no name; and does not get another's. */
IO_TASK_TEST(keywords, what_is_expunged_makes_room)
{
	struct run run = {1, 1};
	struct runs uids = {.run = &run, .count = 1, .count_max = 1};
	struct mail_store deleted = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	struct table_row row;
	struct view *view;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	mailbox = open_inbox(task, store, &volume);
	cr_assert_eq(set(task, mailbox, 1, 0, 1000, true), RP_OK);
	cr_assert_eq(view_open(task, mailbox, NULL, &view), RP_OK);
	cr_assert(!view_has_news(view));
	cr_assert_eq(set(task, mailbox, 2, 1000, 1, true), RP_ERR_LIMIT);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &deleted, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	view_take_keywords(view);
	cr_assert(view_has_keywords_told(view));
	cr_assert_eq(set(task, mailbox, 2, 1000, 1000, true), RP_OK);
	cr_assert(!view_has_keywords_told(view), "there are as many as before, but others");
	cr_assert_eq(table_row(task, mailbox->table, 1, true, &row, NULL), RP_OK);
	cr_assert_eq(row.keywords_count, 0);
	for (unsigned k = 1000; k < 2000; k++)
		cr_assert(has(task, mailbox, 2, k));
	view_close(view);
	digest = model_digest(task, volume);
	end(task, store, volume, mailbox);
	made_harm(task, MADE_INDEX, true);
	store = made_open_store(task, 3);
	mailbox = open_inbox(task, store, &volume);
	cr_assert_eq(model_digest(task, volume), digest);
	end(task, store, volume, mailbox);
}

/* A table that a checkpoint has made tells a session of names when they are others, and only then. */
IO_TASK_TEST(keywords, names_outlive_a_checkpoint_under_a_session)
{
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	struct view *view;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	mailbox = open_inbox(task, store, &volume);
	change_all(task, mailbox);
	cr_assert_eq(view_open(task, mailbox, NULL, &view), RP_OK);
	view_take_keywords(view);
	while (checkpoint_now(task, volume) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert(view_has_keywords_told(view));
	assert_all(task, mailbox);
	cr_assert_eq(set(task, mailbox, 1, 0, 5, false), RP_OK);
	cr_assert(view_has_keywords_told(view));
	cr_assert_eq(set(task, mailbox, 1, 3000, 1, true), RP_OK);
	cr_assert(!view_has_keywords_told(view));
	view_close(view);
	end(task, store, volume, mailbox);
}

/* A FETCH that waits behind a message's text tells what it has read of the message before: never under another's name. */
IO_TASK_TEST(keywords, what_a_session_has_read_of_a_message_is_of_no_new_name)
{
	struct view_cursor cursor;
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	struct view *view;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	mailbox = open_inbox(task, store, &volume);
	cr_assert_eq(set(task, mailbox, 2, 1, 999, true), RP_OK);
	cr_assert_eq(set(task, mailbox, 1, 0, 2, true), RP_OK);
	cr_assert_eq(view_open(task, mailbox, NULL, &view), RP_OK);
	cr_assert_eq(view_message(task, view, 1, &cursor), RP_OK);
	cr_assert_eq(set(task, mailbox, 1, 0, 1, false), RP_OK);
	cr_assert_eq(set(task, mailbox, 2, 1000, 1, true), RP_OK);
	for (unsigned k = 0; k < mailbox_keywords_count(mailbox); k++) {
		bool is_read = (cursor.keywords[k / 64] >> (k % 64)) & 1;

		cr_assert_eq(is_read, bytes_eq(mailbox_keyword(mailbox, k), BYTES_LIT("k1")));
	}
	view_close(view);
	end(task, store, volume, mailbox);
}

/* ---- an index that is older than a merged journal ---- */

enum { OLDER = 4, INDEX_BYTES_MAX = 512 * 1024 };

struct older {
	char path[VOLUME_PATH_BYTES];
	uint8_t *p;
	size_t n;
};

static struct store *open_small(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.journal_file_bytes = 8 * 1024;
	return open_recovered(task, &settings, epoch);
}

static void checkpoint_it(struct task *task, struct volume *volume)
{
	while (checkpoint_now(task, volume) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	while (volume->merging)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
}

/* A checkpoint, and the index that it has made. */
static struct older keep_index(struct task *task, struct mailbox *mailbox)
{
	struct volume *volume = mailbox->volume;
	struct older older = {.p = malloc(INDEX_BYTES_MAX)};
	struct file *file;

	checkpoint_it(task, volume);
	volume_path(volume, older.path, "%llu.%llu.index", (unsigned long long)mailbox->mailboxid,
	    (unsigned long long)catalog_by_id(&volume->catalog, mailbox->mailboxid)->index_lsn);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, older.path, FILE_READ, &file), RP_OK);
	cr_assert_eq(file_read(task, file, older.p, INDEX_BYTES_MAX, 0, &older.n), RP_OK);
	cr_assert_lt(older.n, INDEX_BYTES_MAX);
	file_close(file);
	return older;
}

static void put_index(struct task *task, const struct older *older)
{
	struct file *file;

	made_harm(task, MADE_INDEX, true);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, older->path, FILE_WRITE | FILE_CREATE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, older->p, older->n, 0, false), RP_OK);
	file_close(file);
}

/* What was on again and off again a merge does not tell: by the index that all begins with, 1,000 names are in use when 500 more come. */
IO_TASK_TEST(keywords, an_index_older_than_a_merged_journal_says_the_same)
{
	struct older older[OLDER];
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = open_small(task, 2);
	mailbox = open_inbox(task, store, &volume);
	cr_assert_eq(set(task, mailbox, 1, 0, 1000, true), RP_OK);
	older[0] = keep_index(task, mailbox);
	cr_assert_eq(set(task, mailbox, 1, 0, 500, false), RP_OK);
	older[1] = keep_index(task, mailbox);
	cr_assert_eq(set(task, mailbox, 2, 2000, 500, true), RP_OK); /* in the place of those */
	older[2] = keep_index(task, mailbox);
	cr_assert_eq(set(task, mailbox, 1, 500, 500, false), RP_OK);
	cr_assert_eq(set(task, mailbox, 1, 0, 500, true), RP_OK);
	older[3] = keep_index(task, mailbox);
	cr_assert_eq(set(task, mailbox, 1, 0, 500, false), RP_OK);
	for (unsigned round = 0; round < 20 && store->merges_done == 0; round++) {
		for (unsigned i = 0; i < 20; i++)
			cr_assert_eq(set(task, mailbox, 5, 0, 10, i % 2 == 0), RP_OK);
		checkpoint_it(task, volume);
	}
	cr_assert_gt(store->merges_done, 0);
	digest = model_digest(task, volume);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	end(task, store, volume, mailbox);
	for (unsigned i = 0; i <= OLDER; i++) {
		if (i < OLDER)
			put_index(task, &older[i]);
		else
			made_harm(task, MADE_INDEX, true);
		store = open_small(task, 3 + i);
		mailbox = open_inbox(task, store, &volume);
		cr_assert_eq(model_digest(task, volume), digest, "index %u", i);
		cr_assert(has(task, mailbox, 2, 2000));
		cr_assert(has(task, mailbox, 2, 2499));
		cr_assert(!has(task, mailbox, 1, 0));
		cr_assert(!has(task, mailbox, 1, 999));
		cr_assert_eq(set(task, mailbox, 1, 0, 500, true), RP_OK);
		cr_assert_eq(set(task, mailbox, 1, 0, 500, false), RP_OK);
		digest = model_digest(task, volume); /* MODSEQs are others */
		checkpoint_it(task, volume);
		end(task, store, volume, mailbox);
	}
	for (unsigned i = 0; i < OLDER; i++)
		free(older[i].p);
}
