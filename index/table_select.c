#include "index/table_select.h"

#include <stdlib.h>

#include "index/table_state.h"

static const struct group *group_of(const struct table_select *select, uint32_t word)
{
	return select->table->group[word * 64 / GROUP_ROWS_MAX];
}

static uint32_t word_in_group(uint32_t word)
{
	return word % (GROUP_ROWS_MAX / 64);
}

void table_select_fini(struct table_select *select)
{
	free(select->bits);
	free(select->before);
	*select = TABLE_SELECT_EMPTY;
}

static void set_bits(struct table_select *select, const struct runs *uids)
{
	const struct table *table = select->table;
	size_t next = 0;
	uint32_t from;
	uint32_t to;

	while (table_next_rows(table, uids, &next, &from, &to)) {
		for (uint32_t word = from / 64; word * 64 < to; word++)
			select->bits[word] |=
			    table->live.words[word] & table_word_mask(word, from, to);
	}
	for (uint32_t word = 0; word < select->words; word++) {
		select->before[word] = select->count;
		select->count += (uint32_t)__builtin_popcountll(select->bits[word]);
	}
}

/* One read at each end of what 64 rows have in a column: they lie in two pages at most. */
static void touch(const struct group *group, uint32_t in_group, uint64_t bits)
{
	uint32_t first = in_group + (uint32_t)__builtin_ctzll(bits);
	uint32_t last = in_group + 63 - (uint32_t)__builtin_clzll(bits);

	for (int kind = 0; kind < COLUMN_COUNT; kind++) {
		const volatile uint8_t *p = group->column[kind].p;
		size_t width = column_width(kind);

		if (p == NULL || group->column[kind].owned)
			continue;
		(void)p[first * width];
		(void)p[last * width + width - 1];
	}
}

static enum rp_err meet_pages(struct table *table, const struct table_select *select)
{
	uint32_t loaded = 0; /* groups before this one are */

	for (uint32_t word = 0; word < select->words; word++) {
		uint32_t group = word * 64 / GROUP_ROWS_MAX;
		bool suspended = false;

		if (select->bits[word] == 0)
			continue;
		if (group >= loaded) {
			enum rp_err err = table_load(NULL, table, group, COLUMN_ALL, &suspended);

			if (err != RP_OK)
				return err;
			loaded = group + 1;
		}
		touch(table->group[group], table_in_group(word * 64), select->bits[word]);
	}
	return table_is_bad(table) ? RP_ERR_CORRUPT : RP_OK;
}

enum rp_err table_select(struct table *table, const struct runs *uids, struct table_select *out)
{
	uint32_t words = (table->uids.rows + 63) / 64;

	*out = (struct table_select){.table = table, .words = words};
	out->bits = calloc(words + 1, sizeof(*out->bits));
	out->before = calloc(words + 1, sizeof(*out->before));
	if (out->bits == NULL || out->before == NULL)
		return RP_ERR_NOMEM;
	set_bits(out, uids);
	return meet_pages(table, out);
}

void table_select_counts(const struct table_select *select, struct table_counts *out)
{
	const uint32_t seen = (uint32_t)__builtin_ctz(MAIL_SEEN);
	const uint32_t deleted = (uint32_t)__builtin_ctz(MAIL_DELETED);

	*out = (struct table_counts){.messages = select->count};
	for (uint32_t word = 0; word < select->words; word++) {
		const struct group *group = group_of(select, word);
		uint64_t bits = select->bits[word];
		uint32_t at = word_in_group(word);

		if (bits == 0)
			continue;
		out->unseen +=
		    (uint32_t)__builtin_popcountll(bits & ~group_flag_word(group, seen, at));
		out->deleted +=
		    (uint32_t)__builtin_popcountll(bits & group_flag_word(group, deleted, at));
		for (; bits != 0; bits &= bits - 1)
			out->bytes += group_get(
			    group, COLUMN_SIZE, at * 64 + (uint32_t)__builtin_ctzll(bits));
	}
}

enum rp_err table_select_flag(
    const struct table_select *select, unsigned flag, uint32_t first, struct runs *out)
{
	struct run run = {0, 0};
	enum rp_err err = RP_OK;
	uint32_t word = 0;

	while (word < select->words && err == RP_OK) {
		const struct group *group = group_of(select, word);
		uint32_t at = word_in_group(word);

		if (flag >= group->flags_count || group->flag[flag].state == FLAGMAP_CLEAR) {
			word += GROUP_ROWS_MAX / 64 - at;
			continue;
		}
		uint64_t selected = select->bits[word];

		for (uint64_t left = selected & group_flag_word(group, flag, at);
		     left != 0 && err == RP_OK; left &= left - 1) {
			uint64_t below = selected & ((left & -left) - 1);
			uint32_t number =
			    first + select->before[word] + (uint32_t)__builtin_popcountll(below);

			if (run.first != 0 && number == run.last + 1) {
				run.last = number;
				continue;
			}
			if (run.first != 0)
				err = runs_add(out, run.first, run.last);
			run = (struct run){number, number};
		}
		word++;
	}
	if (err == RP_OK && run.first != 0)
		err = runs_add(out, run.first, run.last);
	return err;
}

bool table_select_next(
    const struct table_select *select, struct table_select_walk *walk, struct table_row *row)
{
	while (walk->left == 0) {
		if (walk->word == select->words)
			return false;
		walk->left = select->bits[walk->word++];
	}
	uint32_t word = walk->word - 1;
	uint32_t bit = (uint32_t)__builtin_ctzll(walk->left);
	const struct group *group = group_of(select, word);

	*row = (struct table_row){0};
	for (uint32_t flag = 0; flag < TABLE_SYSTEM_FLAGS; flag++)
		row->flags |=
		    (uint32_t)(group_flag_word(group, flag, word_in_group(word)) >> bit & 1)
		    << flag;
	group_get_row(group, word_in_group(word) * 64 + bit, row);
	walk->left &= walk->left - 1;
	return true;
}
