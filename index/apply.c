#include "index/apply.h"

#include "index/compact.h"

#include <stdlib.h>

#include "io/base/log.h"

/* Runs are taken out of a record so many at a time. */
enum { APPLY_RUNS = 256 };

struct run_piece {
	struct run run[APPLY_RUNS];
	struct runs runs;
};

static bool next_piece(struct change_runs *from, struct run_piece *piece)
{
	size_t n = change_runs_next(from, piece->run, APPLY_RUNS);

	piece->runs = (struct runs){ .run = piece->run, .count = n, .count_max = APPLY_RUNS };
	return n > 0;
}

struct table_row apply_row(const struct change_row *row, uint64_t lsn)
{
	return (struct table_row){
		.uid = row->uid,
		.flags = row->flags,
		.modseq = lsn,
		.internaldate = row->internaldate,
		.sent = row->sent,
		.rfc822_size_bytes = row->rfc822_size_bytes,
		.savedate_s = row->savedate_s,
		.body = row->body,
		.emailid = row->emailid,
		.threadid = row->threadid,
	};
}

static void put_rows(struct table *table, struct change_rows rows, uint64_t lsn)
{
	while (change_rows_next(&rows)) {
		struct table_row row = apply_row(&rows.row, lsn);

		table_append(table, &row);
	}
}

/* False: no message has the keyword that is off, or it has no room. */
static bool flag_of(struct table *table, const struct change_item *item, unsigned *flag)
{
	uint16_t keyword;

	*flag = item->flag;
	if (item->flag != CHANGE_FLAG_KEYWORD)
		return true;
	keyword = table_keyword(table, item->name, item->on);
	*flag = CHANGE_FLAG_KEYWORD + (unsigned)keyword;
	return keyword != UINT16_MAX;
}

static void change_flags(
    struct mailbox *mailbox, const struct change_item *item, uint64_t first_lsn, uint64_t lsn)
{
	struct change_runs rest = item->runs;
	struct run_piece piece;
	uint64_t names = table_names_version(mailbox->table);
	unsigned flag;
	bool has = flag_of(mailbox->table, item, &flag);

	RP_ASSERT(has || !item->on); /* there was room when the change was decided */
	if (table_names_version(mailbox->table) != names)
		view_news_keyword(mailbox, flag - CHANGE_FLAG_KEYWORD);
	while (next_piece(&rest, &piece)) {
		if (has)
			table_set_flag(mailbox->table, &piece.runs, flag, item->on);
		table_set_modseq_of(mailbox->table, &piece.runs, first_lsn, lsn);
		view_news_flags(mailbox, &piece.runs, lsn);
	}
}

static void change_expunged(struct mailbox *mailbox, const struct change_item *item, uint64_t lsn)
{
	struct change_runs rest = item->runs;
	struct run_piece piece;

	while (next_piece(&rest, &piece)) {
		view_news_expunge(mailbox, &piece.runs, lsn);
		table_expunge(mailbox->table, &piece.runs, lsn);
	}
}

/* The catalog is about to forget it: what its users may still ask is kept with them. */
static void mark_gone(struct mailbox *mailbox, const struct catalog_entry *entry)
{
	mailbox->facts = *entry;
	mailbox->gone_name = malloc(entry->name.n);
	if (mailbox->gone_name != NULL)
		memcpy(mailbox->gone_name, entry->name.p, entry->name.n);
	mailbox->facts.name =
	    bytes_of(mailbox->gone_name, mailbox->gone_name != NULL ? entry->name.n : 0);
	mailbox->gone = true;
	view_news_gone(mailbox);
}

static void mark_all_gone(struct volume *volume)
{
	LIST_FOR_EACH(link, &volume->mailboxes) {
		struct mailbox *mailbox = RP_CONTAINER_OF(link, struct mailbox, link);
		struct catalog_node *node = catalog_by_id(&volume->catalog, mailbox->mailboxid);

		if (node != NULL)
			mark_gone(mailbox, &node->entry);
	}
}

