/* A view between commands: its mailbox may give its memory up. */
#include "index/store_state.h"
#include "index/table_state.h"
#include "index/view_state.h"
#include "index/volume_state.h"

void view_rest(struct view *view)
{
	struct mailbox *mailbox = view->mailbox;

	if (view->resting)
		return;
	view->resting = true;
	mailbox->resting++;
	mailbox_note_rest(mailbox);
	store_trim(mailbox->volume->store);
}

enum rp_err view_wake(struct task *task, struct view *view)
{
	struct mailbox *mailbox = view->mailbox;
	enum rp_err err = RP_OK;

	if (!view->resting)
		return RP_OK;
	view->resting = false; /* from now on it keeps its table */
	mailbox->resting--;
	mailbox_note_rest(mailbox);
	while (mailbox->table == NULL && err == RP_OK) {
		err = mailbox_wait_loaded(task, mailbox);
		if (err != RP_ERR_NOTFOUND || !mailbox->gone || mailbox->table != NULL)
			continue;
		err = table_new(mailbox->volume->store->loop, mailbox->mailboxid, &mailbox->table);
		mailbox->lost = err == RP_OK;
	}
	if (err != RP_OK) {
		view_rest(view);
		return err;
	}
	if (mailbox->lost)
		view_overrun(view);
	return RP_OK;
}
