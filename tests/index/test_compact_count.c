/* Files of bodies are looked at when there is enough of them, however little journal that took. */
#include <string.h>

#include "index/compact.h"
#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/wasted.h"
#include "tests/io/io_fixture.h"

IO_TASK_TEST(compact_count, large_mail_that_comes_and_goes_needs_no_checkpoint)
{
	enum { BYTES = 70 * 1000, FILE_BYTES = 200 * 1000, ROUNDS = 60, FILES_MAX = 6 };
	static char text[BYTES + 1];
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	struct mailbox *inbox;
	uint64_t most = 0;

	(void)arg;
	memset(text, 'x', BYTES);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	dbox_set_file_bytes(volume->dbox, FILE_BYTES);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t bytes;

		made_append(task, volume, "INBOX", MAIL_DELETED, text);
		cr_assert_eq(mailbox_expunge(task, inbox, NULL, NULL), RP_OK);
		wasted_wait(task, &volume->compact_runs);
		bytes = wasted_bytes(task, volume);
		most = bytes > most ? bytes : most;
	}
	mailbox_close(inbox);
	cr_assert_eq(volume->catalog_lsn, 0, "there was a checkpoint");
	cr_assert_gt(store->compacts_done, ROUNDS / 6);
	cr_assert_lt(most, FILES_MAX * FILE_BYTES, "%lu", (unsigned long)most);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
