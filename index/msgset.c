#include "index/msgset.h"

#include <stdlib.h>
#include <string.h>

#include "index/table_state.h"
#include "index/view_state.h"
#include "io/task.h"

enum {
	DAY_SECONDS = 86400,
	ZONE_SECONDS_MAX = 2 * DAY_SECONDS, /* more than a zone moves a clock */
};

/* Bits over the rows of one table. The table is held: should a checkpoint replace it, its UIDs
 * still tell what the bits mean, and bits over other rows are translated by UID. */
struct msgset {
	struct view *view;
	struct table *table;
	uint32_t rows; /* that the view could show when the set was made */
	uint32_t words;
	uint64_t bits[];
};

static struct msgset *set_new(struct view *view)
{
	struct table *table = view->mailbox->table;
	uint32_t rows = view_rows(view, table);
	uint32_t words = (rows + 63) / 64;
	/* Not calloc(): jemalloc has the kernel clear what is large, a fault for each page. */
	struct msgset *set = malloc(sizeof(*set) + words * sizeof(uint64_t));

	if (set == NULL)
		return NULL;
	*set = (struct msgset){.view = view, .table = table, .rows = rows, .words = words};
	memset(set->bits, 0, words * sizeof(uint64_t));
	table_hold(table);
	return set;
}

void msgset_free(struct msgset *set)
{
	if (set == NULL)
		return;
	(void)table_let_go(set->table);
	free(set);
}

static uint64_t visible(const struct msgset *set, uint32_t word)
{
	bool listed;

	return view_word(set->view, set->table, word, set->rows, &listed);
}

enum rp_err msgset_none(struct task *task, struct view *view, struct msgset **out)
{
	(void)task;
	*out = set_new(view);
	return *out == NULL ? RP_ERR_NOMEM : RP_OK;
}

/* Set the visible bits of rows [from, to). */
static void add_rows(struct msgset *set, uint32_t from, uint32_t to)
{
	const uint64_t *live = set->table->live.words;
	uint32_t word = from / 64;

	if (to > set->rows)
		to = set->rows;
	if (set->view->expunged.count == 0 && from % 64 == 0 && from < to) {
		flagmap_or(set->bits + word, live + word, to / 64 - word);
		word = to / 64;
	}
	for (; word * 64 < to; word++)
		set->bits[word] |= visible(set, word) & table_word_mask(word, from, to);
}

enum rp_err msgset_all(struct task *task, struct view *view, struct msgset **out)
{
	enum rp_err err = msgset_none(task, view, out);

	if (err == RP_OK)
		add_rows(*out, 0, (*out)->rows);
	return err;
}

/* Group by group: of most flags a group has no bits. */
static enum rp_err of_flag(struct task *task, struct view *view, uint32_t flag, struct msgset **out)
{
	enum rp_err err = msgset_none(task, view, out);

	if (err != RP_OK)
		return err;
	for (uint32_t base = 0; base < (*out)->rows; base += GROUP_ROWS_MAX) {
		const struct group *group = (*out)->table->group[base / GROUP_ROWS_MAX];
		uint32_t words = (*out)->words - base / 64;

		if (flag >= group->flags_count || group->flag[flag].state == FLAGMAP_CLEAR)
			continue;
		add_rows(*out, base, base + GROUP_ROWS_MAX);
		if (group->flag[flag].state == FLAGMAP_BITS)
			flagmap_and((*out)->bits + base / 64, group->flag[flag].bits,
			    words < GROUP_ROWS_MAX / 64 ? words : GROUP_ROWS_MAX / 64);
	}
	return RP_OK;
}

enum rp_err msgset_flag(struct task *task, struct view *view, uint32_t flag, struct msgset **out)
{
	RP_ASSERT(flag != 0 && (flag & (flag - 1)) == 0 && flag < 1 << TABLE_SYSTEM_FLAGS);
	return of_flag(task, view, (uint32_t)__builtin_ctz(flag), out);
}

enum rp_err msgset_keyword(
    struct task *task, struct view *view, struct bytes keyword, struct msgset **out)
{
	uint16_t index = table_keyword(view->mailbox->table, keyword, false);

	if (index == UINT16_MAX)
		return msgset_none(task, view, out);
	return of_flag(task, view, TABLE_SYSTEM_FLAGS + index, out);
}

