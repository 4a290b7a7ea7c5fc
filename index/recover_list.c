/* Which log files there are: at start, and when all is placed and they are made void. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/claim.h"
#include "index/claim_logs.h"
#include "index/recover_core.h"
#include "io/base/arena.h"
#include "io/base/num.h"

enum {
	LIST_BYTES_MAX = 4 * 1024 * 1024, /* of names in one folder */
	FILES_MAX = 1024 * 1024,
};

struct lister {
	uint64_t epoch;
	struct log_losses *losses; /* NULL: those whose header is lost are listed too */
	struct format_header newest; /* of the folder that is looked at; epoch 0: none yet */
	uint64_t there;              /* LOGFILE_EXTRA_FILES, as it is; one that is cut, and has no header, is not */
	bool any_there;
	bool any_used;               /* in that folder */
	bool any_lost;
	struct recover_file *files;
	size_t count;
	size_t count_max;
};

static enum rp_err add(struct lister *lister, const struct recover_file *file)
{
	if (lister->count == lister->count_max) {
		size_t room = lister->count_max == 0 ? 16 : 2 * lister->count_max;
		struct recover_file *files =
		    realloc(lister->files, room * sizeof(struct recover_file));

		if (files == NULL || room > FILES_MAX)
			return RP_ERR_NOMEM;
		lister->files = files;
		lister->count_max = room;
	}
	lister->files[lister->count++] = *file;
	return RP_OK;
}

static bool is_newer(const struct format_header *x, const struct format_header *y)
{
	return x->epoch > y->epoch ||
	       (x->epoch == y->epoch &&
	           x->extra[LOGFILE_EXTRA_USE] > y->extra[LOGFILE_EXTRA_USE]);
}

/* Those of this epoch are being made just now, perhaps by another thread: it may have found a loss that does not show any more. */
static void take_header(struct lister *lister, const struct format_header *header)
{
	if (lister->losses != NULL)
		log_losses_know(lister->losses,
		    num_min(header->extra[LOGFILE_EXTRA_LOST], lister->epoch - 1));
	if (header->epoch >= lister->epoch)
		return;
	if (is_newer(header, &lister->newest))
		lister->newest = *header;
	if (header->extra[LOGFILE_EXTRA_STATE] == LOGFILE_USED)
		lister->any_used = true;
}

static bool is_foreign(const struct lister *lister, const struct recover_file *found,
    const struct format_header *header)
{
	return logfile_is_foreign(header, found->shard, found->number, lister->epoch);
}

/* A header that this file has. RP_ERR_END: none, and nothing behind it: it was being made; RP_ERR_CORRUPT: it is lost, or another's, unless
 * *being_made. *is_there: the file has been filled, as all are that headers tell of. */
static enum rp_err know_header(struct task *task, const struct lister *lister, struct file *file,
    const struct recover_file *found, struct format_header *header, bool *being_made, bool *is_there)
{
	size_t behind_bytes;
	enum rp_err err = logfile_read_header(task, file, header);

	*being_made = false;
	*is_there = true;
	if (err == RP_OK)
		return is_foreign(lister, found, header) ? RP_ERR_CORRUPT : RP_OK;
	if (err != RP_ERR_CORRUPT && err != RP_ERR_END)
		return err;

	enum rp_err made_err = logfile_is_unwritten(task, file, being_made, &behind_bytes);

	if (made_err != RP_OK)
		return made_err;
	*is_there = behind_bytes == LOGFILE_FIRST_OFFSET;
	if (*being_made)
		return err;
	/* A server that runs may have begun it meanwhile. */
	err = logfile_read_header(task, file, header);
	if (err == RP_OK && is_foreign(lister, found, header))
		return RP_ERR_CORRUPT;
	return err == RP_ERR_END ? RP_ERR_CORRUPT : err;
}

static enum rp_err look_at(
    struct task *task, struct lister *lister, unsigned shard, uint64_t number)
{
	bool being_made;
	bool is_there;
	struct recover_file found = { .shard = shard, .number = number };
	char path[LOGFILE_PATH_BYTES];
	struct format_header header;
	struct file *file;

