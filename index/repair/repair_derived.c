/* Derived files, each by itself: repair_look_derived() of repair_core.h.
 *
 * What a client sees does not depend on them, so their damage costs nothing; but a disk that has damaged one may damage others. A
 * file that goes while it is looked at was taken away by a checkpoint.
 */
#include <stdlib.h>
#include <string.h>

#include "index/cache.h"
#include "index/format.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"
#include "index/table_open.h"
#include "index/volume_files.h"
#include "io/base/num.h"

enum {
	CACHE_HEAD_BYTES = 24, /* cache.h: emailid, bytes, zero, xxh3 */
	CACHE_BYTES_MAX = CACHE_ENTRY_BYTES_MAX + CACHE_HEAD_BYTES + CACHE_UNIT, /* of one entry */
};

static enum rp_err look_at_catalog(
    struct task *task, const struct volume *volume, const struct volume_file *file)
{
	struct catalog catalog;
	enum rp_err err;

	catalog_init(&catalog, volume->catalog.names.key);
	err = volume_read_catalog_file(task, &volume->userid, file->lsn, &catalog);
	catalog_fini(&catalog);
	return err;
}

static enum rp_err look_at_index(
    struct task *task, struct repair *repair, const struct volume_file *file, const char *path)
{
	const struct volume *volume = repair->volume;
	struct table *table;
	uint64_t lsn;
	enum rp_err err =
	    table_open(task, path, &volume->userid, file->mailboxid, &table, &lsn);

	if (err != RP_OK)
		return err;
	err = lsn == file->lsn ? table_prepare_rows(task, table, NULL) : RP_ERR_CORRUPT;
	if (err == RP_OK && (table_is_bad(table) || !table_gaps_are_zero(table)))
		err = RP_ERR_CORRUPT;
	if (err == RP_OK)
		err = repair_look_owed_cache(task, repair, file, table_cache_last(table));
	table_free(table);
	return err;
}

/* The entry at *at; *at is behind it then. buffer: CACHE_BYTES_MAX. */
static enum rp_err look_at_entry(struct task *task, struct file *file,
    const struct format_header *header, uint64_t size, uint8_t *buffer, uint64_t *at)
{
	static const uint8_t zeroes[CACHE_UNIT];
	struct bytes entry;
	uint64_t emailid;
	uint64_t bytes;
	size_t got;
	enum rp_err err =
	    file_read_retry(task, file, buffer, CACHE_HEAD_BYTES, *at, &got);

	if (err != RP_OK || got < CACHE_HEAD_BYTES)
		return err == RP_OK ? RP_ERR_CORRUPT : err;
	bytes = num_round_up(CACHE_HEAD_BYTES + (uint64_t)num_get_u32(buffer + 8), CACHE_UNIT);
	if (bytes > CACHE_BYTES_MAX || bytes > size - *at)
		return RP_ERR_CORRUPT;
	err = file_read_retry(task, file, buffer, bytes, *at, &got);
	if (err == RP_OK && got < bytes)
		err = RP_ERR_CORRUPT;
	if (err == RP_OK)
		err = cache_check(
		    bytes_of(buffer, bytes), header->nonce, header->version, &emailid, &entry);
	if (err == RP_OK &&
	    memcmp(entry.p + entry.n, zeroes, (size_t)(buffer + bytes - (entry.p + entry.n))) != 0)
		err = RP_ERR_CORRUPT;
	if (err != RP_OK)
		return err == RP_ERR_END ? RP_ERR_CORRUPT : err;
	*at += bytes;
	return task_pause(task);
}

static enum rp_err look_at_entries(
    struct task *task, const struct volume *volume, const struct volume_file *of, struct file *file)
{
	uint8_t *buffer = malloc(CACHE_BYTES_MAX);
	struct format_header header;
	uint64_t at = FORMAT_AREA_BYTES;
	uint64_t size = 0;
	size_t got;
	enum rp_err err = buffer != NULL ? file_size(task, file, &size) : RP_ERR_NOMEM;

