/* The rows of what is kept, as they were in the end; and how a merge writes them. */
#include <stdlib.h>
#include <string.h>

#include "index/kept_core.h"
#include "io/base/assert.h"

static enum rp_err add_piece(struct kept_rows *rows)
{
	struct kept_row *piece;

	if (rows->pieces_count == rows->pieces_max) {
		size_t max = 2 * rows->pieces_max + 1;
		struct kept_row **p = realloc(rows->piece, max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		rows->piece = p;
		rows->pieces_max = max;
	}
	piece = malloc(KEPT_PIECE_ROWS * sizeof(*piece));
	if (piece == NULL)
		return RP_ERR_NOMEM;
	rows->piece[rows->pieces_count++] = piece;
	return RP_OK;
}

static enum rp_err reserve_rows(struct task *task, struct kept_rows *rows, size_t more)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && rows->count + more > rows->pieces_count * KEPT_PIECE_ROWS) {
		err = add_piece(rows);
		if (err == RP_OK)
			err = kept_core_pause(task, rows->pieces_count * KEPT_PIECE_ROWS);
	}
	return err;
}

/* Index of the first whose UID is not below. */
static size_t row_lower(const struct kept_rows *rows, uint32_t uid)
{
	size_t low = 0;
	size_t high = rows->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kept_row_at(rows, middle)->row.uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum rp_err take_row(struct kept *kept, const struct kept_mailbox *mailbox,
    struct kept_rows *to, const struct change_row *row)
{
	uint64_t seconds = kept_core_seconds(kept, mailbox, row->uid);
	enum rp_err err;

	if (seconds == 0)
		return RP_OK;
	/* UIDs only ascend, and a merge writes them in order: what does not is not ours. */
	if (to->count > 0 && kept_row_at(to, to->count - 1)->row.uid >= row->uid)
		return RP_OK;
	/* Each at most twice: where it lay, and as a merge wrote it. More of them were told of no counter: damage. */
	if (kept->rows_count >= 2 * kept->rows_max)
		return RP_OK;
	err = reserve_rows(NULL, to, 1);
	if (err != RP_OK)
		return err;
	*kept_row_at(to, to->count++) = (struct kept_row){.row = *row, .seconds = seconds};
	kept->rows_count++;
	return RP_OK;
}

static enum rp_err take_rows(struct task *task, struct kept *kept, struct kept_mailbox *mailbox,
    struct kept_rows *to, const struct change_item *item)
{
	struct change_rows rest = item->rows;
	enum rp_err err = RP_OK;

	while (err == RP_OK && change_rows_next(&rest)) {
		err = take_row(kept, mailbox, to, &rest.row);
		if (err == RP_OK)
			err = kept_core_pause(task, rest.left);
	}
	return err;
}

bool kept_lacks(const struct kept *kept, uint64_t mailboxid, uint32_t uid)
{
	const struct kept_mailbox *mailbox = kept_core_mailbox(kept, mailboxid);
	size_t at;

	if (mailbox == NULL || kept_core_seconds(kept, mailbox, uid) == 0)
		return false;
	at = row_lower(&mailbox->rows, uid);
	return at == mailbox->rows.count || kept_row_at(&mailbox->rows, at)->row.uid != uid;
}

enum rp_err kept_add(struct kept *kept, uint64_t mailboxid, const struct change_row *row)
{
	struct kept_mailbox *mailbox = kept_core_mailbox(kept, mailboxid);

	RP_ASSERT(mailbox != NULL);
	return take_row(kept, mailbox, &mailbox->told, row);
}

/* The keyword's index in this mailbox; made. RP_ERR_NOMEM. */
static enum rp_err keyword_of(struct kept_mailbox *mailbox, struct bytes name, uint16_t *out)
{
	struct kept_keyword *p = mailbox->keyword;

	for (size_t i = 0; i < mailbox->keywords_count; i++) {
		if (!bytes_eq_fold(bytes_of(p[i].text, p[i].n), name))
			continue;
		*out = (uint16_t)i;
		return RP_OK;
	}
	if (mailbox->keywords_count == UINT16_MAX)
		return RP_ERR_LIMIT;
	p = realloc(p, (mailbox->keywords_count + 1) * sizeof(*p));
	if (p == NULL)
		return RP_ERR_NOMEM;
	mailbox->keyword = p;
	p += mailbox->keywords_count;
	p->n = (uint8_t)name.n;
	memcpy(p->text, name.p, name.n);
	*out = (uint16_t)mailbox->keywords_count++;
	return RP_OK;
}

static enum rp_err set_keyword(struct kept_row *row, uint16_t keyword, bool on)
{
	uint16_t at = 0;
	uint16_t *p;

	while (at < row->keywords_count && row->keyword[at] != keyword)
		at++;
	if (on == (at < row->keywords_count))
		return RP_OK;
	if (!on) {
		row->keyword[at] = row->keyword[--row->keywords_count];
		return RP_OK;
	}
	p = realloc(row->keyword, (row->keywords_count + 1U) * sizeof(*p));
	if (p == NULL)
		return RP_ERR_NOMEM;
	row->keyword = p;
	p[row->keywords_count++] = keyword;
	return RP_OK;
}

static enum rp_err set_flag(
    struct kept_row *row, const struct change_item *item, uint16_t keyword, bool on)
{
	uint32_t bit = 1U << item->flag;

	if (item->name.n != 0)
		return set_keyword(row, keyword, on);
	row->row.flags = on ? row->row.flags | bit : row->row.flags & ~bit;
	return RP_OK;
}

/* A flag, or a keyword, of the rows with these UIDs. */
static enum rp_err set_flags(struct task *task, struct kept_mailbox *mailbox,
    struct kept_rows *rows, const struct change_item *item, bool on)
{
	struct change_runs rest = item->runs;
	uint16_t index = 0;
	struct run run;
	enum rp_err err =
	    item->name.n != 0 && rows->count > 0 ? keyword_of(mailbox, item->name, &index) : RP_OK;

	while (err == RP_OK && rows->count > 0 && change_runs_next(&rest, &run, 1) == 1) {
		for (size_t i = row_lower(rows, run.first);
		     err == RP_OK && i < rows->count && kept_row_at(rows, i)->row.uid <= run.last;
		     i++) {
			err = set_flag(kept_row_at(rows, i), item, index, on);
			if (err == RP_OK)
				err = kept_core_pause(task, i);
		}
	}
	return err;
}

static void set_body(struct kept_rows *rows, const struct change_item *item)
{
	size_t i = row_lower(rows, item->uid);

	if (i < rows->count && kept_row_at(rows, i)->row.uid == item->uid)
		kept_row_at(rows, i)->row.body = item->body;
}

static enum rp_err take_item(struct task *task, struct kept *kept, struct kept_mailbox *mailbox,
    const struct change_item *item)
{
	switch (item->type) {
	case CHANGE_ITEM_ROWS:
		return take_rows(task, kept, mailbox, &mailbox->rows, item);
	case CHANGE_ITEM_KEPT:
		return take_rows(task, kept, mailbox, &mailbox->told, item);
	case CHANGE_ITEM_FLAG:
		return set_flags(task, mailbox, &mailbox->rows, item, item->on);
	case CHANGE_ITEM_KEPT_KEYWORD:
		return set_flags(task, mailbox, &mailbox->told, item, true);
	case CHANGE_ITEM_BODY:
		set_body(&mailbox->rows, item);
		set_body(&mailbox->told, item);
		return RP_OK;
	default:
		return RP_OK;
	}
}

static enum rp_err take_change(
    struct task *task, struct kept *kept, struct bytes payload, bool flags_only)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK) {
		struct kept_mailbox *mailbox = kept_core_mailbox(kept, item.mailboxid);

		if (mailbox != NULL && (!flags_only || item.type == CHANGE_ITEM_FLAG))
			err = take_item(task, kept, mailbox, &item);
	}
	return err == RP_ERR_END ? RP_OK : err;
}

