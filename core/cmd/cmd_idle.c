/* IDLE (RFC 2177): the client waits for news. No task waits with it: the tag is kept in the session, the driver reads DONE,
 * and registry_idle_news() tells what happens in between.
 */
#include "core/cmd/commands.h"
#include "core/cmd/registry.h"

enum cmd_result cmd_idle(struct task *task, struct cmd *cmd)
{
	struct session *session = cmd->session;
	enum rp_err err;

	if (cmd->args.n != 0)
		return cmd_bad(cmd, "IDLE takes no arguments");
	if (cmd->tag.n > sizeof(session->idle_tag_bytes))
		return cmd_bad(cmd, "Tag too long");
	resp_continuation(cmd_resp(cmd), BYTES_LIT("idling"));
	err = registry_idle_news(task, session, cmd->resp); /* what has come since the last command */
	if (err != RP_OK)
		return cmd_no(cmd, err);
	memcpy(session->idle_tag_bytes, cmd->tag.p, cmd->tag.n);
	session->idle_tag = bytes_of(session->idle_tag_bytes, cmd->tag.n);
	return CMD_LATER;
}
