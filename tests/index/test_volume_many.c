/* Changes to so many messages that others have to be let in before they are over. */
#include <stdio.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/view.h"
#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

static void append_many(struct task *task, struct mailbox *mailbox, unsigned count)
{
	struct bytes keyword = BYTES_LIT("every");

	for (unsigned done = 0; done < count; done += MAILBOX_APPEND_MAX) {
		struct append message[MAILBOX_APPEND_MAX];
		uint32_t first_uid;

		for (unsigned i = 0; i < MAILBOX_APPEND_MAX; i++) {
			message[i] = (struct append){.flags = i % 2 ? MAIL_SEEN : 0,
			    .keywords = &keyword,
			    .keywords_count = i % 3 == 0,
			    .internaldate = {1700000000 + (int64_t)done * 7919 % 100000, 60}};
			cr_assert_eq(
			    body_begin(task, mailbox_volume(mailbox), &message[i].body), RP_OK);
			cr_assert_eq(
			    body_write(task, message[i].body, BYTES_LIT("a: b\r\n\r\n")), RP_OK);
		}
		cr_assert_eq(
		    mailbox_append(task, mailbox, message, MAILBOX_APPEND_MAX, &first_uid), RP_OK);
		cr_assert_eq(first_uid, done + 1);
	}
}

static struct mailbox *open_mailbox(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	return mailbox;
}

/* Each second one of the first `count`. */
static struct runs each_second(unsigned count)
{
	struct runs uids = RUNS_EMPTY;

	for (uint32_t uid = 1; uid <= count; uid += 2)
		cr_assert_eq(runs_add(&uids, uid, uid), RP_OK);
	return uids;
}

/* What is found when the volume is opened anew is what was there. */
static void assert_kept(struct task *task, struct volume *volume, struct store *store)
{
	uint64_t digest = model_digest(task, volume);

	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Half a million runs would hold up everybody else. Of those that one change takes there is one change. */
IO_TASK_TEST(volume_many, an_expunge_of_many_runs_is_several_changes)
{
	enum { ONE_CHANGE = 8192, MANY = 2 * ONE_CHANGE + 128 };
	struct mail_store deleted = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct store *store = made_open_store(task, 1);
	struct runs some = each_second(2 * ONE_CHANGE);
	struct runs more = each_second(MANY);
	struct runs gone = RUNS_EMPTY;
	struct volume *volume;
	struct mailbox *inbox;
	uint64_t modseq;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = open_mailbox(task, volume, "INBOX");
	append_many(task, inbox, MANY);
	cr_assert_eq(mailbox_store(task, inbox, &more, &deleted, NULL, NULL), RP_OK);
	modseq = mailbox_entry(inbox)->highestmodseq;
	cr_assert_eq(mailbox_expunge(task, inbox, NULL, &gone), RP_OK);
	cr_assert_eq(mailbox_entry(inbox)->highestmodseq, modseq + 2);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, MANY / 2);
	cr_assert_eq(mailbox_entry(inbox)->deleted_count, 0);
	cr_assert_eq(gone.count, MANY / 2);
	cr_assert_eq(gone.run[MANY / 2 - 1].last, MANY - 1);
	runs_fini(&gone);
	runs_fini(&more);
	for (size_t i = 0; i < some.count; i++)
		some.run[i].last = ++some.run[i].first; /* those between */
	cr_assert_eq(mailbox_store(task, inbox, &some, &deleted, NULL, NULL), RP_OK);
	modseq = mailbox_entry(inbox)->highestmodseq;
	cr_assert_eq(mailbox_expunge(task, inbox, &some, &gone), RP_OK);
	cr_assert_eq(mailbox_entry(inbox)->highestmodseq, modseq + 1);
	cr_assert_eq(gone.count, ONE_CHANGE);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, 64);
	runs_fini(&gone);
	runs_fini(&some);
	mailbox_close(inbox);
	assert_kept(task, volume, store);
}

static struct store *open_with_small_breaths(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.transfer_messages_max = 100;
	return open_recovered(task, &settings, epoch);
}

struct raced {
	struct volume *volume;
	struct mailbox *inbox;
	bool ended;
};