	logfile_path(shard, number, path);

	enum rp_err err = file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &file);

	if (err == RP_ERR_NOTFOUND)
		return RP_OK;
	if (err != RP_OK)
		return err;
	lister->any_there = true;
	err = know_header(task, lister, file, &found, &header, &being_made, &is_there);
	if (is_there && number <= LOGFILE_FILES_TOLD)
		lister->there |= UINT64_C(1) << (number - 1);
	if (err == RP_OK || err == RP_ERR_CORRUPT) { /* without a header it may have any size: a power cut came while it was made */
		enum rp_err size_err = file_size(task, file, &found.bytes);

		if (size_err != RP_OK)
			err = size_err;
	}
	file_close(file);
	if (err == RP_ERR_UNAVAILABLE)
		LOG(loop_log(task_loop(task)), LOG_ERROR, "recover.log_away",
		    LOG_STR("path", path));
	if (err == RP_ERR_CORRUPT || err == RP_ERR_IO) {
		LOG(loop_log(task_loop(task)), LOG_ERROR, "recover.log_lost",
		    LOG_STR("path", path));
		lister->any_lost |= !being_made;
		return lister->losses == NULL ? add(lister, &found) : RP_OK;
	}
	if (err != RP_OK)
		return err == RP_ERR_END ? RP_OK : err;
	take_header(lister, &header);
	if (header.extra[LOGFILE_EXTRA_STATE] != LOGFILE_USED || header.epoch >= lister->epoch)
		return RP_OK;
	found.epoch = header.epoch;
	found.use = header.extra[LOGFILE_EXTRA_USE];
	found.nonce = header.nonce;
	found.durable = header.extra[LOGFILE_EXTRA_DURABLE];
	found.bytes_told = header.extra[LOGFILE_EXTRA_BYTES];
	return add(lister, &found);
}

/* A file that had lost its header, or is gone, may have held the newest changes. But not when the last run has ended in order: then nothing
 * was in any of them, and the headers tell of none. */
static enum rp_err note_lost_files(
    struct task *task, struct lister *lister, unsigned shard, bool is_told)
{
	const struct format_header *newest = &lister->newest;
	uint64_t told = newest->extra[LOGFILE_EXTRA_FILES];
	uint64_t gone = told & ~lister->there;
	bool was_empty = newest->epoch != 0 && told == 0 && !lister->any_used;

	for (uint64_t number = 1; gone != 0 && number <= LOGFILE_FILES_TOLD; number++) {
		char path[LOGFILE_PATH_BYTES];

		if ((gone >> (number - 1) & 1) == 0)
			continue;
		logfile_path(shard, number, path);
		LOG(loop_log(task_loop(task)), LOG_ERROR, "recover.log_gone", LOG_STR("path", path));
	}
	if (is_told && !lister->any_there)
		LOG(loop_log(task_loop(task)), LOG_ERROR, "recover.logs_gone", LOG_U64("shard", shard));
	else if (gone == 0 && (!lister->any_lost || was_empty))
		return RP_OK;
	return log_losses_add(lister->losses, shard, lister->epoch - 1, LOG_LOSS_ALL);
}

/* is_told: the owner file says that there are logs. */
static enum rp_err look_in_folder(
    struct task *task, struct lister *lister, struct arena *arena, unsigned shard, bool is_told)
{
	struct dir_entry *names = NULL;
	size_t count = 0;
	char path[LOGFILE_PATH_BYTES];

	lister->newest = (struct format_header){0};
	lister->there = 0;
	lister->any_there = false;
	lister->any_used = false;
	lister->any_lost = false;
	snprintf(path, sizeof(path), "%u", shard);

	enum rp_err err = dir_list(task, FILE_ROOT_COMMIT, path, arena, &names, &count);

	if (err == RP_ERR_NOTFOUND)
		err = RP_OK;
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint64_t number;

		if (logfile_parse_name(names[i].name, &number)) /* a folder too: it is refused */
			err = look_at(task, lister, shard, number);
	}
	return err == RP_OK && lister->losses != NULL ? note_lost_files(task, lister, shard, is_told)
	                                              : err;
}

