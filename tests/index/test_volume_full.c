/* A disk that is full: new mail is refused, what is there is served, flags and expunges still work. */
#include <stdlib.h>

#include "index/claim.h"
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

/* Began on a disk without room for the reserve: nobody has given it up, and it is not there. */
SIM_TASK_TEST(volume_full, a_reserve_that_found_no_room_at_the_start_is_made_when_there_is_some)
{
	struct io_fixture *fixture = arg;
	struct store_settings settings = { .shards_count = 2,
		.commit_file_bytes = 512 * 1024,
		.unsettled_bytes_max = 2 * 1024 * 1024,
		.volumes_bytes_max = 1024 * 1024,
		.reader = &model_reader };
	struct sim_faults faults = { .disk_bytes_max = 5 * 1024 * 1024 }; /* as much as the reserve alone */
	struct store *store;
	struct volume *volume;
	struct mailbox *inbox;
	struct file *file;

	sim_set_faults(fixture->world, &faults);
	store = open_recovered(task, &settings, 1);
	cr_assert_eq(task_sleep(task, UINT64_C(1000000000)), RP_OK);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, "reserve", FILE_READ, &file), RP_ERR_NOTFOUND);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_ERR_NOSPACE, "no room but what a reserve is for");

	faults.disk_bytes_max = 0;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(task_sleep(task, UINT64_C(3000000000)), RP_OK);
	cr_assert_eq(reserve_bytes(task), 5 * 1024 * 1024);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(append(task, inbox, 30000), RP_OK);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static const struct store_settings scarce_settings = { .shards_count = 1,
	.commit_file_bytes = 512 * 1024,
	.unsettled_bytes_max = 2 * 1024 * 1024,
	.volumes_bytes_max = 1024 * 1024,
	.reader = &model_reader };

static enum rp_err set_flag(struct task *task, struct mailbox *mailbox, enum mail_store_mode mode, uint32_t flags)
{
	struct mail_store store = { .mode = mode, .flags = flags };
	struct runs uids = RUNS_EMPTY;
	enum rp_err err;

	/* Each by itself, so that a change is some hundred bytes. */
	for (uint32_t uid = 1; uid < 200; uid += 2)
		cr_assert_eq(runs_add(&uids, uid, uid), RP_OK);
	err = mailbox_store(task, mailbox, &uids, &store, NULL, NULL);
	runs_fini(&uids);
	return err;
}

static void durable(struct task *task, struct volume *volume)
{
	cr_assert_eq(store_wait_durable(task, volume_store(volume), volume_position(volume)), RP_OK);
}

SIM_TASK_TEST(volume_full, flags_on_a_full_disk_leave_room_for_expunges)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = { .disk_bytes_max = 12 * 1024 * 1024 };
	struct store *store = open_recovered(task, &scarce_settings, 1);
	struct volume *volume;
	struct mailbox *inbox;
	unsigned count = 0;
	unsigned changes = 0;
	enum rp_err err = RP_OK;

	cr_assert_eq(task_sleep(task, 1000000000), RP_OK);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	for (unsigned i = 0; i < 200; i++)
		cr_assert_eq(append(task, inbox, 1000), RP_OK);
	sim_set_faults(fixture->world, &faults);
	fill(task, inbox, 30000, &count);
	for (; err == RP_OK; changes++) {
		cr_assert_lt(changes, 50000, "somebody may fill the disk for all");
		err = set_flag(task, inbox, changes % 2 == 0 ? MAIL_STORE_ADD : MAIL_STORE_REMOVE, MAIL_FLAGGED);
		durable(task, volume);
		cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	}
	cr_assert_gt(changes, 100, "there was room for flags");
	cr_assert_eq(err, RP_ERR_NOSPACE, "%s", err_name(err));
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("x"), true), RP_ERR_NOSPACE);
	cr_assert_eq(set_flag(task, inbox, MAIL_STORE_ADD, MAIL_DELETED), RP_OK);
	cr_assert_eq(set_flag(task, inbox, MAIL_STORE_REMOVE, MAIL_DELETED), RP_ERR_NOSPACE);
	cr_assert_eq(mailbox_expunge(task, inbox, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, 100 + count);
	durable(task, volume);
	faults.disk_bytes_max = 0;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK);
	cr_assert_eq(set_flag(task, inbox, MAIL_STORE_ADD, MAIL_FLAGGED), RP_OK);
	cr_assert_eq(append(task, inbox, 30000), RP_OK);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