enum rp_err msgset_uids(
    struct task *task, struct view *view, const struct runs *uids, struct msgset **out)
{
	enum rp_err err = msgset_none(task, view, out);
	size_t next = 0;
	uint32_t from;
	uint32_t to;

	while (err == RP_OK && table_next_rows((*out)->table, uids, &next, &from, &to))
		add_rows(*out, from, to);
	return err;
}

/* A range in the terms of the column. */
struct range {
	enum column_kind kind;
	bool moment; /* a date is compared as a moment, not by its own clock */
	int64_t least;
	int64_t greatest;
};

static int64_t clamp(int64_t value, int64_t least, int64_t greatest)
{
	return value < least ? least : value > greatest ? greatest : value;
}

static struct range range_of(enum msgset_column column, int64_t least, int64_t greatest)
{
	static const enum column_kind kinds[] = {
	    [MSGSET_INTERNALDATE] = COLUMN_INTERNALDATE,
	    [MSGSET_SENT] = COLUMN_SENT,
	    [MSGSET_SIZE] = COLUMN_SIZE,
	    [MSGSET_MODSEQ] = COLUMN_MODSEQ,
	    [MSGSET_SAVEDATE] = COLUMN_SAVEDATE,
	    [MSGSET_INTERNALDATE_SECONDS] = COLUMN_INTERNALDATE,
	};
	const int64_t days_max = INT64_MAX / DAY_SECONDS - 1;
	struct range range = {.kind = kinds[column], .least = least, .greatest = greatest};

	range.moment = column == MSGSET_INTERNALDATE_SECONDS;
	if (column == MSGSET_INTERNALDATE || column == MSGSET_SENT) {
		range.least = clamp(least, -days_max, days_max) * DAY_SECONDS;
		range.greatest =
		    clamp(greatest, -days_max, days_max) * DAY_SECONDS + DAY_SECONDS - 1;
	}
	return range;
}

enum fits { FITS_NONE, FITS_SOME, FITS_ALL };

/* What the summary tells. */
static enum fits group_fits(const struct group *group, const struct range *range)
{
	struct group_bounds bounds = group->bounds[range->kind];

	if (bounds.least > bounds.greatest || range->least > range->greatest)
		return FITS_NONE;
	if (range->moment) {
		bounds.least = clamp(bounds.least, INT64_MIN / 2, INT64_MAX / 2) - ZONE_SECONDS_MAX;
		bounds.greatest =
		    clamp(bounds.greatest, INT64_MIN / 2, INT64_MAX / 2) + ZONE_SECONDS_MAX;
	}
	if (bounds.greatest < range->least || bounds.least > range->greatest)
		return FITS_NONE;
	return bounds.least >= range->least && bounds.greatest <= range->greatest ? FITS_ALL
	                                                                          : FITS_SOME;
}

/* Bits of a group's first n rows whose value lies in the range; the column is loaded. */
static void scan(const struct group *group, const struct range *range, uint32_t n, uint64_t *bits)
{
	const void *p = group->column[range->kind].p;
	int64_t least = range->least;
	int64_t greatest = range->greatest;

	if (p == NULL) { /* all 0 */
		bool in = least <= 0 && greatest >= 0;

		for (uint32_t word = 0; word * 64 < n; word++)
			bits[word] = in ? UINT64_MAX : 0;
		return;
	}
	switch (range->kind) {
	case COLUMN_SIZE:
	case COLUMN_SAVEDATE:
		/* The summary has said that the ranges meet, so neither end is beyond. */
		column_scan_u32(p, n, (uint32_t)clamp(least, 0, UINT32_MAX),
		    (uint32_t)clamp(greatest, 0, UINT32_MAX), bits);
		return;
	case COLUMN_MODSEQ:
		column_scan_u64(p, n, (uint64_t)clamp(least, 0, INT64_MAX),
		    (uint64_t)clamp(greatest, 0, INT64_MAX), bits);
		return;
	default:
		if (range->moment)
			column_scan_moment(p, n, least, greatest, bits);
		else
			column_scan_local(p, n, least, greatest, bits);
	}
}

