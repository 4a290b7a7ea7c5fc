#include "tests/index/made_mail.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/store_state.h"
#include "index/volume_files.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"

const struct userid made_user = {{0x52, 0x45}};

struct store *made_open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	return open_recovered(task, &settings, epoch);
}

struct volume *made_open_volume(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	return volume;
}

void made_append(
    struct task *task, struct volume *volume, const char *name, uint32_t flags, const char *text)
{
	struct append message = {.flags = flags, .internaldate = {1700000000, 60}};
	struct mailbox *mailbox;
	uint32_t first_uid;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(body_begin(task, volume, &message.body), RP_OK);
	cr_assert_eq(body_write(task, message.body, bytes_of_str(text)), RP_OK);
	cr_assert_eq(mailbox_append(task, mailbox, &message, 1, &first_uid), RP_OK);
	mailbox_close(mailbox);
}

void made_mail(struct task *task, uint64_t *digest)
{
	struct store *store = made_open_store(task, 1);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("a/b"), 0, NULL), RP_OK);
	for (unsigned i = 0; i < 20; i++) {
		made_append(
		    task, volume, "INBOX", MAIL_SEEN, "one in INBOX, which is long enough to hit");
		made_append(task, volume, "a/b", MAIL_FLAGGED, "one in a/b");
	}
	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	made_append(task, volume, "INBOX", 0, "the last");
	*digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static bool is_it(struct bytes name, enum made_file what)
{
	static const char *const end[] = {".journal", ".dbox", ".index", ".catalog"};
	size_t n = strlen(end[what]);

	return name.n > n && memcmp(name.p + name.n - n, end[what], n) == 0;
}

void made_harm(struct task *task, enum made_file what, bool removes)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries;
	struct arena arena;
	size_t count;
	unsigned met = 0;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;
		uint64_t size;
		uint8_t bytes[128];
		size_t got;

		if (!is_it(entries[i].name, what))
			continue;
		met++;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		if (removes) {
			cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
			continue;
		}
		cr_assert_eq(
		    file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
		cr_assert_eq(file_size(task, file, &size), RP_OK);
		cr_assert_eq(file_read(task, file, bytes, sizeof(bytes), size / 2, &got), RP_OK);
		for (size_t k = 0; k < got; k++)
			bytes[k] ^= 0x55;
		cr_assert_eq(file_write(task, file, bytes, got, size / 2, false), RP_OK);
		file_close(file);
	}
	arena_fini(&arena);
	cr_assert_gt(met, 0);
}

void made_harm_between(struct task *task, uint64_t from, uint64_t to)
{
	char dir[USERID_PATH_BYTES];
	char path[USERID_PATH_BYTES + 32];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/1-.journal", dir);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	for (uint64_t at = from; at < to; at += 8)
		cr_assert_eq(file_write(task, file, "damaged!", 8, at, false), RP_OK);
	file_close(file);
}

void made_full_disk(struct task *task, struct sim_world *world, struct store *store)
{
	struct sim_faults faults = {.disk_bytes_max = UINT64_C(1) << 40};
	struct file_room room;

	cr_assert_eq(task_sleep(task, UINT64_C(2000000000)), RP_OK); /* the reserve is there */
	sim_set_faults(world, &faults);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	faults.disk_bytes_max = room.total_bytes - room.free_bytes + 512 * 1024;
	sim_set_faults(world, &faults);
	commit_look_at_room(task, store->commit);
	cr_assert_eq(commit_room(store->commit), COMMIT_ROOM_FULL);
}
