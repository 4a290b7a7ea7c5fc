#include "index/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/journal_core.h"
#include "io/base/arena.h"
#include "io/base/num.h"

enum { LIST_BYTES_MAX = 16 * 1024 * 1024 }; /* of the names in one user's directory */

size_t journal_core_lower(const struct journal *journal, uint64_t first)
{
	size_t from = 0;
	size_t to = journal->files_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (journal->files[middle].first < first)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct journal_file *journal_core_find(const struct journal *journal, uint64_t first)
{
	size_t at = journal_core_lower(journal, first);

	if (at == journal->files_count || journal->files[at].first != first)
		return NULL;
	return &journal->files[at];
}

enum rp_err journal_core_add(struct journal *journal, const struct journal_file *file)
{
	size_t at = journal_core_lower(journal, file->first);

	RP_ASSERT(at == journal->files_count || journal->files[at].first != file->first);
	if (journal->files_count == JOURNAL_FILES_MAX)
		return RP_ERR_LIMIT;
	if (journal->files_count == journal->files_max) {
		size_t room = journal->files_max == 0 ? 4 : 2 * journal->files_max;
		struct journal_file *files = realloc(journal->files, room * sizeof(*files));

		if (files == NULL)
			return RP_ERR_NOMEM;
		journal->files = files;
		journal->files_max = room;
	}
	memmove(journal->files + at + 1, journal->files + at,
	    (journal->files_count - at) * sizeof(*file));
	journal->files[at] = *file;
	journal->files_count++;
	return RP_OK;
}

void journal_core_drop(struct journal *journal, uint64_t first)
{
	size_t at = journal_core_lower(journal, first);

	if (at == journal->files_count || journal->files[at].first != first)
		return;
	memmove(journal->files + at, journal->files + at + 1,
	    (journal->files_count - at - 1) * sizeof(struct journal_file));
	journal->files_count--;
}

uint64_t journal_core_last(const struct journal *journal, size_t at)
{
	uint64_t last = journal->files[at].last;
	uint64_t next = at + 1 < journal->files_count ? journal->files[at + 1].first : 0;

	if (journal->files[at].merged)
		return last;
	/* One that was sealed, and then failed in a recovery, ends before its name says. */
	if (next != 0 && (last == 0 || last >= next))
		return next - 1;
	return last;
}

void journal_core_path(const struct journal *journal, uint64_t first, uint64_t last,
    char path[JOURNAL_CORE_PATH_BYTES])
{
	if (last == 0)
		snprintf(path, JOURNAL_CORE_PATH_BYTES, "%s/%" PRIu64 "-.journal", journal->dir,
		    first);
	else
		snprintf(path, JOURNAL_CORE_PATH_BYTES, "%s/%" PRIu64 "-%" PRIu64 ".journal",
		    journal->dir, first, last);
}

void journal_core_path_of(const struct journal *journal, const struct journal_file *file,
    char path[JOURNAL_CORE_PATH_BYTES])
{
	if (!file->merged) {
		journal_core_path(journal, file->first, file->last, path);
		return;
	}
	snprintf(path, JOURNAL_CORE_PATH_BYTES, "%s/%" PRIu64 "+%" PRIu64 ".journal", journal->dir,
	    file->first, file->last);
}

bool journal_core_parse_name(struct bytes name, struct journal_file *file)
{
	static const char suffix[] = ".journal";
	size_t n = sizeof(suffix) - 1;

	*file = (struct journal_file){ 0 };
	if (name.n <= n || memcmp(name.p + name.n - n, suffix, n) != 0)
		return false;
	name = bytes_slice(name, 0, name.n - n);

	size_t plus = bytes_find(name, 0, '+');
	size_t dash = num_min(plus, bytes_find(name, 0, '-'));

	if (dash == name.n || name.p[0] == '0')
		return false;
	if (!bytes_to_u64(bytes_slice(name, 0, dash), UINT64_MAX - 1, &file->first))
		return false;
	file->merged = dash == plus;
	name = bytes_from(name, dash + 1);
	if (name.n == 0)
		return !file->merged;
	return name.p[0] != '0' && bytes_to_u64(name, UINT64_MAX - 1, &file->last) &&
	    file->last >= file->first;
}

/* A file whose LSNs all lie in another's range is what a merge, or a repair, has left behind: it is void. */
static void drop_covered(struct journal *journal)
{
	uint64_t covered = 0;
	size_t kept = 0;

	for (size_t i = 0; i < journal->files_count; i++) {
		const struct journal_file file = journal->files[i];
		uint64_t last = journal_core_last(journal, i);

		if (file.first <= covered && last <= covered) {
			journal->voids = true;
			continue;
		}
		if (file.merged)
			covered = last;
		journal->files[kept++] = file;
	}
	journal->files_count = kept;
}

/* Has this one a record with a greater LSN? What cannot be read has none. */
static enum rp_err has_more(struct task *task, const struct journal *journal,
    const struct journal_file *file, uint64_t lsn, bool *more)
{
	char path[JOURNAL_CORE_PATH_BYTES];
	struct journal_walk walk;
	struct record record;

	*more = false;
	journal_core_path_of(journal, file, path);

	enum rp_err err = journal_core_walk_path(task, &walk, journal, file, path);

	if (err == RP_OK) {
		while (!*more && (err = journal_core_walk_next(task, &walk, &record)) == RP_OK)
			*more = record.header.lsn > lsn;
		journal_core_walk_end(&walk);
	}
	return err == RP_ERR_CANCELED || err == RP_ERR_NOMEM || err == RP_ERR_UNAVAILABLE ? err : RP_OK;
}

/* Two begin with the same LSN: a crash in a merge leaves that, or somebody has put a copy back. The longer one covers the shorter; how
 * long the one in use is its name does not tell. */
static enum rp_err choose(struct task *task, const struct journal *journal,
    struct journal_file *same, const struct journal_file *file)
{
	struct journal_file longer = file->last > same->last ? *file : *same;
	struct journal_file used = file->last > same->last ? *same : *file;
	enum rp_err err = RP_OK;

	used.doubled = false;
	if (used.last == 0 && !longer.merged && longer.last != 0)
		err = has_more(task, journal, &used, longer.last, &used.doubled);
	*same = used.doubled ? used : longer;
	return err;
}

static enum rp_err list_files(struct task *task, struct journal *journal)
{
	struct arena arena;
	struct dir_entry *names;
	size_t count;

	arena_init(&arena, LIST_BYTES_MAX);

	enum rp_err err = dir_list(task, FILE_ROOT_DATA, journal->dir, &arena, &names, &count);

	if (err == RP_ERR_NOTFOUND) {
		err = RP_OK;
		count = 0;
	}
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		struct journal_file file;

		if (!journal_core_parse_name(names[i].name, &file))
			continue; /* what bears such a name and is no file is found out when it is opened */

		struct journal_file *same = journal_core_find(journal, file.first);

		if (same == NULL) {
			err = journal_core_add(journal, &file);
			continue;
		}
		journal->voids = true;
		err = choose(task, journal, same, &file);
	}
	arena_fini(&arena);
	if (err == RP_OK)
		drop_covered(journal);
	return err;
}

