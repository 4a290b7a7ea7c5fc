#include "index/dbox/dbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox_core.h"
#include "io/base/num.h"

enum {
	PATH_BYTES = DBOX_CORE_DIR_BYTES + 32,
	LIST_BYTES_MAX = 16 * 1024 * 1024, /* of the names in one user's directory */
	MADE_TRIES_MAX = 8,                /* names that are taken before we give up */
};

static void path_of(const struct dbox *dbox, uint32_t number, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/%u.dbox", dbox->dir, number);
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

static enum rp_err add(struct dbox *dbox, uint32_t number, struct dbox_file **out)
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

	struct dbox_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return RP_ERR_NOMEM;
	list_init(&file->lru);
	file->dbox = dbox;
	file->number = number;
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
static void destroy(struct dbox_file *file)
{
	RP_ASSERT(file->refs == 0);
	file_close(file->file);
	free(file);
}

/* The dbox forgets it; its readers keep it. */
static void forget(struct dbox_file *file)
{
	if (list_linked(&file->lru)) {
		list_del(&file->lru);
		file->dbox->idle_count--;
	}
	file->dbox = NULL;
	if (file->refs == 0)
		destroy(file);
}

static bool parse_name(struct bytes name, uint32_t *number)
{
	static const char suffix[] = ".dbox";
	size_t n = sizeof(suffix) - 1;
	uint64_t value;

	if (name.n <= n || memcmp(name.p + name.n - n, suffix, n) != 0 || name.p[0] == '0')
		return false;
	if (!bytes_to_u64(bytes_slice(name, 0, name.n - n), UINT32_MAX - 1, &value))
		return false;
	*number = (uint32_t)value;
	return true;
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
		struct dbox_file *file;
		uint32_t number;

		if (!names[i].is_dir && parse_name(names[i].name, &number))
			err = add(dbox, number, &file);
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
	list_init(&dbox->idle);

	enum rp_err err = list_files(task, dbox);

	if (err != RP_OK) {
		dbox_close(dbox);
		return err;
	}
	*out = dbox;
	return RP_OK;
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

/* Read the header of an open file: its nonce. */
static enum rp_err read_header(struct task *task, struct dbox_file *file, struct file *open)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	size_t got;
	enum rp_err err = file_read(task, open, area, sizeof(area), 0, &got);

	if (err != RP_OK)
		return err;
	err = format_check_area(bytes_of(area, got), FORMAT_DBOX, DBOX_VERSION, &header);
	if (err == RP_ERR_END)
		return RP_ERR_CORRUPT;
	if (err != RP_OK)
		return err;
	if (file->dbox == NULL || header.number != file->number ||
	    !userid_eq(&header.userid, &file->dbox->userid))
		return RP_ERR_CORRUPT;
	file->nonce = header.nonce;
	return RP_OK;
}

static enum rp_err open_file(struct task *task, struct dbox_file *file, bool blank_too)
{
	char path[PATH_BYTES];
	struct file *open;

	path_of(file->dbox, file->number, path);

	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &open);

	if (err != RP_OK)
		return err;
	if (file->nonce == 0 && !blank_too)
		err = read_header(task, file, open);
	if (err != RP_OK || file->file != NULL) { /* another task may have been first */
		file_close(open);
		return err;
	}
	file->file = open;
	return RP_OK;
}

static enum rp_err use(struct task *task, struct dbox_file *file, bool blank_too)
{
	RP_ASSERT(file->dbox != NULL);
	file->refs++;
	if (list_linked(&file->lru)) {
		list_del(&file->lru);
		file->dbox->idle_count--;
	}
	if (file->file != NULL && (file->nonce != 0 || blank_too))
		return RP_OK;

	enum rp_err err = file->file != NULL ? read_header(task, file, file->file)
	                                     : open_file(task, file, blank_too);

	if (err != RP_OK)
		dbox_core_release(file);
	return err;
}

enum rp_err dbox_core_use(struct task *task, struct dbox_file *file)
{
	return use(task, file, false);
}

void dbox_core_release(struct dbox_file *file)
{
	struct dbox *dbox = file->dbox;

	RP_ASSERT(file->refs > 0);
	if (--file->refs > 0)
		return;
	if (dbox == NULL) {
		destroy(file);
		return;
	}
	if (file->file == NULL)
		return;
	list_push_back(&dbox->idle, &file->lru);
	if (dbox->idle_count < DBOX_CORE_OPEN_MAX) {
		dbox->idle_count++;
		return;
	}

	struct dbox_file *oldest = RP_CONTAINER_OF(dbox->idle.next, struct dbox_file, lru);

	list_del(&oldest->lru);
	file_close(oldest->file);
	oldest->file = NULL;
}

static enum rp_err write_header(
    struct task *task, struct dbox *dbox, struct dbox_file *file, uint64_t nonce, struct bytes names)
{
	struct format_header header = {
		.userid = dbox->userid,
		.epoch = dbox->epoch,
		.nonce = nonce,
		.number = file->number,
	};
	uint64_t n = num_round_up(FORMAT_AREA_BYTES + names.n, DBOX_RECORD_ALIGN);
	uint8_t *p = calloc(1, n);

