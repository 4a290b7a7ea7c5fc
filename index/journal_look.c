#include "index/journal_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "index/journal_core.h"
#include "index/journal_mark.h"
#include "io/base/num.h"

struct look {
	struct task *task;
	const struct journal *journal;
	uint64_t first; /* the file's */
	journal_look_fn *fn;
	void *arg;
	struct file *mends; /* the file, open for writing; NULL: we only look */
	bool mended;
	const char *path;
	uint64_t lsn; /* of the record met last; 0: none in this file */
	uint64_t end; /* and where it ends */
};

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static enum rp_err tell(struct look *look, enum journal_odd what, uint64_t offset, uint64_t bytes)
{
	struct journal_oddity oddity = {
	    .what = what,
	    .name = bytes_of_str(name_of(look->path)),
	    .offset = offset,
	    .bytes = bytes,
	    .lsn = look->lsn,
	};

	return look->fn(look->task, look->arg, &oddity);
}

static enum rp_err put(struct look *look, const uint8_t *p, size_t n, uint64_t at)
{
	if (look->mends == NULL)
		return RP_OK;
	look->mended = true;
	return file_write(look->task, look->mends, p, n, at, false);
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t at = 0;

	while (at < n && a[at] == b[at])
		at++;
	return at;
}

static enum rp_err look_at_area(struct look *look, const struct journal_walk *walk)
{
	uint8_t area[FORMAT_AREA_BYTES] = {0};
	uint8_t whole[FORMAT_AREA_BYTES];
	struct format_header header;
	size_t got;
	size_t at;
	enum rp_err err = file_read_retry(look->task, walk->file, area, sizeof(area), 0, &got);

	if (err == RP_OK)
		err = format_check_area(
		    bytes_of(area, got), FORMAT_JOURNAL, JOURNAL_VERSION_MAX, &header);
	if (err == RP_ERR_CANCELED || err == RP_ERR_UNAVAILABLE)
		return err;
	if (err != RP_OK && !walk->header_lost) /* it was there when the walk began */
		return RP_OK;
	if (err != RP_OK)
		return tell(look, JOURNAL_ODD_KNOWN, 0, FORMAT_AREA_BYTES);
	format_put_area(&header, whole);
	at = first_difference(area, whole, sizeof(area));
	if (at == sizeof(area) || journal_core_owes_any(look->journal, look->first))
		return RP_OK;
	err = tell(look, JOURNAL_ODD_HEADER, at, FORMAT_SECTOR_BYTES - at % FORMAT_SECTOR_BYTES);
	return err == RP_OK ? put(look, whole, sizeof(whole), 0) : err;
}

static enum rp_err look_at_record(
    struct look *look, const struct journal_walk *walk, const struct record *record)
{
	static const uint8_t zeroes[RECORD_ALIGN];
	uint64_t begin = walk->at - record_journal_bytes(&record->header);
	const uint8_t *p = record->payload.p + record->payload.n;
	uint64_t at = begin + sizeof(record->header) + record->payload.n;
	size_t padding = (size_t)(walk->at - at);
	uint64_t lsn = record->header.lsn;
	uint64_t next = look->lsn != 0 ? look->lsn + 1 : look->first;
	enum rp_err err = RP_OK;

	if (begin != look->end &&
	    (next >= lsn || !journal_core_owes(look->journal, look->first, next, lsn - 1)))
		err = tell(look, JOURNAL_ODD_GAP, look->end, begin - look->end);
	look->lsn = lsn;
	look->end = walk->at;
	if (err == RP_OK && memcmp(p, zeroes, padding) != 0 &&
	    !journal_core_owes(look->journal, look->first, lsn, lsn)) {
		err = tell(look, JOURNAL_ODD_ZEROES, at, padding);
		if (err == RP_OK)
			err = put(look, zeroes, padding, at);
	}
	return err;
}

/* Could a file not be written any more? The next one says so, which goes on with what was tried there. Of that anything may lie
 * there, and a power cut takes parts of it. */
static enum rp_err look_at_next(struct look *look, const struct journal_walk *walk, bool *failed)
{
	const struct journal *journal = walk->journal;
	size_t at = journal_core_lower(journal, walk->first + 1);
	struct journal_walk next;
	enum rp_err err = RP_ERR_NOTFOUND;

