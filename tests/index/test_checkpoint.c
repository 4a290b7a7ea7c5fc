#include <stdio.h>

#include "index/checkpoint.h"
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