static enum rp_err make(struct task *task, const char *dir, const struct userid *userid,
    uint64_t epoch, bool recovering, struct journal **out)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (journal == NULL)
		return RP_ERR_NOMEM;
	RP_ASSERT(strlen(dir) < sizeof(journal->dir));
	strcpy(journal->dir, dir);
	journal->userid = *userid;
	journal->epoch = epoch;
	journal->loop = task_loop(task);
	journal->recovering = recovering;
	journal->file_bytes_max = JOURNAL_FILE_BYTES_MAX;
	task_queue_init(&journal->replays_over);

	enum rp_err err = list_files(task, journal);

	if (err != RP_OK) {
		journal_close(journal);
		return err;
	}
	*out = journal;
	return RP_OK;
}

enum rp_err journal_open_for_recovery(struct task *task, const char *dir,
    const struct userid *userid, uint64_t epoch, struct journal **out)
{
	return make(task, dir, userid, epoch, true, out);
}

/* RP_ERR_END when all is read. *end_lost: behind the newest record there is what is no record, or no mark. */
static enum rp_err walk_to_end(
    struct task *task, struct journal *journal, struct journal_walk *walk, bool *end_lost)
{
	struct record record;
	uint64_t end = FORMAT_AREA_BYTES;
	enum rp_err err;

	while ((err = journal_core_walk_next(task, walk, &record)) == RP_OK) {
		if (record.header.lsn > journal->last_lsn) {
			journal->last_lsn = record.header.lsn;
			journal->last_epoch = record.header.epoch;
		}
		end = walk->at;
	}
	*end_lost = walk->limit != end || (walk->marks && walk->mark_lsn != journal->last_lsn);
	return err;
}

/* The newest file: where it ends, and with which LSN. */
static enum rp_err find_end(struct task *task, struct journal *journal)
{
	if (journal->files_count == 0)
		return RP_OK;

	size_t at = journal->files_count - 1;
	uint64_t first = journal->files[at].first;
	struct journal_walk walk;

	if (journal->files[at].last != 0) {
		journal->last_lsn = journal->files[at].last;
		journal->end_lost = true; /* one gets such a name when the next one has been made */
		return RP_OK;
	}