	*failed = false;
	if (at < journal->files_count)
		err = journal_core_walk_begin(look->task, &next, journal, journal->files[at].first);
	if (err == RP_ERR_CORRUPT || err == RP_ERR_NOTFOUND) {
		*failed = journal_core_owes_move(
		    journal, at < journal->files_count ? journal->files[at].first : look->lsn + 1);
		return RP_OK;
	}
	if (err != RP_OK)
		return err;
	*failed = next.header.extra[JOURNAL_EXTRA_GOES_ON] != 0;
	journal_core_walk_end(&next);
	return RP_OK;
}

/* Will recovery write what should be at the end of the file, and all that is there now? last: as of look_at_records(). */
static bool is_owed(const struct look *look, const struct journal_walk *walk, uint64_t last)
{
	const struct journal *journal = look->journal;
	uint64_t next = look->lsn != 0 ? look->lsn + 1 : look->first;
	uint64_t end = look->end + journal_core_owed_bytes(journal, look->first, next);
	uint64_t size = walk->limit + (walk->mark_lsn != 0 ? JOURNAL_MARK_BYTES : 0);

	if (!journal_core_owes(journal, look->first, next, next) &&
	    (look->lsn == 0 || !journal_core_owes(journal, look->first, look->lsn, look->lsn)))
		return false;
	return (next > last || journal_core_owes(journal, look->first, next, last)) &&
	       size <= num_round_up(end + JOURNAL_MARK_BYTES, RECORD_ALIGN);
}

static enum rp_err mend_end(struct look *look, const struct journal_walk *walk)
{
	uint8_t mark[JOURNAL_MARK_BYTES];
	enum rp_err err;

	if (look->mends == NULL)
		return RP_OK;
	look->mended = true;
	err = file_truncate(look->task, look->mends, look->end);
	journal_mark_put(mark, look->lsn, look->end, walk->header.nonce);
	return err == RP_OK && walk->marks ? put(look, mark, sizeof(mark), look->end) : err;
}

/* Nobody reads what lies behind the last record of a sealed file: its end mark, as a rule, or records of the next one. */
static enum rp_err look_behind(struct look *look, struct journal_walk *walk)
{
	struct record record;
	uint8_t piece[512];
	bool empty = !walk->marks;
	bool failed;
	enum rp_err err = RP_OK;

	if ((walk->mark_lsn == look->lsn && look->end == walk->limit) ||
	    is_owed(look, walk, look->lsn))
		return RP_OK;
	for (uint64_t at = look->end; err == RP_OK && empty && at < walk->limit;
	     at += sizeof(piece)) {
		size_t got = 0;

		err = file_read_retry(look->task, walk->file, piece, sizeof(piece), at, &got);
		for (size_t i = 0; err == RP_OK && i < got; i++)
			empty = empty && piece[i] == 0;
		if (err == RP_OK)
			err = task_pause(look->task);
	}
	if (err == RP_ERR_IO) /* that is why it was given up */
		return RP_OK;
	if (err != RP_OK || empty)
		return err;
	err = look_at_next(look, walk, &failed);
	if (err != RP_OK || failed)
		return err;
	err = journal_core_walk_next(look->task, walk, &record);
	if (err != RP_ERR_END)
		return err;
	err = tell(look, walk->marks ? JOURNAL_ODD_MARK : JOURNAL_ODD_BEHIND, look->end,
	    walk->limit - look->end);
	return err == RP_OK ? mend_end(look, walk) : err;
}

static bool is_being_made(const struct journal_walk *walk)
{
	return walk->journal->file != NULL && walk->journal->file_first == walk->first;
}

/* Should there be a mark behind the newest record, and is none? What is written meanwhile is not looked at. */
static bool lacks_mark(const struct look *look, const struct journal_walk *walk)
{
	const struct journal_file *file = journal_core_find(walk->journal, walk->first);

	if (!walk->marks || walk->mark_lsn == look->lsn)
		return false;
	return file == NULL ||
	       (!walk->torn && !file->torn && (file->written == 0 || file->written <= walk->limit));
}

/* last: the file's last LSN; 0: it is not sealed. */
static enum rp_err look_at_records(struct look *look, struct journal_walk *walk, uint64_t last)
{
	struct record record;
	enum rp_err err = RP_OK;