static void rename_inbox(struct task *task, void *arg)
{
	struct raced *raced = arg;

	cr_assert_eq(volume_rename(task, raced->volume, BYTES_LIT("INBOX"), BYTES_LIT("Old")), RP_OK);
	raced->ended = true;
}

/* What was to move is gone when its turn comes: nothing has happened to INBOX then. */
IO_TASK_TEST(volume_many, renaming_an_inbox_that_was_emptied_meanwhile_leaves_it_as_it_is)
{
	enum { MANY = 200 };
	struct mail_store deleted = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct store *store = open_with_small_breaths(task, 1);
	struct runs all = RUNS_EMPTY;
	struct raced raced = {0};
	uint64_t modseq;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &raced.volume), RP_OK);
	raced.inbox = open_mailbox(task, raced.volume, "INBOX");
	append_many(task, raced.inbox, MANY);
	cr_assert_eq(runs_add(&all, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_store(task, raced.inbox, &all, &deleted, NULL, NULL), RP_OK);
	runs_fini(&all);
	modseq = mailbox_entry(raced.inbox)->highestmodseq;
	raced.volume->changing = true; /* by somebody else */
	cr_assert_eq(task_start(task_loop(task), rename_inbox, &raced, NULL), RP_OK);
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert_not(task_queue_empty(&raced.volume->changed));
	raced.volume->changing = false;
	cr_assert_eq(mailbox_expunge(task, raced.inbox, NULL, NULL), RP_OK);
	task_queue_wake_all(&raced.volume->changed);
	while (!raced.ended)
		cr_assert_eq(task_sleep(task, 1000), RP_OK);
	cr_assert_eq(mailbox_entry(raced.inbox)->messages_count, 0);
	cr_assert_eq(mailbox_entry(raced.inbox)->highestmodseq, modseq + 1);
	cr_assert_eq(raced.volume->catalog.lsn, modseq + 3);
	mailbox_close(raced.inbox);
	raced.inbox = open_mailbox(task, raced.volume, "Old");
	cr_assert_eq(mailbox_entry(raced.inbox)->uidnext, 1);
	mailbox_close(raced.inbox);
	assert_kept(task, raced.volume, store);
}

/* As it is under way, and afterwards. */
struct onlooker {
	struct volume *volume;
	struct mailbox *from;
	struct mailbox *to; /* NULL: one that is to come, by this */
	struct bytes name;
	uint32_t from_count;
	uint32_t to_count;
	unsigned looks;
	bool saw_part;
	bool ends;
	bool ended;
};

static void look_on(struct task *task, void *arg)
{
	struct onlooker *looks = arg;

	while (!looks->ends) {
		uint32_t from = mailbox_entry(looks->from)->messages_count;
		uint32_t to = looks->to != NULL ? mailbox_entry(looks->to)->messages_count
		                                : volume_find(looks->volume, looks->name) != NULL;

		looks->looks += looks->volume->changing;
		if (looks->volume->changing && (from != looks->from_count || to != looks->to_count))
			looks->saw_part = true;
		cr_assert_eq(task_sleep(task, 1000), RP_OK);
	}
	looks->ended = true;
}

