/* Records are lost, and the server runs on: what it writes then has not heard of what they told, and a repair brings it back all the
 * same. */
#include <stdio.h>

#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/dbox/dbox.h"
#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/store_state.h"
#include "index/table.h"
#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/open_store.h"
#include "tests/index/wasted.h"
#include "tests/io/io_fixture.h"

static void end(struct task *task, struct store *store, struct volume *volume)
{
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void expunge(struct task *task, struct volume *volume, uint32_t uid)
{
	struct mail_store store = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct runs uids = RUNS_EMPTY;
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(runs_add(&uids, uid, uid), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	runs_fini(&uids);
	mailbox_close(mailbox);
}

/* One may be under way by itself. */
static void assert_written_down(struct task *task, struct volume *volume)
{
	enum rp_err err = checkpoint_now(task, volume);

	for (unsigned i = 0; err == RP_ERR_BUSY && i < 1000; i++) {
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
		err = checkpoint_now(task, volume);
	}
	cr_assert_eq(err, RP_OK);
}

/* The server starts, takes a message, and writes down what it knows. */
static void run_on(struct task *task, uint64_t epoch)
{
	struct store *store = made_open_store(task, epoch);
	struct volume *volume = made_open_volume(task, store);

	made_append(task, volume, "INBOX", 0, "later");
	assert_written_down(task, volume);
	end(task, store, volume);
}

/* uids: those that are there, up to a 0. Behind them may be what has come later. */
static void assert_there(
    struct task *task, struct volume *volume, const char *name, const uint32_t *uids, uint32_t later)
{
	struct mailbox *mailbox;
	struct dbox_body *body;
	uint32_t count = 0;

	cr_assert_not_null(volume_find(volume, bytes_of_str(name)), "%s is not there", name);
	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	for (; uids[count] != 0; count++) {
		cr_assert(table_has(mailbox->table, uids[count], false), "%s, UID %u", name, uids[count]);
		cr_assert_eq(mailbox_body_open(task, mailbox, uids[count], &body), RP_OK);
		dbox_body_close(body);
	}
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, count + later);
	mailbox_close(mailbox);
}

static void repair(struct task *task, uint64_t epoch)
{
	struct repair_report report;
	struct store *store = made_open_store(task, epoch);

	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Before the repair and behind it; the second repair has nothing to do. */
static void assert_repaired(struct task *task, const char *name, const uint32_t *uids, uint32_t later)
{
	for (uint64_t epoch = 10; epoch <= 13; epoch += 2) {
		struct store *store;
		struct volume *volume;

		repair(task, epoch);
		store = made_open_store(task, epoch + 1);
		volume = made_open_volume(task, store);
		assert_there(task, volume, name, uids, later);
		cr_assert_eq(volume->catalog.heard_mailboxid, 0, "all is told again");
		end(task, store, volume);
	}
}

/* The newest three are lost. */
static void lose_newest(struct task *task)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;

	made_append(task, volume, "INBOX", 0, "one");
	from = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "two");
	made_append(task, volume, "INBOX", 0, "three");
	made_append(task, volume, "INBOX", 0, "four");
	to = volume->journal->number_end;
	end(task, store, volume);
	made_harm_between(task, from, to);
}

static const uint32_t all_four[] = {1, 2, 3, 4, 0};

IO_TASK_TEST(repair_later, the_newest_messages_are_back_behind_a_checkpoint)
{
	(void)arg;
	lose_newest(task);
	run_on(task, 2);
	run_on(task, 3);
	assert_repaired(task, "INBOX", all_four, 2);
}

static void append_large(struct task *task, struct volume *volume, unsigned seed)
{
	enum { LINES = 5000 };
	struct append message = {.internaldate = {1700000000, 60}};
	struct mailbox *mailbox;
	char line[32];
	uint32_t uid;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(body_begin(task, volume, &message.body), RP_OK);
	for (unsigned i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "%u %u %u and so on\r\n", seed, i, i * seed * 2654435761U);
		cr_assert_eq(body_write(task, message.body, bytes_of_str(line)), RP_OK);
	}
	cr_assert_eq(mailbox_append(task, mailbox, &message, 1, &uid), RP_OK);
	mailbox_close(mailbox);
}

