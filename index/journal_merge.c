#include "index/journal_merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/journal_core.h"
#include "io/base/arena.h"
#include "io/base/num.h"

enum {
	BUFFER_BYTES = 2 * RECORD_BYTES_MAX,
	LIST_BYTES_MAX = 16 * 1024 * 1024, /* of the names in one user's directory */
};

struct journal_merge {
	struct journal *journal;
	struct journal_file made; /* as it will stand in the list */
	struct file *file;
	char path[JOURNAL_CORE_PATH_BYTES]; /* its name until it counts */
	uint64_t done;                      /* LSN of the newest record */
	uint8_t *buffer;
	size_t used;
};

/* ---- which files ---- */

/* How many files from the first on: each sealed, and all that belongs into it written. */
static size_t mergeable_count(const struct journal *journal, uint64_t bound)
{
	size_t n = 0;

	while (n < journal->files_count) {
		const struct journal_file *file = &journal->files[n];
		uint64_t last = journal_core_last(journal, n);

		if (last == 0 || last > bound || file->lost ||
		    file->first == journal->number_first || file->first == journal->file_first)
			break;
		n++;
	}
	return n;
}

bool journal_wants_merge(const struct journal *journal, uint64_t bound)
{
	return journal->voids || mergeable_count(journal, bound) >= 2;
}

static enum rp_err bytes_of_file(
    struct task *task, const struct journal *journal, size_t at, uint64_t *bytes)
{
	char path[JOURNAL_CORE_PATH_BYTES];

	journal_core_path_of(journal, &journal->files[at], path);
	return file_size_at(task, FILE_ROOT_DATA, path, bytes);
}

enum rp_err journal_mergeable(
    struct task *task, struct journal *journal, uint64_t bound, uint64_t *last, uint64_t *bytes)
{
	size_t count = mergeable_count(journal, bound);
	uint64_t more;

	*last = 0;
	*bytes = 0;
	if (count < 2)
		return RP_OK;
	*last = journal_core_last(journal, count - 1);
	for (size_t i = 0; i < journal->files_count && journal->files[i].first <= *last; i++) {
		enum rp_err err = bytes_of_file(task, journal, i, &more);

		if (err != RP_OK)
			return err;
		*bytes += more;
	}
	return RP_OK;
}

/* ---- the new file ---- */

static void merge_free(struct journal_merge *merge)
{
	file_close(merge->file);
	free(merge->buffer);
	free(merge);
}

static enum rp_err begin(struct task *task, struct journal *journal, uint64_t first, uint64_t last,
    struct journal_merge **out)
{
	struct journal_merge *merge = calloc(1, sizeof(*merge));
	struct format_header header;
	const unsigned mode = FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE;

	RP_ASSERT(!journal->recovering);
	if (merge == NULL)
		return RP_ERR_NOMEM;
	merge->journal = journal;
	merge->made = (struct journal_file){.first = first,
	    .last = last,
	    .written = FORMAT_AREA_BYTES,
	    .merged = true};
	snprintf(merge->path, sizeof(merge->path), "%s/journal.tmp", journal->dir);
	merge->buffer = malloc(BUFFER_BYTES);

	enum rp_err err = merge->buffer != NULL ? RP_OK : RP_ERR_NOMEM;

	if (err == RP_OK)
		err = file_open(task, FILE_ROOT_DATA, merge->path, mode, &merge->file);
	if (err == RP_OK)
		err = journal_core_write_header(
		    task, journal, merge->file, merge->made.first, last, &header);
	if (err != RP_OK) {
		merge_free(merge);
		return err;
	}
	journal_core_note_header(&merge->made, &header);
	*out = merge;
	return RP_OK;
}

enum rp_err journal_merge_begin(
    struct task *task, struct journal *journal, uint64_t last, struct journal_merge **out)
{
	RP_ASSERT(journal->files_count >= 2);
	return begin(task, journal, journal->files[0].first, last, out);
}

enum rp_err journal_replace_begin(
    struct task *task, struct journal *journal, uint64_t last, struct journal_merge **out)
{
	return begin(task, journal, 1, last, out);
}

static enum rp_err flush(struct task *task, struct journal_merge *merge)
{
	enum rp_err err = RP_OK;

	if (merge->used != 0)
		err = file_write(
		    task, merge->file, merge->buffer, merge->used, merge->made.written, false);
	if (err != RP_OK)
		return err;
	merge->made.written += merge->used;
	merge->used = 0;
	return RP_OK;
}

enum rp_err journal_merge_put(struct task *task, struct journal_merge *merge,
    const struct record_header *header, struct bytes payload)
{
	struct record record = {.header = *header, .payload = payload};

	RP_ASSERT(header->lsn > merge->done && header->lsn <= merge->made.last);
	if (merge->used + RECORD_BYTES_MAX > BUFFER_BYTES) {
		enum rp_err err = flush(task, merge);

		if (err != RP_OK)
			return err;
	}
	record_fill(&record.header, payload, bytes_of(NULL, 0));
	record.header.body_bytes = header->body_bytes;
	record.header.place.journal = merge->made.first;
	record.header.place.journal_offset = merge->made.written + merge->used;
	merge->used += record_put(merge->buffer + merge->used, &record, merge->made.nonce);
	merge->done = header->lsn;
	return RP_OK;
}

