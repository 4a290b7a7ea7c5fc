/* Writing a journal: settled records at the places that were given to them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/journal.h"
#include "index/journal_core.h"
#include "index/journal_mark.h"
#include "io/base/num.h"

enum { GATHER_BYTES = 256 * 1024 }; /* adjacent records in one write */

/* The file gets the name of a sealed one: its last LSN is known now. A crash before loses nothing, nor does it matter if it fails: the
 * next file's name says the same, and the next opening tries again. */
static void seal(struct task *task, struct journal *journal, uint64_t first, uint64_t last)
{
	struct journal_file *file = journal_core_find(journal, first);
	char from[JOURNAL_CORE_PATH_BYTES];
	char to[JOURNAL_CORE_PATH_BYTES];

	if (file->merged || file->lost || file->last == last)
		return;
	journal_core_path_of(journal, file, from);
	journal_core_path(journal, first, last, to);
	file->sealing = last;
	task_shield(task); /* whoever it is that goes away: the file has one name or the other, and it must be known which */

	enum rp_err err = file_rename(task, FILE_ROOT_DATA, from, to);

	task_unshield(task);
	file = journal_core_find(journal, first);
	if (err != RP_OK || file == NULL)
		return;
	file->last = last;
	file->sealing = 0;
}

static void seal_before(struct task *task, struct journal *journal, uint64_t first)
{
	size_t at = journal_core_lower(journal, first);

	if (at == 0)
		return;
	/* Nothing comes to it any more that would fail if this does. */
	(void)!journal_core_keep_header(task, journal, journal->files[at - 1].first);
	at = journal_core_lower(journal, first);
	if (at > 0 && journal->files[at - 1].last == 0)
		seal(task, journal, journal->files[at - 1].first, first - 1);
}

void journal_seal(struct task *task, struct journal *journal)
{
	for (size_t i = 0; i + 1 < journal->files_count; i++)
		seal(task, journal, journal->files[i].first, journal_core_last(journal, i));
}

static enum rp_err make_file(
    struct task *task, struct journal *journal, uint64_t first, struct file **out)
{
	const unsigned mode = FILE_READ | FILE_WRITE | FILE_CREATE;
	struct journal_file made = {.first = first, .written = FORMAT_AREA_BYTES};
	struct format_header header;
	char path[JOURNAL_CORE_PATH_BYTES];
	struct file *file;

	journal_core_path(journal, first, 0, path);

	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, mode, &file);

	if (err == RP_ERR_NOTFOUND) {
		err = dir_make(task, FILE_ROOT_DATA, journal->dir);
		if (err == RP_OK)
			err = file_open(task, FILE_ROOT_DATA, path, mode, &file);
	}
	if (err != RP_OK)
		return err;
	err = journal_core_write_header(task, journal, file, first, 0, &header);
	if (err == RP_OK) {
		journal_core_note_header(&made, &header);
		err = journal_core_add(journal, &made);
	}
	if (err != RP_OK) {
		file_close(file);
		return err;
	}
	*out = file;
	seal_before(task, journal, first);
	return RP_OK;
}

/* The same header again, both copies: of one that was not flushed a power cut may leave the other. And where the last run's flush
 * failed the kernel may call clean what is there, and lose it in the next power cut: what is written now is flushed with the records
 * that are placed. */
static enum rp_err renew_header(struct task *task, struct file *file)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	size_t got;
	enum rp_err err = file_read(task, file, area, sizeof(area), 0, &got);

	if (err == RP_OK)
		err = format_check_area(
		    bytes_of(area, got), FORMAT_JOURNAL, JOURNAL_VERSION_MAX, &header);
	if (err != RP_OK)
		return err == RP_ERR_END ? RP_ERR_CORRUPT : err;
	format_put_area(&header, area);
	return file_write(task, file, area, sizeof(area), 0, false);
}

static enum rp_err open_file(
    struct task *task, struct journal *journal, uint64_t first, struct file **out)
{
	const struct journal_file *at = journal_core_find(journal, first);
	char path[JOURNAL_CORE_PATH_BYTES];
	struct format_header header;
	bool known = journal_core_known_header(journal, at, &header);
	struct file *file;

	RP_ASSERT(!at->merged);
	journal_core_path_of(journal, at, path);

	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file);

	if (err != RP_OK)
		return err;
	if (!known)
		err = journal_core_read_header(task, journal, file, first, false, &header);
	/* Made in the last run and not synced: the log still has every record of it. */
	if (err == RP_ERR_CORRUPT && journal->recovering)
		err = journal_core_write_header(task, journal, file, first, 0, &header);
	else if (err == RP_OK && journal->recovering)
		err = renew_header(task, file);
	if (err != RP_OK) {
		file_close(file);
		return err;
	}
	journal_core_note_header(journal_core_find(journal, first), &header);
	*out = file;
	return RP_OK;
}

