/* Changes to so many messages that others have to be let in before they are over. */
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