/* RP_ERR_BUSY with the view's table another one: start over. */
static enum rp_err add_range(struct task *task, struct msgset *set, const struct range *range)
{
	for (uint32_t base = 0; base < set->rows; base += GROUP_ROWS_MAX) {
		struct group *group = set->table->group[base / GROUP_ROWS_MAX];
		uint64_t *bits = set->bits + base / 64;
		uint32_t n = set->rows - base < group->rows ? set->rows - base : group->rows;
		bool suspended = false;
		enum rp_err err = task == NULL ? RP_OK : task_pause(task);

		if (err != RP_OK)
			return err;
		if (set->table != set->view->mailbox->table)
			return RP_ERR_BUSY;
		switch (group_fits(group, range)) {
		case FITS_NONE:
			continue;
		case FITS_ALL:
			add_rows(set, base, base + n);
			continue;
		case FITS_SOME:
			break;
		}
		err = table_load(
		    task, set->table, base / GROUP_ROWS_MAX, 1U << range->kind, &suspended);
		if (err != RP_OK)
			return err;
		scan(group, range, n, bits);
		if (map_is_bad(&set->table->map))
			return RP_ERR_CORRUPT;
		for (uint32_t word = 0; word * 64 < n; word++)
			bits[word] &= visible(set, base / 64 + word);
	}
	return RP_OK;
}

enum rp_err msgset_range(struct task *task, struct view *view, enum msgset_column column,
    int64_t least, int64_t greatest, struct msgset **out)
{
	struct range range = range_of(column, least, greatest);

	for (;;) {
		struct msgset *set;
		enum rp_err err = msgset_none(task, view, &set);

		if (err != RP_OK)
			return err;
		err = add_range(task, set, &range);
		if (err == RP_OK) {
			*out = set;
			return RP_OK;
		}
		bool replaced = set->table != view->mailbox->table;

		msgset_free(set);
		/* A bad index file is no fault of the messages: the journal has them all. */
		if (err == RP_ERR_CORRUPT && task != NULL && table_is_bad(view->mailbox->table) &&
		    mailbox_mend(task, view->mailbox) == RP_OK)
			continue;
		if (err != RP_ERR_BUSY || !replaced)
			return err;
	}
}

/* Call the function for bits of b, as words over the rows of a. */
static void combine(struct msgset *a, const struct msgset *b, bool and)
{
	uint32_t leaf = UIDMAP_NO_LEAF;

	RP_ASSERT(a->view == b->view);
	if (a->table == b->table) {
		uint32_t words = a->words < b->words ? a->words : b->words;

		if (!and) {
			flagmap_or(a->bits, b->bits, words);
			return;
		}
		flagmap_and(a->bits, b->bits, words);
		for (uint32_t word = words; word < a->words; word++)
			a->bits[word] = 0;
		return;
	}
	if (and) { /* take out what b has not */
		for (uint32_t word = 0; word < a->words; word++) {
			for (uint64_t left = a->bits[word]; left != 0; left &= left - 1) {
				uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(left);

				if (!msgset_has(b, uidmap_walk(&a->table->uids, &leaf, row)))
					a->bits[word] &= ~(left & -left);
			}
		}
		return;
	}
	for (uint32_t word = 0; word < b->words; word++) {
		for (uint64_t left = b->bits[word]; left != 0; left &= left - 1) {
			uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(left);
			uint32_t uid = uidmap_walk(&b->table->uids, &leaf, row);

			if (uidmap_row(&a->table->uids, uid, &row) && row < a->rows)
				a->bits[row / 64] |= UINT64_C(1) << (row % 64);
		}
	}
}

void msgset_and(struct msgset *a, const struct msgset *b)
{
	combine(a, b, true);
}

void msgset_or(struct msgset *a, const struct msgset *b)
{
	combine(a, b, false);
}

void msgset_not(struct msgset *a)
{
	if (a->view->expunged.count == 0 && a->words > 0) {
		flagmap_not(a->bits, a->table->live.words, a->words - 1);
		a->bits[a->words - 1] = visible(a, a->words - 1) & ~a->bits[a->words - 1];
		return;
	}
	for (uint32_t word = 0; word < a->words; word++)
		a->bits[word] = visible(a, word) & ~a->bits[word];
}

uint32_t msgset_count(const struct msgset *set)
{
	return flagmap_ones(set->bits, set->words);
}

bool msgset_has(const struct msgset *set, uint32_t uid)
{
	uint32_t row;

	return uidmap_row(&set->table->uids, uid, &row) && row < set->rows &&
	       ((set->bits[row / 64] >> (row % 64)) & 1);
}

