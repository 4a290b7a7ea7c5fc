/* The room of uploads that were not ended, or were refused, is there again at once; of those that a crash has cut short, when it is needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { UPLOAD_BYTES = 6 * 1024 * 1024, SMALL_BYTES = 100000 };

/* Of bodies, all files of the user together. */
static uint64_t bodies_bytes(struct task *task, const struct volume *volume)
{
	uint64_t sum = 0;

	for (uint32_t i = dbox_next_file(volume->dbox, 0); i != 0; i = dbox_next_file(volume->dbox, i)) {
		char path[VOLUME_PATH_BYTES];
		uint64_t bytes;

		volume_path(volume, path, "%u.dbox", i);
		cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &bytes), RP_OK);
		sum += bytes;
	}
	return sum;
}

static struct body_put *take_in(struct task *task, struct volume *volume, size_t bytes)
{
	uint8_t *text = malloc(bytes);
	struct body_put *put;

	model_body(7, text, bytes);
	cr_assert_eq(body_begin(task, volume, &put), RP_OK);
	cr_assert_eq(body_write(task, put, bytes_of(text, bytes)), RP_OK);
	free(text);
	return put;
}

static enum rp_err append(struct task *task, struct mailbox *mailbox, size_t bytes)
{
	struct append message = {.body = take_in(task, mailbox_volume(mailbox), bytes)};
	uint32_t first_uid;
	enum rp_err err = mailbox_append(task, mailbox, &message, 1, &first_uid);

	if (err != RP_OK)
		body_abort(message.body);
	return err;
}

static void let_run(struct task *task)
{
	cr_assert_eq(task_sleep(task, 100 * 1000 * 1000), RP_OK);
}

static void open_inbox(
    struct task *task, struct store *store, struct volume **volume, struct mailbox **inbox)
{
	cr_assert_eq(volume_open(task, store, &made_user, volume), RP_OK);
	cr_assert_eq(mailbox_open(task, *volume, BYTES_LIT("INBOX"), inbox), RP_OK);
}

IO_TASK_TEST(trim, an_upload_that_is_broken_off_gives_its_room_back)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	struct mailbox *inbox;
	struct body_put *put[2];
	uint64_t before;

	(void)arg;
	open_inbox(task, store, &volume, &inbox);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	before = bodies_bytes(task, volume);
	for (int i = 0; i < 2; i++)
		put[i] = take_in(task, volume, UPLOAD_BYTES);
	cr_assert_gt(bodies_bytes(task, volume), before + UPLOAD_BYTES);
	for (int i = 0; i < 2; i++)
		body_abort(put[i]);
	let_run(task);
	cr_assert_lt(bodies_bytes(task, volume), before + 64 * 1024);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* It was all there, and durable, and then the mailbox was not. */
IO_TASK_TEST(trim, an_upload_that_is_refused_at_its_end_gives_its_room_back)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	struct mailbox *inbox;
	struct mailbox *box;
	uint64_t mailboxid;
	uint64_t before;

	(void)arg;
	open_inbox(task, store, &volume, &inbox);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("box"), 0, &mailboxid), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("box"), &box), RP_OK);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("box")), RP_OK);
	before = bodies_bytes(task, volume);
	cr_assert_neq(append(task, box, UPLOAD_BYTES), RP_OK);
	let_run(task);
	cr_assert_eq(bodies_bytes(task, volume), before);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	mailbox_close(box);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static struct body_put *volatile vanished; /* so the leak sanitizer knows it */

/* The server is killed in the midst of an upload. */
static void upload_and_vanish(struct task *task, void *arg)
{
	struct io_fixture *fixture = arg;
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	struct mailbox *inbox;

	open_inbox(task, store, &volume, &inbox);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	vanished = take_in(task, volume, UPLOAD_BYTES);
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	sim_disk_rest(fixture->world);
}

/* There is as much room as new mail is refused at; what was left is twice that. */
static void find_room(struct task *task, void *arg)
{
	struct io_fixture *fixture = arg;
	struct store *store = made_open_store(task, 2);
	struct volume *volume;
	struct mailbox *inbox;

	made_full_disk(task, fixture->world, store);
	open_inbox(task, store, &volume, &inbox);
	let_run(task);
	cr_assert_lt(bodies_bytes(task, volume), 4 * SMALL_BYTES);
	cr_assert_eq(commit_room(store->commit), COMMIT_ROOM_ENOUGH);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

Test(trim, what_a_killed_server_has_left_of_an_upload_is_room_for_others)
{
	struct loop_settings settings = {.files_max = 64};
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&fixture, upload_and_vanish, &fixture);
	sim_crash(fixture.world);
	cr_assert_eq(sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
	io_fixture_run(&fixture, find_room, &fixture);
	io_fixture_settle(&fixture);
	io_fixture_close(&fixture);
}

/* It began while there was room: then it does not go on into what was promised to others. */
SIM_TASK_TEST(trim, an_upload_ends_where_new_mail_is_refused)
{
	enum { PIECE_BYTES = 64 * 1024, PIECES = 256 };
	static const uint8_t piece[PIECE_BYTES];
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {.disk_bytes_max = UINT64_C(1) << 40};
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	struct mailbox *inbox;
	struct body_put *put;
	struct file_room room;
	enum rp_err err = RP_OK;

	cr_assert_eq(task_sleep(task, UINT64_C(2000000000)), RP_OK);
	open_inbox(task, store, &volume, &inbox);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	faults.disk_bytes_max = room.total_bytes - room.free_bytes + 8 * 1024 * 1024;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(body_begin(task, volume, &put), RP_OK);
	for (unsigned i = 0; err == RP_OK && i < PIECES; i++)
		err = body_write(task, put, bytes_of(piece, sizeof(piece)));
	cr_assert_eq(err, RP_ERR_NOSPACE);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	cr_assert_gt(room.free_bytes, 2 * 1024 * 1024);
	body_abort(put);
	let_run(task);
	cr_assert_eq(append(task, inbox, SMALL_BYTES), RP_OK);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
