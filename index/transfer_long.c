/* A copy, or a move, of so many messages that others are let in before it is over. The renaming of INBOX is one, to a mailbox that
 * the first record makes; nobody has it open, so there is no table of it.
 *
 *   lock -> gather -> load the tables anew -> records, one after the other ----------> the last record: all of it is there
 *           (who)     (nobody sees them)      queued, applied to the new tables alone    in one breath with the tables' taking over
 *
 * It is one change, a group of records (change.h) whose last one makes it so, on the disk as in memory: till then neither the
 * catalog nor a mailbox shows any of it, and a crash or an error leaves nothing but parts that no reader counts. So that
 * the LSNs of a group are adjacent and what was gathered stays true nobody else changes this volume meanwhile; reading goes on,
 * and so do all other users.
 */
#include <stdlib.h>

#include "index/apply.h"
#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/mailbox_transfer.h"
#include "io/base/num.h"

enum {
	LONG_MESSAGES_MIN = 16384, /* as many as one breath copies in some three milliseconds */
	LONG_RUNS_MIN = 8192,      /* or expunges, if they are scattered */
	LONG_PART_MESSAGES = 2048,
	LONG_TRIES_MAX = 64, /* pages that others push out before they are used */
};
static_assert(2 * CHANGE_ITEM_BYTES_MAX + LONG_PART_MESSAGES * CHANGE_ROW_BYTES_MAX <=
                  CHANGE_PAYLOAD_BYTES_MAX - CHANGE_ROW_BYTES_MAX,
    "the rows of a part fit its record");

struct transfer_long {
	struct transfer *transfer;
	struct volume *volume;
	struct table *to;   /* as they will be; NULL: of a new mailbox */
	struct table *from; /* NULL: a copy, or both are one */
	uint8_t *payload;
	uint8_t *opening; /* payload of the record that makes the target; NULL: it is there */
	size_t opening_bytes;
	uint64_t opening_lsn;
	struct change_writer writer;
	uint32_t part; /* that is written next */
	uint64_t bytes;
	uint64_t lsn;      /* of the newest part */
	uint32_t to_uid;   /* what the next message becomes */
	unsigned keyword;  /* of the part's messages: those before it are told, */
	size_t keyword_at; /* and so many runs of this one */
};

static uint64_t messages_min(const struct store *store)
{
	return store->settings.transfer_messages_max != 0 ? store->settings.transfer_messages_max
	                                                  : LONG_MESSAGES_MIN;
}

enum rp_err transfer_measure(struct task *task, const struct transfer *transfer, bool *is_long)
{
	struct runs there = RUNS_EMPTY;
	enum rp_err err = transfer_gather(task, transfer->from, transfer->uids, true, &there);

	*is_long = err == RP_OK && (runs_total(&there) > messages_min(transfer->from->volume->store) ||
	                               there.count > LONG_RUNS_MIN);
	runs_fini(&there);
	return err;
}

bool transfer_is_many(const struct transfer *transfer)
{
	const struct mailbox *from = transfer->from;

	return mailbox_entry(from)->messages_count > messages_min(from->volume->store);
}

/* ---- the volume is ours ---- */

static enum rp_err begin(struct task *task, struct transfer_long *its)
{
	struct volume *volume = its->volume;
	enum rp_err err = compact_hold(task, volume); /* it must not move what is copied */

	while (err == RP_OK && (volume->changing || volume->checkpoint_turn))
		err = task_queue_wait(task, &volume->changed);
	if (err != RP_OK) {
		compact_let_go(volume);
		return err;
	}
	volume->changing = true;
	return RP_OK;
}

static void end(struct transfer_long *its)
{
	its->volume->changing = false;
	task_queue_wake_all(&its->volume->changed);
	compact_let_go(its->volume);
	checkpoint_count(its->volume, its->bytes); /* void parts too lie in the journal */
	table_free(its->to);
	table_free(its->from);
	free(its->payload);
	free(its->opening);
}

/* ---- a record ---- */

static enum change_type type_of(const struct transfer *transfer)
{
	if (transfer->opening != NULL)
		return CHANGE_RENAME;
	return transfer->moves ? CHANGE_MOVE : CHANGE_COPY;
}

static void queue(struct transfer_long *its, bool last)
{
	struct volume *volume = its->volume;
	struct bytes payload = change_finish(&its->writer, last);
	struct record_header header = {
	    .type = (uint16_t)type_of(its->transfer),
	    .userid = volume->userid,
	    .payload_bytes = (uint32_t)payload.n,
	};

	journal_number(volume->journal, record_journal_bytes(&header), &header.lsn, &header.place);
	volume->position = commit_append(
	    volume->store->commit, &volume->settle, header, payload, (struct bytes){0}, NULL);
	commit_unreserve(volume->store->commit, RECORD_BYTES_MAX - record_bytes(&header));
	its->bytes += record_bytes(&header);
	its->lsn = header.lsn;
	its->part++;
}