void msgset_remove(struct msgset *set, uint32_t uid)
{
	uint32_t row;

	if (uidmap_row(&set->table->uids, uid, &row) && row < set->rows)
		set->bits[row / 64] &= ~(UINT64_C(1) << (row % 64));
}

enum rp_err msgset_uids_of(const struct msgset *set, struct runs *uids)
{
	struct table_collect collect;

	table_collect_init(&collect, set->table, uids);
	for (uint32_t word = 0; word < set->words; word++) {
		enum rp_err err = table_collect_word(&collect, word, set->bits[word]);

		if (err != RP_OK)
			return err;
	}
	return table_collect_end(&collect);
}

/* Add seqnos to the run that is being collected. */
static enum rp_err add_seqnos(struct runs *seqnos, struct run *run, uint32_t first, uint32_t count)
{
	enum rp_err err = RP_OK;

	if (run->first != 0 && first == run->last + 1) {
		run->last += count;
		return RP_OK;
	}
	if (run->first != 0)
		err = runs_add(seqnos, run->first, run->last);
	*run = (struct run){first, first + (count - 1)};
	return err;
}

/* The seqnos of the set's messages among 64 rows. Rows that stand together have seqnos that do, unless some of the 64
 * are expunged and unannounced: these are looked up one by one. */
static enum rp_err add_word(
    const struct msgset *set, uint32_t word, uint32_t *leaf, struct runs *seqnos, struct run *run)
{
	const struct uidmap *uids = &set->table->uids;
	unsigned first = (unsigned)__builtin_ctzll(set->bits[word]);
	uint32_t base = view_seqno_of(set->view, uidmap_walk(uids, leaf, word * 64 + first));
	bool listed;
	uint64_t shown = view_word(set->view, set->table, word, set->rows, &listed);
	uint64_t left = set->bits[word] & shown;
	enum rp_err err = RP_OK;

	while (left != 0 && err == RP_OK) {
		unsigned bit = (unsigned)__builtin_ctzll(left);
		unsigned n = listed ? 1 : rank_ones_from(left, bit);
		uint32_t seqno =
		    base + (uint32_t)__builtin_popcountll(shown & rank_mask(first, bit));

		if (listed)
			seqno = view_seqno_of(set->view, uidmap_walk(uids, leaf, word * 64 + bit));
		left &= ~rank_mask(bit, bit + n);
		err = add_seqnos(seqnos, run, seqno, n);
	}
	return err;
}

enum rp_err msgset_seqnos_of(const struct msgset *set, struct runs *seqnos)
{
	struct run run = {0, 0};
	uint32_t leaf = UIDMAP_NO_LEAF;
	enum rp_err err = view_is_overrun(set->view) ? RP_ERR_UNAVAILABLE : RP_OK;

	for (uint32_t word = 0; word < set->words && err == RP_OK; word++) {
		if (set->bits[word] != 0)
			err = add_word(set, word, &leaf, seqnos, &run);
	}
	if (err == RP_OK && run.first != 0)
		err = runs_add(seqnos, run.first, run.last);
	return err;
}

uint32_t msgset_first(const struct msgset *set)
{
	for (uint32_t word = 0; word < set->words; word++) {
		if (set->bits[word] != 0)
			return uidmap_uid(&set->table->uids,
			    word * 64 + (uint32_t)__builtin_ctzll(set->bits[word]));
	}
	return 0;
}

uint32_t msgset_last(const struct msgset *set)
{
	for (uint32_t word = set->words; word-- > 0;) {
		if (set->bits[word] != 0)
			return uidmap_uid(&set->table->uids,
			    word * 64 + 63 - (uint32_t)__builtin_clzll(set->bits[word]));
	}
	return 0;
}

enum rp_err msgset_highest_modseq(struct task *task, const struct msgset *set, uint64_t *modseq)
{
	struct view_cursor cursor;
	struct runs uids = RUNS_EMPTY;
	uint64_t highest = 0;
	enum rp_err err = msgset_uids_of(set, &uids);

	if (err == RP_OK) {
		view_cursor_init(&cursor, set->view, &uids);
		cursor.fields = VIEW_MODSEQ;
		while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
			if (cursor.message.modseq <= highest)
				continue;
			highest = cursor.message.modseq;
			cursor.modseq_since =
			    highest; /* whole blocks without a greater one are skipped */
		}
	}
	runs_fini(&uids);
	if (err != RP_ERR_END)
		return err;
	*modseq = highest;
	return RP_OK;
}
