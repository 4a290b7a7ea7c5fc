#include "index/checkpoint.h"
#include "index/mailbox.h"
#include "index/store.h"
#include "io/mapping.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { USERS = 60, FILES_MAX = 30, MAPPINGS_MAX = 2, LARGE_ROWS_MIN = 30000 };

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.volumes_bytes_max = 64 * 1024 * 1024;
	settings.files_max = FILES_MAX;
	settings.mappings_max = MAPPINGS_MAX;
	return open_recovered(task, &settings, epoch);
}

static struct volume *open_user(struct task *task, struct store *store, unsigned user)
{
	struct userid userid = {{0x40, (uint8_t)user, 0x20}};
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &userid, &volume), RP_OK);
	return volume;
}

/* Each user's mail lies in files of his own, which are written when he has long gone. */
IO_TASK_TEST(store_files, of_users_who_are_idle_are_closed)
{
	struct store *store = open_store(task, 1);
	size_t before = file_open_count(task_loop(task));

	(void)arg;
	for (uint32_t round = 1; round <= 2; round++) {
		for (unsigned user = 0; user < USERS; user++) {
			struct volume *volume = open_user(task, store, user);

			made_append(task, volume, "INBOX", 0, "Subject: x\r\n\r\nx\r\n");
			cr_assert_eq(
			    volume_find(volume, BYTES_LIT("INBOX"))->messages_count, round);
			volume_close(volume);
		}
		cr_assert_eq(task_sleep(task, UINT64_C(3) * 1000 * 1000 * 1000), RP_OK);
		cr_assert_leq(file_open_count(task_loop(task)), FILES_MAX);
		/* It is a bound, and not so much as it could be without one. */
		cr_assert_gt(file_open_count(task_loop(task)), before + FILES_MAX / 4);
	}
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A second is long: more users may get mail than may have files open. */
IO_TASK_TEST(store_files, of_users_who_wait_to_be_settled_do_not_pile_up)
{
	struct store *store = open_store(task, 1);
	size_t most = 0;

	(void)arg;
	for (int round = 1; round <= 2; round++) {
		for (unsigned user = 0; user < USERS; user++) {
			struct volume *volume = open_user(task, store, user);

			made_append(task, volume, "INBOX", 0, "Subject: x\r\n\r\nx\r\n");
			volume_close(volume);
			cr_assert_eq(store_wait_durable(task, store, store_position(store)), RP_OK);
			if (file_open_count(task_loop(task)) > most)
				most = file_open_count(task_loop(task));
		}
	}
	cr_assert_leq(most, FILES_MAX + FILES_MAX / 2);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* So many messages that its index is mapped. */
static void fill_large(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox;
	uint32_t count = 1;

	made_append(task, volume, name, 0, "Subject: x\r\n\r\nx\r\n");
	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	for (; count < LARGE_ROWS_MIN; count *= 2) {
		struct runs uids = RUNS_EMPTY;
		struct runs copied = RUNS_EMPTY;
		uint32_t first;

		cr_assert_eq(runs_add(&uids, 1, count), RP_OK);
		cr_assert_eq(mailbox_copy(task, mailbox, &uids, mailbox, &copied, &first), RP_OK);
		runs_fini(&uids);
		runs_fini(&copied);
	}
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, count);
	mailbox_close(mailbox);
}

IO_TASK_TEST(store_files, of_mailboxes_that_are_idle_are_not_mapped_for_ever)
{
	static const char *const names[] = {"INBOX", "Drafts", "Sent", "Trash", "Junk"};
	struct store *store = open_store(task, 1);
	struct volume *volume = open_user(task, store, 1);
	size_t most = 0;
	bool maps = ((struct io_fixture *)arg)->kind ==
	            IO_FIXTURE_URING; /* the simulator has files in memory */
	enum rp_err err;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		fill_large(task, volume, names[i]);
	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = open_store(task, 2);
	volume = open_user(task, store, 1);
	for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
		struct mailbox *mailbox;

		cr_assert_eq(
		    mailbox_open(task, volume,
		        bytes_of_str(names[i % (sizeof(names) / sizeof(names[0]))]), &mailbox),
		    RP_OK);
		cr_assert_geq(mailbox_entry(mailbox)->messages_count, LARGE_ROWS_MIN);
		if (mapping_count() > most)
			most = mapping_count();
		mailbox_close(mailbox);
		cr_assert_leq(mapping_count(), MAPPINGS_MAX);
	}
	cr_assert_eq(most, maps ? MAPPINGS_MAX + 1 : 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
