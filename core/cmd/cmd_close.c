/* CLOSE (RFC 3501, section 6.4.2): expunge what is \Deleted, silently; then unselect. UNSELECT (RFC 3691): only that.
 *
 * On NO the mailbox is still selected, its messages still there; of an EXPUNGE that is several changes, those behind the error.
 */
#include "core/cmd/commands.h"
#include "core/session/selected.h"

enum cmd_result cmd_close(struct task *task, struct cmd *cmd)
{
	struct selected *selected = cmd->session->selected;

	RP_ASSERT(selected != NULL);
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "CLOSE takes no arguments");
	if (!selected->read_only && !mailbox_is_gone(selected->mailbox)) {
		enum rp_err err = mailbox_expunge(task, selected->mailbox, NULL, NULL);

		if (err != RP_OK)
			return cmd_no(cmd, err);
	}
	selected_close(cmd->session);
	return cmd_ok(cmd);
}

enum cmd_result cmd_unselect(struct task *task, struct cmd *cmd)
{
	(void)task;
	RP_ASSERT(cmd->session->selected != NULL);
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "UNSELECT takes no arguments");
	selected_close(cmd->session);
	return cmd_ok(cmd);
}