/* Others are let in, and see nothing of it before all of it is there. */
IO_TASK_TEST(volume_many, a_move_of_very_many_is_one_change)
{
	enum { MANY = 64 * 100 };
	struct store *store = open_with_small_breaths(task, 1);
	struct runs uids = each_second(MANY);
	struct runs out = RUNS_EMPTY;
	struct onlooker looks = {.from_count = MANY};
	struct mailbox *inbox;
	struct mailbox *sent;
	struct volume *volume;
	struct view *view;
	uint32_t first_uid;
	uint64_t lsn;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = open_mailbox(task, volume, "INBOX");
	sent = open_mailbox(task, volume, "Sent");
	append_many(task, inbox, MANY);
	cr_assert_eq(view_open(task, inbox, NULL, &view), RP_OK);
	looks.volume = volume;
	looks.from = inbox;
	looks.to = sent;
	cr_assert_eq(task_start(task_loop(task), look_on, &looks, NULL), RP_OK);
	lsn = mailbox_entry(inbox)->highestmodseq;
	view_own_expunges(view, true);
	cr_assert_eq(mailbox_move(task, inbox, &uids, sent, &out, &first_uid), RP_OK);
	looks.ends = true;
	cr_assert(!looks.saw_part);
	cr_assert_gt(looks.looks, 0);
	cr_assert_eq(first_uid, 1);
	cr_assert_eq(out.count, MANY / 2);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, MANY / 2);
	cr_assert_eq(mailbox_entry(sent)->messages_count, MANY / 2);
	cr_assert_eq(mailbox_entry(sent)->uidnext, MANY / 2 + 1);
	cr_assert_gt(mailbox_entry(sent)->highestmodseq, lsn + 32);
	cr_assert_eq(mailbox_entry(sent)->highestmodseq, mailbox_entry(inbox)->highestmodseq);
	cr_assert_eq(runs_total(view_expunged(view)), MANY / 2);
	cr_assert_eq(view_exists(view), MANY);
	cr_assert_eq(view_uid_of(view, 2), 2);
	view_close(view);
	runs_fini(&uids);
	runs_fini(&out);
	while (!looks.ended)
		cr_assert_eq(task_sleep(task, 1000), RP_OK);
	cr_assert_eq(runs_add(&uids, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_copy(task, sent, &uids, sent, &out, &first_uid), RP_OK);
	cr_assert_eq(mailbox_entry(sent)->messages_count, MANY);
	cr_assert_eq(mailbox_entry(sent)->unseen_count, MANY);
	runs_fini(&out);
	cr_assert_eq(mailbox_move(task, sent, &uids, sent, &out, &first_uid), RP_OK);
	cr_assert_eq(mailbox_entry(sent)->messages_count, MANY);
	cr_assert_eq(first_uid, MANY + 1);
	runs_fini(&uids);
	runs_fini(&out);
	mailbox_close(inbox);
	mailbox_close(sent);
	assert_kept(task, volume, store);
}

