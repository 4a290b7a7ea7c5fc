/* Reading a journal: record after record, on behind damage. */
#include <stdlib.h>
#include <string.h>

#include "index/journal.h"
#include "index/journal_core.h"
#include "index/journal_mark.h"
#include "io/base/num.h"

enum {
	WINDOW_BYTES = 2 * RECORD_BYTES_MAX,
	PIECE_BYTES = 4096, /* read at a time where more cannot be */
};

static void report(const struct journal *journal, const char *event, uint64_t first, uint64_t offset)
{
	LOG(loop_log(journal->loop), LOG_ERROR, event, LOG_STR("dir", journal->dir),
	    LOG_U64("first", first), LOG_U64("offset", offset));
}

static void tell_header_lost(const struct journal *journal, uint64_t first, bool is_known)
{
	LOG(loop_log(journal->loop), LOG_ERROR, "journal.header_lost", LOG_STR("dir", journal->dir),
	    LOG_U64("first", first), LOG_U64("offset", 0),
	    LOG_STR("answer", is_known ? "it is known still" : "its records cannot be read"));
}

enum rp_err journal_core_walk_begin(
    struct task *task, struct journal_walk *walk, const struct journal *journal, uint64_t first)
{
	struct journal_file *at = journal_core_find(journal, first);
	char path[JOURNAL_CORE_PATH_BYTES];

	RP_ASSERT(at != NULL);
	journal_core_path_of(journal, at, path);

	enum rp_err err = journal_core_walk_path(task, walk, journal, at, path);

	if (err == RP_ERR_NOTFOUND && (at = journal_core_find(journal, first)) != NULL) {
		/* Sealed meanwhile, though who does it may not know yet that it is done. */
		if (at->sealing != 0)
			journal_core_path(journal, first, at->sealing, path);
		else
			journal_core_path_of(journal, at, path);
		err = journal_core_walk_path(task, walk, journal, at, path);
	}
	if (err == RP_OK && (at = journal_core_find(journal, first)) != NULL && at->nonce == 0)
		journal_core_note_header(at, &walk->header);
	return err;
}

/* Is there a mark? written: where it lies then; 0: at the end of the file. What cannot be read is none. */
static enum rp_err find_mark(struct task *task, struct journal_walk *walk, uint64_t written)
{
	uint8_t mark[JOURNAL_MARK_BYTES];
	uint64_t at = written;
	size_t got = 0;
	enum rp_err err;

	if (at == 0 && walk->limit >= FORMAT_AREA_BYTES + JOURNAL_MARK_BYTES)
		at = walk->limit - JOURNAL_MARK_BYTES;
	if (at == 0)
		return RP_OK;
	err = file_read_retry(task, walk->file, mark, sizeof(mark), at, &got);
	if (err == RP_ERR_IO)
		return RP_OK;
	if (err == RP_OK)
		walk->mark_lsn = journal_mark_read(bytes_of(mark, got), at, walk->header.nonce);
	if (walk->mark_lsn != 0)
		walk->limit = at;
	return err;
}

enum rp_err journal_core_walk_path(struct task *task, struct journal_walk *walk,
    const struct journal *journal, const struct journal_file *at, const char *path)
{
	uint64_t first = at->first;
	uint64_t written = at->written;
	bool merged = at->merged;
	struct format_header known;
	bool is_known = journal_core_known_header(journal, at, &known);

	*walk = (struct journal_walk){.journal = journal,
	    .first = first,
	    .torn = at->torn,
	    .at = FORMAT_AREA_BYTES};

	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ, &walk->file);

	if (err != RP_OK)
		return err;
	err = journal_core_read_header(task, journal, walk->file, first, merged, &walk->header);
	if (err == RP_ERR_IO) /* again and again: as good as lost */
		err = RP_ERR_CORRUPT;
	if (err == RP_ERR_CORRUPT)
		tell_header_lost(journal, first, is_known);
	if (err == RP_ERR_CORRUPT && is_known) {
		walk->header = known;
		walk->header_lost = true;
		err = RP_OK;
	}
	if (err == RP_OK)
		err = file_size(task, walk->file, &walk->limit);
	if (err == RP_OK) {
		walk->marks = journal_core_marks(&walk->header);
		if (walk->marks)
			err = find_mark(task, walk, written);
	}
	if (err == RP_OK) {
		/* What is being written just now is not looked at. A file cut in a record's padding lacks nothing. */
		if (written != 0 && written < walk->limit)
			walk->limit = written;
		walk->limit = num_round_up(walk->limit, RECORD_ALIGN);
	} else {
		file_close(walk->file);
	}
	return err;
}

