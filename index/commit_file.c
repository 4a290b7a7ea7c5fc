/* This shard's log files: made, and taken over. When they are made, and used again: commit_reuse.c. */
#include <stdlib.h>
#include <string.h>

#include "index/claim.h"
#include "index/commit_core.h"
#include "io/base/arena.h"
#include "io/base/num.h"

enum {
	ZERO_BYTES = 256 * 1024,      /* written at a time when a file is made */
	LIST_BYTES_MAX = 1024 * 1024, /* of the names in a shard's folder */
};

static unsigned shard_of(const struct commit *commit)
{
	return loop_shard(commit->loop);
}

/* O_DIRECT where the file system has it. */
static enum rp_err open_log(
    struct task *task, struct commit *commit, const char *path, unsigned mode, struct file **out)
{
	enum rp_err err = RP_ERR_CANNOT;

	mode |= FILE_READ | FILE_WRITE;
	if (commit->direct)
		err = file_open(task, FILE_ROOT_COMMIT, path, mode | FILE_DIRECT, out);
	if (err != RP_ERR_CANNOT)
		return err;
	err = file_open(task, FILE_ROOT_COMMIT, path, mode, out);
	if (err == RP_OK && commit->direct) {
		LOG(loop_log(commit->loop), LOG_WARN, "commit.not_direct", LOG_STR("path", path));
		commit->direct = false;
	}
	return err;
}

static uint64_t bit_of(uint64_t number)
{
	return number <= LOGFILE_FILES_TOLD ? UINT64_C(1) << (number - 1) : 0;
}

static struct commit_file *add_file(struct commit *commit, uint64_t number, struct file *file)
{
	struct commit_file *added = calloc(1, sizeof(*added));

	if (added == NULL)
		return NULL;
	list_init(&added->link);
	added->number = number;
	added->file = file;
	commit->files_count++;
	if (commit->files_number < number)
		commit->files_number = number;
	return added;
}

static void drop_file(struct commit *commit, struct commit_file *file)
{
	commit->files_count--;
	file_close(file->file);
	free(file);
}

static enum rp_err write_header_of(struct task *task, struct commit *commit,
    struct commit_file *file, enum logfile_state state, uint64_t file_bytes)
{
	uint8_t *block = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);
	struct format_header header = { .epoch = commit->settings.epoch, .number = file->number };

	if (block == NULL)
		return RP_ERR_NOMEM;
	while (header.nonce == 0)
		loop_random(commit->loop, &header.nonce, sizeof(header.nonce));
	header.extra[LOGFILE_EXTRA_SHARD] = shard_of(commit);
	header.extra[LOGFILE_EXTRA_USE] = ++commit->use;
	header.extra[LOGFILE_EXTRA_STATE] = state;
	header.extra[LOGFILE_EXTRA_DURABLE] = commit->durable_number;
	header.extra[LOGFILE_EXTRA_BYTES] = file_bytes;
	header.extra[LOGFILE_EXTRA_FILES] = commit->files_there;
	header.extra[LOGFILE_EXTRA_LOST] = commit->settings.lost_epoch;

	enum rp_err err = logfile_write_header(task, file->file, &header, block);

	free(block);
	if (err == RP_OK) {
		file->nonce = header.nonce;
		file->at = LOGFILE_FIRST_OFFSET;
	}
	return err;
}

static enum rp_err write_header(
    struct task *task, struct commit *commit, struct commit_file *file, enum logfile_state state)
{
	return write_header_of(task, commit, file, state, commit->settings.file_bytes);
}

/* Ready for use: its header has a new nonce. One after the other, so that they are used in the order that their headers tell. */
enum rp_err commit_core_ready(struct task *task, struct commit *commit, struct commit_file *file)
{
	while (commit->readying)
		(void)!task_queue_wait(task, &commit->ready_wait);
	commit->readying = true;

	enum rp_err err = write_header(task, commit, file, LOGFILE_USED);

	commit->readying = false;
	task_queue_wake_all(&commit->ready_wait);
	if (err != RP_OK)
		return err;
	list_push_back(&commit->free, &file->link);
	task_queue_wake_all(&commit->file_wait);
	return RP_OK;
}

/* Kept beside, and not counted. */
static void keep_spare(struct commit *commit, struct commit_file *file)
{
	RP_ASSERT(commit->spare == NULL);
	commit->files_count--;
	commit->spare = file;
}

enum rp_err commit_core_ready_spare(struct task *task, struct commit *commit, struct commit_file *file)
{
	enum rp_err err = write_header(task, commit, file, LOGFILE_FREE);