/* Room for one in the log, then an empty one. */
static enum rp_err reserve(struct task *task, struct transfer_long *its)
{
	if (its->bytes + RECORD_BYTES_MAX > CHANGE_LONG_BYTES_MAX)
		return RP_ERR_LIMIT;
	return commit_reserve(task, its->volume->store->commit, RECORD_BYTES_MAX);
}

static void unreserve(struct transfer_long *its)
{
	commit_unreserve(its->volume->store->commit, RECORD_BYTES_MAX);
}

static void write(struct transfer_long *its)
{
	change_begin(&its->writer, its->payload, CHANGE_PAYLOAD_BYTES_MAX, its->part);
}

static bool is_bad(const struct table *table)
{
	return table != NULL && table_is_bad(table);
}

/* What was queued last, in the tables that nobody sees yet. */
static enum rp_err carry_out(struct task *task, struct transfer_long *its)
{
	struct bytes payload = bytes_of(its->writer.p, its->writer.n);
	enum rp_err err = RP_OK;

	if (its->to != NULL)
		err = apply_to_table(task, its->to, its->transfer->toid, its->lsn, payload);
	if (err == RP_OK && its->from != NULL)
		err = apply_to_table(
		    task, its->from, its->transfer->from->mailboxid, its->lsn, payload);
	if (err == RP_OK && (is_bad(its->to) || is_bad(its->from)))
		err = RP_ERR_CORRUPT;
	return err == RP_OK ? task_pause(task) : err;
}

/* ---- rows ---- */

/* Their columns are there, and stay till the next suspension. */
static enum rp_err select_rows(
    struct task *task, struct transfer_long *its, const struct runs *uids, struct table_select *out)
{
	struct mailbox *from = its->transfer->from;
	enum rp_err err = RP_ERR_BUSY;

	for (unsigned i = 0; i < LONG_TRIES_MAX && err == RP_ERR_BUSY; i++) {
		err = table_prepare_rows(task, from->table, uids);
		if (err == RP_OK) {
			table_select_fini(out);
			err = table_select(from->table, uids, out);
		}
	}
	return err;
}

static bool put_rows(struct transfer_long *its, const struct table_select *select)
{
	struct table_select_walk walk = {0};
	struct table_row from;

	if (!change_rows_begin(&its->writer, its->transfer->toid, its->to_uid))
		return false;
	while (table_select_next(select, &walk, &from)) {
		struct change_row row = transfer_row(its->transfer, &from, its->writer.row.uid + 1);

		if (!change_rows_put(&its->writer, &row))
			return false;
	}
	change_rows_end(&its->writer);
	return true;
}

/* As many keywords as there is room for. RP_ERR_LIMIT: the target would have more than it may. */
static enum rp_err put_keywords(struct transfer_long *its, const struct table_select *select)
{
	const struct table *from = its->transfer->from->table;
	struct table_naming naming;
	bool room = true;

	if (its->to != NULL)
		table_naming_begin(&naming, its->to);
	while (room && its->keyword < table_keywords_count(from)) {
		struct bytes name = table_keyword_name(from, its->keyword);
		struct runs uids = RUNS_EMPTY;
		enum rp_err err = table_select_flag(
		    select, CHANGE_FLAG_KEYWORD + its->keyword, its->to_uid, &uids);

		if (err == RP_OK && its->to != NULL && uids.count > 0) {
			table_naming_add(&naming, name);
			err = table_naming_fits(&naming) ? RP_OK : RP_ERR_LIMIT;
		}
		if (err == RP_OK)
			room = change_put_flag(&its->writer, its->transfer->toid,
			    CHANGE_FLAG_KEYWORD, name, true, &uids, &its->keyword_at);
		runs_fini(&uids);
		if (err != RP_OK)
			return err;
		if (!room)
			break;
		its->keyword++;
		its->keyword_at = 0;
	}
	return RP_OK;
}

/* One record of these messages: all rows, then keywords as far as they fit; or more of the keywords. */
static enum rp_err put_record(
    struct task *task, struct transfer_long *its, const struct runs *uids, bool rows)
{
	struct table_select select = TABLE_SELECT_EMPTY;
	struct table_counts sum;
	enum rp_err err = reserve(task, its);

