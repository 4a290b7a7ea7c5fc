/* table_write.c -- a whole new index file, written while the table lives on.
 *
 * Columns and flags are gathered group by group of the new file (table_copy.h); a change that comes
 * between may or may not be in it, and is replayed anyway.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "index/index_format.h"
#include "index/table_copy.h"
#include "index/table_state.h"
#include "io/base/num.h"
#include "io/file.h"

enum { BUFFER_BYTES = 1024 * 1024 }; /* holds the largest section twice over */

struct writer {
	struct task *task;
	struct table *table;
	struct file *file;
	uint64_t nonce;
	uint8_t *buffer; /* of what is not written yet: buffer_n bytes from `written` on */
	size_t buffer_n;
	uint64_t written;
	struct index_entry *entry;
	uint32_t entries_count;
	uint32_t entries_max;
	struct table_copy copy;
	struct summary {
		struct index_summary summary;
		uint64_t modseq_max[GROUP_ROWS_MAX / GROUP_BLOCK_ROWS];
	} * summary;
	struct table_expunge *history;
	uint32_t history_count;
	uint64_t history_low;
	bool has_loss;
	uint32_t heard_uid;
	uint32_t last_uid;
	uint64_t modseq;
	uint64_t tail;
};

static void writer_fini(struct writer *writer)
{
	free(writer->buffer);
	free(writer->entry);
	table_copy_fini(&writer->copy);
	free(writer->summary);
	free(writer->history);
}

static uint64_t end_of(const struct writer *writer)
{
	return writer->written + writer->buffer_n;
}

static enum rp_err flush(struct writer *writer)
{
	enum rp_err err = file_write(
	    writer->task, writer->file, writer->buffer, writer->buffer_n, writer->written, false);

	if (err != RP_OK)
		return err;
	writer->written += writer->buffer_n;
	writer->buffer_n = 0;
	return writer->table->freed ? RP_ERR_BUSY : RP_OK;
}

/* Room for a section of n bytes; it becomes one with section_end(). May suspend. */
static enum rp_err section_begin(struct writer *writer, size_t n, uint8_t **p)
{
	enum rp_err err = RP_OK;

	RP_ASSERT(n <= BUFFER_BYTES);
	/* Also before a flush: what is aligned in the file is to be so in the buffer. */
	while (end_of(writer) % INDEX_ALIGN != 0)
		writer->buffer[writer->buffer_n++] = 0;
	if (writer->buffer_n + n > BUFFER_BYTES)
		err = flush(writer);
	if (err == RP_OK)
		err = task_pause(writer->task);
	if (err == RP_OK && writer->table->freed)
		err = RP_ERR_BUSY;
	if (err != RP_OK)
		return err;
	*p = writer->buffer + writer->buffer_n;
	return RP_OK;
}

static enum rp_err add_entry(struct writer *writer, struct index_entry entry)
{
	if (writer->entries_count == writer->entries_max) {
		uint32_t entries_max = writer->entries_max * 2 + 32;
		struct index_entry *p = realloc(writer->entry, entries_max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		writer->entry = p;
		writer->entries_max = entries_max;
	}
	writer->entry[writer->entries_count++] = entry;
	return RP_OK;
}

static enum rp_err section_end(
    struct writer *writer, enum index_section section, uint32_t number, uint32_t group, size_t n)
{
	struct index_entry entry = {.section = (uint16_t)section,
	    .number = (uint16_t)number,
	    .group = group,
	    .offset = end_of(writer),
	    .bytes = n,
	    .xxh3 = XXH3_64bits_withSeed(writer->buffer + writer->buffer_n, n, writer->nonce)};

	writer->buffer_n += n;
	return add_entry(writer, entry);
}

/* In one breath: what will be written. */
static enum rp_err decide(struct writer *writer, const struct runs *listed)
{
	const struct table *table = writer->table;
	enum rp_err err = table_copy_init(&writer->copy, writer->table, listed);

	if (err != RP_OK)
		return err;
	writer->history = calloc(table->history_count + 1, sizeof(*writer->history));
	writer->summary = calloc(writer->copy.groups + 1, sizeof(*writer->summary));
	writer->buffer = malloc(BUFFER_BYTES + INDEX_ALIGN); /* the last section's padding */
	if (writer->history == NULL || writer->summary == NULL || writer->buffer == NULL)
		return RP_ERR_NOMEM;
	if (table->history_count > 0)
		memcpy(writer->history, table->history,
		    table->history_count * sizeof(*table->history));
	writer->history_count = table->history_count;
	writer->history_low = table->history_low;
	writer->has_loss = table->has_loss;
	writer->heard_uid = table->heard_uid;
	writer->last_uid = table->last_uid;
	writer->modseq = table->modseq;
	return RP_OK;
}

static enum rp_err load_sources(struct writer *writer, uint32_t group, enum column_kind kind)
{
	bool suspended;