	if (p == NULL)
		return RP_ERR_NOMEM;
	header.extra[DBOX_EXTRA_NAMES_BYTES] = names.n;
	header.extra[DBOX_EXTRA_NAMES_XXH3] = dbox_format_xxh3(names, nonce);
	format_sign(&header, FORMAT_DBOX, DBOX_VERSION);
	format_put_area(&header, p);
	if (names.n != 0)
		memcpy(p + FORMAT_AREA_BYTES, names.p, names.n);

	enum rp_err err = file_write(task, file->file, p, n, 0, false);

	free(p);
	if (err != RP_OK)
		return err;
	file->nonce = nonce;
	if (file->end < n)
		file->end = n;
	return RP_OK;
}

static uint64_t draw_nonce(struct loop *loop)
{
	uint64_t nonce = 0;

	while (nonce == 0)
		loop_random(loop, &nonce, sizeof(nonce));
	return nonce;
}

/* Make the file on the disk, empty, and open it. RP_ERR_EXISTS: it is there. */
static enum rp_err make_file(struct task *task, struct dbox *dbox, struct dbox_file *file)
{
	const unsigned mode = FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE;
	char path[PATH_BYTES];

	path_of(dbox, file->number, path);

	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, mode, &file->file);

	if (err != RP_ERR_NOTFOUND)
		return err;
	err = dir_make(task, FILE_ROOT_DATA, dbox->dir);
	if (err != RP_OK)
		return err;
	return file_open(task, FILE_ROOT_DATA, path, mode, &file->file);
}

static void drop_unmade(struct dbox *dbox, struct dbox_file *file)
{
	size_t at = lower(dbox, file->number);

	RP_ASSERT(at < dbox->files_count && dbox->files[at] == file);
	memmove(dbox->files + at, dbox->files + at + 1,
	    (dbox->files_count - at - 1) * sizeof(struct dbox_file *));
	dbox->files_count--;
	file->refs--;
	forget(file);
}

/* Its header could not be written: a file without one holds nothing. */
static void remove_unmade(struct task *task, struct dbox *dbox, struct dbox_file *file)
{
	char path[PATH_BYTES];

	path_of(dbox, file->number, path);
	file->full = true;
	if (file_remove(task, FILE_ROOT_DATA, path) != RP_OK) {
		dbox_core_release(file); /* it stays there and in our list, and is never written */
		return;
	}
	drop_unmade(dbox, file);
}

static enum rp_err names_of(struct dbox *dbox, struct arena *arena, struct bytes *names)
{
	*names = bytes_of(NULL, 0);
	if (dbox->names == NULL)
		return RP_OK;

	enum rp_err err = dbox->names(dbox->names_arg, arena, names);

	if (err == RP_ERR_LIMIT || (err == RP_OK && names->n > DBOX_NAMES_BYTES_MAX)) {
		*names = bytes_of(NULL, 0);
		return RP_OK;
	}
	return err;
}

enum rp_err dbox_core_create(struct task *task, struct dbox *dbox, uint32_t number, uint64_t nonce,
    struct dbox_file **out)
{
	struct dbox_file *file = NULL;
	struct bytes names;
	struct arena arena;
	enum rp_err err = RP_ERR_EXISTS;

	for (int tries = 0; err == RP_ERR_EXISTS && tries < MADE_TRIES_MAX; tries++) {
		if (number == 0 && dbox->last_number == UINT32_MAX - 1)
			return RP_ERR_LIMIT;
		err = add(dbox, number != 0 ? number : dbox->last_number + 1, &file);
		if (err != RP_OK)
			return err;
		file->refs = 1;
		file->streaming = true; /* nobody else takes it before it is whole */
		err = make_file(task, dbox, file);
		if (err != RP_OK)
			drop_unmade(dbox, file);
	}
	if (err != RP_OK)
		return err;
	arena_init(&arena, 2 * DBOX_NAMES_BYTES_MAX);
	err = names_of(dbox, &arena, &names);
	if (err == RP_OK)
		err = write_header(
		    task, dbox, file, nonce != 0 ? nonce : draw_nonce(dbox->loop), names);
	arena_fini(&arena);
	file->streaming = false;
	if (err != RP_OK) {
		remove_unmade(task, dbox, file);
		return err;
	}
	*out = file;
	return RP_OK;
}

enum rp_err dbox_core_renew(
    struct task *task, struct dbox *dbox, struct dbox_file *file, uint64_t nonce)
{
	enum rp_err err = use(task, file, true);

	if (err != RP_OK)
		return err;
	err = write_header(task, dbox, file, nonce, bytes_of(NULL, 0));
	dbox_core_release(file);
	return err;
}