	enum rp_err err = journal_core_walk_begin(task, &walk, journal, first);

	if (err == RP_ERR_CORRUPT) { /* reported; a new file, with an LSN above the one that this one had at least */
		journal->files[at].lost = true;
		journal->end_lost = true;
		journal->last_lsn = first;
		return RP_OK;
	}
	if (err != RP_OK)
		return err;
	journal->last_lsn = first - 1;
	err = walk_to_end(task, journal, &walk, &journal->end_lost);
	if (err == RP_ERR_END) {
		err = RP_OK;
		/* One is made with its first record; and who has put a copy back may have put an old one over what had more. */
		if (journal->last_lsn < first || journal->files[at].doubled)
			journal->end_lost = true;
		journal->files[at].written = walk.limit;
		/* An older server's is left as it is. And a name that was given without a flush, as a file failed, goes with the power:
		 * recovery, which has the records again, may then place them where they were to be first. */
		journal->number_first = walk.marks && !journal->files[at].goes_on ? first : 0;
		/* A file that is cut within its beginning has no records, and none may come there. */
		journal->number_end =
		    num_max(FORMAT_AREA_BYTES, num_round_up(walk.limit, RECORD_ALIGN));
	}
	journal_core_walk_end(&walk);
	return err;
}

enum rp_err journal_open(struct task *task, const char *dir, const struct userid *userid,
    uint64_t epoch, struct journal **out)
{
	struct journal *journal;
	enum rp_err err = make(task, dir, userid, epoch, false, &journal);

	if (err != RP_OK)
		return err;
	err = find_end(task, journal);
	if (err != RP_OK) {
		journal_close(journal);
		return err;
	}
	*out = journal;
	return RP_OK;
}

void journal_close(struct journal *journal)
{
	if (journal == NULL)
		return;
	file_close(journal->file);
	free(journal->files);
	free(journal);
}

void journal_set_file_bytes(struct journal *journal, uint64_t bytes)
{
	journal->file_bytes_max = bytes;
}

uint64_t journal_last_lsn(const struct journal *journal)
{
	return journal->last_lsn;
}

uint64_t journal_last_epoch(const struct journal *journal)
{
	return journal->last_epoch;
}

bool journal_end_is_lost(const struct journal *journal)
{
	return journal->end_lost;
}

uint64_t journal_first_lsn(const struct journal *journal)
{
	if (journal->files_count != 0)
		return journal->files[0].first;
	return journal->number_first;
}

bool journal_is_merged_over(const struct journal *journal, uint64_t lsn)
{
	return journal->files_count > 0 && journal->files[0].merged &&
	    lsn >= journal->files[0].first && lsn < journal->files[0].last;
}

uint64_t journal_bytes_since(const struct journal *journal, uint64_t lsn)
{
	uint64_t total = 0;

	if (lsn >= journal->last_lsn)
		return 0;
	for (size_t i = 0; i < journal->files_count; i++) {
		uint64_t first = journal->files[i].first;
		uint64_t last = journal_core_last(journal, i);
		uint64_t bytes = last != 0 ? journal->file_bytes_max : journal->number_end;

		if (first == journal->number_first)
			bytes = journal->number_end;
		if (last == 0 || last > journal->last_lsn)
			last = journal->last_lsn;
		if (last <= lsn || last < first)
			continue;

		uint64_t behind = last - (lsn >= first ? lsn : first - 1);
		double share = (double)behind / (double)(last - first + 1);

		total += (uint64_t)((double)bytes * share);
	}
	/* A file that is numbered but not made yet. */
	if (journal->number_first != 0 && journal_core_find(journal, journal->number_first) == NULL)
		total += journal->number_end;
	return total;
}

void journal_number(
    struct journal *journal, uint64_t bytes, uint64_t *lsn, struct record_place *place)
{
	RP_ASSERT(!journal->recovering);
	RP_ASSERT(bytes % RECORD_ALIGN == 0 && bytes <= RECORD_BYTES_MAX);
	journal->last_lsn++;
	if (journal->number_first == 0 ||
	    journal->number_end + bytes > journal->file_bytes_max) {
		journal->number_first = journal->last_lsn;
		journal->number_end = FORMAT_AREA_BYTES;
	}
	*lsn = journal->last_lsn;
	place->journal = journal->number_first;
	place->journal_offset = journal->number_end;
	journal->number_end += bytes;
}

void journal_number_from(struct journal *journal, uint64_t lsn)
{
	if (journal->last_lsn < lsn)
		journal->last_lsn = lsn;
}

void journal_cut(struct journal *journal)
{
	journal->number_first = 0;
	journal->number_end = 0;
}
