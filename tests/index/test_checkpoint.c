#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/cache.h"
#include "index/checkpoint.h"
#include "index/mailbox_state.h"
#include "tests/index/made_mail.h"
#include "tests/io/io_fixture.h"

enum { MAILBOXES = 200 };

/* A message in each of many mailboxes is little journal and many files. */
IO_TASK_TEST(checkpoint, waits_for_a_quarter_of_what_it_would_write)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	char name[16];

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	for (int i = 0; i < MAILBOXES; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		cr_assert_eq(volume_create(task, volume, bytes_of_str(name), 0, NULL), RP_OK);
		made_append(task, volume, name, 0, "Subject: x\r\n\r\nx\r\n");
	}
	volume->unwritten_bytes = MAILBOXES * CHECKPOINT_FILE_BYTES / 4;
	cr_assert_gt(volume->unwritten_bytes, CHECKPOINT_BYTES_MIN);
	checkpoint_consider(volume);
	cr_assert_not(volume->checkpointing);
	volume->unwritten_bytes += CHECKPOINT_BYTES_MIN;
	checkpoint_consider(volume);
	cr_assert(volume->checkpointing);
	while (volume->checkpointing)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_gt(volume->checkpoint_at_bytes, 0);
	/* All of them are written: a change of one alone is soon one file's worth again. */
	made_append(task, volume, "m1", 0, "Subject: y\r\n\r\ny\r\n");
	volume->unwritten_bytes = CHECKPOINT_BYTES_MIN;
	checkpoint_consider(volume);
	cr_assert(volume->checkpointing);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A mailbox of one size, through which mail goes: what was rendered of it does not stay for ever. */
IO_TASK_TEST(checkpoint, drops_a_cache_of_messages_that_have_gone)
{
	enum { ROUNDS = 8, ENTRY_BYTES = 200 * 1024 };
	struct store *store = made_open_store(task, 1);
	struct store_stats stats;
	uint8_t *entry = malloc(ENTRY_BYTES);
	struct mailbox *mailbox;
	struct volume *volume;
	uint64_t most = 0;
	char path[VOLUME_PATH_BYTES];

	(void)arg;
	cr_assert_not_null(entry);
	memset(entry, 'e', ENTRY_BYTES);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	volume_path(volume, path, "%llu.cache", (unsigned long long)mailbox->mailboxid);
	for (unsigned i = 1; i <= 4 * ROUNDS; i++) {
		struct arena arena;
		struct bytes found;
		struct file *file;
		uint64_t bytes = 0;

		made_append(task, volume, "INBOX", MAIL_DELETED, "Subject: x\r\n\r\nx\r\n");
		mailbox_keep_entry(task, mailbox, i, 1000 + i, bytes_of(entry, ENTRY_BYTES));
		arena_init(&arena, 1024 * 1024);
		cr_assert_eq(mailbox_cache(task, mailbox, i, &arena, &found), RP_OK);
		cr_assert_gt(found.n, 0);
		arena_fini(&arena);
		cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
		cr_assert_eq(task_sleep(task, 10 * 1000 * 1000), RP_OK); /* it is written */
		if (i % 4 != 0)
			continue;
		cr_assert_eq(checkpoint_now(task, volume), RP_OK);
		if (file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file) == RP_OK) {
			cr_assert_eq(file_size(task, file, &bytes), RP_OK);
			file_close(file);
		}
		most = bytes > most ? bytes : most;
	}
	cr_assert_gt(most, 0);
	cr_assert_leq(most, CACHE_SPARE_BYTES);
	store_stats(store, &stats);
	cr_assert_eq(stats.checkpoints, ROUNDS);
	mailbox_close(mailbox);
	free(entry);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* What has gathered is not forgotten: it is tried again though little comes after it. */
SIM_TASK_TEST(checkpoint, that_failed_is_tried_again)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {.disk_bytes_max = UINT64_C(1) << 30};
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	struct file_room room;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	made_append(task, volume, "INBOX", 0, "Subject: x\r\n\r\nx\r\n");
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	faults.disk_bytes_max = room.total_bytes - room.free_bytes;
	sim_set_faults(fixture->world, &faults);
	volume->unwritten_bytes = CHECKPOINT_BYTES_MIN;
	cr_assert_eq(checkpoint_now(task, volume), RP_ERR_NOSPACE);

	faults.disk_bytes_max = 0;
	sim_set_faults(fixture->world, &faults);
	checkpoint_consider(volume);
	cr_assert_not(volume->checkpointing, "too early");
	cr_assert_eq(task_sleep(task, UINT64_C(61000000000)), RP_OK);
	checkpoint_consider(volume);
	cr_assert(volume->checkpointing);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
