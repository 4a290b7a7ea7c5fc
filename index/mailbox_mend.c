/* A mailbox's table is replaced by a better one: after a checkpoint, or because its file turned out to be bad. */
#include "index/breath.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"
#include "io/base/log.h"

void mailbox_take_table(struct mailbox *mailbox, struct table *table)
{
	struct table *old = mailbox->table;

	table_succeed(table, old);
	mailbox->table = table;
	mailbox->volume->generation++;
	view_news_table(mailbox, old, table);
	table_free(old);
}

enum rp_err mailbox_swap(
    struct task *task, struct mailbox *mailbox, struct table *table, uint64_t lsn)
{
	enum rp_err err =
	    mailbox_catch_up(task, mailbox->volume, mailbox->mailboxid, table, lsn);

	if (err == RP_OK && (table_is_bad(table) || table_is_overfull(table)))
		err = RP_ERR_CORRUPT;
	if (err == RP_OK && mailbox->gone)
		err = RP_ERR_NOTFOUND;
	if (err == RP_OK)
		mailbox_take_table(mailbox, table);
	return err;
}

enum rp_err mailbox_mend(struct task *task, struct mailbox *mailbox)
{
	struct table *table;
	struct catalog_node *node = catalog_by_id(&mailbox->volume->catalog, mailbox->mailboxid);
	enum rp_err err;

	if (!table_is_bad(mailbox->table))
		return RP_OK;
	if (mailbox->gone || node == NULL)
		return RP_ERR_CORRUPT;
	LOG(loop_log(mailbox->volume->store->loop), LOG_WARN, "mailbox.mend",
	    LOG_STR("volume", mailbox->volume->dir), LOG_U64("mailboxid", mailbox->mailboxid));
	node->index_lsn = 0;
	err = mailbox_load(task, mailbox->volume, mailbox->mailboxid, &table);
	if (err != RP_OK)
		return err;
	if (!mailbox->gone && table_is_bad(mailbox->table))
		mailbox_take_table(mailbox, table);
	else
		table_free(table); /* somebody else was quicker */
	return table_is_bad(mailbox->table) ? RP_ERR_CORRUPT : RP_OK;
}

static bool is_bad(const struct mailbox *mailbox)
{
	return mailbox != NULL && !mailbox->gone && table_is_bad(mailbox->table);
}

enum rp_err mailbox_run_both(struct task *task, struct mailbox *mailbox, struct mailbox *other,
    const struct breath_plan *plan)
{
	enum rp_err err = breath_run(task, mailbox->volume, plan);

	/* Each may turn out to be bad, one after the other. */
	for (unsigned i = 0; i < 2 && err == RP_ERR_CORRUPT; i++) {
		if (!is_bad(mailbox) && !is_bad(other))
			break;
		err = mailbox_mend(task, is_bad(mailbox) ? mailbox : other);
		if (err == RP_OK)
			err = breath_run(task, mailbox->volume, plan);
	}
	return err;
}

enum rp_err mailbox_run(struct task *task, struct mailbox *mailbox, const struct breath_plan *plan)
{
	return mailbox_run_both(task, mailbox, NULL, plan);
}