static void change_mailbox(
    struct mailbox *mailbox, const struct change_item *item, uint64_t first_lsn, uint64_t lsn)
{
	if (item->type == CHANGE_ITEM_ROWS) {
		put_rows(mailbox->table, item->rows, lsn);
		view_news_append(mailbox);
	} else if (item->type == CHANGE_ITEM_FLAG) {
		change_flags(mailbox, item, first_lsn, lsn);
	} else if (item->type == CHANGE_ITEM_EXPUNGED) {
		change_expunged(mailbox, item, lsn);
	} else if (item->type == CHANGE_ITEM_BODY) {
		table_set_body(mailbox->table, item->uid, item->body);
	}
}

/* first_lsn: of the first record of this change. */
static void apply_item(
    struct volume *volume, const struct change_item *item, uint64_t first_lsn, uint64_t lsn)
{
	struct catalog_node *node =
	    item->mailboxid != 0 ? catalog_by_id(&volume->catalog, item->mailboxid) : NULL;
	struct mailbox *mailbox = node != NULL ? node->loaded : NULL;
	enum rp_err err;

	if (item->type == CHANGE_ITEM_ROWS && volume->compacting != NULL)
		compact_note(volume->compacting, item);
	if (mailbox != NULL && item->type == CHANGE_ITEM_GONE)
		mark_gone(mailbox, &node->entry);
	if (item->type == CHANGE_ITEM_DESTROYED)
		mark_all_gone(volume);
	/* One that is loading meets this record at the end of its replay; so does one whose loading failed, if anybody tries again. */
	if (mailbox != NULL && mailbox->table != NULL)
		change_mailbox(mailbox, item, first_lsn, lsn);
	err = catalog_apply(&volume->catalog, item, lsn);
	RP_ASSERT(err == RP_OK);
}

void apply_change(struct volume *volume, uint64_t lsn, struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_open(payload, &reader);

	RP_ASSERT(err == RP_OK);
	while ((err = change_next(&reader, &item)) == RP_OK)
		apply_item(volume, &item, lsn - reader.part, lsn);
	RP_ASSERT(err == RP_ERR_END);
	catalog_sort(&volume->catalog);
	volume->catalog.lsn = lsn;
	volume->generation++;
}

enum rp_err apply_to_catalog(
    struct catalog *catalog, struct log *log, const char *volume, uint64_t lsn, struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK) {
		err = catalog_apply(catalog, &item, lsn);
		if (err == RP_ERR_CORRUPT) {
			LOG(log, LOG_WARN, "volume.odd_record", LOG_STR("volume", volume),
			    LOG_U64("lsn", lsn), LOG_U64("item", item.type));
			err = RP_OK;
		}
	}
	catalog_sort(catalog);
	if (err == RP_ERR_CORRUPT) {
		LOG(log, LOG_WARN, "volume.bad_record", LOG_STR("volume", volume), LOG_U64("lsn", lsn));
		err = RP_ERR_END;
	}
	if (err != RP_ERR_END)
		return err;
	catalog->lsn = lsn;
	return RP_OK;
}

static enum rp_err replay_rows(
    struct task *task, struct table *table, const struct change_item *item, uint64_t lsn)
{
	struct table_room room = { .first_uid = item->rows.row.uid + 1,
		.last_uid = item->rows.row.uid + item->rows.left,
		.rows = item->rows.left,
		.flags_on = CHANGE_FLAG_KEYWORD };
	enum rp_err err = room.rows != 0 ? table_prepare_append(task, table, &room) : RP_OK;

	if (err != RP_OK)
		return err;
	put_rows(table, item->rows, lsn);
	return RP_OK;
}

static enum rp_err replay_body(
    struct task *task, struct table *table, const struct change_item *item)
{
	struct run run = { item->uid, item->uid };
	struct runs uids = { .run = &run, .count = 1, .count_max = 1 };
	enum rp_err err = table_prepare_rows(task, table, &uids);

	if (err == RP_OK)
		table_set_body(table, item->uid, item->body);
	return err;
}

static enum rp_err replay_expunge(
    struct task *task, struct table *table, const struct runs *uids, uint64_t lsn)
{
	enum rp_err err = table_prepare_expunge_unmet(task, table, uids);

	if (err != RP_OK)
		return err;
	table_expunge(table, uids, lsn);
	table_expunge_unmet(table, uids, lsn);
	return RP_OK;
}

