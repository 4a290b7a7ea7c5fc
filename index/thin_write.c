/* What is left of a change whose user's changes are all noted. */
#include "index/thin_core.h"

enum {
	ROWS_STAY_MAX =
	    3, /* so many expunged ones between two others cost less than an item of their own */
};

static bool is_expunged(const struct thin_mailbox *mailbox, uint32_t uid)
{
	size_t low = 0;
	size_t high = mailbox != NULL ? mailbox->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mailbox->by_uid[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return mailbox != NULL && low < mailbox->count && mailbox->by_uid[low].first <= uid;
}

/* ---- writing ---- */

static bool put_row(
    struct change_writer *writer, uint64_t mailboxid, const struct change_row *row, bool *open)
{
	if (!*open && !change_rows_begin(writer, mailboxid, row->uid))
		return false;
	*open = true;
	return change_rows_put(writer, row);
}

static enum rp_err write_rows(struct task *task, const struct thin *thin,
    const struct change_item *item, struct change_writer *writer)
{
	const struct thin_mailbox *mailbox = thin_core_mailbox(thin, item->mailboxid);
	struct change_rows ahead = item->rows;
	struct change_rows behind = item->rows;
	uint32_t gone = 0; /* between the two */
	bool open = false;

	while (change_rows_next(&ahead)) {
		enum rp_err err = thin_core_let_in(task);

		if (err != RP_OK)
			return err;
		gone++;
		if (is_expunged(mailbox, ahead.row.uid))
			continue;
		if (open && gone > ROWS_STAY_MAX + 1) {
			change_rows_end(writer);
			open = false;
		}
		for (; gone > 0; gone--) {
			bool fits = change_rows_next(&behind);

			if (fits && (open || gone == 1))
				fits = put_row(writer, item->mailboxid, &behind.row, &open);
			if (!fits) {
				if (open)
					change_rows_end(writer);
				return RP_ERR_LIMIT;
			}
		}
	}
	if (open)
		change_rows_end(writer);
	return RP_OK;
}

/* Is this the last change of the flag, of a message that is there? page: the flag's; NULL: not known. */
static bool counts(
    const struct thin_mailbox *mailbox, const struct flag_page *page, uint32_t uid, uint64_t lsn)
{
	return !is_expunged(mailbox, uid) &&
	       (page == NULL || page->lsn[uid % THIN_CORE_PAGE_UIDS] <= lsn);
}

static bool body_counts(struct thin *thin, const struct change_item *item, uint64_t lsn)
{
	return counts(thin_core_mailbox(thin, item->mailboxid),
	    thin_core_page(thin, item->mailboxid, THIN_CORE_FLAG_BODY, item->uid, false), item->uid,
	    lsn);
}

/* Of one run. */
static enum rp_err add_counting(struct task *task, struct thin *thin,
    const struct thin_mailbox *mailbox, uint32_t flag, struct run run, uint64_t lsn,
    struct runs *out)
{
	const struct flag_page *page = NULL;
	enum rp_err err = RP_OK;

	for (uint64_t uid = run.first; err == RP_OK && uid <= run.last; uid++) {
		if (uid == run.first || uid % THIN_CORE_PAGE_UIDS == 0) {
			err = thin_core_let_in(task);
			page = flag != UINT32_MAX ? thin_core_page(thin, mailbox->mailboxid, flag,
			                                (uint32_t)uid, false)
			                          : NULL;
		}
		if (err == RP_OK && counts(mailbox, page, (uint32_t)uid, lsn))
			err = runs_add(out, (uint32_t)uid, (uint32_t)uid);
	}
	return err;
}

/* The UIDs that count; all of them where that would take more room. */
static enum rp_err runs_that_count(struct task *task, struct thin *thin,
    const struct change_item *item, uint64_t lsn, struct runs *out)
{
	struct thin_mailbox *mailbox = thin_core_mailbox(thin, item->mailboxid);
	struct change_runs rest = item->runs;
	uint32_t flag = thin_core_flag(mailbox, item, false);
	enum rp_err err = RP_OK;
	struct run run;

	while (err == RP_OK && change_runs_next(&rest, &run, 1) == 1)
		err = add_counting(task, thin, mailbox, flag, run, lsn, out);
	if (err != RP_OK || out->count <= item->runs.left)
		return err;
	runs_fini(out);
	rest = item->runs;
	while (err == RP_OK && change_runs_next(&rest, &run, 1) == 1)
		err = runs_add(out, run.first, run.last);
	return err;
}

static enum rp_err write_flag(struct task *task, struct thin *thin, const struct change_item *item,
    uint64_t lsn, struct change_writer *writer)
{
	struct runs runs = RUNS_EMPTY;
	size_t at = 0;
	enum rp_err err = runs_that_count(task, thin, item, lsn, &runs);

	if (err == RP_OK &&
	    !change_put_flag(writer, item->mailboxid, item->flag, item->name, item->on, &runs, &at))
		err = RP_ERR_LIMIT;
	runs_fini(&runs);
	return err;
}

/* All runs of the mailbox that bear this LSN. A second item of the same record finds them told. */
static enum rp_err write_expunged(
    struct thin *thin, const struct change_item *item, uint64_t lsn, struct change_writer *writer)
{
	struct thin_mailbox *mailbox = thin_core_mailbox(thin, item->mailboxid);
	struct runs runs = RUNS_EMPTY;
	size_t at = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && mailbox->told < mailbox->count &&
	       mailbox->by_lsn[mailbox->told].lsn <= lsn) {
		const struct expunged *expunged = &mailbox->by_lsn[mailbox->told++];

		err = runs_add(&runs, expunged->first, expunged->last);
	}
	if (err == RP_OK && !change_put_expunged(writer, item->mailboxid, 0, &runs, &at))
		err = RP_ERR_LIMIT;
	runs_fini(&runs);
	return err;
}

