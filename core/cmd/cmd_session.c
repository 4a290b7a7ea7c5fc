/* NOOP, CHECK, LOGOUT, STARTTLS (RFC 3501, sections 6.1 and 6.2.1, 6.4.1).
 *
 * CHECK has nothing to do: every OK is durable. News comes with the answer of NOOP and CHECK as with that of any command.
 */
#include "core/cmd/commands.h"
#include "core/session/selected.h"

enum cmd_result cmd_noop(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "NOOP takes no arguments");
	return cmd_ok(cmd);
}

enum cmd_result cmd_check(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "CHECK takes no arguments");
	return cmd_ok(cmd);
}

enum cmd_result cmd_logout(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "LOGOUT takes no arguments");
	selected_close(cmd->session);
	resp_status(cmd_resp(cmd), bytes_of(NULL, 0), RESP_BYE, NULL, "Logging out");
	cmd->session->state = SESSION_LOGOUT;
	cmd->session->wish = SESSION_WISH_CLOSE;
	cmd->session->bye = NULL; /* said above */
	return cmd_ok(cmd);
}

enum cmd_result cmd_starttls(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "STARTTLS takes no arguments");
	if (cmd->session->tls)
		return cmd_bad(cmd, "TLS is on already");
	if (!cmd->session->env->tls_available)
		return cmd_no_code(cmd, BYTES_LIT("UNAVAILABLE"), "TLS is not available");
	cmd->session->wish = SESSION_WISH_STARTTLS;
	return cmd_ok_code(cmd, bytes_of(NULL, 0), "Begin TLS negotiation now");
}
