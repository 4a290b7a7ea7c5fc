/* table_open.c -- a table from an index file.
 *
 * The tail and the directory are read and checked at once. Columns are checked when they are first
 * touched if the file is mapped, else here. Nothing in the file is believed before its place, its
 * size and its checksum are; what fits is taken as it stands, and cannot lead out of the table's
 * own memory even if the checksums were made to match.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "index/index_format.h"
#include "index/table_open.h"
#include "index/table_state.h"
#include "io/base/num.h"
#include "io/task.h"

struct reader {
	struct task *task;
	struct table *table;
	struct format_header header;
	struct bytes directory;
	uint32_t entries_count;
	uint32_t rows;
};

static enum rp_err pause_here(const struct reader *reader)
{
	return reader->task == NULL ? RP_OK : task_pause(reader->task);
}

static struct index_entry entry_at(const struct reader *reader, uint32_t i)
{
	struct index_entry entry;

	memcpy(&entry, reader->directory.p + i * sizeof(entry), sizeof(entry));
	return entry;
}

static struct bytes bytes_of_entry(const struct reader *reader, const struct index_entry *entry)
{
	return bytes_of(reader->table->map.p + entry->offset, (size_t)entry->bytes);
}

static bool is_sound(const struct reader *reader, const struct index_entry *entry)
{
	struct bytes b = bytes_of_entry(reader, entry);

	return XXH3_64bits_withSeed(b.p, b.n, reader->header.nonce) == entry->xxh3;
}

static uint32_t rows_of(const struct reader *reader, uint32_t group)
{
	uint32_t base = group * GROUP_ROWS_MAX;

	return reader->rows - base < GROUP_ROWS_MAX ? reader->rows - base : GROUP_ROWS_MAX;
}

/* The header, then the tail in memory, then the directory. */
static enum rp_err read_frame(struct reader *reader, const struct userid *userid)
{
	const struct map *map = &reader->table->map;
	const struct format_header *header = &reader->header;
	enum rp_err err;

	if (map->n < FORMAT_AREA_BYTES)
		return RP_ERR_CORRUPT;
	err = map_load(reader->task, map, 0, FORMAT_AREA_BYTES);
	if (err != RP_OK)
		return err;
	/* A newer version is no damage, but of no use either: what is derived is made anew. */
	if (format_check_area(bytes_of(map->p, FORMAT_AREA_BYTES), FORMAT_INDEX, INDEX_VERSION,
	        &reader->header) != RP_OK)
		return RP_ERR_CORRUPT;

	uint64_t tail = header->extra[INDEX_EXTRA_TAIL];
	uint64_t directory = header->extra[INDEX_EXTRA_DIRECTORY];

	if (!userid_eq(&header->userid, userid) || header->number != reader->table->mailboxid ||
	    header->extra[INDEX_EXTRA_FILE_BYTES] != map->n ||
	    header->extra[INDEX_EXTRA_ROWS] > TABLE_ROWS_MAX ||
	    header->extra[INDEX_EXTRA_LAST_UID] > UINT32_MAX ||
	    header->extra[INDEX_EXTRA_MODSEQ] > INT64_MAX || tail > directory ||
	    directory > map->n || (map->n - directory) % sizeof(struct index_entry) != 0)
		return RP_ERR_CORRUPT;
	err = map_load(reader->task, map, (size_t)tail, map->n - (size_t)tail);
	if (err != RP_OK)
		return err;
	reader->directory = bytes_of(map->p + directory, map->n - (size_t)directory);
	reader->entries_count = (uint32_t)(reader->directory.n / sizeof(struct index_entry));
	reader->rows = (uint32_t)header->extra[INDEX_EXTRA_ROWS];
	if (XXH3_64bits_withSeed(reader->directory.p, reader->directory.n, header->nonce) !=
	    header->extra[INDEX_EXTRA_DIRECTORY_XXH3])
		return RP_ERR_CORRUPT;
	reader->table->nonce = header->nonce;
	reader->table->modseq = header->extra[INDEX_EXTRA_MODSEQ];
	reader->table->flags_modseq = reader->table->modseq;
	reader->table->flags_modseq_before = reader->table->modseq;
	reader->table->last_uid = (uint32_t)header->extra[INDEX_EXTRA_LAST_UID];
	return RP_OK;
}

/* Every section lies where it may, has an owner, and is sound if it is of the tail or the file is
 * in memory. */
static enum rp_err check_entries(struct reader *reader)
{
	uint64_t directory = reader->header.extra[INDEX_EXTRA_DIRECTORY];
	uint64_t tail = reader->header.extra[INDEX_EXTRA_TAIL];
	uint32_t groups = reader->table->groups_count;