void journal_core_walk_end(struct journal_walk *walk)
{
	free(walk->window);
	file_close(walk->file);
}

/* What cannot be read, however often it is asked for, is damage like any other: it costs the records that it hits. Zeroes
 * stand for it. */
static enum rp_err read_in_pieces(struct task *task, struct journal_walk *walk, size_t n, size_t *got)
{
	*got = n;
	for (size_t at = 0; at < n; at += PIECE_BYTES) {
		size_t want = (size_t)num_min(n - at, PIECE_BYTES);
		size_t have = 0;
		enum rp_err err = file_read_retry(
		    task, walk->file, walk->window + at, want, walk->at + at, &have);

		if (err != RP_OK && err != RP_ERR_IO)
			return err;
		if (err == RP_ERR_IO)
			report(walk->journal, "journal.unreadable", walk->first, walk->at + at);
		memset(walk->window + at + have, 0, want - have);
	}
	return RP_OK;
}

/* Most journals are far smaller than a window for any two records; but they may grow meanwhile. */
static enum rp_err make_room(struct journal_walk *walk, size_t n)
{
	if (n <= walk->room)
		return RP_OK;
	free(walk->window);
	walk->room = 0;
	walk->bytes = 0;
	walk->window = malloc(n);
	if (walk->window == NULL)
		return RP_ERR_NOMEM;
	walk->room = n;
	return RP_OK;
}

/* Show all from walk->at on that a record could take. */
static enum rp_err show(struct task *task, struct journal_walk *walk, struct bytes *out)
{
	uint64_t end = walk->from + walk->bytes;
	uint64_t want = num_min(walk->limit - walk->at, RECORD_BYTES_MAX);

	if (walk->at < walk->from || walk->at + want > end) {
		size_t got;
		size_t n = (size_t)num_min(walk->limit - walk->at, WINDOW_BYTES);
		enum rp_err err = make_room(walk, n);

		if (err == RP_OK)
			err = file_read(task, walk->file, walk->window, n, walk->at, &got);
		if (err == RP_ERR_IO)
			err = read_in_pieces(task, walk, n, &got);
		if (err != RP_OK)
			return err;
		memset(walk->window + got, 0, n - got);
		walk->from = walk->at;
		walk->bytes = num_round_up(got, RECORD_ALIGN);
		if (walk->bytes < n) /* cut short under us */
			walk->limit = walk->at + walk->bytes;
	}
	*out = bytes_from(bytes_of(walk->window, walk->bytes), (size_t)(walk->at - walk->from));
	return RP_OK;
}

/* No sound record begins at walk->at: go to the next one. The length of a record that is not sound is not believed, for
 * others may have been written where a cut one should have gone on. */
static void pass_damage(struct journal_walk *walk, struct bytes in)
{
	size_t skip = record_find(in, RECORD_ALIGN, walk->header.nonce);

	walk->damaged++;
	if (skip == in.n && in.n > sizeof(struct record_header) &&
	    walk->at + in.n < walk->limit) /* a header may begin in the last few bytes */
		skip = in.n - sizeof(struct record_header) + 1;
	walk->at += num_round_up(num_max(skip, RECORD_ALIGN), RECORD_ALIGN);
}

enum rp_err journal_core_walk_next(
    struct task *task, struct journal_walk *walk, struct record *record)
{
	while (walk->at + sizeof(struct record_header) <= walk->limit) {
		struct bytes in;
		uint64_t skip;
		enum rp_err err = show(task, walk, &in);

		if (err != RP_OK)
			return err;
		err = record_read(in, walk->header.nonce, false, record, &skip);
		if (err == RP_OK && (!userid_eq(&record->header.userid, &walk->journal->userid) ||
		                        !record_is_in_place(&record->header, walk->first, walk->at)))
			err = RP_ERR_CORRUPT;
		if (err == RP_OK) {
			walk->at += record_journal_bytes(&record->header);
			return RP_OK;
		}
		report(walk->journal, "journal.damaged", walk->first, walk->at);
		pass_damage(walk, in);
		err = task_pause(task);
		if (err != RP_OK)
			return err;
	}
	if (walk->at < walk->limit) { /* no header has room there, but what is there was one's */
		report(walk->journal, "journal.damaged", walk->first, walk->at);
		walk->damaged++;
		walk->at = walk->limit;
	}
	return RP_ERR_END;
}