SIM_TASK_TEST(volume_full, a_disk_that_takes_no_more_files_refuses_who_needs_some)
{
	static const struct userid other = { { 0x47 } };
	struct io_fixture *fixture = arg;
	struct sim_faults faults = { .no_more_files = true };
	struct store *store = open_recovered(task, &scarce_settings, 1);
	struct volume *volume;
	struct volume *new_one;
	struct mailbox *inbox;

	cr_assert_eq(task_sleep(task, 1000000000), RP_OK);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	for (unsigned i = 0; i < 200; i++)
		cr_assert_eq(append(task, inbox, 1000), RP_OK);
	durable(task, volume);
	cr_assert_eq(task_sleep(task, UINT64_C(2000000000)), RP_OK);

	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(volume_open(task, store, &other, &new_one), RP_ERR_NOSPACE);
	cr_assert_eq(append(task, inbox, 1000), RP_ERR_NOSPACE);
	cr_assert_eq(set_flag(task, inbox, MAIL_STORE_ADD, MAIL_DELETED), RP_OK);
	cr_assert_eq(mailbox_expunge(task, inbox, NULL, NULL), RP_OK);
	durable(task, volume);
	cr_assert_eq(task_sleep(task, UINT64_C(30000000000)), RP_OK);
	cr_assert_not(store_failed(store));

	faults.no_more_files = false;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(task_sleep(task, UINT64_C(2000000000)), RP_OK);
	cr_assert_eq(append(task, inbox, 1000), RP_OK);
	cr_assert_eq(volume_open(task, store, &other, &new_one), RP_OK);
	volume_close(new_one);
	mailbox_close(inbox);
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
	struct file_room room;

	store = open_recovered(task, &crash_settings, 1);
	cr_assert_eq(task_sleep(task, 1000000000), RP_OK);
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	fill(task, inbox, 30000, &filled);
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK); /* it settles */
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	/* Not for another log, but for a name or a file that the power cut brings back. */
	faults.disk_bytes_max = room.total_bytes - room.free_bytes + 64 * 1024;
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

/* A start that the power cuts short when its logs are there, and nothing that earlier ones left is in its place. */
static void start_and_vanish(struct task *task, void *arg)
{
	const uint64_t *epoch = arg;
	struct store *store;
	const char *reason = NULL;

	cr_assert_eq(store_open(task, &crash_settings, *epoch, &store, &reason), RP_OK, "start %lu: %s",
	    (unsigned long)*epoch, reason);
	cr_assert_eq(task_sleep(task, UINT64_C(2000000000)), RP_OK); /* it would make more logs */
}

static uint64_t free_bytes;

static void see_room(struct task *task, void *arg)
{
	struct file_room room;

	(void)arg;
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	free_bytes = room.free_bytes;
	if (claim_reserve_is_there(task, 1))
		free_bytes += reserve_bytes(task);
}

Test(volume_full, starts_on_a_full_disk_that_are_cut_short_leave_the_room_of_what_was_promised)
{
	struct loop_settings settings = {.files_max = 64};
	struct io_fixture fixture;
	uint64_t before;
	uint64_t epoch;

	io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&fixture, fill_and_vanish, &fixture);
	io_fixture_run(&fixture, see_room, NULL);
	before = free_bytes;
	for (epoch = 2; epoch < 20; epoch++) {
		sim_crash(fixture.world);
		cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
		io_fixture_run(&fixture, start_and_vanish, &epoch);
	}
	io_fixture_run(&fixture, see_room, NULL);
	cr_assert_geq(free_bytes + crash_settings.commit_file_bytes, before, "%lu of %lu", (unsigned long)free_bytes,
	    (unsigned long)before);
	sim_crash(fixture.world);
	cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
	io_fixture_run(&fixture, read_after_crash, &epoch);
	sim_crash(fixture.world);
	cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
	io_fixture_close(&fixture);
}