	if (err != RP_OK)
		return err;
	err = select_rows(task, its, uids, &select);
	if (err == RP_OK) {
		write(its);
		if (rows) {
			bool fits = put_rows(its, &select);

			RP_ASSERT(fits);
			table_select_counts(&select, &sum);
			transfer_add(&its->transfer->sum, &sum);
		}
		err = put_keywords(its, &select);
	}
	/* All pages were met, and nothing is on its way yet: what is lost now must not be kept as zeroes. */
	if (err == RP_OK && table_is_bad(its->transfer->from->table))
		err = RP_ERR_CORRUPT;
	table_select_fini(&select);
	if (err != RP_OK) {
		unreserve(its);
		return err;
	}
	queue(its, false);
	return carry_out(task, its);
}

static enum rp_err put_part(struct task *task, struct transfer_long *its, const struct runs *uids)
{
	enum rp_err err;

	its->keyword = 0;
	its->keyword_at = 0;
	err = put_record(task, its, uids, true);
	while (err == RP_OK && its->keyword < table_keywords_count(its->transfer->from->table))
		err = put_record(task, its, uids, false);
	its->to_uid += (uint32_t)runs_total(uids);
	return err;
}

/* All that were taken, a part after the other. */
static enum rp_err put_all(struct task *task, struct transfer_long *its)
{
	const struct runs *taken = &its->transfer->taken;
	uint64_t part = num_min(messages_min(its->volume->store), LONG_PART_MESSAGES);
	struct runs uids = RUNS_EMPTY;
	uint64_t room = part;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < taken->count; i++) {
		uint64_t first = taken->run[i].first;

		while (err == RP_OK && first <= taken->run[i].last) {
			uint64_t last = num_min(first + room - 1, taken->run[i].last);

			err = runs_add(&uids, (uint32_t)first, (uint32_t)last);
			room -= last - first + 1;
			first = last + 1;
			if (err != RP_OK || room > 0)
				continue;
			err = put_part(task, its, &uids);
			uids.count = 0;
			room = part;
		}
	}
	if (err == RP_OK && uids.count > 0)
		err = put_part(task, its, &uids);
	runs_fini(&uids);
	return err;
}

/* They leave where they were. */
static enum rp_err put_expunged(struct task *task, struct transfer_long *its)
{
	const struct transfer *transfer = its->transfer;
	size_t at = 0;
	bool all = !transfer->moves || transfer->taken.count == 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && !all) {
		err = reserve(task, its);
		if (err != RP_OK)
			return err;
		write(its);
		all = change_put_expunged(
		    &its->writer, transfer->from->mailboxid, 0, &transfer->taken, &at);
		queue(its, false);
		err = carry_out(task, its);
	}
	return err;
}

/* The target, in a record of its own. It is read back from there when all of it is so. */
static enum rp_err put_opening(struct task *task, struct transfer_long *its)
{
	const struct transfer_opening *opening = its->transfer->opening;
	struct breath breath = {.volume = its->volume, .measuring = true};
	enum rp_err err = reserve(task, its);

	if (err != RP_OK)
		return err;
	change_begin(&breath.writer, its->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
	err = opening->write(&breath, opening->arg);
	if (err == RP_OK && breath.part != 0)
		err = RP_ERR_LIMIT; /* hundreds of parents, none of which is there */
	its->opening = err == RP_OK ? malloc(breath.writer.n) : NULL;
	if (err == RP_OK && its->opening == NULL)
		err = RP_ERR_NOMEM;
	if (err != RP_OK) {
		unreserve(its);
		return err;
	}
	its->writer = breath.writer;
	queue(its, false);
	its->opening_lsn = its->lsn;
	its->opening_bytes = its->writer.n;
	memcpy(its->opening, its->writer.p, its->writer.n);
	return task_pause(task);
}

/* ---- it is so ---- */

static void take_tables(struct transfer_long *its)
{
	struct transfer *transfer = its->transfer;

	if (transfer->moves && transfer->taken.count > 0)
		view_news_expunge_these(transfer->from, &transfer->taken);
	if (its->to != NULL)
		mailbox_take_table(transfer->to, its->to);
	its->to = NULL;
	if (its->from != NULL)
		mailbox_take_table(transfer->from, its->from);
	its->from = NULL;
}

static enum rp_err finish(struct task *task, struct transfer_long *its)
{
	struct volume *volume = its->volume;
	struct change_sums sums = volume->catalog.sums;
	bool fits;
	enum rp_err err = reserve(task, its);