bool dbox_core_has_room(const struct dbox_file *file, uint64_t bytes)
{
	if (file->streaming || file->tail || file->full || file->removed || file->end == 0)
		return false;
	return file->end + bytes <= DBOX_FILE_BYTES_MAX ||
	    file->end <= FORMAT_AREA_BYTES + DBOX_NAMES_BYTES_MAX;
}

/* Find out where the next record goes in a file that was there before, or cut off what an aborted stream left. */
static enum rp_err find_end(struct task *task, struct dbox_file *file)
{
	uint64_t size_bytes;
	enum rp_err err = dbox_core_use(task, file);

	if (err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT || err == RP_ERR_CANNOT) {
		file->full = true;
		return RP_OK;
	}
	if (err != RP_OK)
		return err;
	if (file->tail && !file->streaming) {
		file->streaming = true; /* nobody else has its end, or trims it too, meanwhile */
		err = file_truncate(task, file->file, file->end);
		file->streaming = false;
		if (err == RP_OK)
			file->tail = false;
	} else if (file->end == 0) {
		err = file_size(task, file->file, &size_bytes);
		if (err == RP_OK && file->end == 0)
			file->end = num_round_up(
			    num_max(size_bytes, FORMAT_AREA_BYTES), DBOX_RECORD_ALIGN);
	}
	dbox_core_release(file);
	return err;
}

/* The newest file, of the last few, that may have room but must be looked at first. */
static struct dbox_file *unknown_end(struct dbox *dbox)
{
	size_t count = num_min(dbox->files_count, DBOX_CORE_APPEND_MAX);

	for (size_t i = 1; i <= count; i++) {
		struct dbox_file *file = dbox->files[dbox->files_count - i];

		if (!file->streaming && !file->full && !file->removed &&
		    (file->end == 0 || file->tail))
			return file;
	}
	return NULL;
}

enum rp_err dbox_core_with_room(struct task *task, struct dbox *dbox, uint64_t bytes,
    const struct dbox_file *other, struct dbox_file **out)
{
	struct dbox_file *file;
	enum rp_err err;

	while ((file = unknown_end(dbox)) != NULL) {
		file->refs++; /* it stays while we wait */
		err = find_end(task, file);
		dbox_core_release(file);
		if (err != RP_OK)
			return err;
	}

	size_t count = num_min(dbox->files_count, DBOX_CORE_APPEND_MAX);

	for (size_t i = 1; i <= count; i++) {
		file = dbox->files[dbox->files_count - i];
		if (file != other && dbox_core_has_room(file, bytes)) {
			*out = file;
			return RP_OK;
		}
	}
	err = dbox_core_create(task, dbox, 0, 0, &file);
	if (err != RP_OK)
		return err;
	dbox_core_release(file);
	*out = file;
	return RP_OK;
}

enum rp_err dbox_core_sync_name(struct task *task, struct dbox *dbox, struct dbox_file *file)
{
	char path[DBOX_CORE_DIR_BYTES];
	enum rp_err err = RP_OK;

	if (!file->name_durable)
		err = dir_sync(task, FILE_ROOT_DATA, dbox->dir);
	if (err != RP_OK)
		return err;
	file->name_durable = true;
	if (dbox->dirs_durable)
		return RP_OK;
	strcpy(path, dbox->dir);
	for (char *slash = strrchr(path, '/'); err == RP_OK && slash != NULL;
	     slash = strrchr(path, '/')) {
		*slash = '\0';
		err = dir_sync(task, FILE_ROOT_DATA, path);
	}
	if (err == RP_OK)
		err = dir_sync(task, FILE_ROOT_DATA, ".");
	if (err == RP_OK)
		dbox->dirs_durable = true;
	return err;
}

uint32_t dbox_last_file(const struct dbox *dbox)
{
	return dbox->last_number;
}

void dbox_number_from(struct dbox *dbox, uint32_t first)
{
	RP_ASSERT(first > 0);
	for (size_t i = 0; i < dbox->files_count; i++)
		if (dbox->files[i]->number < first)
			dbox->files[i]->full = true;
	if (dbox->open != NULL && dbox->open->number < first)
		dbox->open = NULL;
	if (dbox->last_number < first - 1)
		dbox->last_number = first - 1;
}

enum rp_err dbox_remove(struct task *task, struct dbox *dbox, uint32_t number)
{
	struct dbox_file *file = dbox_core_find(dbox, number);
	char path[PATH_BYTES];

	if (file != NULL && file->streaming)
		return RP_ERR_BUSY;
	if (file != NULL) {
		file->removed = true;
		if (dbox->open == file)
			dbox->open = NULL;
	}
	path_of(dbox, number, path);

	enum rp_err err = file_remove(task, FILE_ROOT_DATA, path);

	if (err != RP_OK)
		return err;
	file = dbox_core_find(dbox, number);
	if (file != NULL) {
		file->refs++;
		if (list_linked(&file->lru)) {
			list_del(&file->lru);
			dbox->idle_count--;
		}
		drop_unmade(dbox, file);
	}
	return RP_OK;
}
