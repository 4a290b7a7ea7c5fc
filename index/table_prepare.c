/* table_prepare.c -- what a change will touch is loaded, what it will need is reserved.
 *
 * Loading may suspend, and then anything may have changed: so each function loads until nothing had
 * to be loaded, and reserves memory only after that, without a suspension between and before its
 * return.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "index/table_state.h"
#include "io/base/clock.h"
#include "io/base/num.h"

static bool is_cold(const struct table *table, const struct column *column)
{
	if (column->p == NULL || column->owned)
		return false;
	if (!column->checked)
		return true;
	return table->map.mapped &&
	       loop_now_ns(table->loop) - column->warm_ns > MAP_WARM_MS * CLOCK_NS_PER_MS;
}

static enum rp_err load_column(
    struct task *task, struct table *table, struct group *group, enum column_kind kind)
{
	struct column *column = &group->column[kind];
	size_t n = group->rows * column_width(kind);

	table_hold(table);
	enum rp_err err = map_load(task, &table->map, (size_t)(column->p - table->map.p), n);

	if (!table_let_go(table))
		return RP_ERR_BUSY;
	if (column->owned)
		return err; /* somebody else has loaded and copied it meanwhile */
	if (err == RP_OK && !column->checked &&
	    XXH3_64bits_withSeed(column->p, n, table->nonce) != column->xxh3)
		err = RP_ERR_CORRUPT;
	if (err == RP_OK && map_is_bad(&table->map))
		err = RP_ERR_CORRUPT;
	if (err == RP_ERR_CORRUPT)
		table->bad = true;
	if (err != RP_OK)
		return err;
	column->checked = true;
	column->warm_ns = table->loop == NULL ? 0 : loop_now_ns(table->loop);
	return RP_OK;
}

