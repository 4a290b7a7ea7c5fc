/* Folders that bear the names of derived files: somebody has put them there, or a file system has made them of what was spoilt. */
#include <stdio.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/repair/repair.h"
#include "index/volume_files.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

struct folders {
	char path[8][VOLUME_PATH_BYTES];
	size_t count;
};

/* Each catalog, index and mark is removed, and a folder takes its place. */
static void make_folders(struct task *task, const char *with, struct folders *folders)
{
	char dir[USERID_PATH_BYTES];
	struct volume_files files;
	struct arena arena;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	folders->count = 0;
	cr_assert_eq(volume_files_list(task, dir, &arena, &files), RP_OK);
	for (size_t i = 0; i < files.count; i++) {
		char *path = folders->path[folders->count];
		char below[VOLUME_PATH_BYTES];

		if (volume_file_parse(files.entries[i].name).kind == VOLUME_FILE_OTHER)
			continue;
		cr_assert_lt(++folders->count, sizeof(folders->path) / sizeof(folders->path[0]));
		snprintf(
		    path, VOLUME_PATH_BYTES, "%s/%s", dir, (const char *)files.entries[i].name.p);
		snprintf(below, sizeof(below), "%s%s", path, with);
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
		cr_assert_eq(dir_make(task, FILE_ROOT_DATA, below), RP_OK);
	}
	arena_fini(&arena);
	cr_assert_geq(folders->count, 3);
}

static void assert_served(struct task *task, struct store *store, uint64_t digest)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	made_append(task, volume, "INBOX", 0, "one more");
	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	volume_close(volume);
}

IO_TASK_TEST(repair_folder, an_empty_one_goes)
{
	struct repair_report report;
	struct folders folders;
	struct store *store;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	make_folders(task, "", &folders);
	store = made_open_store(task, 2);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(report.derived_gone, 0);
	assert_served(task, store, digest);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void count_folders(void *arg, struct bytes line)
{
	if (memmem(line.p, line.n, "is a folder", 11) != NULL)
		++*(unsigned *)arg;
}

IO_TASK_TEST(repair_folder, one_with_files_is_named_and_stays)
{
	struct repair_report report;
	struct folders folders;
	struct dir_entry *entries;
	struct volume *volume;
	struct store *store;
	struct arena arena;
	unsigned named = 0;
	size_t count;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	make_folders(task, "/below", &folders);
	store = made_open_store(task, 2);
	/* So that the files that are made anew have other names. */
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	made_append(task, volume, "INBOX", 0, "one more");
	digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(
	    repair_rebuild(task, store, &made_user, count_folders, &named, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(named, folders.count);
	assert_served(task, store, digest);
	arena_init(&arena, 65536);
	for (size_t i = 0; i < folders.count; i++) {
		cr_assert_eq(
		    dir_list(task, FILE_ROOT_DATA, folders.path[i], &arena, &entries, &count),
		    RP_OK);
		cr_assert_eq(count, 1);
	}
	arena_fini(&arena);
	cr_assert_eq(store_close(task, store), RP_OK);
}