	if (err == RP_OK)
		keep_spare(commit, file);
	return err;
}

/* Room that is there and written: a commit then changes neither size nor block map. */
static enum rp_err fill_with_zeroes(
    struct task *task, struct file *file, uint64_t from, uint64_t file_bytes)
{
	uint8_t *zero = aligned_alloc(LOGFILE_BLOCK_BYTES, ZERO_BYTES);

	if (zero == NULL)
		return RP_ERR_NOMEM;
	memset(zero, 0, ZERO_BYTES);

	enum rp_err err = file_allocate(task, file, from, file_bytes - from);

	for (uint64_t at = from; err == RP_OK && at < file_bytes; at += ZERO_BYTES)
		err = file_write(task, file, zero,
		    (size_t)num_min(ZERO_BYTES, file_bytes - at), at, false);
	if (err == RP_OK)
		err = file_sync(task, file);
	free(zero);
	return err;
}

static enum rp_err sync_folder(struct task *task, struct commit *commit)
{
	char path[LOGFILE_PATH_BYTES];

	logfile_path(shard_of(commit), 1, path);
	*strchr(path, '/') = '\0';

	enum rp_err err = dir_sync(task, FILE_ROOT_COMMIT, path);

	return err != RP_OK ? err : dir_sync(task, FILE_ROOT_COMMIT, ".");
}

/* One that headers tell of is never without a header of its own, for without it it would be missed: what says that it is free, and short, comes
 * first. */
static enum rp_err begin_anew(struct task *task, struct commit *commit, struct commit_file *told)
{
	enum rp_err err = write_header_of(task, commit, told, LOGFILE_FREE, LOGFILE_FIRST_OFFSET);

	return err == RP_OK ? file_truncate(task, told->file, LOGFILE_FIRST_OFFSET) : err;
}

/* Its room is given back, else it is lost till the next start; and the name, but of one that a header has told of. begun: its header says that
 * it is short. (One whose header does not keeps its size: a power cut could leave it cut, as if something had been in it.) */
static void unmake_file(struct task *task, struct commit *commit, struct commit_file *made,
    const char *path, bool told, bool begun)
{
	if (begun)
		(void)!file_truncate(task, made->file, LOGFILE_FIRST_OFFSET);
	if (!told)
		commit->files_there &= ~bit_of(made->number);
	drop_file(commit, made);
	if (!told)
		(void)!file_remove(task, FILE_ROOT_COMMIT, path);
}

/* A log file of ours with this name is made, or made anew over one that holds nothing; then it is ready, or the spare. */
enum rp_err commit_core_make_file(struct task *task, struct commit *commit, uint64_t number,
    enum rp_err (*then)(struct task *, struct commit *, struct commit_file *))
{
	bool told = (commit->files_there & bit_of(number)) != 0;
	bool begun;
	bool is_filled;
	char path[LOGFILE_PATH_BYTES];
	struct file *file;

	logfile_path(shard_of(commit), number, path);

	enum rp_err err = open_log(task, commit, path, told ? 0 : FILE_CREATE | FILE_TRUNCATE, &file);

	if (err != RP_OK)
		return err;

	struct commit_file *made = add_file(commit, number, file);

	if (made == NULL) {
		file_close(file);
		return RP_ERR_NOMEM;
	}
	if (told)
		err = begin_anew(task, commit, made);
	begun = told && err == RP_OK;
	if (err == RP_OK)
		err = fill_with_zeroes(task, file, told ? LOGFILE_FIRST_OFFSET : 0, commit->settings.file_bytes);
	if (err == RP_OK)
		err = sync_folder(task, commit);
	is_filled = err == RP_OK;
	/* From here on headers tell of it, also of others that are written meanwhile. */
	if (is_filled)
		commit->files_there |= bit_of(number);
	if (err == RP_OK)
		err = then(task, commit, made);
	if (err != RP_OK)
		unmake_file(task, commit, made, path, told, begun && !is_filled);
	return err;
}

static bool has_ready(const struct commit *commit)
{
	return commit->current != NULL || !list_empty(&commit->free);
}

/* Is this file there and free? Takes it over, or makes it anew when its size is not what is set now. */
static enum rp_err take_over(struct task *task, struct commit *commit, uint64_t number)
{
	char path[LOGFILE_PATH_BYTES];
	struct format_header header;
	struct file *file;

	logfile_path(shard_of(commit), number, path);

	enum rp_err err = open_log(task, commit, path, 0, &file);