/* By shard, then in the order in which they were used. */
static int compare(const void *a, const void *b)
{
	const struct recover_file *x = a;
	const struct recover_file *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	if (x->use != y->use)
		return x->use < y->use ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

enum rp_err recover_core_list(struct task *task, uint64_t epoch, struct log_losses *losses,
    struct recover_file **files, size_t *files_count, unsigned *shards_max)
{
	struct lister lister = {.epoch = epoch, .losses = losses};
	struct dir_entry *names;
	struct arena arena;
	size_t count;
	unsigned told;
	enum rp_err err = claim_logs_shards(task, &told);

	if (err != RP_OK)
		return err;
	*shards_max = 0;
	arena_init(&arena, LIST_BYTES_MAX);
	for (unsigned shard = 0; err == RP_OK && shard < told; shard++)
		err = look_in_folder(task, &lister, &arena, shard, true);
	if (err == RP_OK)
		err = dir_list(task, FILE_ROOT_COMMIT, ".", &arena, &names, &count);
	if (err == RP_ERR_NOTFOUND) {
		err = RP_OK;
		count = 0;
	}
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint64_t shard;

		if (!names[i].is_dir || !bytes_to_u64(names[i].name, CLAIM_LOGS_SHARDS_MAX, &shard))
			continue;
		if (shard >= told)
			err = look_in_folder(task, &lister, &arena, (unsigned)shard, false);
		if (*shards_max <= shard)
			*shards_max = (unsigned)shard + 1;
	}
	arena_fini(&arena);
	if (err != RP_OK) {
		free(lister.files);
		return err;
	}
	if (lister.count > 1)
		qsort(lister.files, lister.count, sizeof(struct recover_file), compare);
	*files = lister.files;
	*files_count = lister.count;
	return RP_OK;
}

/* ---- the newest ---- */

static enum rp_err look_for_newer(
    struct task *task, struct arena *arena, unsigned shard, struct recover_told *told)
{
	struct dir_entry *names = NULL;
	size_t count = 0;
	char path[LOGFILE_PATH_BYTES];

	snprintf(path, sizeof(path), "%u", shard);

	enum rp_err err = dir_list(task, FILE_ROOT_COMMIT, path, arena, &names, &count);

	for (size_t i = 0; err == RP_OK && i < count; i++) {
		struct format_header header;
		struct file *file;
		uint64_t number;

		if (!logfile_parse_name(names[i].name, &number))
			continue;
		logfile_path(shard, number, path);
		err = file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &file);
		if (err != RP_OK)
			break;
		err = logfile_read_header(task, file, &header);
		file_close(file);
		if (err == RP_OK) {
			told->epoch = num_max(told->epoch, header.epoch);
			told->lost_epoch =
			    num_max(told->lost_epoch, header.extra[LOGFILE_EXTRA_LOST]);
		} else if (err == RP_ERR_CORRUPT || err == RP_ERR_END || err == RP_ERR_IO) {
			err = RP_OK;
		}
	}
	return err;
}

enum rp_err recover_newest(struct task *task, struct recover_told *out)
{
	struct dir_entry *names = NULL;
	struct arena arena;
	size_t count = 0;

	*out = (struct recover_told){0};
	arena_init(&arena, LIST_BYTES_MAX);

	enum rp_err err = dir_list(task, FILE_ROOT_COMMIT, ".", &arena, &names, &count);

	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint64_t shard;

		if (!names[i].is_dir || !bytes_to_u64(names[i].name, CLAIM_LOGS_SHARDS_MAX, &shard))
			continue;
		err = look_for_newer(task, &arena, (unsigned)shard, out);
		out->shards_count = (unsigned)num_max(out->shards_count, shard + 1);
	}
	arena_fini(&arena);
	if (err == RP_ERR_NOTFOUND || (err == RP_OK && out->epoch == 0))
		return RP_ERR_CORRUPT;
	return err;
}

/* ---- void ---- */

static int by_epoch(const void *a, const void *b)
{
	const struct recover_file *x = a;
	const struct recover_file *y = b;

	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	return compare(a, b);
}

