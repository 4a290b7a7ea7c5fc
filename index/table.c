#include "index/table.h"

#include <stdlib.h>
#include <xxhash.h>

#include "index/table_state.h"
#include "io/base/num.h"
#include "io/loop.h"
#include "io/task.h"

enum rp_err table_new(struct loop *loop, uint64_t mailboxid, struct table **out)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return RP_ERR_NOMEM;
	table->loop = loop;
	table->mailboxid = mailboxid;
	table->version = 1;
	*out = table;
	return RP_OK;
}

static void destroy(struct table *table)
{
	for (uint32_t i = 0; i < table->groups_count; i++)
		group_free(table->group[i]);
	free(table->group);
	free(table->keyword);
	free(table->row_keywords);
	free(table->history);
	uidmap_fini(&table->uids);
	rank_fini(&table->live);
	map_close(&table->map);
	free(table);
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	RP_ASSERT(!table->freed);
	table->freed = true;
	if (table->holds == 0)
		destroy(table);
}

bool table_is_held(const struct table *table)
{
	return table->holds > 0;
}

void table_hold(struct table *table)
{
	table->holds++;
}

bool table_let_go(struct table *table)
{
	RP_ASSERT(table->holds > 0);
	table->holds--;
	if (!table->freed)
		return true;
	if (table->holds == 0)
		destroy(table);
	return false;
}

static uint64_t hash_names(const struct table *table)
{
	uint64_t hash = 0;

	for (uint32_t k = 0; k < table->keywords_count; k++)
		hash = XXH3_64bits_withSeed(table->keyword[k].text, table->keyword[k].n, hash + 1);
	return hash;
}

struct table_state table_state(const struct table *table)
{
	return (struct table_state){
	    .version = table->version,
	    .modseq = table->modseq,
	    .flags_modseq = table->flags_modseq,
	    .flags_modseq_before = table->flags_modseq_before,
	    .names_version = table->names_version,
	    .names = hash_names(table),
	};
}

void table_set_state(struct table *fresh, const struct table_state *state)
{
	fresh->version = num_max(fresh->version, state->version) + 1;
	fresh->modseq = num_max(fresh->modseq, state->modseq);
	fresh->flags_modseq = state->flags_modseq;
	fresh->flags_modseq_before = state->flags_modseq_before;
	fresh->names_version = state->names_version + (hash_names(fresh) != state->names);
}

void table_succeed(struct table *fresh, struct table *old)
{
	struct table_state state = table_state(old);

	RP_ASSERT(fresh->mailboxid == old->mailboxid);
	table_set_state(fresh, &state);
}

size_t table_bytes(const struct table *table)
{
	size_t bytes =
	    sizeof(*table) + uidmap_bytes(&table->uids) + rank_bytes(&table->live) +
	    table->groups_max * sizeof(*table->group) +
	    table->keywords_max * (sizeof(*table->keyword) + sizeof(*table->row_keywords)) +
	    table->history_max * sizeof(*table->history) + (table->map.mapped ? 0 : table->map.n);

	for (uint32_t i = 0; i < table->groups_count; i++)
		bytes += group_bytes(table->group[i]);
	return bytes;
}

bool table_is_bad(const struct table *table)
{
	return table->bad || map_is_bad(&table->map);
}

uint32_t table_group_live(const struct table *table, uint32_t group)
{
	uint32_t from = group * GROUP_ROWS_MAX;
	uint32_t rows = table->group[group]->rows;

	return rank_before(&table->live, from + rows) - rank_before(&table->live, from);
}

bool table_next_rows(
    const struct table *table, const struct runs *uids, size_t *next, uint32_t *from, uint32_t *to)
{
	if (uids == NULL) {
		*from = 0;
		*to = table->uids.rows;
		return (*next)++ == 0 && *to > 0;
	}
	while (*next < uids->count) {
		const struct run *run = &uids->run[(*next)++];

		uidmap_range(&table->uids, run->first, run->last, from, to);
		if (*from < *to)
			return true;
	}
	return false;
}

static void settle(struct table *table, uint32_t group, uint32_t flag)
{
	if (group != UINT32_MAX)
		group_settle_flag(table->group[group], flag, table_group_live(table, group));
}

