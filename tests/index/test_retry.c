/* An LMTP delivery whose answer was lost comes again: it is stored once, over crashes and checkpoints. */
#include <stdlib.h>

#include "index/checkpoint.h"
#include "index/delivered.h"
#include "index/volume_state.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

static const struct userid user = { { 0x52 } };
static const struct delivery_key first = { 11, 12 };

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = { .shards_count = 1,
		.commit_file_bytes = 512 * 1024,
		.unsettled_bytes_max = 2 * 1024 * 1024,
		.volumes_bytes_max = 1024 * 1024,
		.reader = &model_reader };
	struct store *store;
	const char *reason;

	cr_assert_eq(store_open(task, &settings, epoch, &store, &reason), RP_OK);
	return store;
}

/* size over 64 KiB: streamed. */
static enum rp_err deliver(
    struct task *task, struct volume *volume, const struct delivery_key *key, size_t size)
{
	struct append message = { .internaldate = { 1700000000, 0 }, .delivery = key };
	uint8_t *text = malloc(size);
	struct mailbox *inbox;
	uint32_t uid;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(body_begin(task, volume, &message.body), RP_OK);
	model_body(7, text, size);
	cr_assert_eq(body_write(task, message.body, bytes_of(text, size)), RP_OK);

	enum rp_err err = mailbox_append(task, inbox, &message, 1, &uid);

	if (err != RP_OK)
		body_abort(message.body);
	mailbox_close(inbox);
	free(text);
	return err;
}

static uint32_t messages(struct volume *volume)
{
	return volume_find(volume, BYTES_LIT("INBOX"))->messages_count;
}

IO_TASK_TEST(retry, a_delivery_is_stored_once_and_an_append_as_often_as_it_comes)
{
	struct delivery_key second = { 11, 13 };
	struct store *store = open_store(task, 1);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_not(volume_was_delivered(volume, &first));
	cr_assert_eq(deliver(task, volume, &first, 3000), RP_OK);
	cr_assert(volume_was_delivered(volume, &first));
	cr_assert_eq(deliver(task, volume, &first, 3000), RP_ERR_EXISTS);
	cr_assert_eq(deliver(task, volume, &first, 100000), RP_ERR_EXISTS);
	cr_assert_eq(messages(volume), 1);
	cr_assert_eq(deliver(task, volume, &second, 100000), RP_OK);
	cr_assert_eq(deliver(task, volume, NULL, 3000), RP_OK);
	cr_assert_eq(deliver(task, volume, NULL, 3000), RP_OK);
	cr_assert_eq(messages(volume), 4);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(retry, the_journal_and_a_checkpoint_remember)
{
	struct volume *volume;
	struct store *store;

	(void)arg;
	for (uint64_t epoch = 1; epoch <= 3; epoch++) {
		struct delivery_key key = { 100, epoch };

		store = open_store(task, epoch);
		cr_assert_eq(store_recover(task, store), RP_OK);
		cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
		for (uint64_t i = 1; i < epoch; i++)
			cr_assert_eq(
			    deliver(task, volume, &(struct delivery_key){ 100, i }, 3000), RP_ERR_EXISTS);
		cr_assert_eq(deliver(task, volume, &key, 3000), RP_OK);
		if (epoch == 2) {
			cr_assert_eq(checkpoint_now(task, volume), RP_OK);
			cr_assert_gt(volume->catalog_lsn, 0);
		}
		cr_assert_eq(messages(volume), epoch);
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
	}
}

static void deliver_and_vanish(struct task *task, void *arg)
{
	struct store *store = open_store(task, 1);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(deliver(task, volume, &first, 3000), RP_OK);
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	/* Durable; before anybody is told, the power goes. */
}

static void deliver_again(struct task *task, void *arg)
{
	struct io_fixture *fixture = arg;
	struct store *store = open_store(task, 2);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(deliver(task, volume, &first, 3000), RP_ERR_EXISTS);
	cr_assert_eq(messages(volume), 1);
	sim_jump_wall(fixture->world, DELIVERED_S + 3600);
	cr_assert_eq(deliver(task, volume, &first, 3000), RP_OK, "a day later it is another message");
	cr_assert_eq(messages(volume), 2);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* The outcome is unknown to the MTA, which sends it again. */
Test(retry, a_crash_between_durable_and_the_answer_stores_it_once)
{
	struct io_fixture fixture;
	struct loop_settings settings = { .files_max = 64 };

	io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&fixture, deliver_and_vanish, NULL);
	sim_crash(fixture.world);
	cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
	io_fixture_run(&fixture, deliver_again, &fixture);
	io_fixture_settle(&fixture);
	io_fixture_close(&fixture);
}
