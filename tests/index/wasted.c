#include "tests/index/wasted.h"

#include <criterion/criterion.h>

#include "index/checkpoint.h"
#include "index/commit.h"
#include "index/compact.h"
#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"

struct store *wasted_open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.journal_file_bytes = 16 * 1024;
	settings.dbox_file_bytes = 32 * 1024;
	return open_recovered(task, &settings, epoch);
}

void wasted_wait(struct task *task, const bool *busy)
{
	while (*busy)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
}

void wasted_checkpoint(struct task *task, struct volume *volume)
{
	enum rp_err err;

	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
	wasted_wait(task, &volume->merging);
}

/* Of all files of bodies. */
uint64_t wasted_bytes(struct task *task, struct volume *volume)
{
	uint64_t bytes = 0;

	for (uint32_t file = 1; file <= dbox_last_file(volume->dbox); file++) {
		uint64_t more;

		if (dbox_file_bytes(task, volume->dbox, file, &more) == RP_OK)
			bytes += more;
	}
	return bytes;
}

void wasted_append(struct task *task, struct volume *volume, uint32_t seed, uint32_t flags)
{
	char text[4001];

	model_body(seed, (uint8_t *)text, sizeof(text) - 1);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + (uint8_t)text[i] % 26);
	text[sizeof(text) - 1] = 0;
	made_append(task, volume, "INBOX", flags, text);
}

void wasted_make(struct task *task, struct volume *volume)
{
	struct mailbox *mailbox;

	cr_assert_eq(compact_hold(task, volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	for (unsigned i = 0; i < WASTED_FILES * WASTED_IN_FILE; i++) {
		bool odd = i / WASTED_IN_FILE + 1 == WASTED_ODD;

		wasted_append(task, volume, i + 1, i % WASTED_IN_FILE < (odd ? 1 : WASTED_STAY) ? 0 : MAIL_DELETED);
	}
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
	cr_assert_eq(commit_wait(task, volume->store->commit, volume->position), RP_OK);
	cr_assert_eq(settle_flush(task, volume->store->commit, &volume->settle), RP_OK);
	wasted_wait(task, &volume->checkpointing); /* which would begin one */
	compact_let_go(volume);
}

struct loop *wasted_start(struct sim_world *world, task_fn *fn, void *arg)
{
	struct loop_settings settings = {.files_max = 1024, .pinned_bytes = 1 << 20};
	struct loop *loop;

	cr_assert_eq(sim_loop_open(world, &settings, &loop), RP_OK);
	cr_assert_eq(task_start(loop, fn, arg, NULL), RP_OK);
	return loop;
}