static enum rp_err write_item(struct task *task, struct thin *thin, const struct change_item *item,
    uint64_t lsn, struct change_writer *writer)
{
	const struct catalog_node *node =
	    item->mailboxid != 0 ? catalog_by_id(&thin->catalog, item->mailboxid) : NULL;
	bool fits = true;

	if (node == NULL || lsn < node->created_lsn)
		return RP_OK; /* it is no more, or told at the end */
	switch (item->type) {
	case CHANGE_ITEM_MAILBOX:
		if (lsn == node->created_lsn)
			fits = change_put_mailbox(writer, item->mailboxid, node->entry.uidvalidity,
			    node->entry.special_use, node->entry.name);
		break;
	case CHANGE_ITEM_COUNTERS:
		if (lsn == node->entry.highestmodseq)
			fits = change_put_counters(writer, item->mailboxid, &item->counters);
		break;
	case CHANGE_ITEM_ROWS:
		return write_rows(task, thin, item, writer);
	case CHANGE_ITEM_FLAG:
		return write_flag(task, thin, item, lsn, writer);
	case CHANGE_ITEM_EXPUNGED:
		return write_expunged(thin, item, lsn, writer);
	case CHANGE_ITEM_BODY:
		/* The mailbox's last change is told in any case: it may be that a kept body, of a message that is not there, was moved. */
		if (lsn == node->changed_lsn || body_counts(thin, item, lsn))
			fits = change_put_body(writer, item->mailboxid, item->uid, item->body);
		break;
	case CHANGE_ITEM_FILE_GONE: /* if it is there again it is found to be empty again */
	case CHANGE_ITEM_NAME:
	case CHANGE_ITEM_GONE:
	case CHANGE_ITEM_SUBSCRIPTION:
	case CHANGE_ITEM_SUMS:
	case CHANGE_ITEM_DESTROYED:
	case CHANGE_ITEM_DELIVERY:
	case CHANGE_ITEM_EXPUNGED_AT:
	case CHANGE_ITEM_GONE_AT:
	case CHANGE_ITEM_KEPT: /* kept.h's */
	case CHANGE_ITEM_KEPT_KEYWORD:
	case CHANGE_ITEM_KEPT_NAME:
	case CHANGE_ITEM_BROUGHT_BACK:
		break;
	}
	return fits ? RP_OK : RP_ERR_LIMIT;
}

/* As much of what stands at the end as has room. True: all. */
static bool write_tail(struct thin *thin, bool last, struct change_writer *writer)
{
	const struct catalog *catalog = &thin->catalog;

	for (; thin->tail_name < catalog->count; thin->tail_name++) {
		const struct catalog_entry *entry = &catalog->by_name[thin->tail_name]->entry;

		if (entry->subscribed && !change_put_subscription(writer, entry->name, true))
			return false;
	}
	for (; thin->tail_delivery < catalog->delivered.count; thin->tail_delivery++)
		if (!change_put_delivery(
		        writer, delivered_at(&catalog->delivered, thin->tail_delivery)))
			return false;
	if (last && !thin->sums_told)
		thin->sums_told = change_put_sums(writer, &catalog->sums);
	return thin->sums_told;
}

enum rp_err thin_write(struct task *task, struct thin *thin, uint64_t lsn, struct bytes payload,
    struct change_writer *writer)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_open(payload, &reader);

	RP_ASSERT(lsn <= thin->last);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK)
		err = write_item(task, thin, &item, lsn, writer);
	if (err != RP_ERR_END)
		return err;
	if (lsn >= thin->tail && !write_tail(thin, lsn == thin->last, writer) && lsn == thin->last)
		return RP_ERR_LIMIT;
	return RP_OK;
}