uint64_t journal_merge_bytes(const struct journal_merge *merge)
{
	return merge->made.written + merge->used;
}

enum rp_err journal_merge_replay(
    struct task *task, struct journal_merge *merge, journal_replay_fn *fn, void *arg)
{
	struct journal_file made;
	struct journal_walk walk;
	struct record record;
	enum rp_err err = flush(task, merge);

	made = merge->made;
	made.nonce = 0; /* it must be read from there: the files that it is to replace are sound */
	if (err == RP_OK)
		err = journal_core_walk_path(task, &walk, merge->journal, &made, merge->path);
	if (err != RP_OK)
		return err;
	while ((err = journal_core_walk_next(task, &walk, &record)) == RP_OK) {
		err = fn(task, arg, &record, 0, 0);
		if (err == RP_OK)
			err = task_pause(task);
		if (err != RP_OK)
			break;
	}
	if (err == RP_ERR_END)
		err = walk.damaged == 0 ? RP_OK : RP_ERR_CORRUPT;
	journal_core_walk_end(&walk);
	return err;
}

/* ---- in the place of the others ---- */

/* In one breath: nobody is going through the list. */
static void take_place(struct journal *journal, const struct journal_file *made)
{
	size_t n = 0;

	while (n < journal->files_count && journal->files[n].first <= made->last)
		n++;
	RP_ASSERT(n >= 2 && journal->replays == 0);
	journal->files[0] = *made;
	memmove(journal->files + 1, journal->files + n,
	    (journal->files_count - n) * sizeof(*journal->files));
	journal->files_count -= n - 1;
	journal->voids = true;
}

static enum rp_err wait_replays(struct task *task, struct journal *journal)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && journal->replays != 0)
		err = task_queue_wait(task, &journal->replays_over);
	return err;
}

/* Whole, and under its name. On an error it is gone. */
static enum rp_err give_name(struct task *task, struct journal_merge *merge)
{
	char path[JOURNAL_CORE_PATH_BYTES];
	enum rp_err err = flush(task, merge);

	RP_ASSERT(merge->done == merge->made.last);
	journal_core_path_of(merge->journal, &merge->made, path);
	if (err == RP_OK)
		err = file_sync(task, merge->file);
	if (err == RP_OK)
		err = file_rename(task, FILE_ROOT_DATA, merge->path, path);
	if (err != RP_OK)
		journal_merge_abort(task, merge);
	return err;
}

enum rp_err journal_replace_end(struct task *task, struct journal_merge *merge)
{
	const struct journal *journal = merge->journal;
	enum rp_err err = give_name(task, merge);

	if (err != RP_OK)
		return err;
	merge_free(merge);
	return dir_sync(task, FILE_ROOT_DATA, journal->dir);
}

enum rp_err journal_merge_end(struct task *task, struct journal_merge *merge)
{
	struct journal *journal = merge->journal;
	enum rp_err err = give_name(task, merge);

	if (err != RP_OK)
		return err;
	/* From here on either will do: who opens the journal next may go by this name. */
	err = dir_sync(task, FILE_ROOT_DATA, journal->dir);
	if (err == RP_OK)
		err = wait_replays(task, journal);
	if (err == RP_OK)
		take_place(journal, &merge->made);
	merge_free(merge);
	return err == RP_OK ? journal_remove_void(task, journal) : err;
}

void journal_merge_abort(struct task *task, struct journal_merge *merge)
{
	if (merge == NULL)
		return;
	task_shield(task);
	(void)!file_remove(task, FILE_ROOT_DATA, merge->path); /* else the next checkpoint does */
	task_unshield(task);
	merge_free(merge);
}

/* ---- what a merge, or a crash in it, has left ---- */

static bool is_void(const struct journal *journal, const struct journal_file *found)
{
	uint64_t last = found->last != 0 ? found->last : found->first;

	for (size_t i = 0; i < journal->files_count; i++) {
		const struct journal_file *file = &journal->files[i];

		if (!file->merged || found->first < file->first || last > file->last)
			continue;
		return !found->merged || found->first != file->first || found->last != file->last;
	}
	return false;
}

enum rp_err journal_remove_void(struct task *task, struct journal *journal)
{
	struct dir_entry *names = NULL;
	struct arena arena;
	size_t count = 0;
	enum rp_err err = RP_OK;

	if (!journal->voids)
		return RP_OK;
	arena_init(&arena, LIST_BYTES_MAX);
	/* The merged file was synced; that its name is there says nothing of the disk. */
	err = dir_sync(task, FILE_ROOT_DATA, journal->dir);
	if (err == RP_OK)
		err = dir_list(task, FILE_ROOT_DATA, journal->dir, &arena, &names, &count);
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		struct journal_file found;
		char path[JOURNAL_CORE_PATH_BYTES];

		if (names[i].is_dir || !journal_core_parse_name(names[i].name, &found) ||
		    !is_void(journal, &found))
			continue;
		journal_core_path_of(journal, &found, path);
		err = file_remove(task, FILE_ROOT_DATA, path);
	}
	arena_fini(&arena);
	if (err == RP_OK)
		journal->voids = false;
	return err;
}