void table_set_flag(struct table *table, const struct runs *uids, unsigned flag, bool on)
{
	size_t next = 0;
	uint32_t from;
	uint32_t to;
	uint32_t group = UINT32_MAX; /* that is being changed */

	while (table_next_rows(table, uids, &next, &from, &to)) {
		for (uint32_t word = from / 64; word * 64 < to; word++) {
			uint64_t live = table->live.words[word];
			uint64_t mask = live & table_word_mask(word, from, to);

			if (group != word * 64 / GROUP_ROWS_MAX) {
				settle(table, group, flag);
				group = word * 64 / GROUP_ROWS_MAX;
			}
			if (mask != 0)
				(void)group_set_flag(table->group[group], flag,
				    word % (GROUP_ROWS_MAX / 64), mask, live, on);
		}
	}
	settle(table, group, flag);
	table->version++;
}

static void note_flags_modseq(struct table *table, uint64_t first_modseq, uint64_t modseq)
{
	table->modseq = num_max(table->modseq, modseq);
	if (modseq <= table->flags_modseq)
		return;
	if (table->flags_modseq < first_modseq)
		table->flags_modseq_before = table->flags_modseq;
	table->flags_modseq = modseq;
}

void table_set_modseq(struct table *table, const struct runs *uids, uint64_t modseq)
{
	table_set_modseq_of(table, uids, modseq, modseq);
}

void table_set_modseq_of(
    struct table *table, const struct runs *uids, uint64_t first_modseq, uint64_t modseq)
{
	size_t next = 0;
	uint32_t from;
	uint32_t to;

	while (table_next_rows(table, uids, &next, &from, &to)) {
		for (uint32_t word = from / 64; word * 64 < to; word++)
			group_put_modseq(table->group[word * 64 / GROUP_ROWS_MAX],
			    word % (GROUP_ROWS_MAX / 64),
			    table->live.words[word] & table_word_mask(word, from, to), modseq);
	}
	note_flags_modseq(table, first_modseq, modseq);
	table->version++;
}

/* Make room for one more entry by forgetting the older half: the answer for older MODSEQs is "not
 * known". */
static void history_shorten(struct table *table)
{
	uint32_t drop = (table->history_count + 1) / 2;

	table->history_low = table->history[drop - 1].modseq;
	table->history_count -= drop;
	memmove(
	    table->history, table->history + drop, table->history_count * sizeof(*table->history));
}

static void history_add(struct table *table, uint64_t modseq, uint32_t first, uint32_t last)
{
	struct table_expunge *newest =
	    table->history_count == 0 ? NULL : &table->history[table->history_count - 1];

	if (newest != NULL && newest->modseq > modseq)
		modseq = newest->modseq; /* later is later, whatever a damaged record says */
	if (newest != NULL && newest->modseq == modseq && newest->last < first &&
	    rank_before(&table->live, uidmap_lower(&table->uids, newest->last)) ==
	        rank_before(&table->live, uidmap_lower(&table->uids, first))) {
		newest->last = last; /* nothing that is there lies between */
		return;
	}
	RP_ASSERT(table->history_max > 0); /* table_prepare_expunge */
	if (table->history_count == table->history_max)
		history_shorten(table);
	table->history[table->history_count++] =
	    (struct table_expunge){.modseq = modseq, .first = first, .last = last};
}

void table_expunge(struct table *table, const struct runs *uids, uint64_t modseq)
{
	size_t next = 0;
	uint32_t from;
	uint32_t to;

	while (table_next_rows(table, uids, &next, &from, &to)) {
		uint32_t first_row = UINT32_MAX;
		uint32_t last_row = 0;

		for (uint32_t word = from / 64; word * 64 < to; word++) {
			uint64_t mask = table->live.words[word] & table_word_mask(word, from, to);

			if (mask == 0)
				continue;
			group_account(table->group[word * 64 / GROUP_ROWS_MAX],
			    word % (GROUP_ROWS_MAX / 64), mask, -1);
			rank_clear(&table->live, word, mask);
			if (first_row == UINT32_MAX)
				first_row = word * 64 + (uint32_t)__builtin_ctzll(mask);
			last_row = word * 64 + 63 - (uint32_t)__builtin_clzll(mask);
		}
		if (first_row != UINT32_MAX)
			history_add(table, modseq, uidmap_uid(&table->uids, first_row),
			    uidmap_uid(&table->uids, last_row));
	}
	table->modseq = num_max(table->modseq, modseq);
	table->version++;
}

