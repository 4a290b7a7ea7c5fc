/* view_cursor.c -- walking the messages of a view, 64 rows at a time. */
#include "index/table_state.h"
#include "index/view_state.h"
#include "io/task.h"

enum {
	WORDS_A_PAUSE = 8, /* 512 messages between two questions whether others should run */
	END_ROW = 1 << 30, /* behind all rows there can be */
};

static_assert((int)END_ROW > (int)TABLE_ROWS_MAX, "behind all rows");

static unsigned columns_of(const struct view_cursor *cursor)
{
	unsigned columns = cursor->fields & (VIEW_MODSEQ | VIEW_INTERNALDATE | VIEW_SENT |
	                                        VIEW_SIZE | VIEW_SAVEDATE);

	static_assert(VIEW_MODSEQ == 1 << COLUMN_MODSEQ && VIEW_SAVEDATE == 1 << COLUMN_SAVEDATE,
	    "the first fields are the first columns");
	if (cursor->fields & VIEW_EMAILID)
		columns |= 1 << COLUMN_EMAILID;
	if (cursor->fields & VIEW_THREADID)
		columns |= 1 << COLUMN_THREADID;
	if (cursor->modseq_since != 0)
		columns |= 1 << COLUMN_MODSEQ;
	return columns;
}

void view_cursor_init(struct view_cursor *cursor, struct view *view, const struct runs *uids)
{
	*cursor = (struct view_cursor){.view = view, .uids = uids, .fields = VIEW_ALL};
}

void view_flags_cursor(struct view_cursor *cursor, struct view *view)
{
	const struct table *table = view->mailbox->table;

	view_cursor_init(cursor, view, NULL);
	cursor->fields = VIEW_MODSEQ;
	cursor->modseq_since = view->told_modseq;
	cursor->place.news = true;
	view->taking_modseq = table_modseq(table);
	view->taking_uid = view->uid_max;
}

/* The rows of the next run of uids that has any at or behind `row`; false: none. */
static bool next_run(struct view_cursor *cursor, const struct table *table, uint32_t row)
{
	struct view_place *place = &cursor->place;

	while (place->to <= row) {
		if (!table_next_rows(table, cursor->uids, &place->run, &place->from, &place->to))
			return false;
	}
	return true;
}

/* Rows of this word, from `row` on, that uids name. */
static uint64_t wanted_word(struct view_cursor *cursor, const struct table *table, uint32_t row)
{
	struct view_place *place = &cursor->place;
	uint32_t base = row & ~63U;
	uint64_t wanted = 0;

	if (cursor->uids == NULL)
		return table_word_mask(base / 64, row, base + 64);
	while (next_run(cursor, table, row) && place->from < base + 64) {
		uint32_t from = place->from > row ? place->from : row;
		uint32_t to = place->to < base + 64 ? place->to : base + 64;

		wanted |= table_word_mask(base / 64, from, to);
		if (place->to > base + 64)
			break;
		row = to;
		if (row == base + 64)
			break;
	}
	return wanted;
}

/* The first row at or behind `row` that may be met, by uids and the summaries of MODSEQ;
 * UINT32_MAX: none. */
static uint32_t skip(
    struct view_cursor *cursor, const struct table *table, uint32_t row, uint32_t rows)
{
	while (row < rows) {
		uint32_t start = row;

		if (cursor->uids != NULL) {
			if (!next_run(cursor, table, row))
				return UINT32_MAX;
			if (row < cursor->place.from)
				row = cursor->place.from;
		}
		if (row < rows && cursor->modseq_since != 0) {
			const struct group *group = table_group(table, row);
			uint32_t block = table_in_group(row) / GROUP_BLOCK_ROWS;

			if ((uint64_t)group->bounds[COLUMN_MODSEQ].greatest <= cursor->modseq_since)
				row = (row / GROUP_ROWS_MAX + 1) * GROUP_ROWS_MAX;
			else if (group->modseq_max[block] <= cursor->modseq_since)
				row = (row / GROUP_BLOCK_ROWS + 1) * GROUP_BLOCK_ROWS;
		}
		if (row == start)
			return row;
	}
	return UINT32_MAX;
}

