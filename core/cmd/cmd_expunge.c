/* EXPUNGE (RFC 3501, section 6.4.3), UID EXPUNGE (RFC 4315, section 2.1). The EXPUNGE responses are news like any other and come
 * with the tagged answer.
 */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/session/selected.h"

static enum cmd_result expunge(struct task *task, struct cmd *cmd, const struct runs *uids)
{
	struct selected *selected = cmd->session->selected;
	enum rp_err err;

	if (selected->read_only)
		return cmd_no_code(cmd, BYTES_LIT("READ-ONLY"), "The mailbox is open for reading only");
	view_own_expunges(selected->view, true);
	err = mailbox_expunge(task, selected->mailbox, uids, NULL);
	view_own_expunges(selected->view, false);
	return err == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, err);
}

enum cmd_result cmd_expunge(struct task *task, struct cmd *cmd)
{
	struct runs uids = RUNS_EMPTY;
	struct lex lex = lex_of(cmd->args);
	enum cmd_result result;
	enum rp_err err;

	if (!cmd->uid)
		return cmd->args.n == 0 ? expunge(task, cmd, NULL)
					: cmd_bad(cmd, "EXPUNGE takes no arguments");
	err = cmd_arg_messages(cmd, &lex, &uids);
	if (err == RP_OK && !lex_end(&lex))
		err = RP_ERR_SYNTAX;
	result = err == RP_OK ? expunge(task, cmd, &uids)
			      : cmd_arg_refuse_messages(cmd, err, "UID EXPUNGE takes a set of UIDs");
	runs_fini(&uids);
	return result;
}
