#include "core/cmd/condstore.h"

#include "core/session/selected.h"

void condstore_tell(struct resp *resp, const struct mailbox *mailbox)
{
	resp_status_begin(resp, bytes_of(NULL, 0), RESP_OK);
	resp_lit(resp, "[HIGHESTMODSEQ ");
	resp_u64(resp, mailbox_entry(mailbox)->highestmodseq);
	resp_lit(resp, "] ");
	resp_status_end(resp, "Highest");
}

void condstore_enable(struct cmd *cmd)
{
	struct session *session = cmd->session;

	if (condstore_is_on(session))
		return;
	session->enabled |= SESSION_CONDSTORE;
	if (session->selected != NULL)
		condstore_tell(cmd_resp(cmd), session->selected->mailbox);
}
