/* Reading one shard's log of one epoch: its files, its writes in the order of their numbers, and where it is cut.
 *
 * Every block is looked at for the begin of a write. Then the writes are put in order. What is missing before the first is
 * settled, if some header says that it was durable. A write that is missing or not whole ends the log, unless a later
 * header says that it was durable: then it is damage, and what can be read of it is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "index/recover_core.h"
#include "io/base/num.h"

enum { WINDOW_BYTES = 2 * LOGFILE_WRITE_BYTES_MAX };

struct found {
	uint64_t number;
	uint64_t offset;
	uint32_t bytes;
	uint32_t records;
	uint32_t file; /* index in recover->files */
	bool whole;
	uint32_t unclean; /* offset in it of the first byte behind its records that is no zero; 0: all are */
};

struct reader {
	struct task *task;
	struct recover *recover;
	struct file *file; /* the one that is being read */
	uint32_t index;    /* of it */
	uint64_t bytes;
	uint8_t *window;
	uint64_t from; /* what part of it the window shows */
	size_t shown;
	struct found *found;
	size_t count;
	size_t count_max;
	uint64_t durable; /* up to this number all were durable, some header says */
};

static const struct recover_file *file_of(const struct reader *reader)
{
	return &reader->recover->files[reader->index];
}

/* A write may have been there. */
static void note_unreadable(struct reader *reader, uint64_t offset)
{
	struct recover_file *file = &reader->recover->files[reader->index];

	file->unreadable = num_max(file->unreadable, offset);
}

static void close_log(struct reader *reader)
{
	file_close(reader->file);
	reader->file = NULL;
}

static enum rp_err open_log(struct reader *reader, uint32_t index)
{
	char path[LOGFILE_PATH_BYTES];

	close_log(reader);
	reader->index = index;
	reader->shown = 0;
	logfile_path(file_of(reader)->shard, file_of(reader)->number, path);

	enum rp_err err =
	    file_open(reader->task, FILE_ROOT_COMMIT, path, FILE_READ, &reader->file);

	/* What the last run's writes have left is shown to people from here on: it may not be in a cache alone. */
	if (err == RP_OK)
		err = file_sync(reader->task, reader->file);
	if (err == RP_OK)
		err = file_size(reader->task, reader->file, &reader->bytes);
	if (err == RP_OK && reader->bytes < file_of(reader)->bytes_told)
		note_unreadable(reader, reader->bytes);
	return err;
}

/* A part of the disk cannot be read: block by block, zeroes for what is lost. */
static enum rp_err show_what_can_be_read(struct reader *reader, uint64_t at, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t part = num_min(n - done, LOGFILE_BLOCK_BYTES);
		size_t got = 0;
		enum rp_err err = file_read_retry(
		    reader->task, reader->file, reader->window + done, part, at + done, &got);

		if (err != RP_OK && err != RP_ERR_IO)
			return err;
		if (err == RP_ERR_IO)
			note_unreadable(reader, at + done);
		memset(reader->window + done + got, 0, part - got);
		done += part;
	}
	reader->from = at;
	reader->shown = n;
	return RP_OK;
}

/* Show [at, at + n), as far as the file goes; good until the next call. */
static enum rp_err show(struct reader *reader, uint64_t at, size_t n, struct bytes *out)
{
	RP_ASSERT(n <= WINDOW_BYTES && at <= reader->bytes);
	n = (size_t)num_min(n, reader->bytes - at);
	if (at < reader->from || at + n > reader->from + reader->shown || reader->shown == 0) {
		size_t want = (size_t)num_min(WINDOW_BYTES, reader->bytes - at);
		size_t got = 0;
		enum rp_err err = file_read(
		    reader->task, reader->file, reader->window, want, at, &got);

		if (err == RP_OK) {
			reader->from = at;
			reader->shown = got;
			reader->recover->report.bytes_read += got;
		} else if (err == RP_ERR_IO) {
			err = show_what_can_be_read(reader, at, want);
		}
		if (err != RP_OK)
			return err;
	}

	size_t skip = (size_t)(at - reader->from);

	*out = bytes_of(reader->window + skip, num_min(n, reader->shown - skip));
	return RP_OK;
}