/* Leave those in whose MODSEQ is new enough. */
static uint64_t newer(const struct table *table, uint32_t word, uint64_t bits, uint64_t since)
{
	const struct group *group = table->group[word * 64 / GROUP_ROWS_MAX];
	uint64_t newer_bits = 0;

	for (; bits != 0; bits &= bits - 1) {
		uint32_t bit = (uint32_t)__builtin_ctzll(bits);
		uint32_t row = table_in_group(word * 64) + bit;

		if (group_get(group, COLUMN_MODSEQ, row) > since)
			newer_bits |= UINT64_C(1) << bit;
	}
	return newer_bits;
}

static uint64_t version_of(const struct view *view)
{
	return view->mailbox->table->version + view->version; /* both only grow */
}

/* Where to go on: behind the last that was met when rows may have other numbers, else behind this
 * word. */
static uint32_t resume_row(struct view_cursor *cursor, const struct table *table)
{
	struct view_place *place = &cursor->place;

	if (place->version == version_of(cursor->view))
		return place->row + 64;
	place->version = version_of(cursor->view);
	place->leaf = UIDMAP_NO_LEAF;
	place->from = 0;
	place->to = 0;
	place->run = cursor->uids == NULL ? 0 : runs_lower(cursor->uids, place->uid + 1);
	if (place->uid == UINT32_MAX)
		return UINT32_MAX;
	return place->uid == 0 ? 0 : uidmap_lower(&table->uids, place->uid + 1);
}

static void enter_word(struct view_cursor *cursor, const struct table *table, uint32_t word)
{
	struct view_place *place = &cursor->place;
	const struct group *group = table->group[word * 64 / GROUP_ROWS_MAX];
	uint32_t first = word * 64 + (uint32_t)__builtin_ctzll(place->visible);

	place->row = word * 64;
	place->live = table->live.words[word];
	place->seqno = view_seqno_of(cursor->view, uidmap_walk(&table->uids, &place->leaf, first));
	for (uint32_t flag = 0; flag < TABLE_SYSTEM_FLAGS; flag++)
		place->flags[flag] = group_flag_word(group, flag, word % (GROUP_ROWS_MAX / 64));
}

/* Find the next word that has something to be met. RP_ERR_END: none. */
static enum rp_err advance(struct task *task, struct view_cursor *cursor)
{
	struct view_place *place = &cursor->place;
	const struct view *view = cursor->view;
	enum rp_err err;

	if (task != NULL && ++place->words_met % WORDS_A_PAUSE == 0) {
		err = task_pause(task);
		if (err != RP_OK)
			return err;
	}
	struct table *table = view->mailbox->table;
	uint32_t row = resume_row(cursor, table);

	for (;;) {
		uint32_t rows = view_rows(view, table);
		bool suspended = false;

		row = skip(cursor, table, row, rows);
		if (row == UINT32_MAX)
			break;
		uint32_t word = row / 64;

		place->visible = view_word(view, table, word, rows, &place->exact);
		place->left = place->visible & wanted_word(cursor, table, row);
		if (place->left != 0) {
			err = table_load(
			    task, table, row / GROUP_ROWS_MAX, columns_of(cursor), &suspended);
			if (err != RP_OK && !(err == RP_ERR_BUSY && suspended)) {
				place->left = 0;
				place->version = 0; /* `row` may be of another table */
				return err;
			}
			if (suspended) {
				place->version = 0; /* the table may be another one */
				table = view->mailbox->table;
				row = resume_row(cursor, table);
				continue;
			}
			if (cursor->modseq_since != 0)
				place->left = newer(table, word, place->left, cursor->modseq_since);
			if (map_is_bad(&table->map)) {
				place->left = 0;
				place->version = 0; /* once more, behind the last that was met */
				return RP_ERR_CORRUPT;
			}
		}
		if (place->left != 0) {
			enter_word(cursor, table, word);
			return RP_OK;
		}
		row = (word + 1) * 64;
	}
	place->left = 0;
	place->row = END_ROW;
	return RP_ERR_END;
}

static void read_columns(struct view_cursor *cursor, const struct group *group, uint32_t row)
{
	struct message *message = &cursor->message;
	unsigned fields = cursor->fields;

	message->modseq = 0;
	if (fields & VIEW_MODSEQ)
		message->modseq = group_get(group, COLUMN_MODSEQ, row);
	if ((fields & ~(unsigned)VIEW_MODSEQ) == 0)
		return; /* the others are 0 from the start */
	if (fields & VIEW_INTERNALDATE)
		message->internaldate =
		    column_unpack_date((int64_t)group_get(group, COLUMN_INTERNALDATE, row));
	if (fields & VIEW_SENT)
		message->sent = column_unpack_date((int64_t)group_get(group, COLUMN_SENT, row));
	if (fields & VIEW_SIZE)
		message->rfc822_size_bytes = (uint32_t)group_get(group, COLUMN_SIZE, row);
	if (fields & VIEW_SAVEDATE)
		message->savedate_s = (uint32_t)group_get(group, COLUMN_SAVEDATE, row);
	if (fields & VIEW_EMAILID)
		message->emailid = group_get(group, COLUMN_EMAILID, row);
	if (fields & VIEW_THREADID)
		message->threadid = group_get(group, COLUMN_THREADID, row);
}

