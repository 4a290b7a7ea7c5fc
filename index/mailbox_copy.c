/* mailbox_copy() and mailbox_move() of mailbox.h: rows are copied, bodies shared. */
#include <stdlib.h>

#include "index/compact.h"
#include "index/mailbox_transfer.h"
#include "io/base/clock.h"

/* How many keywords go along, at most. */
static size_t keywords_of(const struct transfer *transfer)
{
	return table_keywords_count(transfer->from->table);
}

enum rp_err transfer_prepare(struct task *task, struct transfer *transfer)
{
	struct mailbox *from = transfer->from;
	struct mailbox *to = transfer->to;
	struct runs there = RUNS_EMPTY;
	enum rp_err err;

	if (from->gone || (to != NULL && to->gone))
		return RP_ERR_NOTFOUND;
	err = table_having(NULL, from->table, transfer->uids, &there);
	if (err == RP_OK && there.count != 0)
		err = table_prepare_rows(task, from->table, &there);
	if (err == RP_OK && there.count != 0 && transfer->moves)
		err = table_prepare_expunge(task, from->table, &there);
	if (err == RP_OK && there.count != 0 && to != NULL && !to->gone) {
		uint32_t uidnext = mailbox_entry(to)->uidnext;
		uint64_t count = runs_total(&there);
		struct table_room room = { .first_uid = uidnext,
			.last_uid = uidnext + (uint32_t)count - 1,
			.rows = count,
			.flags_on = CHANGE_FLAG_KEYWORD + keywords_of(transfer),
			.new_keywords = keywords_of(transfer) };

		err = count > UINT32_MAX - uidnext ? RP_ERR_LIMIT :
						     table_prepare_append(task, to->table, &room);
	}
	if (err == RP_OK && there.count != 0)
		err = table_prepare_rows(NULL, from->table, &there);
	runs_fini(&there);
	return err;
}

static void drop_keywords(struct transfer *transfer)
{
	for (size_t i = 0; i < transfer->keywords_count; i++)
		runs_fini(&transfer->keywords[i].uids);
	free(transfer->keywords);
	transfer->keywords = NULL;
	transfer->keywords_count = 0;
}

static enum rp_err look_at_keyword(struct transfer *transfer, unsigned k)
{
	struct table *from = transfer->from->table;
	struct transfer_keyword *keyword = &transfer->keywords[transfer->keywords_count];
	enum rp_err err;

	*keyword = (struct transfer_keyword){ 0 };
	err = table_select_flag(
	    &transfer->select, CHANGE_FLAG_KEYWORD + k, transfer->first_uid, &keyword->uids);
	if (err == RP_OK && keyword->uids.count == 0)
		return RP_OK;
	transfer->keywords_count++; /* to be dropped, whatever follows */
	if (err != RP_OK)
		return err;
	keyword->name =
	    arena_copy(&transfer->from->volume->store->arena, table_keyword_name(from, k));
	return keyword->name.p == NULL ? RP_ERR_NOMEM : RP_OK;
}

/* Which keywords go along. RP_ERR_LIMIT: the target would have more than it may. */
static enum rp_err look_at_keywords(struct transfer *transfer)
{
	unsigned count = table_keywords_count(transfer->from->table);
	struct table_naming naming;
	enum rp_err err = RP_OK;

	drop_keywords(transfer);
	transfer->keywords = calloc(count + 1, sizeof(*transfer->keywords));
	if (transfer->keywords == NULL)
		return RP_ERR_NOMEM;
	for (unsigned k = 0; k < count && err == RP_OK; k++)
		err = look_at_keyword(transfer, k);
	if (err != RP_OK || transfer->to == NULL)
		return err;
	table_naming_begin(&naming, transfer->to->table);
	for (size_t i = 0; i < transfer->keywords_count; i++)
		table_naming_add(&naming, transfer->keywords[i].name);
	return table_naming_fits(&naming) ? RP_OK : RP_ERR_LIMIT;
}

enum rp_err transfer_look(struct transfer *transfer)
{
	struct table *from = transfer->from->table;
	enum rp_err err;

	runs_fini(&transfer->taken);
	table_select_fini(&transfer->select);
	err = table_having(NULL, from, transfer->uids, &transfer->taken);
	if (err == RP_OK)
		err = table_select(from, transfer->uids, &transfer->select);
	if (err != RP_OK)
		return err;
	table_select_counts(&transfer->select, &transfer->sum);
	transfer->first_uid = transfer->to != NULL ? mailbox_entry(transfer->to)->uidnext : 1;
	if (transfer->sum.messages > UINT32_MAX - transfer->first_uid)
		return RP_ERR_LIMIT;
	return look_at_keywords(transfer);
}

void transfer_fini(struct transfer *transfer)
{
	runs_fini(&transfer->taken);
	table_select_fini(&transfer->select);
	drop_keywords(transfer);
}

struct change_row transfer_row(
    const struct transfer *transfer, const struct table_row *row, uint32_t to_uid)
{
	return (struct change_row){
	    .uid = to_uid,
	    .flags = row->flags,
	    .internaldate = row->internaldate,
	    .sent = row->sent,
	    .rfc822_size_bytes = row->rfc822_size_bytes,
	    .savedate_s = transfer->savedate_s,
	    .body = row->body,
	    .emailid = row->emailid,
	    .threadid = row->threadid,
	};
}

