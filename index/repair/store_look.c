#include "index/repair/store_look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/claim_logs.h"
#include "index/logfile.h"
#include "index/store_state.h"

enum {
	LINE_BYTES_MAX = 256,
	LIST_BYTES_MAX = 4 * 1024 * 1024, /* of names in one folder */
};

static_assert((int)COPIES_BLOCK_BYTES == (int)LOGFILE_BLOCK_BYTES, "one look for both");

struct look {
	struct task *task;
	repair_say_fn *say;
	void *arg;
	uint64_t damaged;
	uint64_t epoch;              /* of the last run */
	struct format_header newest; /* of the shard that is looked at; epoch 0: none yet */
	uint64_t there;              /* LOGFILE_EXTRA_FILES, as it is */
	bool any_there;
	bool any_used;
};

static void tell(struct look *look, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell_harmless(struct look *look, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say_it(struct look *look, const char *format, va_list args)
{
	char line[LINE_BYTES_MAX];
	int n = vsnprintf(line, sizeof(line), format, args);

	if (n >= 0 && look->say != NULL)
		look->say(look->arg, bytes_of(line, strlen(line)));
}

/* It is damage. */
static void tell(struct look *look, const char *format, ...)
{
	va_list args;

	look->damaged++;
	va_start(args, format);
	say_it(look, format, args);
	va_end(args);
}

static void tell_harmless(struct look *look, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_it(look, format, args);
	va_end(args);
}

/* A header and zeroes in one block. */
static void look_at_copy(
    struct look *look, const char *name, uint64_t at, struct bytes block, enum format_magic magic)
{
	struct format_header header;

	if (format_check(block, magic, UINT16_MAX, &header) != RP_OK) {
		tell(look,
		    "%s at %llu: a copy of the header is damaged; the next start writes it anew",
		    name, (unsigned long long)at);
		return;
	}
	for (size_t i = sizeof(header); i < LOGFILE_BLOCK_BYTES; i++) {
		if (i < block.n && block.p[i] == 0)
			continue;
		tell(look, "%s at %llu: there should be zeroes; the next start writes them anew",
		    name, (unsigned long long)(at + i));
		return;
	}
}

static enum rp_err look_at_copies(
    struct look *look, struct file *file, const char *name, enum format_magic magic)
{
	uint8_t *p = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);
	enum rp_err err = p != NULL ? RP_OK : RP_ERR_NOMEM;

	for (unsigned i = 0; err == RP_OK && i < COPIES_COUNT; i++) {
		uint64_t at = (uint64_t)i * LOGFILE_BLOCK_BYTES;
		size_t got = 0;

		err = file_read_retry(look->task, file, p, LOGFILE_BLOCK_BYTES, at, &got);
		if (err == RP_OK || err == RP_ERR_IO) {
			look_at_copy(look, name, at, bytes_of(p, err == RP_OK ? got : 0), magic);
			err = RP_OK;
		}
	}
	free(p);
	return err;
}

/* Only one copy was written, and nothing behind it: a power cut while it was made, or a lost copy of one that was not used yet. Neither
 * costs anything. A file with a header that ends before is cut. */
static enum rp_err was_just_made(struct look *look, struct file *file, bool *just_made)
{
	size_t behind_bytes;
	enum rp_err err = logfile_is_unwritten(look->task, file, just_made, &behind_bytes);

	*just_made = *just_made && behind_bytes == LOGFILE_FIRST_OFFSET;
	return err;
}

/* DATA/store, and the logs' owner. That they are not there, or no copy is sound, store_claim_look() has said. */
static enum rp_err look_at_header(
    struct look *look, enum file_root root, const char *name, enum format_magic magic)
{
	struct format_header header;
	struct file *file;
	unsigned newer;
	enum rp_err err = file_open(look->task, root, name, FILE_READ, &file);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	err = copies_read(look->task, file, magic, UINT16_MAX, &header, &newer);
	if (err == RP_OK)
		err = look_at_copies(look, file, name, magic);
	file_close(file);
	return err == RP_ERR_CORRUPT || err == RP_ERR_NOTFOUND ? RP_OK : err;
}

/* A sound header of the shard that is looked at. */
static void know_header(struct look *look, const struct format_header *header)
{
	const struct format_header *newest = &look->newest;

	look->any_used |= header->extra[LOGFILE_EXTRA_STATE] == LOGFILE_USED;
	if (header->epoch > newest->epoch ||
	    (header->epoch == newest->epoch &&
	        header->extra[LOGFILE_EXTRA_USE] > newest->extra[LOGFILE_EXTRA_USE]))
		look->newest = *header;
}

/* The last run has ended in order: nothing was in any of them. */
static bool was_empty(const struct look *look)
{
	return look->newest.epoch != 0 && look->newest.extra[LOGFILE_EXTRA_FILES] == 0 &&
	       !look->any_used;
}

static bool is_told(const struct look *look, uint64_t number)
{
	return number <= LOGFILE_FILES_TOLD &&
	       (look->newest.extra[LOGFILE_EXTRA_FILES] >> (number - 1) & 1) != 0;
}

/* What the headers of all files of this shard tell. */
static enum rp_err know_log(struct look *look, unsigned shard, uint64_t number)
{
	char path[LOGFILE_PATH_BYTES];
	struct format_header header;
	struct file *file;

	logfile_path(shard, number, path);

	enum rp_err err = file_open(look->task, FILE_ROOT_COMMIT, path, FILE_READ, &file);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	look->any_there = true;
	look->there |= number <= LOGFILE_FILES_TOLD ? UINT64_C(1) << (number - 1) : 0;
	err = logfile_read_header(look->task, file, &header);
	file_close(file);
	if (err == RP_OK && !logfile_is_foreign(&header, shard, number, look->epoch))
		know_header(look, &header);
	return err == RP_ERR_NOMEM || err == RP_ERR_CANCELED || err == RP_ERR_UNAVAILABLE ? err : RP_OK;
}

/* The newest header tells of them. */
static void tell_gone(struct look *look, unsigned shard)
{
	uint64_t gone = look->newest.extra[LOGFILE_EXTRA_FILES] & ~look->there;

	for (uint64_t number = 1; gone != 0; number++, gone >>= 1) {
		char path[LOGFILE_PATH_BYTES];

		if ((gone & 1) == 0)
			continue;
		logfile_path(shard, number, path);
		tell(look, "%s is gone: records that were in no other place are lost", path);
	}
}

static void tell_foreign(struct look *look, const char *path)
{
	tell(look,
	    was_empty(look)
	        ? "%s at 0: its header is another log's, or of a later time; the next start writes it anew"
	        : "%s at 0: its header is another log's, or of a later time: records that were in no other place are lost",
	    path);
}

/* Neither copy is sound. Where nothing is behind it was just being made, and headers tell of files of full size alone. */
static enum rp_err look_without_header(struct look *look, struct file *file, const char *path,
    uint64_t number, bool unreadable)
{
	bool unwritten = false;
	size_t behind_bytes = 0;
	enum rp_err err =
	    unreadable ? RP_OK
	               : logfile_is_unwritten(look->task, file, &unwritten, &behind_bytes);

	if (err != RP_OK)
		return err;
	if (unwritten && (behind_bytes == LOGFILE_FIRST_OFFSET || !is_told(look, number)))
		tell_harmless(look,
		    "%s at 0: there is no header, and nothing behind it: a power cut leaves it so; the next start makes it anew",
		    path);
	else if (was_empty(look))
		return look_at_copies(look, file, path, FORMAT_LOG);
	else
		tell(look,
		    "%s at 0: both copies of the header are lost: records that were in no other place are lost",
		    path);
	return RP_OK;
}

static enum rp_err look_with_header(struct look *look, struct file *file, const char *path,
    const struct format_header *header)
{
	bool just_made;
	uint64_t bytes;
	enum rp_err err = file_size(look->task, file, &bytes);

	if (err != RP_OK)
		return err;
	if (bytes < header->extra[LOGFILE_EXTRA_BYTES])
		tell(look, "%s at %llu: it is cut, there were %llu bytes", path,
		    (unsigned long long)bytes,
		    (unsigned long long)header->extra[LOGFILE_EXTRA_BYTES]);
	err = was_just_made(look, file, &just_made);
	if (err != RP_OK)
		return err;
	if (!just_made)
		return look_at_copies(look, file, path, FORMAT_LOG);
	tell_harmless(look,
	    "%s at %d: the second copy of the header is not there, and nothing behind it: "
	    "a power cut leaves it so; the next start writes it",
	    path, LOGFILE_BLOCK_BYTES);
	return RP_OK;
}

static enum rp_err look_at_log(struct look *look, unsigned shard, uint64_t number)
{
	char path[LOGFILE_PATH_BYTES];
	struct format_header header;
	struct file *file;

	logfile_path(shard, number, path);

	enum rp_err err = file_open(look->task, FILE_ROOT_COMMIT, path, FILE_READ, &file);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	err = logfile_read_header(look->task, file, &header);
	if (err == RP_OK && logfile_is_foreign(&header, shard, number, look->epoch))
		tell_foreign(look, path);
	else if (err == RP_OK)
		err = look_with_header(look, file, path, &header);
	else if (err == RP_ERR_END || err == RP_ERR_CORRUPT || err == RP_ERR_IO)
		err = look_without_header(look, file, path, number, err == RP_ERR_IO);
	else if (err != RP_ERR_NOMEM && err != RP_ERR_CANCELED && err != RP_ERR_UNAVAILABLE)
		err = look_at_copies(look, file, path, FORMAT_LOG);
	file_close(file);
	return err;
}

/* are_told: the owner file says that there are logs. */
static enum rp_err look_at_folder(
    struct look *look, struct arena *arena, unsigned shard, bool are_told)
{
	enum rp_err (*const pass[])(struct look *, unsigned, uint64_t) = {know_log, look_at_log};
	struct dir_entry *names = NULL;
	size_t count = 0;
	char path[LOGFILE_PATH_BYTES];

	look->newest = (struct format_header){0};
	look->there = 0;
	look->any_there = false;
	look->any_used = false;
	snprintf(path, sizeof(path), "%u", shard);

	enum rp_err err = dir_list(look->task, FILE_ROOT_COMMIT, path, arena, &names, &count);

	for (size_t i = 0; err == RP_OK && i < 2 * count; i++) {
		const struct dir_entry *name = &names[i % count];
		uint64_t number;

		if (!name->is_dir && logfile_parse_name(name->name, &number))
			err = pass[i / count](look, shard, number);
		if (err == RP_OK)
			err = task_pause(look->task);
	}
	if (err == RP_OK || err == RP_ERR_NOTFOUND) {
		tell_gone(look, shard);
		if (are_told && !look->any_there)
			tell(look, "%u/: all of this shard's commit logs are gone: records that were in no other place are lost", shard);
	}
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

static enum rp_err look_at_logs(struct look *look)
{
	struct dir_entry *names = NULL;
	struct arena arena;
	size_t count = 0;
	unsigned told;
	enum rp_err err = claim_logs_shards(look->task, &told);

	if (err != RP_OK)
		return err;
	arena_init(&arena, LIST_BYTES_MAX);
	for (unsigned shard = 0; err == RP_OK && shard < told; shard++)
		err = look_at_folder(look, &arena, shard, true);
	if (err == RP_OK)
		err = dir_list(look->task, FILE_ROOT_COMMIT, ".", &arena, &names, &count);

	for (size_t i = 0; err == RP_OK && i < count; i++) {
		uint64_t shard;

		if (names[i].is_dir && bytes_to_u64(names[i].name, CLAIM_LOGS_SHARDS_MAX, &shard) &&
		    shard >= told)
			err = look_at_folder(look, &arena, (unsigned)shard, false);
	}
	arena_fini(&arena);
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

/* What was durable in logs that are in use. */
static void tell_places(struct look *look, const struct recover *recover)
{
	size_t count;
	const struct recover_place *places = recover_places(recover, &count);

	for (size_t i = 0; i < count; i++) {
		char path[LOGFILE_PATH_BYTES];

		logfile_path(places[i].shard, places[i].number, path);
		tell(look, "%s at %llu: what was written there, and durable, is not sound", path,
		    (unsigned long long)places[i].offset);
	}
	if (count == RECOVER_PLACES_MAX)
		tell(look, "the commit logs: there may be more such places");
}

enum rp_err store_look(
    struct task *task, struct store *store, repair_say_fn *say, void *arg, uint64_t *damaged)
{
	struct look look = {.task = task, .say = say, .arg = arg, .epoch = store->epoch};
	enum rp_err err = look_at_header(&look, FILE_ROOT_DATA, "store", FORMAT_STORE);

	if (err == RP_OK)
		err = look_at_header(&look, FILE_ROOT_COMMIT, claim_logs_path, FORMAT_OWNER);
	if (err == RP_OK)
		err = look_at_logs(&look);
	if (store->recover != NULL)
		tell_places(&look, store->recover);
	*damaged = look.damaged;
	return err;
}