	do {
		suspended = false;
		for (uint32_t i = table_copy_first(&writer->copy, group);
		     i <= table_copy_last(&writer->copy, group); i++) {
			enum rp_err err =
			    table_load(writer->task, writer->table, i, 1U << kind, &suspended);

			if (err != RP_OK)
				return err;
		}
	} while (suspended);
	return RP_OK;
}

static void widen(struct writer *writer, uint32_t group, enum column_kind kind, int64_t value)
{
	struct index_summary *summary = &writer->summary[group].summary;

	summary->bounds[kind].least =
	    value < summary->bounds[kind].least ? value : summary->bounds[kind].least;
	summary->bounds[kind].greatest =
	    value > summary->bounds[kind].greatest ? value : summary->bounds[kind].greatest;
}

static void summarise(
    struct writer *writer, uint32_t group, enum column_kind kind, const uint8_t *p)
{
	struct summary *summary = &writer->summary[group];
	uint64_t live[GROUP_ROWS_MAX / 64];

	if ((int)kind >= (int)COLUMN_RANGED)
		return;
	summary->summary.bounds[kind].least = INT64_MAX;
	summary->summary.bounds[kind].greatest = INT64_MIN;
	if (kind == COLUMN_SIZE)
		table_copy_bits(&writer->copy, group, TABLE_COPY_LIVE, live);
	for (uint32_t row = 0; row < table_copy_rows(&writer->copy, group); row++) {
		if (column_width(kind) == 4) {
			uint32_t value = num_get_u32(p + row * sizeof(value));

			widen(writer, group, kind, value);
			if (kind == COLUMN_SIZE && (live[row / 64] >> (row % 64)) & 1)
				summary->summary.bytes += value;
			continue;
		}
		int64_t value = (int64_t)num_get_u64(p + row * sizeof(value));

		if (kind != COLUMN_MODSEQ)
			value = column_local_seconds(value);
		else if ((uint64_t)value > summary->modseq_max[row / GROUP_BLOCK_ROWS])
			summary->modseq_max[row / GROUP_BLOCK_ROWS] = (uint64_t)value;
		widen(writer, group, kind, value);
	}
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void cut_cache(const struct table *table, uint8_t *p, size_t n)
{
	for (size_t i = 0; i + sizeof(uint32_t) <= n; i += sizeof(uint32_t))
		if (num_get_u32(p + i) >= table->cache_end)
			memset(p + i, 0, sizeof(uint32_t));
}

static enum rp_err write_column(struct writer *writer, uint32_t group, enum column_kind kind)
{
	size_t n = table_copy_rows(&writer->copy, group) * column_width(kind);
	uint8_t *p;
	enum rp_err err;

	if (kind == COLUMN_CACHE && writer->table->leaves_cache)
		return RP_OK;
	err = section_begin(writer, n, &p);
	if (err == RP_OK)
		err = load_sources(writer, group, kind);
	if (err != RP_OK)
		return err;
	table_copy_column(&writer->copy, group, kind, p);
	if (kind == COLUMN_CACHE && writer->table->cuts_cache)
		cut_cache(writer->table, p, n);
	summarise(writer, group, kind, p);
	return all_zero(p, n) ? RP_OK : section_end(writer, INDEX_COLUMN, kind, group, n);
}

/* One flag of a group of the file, or its live bits. */
static enum rp_err write_bits(struct writer *writer, uint32_t group, uint32_t flag)
{
	uint32_t rows = table_copy_rows(&writer->copy, group);
	uint32_t words = (rows + 63) / 64;
	uint8_t *p;
	enum rp_err err = section_begin(writer, words * sizeof(uint64_t), &p);

	if (err != RP_OK)
		return err;
	bool live = flag == TABLE_COPY_LIVE;
	uint64_t *bits = (uint64_t *)(void *)p; /* sections are aligned, and the buffer is */

	table_copy_bits(&writer->copy, group, flag, bits);
	uint32_t ones = flagmap_ones(bits, words);
	size_t n = ones == rows && !live ? 0 : words * sizeof(uint64_t);