static enum rp_err make_void(
    struct task *task, const struct recover_file *old, uint64_t epoch, uint8_t *block)
{
	struct format_header header = { .epoch = epoch, .number = old->number };
	char path[LOGFILE_PATH_BYTES];
	struct file *file;

	while (header.nonce == 0)
		loop_random(task_loop(task), &header.nonce, sizeof(header.nonce));
	header.extra[LOGFILE_EXTRA_SHARD] = old->shard;
	header.extra[LOGFILE_EXTRA_STATE] = LOGFILE_FREE;
	header.extra[LOGFILE_EXTRA_BYTES] = old->bytes;
	logfile_path(old->shard, old->number, path);

	enum rp_err err =
	    file_open(task, FILE_ROOT_COMMIT, path, FILE_READ | FILE_WRITE, &file);

	if (err != RP_OK)
		return err;
	err = logfile_write_header(task, file, &header, block);
	file_close(file);
	return err;
}

/* A file of a folder that goes tells of the others no more: a power cut may take some of them, and leave it. */
static enum rp_err tell_of_none(
    struct task *task, unsigned shard, uint64_t number, uint64_t epoch, uint8_t *block)
{
	struct recover_file old = {.shard = shard, .number = number};
	char path[LOGFILE_PATH_BYTES];
	struct format_header header;
	struct file *file;

	logfile_path(shard, number, path);

	enum rp_err err = file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &file);

	if (err != RP_OK)
		return err;
	err = logfile_read_header(task, file, &header);
	file_close(file);
	if (err != RP_OK)
		return err == RP_ERR_END ? RP_OK : err;
	old.bytes = header.extra[LOGFILE_EXTRA_BYTES];
	return header.extra[LOGFILE_EXTRA_FILES] != 0 ? make_void(task, &old, epoch, block) : RP_OK;
}

static enum rp_err remove_folder(
    struct task *task, unsigned shard, uint64_t epoch, uint8_t *block)
{
	struct dir_entry *names;
	struct arena arena;
	size_t count;
	char path[LOGFILE_PATH_BYTES];

	snprintf(path, sizeof(path), "%u", shard);
	arena_init(&arena, LIST_BYTES_MAX);

	enum rp_err err = dir_list(task, FILE_ROOT_COMMIT, path, &arena, &names, &count);

	if (err == RP_ERR_NOTFOUND) {
		arena_fini(&arena);
		return RP_OK;
	}
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint64_t number;

		if (!names[i].is_dir && logfile_parse_name(names[i].name, &number))
			err = tell_of_none(task, shard, number, epoch, block);
	}
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		char name[LOGFILE_PATH_BYTES];
		uint64_t number;

		if (!logfile_parse_name(names[i].name, &number))
			continue;
		logfile_path(shard, number, name);
		err = file_remove(task, FILE_ROOT_COMMIT, name);
	}
	arena_fini(&arena);
	/* Not empty: somebody has put something there; it stays. */
	if (err == RP_OK)
		(void)!dir_remove(task, FILE_ROOT_COMMIT, path);
	return err;
}

enum rp_err recover_void(struct task *task, unsigned shards_count, uint64_t epoch)
{
	struct recover_file *files = NULL;
	size_t count = 0;
	unsigned shards_max;
	uint8_t *block = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);

	if (block == NULL)
		return RP_ERR_NOMEM;
	task_shield(task);

	enum rp_err err = recover_core_list(task, epoch, NULL, &files, &count, &shards_max);

	/* Oldest first: what is missing before a log's first write is taken for settled. And of a user who has moved from shard to shard the
	 * newer records must be there as long as older ones are: a recovery takes what it has for all that the journal may lack. */
	if (err == RP_OK && count > 0)
		qsort(files, count, sizeof(*files), by_epoch);
	for (size_t i = 0; err == RP_OK && i < count; i++)
		err = make_void(task, &files[i], epoch, block);
	for (unsigned shard = shards_count; err == RP_OK && shard < shards_max; shard++)
		err = remove_folder(task, shard, epoch, block);
	if (err == RP_OK)
		err = claim_careful_over(task);
	task_unshield(task);
	free(files);
	free(block);
	return err;
}