	look->end = FORMAT_AREA_BYTES;
	while (err == RP_OK && (err = journal_core_walk_next(look->task, walk, &record)) == RP_OK) {
		if (last != 0 && record.header.lsn > last)
			return RP_OK;
		err = look_at_record(look, walk, &record);
		if (err == RP_OK)
			err = task_pause(look->task);
		if (err == RP_OK && last != 0 && look->lsn == last)
			return look_behind(look, walk);
	}
	if (err != RP_ERR_END)
		return err;
	if (is_owed(look, walk, last))
		return RP_OK;
	/* A file is made with its first record, and sealed with its last. */
	if (look->end < walk->limit || last != 0 || (look->lsn == 0 && !is_being_made(walk)))
		err = tell(
		    look, JOURNAL_ODD_GAP, look->end, num_max(walk->limit, look->end) - look->end);
	else if (lacks_mark(look, walk))
		err = tell(look, JOURNAL_ODD_END, look->end, 0);
	else
		err = RP_OK;
	return err;
}

static enum rp_err look_at_file(
    struct look *look, const struct journal *journal, uint64_t first, uint64_t last)
{
	struct journal_walk walk;
	enum rp_err err = journal_core_walk_begin(look->task, &walk, journal, first);

	if (err == RP_ERR_CORRUPT && journal_core_owes(journal, first, first, first))
		return RP_OK;
	if (err == RP_ERR_CORRUPT)
		return tell(look, JOURNAL_ODD_LOST, 0, FORMAT_AREA_BYTES);
	if (err != RP_OK)
		return err;
	err = look_at_area(look, &walk);
	if (err == RP_OK)
		err = look_at_records(look, &walk, last);
	if (err == RP_OK && look->mended)
		err = file_sync(look->task, look->mends);
	journal_core_walk_end(&walk);
	return err;
}

enum rp_err journal_look(
    struct task *task, struct journal *journal, bool mends, journal_look_fn *fn, void *arg)
{
	char path[JOURNAL_CORE_PATH_BYTES];
	uint64_t first = 0;
	size_t at;
	enum rp_err err = RP_OK;

	journal_hold(journal);
	while (
	    err == RP_OK && (at = journal_core_lower(journal, first + 1)) < journal->files_count) {
		struct look look = {
		    .task = task, .journal = journal, .fn = fn, .arg = arg, .path = path};

		first = journal->files[at].first;
		look.first = first;
		journal_core_path_of(journal, &journal->files[at], path);
		if (mends)
			err = file_open(
			    task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &look.mends);
		at = journal_core_lower(journal, first);
		if (err == RP_OK)
			err = look_at_file(
			    &look, journal, first, journal_core_owed_last(journal, at));
		file_close(look.mends);
		if (err == RP_ERR_NOTFOUND)
			err = RP_OK; /* it was removed: journal_look_is_gone() tells of it */
	}
	journal_let_go(journal);
	return err;
}

bool journal_look_newest_is_gone(const struct journal *journal, uint64_t *first)
{
	const struct journal_file *newest;
	struct recover_known known;

	if (journal->files_count == 0)
		return false;
	newest = &journal->files[journal->files_count - 1];
	if (newest->last == 0)
		return false;
	*first = newest->last + 1;
	return !pending_find(journal->pending, *first, &known);
}

bool journal_look_is_gone(const struct journal *journal, uint64_t first, uint64_t last,
    uint64_t *rest, char name[JOURNAL_LOOK_NAME_BYTES])
{
	size_t at = journal_core_lower(journal, first + 1);
	uint64_t ends = at > 0 ? journal_core_last(journal, at - 1) : 1;

	if (at > 0 && (ends == 0 || ends >= first)) {
		char path[JOURNAL_CORE_PATH_BYTES];

		*rest = ends == 0 ? last : num_min(last, ends);
		journal_core_path_of(journal, &journal->files[at - 1], path);
		snprintf(name, JOURNAL_LOOK_NAME_BYTES, "%.*s", JOURNAL_LOOK_NAME_BYTES - 1,
		    name_of(path));
		return false;
	}
	if (at == journal->files_count) {
		*rest = last;
		snprintf(name, JOURNAL_LOOK_NAME_BYTES, "%" PRIu64 "-.journal", first);
		return true;
	}
	*rest = num_min(last, journal->files[at].first - 1);
	snprintf(name, JOURNAL_LOOK_NAME_BYTES, "%" PRIu64 "-%" PRIu64 ".journal", first, *rest);
	if (first == 1) {
		size_t n = strlen(name);

		snprintf(name + n, JOURNAL_LOOK_NAME_BYTES - n, " or 1+%" PRIu64 ".journal", *rest);
	}
	return true;
}