enum rp_err kept_take(struct task *task, struct kept *kept, struct bytes payload)
{
	return take_change(task, kept, payload, false);
}

enum rp_err kept_take_flags(struct task *task, struct kept *kept, struct bytes payload)
{
	return take_change(task, kept, payload, true);
}

/* Those stay that no merge has written. */
static enum rp_err drop_told(struct task *task, struct kept *kept, struct kept_mailbox *mailbox)
{
	struct kept_rows *rows = &mailbox->rows;
	const struct kept_rows *told = &mailbox->told;
	size_t left = 0;
	size_t at = 0;
	enum rp_err err = RP_OK;

	for (size_t i = 0; i < rows->count; i++) {
		if (err == RP_OK)
			err = kept_core_pause(task, i);
		const struct kept_row *row = kept_row_at(rows, i);

		while (at < told->count && kept_row_at(told, at)->row.uid < row->row.uid)
			at++;
		if (at == told->count || kept_row_at(told, at)->row.uid != row->row.uid) {
			*kept_row_at(rows, left++) = *row;
			continue;
		}
		free(row->keyword);
		kept->rows_count--;
	}
	rows->count = left;
	return err;
}

/* Both are in order: from the end on, into the room behind. All of them, though somebody ends it: then at once. */
static enum rp_err add_told(struct task *task, struct kept_rows *rows, struct kept_rows *told)
{
	size_t from = rows->count;
	size_t to = from + told->count;
	enum rp_err err = RP_OK;

	rows->count = to;
	while (told->count > 0) {
		const struct kept_row *last = kept_row_at(told, told->count - 1);

		if (from > 0 && kept_row_at(rows, from - 1)->row.uid > last->row.uid) {
			*kept_row_at(rows, --to) = *kept_row_at(rows, --from);
		} else {
			*kept_row_at(rows, --to) = *last;
			told->count--; /* what it has is the other's now */
		}
		if (err == RP_OK)
			err = kept_core_pause(task, to);
	}
	return err;
}