	for (uint32_t i = 0; i < reader->entries_count; i++) {
		struct index_entry entry = entry_at(reader, i);
		bool column = entry.section == INDEX_COLUMN;
		bool grouped = entry.section >= INDEX_COLUMN && entry.section <= INDEX_LIVE;

		if (entry.offset % INDEX_ALIGN != 0 || entry.offset > directory ||
		    entry.bytes > directory - entry.offset || entry.section == 0 ||
		    entry.section > INDEX_LOSS || (grouped && entry.group >= groups) ||
		    (!column && entry.offset < tail))
			return RP_ERR_CORRUPT;
		if ((!column || !reader->table->map.mapped) && !is_sound(reader, &entry))
			return RP_ERR_CORRUPT;
		if (i % 64 == 0) {
			enum rp_err err = pause_here(reader);

			if (err != RP_OK)
				return err;
		}
	}
	return RP_OK;
}

static enum rp_err read_uids(struct reader *reader, const struct index_entry *entry)
{
	struct bytes b = bytes_of_entry(reader, entry);
	struct uidmap *map = &reader->table->uids;

	if (b.n % sizeof(struct index_uids) != 0)
		return RP_ERR_CORRUPT;
	for (size_t at = 0; at < b.n; at += sizeof(struct index_uids)) {
		struct index_uids uids;

		memcpy(&uids, b.p + at, sizeof(uids));
		uint32_t first = uids.key * UIDMAP_LEAF_UIDS;
		uint32_t rows = (uint32_t)__builtin_popcountll(uids.bits);

		if (uids.bits == 0 || uids.key > UINT32_MAX / UIDMAP_LEAF_UIDS ||
		    (uids.key == 0 && (uids.bits & 1) != 0) || rows > reader->rows - map->rows ||
		    (map->leaves_count > 0 && uids.key <= map->leaf[map->leaves_count - 1].key))
			return RP_ERR_CORRUPT;
		enum rp_err err = uidmap_reserve(map, rows, first, first + (UIDMAP_LEAF_UIDS - 1));

		if (err != RP_OK)
			return err;
		uidmap_push_leaf(map, uids.key, uids.bits);
	}
	return RP_OK;
}

static enum rp_err read_keywords(struct reader *reader, const struct index_entry *entry)
{
	struct bytes b = bytes_of_entry(reader, entry);
	struct table *table = reader->table;
	size_t count = b.n / sizeof(struct index_keyword);

	if (b.n % sizeof(struct index_keyword) != 0 || count > MAILBOX_KEYWORDS_MAX ||
	    table->keywords_count != 0)
		return RP_ERR_CORRUPT;
	enum rp_err err = table_prepare_flags(NULL, table, &RUNS_EMPTY, 0, count);

	for (size_t k = 0; k < count && err == RP_OK; k++) {
		struct index_keyword keyword;

		memcpy(&keyword, b.p + k * sizeof(keyword), sizeof(keyword));
		if (keyword.n == 0 || keyword.n > MAILBOX_KEYWORD_BYTES_MAX ||
		    table_keyword(table, bytes_of(keyword.text, keyword.n), true) != k)
			err = RP_ERR_CORRUPT; /* it stands twice */
	}
	return err;
}

static enum rp_err read_history(struct reader *reader, const struct index_entry *entry)
{
	struct bytes b = bytes_of_entry(reader, entry);
	struct table *table = reader->table;
	struct index_history head;

	if (b.n < sizeof(head) || (b.n - sizeof(head)) % sizeof(struct index_expunge) != 0 ||
	    (b.n - sizeof(head)) / sizeof(struct index_expunge) > TABLE_HISTORY_MAX ||
	    table->history != NULL)
		return RP_ERR_CORRUPT;
	memcpy(&head, b.p, sizeof(head));
	size_t count = (b.n - sizeof(head)) / sizeof(struct index_expunge);

	table->history = malloc((count + 1) * sizeof(*table->history));
	if (table->history == NULL)
		return RP_ERR_NOMEM;
	table->history_max = (uint32_t)count + 1;
	table->history_low = head.low;
	for (size_t i = 0; i < count; i++) {
		struct index_expunge at;

		memcpy(&at, b.p + sizeof(head) + i * sizeof(at), sizeof(at));
		if (at.first == 0 || at.first > at.last ||
		    (i > 0 && at.modseq < table->history[i - 1].modseq))
			return RP_ERR_CORRUPT;
		table->history[i] =
		    (struct table_expunge){.modseq = at.modseq, .first = at.first, .last = at.last};
	}
	table->history_count = (uint32_t)count;
	return RP_OK;
}

static enum rp_err read_loss(struct reader *reader, const struct index_entry *entry)
{
	struct bytes b = bytes_of_entry(reader, entry);
	struct index_loss loss;

