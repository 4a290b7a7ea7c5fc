#include "core/cmd/cmd.h"

#include "core/imap/resp_code.h"

struct resp *cmd_resp(struct cmd *cmd)
{
	resp_stamp(cmd->resp, session_position(cmd->session));
	return cmd->resp;
}

static enum cmd_result answer(
    struct cmd *cmd, enum cmd_result result, struct bytes code, struct bytes text)
{
	RP_ASSERT(text.n > 0); /* strict clients stumble over a status without text (CLIENTS C-12) */
	cmd->code = code;
	cmd->text = text;
	return result;
}

enum cmd_result cmd_ok(struct cmd *cmd)
{
	return cmd_ok_code(cmd, bytes_of(NULL, 0), NULL);
}

enum cmd_result cmd_ok_code(struct cmd *cmd, struct bytes code, const char *text)
{
	struct bytes said = BYTES_LIT("Completed");

	if (text != NULL) {
		said = bytes_of_str(text);
	} else {
		struct bytes named = arena_printf(
		    cmd->arena, "%s%s completed", cmd->uid ? "UID " : "", cmd->def->name);

		if (named.p != NULL)
			said = named;
	}
	return answer(cmd, CMD_OK, code, said);
}

enum cmd_result cmd_no(struct cmd *cmd, enum rp_err err)
{
	const struct resp_code *row;

	if (err == RP_ERR_CANCELED)
		return CMD_GONE;
	row = resp_code_of(err);
	return answer(cmd, row->status == RESP_BAD ? CMD_BAD : CMD_NO,
	    row->code != NULL ? bytes_of_str(row->code) : bytes_of(NULL, 0), bytes_of_str(row->text));
}

enum cmd_result cmd_no_code(struct cmd *cmd, struct bytes code, const char *text)
{
	return answer(cmd, CMD_NO, code, bytes_of_str(text));
}

enum cmd_result cmd_bad(struct cmd *cmd, const char *text)
{
	return answer(cmd, CMD_BAD, bytes_of(NULL, 0), bytes_of_str(text));
}
