/* table_look.c -- looking at a table without changing it. */
#include <stdlib.h>

#include "index/table_state.h"

uint32_t table_count(const struct table *table)
{
	return table->live.ones;
}

uint32_t table_last_uid(const struct table *table)
{
	return table->last_uid;
}

uint64_t table_modseq(const struct table *table)
{
	return table->modseq;
}

bool table_has(const struct table *table, uint32_t uid, bool expunged_too)
{
	uint32_t row;

	return uidmap_row(&table->uids, uid, &row) && (expunged_too || rank_get(&table->live, row));
}

uint32_t table_uid_from(const struct table *table, uint32_t uid, bool expunged_too)
{
	uint32_t row = uidmap_lower(&table->uids, uid);

	if (row == table->uids.rows)
		return 0;
	if (!expunged_too) {
		uint32_t before = rank_before(&table->live, row);

		if (before == table->live.ones)
			return 0;
		row = rank_select(&table->live, before);
	}
	return uidmap_uid(&table->uids, row);
}

static uint32_t flags_of(const struct table *table, uint32_t row)
{
	const struct group *group = table_group(table, row);
	uint32_t flags = 0;

	for (uint32_t flag = 0; flag < TABLE_SYSTEM_FLAGS; flag++)
		flags |= (uint32_t)(group_flag_word(group, flag, table_in_group(row) / 64) >>
		                        (row % 64) &
		                    1)
		         << flag;
	return flags;
}

uint32_t table_flags(const struct table *table, uint32_t uid)
{
	uint32_t row;

	return uidmap_row(&table->uids, uid, &row) ? flags_of(table, row) : 0;
}

static size_t keywords_of(const struct table *table, uint32_t row, uint16_t *out)
{
	const struct group *group = table_group(table, row);
	uint32_t word = table_in_group(row) / 64;
	size_t n = 0;

	for (uint32_t w = 0; w < (table->keywords_count + 63) / 64; w++) {
		for (uint64_t used = group->keyword_used[w]; used != 0; used &= used - 1) {
			uint32_t k = w * 64 + (uint32_t)__builtin_ctzll(used);

			if ((group_flag_word(group, TABLE_SYSTEM_FLAGS + k, word) >> (row % 64)) &
			    1)
				out[n++] = (uint16_t)k;
		}
	}
	return n;
}

enum rp_err table_row(struct task *task, struct table *table, uint32_t uid, bool expunged_too,
    struct table_row *values, bool *expunged)
{
	bool suspended;
	uint32_t row;

	do {
		suspended = false;
		if (!uidmap_row(&table->uids, uid, &row))
			return RP_ERR_NOTFOUND;
		enum rp_err err =
		    table_load(task, table, row / GROUP_ROWS_MAX, COLUMN_ALL, &suspended);

		if (err != RP_OK)
			return err;
	} while (suspended);

	bool gone = !rank_get(&table->live, row);

	if (gone && !expunged_too)
		return RP_ERR_NOTFOUND;
	values->uid = uid;
	values->flags = flags_of(table, row);
	group_get_row(table_group(table, row), table_in_group(row), values);
	values->keywords = table->row_keywords;
	values->keywords_count = keywords_of(table, row, table->row_keywords);
	if (expunged != NULL)
		*expunged = gone;
	return map_is_bad(&table->map) ? RP_ERR_CORRUPT : RP_OK;
}

void table_collect_init(struct table_collect *collect, const struct table *table, struct runs *out)
{
	*collect = (struct table_collect){.map = &table->uids, .out = out, .leaf = UIDMAP_NO_LEAF};
}

enum rp_err table_collect_end(struct table_collect *collect)
{
	if (collect->first == 0)
		return RP_OK;
	enum rp_err err = runs_add(collect->out, collect->first, collect->last);

	collect->first = 0;
	return err;
}

enum rp_err table_collect_word(struct table_collect *collect, uint32_t word, uint64_t bits)
{
	/* Rows [at, at + adjacent) of the word have UIDs from at_uid on. */
	uint32_t adjacent = 0;
	uint32_t at_uid = 0;
	unsigned at = 0;

	while (bits != 0) {
		unsigned bit = (unsigned)__builtin_ctzll(bits);
		unsigned n = rank_ones_from(bits, bit);

		if (bit >= at + adjacent) {
			at = bit;
			at_uid = uidmap_walk_run(
			    collect->map, &collect->leaf, word * 64 + bit, &adjacent);
		}
		if (n > at + adjacent - bit)
			n = at + adjacent - bit;
		bits &= ~rank_mask(bit, bit + n);
		uint32_t uid = at_uid + (bit - at);

		if (collect->first != 0 && uid == collect->last + 1) {
			collect->last = uid + (n - 1);
			continue;
		}
		enum rp_err err = table_collect_end(collect);

		if (err != RP_OK)
			return err;
		collect->first = uid;
		collect->last = uid + (n - 1);
	}
	return RP_OK;
}

/* What the three questions below ask of 64 rows: which of `mask` (live rows) have it. */
struct having {
	enum { HAVING_ALL, HAVING_FLAG, HAVING_MODSEQ } what;
	unsigned flag;
	bool on;
	uint64_t modseq;
};