	if (b.n != sizeof(loss) || reader->table->has_loss)
		return RP_ERR_CORRUPT;
	memcpy(&loss, b.p, sizeof(loss));
	if (loss.zero != 0 || loss.heard_uid > reader->table->last_uid)
		return RP_ERR_CORRUPT;
	reader->table->has_loss = true;
	reader->table->heard_uid = loss.heard_uid;
	return RP_OK;
}

/* What is not of one group. */
static enum rp_err read_whole(struct reader *reader)
{
	enum rp_err err = RP_OK;

	for (uint32_t i = 0; i < reader->entries_count && err == RP_OK; i++) {
		struct index_entry entry = entry_at(reader, i);

		if (entry.section == INDEX_UIDS)
			err = read_uids(reader, &entry);
		else if (entry.section == INDEX_KEYWORDS)
			err = read_keywords(reader, &entry);
		else if (entry.section == INDEX_HISTORY)
			err = read_history(reader, &entry);
		else if (entry.section == INDEX_LOSS)
			err = read_loss(reader, &entry);
		if (err == RP_OK)
			err = pause_here(reader);
	}
	if (err != RP_OK)
		return err;
	return reader->table->uids.rows == reader->rows &&
	               reader->table->uids.last_uid <= reader->table->last_uid
	           ? RP_OK
	           : RP_ERR_CORRUPT;
}

static enum rp_err read_live(struct reader *reader)
{
	uint32_t words = (reader->rows + 63) / 64;
	uint64_t *live = malloc((words + 1) * sizeof(*live));
	enum rp_err err = RP_OK;

	if (live == NULL)
		return RP_ERR_NOMEM;
	memset(live, 0xff, words * sizeof(*live));
	for (uint32_t i = 0; i < reader->entries_count && err == RP_OK; i++) {
		struct index_entry entry = entry_at(reader, i);
		struct bytes b = bytes_of_entry(reader, &entry);

		if (entry.section != INDEX_LIVE)
			continue;
		if (b.n != (rows_of(reader, entry.group) + 63) / 64 * sizeof(*live))
			err = RP_ERR_CORRUPT;
		else
			memcpy(live + entry.group * (GROUP_ROWS_MAX / 64), b.p, b.n);
	}
	if (err == RP_OK)
		err = rank_fill(&reader->table->live, live, reader->rows);
	free(live);
	return err;
}

static enum rp_err read_column(struct reader *reader, const struct index_entry *entry)
{
	struct group *group = reader->table->group[entry->group];

	if (entry->number >= COLUMN_COUNT || group->column[entry->number].p != NULL ||
	    entry->bytes != (uint64_t)group->rows * column_width(entry->number))
		return RP_ERR_CORRUPT;
	group->column[entry->number] = (struct column){
	    .p = reader->table->map.p + entry->offset,
	    .checked = !reader->table->map.mapped,
	    .xxh3 = entry->xxh3,
	};
	return RP_OK;
}

static enum rp_err read_flag(struct reader *reader, const struct index_entry *entry)
{
	struct group *group = reader->table->group[entry->group];
	uint32_t words = group_words(group);
	struct flagmap *map;

	if (entry->number >= group->flags_count ||
	    (entry->bytes != 0 && entry->bytes != words * sizeof(uint64_t)))
		return RP_ERR_CORRUPT;
	map = &group->flag[entry->number];
	if (map->state != FLAGMAP_CLEAR)
		return RP_ERR_CORRUPT;
	if (entry->bytes == 0) {
		map->state = FLAGMAP_SET;
		return RP_OK;
	}
	map->bits = malloc(words * sizeof(uint64_t));
	if (map->bits == NULL)
		return RP_ERR_NOMEM;
	map->state = FLAGMAP_BITS;
	memcpy(map->bits, bytes_of_entry(reader, entry).p, words * sizeof(uint64_t));
	map->bits[words - 1] &= rank_mask(0, group->rows - (words - 1) * 64);
	return RP_OK;
}

static enum rp_err read_summary(struct reader *reader, const struct index_entry *entry)
{
	struct group *group = reader->table->group[entry->group];
	struct index_summary summary;
	size_t blocks = group_blocks(group->rows);
	struct bytes b = bytes_of_entry(reader, entry);

	if (b.n != sizeof(summary) + blocks * sizeof(uint64_t))
		return RP_ERR_CORRUPT;
	memcpy(&summary, b.p, sizeof(summary));
	group->bytes = summary.bytes;
	for (int kind = 0; kind < COLUMN_RANGED; kind++)
		group->bounds[kind] = (struct group_bounds){
		    summary.bounds[kind].least, summary.bounds[kind].greatest};
	memcpy(group->modseq_max, b.p + sizeof(summary), blocks * sizeof(uint64_t));
	return RP_OK;
}