	if (err != RP_OK)
		return err;
	err = logfile_read_header(task, file, &header);

	bool blank = false; /* a crash came while it was made */

	if (err == RP_ERR_END) {
		enum rp_err blank_err = logfile_is_unwritten(task, file, &blank, &(size_t){ 0 });

		err = blank_err != RP_OK ? blank_err : blank ? RP_OK : RP_ERR_CORRUPT;
	}

	/* An opening in this same start that has failed: nothing was appended then. */
	bool says_free = err == RP_OK && !blank && header.extra[LOGFILE_EXTRA_STATE] == LOGFILE_FREE;
	bool left = err == RP_OK && !blank && !says_free && header.epoch == commit->settings.epoch;
	bool is_free = says_free || left;
	bool fits = is_free && header.extra[LOGFILE_EXTRA_BYTES] == commit->settings.file_bytes;

	if (fits) { /* else it is made anew */
		enum rp_err whole_err = logfile_is_whole(task, file, &header, &fits);

		if (whole_err != RP_OK) {
			file_close(file);
			return whole_err;
		}
	}

	struct commit_file *added = fits ? add_file(commit, number, file) : NULL;

	if (added == NULL)
		file_close(file);
	if (added != NULL && !left && commit->spare == NULL && has_ready(commit)) {
		keep_spare(commit, added);
		return RP_OK;
	}
	if (fits) {
		err = added == NULL ? RP_ERR_NOMEM : commit_core_ready(task, commit, added);
		if (err != RP_OK && added != NULL)
			drop_file(commit, added);
		return err;
	}
	if (blank || is_free) {
		err = commit_core_make_file(task, commit, number, commit_core_ready);
		return err == RP_ERR_NOSPACE ? RP_OK : err; /* what it took is free */
	}
	/* In use by the last run, damaged or lost: it stays. */
	return err == RP_ERR_CORRUPT || err == RP_ERR_IO ? RP_OK : err;
}

static bool have(const struct commit *commit, uint64_t number)
{
	const struct list *lists[] = { &commit->free, &commit->full };

	for (int i = 0; i < 2; i++)
		LIST_FOR_EACH(link, lists[i])
			if (RP_CONTAINER_OF(link, struct commit_file, link)->number == number)
				return true;
	if (commit->spare != NULL && commit->spare->number == number)
		return true;
	return commit->current != NULL && commit->current->number == number;
}

/* Where one ends before, and has no header, it was being made: headers do not tell of it. */
static enum rp_err note_there(struct task *task, struct commit *commit, uint64_t number)
{
	char path[LOGFILE_PATH_BYTES];
	struct file *file;
	uint64_t bytes;

	logfile_path(shard_of(commit), number, path);

	enum rp_err err = file_open(task, FILE_ROOT_COMMIT, path, FILE_READ, &file);

	if (err != RP_OK)
		return err;
	err = file_size(task, file, &bytes);
	file_close(file);
	if (err == RP_OK && bytes >= LOGFILE_BLOCK_BYTES + LOGFILE_FIRST_OFFSET)
		commit->files_there |= bit_of(number);
	return err;
}

/* Take over what is free of the files with numbers up to `last`: those that this run makes have higher ones, and are
 * perhaps being made just now. */
static enum rp_err take_free(struct task *task, struct commit *commit, uint64_t last)
{
	char path[LOGFILE_PATH_BYTES];
	struct arena arena;
	struct dir_entry *names = NULL;
	size_t count = 0;

	logfile_path(shard_of(commit), 1, path);
	*strchr(path, '/') = '\0';

	enum rp_err err = dir_make(task, FILE_ROOT_COMMIT, path);

	arena_init(&arena, LIST_BYTES_MAX);
	if (err == RP_OK)
		err = dir_list(task, FILE_ROOT_COMMIT, path, &arena, &names, &count);
	/* All that are there, before the first header tells of them. */
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint64_t number;

		if (!names[i].is_dir && logfile_parse_name(names[i].name, &number) && number <= last)
			err = note_there(task, commit, number);
	}
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint64_t number;

		if (names[i].is_dir || !logfile_parse_name(names[i].name, &number) ||
		    number > last || have(commit, number))
			continue;
		if (commit->files_number < number)
			commit->files_number = number;
		if (commit->files_count < commit->settings.files_max)
			err = take_over(task, commit, number);
	}
	arena_fini(&arena);
	return err;
}

/* One that an earlier start began and wrote nothing to is as good as a free one, if its header tells nothing of others. All else stays. */
static enum rp_err take_unused(struct task *task, struct commit *commit, uint64_t number)
{
	char path[LOGFILE_PATH_BYTES];
	struct format_header header;
	struct commit_file *added;
	struct file *file;
	bool takes = false;
	enum rp_err err;