static uint64_t having_word(
    const struct table *table, const struct having *having, uint32_t word, uint64_t mask)
{
	const struct group *group = table->group[word * 64 / GROUP_ROWS_MAX];
	uint32_t at = word % (GROUP_ROWS_MAX / 64);
	uint64_t bits = 0;

	switch (having->what) {
	case HAVING_ALL:
		return mask;
	case HAVING_FLAG:
		bits = group_flag_word(group, having->flag, at);
		return mask & (having->on ? bits : ~bits);
	case HAVING_MODSEQ:
		if (group->modseq_max[at * 64 / GROUP_BLOCK_ROWS] <= having->modseq)
			return 0;
		for (uint64_t left = mask; left != 0; left &= left - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(left);

			if (group_get(group, COLUMN_MODSEQ, at * 64 + bit) > having->modseq)
				bits |= UINT64_C(1) << bit;
		}
		return bits;
	}
	return 0;
}

static enum rp_err collect_having(const struct table *table, const struct runs *uids,
    const struct having *having, struct runs *out)
{
	struct table_collect collect;
	size_t next = 0;
	uint32_t from;
	uint32_t to;

	table_collect_init(&collect, table, out);
	while (table_next_rows(table, uids, &next, &from, &to)) {
		for (uint32_t word = from / 64; word * 64 < to; word++) {
			uint64_t mask = table->live.words[word] & table_word_mask(word, from, to);

			if (mask == 0)
				continue;
			enum rp_err err = table_collect_word(
			    &collect, word, having_word(table, having, word, mask));

			if (err != RP_OK)
				return err;
		}
	}
	return table_collect_end(&collect);
}

enum rp_err table_having(
    struct task *task, struct table *table, const struct runs *uids, struct runs *out)
{
	(void)task;
	return collect_having(table, uids, &(struct having){.what = HAVING_ALL}, out);
}

enum rp_err table_having_flag(struct task *task, struct table *table, const struct runs *uids,
    unsigned flag, bool on, struct runs *out)
{
	(void)task;
	return collect_having(
	    table, uids, &(struct having){.what = HAVING_FLAG, .flag = flag, .on = on}, out);
}

enum rp_err table_having_modseq_above(struct task *task, struct table *table,
    const struct runs *uids, uint64_t modseq, struct runs *out)
{
	const struct having having = {.what = HAVING_MODSEQ, .modseq = modseq};
	bool suspended;

	do {
		size_t next = 0;
		uint32_t from;
		uint32_t to;

		suspended = false;
		while (table_next_rows(table, uids, &next, &from, &to)) {
			for (uint32_t i = from / GROUP_ROWS_MAX; i <= (to - 1) / GROUP_ROWS_MAX;
			     i++) {
				if ((uint64_t)table->group[i]->bounds[COLUMN_MODSEQ].greatest <=
				    modseq)
					continue;
				enum rp_err err =
				    table_load(task, table, i, 1 << COLUMN_MODSEQ, &suspended);

				if (err != RP_OK)
					return err;
			}
		}
	} while (suspended);
	enum rp_err err = collect_having(table, uids, &having, out);

	return err == RP_OK && map_is_bad(&table->map) ? RP_ERR_CORRUPT : err;
}

uint32_t table_count_of(const struct table *table, const struct runs *uids)
{
	size_t next = 0;
	uint32_t count = 0;
	uint32_t from;
	uint32_t to;

	while (table_next_rows(table, uids, &next, &from, &to))
		count += rank_before(&table->live, to) - rank_before(&table->live, from);
	return count;
}

void table_counts(const struct table *table, struct table_counts *out)
{
	*out = (struct table_counts){.messages = table->live.ones, .unseen = table->live.ones};
	for (uint32_t i = 0; i < table->groups_count; i++) {
		const struct group *group = table->group[i];

		out->bytes += group->bytes;
		if (group->flags_count < TABLE_SYSTEM_FLAGS)
			continue;
		out->unseen -= group->flag[__builtin_ctz(MAIL_SEEN)].live_ones;
		out->deleted += group->flag[__builtin_ctz(MAIL_DELETED)].live_ones;
	}
}

static int by_first(const void *a, const void *b)
{
	const struct table_expunge *x = a;
	const struct table_expunge *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

enum rp_err table_expunged_since(
    const struct table *table, uint64_t since, struct runs *out, bool *complete)
{
	uint32_t from = 0;
	uint32_t to = table->history_count;

	if (since < table->history_low) {
		*complete = false;
		return RP_OK;
	}
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (table->history[mid].modseq <= since)
			from = mid + 1;
		else
			to = mid;
	}
	size_t n = table->history_count - from;
	struct table_expunge *sorted = malloc((n + 1) * sizeof(*sorted));

	if (sorted == NULL)
		return RP_ERR_NOMEM;
	/* By UID, for adding to a set is cheap at its end only. */
	if (n > 0)
		memcpy(sorted, table->history + from, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_first);
	enum rp_err err = RP_OK;

	for (size_t i = 0; i < n && err == RP_OK; i++)
		err = runs_add(out, sorted[i].first, sorted[i].last);
	free(sorted);
	if (err == RP_OK)
		*complete = true;
	return err;
}