void table_expunge_unmet(struct table *table, const struct runs *uids, uint64_t modseq)
{
	for (size_t i = 0; i < uids->count; i++) {
		const struct run run = uids->run[i];
		uint32_t from = uidmap_lower(&table->uids, run.first);
		uint32_t to = run.last < UINT32_MAX ? uidmap_lower(&table->uids, run.last + 1)
		                                    : table->uids.rows;

		if ((uint64_t)to - from > run.last - run.first)
			continue; /* each has a row */
		history_add(table, modseq, run.first, run.last);
		table->last_uid = (uint32_t)num_max(table->last_uid, run.last);
	}
}

/* Flags of a row all of whose flags are off. live: it is counted. */
static void put_flags(struct table *table, uint32_t row, const struct table_row *values, bool live)
{
	struct group *group = table_group(table, row);
	uint32_t word = table_in_group(row) / 64;
	uint64_t mask = UINT64_C(1) << (row % 64);

	for (uint32_t flag = 0; flag < TABLE_SYSTEM_FLAGS; flag++) {
		if ((values->flags >> flag) & 1)
			(void)group_set_flag(group, flag, word, mask, live ? mask : 0, true);
	}
	for (size_t i = 0; i < values->keywords_count; i++) {
		RP_ASSERT(values->keywords[i] < table->keywords_count);
		(void)group_set_flag(group, TABLE_SYSTEM_FLAGS + values->keywords[i], word, mask,
		    live ? mask : 0, true);
	}
}

/* A record is applied again, or a message comes back. */
static void overwrite(struct table *table, uint32_t row, const struct table_row *values)
{
	struct group *group = table_group(table, row);
	uint32_t word = table_in_group(row) / 64;
	uint64_t mask = UINT64_C(1) << (row % 64);

	if (rank_get(&table->live, row)) {
		group_account(group, word, mask, -1);
		rank_clear(&table->live, row / 64, mask);
	}
	for (uint32_t flag = 0; flag < group->flags_count; flag++)
		(void)group_set_flag(group, flag, word, mask, 0, false);
	group_put_row(group, table_in_group(row), values);
	put_flags(table, row, values, false);
	rank_set(&table->live, row / 64, mask);
	group_account(group, word, mask, +1);
}

void table_append(struct table *table, const struct table_row *values)
{
	uint32_t row;

	table->version++;
	table->modseq = num_max(table->modseq, values->modseq);
	if (values->uid <= table->last_uid) {
		if (uidmap_row(&table->uids, values->uid, &row))
			overwrite(table, row, values);
		return;
	}
	row = table->uids.rows;
	struct group *group = table_group(table, row);

	RP_ASSERT(row / GROUP_ROWS_MAX < table->groups_count && group->rows < group->rows_max);
	group->rows++;
	group_put_row(group, table_in_group(row), values);
	/* What it has is counted, and not all flags of the group asked whether it has them. */
	put_flags(table, row, values, true);
	group->bytes += values->rfc822_size_bytes;
	uidmap_push(&table->uids, values->uid);
	rank_push(&table->live, true);
	table->last_uid = values->uid;
}

static void put_value(struct table *table, uint32_t uid, enum column_kind kind, uint64_t value)
{
	uint32_t row;

	if (!uidmap_row(&table->uids, uid, &row))
		return;
	group_put(table_group(table, row), kind, table_in_group(row), value);
	table->version++;
}

void table_set_cache_offset(struct table *table, uint32_t uid, uint32_t cache_offset)
{
	put_value(table, uid, COLUMN_CACHE, cache_offset);
}

void table_leave_cache(struct table *table)
{
	table->leaves_cache = true;
}

void table_cut_cache(struct table *table, uint32_t end)
{
	table->cuts_cache = true;
	table->cache_end = end;
}

uint32_t table_cache_last(const struct table *table)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < table->groups_count; i++) {
		const struct group *group = table->group[i];

		if (group->column[COLUMN_CACHE].p == NULL)
			continue;
		for (uint32_t row = 0; row < group->rows; row++)
			last = num_max(last, group_get(group, COLUMN_CACHE, row));
	}
	return (uint32_t)last;
}

void table_set_body(struct table *table, uint32_t uid, struct dbox_ref body)
{
	put_value(table, uid, COLUMN_BODY, (uint64_t)body.offset << 32 | body.file);
}

void table_forget_history(struct table *table, uint64_t modseq)
{
	table->history_low = num_max(table->history_low, modseq);
}

void table_note_loss(struct table *table)
{
	if (!table->has_loss)
		table->heard_uid = table->last_uid;
	table->has_loss = true;
}

uint32_t table_heard_uid(const struct table *table)
{
	return table->has_loss ? table->heard_uid : UINT32_MAX;
}
