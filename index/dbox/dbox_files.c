/* Which files a dbox has: found by their names, kept by number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox.h"
#include "index/dbox/dbox_core.h"

enum { LIST_BYTES_MAX = 16 * 1024 * 1024 }; /* of the names in one user's directory */

void dbox_core_path(
    const struct dbox *dbox, uint32_t number, uint32_t standin, char path[DBOX_CORE_PATH_BYTES])
{
	if (standin == 0)
		snprintf(path, DBOX_CORE_PATH_BYTES, "%s/%u.dbox", dbox->dir, number);
	else
		snprintf(path, DBOX_CORE_PATH_BYTES, "%s/%u-%u.dbox", dbox->dir, number, standin);
}

static size_t lower(const struct dbox *dbox, uint32_t number)
{
	size_t from = 0;
	size_t to = dbox->files_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (dbox->files[middle]->number < number)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct dbox_file *dbox_core_find(struct dbox *dbox, uint32_t number)
{
	size_t at = lower(dbox, number);

	if (at == dbox->files_count || dbox->files[at]->number != number)
		return NULL;
	return dbox->files[at];
}

struct dbox_file *dbox_core_newest(struct dbox_file *file)
{
	while (file->next != NULL)
		file = file->next;
	return file;
}

struct dbox_file *dbox_core_new(struct dbox *dbox, uint32_t number, uint32_t standin)
{
	struct dbox_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return NULL;
	list_init(&file->lru);
	file->dbox = dbox;
	file->number = number;
	file->standin = standin;
	return file;
}

enum rp_err dbox_core_add(struct dbox *dbox, uint32_t number, struct dbox_file **out)
{
	size_t at = lower(dbox, number);

	RP_ASSERT(at == dbox->files_count || dbox->files[at]->number != number);
	if (dbox->files_count == DBOX_FILES_MAX)
		return RP_ERR_LIMIT;
	if (dbox->files_count == dbox->files_max) {
		size_t room = dbox->files_max == 0 ? 4 : 2 * dbox->files_max;
		struct dbox_file **files = realloc(dbox->files, room * sizeof(struct dbox_file *));

		if (files == NULL)
			return RP_ERR_NOMEM;
		dbox->files = files;
		dbox->files_max = room;
	}

	struct dbox_file *file = dbox_core_new(dbox, number, 0);

	if (file == NULL)
		return RP_ERR_NOMEM;
	memmove(dbox->files + at + 1, dbox->files + at,
	    (dbox->files_count - at) * sizeof(struct dbox_file *));
	dbox->files[at] = file;
	dbox->files_count++;
	if (number > dbox->last_number)
		dbox->last_number = number;
	*out = file;
	return RP_OK;
}

/* Nobody uses it, and no dbox has it any more. */
void dbox_core_destroy(struct dbox_file *file)
{
	RP_ASSERT(file->refs == 0);
	file_close(file->file);
	free(file);
}

/* The dbox forgets it; its readers keep it. */
static void forget_one(struct dbox_file *file)
{
	if (list_linked(&file->lru)) {
		list_del(&file->lru);
		file->dbox->idle_count--;
	}
	file->dbox = NULL;
	if (file->refs == 0)
		dbox_core_destroy(file);
}

/* With its stand-ins. */
static void forget(struct dbox_file *file)
{
	while (file != NULL) {
		struct dbox_file *next = file->next;

		file->next = NULL;
		forget_one(file);
		file = next;
	}
}

/* <n>.dbox, or <n>-<k>.dbox. */
static bool parse_name(struct bytes name, uint32_t *number, uint32_t *standin)
{
	static const char suffix[] = ".dbox";
	size_t n = sizeof(suffix) - 1;
	uint64_t value[2] = { 0 };

	if (name.n <= n || memcmp(name.p + name.n - n, suffix, n) != 0 || name.p[0] == '0')
		return false;
	name = bytes_slice(name, 0, name.n - n);

	size_t dash = bytes_find(name, 0, '-');

	if (!bytes_to_u64(bytes_slice(name, 0, dash), UINT32_MAX - 1, &value[0]))
		return false;
	if (dash < name.n &&
	    (!bytes_to_u64(bytes_from(name, dash + 1), DBOX_CORE_STANDINS_MAX, &value[1]) ||
		value[1] == 0))
		return false;
	*number = (uint32_t)value[0];
	*standin = (uint32_t)value[1];
	return true;
}

/* A name that is there. The file itself may be gone, or its name come later: it is known by its stand-in too. */
static enum rp_err add_found(struct dbox *dbox, uint32_t number, uint32_t standin)
{
	struct dbox_file *file = dbox_core_find(dbox, number);
	enum rp_err err = file == NULL ? dbox_core_add(dbox, number, &file) : RP_OK;

	if (err != RP_OK || standin == 0)
		return err;
	file->full = true;
	while (file->next != NULL && file->next->standin < standin)
		file = file->next;

	struct dbox_file *found = dbox_core_new(dbox, number, standin);

	if (found == NULL)
		return RP_ERR_NOMEM;
	found->next = file->next;
	file->next = found;
	return RP_OK;
}

static enum rp_err list_files(struct task *task, struct dbox *dbox)
{
	struct arena arena;
	struct dir_entry *names;
	size_t count;

	arena_init(&arena, LIST_BYTES_MAX);

	enum rp_err err = dir_list(task, FILE_ROOT_DATA, dbox->dir, &arena, &names, &count);

	if (err == RP_ERR_NOTFOUND) {
		err = RP_OK;
		count = 0;
	}
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint32_t number;
		uint32_t standin;

		if (parse_name(names[i].name, &number, &standin)) /* a folder too: its number is taken */
			err = add_found(dbox, number, standin);
	}
	arena_fini(&arena);
	return err;
}