/* A large body knows no UID: it has got a new one. What lost records cannot have told of is no message. */
IO_TASK_TEST(repair_later, large_messages_are_back_once)
{
	static const uint32_t uids[] = {1, 2, 0};
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;

	(void)arg;
	append_large(task, volume, 1);
	append_large(task, volume, 2);
	append_large(task, volume, 3);
	expunge(task, volume, 3);
	from = volume->journal->number_end;
	append_large(task, volume, 4);
	append_large(task, volume, 5);
	to = volume->journal->number_end;
	end(task, store, volume);
	made_harm_between(task, from, to);
	store = made_open_store(task, 2);
	volume = made_open_volume(task, store);
	append_large(task, volume, 6);
	append_large(task, volume, 7);
	end(task, store, volume);
	run_on(task, 3);
	assert_repaired(task, "INBOX", uids, 2 + 2 + 1);
}

static void transfer_one(struct task *task, struct volume *volume, uint32_t uid, bool moves)
{
	struct runs uids = RUNS_EMPTY;
	struct runs taken = RUNS_EMPTY;
	struct mailbox *from;
	struct mailbox *to;
	uint32_t first_uid;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &from), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("w"), &to), RP_OK);
	cr_assert_eq(runs_add(&uids, uid, uid), RP_OK);
	cr_assert_eq((moves ? mailbox_move : mailbox_copy)(task, from, &uids, to, &taken, &first_uid), RP_OK);
	runs_fini(&uids);
	runs_fini(&taken);
	mailbox_close(from);
	mailbox_close(to);
}

/* Of the large ones 2, 3 and 4 no record tells how they came; then the first of them was copied, or moved. */
static void lose_large(struct task *task, bool moves, uint32_t back)
{
	static const uint32_t uids[] = {1, 0};
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;

	cr_assert_eq(volume_create(task, volume, BYTES_LIT("w"), 0, NULL), RP_OK);
	append_large(task, volume, 1);
	from = volume->journal->number_end;
	append_large(task, volume, 2);
	append_large(task, volume, 3);
	append_large(task, volume, 4);
	to = volume->journal->number_end;
	transfer_one(task, volume, 2, moves);
	append_large(task, volume, 5);
	end(task, store, volume);
	made_harm_between(task, from, to);
	run_on(task, 2);
	assert_repaired(task, "INBOX", uids, back + 2);
}

/* The copy says nothing of the message that it was made from, and of none behind it. */
IO_TASK_TEST(repair_later, large_messages_are_back_though_one_was_copied_since)
{
	(void)arg;
	lose_large(task, false, 3);
}

IO_TASK_TEST(repair_later, a_large_message_that_was_moved_since_is_not_back)
{
	(void)arg;
	lose_large(task, true, 2);
}

/* A place in one file says nothing of what lies in another. */
IO_TASK_TEST(repair_later, large_messages_are_back_from_a_file_before_the_newest)
{
	static const uint32_t uids[] = {1, 2, 4, 0};
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	struct dbox_stream *stream;
	uint64_t from;
	uint64_t to;

	(void)arg;
	append_large(task, volume, 1);
	cr_assert_eq(dbox_stream_begin(task, volume->dbox, &stream), RP_OK);
	append_large(task, volume, 2);
	dbox_stream_abort(stream);
	cr_assert_eq(dbox_seal(volume->dbox, dbox_last_file(volume->dbox)), RP_OK);
	from = volume->journal->number_end;
	append_large(task, volume, 3);
	to = volume->journal->number_end;
	append_large(task, volume, 4);
	end(task, store, volume);
	made_harm_between(task, from, to);
	run_on(task, 2);
	assert_repaired(task, "INBOX", uids, 1 + 1);
}