static void read_keywords(
    struct view_cursor *cursor, const struct table *table, const struct group *group, uint32_t row)
{
	struct view *view = cursor->view;
	unsigned words = (table->keywords_count + 63) / 64;

	cursor->keywords = view->keywords;
	cursor->keyword_words = words;
	for (unsigned w = 0; w < words; w++) {
		view->keywords[w] = 0;
		for (uint64_t used = group->keyword_used[w]; used != 0; used &= used - 1) {
			uint32_t flag =
			    TABLE_SYSTEM_FLAGS + w * 64 + (uint32_t)__builtin_ctzll(used);

			if (flagmap_get(&group->flag[flag], row))
				view->keywords[w] |= used & -used;
		}
	}
}

/* The first row that is left of the word, read. RP_ERR_NOTFOUND: it is no news. RP_ERR_CORRUPT: a page went under it, and
 * what was read may be wrong; it still counts as not met. */
static enum rp_err read_row(struct view_cursor *cursor)
{
	struct view_place *place = &cursor->place;
	const struct table *table = cursor->view->mailbox->table;
	uint32_t bit = (uint32_t)__builtin_ctzll(place->left);
	uint32_t row = place->row + bit;
	uint32_t in_group = table_in_group(row);
	const struct group *group = table_group(table, row);
	uint32_t uid = uidmap_walk(&table->uids, &place->leaf, row);
	bool known;

	cursor->expunged = !((place->live >> bit) & 1);
	known = place->news && (cursor->expunged || view_knows(cursor->view, uid,
	                                                group_get(group, COLUMN_MODSEQ, in_group)));
	if (!known)
		read_columns(cursor, group, in_group);
	if (map_is_bad(&table->map)) {
		place->version = 0;
		return RP_ERR_CORRUPT;
	}
	place->left &= place->left - 1;
	place->uid = uid;
	if (known)
		return RP_ERR_NOTFOUND;
	cursor->seqno = place->exact ? view_seqno_of(cursor->view, uid)
	                             : place->seqno + (uint32_t)__builtin_popcountll(
	                                                  place->visible & rank_mask(0, bit));
	cursor->message.uid = uid;
	cursor->message.flags = 0;
	for (uint32_t flag = 0; flag < TABLE_SYSTEM_FLAGS; flag++)
		cursor->message.flags |= (uint32_t)((place->flags[flag] >> bit) & 1) << flag;
	read_keywords(cursor, table, group, in_group);
	return RP_OK;
}

enum rp_err view_cursor_next(struct task *task, struct view_cursor *cursor)
{
	struct view_place *place = &cursor->place;

	for (;;) {
		struct mailbox *mailbox = cursor->view->mailbox;
		enum rp_err err = RP_OK;

		if (place->left == 0 || place->version != version_of(cursor->view))
			err = advance(task, cursor);
		if (cursor->view->overrun) /* seqnos mean nothing any more */
			return RP_ERR_UNAVAILABLE;
		if (err == RP_OK)
			err = read_row(cursor);
		if (err == RP_ERR_NOTFOUND)
			continue;
		/* A bad index file is no fault of the messages: the journal has them all. */
		if (err != RP_ERR_CORRUPT || task == NULL || !table_is_bad(mailbox->table))
			return err;
		err = mailbox_mend(task, mailbox);
		if (err != RP_OK)
			return err;
	}
}

enum rp_err view_message(
    struct task *task, struct view *view, uint32_t uid, struct view_cursor *out)
{
	struct run run = {uid, uid};
	struct runs uids = {.run = &run, .count = 1};

	if (uid == 0)
		return RP_ERR_NOTFOUND;
	view_cursor_init(out, view, &uids);
	enum rp_err err = view_cursor_next(task, out);

	out->uids = NULL;
	return err == RP_ERR_END ? RP_ERR_NOTFOUND : err;
}