/* Recovery: what still counts of this record is in a file that a merge has made; it was synced before it got its name. */
static bool is_covered(const struct journal *journal, const struct record *record)
{
	size_t at = journal_core_lower(journal, record->header.lsn + 1);

	return journal->recovering && at > 0 && journal->files[at - 1].merged &&
	    journal->files[at - 1].last >= record->header.lsn;
}

/* Where this record goes in the journal: to the place that it was given, unless that file ended before it. */
static struct record_place place_of(const struct journal *journal, const struct record *record)
{
	struct record_place place = record->header.place;

	for (size_t i = 0; i < journal->moved_count; i++) {
		const struct journal_moved *moved = &journal->moved[i];

		if (place.journal != moved->from || record->header.lsn < moved->lsn)
			continue;
		place.journal = moved->lsn;
		place.journal_offset += FORMAT_AREA_BYTES - moved->offset;
	}
	return place;
}

static enum rp_err move_from(
    struct journal *journal, const struct record_place *place, uint64_t lsn)
{
	if (journal->moved_count == JOURNAL_CORE_MOVED_MAX)
		return RP_ERR_LIMIT;
	journal->moved[journal->moved_count++] = (struct journal_moved){
		.from = place->journal, .lsn = lsn, .offset = place->journal_offset
	};
	return RP_OK;
}

/* Recovery: an earlier run has ended this record's file before it, so readers do not look for it there. */
static bool is_behind_end(const struct journal *journal, const struct record *record)
{
	struct record_place place = place_of(journal, record);
	size_t at = journal_core_lower(journal, place.journal);

	uint64_t last = 0;

	if (!journal->recovering || at == journal->files_count)
		return false;
	if (journal->files[at].first == place.journal)
		last = journal_core_last(journal, at);
	else
		last = journal->files[at].first - 1; /* it will be made before this one */
	return last != 0 && record->header.lsn > last;
}

/* Under a name that no reader knows: for a person to look at. */
static enum rp_err set_aside(struct task *task, struct journal *journal, uint64_t first)
{
	const struct journal_file *file = journal_core_find(journal, first);
	char from[JOURNAL_CORE_PATH_BYTES];
	char to[JOURNAL_CORE_PATH_BYTES + 8];

	if (journal->file_first == first) {
		file_close(journal->file);
		journal->file = NULL;
	}
	if (file != NULL)
		journal_core_path_of(journal, file, from);
	else
		journal_core_path(journal, first, 0, from);
	snprintf(to, sizeof(to), "%s.failed", from);

	enum rp_err err = file_rename(task, FILE_ROOT_DATA, from, to);

	if (err != RP_OK && err != RP_ERR_NOTFOUND)
		return err;
	if (journal_core_find(journal, first) != NULL)
		journal_core_drop(journal, first);
	return RP_OK;
}

enum rp_err journal_give_up(
    struct task *task, struct journal *journal, const struct record *record)
{
	struct record_place place = place_of(journal, record);
	uint64_t lsn = record->header.lsn;

	if (journal->number_first == record->header.place.journal)
		journal_cut(journal);
	return place.journal == lsn ? set_aside(task, journal, lsn)
	                            : move_from(journal, &place, lsn);
}

static enum rp_err have_file(struct task *task, struct journal *journal, uint64_t first)
{
	struct file *file = NULL;

	if (journal->file != NULL && journal->file_first == first)
		return RP_OK;

	enum rp_err err = journal_core_find(journal, first) != NULL
	    ? open_file(task, journal, first, &file)
	    : make_file(task, journal, first, &file);

	if (err != RP_OK && file == NULL)
		return err;
	file_close(journal->file);
	journal->file = file;
	journal->file_first = first;
	return err;
}

/* How many records from the first on lie side by side in one file and fit into one write. */
static size_t adjacent(const struct journal *journal, const struct record *const *records,
    size_t count, uint64_t *bytes)
{
	const struct record_place place = place_of(journal, records[0]);
	size_t n = 1;

	*bytes = record_journal_bytes(&records[0]->header);
	for (; n < count; n++) {
		const struct record_place next = place_of(journal, records[n]);
		uint64_t more = record_journal_bytes(&records[n]->header);

		if (next.journal != place.journal || is_behind_end(journal, records[n]) ||
		    next.journal_offset != place.journal_offset + *bytes ||
		    *bytes + more > GATHER_BYTES)
			break;
		*bytes += more;
	}
	return n;
}

/* Is the record behind this one there? It is when a write is made once more, and in a recovery, which may not have it: the log
 * that had it may be damaged. */
