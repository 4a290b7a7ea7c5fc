#include "index/dbox/dbox.h"

#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox_core.h"
#include "io/base/num.h"

enum {
	MADE_TRIES_MAX = 8, /* names that are taken before we give up */
};

/* A file without a header: what lies in it describes itself. */
static enum rp_err read_records(struct task *task, struct dbox_file *file, struct file *open)
{
	uint64_t nonce;
	enum rp_err err =
	    file->dbox != NULL ? dbox_core_find_nonce(task, file, open, &nonce) : RP_ERR_CORRUPT;

	if (err != RP_OK || file->nonce != 0)
		return err;
	file->nonce = nonce;
	file->header_lost = true;
	return RP_OK;
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
	if (err == RP_ERR_END || err == RP_ERR_CORRUPT)
		return read_records(task, file, open);
	if (err != RP_OK)
		return err;
	if (file->dbox == NULL || header.number != file->number ||
	    header.extra[DBOX_EXTRA_STANDIN] != file->standin ||
	    !userid_eq(&header.userid, &file->dbox->userid))
		return RP_ERR_CORRUPT;
	file->nonce = header.nonce;
	return RP_OK;
}

static enum rp_err open_file(struct task *task, struct dbox_file *file, bool blank_too)
{
	char path[DBOX_CORE_PATH_BYTES];
	struct file *open;

	dbox_core_path(file->dbox, file->number, file->standin, path);

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

/* One more who must not see it go; dbox_core_release() lets go. */
static void hold(struct dbox_file *file)
{
	file->refs++;
	if (list_linked(&file->lru)) {
		list_del(&file->lru);
		file->dbox->idle_count--;
	}
}

static enum rp_err use(struct task *task, struct dbox_file *file, bool blank_too)
{
	RP_ASSERT(file->dbox != NULL);
	hold(file);
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
		dbox_core_destroy(file);
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
	header.extra[DBOX_EXTRA_STANDIN] = file->standin;
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
	file->header_lost = false;
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
	char path[DBOX_CORE_PATH_BYTES];

	dbox_core_path(dbox, file->number, file->standin, path);

	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, mode, &file->file);

	if (err != RP_ERR_NOTFOUND)
		return err;
	err = dir_make(task, FILE_ROOT_DATA, dbox->dir);
	if (err != RP_OK)
		return err;
	return file_open(task, FILE_ROOT_DATA, path, mode, &file->file);
}