/* What a merge has written is how it was in the end; beside it the row may still lie where it was. */
static enum rp_err join(struct task *task, struct kept *kept, struct kept_mailbox *mailbox)
{
	enum rp_err err = RP_OK;

	if (mailbox->told.count == 0)
		return RP_OK;
	err = drop_told(task, kept, mailbox);
	if (err == RP_OK)
		err = reserve_rows(task, &mailbox->rows, mailbox->told.count);
	if (err == RP_OK)
		err = add_told(task, &mailbox->rows, &mailbox->told);
	kept_core_drop_rows(task, &mailbox->told);
	return err;
}

enum rp_err kept_end(struct task *task, struct kept *kept)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < kept->mailboxes_count; i++)
		err = join(task, kept, &kept->mailbox[i]);
	return err;
}

enum rp_err kept_thin(struct task *task, struct kept *kept, struct kept_mailbox *mailbox,
    kept_wants_fn *fn, void *arg)
{
	struct kept_rows *rows = &mailbox->rows;
	size_t left = 0;
	enum rp_err err = RP_OK;

	for (size_t i = 0; i < rows->count; i++) {
		struct kept_row row = *kept_row_at(rows, i);

		if (fn(arg, &row)) {
			*kept_row_at(rows, left++) = row;
		} else {
			free(row.keyword);
			kept->rows_count--;
		}
		if (err == RP_OK)
			err = kept_core_pause(task, i);
	}
	rows->count = left;
	return err;
}

/* ---- writing ---- */

/* Adjacent UIDs of the same second, as far as there is room. */
static enum rp_err write_rows(
    struct kept *kept, const struct kept_mailbox *mailbox, struct change_writer *writer)
{
	const struct kept_rows *rows = &mailbox->rows;

	while (kept->at_row < rows->count) {
		const struct kept_row *first = kept_row_at(rows, kept->at_row);
		uint32_t uid = first->row.uid;
		bool fits = true;

		if (!change_kept_begin(writer, mailbox->mailboxid, first->seconds, uid))
			return RP_ERR_LIMIT;
		while (fits && kept->at_row < rows->count) {
			const struct kept_row *row = kept_row_at(rows, kept->at_row);

			if (row->row.uid != uid || row->seconds != first->seconds)
				break;
			fits = change_rows_put(writer, &row->row);
			kept->at_row += fits;
			uid += fits;
		}
		change_rows_end(writer);
		if (!fits)
			return RP_ERR_LIMIT;
	}
	return RP_OK;
}

static bool has_keyword(const struct kept_row *row, size_t keyword)
{
	for (uint16_t i = 0; i < row->keywords_count; i++)
		if (row->keyword[i] == keyword)
			return true;
	return false;
}

static enum rp_err write_keywords(struct task *task, struct kept *kept,
    const struct kept_mailbox *mailbox, struct change_writer *writer)
{
	for (; kept->at_keyword < mailbox->keywords_count; kept->at_keyword++, kept->at_run = 0) {
		const struct kept_keyword *keyword = &mailbox->keyword[kept->at_keyword];
		struct runs runs = RUNS_EMPTY;
		enum rp_err err = RP_OK;

		for (size_t i = 0; err == RP_OK && i < mailbox->rows.count; i++) {
			const struct kept_row *row = kept_row_at(&mailbox->rows, i);

			if (has_keyword(row, kept->at_keyword))
				err = runs_add(&runs, row->row.uid, row->row.uid);
			if (err == RP_OK)
				err = kept_core_pause(task, i);
		}
		if (err == RP_OK && !change_put_kept_keyword(writer, mailbox->mailboxid,
		                        bytes_of(keyword->text, keyword->n), &runs, &kept->at_run))
			err = RP_ERR_LIMIT;
		runs_fini(&runs);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

enum rp_err kept_write(struct task *task, struct kept *kept, struct change_writer *writer)
{
	for (; kept->at_mailbox < kept->mailboxes_count; kept->at_mailbox++) {
		const struct kept_mailbox *mailbox = &kept->mailbox[kept->at_mailbox];
		enum rp_err err;

		if (mailbox->rows.count == 0)
			continue;
		if (mailbox->gone && mailbox->name.n != 0 && !kept->at_named &&
		    !change_put_kept_name(writer, mailbox->mailboxid, mailbox->name))
			return RP_ERR_LIMIT;
		kept->at_named = true;
		err = write_rows(kept, mailbox, writer);
		if (err == RP_OK)
			err = write_keywords(task, kept, mailbox, writer);
		if (err != RP_OK)
			return err;
		kept->at_named = false;
		kept->at_row = 0;
		kept->at_keyword = 0;
		kept->at_run = 0;
	}
	return RP_OK;
}