static enum rp_err add_found(struct reader *reader, const struct found *found)
{
	if (reader->count == reader->count_max) {
		size_t room = reader->count_max == 0 ? 256 : 2 * reader->count_max;
		struct found *more = realloc(reader->found, room * sizeof(*more));

		if (more == NULL)
			return RP_ERR_NOMEM;
		reader->found = more;
		reader->count_max = room;
	}
	reader->found[reader->count++] = *found;
	return RP_OK;
}

/* For a person: what was durable is not sound there. */
static enum rp_err note_place(struct reader *reader, uint32_t index, uint64_t offset)
{
	const struct recover_file *file = &reader->recover->files[index];
	struct recover *recover = reader->recover;

	if (recover->places_count == RECOVER_PLACES_MAX)
		return RP_OK;
	if (recover->places == NULL)
		recover->places = calloc(RECOVER_PLACES_MAX, sizeof(*recover->places));
	if (recover->places == NULL)
		return RP_ERR_NOMEM;
	recover->places[recover->places_count++] = (struct recover_place){
	    .shard = file->shard, .number = file->number, .offset = offset};
	LOG(loop_log(recover->loop), LOG_ERROR, "recover.bad_write", LOG_U64("shard", file->shard),
	    LOG_U64("log", file->number), LOG_U64("offset", offset));
	return RP_OK;
}

/* The records of a whole write. They were checked with it; what does not read then was written so, and is damage. */
static enum rp_err keep_records(
    struct reader *reader, struct bytes in, const struct logfile_write *write, uint64_t offset)
{
	uint64_t nonce = file_of(reader)->nonce;
	size_t at = sizeof(*write);

	while (at < write->bytes) {
		struct record record;
		uint64_t skip;
		struct bytes rest = bytes_slice(in, at, write->bytes);
		enum rp_err err = record_read(rest, nonce, true, &record, &skip);

		if (err != RP_OK) {
			reader->recover->report.records_damaged++;
			err = note_place(reader, reader->index, offset + at);
			if (err == RP_OK)
				err = recover_core_lose(
				    reader->recover, file_of(reader), write->number);
			if (skip == 0 || err != RP_OK)
				return err;
			at += (size_t)skip;
			continue;
		}
		err = recover_core_keep(
		    reader->recover, &record, reader->index, offset + at, write->number);
		if (err != RP_OK)
			return err;
		at += (size_t)record_bytes(&record.header);
	}
	return RP_OK;
}

/* Behind the records of a whole write, to the end of its last block. */
static uint32_t unclean_at(struct bytes block, uint32_t bytes)
{
	for (size_t at = bytes; at < block.n; at++)
		if (block.p[at] != 0)
			return (uint32_t)at;
	return 0;
}

/* Is there a write at `at`? *next: where to look then. */
static enum rp_err look_at_block(struct reader *reader, uint64_t at, uint64_t *next)
{
	struct logfile_write write;
	struct bytes in;
	enum rp_err err = show(reader, at, sizeof(write), &in);

	*next = at + LOGFILE_BLOCK_BYTES;
	if (err != RP_OK || logfile_check_write(in, file_of(reader)->nonce, &write) != RP_OK)
		return err;
	err = show(reader, at, num_round_up(write.bytes, LOGFILE_BLOCK_BYTES), &in);
	if (err != RP_OK)
		return err;

	struct found found = {
		.number = write.number,
		.offset = at,
		.bytes = write.bytes,
		.records = write.records,
		.file = reader->index,
		.whole = logfile_write_is_whole(in, &write),
	};

	reader->durable = num_max(reader->durable, write.durable);
	if (found.whole) {
		*next = at + num_round_up(write.bytes, LOGFILE_BLOCK_BYTES);
		found.unclean = unclean_at(in, write.bytes);
		err = keep_records(reader, in, &write, at);
	}
	return err == RP_OK ? add_found(reader, &found) : err;
}

static enum rp_err read_file(struct reader *reader, uint32_t index)
{
	enum rp_err err = open_log(reader, index);