/* Its header could not be written: a file without one holds nothing. */
static void remove_unmade(struct task *task, struct dbox *dbox, struct dbox_file *file)
{
	char path[DBOX_CORE_PATH_BYTES];

	dbox_core_path(dbox, file->number, file->standin, path);
	file->full = true;
	if (file_remove(task, FILE_ROOT_DATA, path) != RP_OK) {
		dbox_core_release(file); /* it stays there and in our list, and is never written */
		return;
	}
	dbox_core_drop(dbox, file);
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
		err = dbox_core_add(dbox, number != 0 ? number : dbox->last_number + 1, &file);
		if (err != RP_OK)
			return err;
		file->refs = 1;
		file->streaming = true; /* nobody else takes it before it is whole */
		err = make_file(task, dbox, file);
		if (err != RP_OK)
			dbox_core_drop(dbox, file);
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

enum rp_err dbox_core_stand_in(struct task *task, struct dbox *dbox, struct dbox_file *last,
    uint64_t nonce, struct dbox_file **out)
{
	struct dbox_file *file = dbox_core_new(dbox, last->number, last->standin + 1);
	char path[DBOX_CORE_PATH_BYTES];

	if (file == NULL)
		return RP_ERR_NOMEM;
	hold(last); /* it stays while we wait */
	file->refs = 1;
	dbox_core_path(dbox, file->number, file->standin, path);

	enum rp_err err = make_file(task, dbox, file);

	if (err == RP_OK)
		err = write_header(task, dbox, file, nonce, bytes_of(NULL, 0));
	dbox_core_release(last);
	if (err != RP_OK) {
		(void)!file_remove(task, FILE_ROOT_DATA, path);
		file->refs = 0;
		dbox_core_destroy(file);
		return err;
	}
	RP_ASSERT(last->next == NULL); /* one writes at a time for one user */
	last->next = file;
	*out = file;
	return RP_OK;
}

enum rp_err dbox_give_up(struct dbox *dbox, uint64_t number)
{
	struct dbox_file *file =
	    number < UINT32_MAX ? dbox_core_find(dbox, (uint32_t)number) : NULL;

	if (file == NULL)
		return RP_ERR_NOTFOUND; /* it could not even be made */
	file->full = true;
	if (dbox->open == file)
		dbox->open = NULL;
	file = dbox_core_newest(file);
	if (file->standin == DBOX_CORE_STANDINS_MAX)
		return RP_ERR_LIMIT;
	file->given_up = true;
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

static_assert(DBOX_NAMES_BYTES_MAX == DBOX_FILE_BYTES_MAX / 64, "dbox_core_has_room()");

bool dbox_core_has_room(const struct dbox_file *file, uint64_t bytes)
{
	if (file->streaming || file->ending || file->tail || file->full || file->removed || file->end == 0 ||
	    file->header_lost)
		return false;
	/* One with a long text in the beginning takes something all the same. */
	return file->end + bytes <= file->dbox->file_bytes_max ||
	    file->end <= FORMAT_AREA_BYTES + file->dbox->file_bytes_max / 64;
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
		if (file->ending) { /* somebody else does it */
			err = task_queue_wait(task, &dbox->ends);
		} else {
			file->refs++; /* it stays while we wait */
			err = dbox_core_find_end(task, file);
			dbox_core_release(file);
		}
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
	enum rp_err err = RP_OK;

	if (!dbox->dirs_durable)
		err = dir_sync_path(task, FILE_ROOT_DATA, dbox->dir);
	else if (!file->name_durable)
		err = dir_sync(task, FILE_ROOT_DATA, dbox->dir);
	if (err == RP_OK)
		file->name_durable = dbox->dirs_durable = true;
	return err;
}

enum rp_err dbox_keep_number(struct task *task, struct dbox *dbox, uint32_t file)
{
	struct dbox_file *newest = dbox_core_last_made(dbox);

	if (newest == NULL || newest->number <= file)
		return RP_ERR_BUSY;
	hold(newest); /* it stays while we wait */

	enum rp_err err = dbox_core_sync_name(task, dbox, newest);

	dbox_core_release(newest);
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

/* A file's name and those of its stand-ins. */
static enum rp_err remove_names(struct task *task, struct dbox *dbox, uint32_t number)
{
	struct dbox_file *file = dbox_core_find(dbox, number);
	uint32_t standins = file != NULL ? dbox_core_newest(file)->standin : 0;
	char path[DBOX_CORE_PATH_BYTES];
	enum rp_err err = RP_OK;

	for (uint32_t i = 0; err == RP_OK && i <= standins; i++) {
		dbox_core_path(dbox, number, i, path);
		err = file_remove(task, FILE_ROOT_DATA, path);
	}
	return err;
}

enum rp_err dbox_remove(struct task *task, struct dbox *dbox, uint32_t number)
{
	struct dbox_file *file = dbox_core_find(dbox, number);

	if (file != NULL && file->streaming)
		return RP_ERR_BUSY;
	if (file != NULL) {
		file->removed = true;
		if (dbox->open == file)
			dbox->open = NULL;
	}

	enum rp_err err = remove_names(task, dbox, number);

	if (err != RP_OK)
		return err;
	file = dbox_core_find(dbox, number);
	if (file != NULL) {
		file->refs++;
		if (list_linked(&file->lru)) {
			list_del(&file->lru);
			dbox->idle_count--;
		}
		dbox_core_drop(dbox, file);
	}
	return RP_OK;
}
