/* mailbox_expunge() of mailbox.h, and what a move shares with it. */
#include "index/mailbox_transfer.h"

#include "io/base/num.h"

enum {
	/* Runs of UIDs that go in one change: two milliseconds. Each is a record's bytes and a line of the history, and of each
	 * second message of a million there are half a million. */
	EXPUNGE_RUNS_MAX = 8192,
	GATHER_UIDS = 65536, /* looked at before others are let in */
};

struct expunging {
	struct mailbox *mailbox;
	const struct runs *uids; /* NULL: all; where it takes several changes: those of one */
	bool any;                /* \Deleted or not, and not kept: their bodies are lost */
	struct runs expunged;
};

enum rp_err transfer_choose(
    struct mailbox *mailbox, const struct runs *uids, bool any, struct runs *out)
{
	if (any)
		return table_having(NULL, mailbox->table, uids, out);
	return table_having_flag(NULL, mailbox->table, uids, TRANSFER_FLAG_DELETED, true, out);
}

enum rp_err transfer_gather(
    struct task *task, struct mailbox *mailbox, const struct runs *uids, bool any, struct runs *out)
{
	struct run all = {1, UINT32_MAX};
	struct runs from = {.run = &all, .count = 1, .count_max = 1};
	enum rp_err err = mailbox->gone ? RP_ERR_NOTFOUND : RP_OK;

	if (uids != NULL)
		from = *uids;
	for (size_t i = 0; err == RP_OK && i < from.count; i++) {
		uint64_t first = from.run[i].first;

		while (err == RP_OK && first <= from.run[i].last &&
		       first <= table_last_uid(mailbox->table)) {
			uint64_t last = num_min(first + GATHER_UIDS - 1, from.run[i].last);
			struct run run = {(uint32_t)first, (uint32_t)last};

			err = transfer_choose(mailbox,
			    &(struct runs){.run = &run, .count = 1, .count_max = 1}, any, out);
			if (err == RP_OK)
				err = task_pause(task);
			first = last + 1;
		}
	}
	return err;
}

void transfer_out(struct change_counters *counters, const struct table_counts *sum)
{
	counters->messages_count -= sum->messages;
	counters->unseen_count -= sum->unseen;
	counters->deleted_count -= sum->deleted;
	counters->bytes -= num_min(counters->bytes, sum->bytes);
}

void transfer_in(struct change_counters *counters, const struct table_counts *sum)
{
	counters->messages_count += sum->messages;
	counters->unseen_count += sum->unseen;
	counters->deleted_count += sum->deleted;
	counters->bytes += sum->bytes;
}

void transfer_add(struct table_counts *sum, const struct table_counts *more)
{
	sum->messages += more->messages;
	sum->unseen += more->unseen;
	sum->deleted += more->deleted;
	sum->bytes += more->bytes;
}

static enum rp_err sum_up(struct table *table, const struct runs *uids, struct table_counts *sum)
{
	struct table_select select;
	enum rp_err err = table_select(table, uids, &select);

	if (err == RP_OK)
		table_select_counts(&select, sum);
	table_select_fini(&select);
	return err;
}

/* What goes in this change. It was few enough when it was gathered; of what has come since the rest stays. */
static enum rp_err choose(const struct expunging *expunging, struct runs *out)
{
	enum rp_err err = transfer_choose(expunging->mailbox, expunging->uids, expunging->any, out);

	out->count = num_min(out->count, EXPUNGE_RUNS_MAX);
	return err;
}

static enum rp_err expunge_prepare(struct task *task, void *arg)
{
	struct expunging *expunging = arg;
	struct mailbox *mailbox = expunging->mailbox;
	struct runs deleted = RUNS_EMPTY;
	enum rp_err err;

	if (mailbox->gone)
		return RP_ERR_NOTFOUND;
	err = choose(expunging, &deleted);
	if (err == RP_OK && deleted.count != 0) {
		err = table_prepare_rows(task, mailbox->table, &deleted);
		if (err == RP_OK)
			err = table_prepare_expunge(task, mailbox->table, &deleted);
		if (err == RP_OK)
			err = table_prepare_rows(NULL, mailbox->table, &deleted);
	}
	runs_fini(&deleted);
	return err;
}

static enum rp_err expunge_write(struct breath *breath, void *arg)
{
	struct expunging *expunging = arg;
	struct mailbox *mailbox = expunging->mailbox;
	struct change_counters counters = mailbox_counters(mailbox);
	struct change_sums sums = breath->volume->catalog.sums;
	struct table_counts sum;
	size_t at = 0;
	enum rp_err err;

	runs_fini(&expunging->expunged);
	err = choose(expunging, &expunging->expunged);
	if (err == RP_OK)
		err = sum_up(mailbox->table, &expunging->expunged, &sum);
	if (err != RP_OK || expunging->expunged.count == 0)
		return err;
	transfer_out(&counters, &sum);
	sums.messages_count -= num_min(sums.messages_count, sum.messages);
	sums.bytes -= num_min(sums.bytes, sum.bytes);
	BREATH_PUT(breath,
	    change_put_expunged(&breath->writer, mailbox->mailboxid,
	        expunging->any ? 0 : keep_stamp(breath->volume->store), &expunging->expunged, &at));
	BREATH_PUT(breath, change_put_counters(&breath->writer, mailbox->mailboxid, &counters));
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

/* Can all go in one change? Then it takes what is there when it is made: who asked may have waited for another's long change, and
 * have been told of it. */
static bool is_short(const struct runs *uids, const struct runs *there)
{
	return there->count <= EXPUNGE_RUNS_MAX &&
	       (uids == NULL || uids->count <= EXPUNGE_RUNS_MAX);
}

/* One change after the other, each a breath. */
static enum rp_err expunge(struct task *task, struct expunging *expunging, struct runs *expunged)
{
	struct breath_plan plan = {.type = CHANGE_EXPUNGE,
	    .prepare = expunge_prepare,
	    .write = expunge_write,
	    .arg = expunging};
	const struct runs *uids = expunging->uids;
	struct runs there = RUNS_EMPTY;
	enum rp_err err =
	    transfer_gather(task, expunging->mailbox, expunging->uids, expunging->any, &there);

	for (size_t at = 0; err == RP_OK && at < there.count; at += EXPUNGE_RUNS_MAX) {
		size_t n = num_min(there.count - at, EXPUNGE_RUNS_MAX);
		struct runs some = {.run = there.run + at, .count = n, .count_max = n};

		if (!is_short(uids, &there))
			expunging->uids = &some;
		err = mailbox_run(task, expunging->mailbox, &plan);
		if (err == RP_OK && expunged != NULL)
			err = mailbox_give_runs(expunged, &expunging->expunged);
		if (err == RP_OK && at + n < there.count)
			err = task_pause(task);
	}
	runs_fini(&expunging->expunged);
	runs_fini(&there);
	return err;
}

enum rp_err mailbox_expunge(
    struct task *task, struct mailbox *mailbox, const struct runs *uids, struct runs *expunged)
{
	struct expunging expunging = {.mailbox = mailbox, .uids = uids};

	return expunge(task, &expunging, expunged);
}

enum rp_err mailbox_take_out(struct task *task, struct mailbox *mailbox, const struct runs *uids)
{
	struct expunging expunging = {.mailbox = mailbox, .uids = uids, .any = true};

	return expunge(task, &expunging, NULL);
}