static enum rp_err is_followed(struct task *task, const struct journal *journal,
    const struct journal_file *file, uint64_t lsn, uint64_t end, bool *followed)
{
	uint8_t next[sizeof(struct record_header)];
	struct record_header header;
	uint64_t nonce = file->nonce;
	size_t got;
	enum rp_err err = RP_OK;

	*followed = file->written > end;
	if (!journal->recovering || *followed)
		return RP_OK;
	err = file_read_retry(task, journal->file, next, sizeof(next), end, &got);
	if (err == RP_OK && got == sizeof(next) &&
	    record_find(bytes_of(next, got), 0, nonce) == 0) {
		memcpy(&header, next, sizeof(header));
		*followed = header.lsn == lsn + 1;
	}
	return err == RP_ERR_IO ? RP_OK : err;
}

/* To the place of the first, with a mark behind the last if they are the newest. */
static enum rp_err write_at(struct task *task, struct journal *journal, uint8_t *p, uint64_t bytes,
    uint64_t lsn, const struct record_place *place)
{
	struct journal_file *file = journal_core_find(journal, place->journal);
	uint64_t end = place->journal_offset + bytes;
	uint64_t more = 0;
	bool followed = true;
	bool was_torn;
	enum rp_err err = RP_OK;

	if (file->marks)
		err = is_followed(task, journal, file, lsn, end, &followed);
	if (err != RP_OK)
		return err;
	file = journal_core_find(journal, place->journal);
	if (!followed) {
		journal_mark_put(p + bytes, lsn, end, file->nonce);
		more = JOURNAL_MARK_BYTES;
	}
	was_torn = file->torn;
	file->torn = true;
	err = file_write(task, journal->file, p, bytes + more, place->journal_offset, false);
	file = journal_core_find(journal, place->journal);
	if (err != RP_OK || file == NULL)
		return err;
	file->torn = followed && was_torn;
	file->written = num_max(file->written, end);
	return RP_OK;
}

static enum rp_err write_adjacent(struct task *task, struct journal *journal,
    const struct record *const *records, size_t count, uint64_t bytes)
{
	const struct record_place place = place_of(journal, records[0]);
	uint8_t *p = malloc(bytes + JOURNAL_MARK_BYTES);
	size_t used = 0;

	if (p == NULL)
		return RP_ERR_NOMEM;

	const struct journal_file *file = journal_core_find(journal, place.journal);

	RP_ASSERT(file != NULL && file->nonce != 0);
	for (size_t i = 0; i < count; i++) {
		struct record record = *records[i];

		record.header.place = place_of(journal, &record);
		used += record_put(p + used, &record, file->nonce);
	}
	RP_ASSERT(used == bytes);

	enum rp_err err =
	    write_at(task, journal, p, bytes, records[count - 1]->header.lsn, &place);

	free(p);
	return err;
}

/* A log that is damaged, or made by somebody, may have a place before where its file begins. It costs the record. */
static bool is_placeable(const struct journal *journal, const struct record *record)
{
	const struct record_place place = place_of(journal, record);

	if (place.journal_offset >= FORMAT_AREA_BYTES &&
	    place.journal_offset <= RECORD_PLACE_OFFSET_MAX)
		return true;
	LOG(loop_log(journal->loop), LOG_ERROR, "journal.misplaced", LOG_STR("dir", journal->dir),
	    LOG_U64("lsn", record->header.lsn), LOG_U64("offset", place.journal_offset));
	return false;
}

enum rp_err journal_write(struct task *task, struct journal *journal,
    const struct record *const *records, size_t count, size_t *done)
{
	for (*done = 0; *done < count;) {
		const struct record *const *from = records + *done;
		enum rp_err err = RP_OK;

		if (is_covered(journal, *from)) {
			++*done;
			continue;
		}
		if (journal->recovering && !is_placeable(journal, *from)) {
			++*done;
			continue;
		}
		if (is_behind_end(journal, *from)) {
			struct record_place place = place_of(journal, *from);

			err = move_from(journal, &place, (*from)->header.lsn);
		}

		uint64_t bytes;
		size_t n = adjacent(journal, from, count - *done, &bytes);

		if (err == RP_OK)
			err = have_file(task, journal, place_of(journal, *from).journal);
		if (err == RP_OK)
			err = write_adjacent(task, journal, from, n, bytes);
		if (err != RP_OK)
			return err;
		*done += n;
	}
	return RP_OK;
}

enum rp_err journal_sync(struct task *task, struct journal *journal)
{
	return journal->file != NULL ? file_sync(task, journal->file) : RP_OK;
}

enum rp_err journal_remove_below(struct task *task, struct journal *journal, uint64_t lsn)
{
	while (journal->files_count > 1) {
		uint64_t first = journal->files[0].first;
		uint64_t last = journal_core_last(journal, 0);
		char path[JOURNAL_CORE_PATH_BYTES];

		if (last == 0 || last >= lsn)
			return RP_OK;
		journal_core_path_of(journal, &journal->files[0], path);

		enum rp_err err = file_remove(task, FILE_ROOT_DATA, path);

		if (err != RP_OK)
			return err;
		if (journal->file_first == first) {
			file_close(journal->file);
			journal->file = NULL;
		}
		journal_core_drop(journal, first);
	}
	return RP_OK;
}