/* All behind what was told, up to this LSN, if there is anything. */
static enum rp_err tell_gap(struct task *task, struct journal_telling *telling, uint64_t last)
{
	enum rp_err err = RP_OK;

	if (last > telling->done)
		err = telling->fn(task, telling->arg, NULL, telling->done + 1, last);
	if (err == RP_OK)
		telling->done = num_max(telling->done, last);
	return err;
}

/* What a recovery will put there; what is not sound in the log either stays missing. */
static enum rp_err tell_pending(struct task *task, struct journal_telling *telling, size_t i)
{
	struct record record;
	enum rp_err err = pending_read(task, telling->journal->pending, i, &record);
	bool fresh;

	if (err != RP_OK)
		return err == RP_ERR_CORRUPT ? RP_OK : err;
	fresh = (record.header.flags & RECORD_DESTROYS) != 0;
	if (!fresh)
		err = tell_gap(task, telling, record.header.lsn - 1);
	telling->file = 0;
	telling->at = i;
	if (err == RP_OK)
		err = telling->fn(task, telling->arg, &record, 0, 0);
	if (err != RP_OK)
		return err;
	telling->done = record.header.lsn;
	if (telling->ahead++ == 0)
		telling->ahead_first = record.header.lsn;
	return task_pause(task);
}

/* All of it up to this LSN. */
static enum rp_err tell_all_pending(struct task *task, struct journal_telling *telling, uint64_t last)
{
	const struct pending *pending = telling->journal->pending;
	struct recover_known known;
	enum rp_err err = RP_OK;

	if (pending == NULL || telling->in_merged || telling->done == UINT64_MAX)
		return RP_OK;
	for (size_t i = pending_lower(pending, telling->done + 1);
	     err == RP_OK && pending_at(pending, i, &known) && known.lsn <= last; i++)
		err = tell_pending(task, telling, i);
	return err;
}

static enum rp_err tell_missing(struct task *task, struct journal_telling *telling, uint64_t last)
{
	enum rp_err err = tell_all_pending(task, telling, last);

	return err == RP_OK ? tell_gap(task, telling, last) : err;
}

/* Has a later life given out this record's LSN again? Then recovery writes that one in its place. */
static bool is_replaced(const struct journal_telling *telling, const struct record *record)
{
	struct recover_known known;

	return !telling->in_merged &&
	       pending_find(telling->journal->pending, record->header.lsn, &known) &&
	       known.epoch != record->header.epoch;
}

static enum rp_err tell(struct task *task, struct journal_telling *telling,
    const struct journal_walk *walk, const struct record *record)
{
	uint64_t lsn = record->header.lsn;
	bool fresh = (record->header.flags & RECORD_DESTROYS) != 0; /* nothing before it is missed */

	enum rp_err err = RP_OK;

	if (lsn <= telling->done)
		return RP_OK;
	if (is_replaced(telling, record))
		return tell_all_pending(task, telling, lsn);
	if (!fresh && !telling->gaps_are_sound)
		err = tell_missing(task, telling, lsn - 1);
	telling->file = walk->first;
	telling->at = walk->at - record_journal_bytes(&record->header);
	telling->journal->told++;
	if (err == RP_OK)
		err = telling->fn(task, telling->arg, record, 0, 0);

	if (err == RP_OK)
		telling->done = lsn;
	return err;
}

/* The LSN with which this file ends; UINT64_MAX: it has no end yet. One that failed may have some of what was to lie behind
 * it, whole or not; all of that is in the next one. */
static uint64_t end_of(const struct journal *journal, uint64_t first)
{
	size_t at = journal_core_lower(journal, first);
	uint64_t last = at < journal->files_count ? journal_core_last(journal, at) : 0;

	return last != 0 ? last : UINT64_MAX;
}