/* Its UID alone tells that: the index has heard of it, and where it is no more. */
IO_TASK_TEST(repair_later, a_large_message_that_an_index_knew_to_be_gone_is_not_back)
{
	static const uint32_t uids[] = {1, 3, 0};
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;

	(void)arg;
	append_large(task, volume, 1);
	from = volume->journal->number_end;
	append_large(task, volume, 2);
	append_large(task, volume, 3);
	expunge(task, volume, 2);
	to = volume->journal->number_end;
	assert_written_down(task, volume);
	append_large(task, volume, 4);
	end(task, store, volume);
	made_harm_between(task, from, to);
	run_on(task, 2);
	assert_repaired(task, "INBOX", uids, 2);
}

/* What was expunged between, or since, stays so. */
IO_TASK_TEST(repair_later, those_in_the_middle_are_back_behind_a_checkpoint)
{
	static const uint32_t uids[] = {1, 2, 3, 5, 0};
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;

	(void)arg;
	made_append(task, volume, "INBOX", 0, "one");
	from = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "two");
	made_append(task, volume, "INBOX", 0, "three");
	made_append(task, volume, "INBOX", 0, "four");
	to = volume->journal->number_end;
	expunge(task, volume, 4);
	made_append(task, volume, "INBOX", 0, "five");
	made_append(task, volume, "INBOX", 0, "six");
	end(task, store, volume);
	made_harm_between(task, from, to);
	run_on(task, 2);
	store = made_open_store(task, 3);
	volume = made_open_volume(task, store);
	expunge(task, volume, 6);
	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	end(task, store, volume);
	assert_repaired(task, "INBOX", uids, 1);
}

/* An index that was written before knows what the lost records told, expunges among it: so do those that are written after it. */
IO_TASK_TEST(repair_later, what_an_index_knew_to_be_gone_is_not_back)
{
	static const uint32_t uids[] = {1, 3, 0};
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;

	(void)arg;
	made_append(task, volume, "INBOX", 0, "one");
	from = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "two");
	made_append(task, volume, "INBOX", 0, "three");
	expunge(task, volume, 2);
	to = volume->journal->number_end;
	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	end(task, store, volume);
	made_harm_between(task, from, to);
	run_on(task, 2);
	run_on(task, 3);
	assert_repaired(task, "INBOX", uids, 2);
}

IO_TASK_TEST(repair_later, a_mailbox_whose_first_record_is_lost_is_back_behind_a_checkpoint)
{
	static const uint32_t uids[] = {1, 2, 0};
	struct store *store = made_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t from;
	uint64_t to;
	char name[CATALOG_RECOVERED_BYTES + 1];

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("gone"), 0, NULL), RP_OK);
	made_append(task, volume, "gone", 0, "nobody wants it");
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("gone")), RP_OK);
	from = volume->journal->number_end;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("w"), 0, NULL), RP_OK);
	made_append(task, volume, "w", 0, "one");
	made_append(task, volume, "w", 0, "two");
	snprintf(name, sizeof(name), "Recovered-%llu",
	    (unsigned long long)volume_find(volume, BYTES_LIT("w"))->mailboxid);
	to = volume->journal->number_end;
	end(task, store, volume);
	made_harm_between(task, from, to);
	run_on(task, 2);
	run_on(task, 3);
	assert_repaired(task, name, uids, 0);
}

/* While records are missing bodies may be those that they told of. */
IO_TASK_TEST(repair_later, no_file_is_emptied_till_a_repair)
{
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume = made_open_volume(task, store);
	uint64_t bytes;

	(void)arg;
	wasted_make(task, volume);
	wasted_wait(task, &volume->compact_runs);
	end(task, store, volume);
	store = wasted_open_store(task, 2);
	volume = made_open_volume(task, store);
	volume->catalog.heard_mailboxid = 2;
	bytes = wasted_bytes(task, volume);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_eq(wasted_bytes(task, volume), bytes);
	volume->catalog.heard_mailboxid = 0;
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_lt(wasted_bytes(task, volume), bytes);
	end(task, store, volume);
}