/* The last message has a keyword that the target has no room for: what was written before is no change. */
IO_TASK_TEST(volume_many, a_copy_that_fails_at_its_end_leaves_nothing)
{
	enum { MANY = 64 * 16 };
	struct store *store = open_with_small_breaths(task, 1);
	struct mail_store flag = {.mode = MAIL_STORE_ADD, .keywords_count = 1};
	struct mail_store flags = {
	    .mode = MAIL_STORE_ADD, .keywords_count = MAILBOX_KEYWORDS_MAX - 1};
	static char name[MAILBOX_KEYWORDS_MAX][8];
	static struct bytes keyword[MAILBOX_KEYWORDS_MAX];
	struct bytes late = BYTES_LIT("late");
	struct run first = {1, 1};
	struct runs one = {&first, 1, 1};
	struct run last = {MANY, MANY};
	struct runs end = {&last, 1, 1};
	struct run each = {1, MANY};
	struct runs all = {&each, 1, 1};
	struct runs out = RUNS_EMPTY;
	struct mailbox *inbox;
	struct mailbox *sent;
	struct volume *volume;
	uint32_t first_uid;
	uint64_t digest;

	(void)arg;
	for (unsigned i = 0; i < MAILBOX_KEYWORDS_MAX; i++) {
		snprintf(name[i], sizeof(name[i]), "k%u", i);
		keyword[i] = bytes_of_str(name[i]);
	}
	flags.keywords = keyword;
	flag.keywords = &late;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = open_mailbox(task, volume, "INBOX");
	sent = open_mailbox(task, volume, "Sent");
	append_many(task, inbox, MANY);
	cr_assert_eq(mailbox_copy(task, inbox, &one, sent, &out, &first_uid), RP_OK);
	cr_assert_eq(mailbox_store(task, sent, &one, &flags, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_store(task, inbox, &end, &flag, NULL, NULL), RP_OK);
	digest = model_digest(task, volume);
	runs_fini(&out);
	volume->unwritten_bytes = 0; /* else one may begin at once */
	cr_assert_eq(mailbox_copy(task, inbox, &all, sent, &out, &first_uid), RP_ERR_LIMIT);
	/* The journal has grown by it, and the next checkpoint comes the sooner. */
	cr_assert_gt(volume->unwritten_bytes, MANY * 8);
	cr_assert_eq(mailbox_move(task, inbox, &all, sent, &out, &first_uid), RP_ERR_LIMIT);
	cr_assert_eq(out.count, 0);
	cr_assert_eq(model_digest(task, volume), digest);
	flag.mode = MAIL_STORE_REMOVE;
	cr_assert_eq(mailbox_store(task, inbox, &end, &flag, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_copy(task, inbox, &one, inbox, &out, &first_uid), RP_OK);
	runs_fini(&out);
	mailbox_close(inbox);
	mailbox_close(sent);
	assert_kept(task, volume, store);
}

static void expunge_meanwhile(struct task *task, void *arg)
{
	struct onlooker *looks = arg;
	struct runs gone = RUNS_EMPTY;

	while (!looks->volume->changing && !looks->ends) /* it may be over before anybody else is let in */
		cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_eq(mailbox_expunge(task, looks->to, NULL, &gone), RP_OK);
	cr_assert(looks->ends);
	cr_assert_eq(runs_total(&gone), looks->to_count);
	runs_fini(&gone);
	looks->ended = true;
}

/* It is one change, so it is as if it were made in one moment: the one in which it is. */
IO_TASK_TEST(volume_many, an_expunge_that_waits_takes_what_has_come_meanwhile)
{
	enum { MANY = 64 * 16 };
	struct mail_store deleted = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct store *store = open_with_small_breaths(task, 1);
	struct run each = {1, MANY};
	struct runs all = {&each, 1, 1};
	struct run first = {1, 1};
	struct runs one = {&first, 1, 1};
	struct runs out = RUNS_EMPTY;
	struct onlooker looks = {.to_count = MANY + 1};
	struct mailbox *inbox;
	uint32_t first_uid;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &looks.volume), RP_OK);
	inbox = open_mailbox(task, looks.volume, "INBOX");
	looks.to = open_mailbox(task, looks.volume, "Sent");
	append_many(task, inbox, MANY);
	cr_assert_eq(mailbox_store(task, inbox, &all, &deleted, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_copy(task, inbox, &one, looks.to, &out, &first_uid), RP_OK);
	cr_assert_eq(task_start(task_loop(task), expunge_meanwhile, &looks, NULL), RP_OK);
	runs_fini(&out);
	cr_assert_eq(mailbox_copy(task, inbox, &all, looks.to, &out, &first_uid), RP_OK);
	looks.ends = true;
	runs_fini(&out);
	while (!looks.ended)
		cr_assert_eq(task_sleep(task, 1000), RP_OK);
	cr_assert_eq(mailbox_entry(looks.to)->messages_count, 0);
	mailbox_close(inbox);
	mailbox_close(looks.to);
	assert_kept(task, looks.volume, store);
}

/* RENAME of INBOX: the new name, and what leaves and comes, are there at once or not at all. */
IO_TASK_TEST(volume_many, an_inbox_of_very_many_is_renamed)
{
	enum { MANY = 64 * 100 };
	struct store *store = open_with_small_breaths(task, 1);
	struct bytes inbox_name = BYTES_LIT("INBOX");
	struct bytes to = BYTES_LIT("old/mail");
	struct onlooker looks = {.from_count = MANY};
	struct mailbox *inbox;
	struct volume *volume;
	struct view *view;
	uint64_t lsn;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = open_mailbox(task, volume, "INBOX");
	append_many(task, inbox, MANY);
	cr_assert_eq(view_open(task, inbox, NULL, &view), RP_OK);
	cr_assert_eq(volume_rename(task, volume, inbox_name, BYTES_LIT("Sent")), RP_ERR_EXISTS);
	looks.volume = volume;
	looks.from = inbox;
	looks.name = to;
	cr_assert_eq(task_start(task_loop(task), look_on, &looks, NULL), RP_OK);
	lsn = volume->catalog.lsn;
	cr_assert_eq(volume_rename(task, volume, inbox_name, to), RP_OK);
	looks.ends = true;
	cr_assert(!looks.saw_part);
	cr_assert_gt(looks.looks, 0);
	cr_assert_eq(volume->catalog.lsn, lsn + 1 + MANY / 100 + 2, "name, parts, expunged, counters");
	cr_assert_eq(mailbox_entry(inbox)->messages_count, 0);
	cr_assert_eq(mailbox_entry(inbox)->uidnext, MANY + 1);
	cr_assert_eq(runs_total(view_expunged(view)), MANY);
	cr_assert_not_null(volume_find(volume, BYTES_LIT("old")));
	cr_assert_eq(volume_find(volume, to)->messages_count, MANY);
	cr_assert_eq(volume_find(volume, to)->unseen_count, MANY / 2);
	cr_assert_eq(volume_find(volume, to)->uidnext, MANY + 1);
	view_close(view);
	mailbox_close(inbox);
	while (!looks.ended)
		cr_assert_eq(task_sleep(task, 1000), RP_OK);
	assert_kept(task, volume, store);
}

/* As many as a name can have: all of them are made by the same change, and one record has room for them. */
IO_TASK_TEST(volume_many, an_inbox_is_renamed_below_hundreds_that_are_not_there)
{
	enum { MANY = 64 * 10, DEEP = CHANGE_NAME_BYTES_MAX / 2 };
	struct store *store = open_with_small_breaths(task, 1);
	char name[2 * DEEP + 1];
	struct mailbox *inbox;
	struct volume *volume;
	size_t names;

	(void)arg;
	for (unsigned i = 0; i < DEEP; i++)
		memcpy(name + 2 * i, "a/", 2);
	name[2 * DEEP - 1] = 0;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = open_mailbox(task, volume, "INBOX");
	append_many(task, inbox, MANY);
	names = volume->catalog.count;
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("INBOX"), bytes_of_str(name)), RP_OK);
	cr_assert_eq(volume->catalog.count, names + DEEP);
	cr_assert_eq(volume_find(volume, bytes_of_str(name))->messages_count, MANY);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, 0);
	mailbox_close(inbox);
	assert_kept(task, volume, store);
}