static enum rp_err replay_flag(struct task *task, struct table *table,
    const struct change_item *item, const struct runs *uids, uint64_t lsn)
{
	unsigned flag;
	enum rp_err err = table_prepare_flags(task, table, uids, 1, 1);

	if (err != RP_OK)
		return err;
	if (flag_of(table, item, &flag))
		table_set_flag(table, uids, flag, item->on);
	else if (item->on)
		table_set_overfull(table);
	table_set_modseq(table, uids, lsn);
	return RP_OK;
}

static enum rp_err replay_runs(
    struct task *task, struct table *table, const struct change_item *item, uint64_t lsn)
{
	struct change_runs rest = item->runs;
	struct run_piece piece;

	while (next_piece(&rest, &piece)) {
		enum rp_err err = item->type == CHANGE_ITEM_FLAG
		    ? replay_flag(task, table, item, &piece.runs, lsn)
		    : replay_expunge(task, table, &piece.runs, lsn);

		if (err == RP_OK)
			err = task_pause(task); /* of scattered ones a record has a hundred thousand */
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static bool has_any_of(const struct table *table, const struct run *run)
{
	uint32_t uid = table_uid_from(table, run->first, false);

	return uid != 0 && uid <= run->last;
}

/* Keywords of messages that it has not are not to use up its thousand. */
static bool has_any(const struct table *table, const struct change_item *item)
{
	struct change_runs rest = item->runs;
	struct run_piece piece;

	while (next_piece(&rest, &piece))
		for (size_t i = 0; i < piece.runs.count; i++)
			if (has_any_of(table, &piece.run[i]))
				return true;
	return false;
}

/* What is kept was expunged, though the record that said so may be lost. */
static enum rp_err replay_kept(
    struct task *task, struct table *table, const struct change_item *item, uint64_t lsn)
{
	struct run run = { item->rows.row.uid + 1, item->rows.row.uid + item->rows.left };
	struct runs uids = { .run = &run, .count = 1, .count_max = 1 };

	return item->rows.left != 0 && has_any_of(table, &run) ? replay_expunge(task, table, &uids, lsn)
							       : RP_OK;
}

/* As to what was brought back: it was expunged. */
static enum rp_err replay_to_rows(
    struct task *task, struct table *table, const struct change_item *item, uint64_t lsn)
{
	switch (item->type) {
	case CHANGE_ITEM_FLAG:
	case CHANGE_ITEM_EXPUNGED:
	case CHANGE_ITEM_BROUGHT_BACK:
		return has_any(table, item) ? replay_runs(task, table, item, lsn) : RP_OK;
	case CHANGE_ITEM_KEPT:
		return replay_kept(task, table, item, lsn);
	default:
		return RP_OK;
	}
}

static enum rp_err replay_to_table(
    struct task *task, struct table *table, const struct change_item *item, uint64_t lsn)
{
	switch (item->type) {
	case CHANGE_ITEM_ROWS:
		return replay_rows(task, table, item, lsn);
	case CHANGE_ITEM_BODY:
		return replay_body(task, table, item);
	case CHANGE_ITEM_FLAG:
	case CHANGE_ITEM_EXPUNGED:
		return replay_runs(task, table, item, lsn);
	default:
		return RP_OK;
	}
}

typedef enum rp_err replay_item_fn(
    struct task *task, struct table *table, const struct change_item *item, uint64_t lsn);

/* What the record says of this mailbox. */
static enum rp_err apply(struct task *task, struct table *table, uint64_t mailboxid, uint64_t lsn,
    struct bytes payload, replay_item_fn *fn)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	if (err == RP_ERR_CORRUPT)
		return RP_OK; /* told when the catalog was replayed */
	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK)
		if (item.mailboxid == mailboxid)
			err = fn(task, table, &item, lsn);
	return err == RP_ERR_END ? RP_OK : err;
}

enum rp_err apply_to_rows(struct task *task, struct table *table, uint64_t mailboxid, uint64_t lsn,
    struct bytes payload)
{
	return apply(task, table, mailboxid, lsn, payload, replay_to_rows);
}

enum rp_err apply_to_table(struct task *task, struct table *table, uint64_t mailboxid, uint64_t lsn,
    struct bytes payload)
{
	return apply(task, table, mailboxid, lsn, payload, replay_to_table);
}