enum rp_err dbox_open(struct task *task, const char *dir, const struct userid *userid,
    uint64_t epoch, dbox_names_fn *names, void *names_arg, struct dbox **out)
{
	struct dbox *dbox = calloc(1, sizeof(*dbox));

	if (dbox == NULL)
		return RP_ERR_NOMEM;
	RP_ASSERT(strlen(dir) < sizeof(dbox->dir));
	strcpy(dbox->dir, dir);
	dbox->userid = *userid;
	dbox->epoch = epoch;
	dbox->loop = task_loop(task);
	dbox->names = names;
	dbox->names_arg = names_arg;
	dbox->file_bytes_max = DBOX_FILE_BYTES_MAX;
	list_init(&dbox->idle);
	task_queue_init(&dbox->ends);

	enum rp_err err = list_files(task, dbox);

	if (err != RP_OK) {
		dbox_close(dbox);
		return err;
	}
	*out = dbox;
	return RP_OK;
}

void dbox_set_file_bytes(struct dbox *dbox, uint64_t bytes)
{
	dbox->file_bytes_max = bytes;
}

uint64_t dbox_file_bytes_max(const struct dbox *dbox)
{
	return dbox->file_bytes_max;
}

size_t dbox_files_count(const struct dbox *dbox)
{
	return dbox->files_count;
}

uint32_t dbox_next_file(const struct dbox *dbox, uint32_t after)
{
	size_t i = lower(dbox, after + 1);

	return i < dbox->files_count ? dbox->files[i]->number : 0;
}

uint32_t dbox_file_before(const struct dbox *dbox, uint32_t number)
{
	size_t i = lower(dbox, number);

	return i > 0 ? dbox->files[i - 1]->number : 0;
}

struct dbox_file *dbox_core_last_made(const struct dbox *dbox)
{
	for (size_t i = dbox->files_count; i > 0; i--) {
		struct dbox_file *file = dbox->files[i - 1];

		if (!file->streaming || file->end != 0)
			return file;
	}
	return NULL;
}

uint32_t dbox_next_sealed(const struct dbox *dbox, uint32_t after)
{
	const struct dbox_file *newest = dbox_core_last_made(dbox);

	for (size_t i = lower(dbox, after + 1); i < dbox->files_count; i++) {
		const struct dbox_file *file = dbox->files[i];
		bool is_old = i + DBOX_CORE_APPEND_MAX < dbox->files_count;

		/* The newest stays: its number would be given out again. */
		if (file->streaming || file->expected > 0 || file->removed ||
		    file == dbox->open || file == newest)
			continue;
		if (is_old || file->full ||
		    (file->end != 0 && !dbox_core_has_room(file, DBOX_INLINE_BYTES_MAX)))
			return file->number;
	}
	return 0;
}

enum rp_err dbox_seal(struct dbox *dbox, uint32_t number)
{
	struct dbox_file *file = dbox_core_find(dbox, number);

	if (file == NULL)
		return RP_ERR_NOTFOUND;
	if (file->streaming || file->expected > 0)
		return RP_ERR_BUSY;
	file->full = true;
	if (dbox->open == file)
		dbox->open = NULL;
	return RP_OK;
}

void dbox_expect(struct dbox *dbox, uint32_t number)
{
	struct dbox_file *file = dbox_core_find(dbox, number);

	RP_ASSERT(file != NULL);
	file->expected++;
}

void dbox_expect_no_more(struct dbox *dbox, uint32_t number)
{
	struct dbox_file *file = dbox_core_find(dbox, number);

	if (file == NULL)
		return; /* all of the user's mail was destroyed meanwhile */
	RP_ASSERT(file->expected > 0);
	file->expected--;
}

enum rp_err dbox_file_bytes(
    struct task *task, struct dbox *dbox, uint32_t number, uint64_t *bytes)
{
	struct dbox_file *file = dbox_core_find(dbox, number);

	if (file == NULL)
		return RP_ERR_NOTFOUND;

	enum rp_err err = dbox_core_use(task, file);

	if (err != RP_OK)
		return err;
	err = file_size(task, file->file, bytes);
	dbox_core_release(file);
	return err;
}

void dbox_close(struct dbox *dbox)
{
	if (dbox == NULL)
		return;
	RP_ASSERT(dbox->streams_count == 0);
	for (size_t i = 0; i < dbox->files_count; i++)
		forget(dbox->files[i]);
	free(dbox->files);
	free(dbox);
}

void dbox_core_drop(struct dbox *dbox, struct dbox_file *file)
{
	size_t at = lower(dbox, file->number);

	RP_ASSERT(at < dbox->files_count && dbox->files[at] == file);
	memmove(dbox->files + at, dbox->files + at + 1,
	    (dbox->files_count - at - 1) * sizeof(struct dbox_file *));
	dbox->files_count--;
	file->refs--;
	forget(file);
}