static void rename_meanwhile(struct task *task, void *arg)
{
	struct onlooker *looks = arg;

	while (!looks->volume->changing && !looks->ends)
		cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_eq(
	    volume_rename(task, looks->volume, BYTES_LIT("INBOX"), BYTES_LIT("old")), RP_OK);
	looks->ended = true;
}

/* INBOX had few when it was asked for, and has very many when its turn comes. */
IO_TASK_TEST(volume_many, a_renaming_that_waited_lets_others_in_too)
{
	enum { MANY = 64 * 16 };
	struct store *store = open_with_small_breaths(task, 1);
	struct onlooker looks = {0};
	struct run each = {1, UINT32_MAX};
	struct runs all = {&each, 1, 1};
	struct runs out = RUNS_EMPTY;
	struct mailbox *inbox;
	struct mailbox *sent;
	uint32_t first_uid;
	uint64_t lsn;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &looks.volume), RP_OK);
	inbox = open_mailbox(task, looks.volume, "INBOX");
	sent = open_mailbox(task, looks.volume, "Sent");
	append_many(task, sent, MANY);
	made_append(task, looks.volume, "INBOX", 0, "a: b\r\n\r\n");
	cr_assert_eq(task_start(task_loop(task), rename_meanwhile, &looks, NULL), RP_OK);
	cr_assert_eq(mailbox_move(task, sent, &all, inbox, &out, &first_uid), RP_OK);
	looks.ends = true;
	runs_fini(&out);
	lsn = looks.volume->catalog.lsn;
	while (!looks.ended)
		cr_assert_eq(task_sleep(task, 1000), RP_OK);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, 0);
	cr_assert_eq(volume_find(looks.volume, BYTES_LIT("old"))->messages_count, MANY + 1);
	cr_assert_gt(looks.volume->catalog.lsn, lsn + MANY / 100, "not in one breath");
	mailbox_close(inbox);
	mailbox_close(sent);
	assert_kept(task, looks.volume, store);
}