static void write_rows(struct breath *breath, const struct transfer *transfer)
{
	struct table_select_walk walk = {0};
	uint32_t to_uid = transfer->first_uid;
	struct table_row from;

	BREATH_PUT(breath, change_rows_begin(&breath->writer, transfer->toid, to_uid));
	while (table_select_next(&transfer->select, &walk, &from)) {
		struct change_row row = transfer_row(transfer, &from, to_uid++);

		while (!change_rows_put(&breath->writer, &row)) {
			change_rows_end(&breath->writer);
			breath_next(breath);
			BREATH_PUT(
			    breath, change_rows_begin(&breath->writer, transfer->toid, row.uid));
		}
	}
	change_rows_end(&breath->writer);
	/* transfer_look() has met every page. Nothing of this is on its way to the disk yet: a file that is cut short in
	 * this very breath must not make zeroes of what is kept for good. */
	RP_ASSERT(!table_is_bad(transfer->from->table));
}

bool transfer_put_counters(struct change_writer *writer, const struct transfer *transfer)
{
	struct change_counters out = mailbox_counters(transfer->from);
	struct change_counters in = { .uidnext = 1 };
	bool same = transfer->to == transfer->from;
	size_t before = writer->n;

	if (transfer->to != NULL)
		in = mailbox_counters(transfer->to);
	transfer_in(&in, &transfer->sum);
	in.uidnext = transfer->first_uid + transfer->sum.messages;
	if (transfer->moves)
		transfer_out(same ? &in : &out, &transfer->sum);
	if (transfer->moves && !same &&
	    !change_put_counters(writer, transfer->from->mailboxid, &out))
		return false;
	if (change_put_counters(writer, transfer->toid, &in))
		return true;
	writer->n = before; /* both, or none */
	return false;
}

void transfer_write(struct breath *breath, struct transfer *transfer)
{
	size_t at = 0;

	if (transfer->sum.messages == 0)
		return;
	write_rows(breath, transfer);
	for (size_t i = 0; i < transfer->keywords_count; i++) {
		const struct transfer_keyword *keyword = &transfer->keywords[i];
		size_t run = 0;

		BREATH_PUT(breath, change_put_flag(&breath->writer, transfer->toid,
				       CHANGE_FLAG_KEYWORD, keyword->name, true, &keyword->uids,
				       &run));
	}
	if (transfer->moves)
		BREATH_PUT(breath, change_put_expunged(&breath->writer,
				       transfer->from->mailboxid, 0, &transfer->taken, &at));
	BREATH_PUT(breath, transfer_put_counters(&breath->writer, transfer));
}

static enum rp_err prepare(struct task *task, void *arg)
{
	return transfer_prepare(task, arg);
}

static enum rp_err write(struct breath *breath, void *arg)
{
	struct transfer *transfer = arg;
	struct change_sums sums = breath->volume->catalog.sums;
	enum rp_err err = transfer_look(transfer);

	if (err != RP_OK || transfer->sum.messages == 0)
		return err;
	transfer_write(breath, transfer);
	if (transfer->moves)
		return RP_OK;
	sums.messages_count += transfer->sum.messages;
	sums.bytes += transfer->sum.bytes;
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

/* In one breath, or in several. */
static enum rp_err change(struct task *task, struct transfer *transfer)
{
	struct breath_plan plan = { .type = transfer->moves ? CHANGE_MOVE : CHANGE_COPY,
		.prepare = prepare,
		.write = write,
		.arg = transfer,
		.room = transfer->moves ? BREATH_ROOM_SOME : BREATH_ROOM_MORE };
	bool is_long;
	enum rp_err err = transfer_measure(task, transfer, &is_long);

	if (err != RP_OK)
		return err;
	return is_long ? transfer_long(task, transfer)
		       : mailbox_run_both(task, transfer->from, transfer->to, &plan);
}

static enum rp_err run(struct task *task, struct transfer *transfer, struct runs *taken,
    uint32_t *first_uid)
{
	enum rp_err err;

	RP_ASSERT(transfer->from->volume == transfer->to->volume);
	transfer->toid = transfer->to->mailboxid;
	transfer->savedate_s = (uint32_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S);
	err = change(task, transfer);
	if (err == RP_OK && !transfer->moves)
		compact_note_copied(transfer->to->volume, transfer->sum.bytes);
	if (err == RP_OK) {
		*first_uid = transfer->first_uid;
		err = mailbox_give_runs(taken, &transfer->taken);
	}
	transfer_fini(transfer);
	return err;
}

enum rp_err mailbox_copy(struct task *task, struct mailbox *from, const struct runs *uids,
    struct mailbox *to, struct runs *copied, uint32_t *first_uid)
{
	struct transfer transfer = { .from = from, .uids = uids, .to = to };

	return run(task, &transfer, copied, first_uid);
}

enum rp_err mailbox_move(struct task *task, struct mailbox *from, const struct runs *uids,
    struct mailbox *to, struct runs *moved, uint32_t *first_uid)
{
	struct transfer transfer = { .from = from, .uids = uids, .to = to, .moves = true };

	return run(task, &transfer, moved, first_uid);
}
