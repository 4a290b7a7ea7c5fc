/* COPY (RFC 3501, section 6.4.7) and MOVE (RFC 6851), with COPYUID (RFC 4315).
 *
 * Both are one change: all messages or none, and a MOVE is never half done. What is not there any more is passed over in a MOVE
 * and by UID; a COPY by sequence number that names a message gone meanwhile is refused whole.
 */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/session/selected.h"

enum { COPY_RUNS_MAX = 100000 }; /* in a COPYUID answer: 2 MiB of text */

/* "COPYUID v a b"; .n == 0: nothing was copied. */
static enum rp_err copyuid(struct cmd *cmd, uint32_t uidvalidity, const struct runs *copied,
    uint32_t first_uid, struct bytes *code)
{
	uint64_t total = runs_total(copied);
	struct run run = { first_uid, (uint32_t)(first_uid + total - 1) };
	struct runs became = { &run, 1, 1 };
	struct bytes from;
	struct bytes to;

	*code = bytes_of(NULL, 0);
	if (total == 0 || copied->count > COPY_RUNS_MAX)
		return RP_OK;
	from = cmd_arg_runs_text(cmd->arena, copied);
	to = cmd_arg_runs_text(cmd->arena, &became);
	if (from.p == NULL || to.p == NULL)
		return RP_ERR_NOMEM;
	*code = arena_printf(
	    cmd->arena, "COPYUID %u %.*s %.*s", uidvalidity, BYTES_FMT(from), BYTES_FMT(to));
	return code->p != NULL ? RP_OK : RP_ERR_NOMEM;
}

static void tell_untagged(struct cmd *cmd, struct bytes code)
{
	struct resp *resp = cmd_resp(cmd);

	resp_status_begin(resp, bytes_of(NULL, 0), RESP_OK);
	resp_byte(resp, '[');
	resp_put(resp, code);
	resp_lit(resp, "] ");
	resp_status_end(resp, "Moved");
}

static enum cmd_result transfer(
    struct task *task, struct cmd *cmd, const struct runs *uids, struct mailbox *to, bool move)
{
	struct mailbox *from = cmd->session->selected->mailbox;
	struct view *view = cmd->session->selected->view;
	struct runs done = RUNS_EMPTY;
	struct bytes code = { 0 };
	uint32_t first_uid = 0;
	enum rp_err err;

	view_own_expunges(view, move);
	err = move ? mailbox_move(task, from, uids, to, &done, &first_uid)
		   : mailbox_copy(task, from, uids, to, &done, &first_uid);
	view_own_expunges(view, false);
	if (err == RP_OK) /* without room for the code it is left out: the change has been made */
		(void)!copyuid(cmd, mailbox_entry(to)->uidvalidity, &done, first_uid, &code);
	runs_fini(&done);
	if (err == RP_ERR_NOTFOUND && !mailbox_is_gone(from))
		return cmd_no_code(cmd, BYTES_LIT("TRYCREATE"), "No such mailbox");
	if (err != RP_OK)
		return cmd_no(cmd, err);
	if (move && code.n > 0) {
		tell_untagged(cmd, code);
		code.n = 0;
	}
	return cmd_ok_code(cmd, code, NULL);
}

static enum cmd_result copy_or_move(struct task *task, struct cmd *cmd, bool move)
{
	struct lex lex = lex_of(cmd->args);
	struct runs uids = RUNS_EMPTY;
	struct mailbox *to = NULL;
	struct bytes name;
	enum cmd_result result;
	enum rp_err err;

	err = cmd_arg_messages(cmd, &lex, &uids);
	if (err != RP_OK) {
		result = cmd_arg_refuse_messages(cmd, err, "Expected a set of messages and a mailbox");
		goto out;
	}
	err = lex_sp(&lex);
	if (err == RP_OK)
		err = cmd_arg_mailbox(cmd, &lex, &name);
	if (err == RP_OK && !lex_end(&lex))
		err = RP_ERR_SYNTAX;
	if (err != RP_OK) {
		result = cmd_arg_refuse(cmd, err, "Expected a set of messages and a mailbox");
		goto out;
	}
	if (move && cmd->session->selected->read_only) {
		result = cmd_no_code(cmd, BYTES_LIT("READ-ONLY"), "The mailbox is open for reading only");
		goto out;
	}
	if (!move && !cmd->uid && cmd_arg_some_expunged(cmd, &uids)) {
		result = cmd_no(cmd, RP_ERR_EXPUNGED);
		goto out;
	}
	err = mailbox_open(task, cmd->session->volume, name, &to);
	if (err == RP_ERR_NOTFOUND)
		result = cmd_no_code(cmd, BYTES_LIT("TRYCREATE"), "No such mailbox");
	else if (err != RP_OK)
		result = cmd_no(cmd, err);
	else
		result = transfer(task, cmd, &uids, to, move);
	mailbox_close(to);
out:
	runs_fini(&uids);
	return result;
}

enum cmd_result cmd_copy(struct task *task, struct cmd *cmd)
{
	return copy_or_move(task, cmd, false);
}

enum cmd_result cmd_move(struct task *task, struct cmd *cmd)
{
	return copy_or_move(task, cmd, true);
}