/* A STORE is cut where what changes stands scattered, however its UIDs were named; and not where it is many that stand together. */
IO_TASK_TEST(volume_many, a_store_is_cut_where_what_changes_is_scattered)
{
	enum { MANY = 64 * 16 };
	struct mail_store flag = {.mode = MAIL_STORE_ADD, .flags = MAIL_FLAGGED};
	struct mail_store seen = {.mode = MAIL_STORE_ADD, .flags = MAIL_SEEN};
	struct store *store = open_with_small_breaths(task, 1);
	struct run each = {1, UINT32_MAX};
	struct runs all = {&each, 1, 1};
	struct run few = {1, 100};
	struct runs some = {&few, 1, 1};
	struct runs scattered = each_second(MANY);
	struct runs there = RUNS_EMPTY;
	struct volume *volume;
	struct mailbox *inbox;
	uint32_t part;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = open_mailbox(task, volume, "INBOX");
	append_many(task, inbox, MANY);
	cr_assert_eq(mailbox_store_cut(task, inbox, &all, &flag, &there, &part), RP_OK);
	cr_assert_eq(there.count, 0, "one run of all");
	cr_assert_eq(mailbox_store_cut(task, inbox, &some, &seen, &there, &part), RP_OK);
	cr_assert_eq(there.count, 0, "few messages");
	cr_assert_eq(mailbox_store_cut(task, inbox, &all, &seen, &there, &part), RP_OK);
	cr_assert_eq(part, 100);
	cr_assert_eq(there.count, 1, "each second one is it already");
	cr_assert_eq(there.run[0].last, MANY);
	runs_fini(&there);
	cr_assert_eq(mailbox_store_cut(task, inbox, &scattered, &flag, &there, &part), RP_OK);
	cr_assert_eq(there.count, MANY / 2);
	cr_assert_eq(there.run[MANY / 2 - 1].first, MANY - 1);
	runs_fini(&there);
	seen.has_unchangedsince = true;
	cr_assert_eq(mailbox_store_cut(task, inbox, &all, &seen, &there, &part), RP_OK);
	cr_assert_eq(there.count, 0, "none may be changed");
	runs_fini(&scattered);
	mailbox_close(inbox);
	assert_kept(task, volume, store);
}

struct mover {
	struct mailbox *mailbox;
	unsigned moves;
	bool ends;
	bool ended;
};

/* A MOVE to where they are already: nothing but UIDs and the journal grow. */
static void move_again_and_again(struct task *task, void *arg)
{
	struct mover *mover = arg;
	struct run each = {1, UINT32_MAX};
	struct runs all = {&each, 1, 1};

	while (!mover->ends) {
		struct runs out = RUNS_EMPTY;
		uint32_t first_uid;

		cr_assert_eq(mailbox_move(task, mover->mailbox, &all, mover->mailbox, &out, &first_uid),
		    RP_OK);
		runs_fini(&out);
		mover->moves++;
	}
	mover->ended = true;
}

/* Each of them puts a table in the place of the one that is being written. */
IO_TASK_TEST(volume_many, a_checkpoint_has_its_turn_among_moves_of_very_many)
{
	enum { MANY = 64 * 40, MOVERS = 2, ROUNDS = 6 };
	struct store *store = open_with_small_breaths(task, 1);
	struct mover mover[MOVERS] = {0};
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	for (unsigned i = 0; i < MOVERS; i++)
		mover[i].mailbox = open_mailbox(task, volume, "INBOX");
	append_many(task, mover[0].mailbox, MANY);
	for (unsigned i = 0; i < MOVERS; i++)
		cr_assert_eq(task_start(task_loop(task), move_again_and_again, &mover[i], NULL), RP_OK);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned moves = mover[0].moves;
		uint64_t lsn = volume->catalog.lsn;
		enum rp_err err;

		while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY && volume->checkpointing)
			cr_assert_eq(task_sleep(task, 100 * 1000), RP_OK);
		cr_assert_eq(err, RP_OK);
		cr_assert_geq(catalog_find(&volume->catalog, BYTES_LIT("INBOX"))->index_lsn, lsn);
		while (mover[0].moves == moves)
			cr_assert_eq(task_sleep(task, 100 * 1000), RP_OK);
	}
	for (unsigned i = 0; i < MOVERS; i++) {
		mover[i].ends = true;
		while (!mover[i].ended)
			cr_assert_eq(task_sleep(task, 1000), RP_OK);
		mailbox_close(mover[i].mailbox);
	}
	assert_kept(task, volume, store);
}