enum rp_err table_load(
    struct task *task, struct table *table, uint32_t group, unsigned columns, bool *suspended)
{
	for (int kind = 0; kind < COLUMN_COUNT; kind++) {
		if (!((columns >> kind) & 1) || !is_cold(table, &table->group[group]->column[kind]))
			continue;
		if (task == NULL)
			return RP_ERR_BUSY;
		*suspended = true;
		enum rp_err err = load_column(task, table, table->group[group], kind);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* Load columns of all groups that have rows among these UIDs, until nothing had to be loaded. */
static enum rp_err load_rows(
    struct task *task, struct table *table, const struct runs *uids, unsigned columns)
{
	bool suspended;

	do {
		size_t next = 0;
		uint32_t from;
		uint32_t to;
		uint32_t done = 0; /* groups before this one are */

		suspended = false;
		while (table_next_rows(table, uids, &next, &from, &to)) {
			uint32_t i = from / GROUP_ROWS_MAX > done ? from / GROUP_ROWS_MAX : done;

			for (; i <= (to - 1) / GROUP_ROWS_MAX; i++) {
				enum rp_err err = table_load(task, table, i, columns, &suspended);

				if (err != RP_OK)
					return err;
				done = i + 1;
			}
		}
	} while (suspended);
	return RP_OK;
}

static enum rp_err reserve_keywords(struct table *table, size_t new_keywords)
{
	size_t wanted = table->keywords_count + new_keywords;

	if (wanted > MAILBOX_KEYWORDS_MAX)
		wanted = MAILBOX_KEYWORDS_MAX;
	if (wanted <= table->keywords_max)
		return RP_OK;
	struct table_name *keyword = realloc(table->keyword, wanted * sizeof(*keyword));

	if (keyword == NULL)
		return RP_ERR_NOMEM;
	table->keyword = keyword;
	uint16_t *row_keywords = realloc(table->row_keywords, wanted * sizeof(*row_keywords));

	if (row_keywords == NULL)
		return RP_ERR_NOMEM;
	table->row_keywords = row_keywords;
	table->keywords_max = (uint32_t)wanted;
	return RP_OK;
}

/* Columns of zeroes get memory, and flags their spares, in all groups with rows among these UIDs.
 */
static enum rp_err reserve_rows(
    struct table *table, const struct runs *uids, unsigned columns, uint32_t flags, size_t flags_on)
{
	enum rp_err err = RP_OK;
	size_t next = 0;
	uint32_t from;
	uint32_t to;
	uint32_t done = 0; /* groups before this one are */

	while (table_next_rows(table, uids, &next, &from, &to)) {
		uint32_t i = from / GROUP_ROWS_MAX > done ? from / GROUP_ROWS_MAX : done;

		for (; i <= (to - 1) / GROUP_ROWS_MAX; i++) {
			for (int kind = 0; kind < COLUMN_COUNT && err == RP_OK; kind++) {
				if ((columns >> kind) & 1)
					err = group_reserve_column(table->group[i], kind);
			}
			if (err == RP_OK && flags > 0)
				err = group_reserve_flags(table->group[i], flags, flags_on);
			if (err != RP_OK)
				return err;
			done = i + 1;
		}
	}
	return RP_OK;
}

static uint32_t flags_after(const struct table *table, size_t new_keywords)
{
	return TABLE_SYSTEM_FLAGS +
	       (uint32_t)num_min(table->keywords_count + new_keywords, MAILBOX_KEYWORDS_MAX);
}

enum rp_err table_prepare_flags(struct task *task, struct table *table, const struct runs *uids,
    size_t flags_on, size_t new_keywords)
{
	enum rp_err err = load_rows(task, table, uids, 1 << COLUMN_MODSEQ);

	if (err == RP_OK)
		err = reserve_keywords(table, new_keywords);
	if (err == RP_OK)
		err = reserve_rows(
		    table, uids, 1 << COLUMN_MODSEQ, flags_after(table, new_keywords), flags_on);
	return err;
}

static enum rp_err reserve_history(struct table *table, uint64_t more)
{
	uint64_t wanted = num_min(table->history_count + more, TABLE_HISTORY_MAX);

	if (wanted <= table->history_max)
		return RP_OK;
	wanted = num_min(wanted + wanted / 4 + 4, TABLE_HISTORY_MAX);
	struct table_expunge *history = realloc(table->history, wanted * sizeof(*history));

	if (history == NULL)
		return RP_ERR_NOMEM;
	table->history = history;
	table->history_max = (uint32_t)wanted;
	return RP_OK;
}

enum rp_err table_prepare_expunge(struct task *task, struct table *table, const struct runs *uids)
{
	enum rp_err err = load_rows(task, table, uids, 1 << COLUMN_SIZE);

	return err != RP_OK ? err : reserve_history(table, uids == NULL ? 1 : uids->count);
}

enum rp_err table_prepare_expunge_unmet(
    struct task *task, struct table *table, const struct runs *uids)
{
	enum rp_err err = load_rows(task, table, uids, 1 << COLUMN_SIZE);

	return err != RP_OK ? err : reserve_history(table, 2 * uids->count);
}

enum rp_err table_prepare_rows(struct task *task, struct table *table, const struct runs *uids)
{
	enum rp_err err = load_rows(task, table, uids, COLUMN_ALL);

	return err != RP_OK ? err
	                    : reserve_rows(table, uids, 1 << COLUMN_BODY | 1 << COLUMN_CACHE, 0, 0);
}

/* Groups for rows in all; the last one that has rows now is loaded. */
static enum rp_err reserve_groups(
    struct table *table, uint32_t rows, uint32_t flags, size_t flags_on)
{
	uint32_t groups = rows / GROUP_ROWS_MAX + 1;

	if (groups > table->groups_max) {
		struct group **group = realloc(table->group, groups * sizeof(struct group *));

		if (group == NULL)
			return RP_ERR_NOMEM;
		table->group = group;
		table->groups_max = groups;
	}
	for (uint32_t i = table->uids.rows / GROUP_ROWS_MAX; i * GROUP_ROWS_MAX < rows; i++) {
		uint32_t need = (uint32_t)num_min(rows - i * GROUP_ROWS_MAX, GROUP_ROWS_MAX);

		if (i == table->groups_count) {
			table->group[i] = group_new(GROUP_ROWS_MIN);
			if (table->group[i] == NULL)
				return RP_ERR_NOMEM;
			table->groups_count++;
		}
		enum rp_err err = group_reserve(table->group[i], need);

		if (err == RP_OK)
			err = group_reserve_flags(table->group[i], flags, flags_on);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

enum rp_err table_prepare_append(
    struct task *task, struct table *table, const struct table_room *room)
{
	struct run run = {room->first_uid, room->last_uid};
	struct runs uids = {.run = &run, .count = 1};
	enum rp_err err;
	bool suspended;

	RP_ASSERT(room->first_uid <= room->last_uid);
	do {
		uint32_t last = table->uids.rows / GROUP_ROWS_MAX;

		suspended = false;
		/* Rows that are there already are written over; the group that grows is copied. */
		err = load_rows(task, table, &uids, COLUMN_ALL);
		if (err == RP_OK && table->uids.rows % GROUP_ROWS_MAX != 0)
			err = table_load(task, table, last, COLUMN_ALL, &suspended);
		if (err != RP_OK)
			return err;
	} while (suspended);

	if (room->rows > TABLE_ROWS_MAX - table->uids.rows)
		return RP_ERR_LIMIT;
	uint32_t rows = table->uids.rows + (uint32_t)room->rows;
	uint32_t flags = flags_after(table, room->new_keywords);

	err = reserve_keywords(table, room->new_keywords);
	if (err == RP_OK)
		err = reserve_rows(table, &uids, COLUMN_ALL, flags, room->flags_on);
	if (err == RP_OK)
		err = reserve_groups(table, rows, flags, room->flags_on);
	if (err == RP_OK)
		err = uidmap_reserve(
		    &table->uids, (uint32_t)room->rows, room->first_uid, room->last_uid);
	if (err == RP_OK)
		err = rank_reserve(&table->live, rows);
	return err;
}