	if (err == RP_OK)
		err = file_read_retry(task, file, buffer, FORMAT_AREA_BYTES, 0, &got);
	if (err == RP_OK)
		err = format_check_area(bytes_of(buffer, got), FORMAT_CACHE, UINT16_MAX, &header);
	if (err == RP_OK && (!userid_eq(&header.userid, &volume->userid) ||
				header.number != of->mailboxid))
		err = RP_ERR_CORRUPT;
	while (err == RP_OK && at < size)
		err = look_at_entry(task, file, &header, size, buffer, &at);
	free(buffer);
	return err;
}

bool repair_cache_is_used(const struct volume *volume, uint64_t mailboxid)
{
	const struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);

	return node != NULL && node->loaded != NULL && node->loaded->cache != NULL;
}

static enum rp_err look_at_cache(struct task *task, const struct volume *volume,
    const struct volume_file *of, const char *path)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file);

	if (err != RP_OK)
		return err;
	err = look_at_entries(task, volume, of, file);
	file_close(file);
	return err;
}

/* A reader takes the first sound copy of the header; here both count, and that nothing stands beside them. */
static enum rp_err look_at_area(struct task *task, const char *path)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct file *file;
	size_t got;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file);

	if (err != RP_OK)
		return err;
	err = file_read_retry(task, file, area, sizeof(area), 0, &got);
	file_close(file);
	if (err != RP_OK || got < sizeof(area))
		return err == RP_OK ? RP_ERR_CORRUPT : err;
	for (size_t i = FORMAT_HEADER_BYTES; i < FORMAT_SECTOR_BYTES; i++)
		if (area[i] != 0)
			return RP_ERR_CORRUPT;
	return memcmp(area, area + FORMAT_SECTOR_BYTES, FORMAT_SECTOR_BYTES) == 0 ? RP_OK
										 : RP_ERR_CORRUPT;
}

/* One that a crash has left before its first write is not begun. Entries that an index names are missed where that is read. */
static enum rp_err look_whether_begun(struct task *task, const char *path, bool *begun)
{
	uint64_t bytes = 0;
	enum rp_err err = file_size_at(task, FILE_ROOT_DATA, path, &bytes);

	*begun = bytes > 0;
	return err;
}

static enum rp_err look_at_one(struct task *task, struct repair *repair, struct bytes name)
{
	const struct volume *volume = repair->volume;
	struct volume_file file = volume_file_parse(name);
	char path[VOLUME_PATH_BYTES];
	bool begun = true;
	enum rp_err err = RP_OK;

	if (name.n >= VOLUME_PATH_BYTES - USERID_PATH_BYTES ||
	    (file.kind == VOLUME_FILE_CACHE && repair_cache_is_used(volume, file.mailboxid)))
		return RP_OK;
	volume_path(volume, path, "%.*s", BYTES_FMT(name));
	if (file.kind == VOLUME_FILE_CACHE)
		err = look_whether_begun(task, path, &begun);
	if (err == RP_OK && begun &&
	    (file.kind == VOLUME_FILE_CATALOG || file.kind == VOLUME_FILE_INDEX ||
	        file.kind == VOLUME_FILE_CACHE))
		err = look_at_area(task, path);
	if (err == RP_OK && file.kind == VOLUME_FILE_CATALOG)
		err = look_at_catalog(task, volume, &file);
	if (err == RP_OK && file.kind == VOLUME_FILE_INDEX)
		err = look_at_index(task, repair, &file, path);
	if (err == RP_OK && file.kind == VOLUME_FILE_CACHE && begun)
		err = look_at_cache(task, volume, &file, path);
	if (err == RP_OK || err == RP_ERR_NOTFOUND)
		return RP_OK;
	if (err == RP_ERR_CANCELED || err == RP_ERR_NOMEM)
		return err;
	repair->report->derived_damaged++;
	repair_say(repair, "%.*s: it is damaged; no mail is lost by it, a repair makes it anew",
	    BYTES_FMT(name));
	return RP_OK;
}

enum rp_err repair_look_derived(struct task *task, struct repair *repair)
{
	struct volume_files files;
	struct arena arena;
	enum rp_err err;

	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = volume_files_list(task, repair->volume->dir, &arena, &files);
	for (size_t i = 0; err == RP_OK && i < files.count; i++)
		err = look_at_one(task, repair, files.entries[i].name);
	if (err == RP_OK)
		err = repair_look_owed(task, repair, &files);
	arena_fini(&arena);
	return err;
}