	if (err != RP_OK)
		return err;
	reader->durable = num_max(reader->durable, file_of(reader)->durable);
	reader->recover->report.files_read++;
	for (uint64_t at = LOGFILE_FIRST_OFFSET; at < reader->bytes;) {
		err = look_at_block(reader, at, &at);
		if (err == RP_OK)
			err = task_pause(reader->task);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static int by_number(const void *a, const void *b)
{
	const struct found *x = a;
	const struct found *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (int)y->whole - (int)x->whole;
}

/* Records in [from, to) of a file whose write is lost or not whole. Each has a sound header and payload of its own. */
static enum rp_err save_records(
    struct reader *reader, uint32_t index, uint64_t from, uint64_t to, uint64_t *saved)
{
	enum rp_err err = open_log(reader, index);

	to = num_min(to, reader->bytes);
	while (err == RP_OK && from < to) {
		uint64_t nonce = file_of(reader)->nonce;
		struct record record;
		struct bytes in;
		uint64_t skip;

		err = show(reader, from, (size_t)num_min(to - from, LOGFILE_WRITE_BYTES_MAX), &in);
		if (err != RP_OK || in.n == 0)
			break;
		if (record_read(in, nonce, true, &record, &skip) == RP_OK) {
			err = recover_core_keep(reader->recover, &record, index, from, 0);
			from += record_bytes(&record.header);
			(*saved)++;
			continue;
		}
		skip = record_find(in, RECORD_ALIGN, nonce);
		if (skip == in.n && in.n > sizeof(struct record_header) && from + in.n < to)
			skip = num_round_up(in.n - sizeof(struct record_header) + 1, RECORD_ALIGN);
		from += num_max(skip, RECORD_ALIGN);
	}
	return err;
}

/* Where a whole write ends in its file. */
static uint64_t end_of(const struct found *found)
{
	return found->offset + num_round_up(found->bytes, LOGFILE_BLOCK_BYTES);
}

/* Writes between `before` and `after` (either may be NULL), both whole, are missing though they were durable. */
static enum rp_err save_between(
    struct reader *reader, const struct found *before, const struct found *after, uint64_t *saved)
{
	enum rp_err err = RP_OK;

	if (before != NULL && after != NULL && before->file == after->file)
		return save_records(reader, before->file, end_of(before), after->offset, saved);
	if (before != NULL && after != NULL)
		err = save_records(reader, before->file, end_of(before), UINT64_MAX, saved);
	if (err == RP_OK && after != NULL)
		err = save_records(
		    reader, after->file, LOGFILE_FIRST_OFFSET, after->offset, saved);
	return err;
}

/* Where these writes are that are not whole; of those that cannot be told from anything else, where the first must have been. */
static enum rp_err note_missing(struct reader *reader, uint64_t number, const struct found *before,
    const struct found *after, uint64_t missing)
{
	bool any = false;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < reader->count; i++) {
		const struct found *found = &reader->found[i];

		if (found->whole || found->number < number || found->number - number >= missing)
			continue;
		any = true;
		err = note_place(reader, found->file, found->offset);
	}
	if (any)
		return err;

	bool in_next = after != NULL && after->offset != LOGFILE_FIRST_OFFSET &&
	               (before == NULL || before->file != after->file);

	if (before == NULL || in_next)
		return note_place(reader, after->file, LOGFILE_FIRST_OFFSET);
	return note_place(reader, before->file, end_of(before));
}

/* How many records they had, if the header of each of these writes is sound. */
static bool knows_records(
    const struct reader *reader, uint64_t number, uint64_t missing, uint64_t *records)
{
	uint64_t known = 0;

	*records = 0;
	for (size_t i = 0; i < reader->count; i++) {
		const struct found *found = &reader->found[i];

		if (found->whole || found->number < number || found->number - number >= missing)
			continue;
		known++;
		*records += found->records;
	}
	return known == missing;
}

static enum rp_err damage(struct reader *reader, uint64_t number, const struct found *before,
    const struct found *after, uint64_t missing)
{
	struct recover_report *report = &reader->recover->report;
	uint64_t saved = 0;
	uint64_t records;
	enum rp_err err = note_missing(reader, number, before, after, missing);

	if (err != RP_OK)
		return err;

	LOG(loop_log(reader->recover->loop), LOG_ERROR, "recover.damaged",
	    LOG_U64("shard", file_of(reader)->shard), LOG_U64("write", number),
	    LOG_U64("writes", missing));
	report->writes_damaged += missing;
	report->records_damaged++;
	err = save_between(reader, before, after, &saved);
	if (err != RP_OK ||
	    (knows_records(reader, number, missing, &records) && saved == records))
		return err;
	return recover_core_lose(reader->recover, file_of(reader),
	    after != NULL ? after->number - 1 : reader->durable);
}

/* Walk the writes by number; *cut: the first number that does not count. */
static enum rp_err put_in_order(struct reader *reader, uint64_t *cut)
{
	const struct found *before = NULL;
	uint64_t next;