	if (err != RP_OK)
		return err;
	if (is_bad(its->to) || is_bad(its->from))
		err = RP_ERR_CORRUPT;
	else if (its->opening != NULL)
		err = its->transfer->opening->prepare(its->transfer->opening->arg);
	if (err != RP_OK) {
		unreserve(its);
		return err;
	}
	write(its);
	/* What was to move may be gone by now: then there is a new mailbox, and that is all. */
	fits = its->transfer->taken.count == 0 || transfer_put_counters(&its->writer, its->transfer);
	if (!its->transfer->moves) {
		sums.messages_count += its->transfer->sum.messages;
		sums.bytes += its->transfer->sum.bytes;
		fits = fits && change_put_sums(&its->writer, &sums);
	}
	RP_ASSERT(fits);
	queue(its, true);
	take_tables(its);
	if (its->opening != NULL)
		apply_change(volume, its->opening_lsn, bytes_of(its->opening, its->opening_bytes));
	apply_change(volume, its->lsn, bytes_of(its->writer.p, its->writer.n));
	if (its->transfer->to != NULL)
		view_news_append(its->transfer->to);
	return RP_OK;
}

/* Tables of their own, as the mailboxes are now. */
static enum rp_err load(struct task *task, struct transfer_long *its)
{
	struct transfer *transfer = its->transfer;
	enum rp_err err = RP_OK;

	if (transfer->to != NULL)
		err = mailbox_load(task, its->volume, transfer->toid, &its->to);
	if (err == RP_OK && transfer->moves && transfer->from != transfer->to)
		err = mailbox_load(task, its->volume, transfer->from->mailboxid, &its->from);
	its->payload = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	return err == RP_OK && its->payload == NULL ? RP_ERR_NOMEM : err;
}

/* With the volume to ourselves. */
static enum rp_err run(struct task *task, struct transfer_long *its)
{
	struct transfer *transfer = its->transfer;
	uint64_t count;
	enum rp_err err;

	if (transfer->to != NULL && transfer->to->gone)
		return RP_ERR_NOTFOUND;
	transfer->sum = (struct table_counts){0};
	transfer->first_uid = transfer->to != NULL ? mailbox_entry(transfer->to)->uidnext : 1;
	its->to_uid = transfer->first_uid;
	runs_fini(&transfer->taken);
	err = transfer_gather(task, transfer->from, transfer->uids, true, &transfer->taken);
	if (err != RP_OK || (transfer->taken.count == 0 && transfer->opening == NULL))
		return err;
	count = runs_total(&transfer->taken);
	if (count > UINT32_MAX - transfer->first_uid)
		return RP_ERR_LIMIT;
	err = load(task, its);
	if (err == RP_OK && transfer->opening != NULL)
		err = put_opening(task, its);
	if (err == RP_OK)
		err = put_all(task, its);
	if (err == RP_OK)
		err = put_expunged(task, its);
	return err == RP_OK ? finish(task, its) : err;
}

/* What was read anew may be what is bad: it is not read again. */
static void forget_bad(struct transfer_long *its)
{
	struct catalog *catalog = &its->volume->catalog;
	const struct table *table[] = {its->to, its->from};
	uint64_t mailboxid[] = {its->transfer->toid, its->transfer->from->mailboxid};

	for (unsigned i = 0; i < 2; i++) {
		struct catalog_node *node = catalog_by_id(catalog, mailboxid[i]);

		if (is_bad(table[i]) && node != NULL)
			node->index_lsn = 0;
	}
}

static enum rp_err try_once(struct task *task, struct transfer *transfer)
{
	struct transfer_long its = {.transfer = transfer, .volume = transfer->from->volume};
	enum commit_room room = commit_room(its.volume->store->commit);
	enum rp_err err;

	if (transfer->moves ? room == COMMIT_ROOM_SCARCE : room != COMMIT_ROOM_ENOUGH)
		return RP_ERR_NOSPACE;
	err = begin(task, &its);
	if (err != RP_OK)
		return err;
	err = run(task, &its);
	if (err == RP_ERR_CORRUPT)
		forget_bad(&its);
	end(&its);
	return err;
}

enum rp_err transfer_long(struct task *task, struct transfer *transfer)
{
	enum rp_err err = try_once(task, transfer);

	/* Each of four tables may turn out to be bad, one after the other. */
	for (unsigned i = 0; i < 4 && err == RP_ERR_CORRUPT; i++) {
		err = mailbox_mend(task, transfer->from);
		if (err == RP_OK && transfer->to != NULL)
			err = mailbox_mend(task, transfer->to);
		if (err == RP_OK)
			err = try_once(task, transfer);
	}
	return err;
}
