#include "index/purge.h"

#include <stdio.h>

#include "index/checkpoint.h"
#include "index/journal_core.h"
#include "index/volume_state.h"
#include "io/base/clock.h"

enum {
	PURGE_LIST_BYTES_MAX = 32 * 1024 * 1024, /* the names in a directory */
	PURGE_TRIES_MAX =
	    50, /* a checkpoint that runs, a body that is being written: they end soon */
};
#define PURGE_POLL_NS (CLOCK_NS_PER_S / 10)

static bool ends_in(struct bytes name, struct bytes end)
{
	return name.n > end.n && bytes_eq(bytes_from(name, name.n - end.n), end);
}

/* A file of mail, or one that was made from some. What else somebody has put there is not ours. */
static bool goes(struct bytes name, uint64_t lsn)
{
	static const char *const kinds[] = {
	    ".dbox", ".catalog", ".index", ".cache", ".grams", ".checkpoint",
	    ".tmp"};
	struct journal_file file;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (ends_in(name, bytes_of_str(kinds[i])))
			return true;
	return journal_core_parse_name(name, &file) && file.first < lsn && file.last < lsn;
}

static bool has_tombstone(const struct dir_entry *names, size_t count, uint64_t lsn)
{
	struct journal_file file;

	for (size_t i = 0; i < count; i++)
		if (journal_core_parse_name(names[i].name, &file) && file.first == lsn)
			return true;
	return false;
}

static enum rp_err remove_names(
    struct task *task, const char *dir, const struct dir_entry *names, size_t count, uint64_t lsn)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < count; i++) {
		char path[VOLUME_PATH_BYTES];

		if (names[i].is_dir || !goes(names[i].name, lsn))
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(names[i].name));
		err = file_remove(task, FILE_ROOT_DATA, path);
	}
	return err;
}

enum rp_err purge_files(
    struct task *task, const char *dir, struct journal *journal, struct dbox *dbox, uint64_t lsn)
{
	struct dir_entry *names;
	struct arena arena;
	size_t count;

	arena_init(&arena, PURGE_LIST_BYTES_MAX);

	enum rp_err err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &names, &count);

	if (err != RP_OK || !has_tombstone(names, count, lsn)) {
		arena_fini(&arena);
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	}
	for (uint32_t file = 0; err == RP_OK && (file = dbox_next_file(dbox, file)) != 0;)
		err = dbox_remove(task, dbox, file);
	if (err == RP_OK)
		err = journal_remove_below(task, journal, lsn);
	if (err == RP_OK)
		err = remove_names(task, dir, names, count, lsn);
	arena_fini(&arena);
	return err;
}

static enum rp_err destroy(struct task *task, struct volume *volume)
{
	enum rp_err err = volume_destroy(task, volume);

	/* Somebody else may have done it meanwhile. */
	return volume->catalog.destroyed ? RP_OK : err;
}

enum rp_err purge_user(struct task *task, struct store *store, const struct userid *userid)
{
	struct volume *volume;
	enum rp_err err = volume_open(task, store, userid, &volume);

	/* Done before, or so damaged that nobody is served from it: it goes as it is. */
	if (err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT)
		err = volume_open_any(task, store, userid, &volume);
	if (err != RP_OK)
		return err;
	err = destroy(task, volume);
	if (err == RP_OK)
		err = volume_settle(task, volume);
	if (err == RP_OK)
		err = checkpoint_now(task, volume);
	for (unsigned i = 0; err == RP_ERR_BUSY && i < PURGE_TRIES_MAX; i++) {
		err = task_sleep(task, PURGE_POLL_NS);
		if (err == RP_OK)
			err = checkpoint_now(task, volume);
	}
	volume_close(volume);
	return err;
}