	*cut = 0;
	if (reader->count == 0)
		return RP_OK;
	qsort(reader->found, reader->count, sizeof(struct found), by_number);
	next = reader->found[0].number;
	*cut = next;
	if (reader->durable < next - 1)
		return RP_OK; /* what came before was never durable, so neither was this */
	for (size_t i = 0; i < reader->count; i++) {
		const struct found *found = &reader->found[i];

		if (!found->whole || (before != NULL && found->number == before->number))
			continue;
		if (found->number - 1 > reader->durable && found->number != next)
			break;

		bool begins_late = before == NULL && found->offset != LOGFILE_FIRST_OFFSET;

		if (found->number != next || begins_late) {
			enum rp_err err = damage(
			    reader, next, before, found, num_max(found->number - next, 1));

			if (err != RP_OK)
				return err;
		}
		if (found->unclean != 0 && found->number <= reader->durable) {
			enum rp_err err = note_place(
			    reader, found->file, found->offset + found->unclean);

			if (err != RP_OK)
				return err;
		}
		before = found;
		next = found->number + 1;
		*cut = next;
	}
	/* The last ones were durable, some header says, but are not there. */
	if (reader->durable >= next) {
		uint64_t missing = reader->durable - next + 1;

		*cut = reader->durable + 1;
		return damage(reader, next, before, NULL, missing);
	}
	return RP_OK;
}

/* Files become free in the order in which they were used: one that is in use, before that of the first write, had writes too. */
static enum rp_err look_before_first(struct reader *reader, uint64_t cut, uint32_t from)
{
	const struct found *first = NULL;
	enum rp_err err = RP_OK;

	for (size_t i = 0; first == NULL && i < reader->count && reader->found[i].number < cut; i++)
		if (reader->found[i].whole)
			first = &reader->found[i];
	for (uint32_t index = from; err == RP_OK && first != NULL && index < first->file; index++) {
		bool any = false;

		for (size_t i = 0; i < reader->count; i++)
			any = any || reader->found[i].file == index;
		if (any)
			continue;
		reader->recover->report.records_damaged++;
		err = note_place(reader, index, LOGFILE_FIRST_OFFSET);
		if (err == RP_OK)
			err = recover_core_lose(
			    reader->recover, &reader->recover->files[index], first->number - 1);
	}
	return err;
}

/* Writes in files that cannot be read to their end: what lies behind the last one, and where there is none, may have been the newest. */
static enum rp_err look_at_unreadable(
    struct reader *reader, uint64_t cut, uint32_t from, uint32_t to)
{
	const struct found *last = NULL;

	for (size_t i = 0; i < reader->count && reader->found[i].number < cut; i++)
		if (reader->found[i].whole)
			last = &reader->found[i];
	for (uint32_t index = from; index < to; index++) {
		const struct recover_file *file = &reader->recover->files[index];
		bool any = false;
		enum rp_err err;

		for (size_t i = 0; i < reader->count && reader->found[i].number < cut; i++)
			any = any || (reader->found[i].whole && reader->found[i].file == index);
		if (file->unreadable == 0 ||
		    (any && (last->file != index || file->unreadable < last->offset)))
			continue;
		err = recover_core_lose(reader->recover, file, LOG_LOSS_ALL);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static uint64_t count_cut(const struct reader *reader, uint64_t cut)
{
	uint64_t n = 0;

	for (size_t i = 0; i < reader->count; i++)
		if (reader->found[i].number >= cut)
			n++;
	return n;
}

enum rp_err recover_core_read(struct task *task, struct recover *recover, size_t from, size_t to)
{
	struct reader reader = { .task = task, .recover = recover };
	enum rp_err err = RP_OK;
	uint64_t cut;

	reader.window = malloc(WINDOW_BYTES);
	if (reader.window == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = from; err == RP_OK && i < to; i++)
		err = read_file(&reader, (uint32_t)i);
	if (err == RP_OK)
		err = put_in_order(&reader, &cut);
	if (err == RP_OK)
		err = look_before_first(&reader, cut, (uint32_t)from);
	if (err == RP_OK)
		err = look_at_unreadable(&reader, cut, (uint32_t)from, (uint32_t)to);
	if (err == RP_OK) {
		recover->report.writes_cut += count_cut(&reader, cut);
		recover_core_end_group(recover, cut);
	}
	close_log(&reader);
	free(reader.found);
	free(reader.window);
	return err;
}
