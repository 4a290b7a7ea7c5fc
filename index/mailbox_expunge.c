/* mailbox_expunge() of mailbox.h, and what a move shares with it. */
#include "index/mailbox_transfer.h"

#include "io/base/num.h"

struct expunging {
	struct mailbox *mailbox;
	const struct runs *uids; /* NULL: all */
	bool any;                /* \Deleted or not */
	struct runs expunged;
};

static enum rp_err choose(const struct expunging *expunging, struct runs *out)
{
	struct table *table = expunging->mailbox->table;

	if (expunging->any)
		return table_having(NULL, table, expunging->uids, out);
	return table_having_flag(
	    NULL, table, expunging->uids, TRANSFER_FLAG_DELETED, true, out);
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

static enum rp_err sum_up(struct table *table, const struct runs *uids, struct table_counts *sum)
{
	struct table_select select;
	enum rp_err err = table_select(table, uids, &select);

	if (err == RP_OK)
		table_select_counts(&select, sum);
	table_select_fini(&select);
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
	BREATH_PUT(breath, change_put_expunged(&breath->writer, mailbox->mailboxid,
			       keep_stamp(breath->volume->store), &expunging->expunged, &at));
	BREATH_PUT(
	    breath, change_put_counters(&breath->writer, mailbox->mailboxid, &counters));
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

enum rp_err mailbox_expunge(
    struct task *task, struct mailbox *mailbox, const struct runs *uids, struct runs *expunged)
{
	struct expunging expunging = { .mailbox = mailbox, .uids = uids };
	struct breath_plan plan = { .type = CHANGE_EXPUNGE,
		.prepare = expunge_prepare,
		.write = expunge_write,
		.arg = &expunging };
	enum rp_err err = mailbox_run(task, mailbox, &plan);

	if (err == RP_OK && expunged != NULL)
		err = mailbox_give_runs(expunged, &expunging.expunged);
	runs_fini(&expunging.expunged);
	return err;
}

enum rp_err mailbox_take_out(
    struct task *task, struct mailbox *mailbox, const struct runs *uids)
{
	struct expunging expunging = { .mailbox = mailbox, .uids = uids, .any = true };
	struct breath_plan plan = { .type = CHANGE_EXPUNGE,
		.prepare = expunge_prepare,
		.write = expunge_write,
		.arg = &expunging };
	enum rp_err err = mailbox_run(task, mailbox, &plan);

	runs_fini(&expunging.expunged);
	return err;
}