	if (ones == (live ? rows : 0))
		return RP_OK;
	return section_end(writer, live ? INDEX_LIVE : INDEX_FLAG, live ? 0 : flag, group, n);
}

static enum rp_err write_group_tail(struct writer *writer, uint32_t group)
{
	size_t n = sizeof(struct index_summary) +
	           group_blocks(table_copy_rows(&writer->copy, group)) * sizeof(uint64_t);
	uint8_t *p;
	enum rp_err err = section_begin(writer, n, &p);

	if (err == RP_OK) {
		memcpy(p, &writer->summary[group].summary, sizeof(struct index_summary));
		memcpy(p + sizeof(struct index_summary), writer->summary[group].modseq_max,
		    n - sizeof(struct index_summary));
		err = section_end(writer, INDEX_SUMMARY, 0, group, n);
	}
	/* Keywords that are made meanwhile are met or not; their names are written after this. */
	for (uint32_t flag = 0;
	     err == RP_OK && flag < TABLE_SYSTEM_FLAGS + writer->table->keywords_count; flag++) {
		if (table_copy_has_flag(&writer->copy, group, flag))
			err = write_bits(writer, group, flag);
	}
	return err != RP_OK ? err : write_bits(writer, group, TABLE_COPY_LIVE);
}

static enum rp_err write_uids(struct writer *writer)
{
	uint32_t leaf = 0;

