/* A disk that is full: new mail is refused, what is there is served, flags and expunges still work. */
#include <stdlib.h>

#include "index/dbox/dbox.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

static const struct userid user = { { 0x46 } };

static enum rp_err append(struct task *task, struct mailbox *mailbox, size_t bytes)
{
	struct append message = { .internaldate = { 1700000000, 0 } };
	uint8_t *text = malloc(bytes);
	uint32_t first_uid;
	enum rp_err err = body_begin(task, mailbox_volume(mailbox), &message.body);

	cr_assert_eq(err, RP_OK);
	model_body(7, text, bytes);
	err = body_write(task, message.body, bytes_of(text, bytes));
	if (err == RP_OK)
		err = mailbox_append(task, mailbox, &message, 1, &first_uid);
	if (err != RP_OK)
		body_abort(message.body);
	free(text);
	return err;
}

/* Until it is refused: *count were taken. */
static void fill(struct task *task, struct mailbox *mailbox, size_t bytes, unsigned *count)
{
	struct store *store = volume_store(mailbox_volume(mailbox));
	enum rp_err err;

	while ((err = append(task, mailbox, bytes)) == RP_OK) {
		++*count;
		cr_assert_lt(*count, 4000);
		cr_assert_eq(store_wait_durable(
				 task, store, volume_position(mailbox_volume(mailbox))),
		    RP_OK);
	}
	cr_assert_eq(err, RP_ERR_NOSPACE, "%s", err_name(err));
}

static uint64_t reserve_bytes(struct task *task)
{
	struct file *file;
	uint64_t bytes;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "reserve", FILE_READ, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &bytes), RP_OK);
	file_close(file);
	return bytes;
}

SIM_TASK_TEST(volume_full, a_full_disk_refuses_new_mail_and_serves_what_is_there)
{
	struct io_fixture *fixture = arg;
	struct store_settings settings = { .shards_count = 2, /* so the reserve is more than may be promised here */
		.commit_file_bytes = 512 * 1024,
		.unsettled_bytes_max = 2 * 1024 * 1024,
		.volumes_bytes_max = 1024 * 1024,
		.reader = &model_reader };
	struct sim_faults faults = { .disk_bytes_max = 24 * 1024 * 1024 };
	struct mail_store flag = { .mode = MAIL_STORE_ADD, .flags = MAIL_DELETED };
	struct runs uids = RUNS_EMPTY;
	struct store *store;
	struct volume *volume;
	struct mailbox *inbox;
	struct dbox_body *body;
	const char *reason;
	unsigned count = 0;
	uint64_t digest;
	uint64_t reserved;

	store = open_recovered(task, &settings, 1);
	cr_assert_eq(task_sleep(task, 1000000000), RP_OK); /* the reserve is made in the background */
	reserved = reserve_bytes(task);
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	fill(task, inbox, 30000, &count);
	fill(task, inbox, 100000, &count);
	cr_assert_gt(count, 20);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, count);
	cr_assert_not(store_failed(store));

	/* The room of the reserve is for what was promised, not for more. */
	cr_assert_eq(task_sleep(task, UINT64_C(3000000000)), RP_OK);
	cr_assert_eq(append(task, inbox, 30000), RP_ERR_NOSPACE);

	/* Reading and expunging still work. */
	cr_assert_eq(mailbox_body_open(task, inbox, 1, &body), RP_OK);
	cr_assert_eq(dbox_body_bytes(body), 30000);
	dbox_body_close(body);
	cr_assert_eq(runs_add(&uids, 1, 10), RP_OK);
	cr_assert_eq(mailbox_store(task, inbox, &uids, &flag, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, inbox, NULL, NULL), RP_OK);
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, count - 10);
	runs_fini(&uids);

	/* Space back: works without a restart. */
	faults.disk_bytes_max = 0;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK);
	cr_assert_eq(append(task, inbox, 100000), RP_OK);
	cr_assert_eq(append(task, inbox, 30000), RP_OK);
	cr_assert_eq(reserve_bytes(task), reserved); /* as large as it was */
	mailbox_close(inbox);
	digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cr_assert_eq(store_open(task, &settings, 2, &store, &reason), RP_OK);
	cr_assert_eq(store_recover(task, store), RP_OK);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static const struct store_settings crash_settings = {.shards_count = 1,
    .commit_file_bytes = 512 * 1024,
    .unsettled_bytes_max = 2 * 1024 * 1024,
    .volumes_bytes_max = 1024 * 1024,
    .reader = &model_reader};

static unsigned filled;

/* All files are in use, and there is no byte for another one, when the power goes. */
static void fill_and_vanish(struct task *task, void *arg)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {.disk_bytes_max = 12 * 1024 * 1024};
	struct store *store;
	struct volume *volume;
	struct mailbox *inbox;
	uint64_t free_bytes;
	uint64_t total_bytes;

	store = open_recovered(task, &crash_settings, 1);
	cr_assert_eq(task_sleep(task, 1000000000), RP_OK);
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	fill(task, inbox, 30000, &filled);
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK); /* it settles */
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &free_bytes, &total_bytes), RP_OK);
	faults.disk_bytes_max = total_bytes - free_bytes;
	sim_set_faults(fixture->world, &faults);
}

static void read_after_crash(struct task *task, void *arg)
{
	struct store *store;
	struct volume *volume;
	struct mailbox *inbox;
	struct dbox_body *body;
	const uint64_t *epoch = arg;

	store = open_recovered(task, &crash_settings, *epoch);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, filled);
	cr_assert_eq(mailbox_body_open(task, inbox, filled, &body), RP_OK);
	cr_assert_eq(dbox_body_bytes(body), 30000);
	dbox_body_close(body);
}

Test(volume_full, a_crash_on_a_full_disk_is_come_back_from_again_and_again)
{
	struct loop_settings settings = {.files_max = 64};
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&fixture, fill_and_vanish, &fixture);
	for (uint64_t epoch = 2; epoch < 6; epoch++) {
		sim_crash(fixture.world);
		cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
		io_fixture_run(&fixture, read_after_crash, &epoch);
	}
	sim_crash(fixture.world);
	cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
	io_fixture_close(&fixture);
}
