/* What a cache that could not be written leaves: nothing that check would call damage. */
#include <stdlib.h>
#include <string.h>

#include "index/cache.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/volume_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/said.h"
#include "tests/io/io_fixture.h"

enum { ENTRY_BYTES = 100 * 1024, WRITTEN_NS = 10 * 1000 * 1000 };

static void path_of(const struct mailbox *mailbox, char path[VOLUME_PATH_BYTES])
{
	volume_path(mailbox->volume, path, "%llu.cache", (unsigned long long)mailbox->mailboxid);
}

/* An entry so large that it is written at once. */
static void keep(struct task *task, struct mailbox *mailbox, uint32_t uid)
{
	uint8_t *entry = malloc(ENTRY_BYTES);

	cr_assert_not_null(entry);
	memset(entry, 'e', ENTRY_BYTES);
	mailbox_keep_entry(task, mailbox, uid, 1000 + uid, bytes_of(entry, ENTRY_BYTES));
	free(entry);
	cr_assert_eq(task_sleep(task, WRITTEN_NS), RP_OK);
}

static void assert_sound(struct task *task)
{
	struct store *store = made_open_store(task, 2);
	struct repair_report report;
	struct said said = {0};

	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_not(repair_found_damage(&report), "%s", said.text);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Two messages in INBOX. */
static struct mailbox *begin(struct task *task, bool first_is_kept)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume;
	struct mailbox *mailbox;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	for (uint32_t uid = 1; uid <= 2; uid++)
		made_append(task, volume, "INBOX", 0, "Subject: x\r\n\r\nx\r\n");
	if (first_is_kept)
		keep(task, mailbox, 1);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	return mailbox;
}

static void end(struct task *task, struct mailbox *mailbox)
{
	struct volume *volume = mailbox->volume;
	struct store *store = volume->store;

	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

SIM_TASK_TEST(cache, that_had_no_room_to_begin_leaves_no_file)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {.disk_bytes_max = UINT64_C(1) << 30};
	struct mailbox *mailbox = begin(task, false);
	char path[VOLUME_PATH_BYTES];
	struct file_room room;
	uint64_t bytes;

	path_of(mailbox, path);
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	faults.disk_bytes_max = room.total_bytes - room.free_bytes;
	sim_set_faults(fixture->world, &faults);
	keep(task, mailbox, 1);
	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &bytes), RP_ERR_NOTFOUND);
	faults.disk_bytes_max = 0;
	sim_set_faults(fixture->world, &faults);
	end(task, mailbox);
	assert_sound(task);
}

/* What had reached the file of a write that failed is no entry: the next one would begin behind it. */
SIM_TASK_TEST(cache, that_was_written_in_part_ends_where_it_did)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {.write_eio = UINT16_MAX};
	struct mailbox *mailbox = begin(task, true);
	char path[VOLUME_PATH_BYTES];
	uint64_t before;
	uint64_t bytes;

	path_of(mailbox, path);
	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &before), RP_OK);
	cr_assert_gt(before, ENTRY_BYTES);
	sim_set_faults(fixture->world, &faults);
	keep(task, mailbox, 2);
	cr_assert_gt(sim_met(fixture->world)->writes_failed, 0);
	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &bytes), RP_OK);
	cr_assert_eq(bytes, before);
	faults.write_eio = 0;
	sim_set_faults(fixture->world, &faults);
	end(task, mailbox);
	assert_sound(task);
}

/* A crash between its being made and its first write. */
IO_TASK_TEST(cache, of_no_bytes_is_not_begun)
{
	struct mailbox *mailbox = begin(task, false);
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	(void)arg;
	path_of(mailbox, path);
	end(task, mailbox);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE, &file), RP_OK);
	file_close(file);
	assert_sound(task);
}

/* What is left on a full disk is for what was promised: an entry stays in memory till there is room. */
SIM_TASK_TEST(cache, takes_nothing_of_the_last_room)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {0};
	struct mailbox *mailbox = begin(task, false);
	struct store *store = mailbox->volume->store;
	char path[VOLUME_PATH_BYTES];
	uint64_t bytes;

	path_of(mailbox, path);
	made_full_disk(task, fixture->world, store);
	keep(task, mailbox, 1);
	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &bytes), RP_ERR_NOTFOUND);
	sim_set_faults(fixture->world, &faults);
	commit_look_at_room(task, store->commit);
	keep(task, mailbox, 2);
	cr_assert_eq(file_size_at(task, FILE_ROOT_DATA, path, &bytes), RP_OK);
	cr_assert_gt(bytes, 2 * ENTRY_BYTES);
	end(task, mailbox);
	assert_sound(task);
}