	logfile_path(shard_of(commit), number, path);
	if (open_log(task, commit, path, 0, &file) != RP_OK)
		return RP_OK;
	err = logfile_read_header(task, file, &header);
	if (err == RP_OK && header.extra[LOGFILE_EXTRA_STATE] == LOGFILE_USED && header.epoch < commit->settings.epoch &&
	    header.extra[LOGFILE_EXTRA_DURABLE] == 0 && header.extra[LOGFILE_EXTRA_BYTES] == commit->settings.file_bytes)
		err = logfile_is_whole(task, file, &header, &takes);
	if (err == RP_OK && takes)
		err = logfile_is_unused(task, file, &header, &takes);
	takes = takes && err == RP_OK;
	added = takes ? add_file(commit, number, file) : NULL;
	if (added == NULL) {
		file_close(file);
		return takes ? RP_ERR_NOMEM : err == RP_ERR_CANCELED || err == RP_ERR_NOMEM ? err : RP_OK;
	}
	err = commit_core_ready(task, commit, added);
	if (err != RP_OK)
		drop_file(commit, added);
	return err;
}

/* The disk is full, and no log is free. Starts that are cut short, one after the other, need one log in all, not one each. */
static enum rp_err take_one_unused(struct task *task, struct commit *commit)
{
	enum rp_err err = RP_OK;

	for (uint64_t number = commit->files_number; err == RP_OK && number > 0 && commit->files_count == 0; number--)
		err = take_unused(task, commit, number);
	return err;
}

/* One is enough to begin with; commit_core_make_task makes the others. */
enum rp_err commit_core_open_files(struct task *task, struct commit *commit)
{
	enum rp_err err = take_free(task, commit, UINT64_MAX);

	commit->files_before = commit->files_number;
	if (err == RP_OK && commit->files_count == 0 && !settle_core_has_room_for_file(task, commit))
		err = take_one_unused(task, commit);
	if (err != RP_OK || commit->files_count > 0)
		return err;
	err = commit_core_make_file(task, commit, ++commit->files_number, commit_core_ready);
	if (err == RP_ERR_NOSPACE) {
		enum rp_err given = claim_reserve_give_up(task);

		/* Perhaps another shard has just given it up: what it took is there for all. */
		commit->reserve_given = given == RP_OK || given == RP_ERR_NOTFOUND;
	}
	if (err == RP_ERR_NOSPACE && commit->reserve_given)
		err = commit_core_make_file(task, commit, commit->files_number, commit_core_ready);
	if (err != RP_ERR_NOSPACE)
		return err;
	/* The reserve that a crash has brought back may have been of less use than its size says. */
	err = take_one_unused(task, commit);
	return err == RP_OK && commit->files_count == 0 ? RP_ERR_NOSPACE : err;
}

enum rp_err commit_core_adopt(struct task *task, struct commit *commit)
{
	return take_free(task, commit, commit->files_before);
}

static enum rp_err free_list(struct task *task, struct commit *commit, struct list *files)
{
	LIST_FOR_EACH(link, files) {
		struct commit_file *file = RP_CONTAINER_OF(link, struct commit_file, link);
		enum rp_err err = write_header(task, commit, file, LOGFILE_FREE);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* At a clean end, oldest first: nothing is in them, and none will be missed. */
enum rp_err commit_core_free_all(struct task *task, struct commit *commit)
{
	commit->files_there = 0;

	enum rp_err err = free_list(task, commit, &commit->full);

	if (err == RP_OK && commit->current != NULL)
		err = write_header(task, commit, commit->current, LOGFILE_FREE);
	if (err == RP_OK && commit->spare != NULL)
		err = write_header(task, commit, commit->spare, LOGFILE_FREE);
	return err == RP_OK ? free_list(task, commit, &commit->free) : err;
}

void commit_core_close_files(struct commit *commit)
{
	for (struct list *link; (link = list_pop_front(&commit->full)) != NULL;)
		drop_file(commit, RP_CONTAINER_OF(link, struct commit_file, link));
	for (struct list *link; (link = list_pop_front(&commit->free)) != NULL;)
		drop_file(commit, RP_CONTAINER_OF(link, struct commit_file, link));
	if (commit->current != NULL)
		drop_file(commit, commit->current);
	if (commit->spare != NULL) {
		file_close(commit->spare->file);
		free(commit->spare);
	}
}