static enum rp_err make_groups(struct reader *reader)
{
	struct table *table = reader->table;
	uint32_t groups = (reader->rows + GROUP_ROWS_MAX - 1) / GROUP_ROWS_MAX;

	/* A row has a UID, so there are at most so many; else a lie in the header could ask for any
	 * memory. */
	if (reader->rows > reader->table->map.n * 8)
		return RP_ERR_CORRUPT;
	table->group = calloc(groups + 1, sizeof(struct group *));
	if (table->group == NULL)
		return RP_ERR_NOMEM;
	table->groups_max = groups + 1;
	for (uint32_t i = 0; i < groups; i++) {
		table->group[i] = group_new(rows_of(reader, i));
		if (table->group[i] == NULL)
			return RP_ERR_NOMEM;
		table->groups_count++;
		table->group[i]->rows = rows_of(reader, i);
	}
	return RP_OK;
}

static enum rp_err read_groups(struct reader *reader)
{
	struct table *table = reader->table;
	uint32_t summaries = 0;
	enum rp_err err = RP_OK;

	for (uint32_t i = 0; i < table->groups_count && err == RP_OK; i++)
		err = group_reserve_flags(
		    table->group[i], TABLE_SYSTEM_FLAGS + table->keywords_count, 0);
	for (uint32_t i = 0; i < reader->entries_count && err == RP_OK; i++) {
		struct index_entry entry = entry_at(reader, i);

		if (entry.section == INDEX_COLUMN)
			err = read_column(reader, &entry);
		else if (entry.section == INDEX_FLAG)
			err = read_flag(reader, &entry);
		else if (entry.section == INDEX_SUMMARY)
			err = read_summary(reader, &entry);
		summaries += entry.section == INDEX_SUMMARY;
		if (err == RP_OK)
			err = pause_here(reader);
	}
	if (err == RP_OK && summaries != table->groups_count)
		err = RP_ERR_CORRUPT;
	for (uint32_t i = 0; i < table->groups_count && err == RP_OK; i++) {
		for (uint32_t flag = 0; flag < table->group[i]->flags_count; flag++)
			group_count_flag(
			    table->group[i], flag, table->live.words + i * (GROUP_ROWS_MAX / 64));
		err = pause_here(reader);
	}
	return err;
}

enum rp_err table_of_map(struct task *task, struct map *map, const struct userid *userid,
    uint64_t mailboxid, struct table **out, uint64_t *lsn)
{
	struct reader reader = {.task = task};
	enum rp_err err = table_new(map->loop, mailboxid, &reader.table);

	if (err != RP_OK) {
		map_close(map);
		return err;
	}
	reader.table->map = *map;
	err = read_frame(&reader, userid);
	if (err == RP_OK)
		err = make_groups(&reader);
	if (err == RP_OK)
		err = check_entries(&reader);
	if (err == RP_OK)
		err = read_whole(&reader);
	if (err == RP_OK)
		err = read_live(&reader);
	if (err == RP_OK)
		err = read_groups(&reader);
	if (err == RP_OK && map_is_bad(&reader.table->map))
		err = RP_ERR_CORRUPT;
	if (err != RP_OK) {
		table_free(reader.table);
		return err;
	}
	*out = reader.table;
	*lsn = reader.header.lsn;
	return RP_OK;
}

enum rp_err table_open(struct task *task, const char *path, const struct userid *userid,
    uint64_t mailboxid, struct table **out, uint64_t *lsn)
{
	struct map map;
	enum rp_err err = map_open(task, path, &map);

	return err != RP_OK ? err : table_of_map(task, &map, userid, mailboxid, out, lsn);
}

/* In the order in which they were written, each at a multiple of INDEX_ALIGN. */
bool table_gaps_are_zero(const struct table *table)
{
	const struct map *map = &table->map;
	struct format_header header;
	uint64_t directory;
	uint64_t at = FORMAT_AREA_BYTES;

	if (format_check_area(bytes_of(map->p, FORMAT_AREA_BYTES), FORMAT_INDEX, INDEX_VERSION,
	        &header) != RP_OK)
		return false;
	directory = header.extra[INDEX_EXTRA_DIRECTORY];
	for (uint64_t next = directory; at <= directory; next += sizeof(struct index_entry)) {
		struct index_entry entry = {.offset = directory};

		if (next < map->n)
			memcpy(&entry, map->p + next, sizeof(entry));
		if (entry.offset < at)
			return false;
		for (; at < entry.offset; at++)
			if (map->p[at] != 0)
				return false;
		if (next >= map->n)
			return true;
		at = entry.offset + entry.bytes;
	}
	return false;
}
