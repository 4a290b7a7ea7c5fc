/* SELECT and EXAMINE (RFC 3501, sections 6.3.1 and 6.3.2; RFC 7162, section 3.1.8, for CONDSTORE). */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/cmd/condstore.h"
#include "core/session/flags_text.h"
#include "core/session/selected.h"

/* select-params: only CONDSTORE is known here. An unknown one is BAD (RFC 4466, section 2.1). */
static enum rp_err parse_params(struct lex *lex, bool *condstore)
{
	bool more = true;
	enum rp_err err;

	*condstore = false;
	if (lex_end(lex))
		return RP_OK;
	err = lex_sp(lex);
	if (err == RP_OK)
		err = lex_open(lex);
	while (err == RP_OK && more) {
		if (!lex_word(lex, "CONDSTORE"))
			return RP_ERR_SYNTAX;
		*condstore = true;
		err = lex_more(lex, &more);
	}
	if (err == RP_OK && !lex_end(lex))
		err = RP_ERR_SYNTAX;
	return err;
}

static void tell_number_code(struct resp *resp, const char *name, uint64_t n, const char *text)
{
	resp_status_begin(resp, bytes_of(NULL, 0), RESP_OK);
	resp_byte(resp, '[');
	resp_str(resp, name);
	resp_byte(resp, ' ');
	resp_u64(resp, n);
	resp_lit(resp, "] ");
	resp_status_end(resp, text);
}

static void tell_state(struct cmd *cmd, struct selected *selected)
{
	struct resp *resp = cmd_resp(cmd);
	const struct catalog_entry *entry = mailbox_entry(selected->mailbox);
	uint32_t unseen = view_first_unseen(selected->view);

	flags_text_mailbox(resp, selected->mailbox, selected->read_only);
	view_take_keywords(selected->view);
	resp_number_data(resp, view_exists(selected->view), "EXISTS");
	resp_number_data(resp, 0, "RECENT"); /* no message ever is \Recent here */
	if (unseen != 0)
		tell_number_code(resp, "UNSEEN", unseen, "First unseen.");
	tell_number_code(resp, "UIDVALIDITY", entry->uidvalidity, "UIDs valid");
	tell_number_code(resp, "UIDNEXT", entry->uidnext, "Predicted next UID");
	condstore_tell(resp, selected->mailbox);
}

static enum cmd_result select_mailbox(struct task *task, struct cmd *cmd, bool read_only)
{
	struct session *session = cmd->session;
	struct lex lex = lex_of(cmd->args);
	struct bytes name;
	bool condstore = false;
	enum rp_err err;

	err = cmd_arg_mailbox(cmd, &lex, &name);
	if (err == RP_OK)
		err = parse_params(&lex, &condstore);
	if (err == RP_ERR_SYNTAX)
		return cmd_bad(cmd, "Expected a mailbox name, and perhaps (CONDSTORE)");
	if (session->selected != NULL) {
		resp_status(cmd_resp(cmd), bytes_of(NULL, 0), RESP_OK, "CLOSED", "Previous mailbox is closed");
		selected_close(session);
	}
	if (err != RP_OK)
		return cmd_arg_refuse(cmd, err, "Bad name");
	err = selected_open(task, session, name, read_only);
	if (err != RP_OK)
		return cmd_no(cmd, err);
	if (condstore)
		session->enabled |= SESSION_CONDSTORE;
	tell_state(cmd, session->selected);
	return cmd_ok_code(cmd, read_only ? BYTES_LIT("READ-ONLY") : BYTES_LIT("READ-WRITE"), NULL);
}

enum cmd_result cmd_select(struct task *task, struct cmd *cmd)
{
	return select_mailbox(task, cmd, false);
}

enum cmd_result cmd_examine(struct task *task, struct cmd *cmd)
{
	return select_mailbox(task, cmd, true);
}
