/* A user's first message, of which no record became durable: there was never anything, and nothing counts as lost. */
#include <errno.h>
#include <stdlib.h>

#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

static const struct userid new_user = {{0x4e}};

/* Whatever is written to the commit log is lost. */
static void break_log(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	static const struct sim_broken broken = {.write = EIO};

	(void)bytes;
	if (root == FILE_ROOT_COMMIT)
		cr_assert_eq(sim_break_file(arg, root, path, &broken), RP_OK);
}

static void mend_log(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	static const struct sim_broken sound = {0};

	(void)bytes;
	cr_assert_eq(sim_break_file(arg, root, path, &sound), RP_OK);
}

/* A first message of this size, of which no record becomes durable. */
static void lose_the_first(struct task *task, struct io_fixture *fixture, size_t bytes)
{
	struct store *store = made_open_store(task, 1);
	struct append message = {.internaldate = {1700000000, 0}};
	uint8_t *text = malloc(bytes);
	struct volume *volume;
	struct mailbox *inbox;
	uint32_t uid;
	enum rp_err err;

	sim_disk_walk(fixture->world, break_log, fixture->world);
	cr_assert_eq(volume_open(task, store, &new_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(body_begin(task, volume, &message.body), RP_OK);
	model_body(7, text, bytes);
	err = body_write(task, message.body, bytes_of(text, bytes));
	if (err == RP_OK)
		err = mailbox_append(task, inbox, &message, 1, &uid);
	if (err != RP_OK)
		body_abort(message.body);
	else
		err = store_wait_durable(task, store, volume_position(volume));
	cr_assert(err == RP_ERR_UNAVAILABLE || err == RP_ERR_UNKNOWN, "%s", err_name(err));
	free(text);
}

static void lose_a_small_one(struct task *task, void *arg)
{
	lose_the_first(task, arg, 1000);
}

static void lose_a_large_one(struct task *task, void *arg)
{
	lose_the_first(task, arg, 100 * 1000);
}

static void assert_begins(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, 2);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &new_user, &volume), RP_OK);
	cr_assert_eq(volume->catalog.lsn, 1);
	cr_assert_eq(shown_of(volume, "INBOX").uidnext, 1);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Then there is no file of bodies either, so it is not taken for mail whose journal is lost. */
static void lose_and_begin(task_fn *lose)
{
	struct loop_settings settings = {.files_max = 64};

	for (unsigned i = 0; i < 8; i++) { /* a name that was not synced may be there or not */
		struct io_fixture fixture;

		io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
		for (unsigned k = 0; k < i; k++)
			(void)sim_random(fixture.world);
		io_fixture_run(&fixture, lose, &fixture);
		sim_crash(fixture.world);
		sim_disk_walk(fixture.world, mend_log, fixture.world);
		cr_assert_eq(
		    sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
		io_fixture_run(&fixture, assert_begins, NULL);
		io_fixture_close(&fixture);
	}
}

Test(first_message, a_first_small_message_that_was_never_durable_is_no_loss)
{
	lose_and_begin(lose_a_small_one);
}

Test(first_message, a_first_large_message_that_was_never_durable_is_no_loss)
{
	lose_and_begin(lose_a_large_one);
}
