#include "tests/index/shown.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "index/volume_state.h"

struct shown shown_of(struct volume *volume, const char *name)
{
	const struct catalog_entry *entry = volume_find(volume, bytes_of_str(name));

	cr_assert_not_null(entry);
	return (struct shown){entry->uidvalidity, entry->uidnext, entry->highestmodseq};
}

struct volume *shown_open_made(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	return volume;
}

struct shown shown_make_more(struct task *task)
{
	struct store *store;
	struct volume *volume;
	struct shown shown;
	uint64_t digest;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = shown_open_made(task, store);
	for (unsigned i = 0; i < MORE; i++)
		made_append(task, volume, "INBOX", 0, "it is shown, and lost");
	shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	return shown;
}

struct file *shown_open_journal(struct task *task, const char *name, uint64_t *bytes)
{
	char dir[USERID_PATH_BYTES];
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, bytes), RP_OK);
	return file;
}

void shown_cut_journal(struct task *task, uint64_t bytes)
{
	uint64_t n;
	struct file *file = shown_open_journal(task, "1-.journal", &n);

	cr_assert_gt(n, bytes);
	cr_assert_eq(file_truncate(task, file, n - bytes), RP_OK);
	file_close(file);
}

void shown_damage_journal(struct task *task, uint64_t from, uint64_t to)
{
	uint64_t n;
	struct file *file = shown_open_journal(task, "1-.journal", &n);

	cr_assert_gt(n, to);
	for (uint64_t at = from; at < to; at += 8)
		cr_assert_eq(file_write(task, file, "damaged!", 8, at, false), RP_OK);
	file_close(file);
}

void shown_assert_above(const struct shown *now, const struct shown *shown)
{
	cr_assert_eq(now->uidvalidity, shown->uidvalidity);
	cr_assert_gt(now->uidnext, shown->uidnext + ROWS_MAX);
	cr_assert_lt(now->uidnext, UINT32_MAX / 1024);
	cr_assert_gt(now->highestmodseq, shown->highestmodseq);
}

void shown_lose_one_of_two(struct task *task, struct shown *of_ab, struct shown *of_inbox)
{
	struct store *store;
	struct volume *volume;
	uint64_t digest;
	uint64_t before;
	uint64_t after;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = shown_open_made(task, store);
	before = volume->journal->number_end;
	made_append(task, volume, "a/b", 0, "its record goes");
	after = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "its record stays");
	*of_ab = shown_of(volume, "a/b");
	*of_inbox = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	shown_damage_journal(task, before, after);
}
