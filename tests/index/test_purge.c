/* All of a user's mail goes, whenever it is cut short. */
#include "index/purge.h"

#include <stdio.h>

#include "index/mailbox_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

/* How many files he has. */
static unsigned files_count(struct task *task)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries;
	struct arena arena;
	size_t count = 0;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	enum rp_err err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count);

	cr_assert(err == RP_OK || err == RP_ERR_NOTFOUND);
	arena_fini(&arena);
	return (unsigned)count;
}

IO_TASK_TEST(purge, nothing_is_left_but_the_record_that_says_so)
{
	static const struct userid other = {{0x52, 0x46}};
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &other, &volume), RP_OK);
	made_append(task, volume, "INBOX", 0, "another's");
	volume_close(volume);
	cr_assert_gt(files_count(task), 4);
	for (unsigned i = 0; i < 2; i++) { /* the second time there is nothing to do */
		cr_assert_eq(purge_user(task, store, &made_user), RP_OK);
		cr_assert_eq(files_count(task), 1);
		cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_NOTFOUND);
	}
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, 3);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_NOTFOUND);
	cr_assert_eq(purge_user(task, store, &made_user), RP_OK);
	cr_assert_eq(files_count(task), 1);
	cr_assert_eq(volume_open(task, store, &other, &volume), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 1);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(purge, who_never_had_mail_can_have_none_any_more)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(purge_user(task, store, &made_user), RP_OK);
	cr_assert_eq(files_count(task), 1);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_NOTFOUND);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(purge, mail_whose_journals_are_gone_goes_too)
{
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	made_harm(task, MADE_JOURNAL, true);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_CORRUPT);
	cr_assert_eq(purge_user(task, store, &made_user), RP_OK);
	cr_assert_eq(files_count(task), 1);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, 3);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_NOTFOUND);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(purge, a_body_that_is_being_written_is_waited_for)
{
	struct store *store = made_open_store(task, 1);
	struct append message = {.internaldate = {1700000000, 0}};
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	made_append(task, volume, "INBOX", 0, "one");
	cr_assert_eq(body_begin(task, volume, &message.body), RP_OK);
	for (unsigned i = 0; i < 40; i++) { /* more than what goes through the log */
		static const char text[4096] = "x";

		cr_assert_eq(body_write(task, message.body, bytes_of(text, sizeof(text))), RP_OK);
	}
	cr_assert_eq(purge_user(task, store, &made_user), RP_ERR_BUSY);
	body_abort(message.body);
	cr_assert_eq(purge_user(task, store, &made_user), RP_OK);
	cr_assert_eq(files_count(task), 1);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A cache that is being written would come after all else has gone. */
SIM_TASK_TEST(purge, a_cache_that_is_being_written_is_waited_for)
{
	static const struct sim_faults slow = {.latency_ns_max = UINT64_C(10000000000)};
	static const struct sim_faults usual;
	struct io_fixture *fixture = arg;
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	struct mailbox *mailbox;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	made_append(task, volume, "INBOX", 0, "one");
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	mailbox_keep_entry(task, mailbox, 1, 1, BYTES_LIT("what he wrote, ready to send"));
	sim_set_faults(fixture->world, &slow);
	mailbox_close(
	    mailbox); /* writes it, in a task of its own, which comes to its first operation */
	cr_assert_eq(task_yield(task), RP_OK);
	sim_set_faults(fixture->world, &usual);
	cr_assert_eq(purge_user(task, store, &made_user), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cr_assert_eq(files_count(task), 1);
}

/* ---- the power goes ---- */

static struct {
	uint64_t digest;
	unsigned there;
	unsigned gone;
	bool ended;
} cut;

static void make(struct task *task, void *arg)
{
	(void)arg;
	made_mail(task, &cut.digest);
}

static void purge(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, 2);

	(void)arg;
	cr_assert_eq(purge_user(task, store, &made_user), RP_OK);
	cut.ended = true;
}

static void look(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, 3);
	struct volume *volume;
	enum rp_err err = volume_open(task, store, &made_user, &volume);

	(void)arg;
	if (err == RP_OK) {
		cr_assert(!cut.ended, "it was told, and it is back");
		cr_assert_eq(model_digest(task, volume), cut.digest);
		volume_close(volume);
		cut.there++;
	} else {
		cr_assert_eq(err, RP_ERR_NOTFOUND, "%s", err_name(err));
		cr_assert_eq(files_count(task), 1, "its files are left");
		cut.gone++;
	}
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* At every eighth step of it, and after its end. */
Test(purge, when_the_power_goes_all_is_there_or_nothing)
{
	struct loop_settings settings = {.files_max = 64};

	cut.ended = false;
	for (unsigned steps = 0; !cut.ended; steps += 8) {
		struct io_fixture fixture;

		io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
		io_fixture_run(&fixture, make, NULL);
		io_fixture_settle(&fixture);
		sim_disk_rest(fixture.world);
		cr_assert_eq(task_start(fixture.loop, purge, NULL, NULL), RP_OK);
		for (unsigned i = 0; i < steps && !cut.ended; i++)
			cr_assert(sim_step(fixture.world));
		sim_crash(fixture.world);
		cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
		io_fixture_run(&fixture, look, NULL);
		io_fixture_settle(&fixture);
		io_fixture_close(&fixture);
	}
	cr_assert_gt(cut.there, 3);
	cr_assert_gt(cut.gone, 3);
}