	while (leaf < writer->table->uids.leaves_count) {
		uint8_t *p;
		size_t n = 0;
		enum rp_err err =
		    section_begin(writer, INDEX_UIDS_MAX * sizeof(struct index_uids), &p);

		if (err != RP_OK)
			return err;
		/* Empty leaves count too: a slice of work is bounded. */
		for (uint32_t i = 0; i < INDEX_UIDS_MAX && leaf < writer->table->uids.leaves_count;
		     i++) {
			const struct uidmap_leaf *at = &writer->table->uids.leaf[leaf++];
			struct index_uids uids = {
			    .bits = table_copy_leaf(&writer->copy, at), .key = at->key};

			if (uids.bits == 0)
				continue;
			memcpy(p + n, &uids, sizeof(uids));
			n += sizeof(uids);
		}
		err = n == 0 ? RP_OK : section_end(writer, INDEX_UIDS, 0, 0, n);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static enum rp_err write_keywords(struct writer *writer)
{
	uint8_t *p;
	enum rp_err err =
	    section_begin(writer, MAILBOX_KEYWORDS_MAX * sizeof(struct index_keyword), &p);
	const struct table *table = writer->table;

	if (err != RP_OK || table->keywords_count == 0)
		return err;
	for (uint32_t k = 0; k < table->keywords_count; k++) {
		struct index_keyword keyword = {.n = table->keyword[k].n};

		memcpy(keyword.text, table->keyword[k].text, keyword.n);
		memcpy(p + k * sizeof(keyword), &keyword, sizeof(keyword));
	}
	return section_end(
	    writer, INDEX_KEYWORDS, 0, 0, table->keywords_count * sizeof(struct index_keyword));
}

static enum rp_err write_history(struct writer *writer)
{
	size_t n =
	    sizeof(struct index_history) + writer->history_count * sizeof(struct index_expunge);
	struct index_history head = {.low = writer->history_low};
	uint8_t *p;

	static_assert(
	    sizeof(struct index_history) + TABLE_HISTORY_MAX * sizeof(struct index_expunge) <
	        BUFFER_BYTES - 2 * INDEX_ALIGN,
	    "a section fits in the buffer");
	if (writer->history_count == 0 && writer->history_low == 0)
		return RP_OK;
	enum rp_err err = section_begin(writer, n, &p);

	if (err != RP_OK)
		return err;
	memcpy(p, &head, sizeof(head));
	for (uint32_t i = 0; i < writer->history_count; i++) {
		struct index_expunge at = {
		    writer->history[i].modseq, writer->history[i].first, writer->history[i].last};

		memcpy(p + sizeof(head) + i * sizeof(at), &at, sizeof(at));
	}
	return section_end(writer, INDEX_HISTORY, 0, 0, n);
}

static enum rp_err write_loss(struct writer *writer)
{
	struct index_loss loss = {.heard_uid = writer->heard_uid};
	uint8_t *p;
	enum rp_err err;

	if (!writer->has_loss)
		return RP_OK;
	err = section_begin(writer, sizeof(loss), &p);
	if (err != RP_OK)
		return err;
	memcpy(p, &loss, sizeof(loss));
	return section_end(writer, INDEX_LOSS, 0, 0, sizeof(loss));
}

/* The directory may be larger than the buffer. */
static enum rp_err write_directory(struct writer *writer, struct format_header *header)
{
	size_t n = writer->entries_count * sizeof(*writer->entry);
	size_t done = 0;
	uint8_t *p;
	enum rp_err err = section_begin(writer, 0, &p);

	header->extra[INDEX_EXTRA_DIRECTORY] = end_of(writer);
	header->extra[INDEX_EXTRA_DIRECTORY_XXH3] =
	    XXH3_64bits_withSeed(writer->entry, n, writer->nonce);
	while (err == RP_OK && done < n) {
		size_t part = (size_t)num_min(n - done, BUFFER_BYTES - writer->buffer_n);

		memcpy(writer->buffer + writer->buffer_n, (uint8_t *)writer->entry + done, part);
		writer->buffer_n += part;
		done += part;
		if (done < n)
			err = flush(writer);
	}
	header->extra[INDEX_EXTRA_FILE_BYTES] = end_of(writer);
	return err;
}

static enum rp_err write_sections(struct writer *writer)
{
	enum rp_err err = RP_OK;

	for (uint32_t group = 0; group < writer->copy.groups && err == RP_OK; group++) {
		for (int kind = 0; kind < COLUMN_COUNT && err == RP_OK; kind++)
			err = write_column(writer, group, kind);
	}
	writer->tail = num_round_up(end_of(writer), INDEX_ALIGN);
	for (uint32_t group = 0; group < writer->copy.groups && err == RP_OK; group++)
		err = write_group_tail(writer, group);
	if (err == RP_OK)
		err = write_uids(writer);
	if (err == RP_OK)
		err = write_keywords(writer);
	if (err == RP_OK)
		err = write_history(writer);
	if (err == RP_OK)
		err = write_loss(writer);
	return err;
}

static enum rp_err write_all(
    struct writer *writer, const struct userid *userid, uint64_t epoch, uint64_t lsn)
{
	uint8_t area[FORMAT_AREA_BYTES] = {0};
	struct format_header header = {.userid = *userid,
	    .epoch = epoch,
	    .lsn = lsn,
	    .nonce = writer->nonce,
	    .number = writer->table->mailboxid};
	enum rp_err err;

	writer->buffer_n = FORMAT_AREA_BYTES; /* the header comes last */
	memset(writer->buffer, 0, FORMAT_AREA_BYTES);
	err = write_sections(writer);
	if (err == RP_OK)
		err = write_directory(writer, &header);
	if (err != RP_OK)
		return err;
	header.extra[INDEX_EXTRA_ROWS] = writer->copy.kept;
	header.extra[INDEX_EXTRA_LAST_UID] = writer->last_uid;
	header.extra[INDEX_EXTRA_MODSEQ] = writer->modseq;
	header.extra[INDEX_EXTRA_TAIL] = writer->tail;
	format_sign(&header, FORMAT_INDEX, INDEX_VERSION);
	format_put_area(&header, area);
	if (writer->written == 0) {
		memcpy(writer->buffer, area, sizeof(area)); /* small: one write */
		return flush(writer);
	}
	err = flush(writer);
	return err != RP_OK ? err
	                    : file_write(writer->task, writer->file, area, sizeof(area), 0, false);
}

enum rp_err table_write(struct task *task, struct table *table, const char *path,
    const struct userid *userid, uint64_t epoch, uint64_t lsn, const struct runs *listed)
{
	struct writer writer = {.task = task, .table = table};
	enum rp_err err = decide(&writer, listed);

	if (err != RP_OK) {
		writer_fini(&writer);
		return err;
	}
	while (writer.nonce == 0)
		loop_random(task_loop(task), &writer.nonce, sizeof(writer.nonce));
	table_hold(table);
	err = file_open(
	    task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &writer.file);
	if (err == RP_OK) {
		err = write_all(&writer, userid, epoch, lsn);
		file_close(writer.file);
		if (err == RP_OK && table_is_bad(table))
			err = RP_ERR_CORRUPT;
		if (err != RP_OK) {
			task_shield(task);
			(void)!file_remove(task, FILE_ROOT_DATA,
			    path); /* else the volume finds it without a use */
			task_unshield(task);
		}
	}
	if (!table_let_go(table) && err == RP_OK)
		err = RP_ERR_BUSY;
	writer_fini(&writer);
	return err;
}