/* The next record, also one that was written since the walk began: others may lie in the next file already, and it would be
 * taken for lost. */
static enum rp_err next_or_newer(
    struct task *task, struct journal_walk *walk, struct record *record)
{
	enum rp_err err = journal_core_walk_next(task, walk, record);

	while (err == RP_ERR_END) {
		const struct journal_file *file = journal_core_find(walk->journal, walk->first);

		if (file == NULL || file->written <= walk->limit)
			break;
		walk->limit = num_round_up(file->written, RECORD_ALIGN);
		err = journal_core_walk_next(task, walk, record);
	}
	return err;
}

static enum rp_err tell_file(struct task *task, struct journal_telling *telling, uint64_t first)
{
	struct journal_walk walk;
	struct record record;
	bool merged = journal_core_find(telling->journal, first)->merged;
	uint64_t damaged = 0;
	enum rp_err err = journal_core_walk_begin(task, &walk, telling->journal, first);

	if (err == RP_ERR_CORRUPT || err == RP_ERR_NOTFOUND)
		return RP_OK; /* reported; the next file's first record tells what is missing */
	if (err != RP_OK)
		return err;
	while ((err = next_or_newer(task, &walk, &record)) == RP_OK) {
		uint64_t lsn = record.header.lsn;

		if (lsn > end_of(telling->journal, first))
			break;
		telling->gaps_are_sound = merged && walk.damaged == damaged;
		damaged = walk.damaged;
		err = tell(task, telling, &walk, &record);
		if (err == RP_OK)
			err = task_pause(task);
		if (err != RP_OK || lsn == end_of(telling->journal, first))
			break;
	}
	telling->damaged += walk.damaged;
	journal_core_walk_end(&walk);
	return err == RP_ERR_END ? RP_OK : err;
}

void journal_hold(struct journal *journal)
{
	journal->replays++;
}

void journal_let_go(struct journal *journal)
{
	RP_ASSERT(journal->replays > 0);
	if (--journal->replays == 0)
		task_queue_wake_all(&journal->replays_over);
}

uint64_t journal_damaged(const struct journal *journal)
{
	return journal->damaged;
}

/* A merged file: the gaps in it are sound, but what lies before it, or behind the last record of it, is missing. */
static enum rp_err tell_merged(
    struct task *task, struct journal_telling *telling, uint64_t first, uint64_t last)
{
	enum rp_err err = tell_missing(task, telling, first - 1);

	telling->in_merged = true;
	if (err == RP_OK)
		err = tell_file(task, telling, first);
	telling->gaps_are_sound = false;
	if (err == RP_OK)
		err = tell_missing(task, telling, last);
	telling->in_merged = false;
	return err;
}

static enum rp_err tell_files(struct task *task, struct journal_telling *telling)
{
	struct journal *journal = telling->journal;
	uint64_t first = 0;

	for (;;) {
		size_t at = journal_core_lower(journal, first + 1);

		if (at == journal->files_count)
			return RP_OK;
		first = journal->files[at].first;

		uint64_t last = journal_core_last(journal, at);

		if (last != 0 && last <= telling->done)
			continue;

		enum rp_err err = journal->files[at].merged ? tell_merged(task, telling, first, last)
		                                            : tell_file(task, telling, first);

		if (err != RP_OK)
			return err;
	}
}

enum rp_err journal_core_tell(struct task *task, struct journal_telling *telling)
{
	enum rp_err err;

	journal_hold(telling->journal);
	err = tell_files(task, telling);
	if (err == RP_OK)
		err = tell_all_pending(task, telling, UINT64_MAX);
	journal_let_go(telling->journal);
	return err;
}

enum rp_err journal_replay(struct task *task, struct journal *journal, uint64_t since,
    journal_replay_fn *fn, void *arg)
{
	struct journal_telling telling = {
	    .journal = journal, .done = since, .fn = fn, .arg = arg};
	enum rp_err err = journal_core_tell(task, &telling);

	if (err != RP_OK)
		return err;
	journal->damaged = telling.damaged;
	journal->ahead = telling.ahead;
	journal->ahead_first = telling.ahead_first;
	return RP_OK;
}
