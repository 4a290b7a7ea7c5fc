/* CREATE (with RFC 6154's USE), DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501, section 6.3). */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/cmd/special_use.h"
#include "core/session/selected.h"

/* [SP "(" "USE" SP "(" use-attr *(SP use-attr) ")" ")"]; RP_ERR_CANNOT: a use that is not known here. */
static enum rp_err parse_use(struct lex *lex, unsigned *special_use)
{
	bool more = true;
	bool known = true;
	enum rp_err err;

	*special_use = 0;
	if (lex_end(lex))
		return RP_OK;
	if (lex_sp(lex) != RP_OK || lex_open(lex) != RP_OK || !lex_word(lex, "USE") ||
	    lex_sp(lex) != RP_OK || lex_open(lex) != RP_OK)
		return RP_ERR_SYNTAX;
	if (lex_close(lex))
		more = false;
	while (more) {
		struct bytes atom;
		unsigned use;

		if (!lex_char(lex, '\\') || lex_atom(lex, &atom) != RP_OK)
			return RP_ERR_SYNTAX;
		use = special_use_of(atom);
		known = known && use != 0;
		*special_use |= use;
		err = lex_more(lex, &more);
		if (err != RP_OK)
			return err;
	}
	if (!lex_close(lex) || !lex_end(lex))
		return RP_ERR_SYNTAX;
	return known ? RP_OK : RP_ERR_CANNOT;
}

/* The name is taken, or one of the uses is. */
static enum cmd_result refuse_taken(struct cmd *cmd, struct bytes name)
{
	const struct catalog_entry *entry = volume_find(cmd->session->volume, name);

	if (entry != NULL && entry->mailboxid != 0)
		return cmd_no(cmd, RP_ERR_EXISTS);
	return cmd_no_code(cmd, BYTES_LIT("USEATTR"), "Another mailbox has this special use");
}

enum cmd_result cmd_create(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	unsigned special_use = 0;
	struct bytes name;
	enum rp_err err;

	err = cmd_arg_mailbox(cmd, &lex, &name);
	if (err != RP_OK)
		return cmd_arg_refuse(cmd, err, "Expected a mailbox name, and perhaps (USE (...))");
	err = parse_use(&lex, &special_use);
	if (err == RP_ERR_CANNOT)
		return cmd_no_code(cmd, BYTES_LIT("USEATTR"), "This special use is not known here");
	if (err != RP_OK)
		return cmd_arg_refuse(cmd, err, "Expected a mailbox name, and perhaps (USE (...))");
	if (bytes_eq_fold(name, BYTES_LIT("INBOX/INBOX")))
		return cmd_no_code(cmd, BYTES_LIT("CANNOT"), "INBOX cannot be below INBOX");
	err = volume_create(task, cmd->session->volume, name, special_use, NULL);
	if (err == RP_ERR_EXISTS)
		return refuse_taken(cmd, name);
	return err == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, err);
}

enum cmd_result cmd_delete(struct task *task, struct cmd *cmd)
{
	enum cmd_result result;
	struct bytes name;
	enum rp_err err;

	if (cmd_arg_only_mailbox(cmd, &name, &result) != RP_OK)
		return result;
	err = volume_delete(task, cmd->session->volume, name);
	if (err == RP_ERR_CANNOT)
		return cmd_no_code(cmd, BYTES_LIT("CANNOT"), "INBOX cannot be deleted");
	return err == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, err);
}

/* The view from which the renaming takes messages out; NULL: from none of this session. */
static struct view *view_left(const struct cmd *cmd, struct bytes from)
{
	const struct selected *selected = cmd->session->selected;
	struct bytes inbox = BYTES_LIT("INBOX");

	return selected != NULL && bytes_eq(from, inbox) &&
		       bytes_eq(mailbox_entry(selected->mailbox)->name, inbox) ?
		   selected->view :
		   NULL;
}

static enum rp_err rename_mailbox(
    struct task *task, struct cmd *cmd, struct bytes from, struct bytes to)
{
	struct view *view = view_left(cmd, from);
	enum rp_err err;

	if (view != NULL)
		view_own_expunges(view, true);
	err = volume_rename(task, cmd->session->volume, from, to);
	if (view != NULL)
		view_own_expunges(view, false);
	return err;
}

enum cmd_result cmd_rename(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	struct bytes from;
	struct bytes to;
	enum rp_err err;

	err = cmd_arg_mailbox(cmd, &lex, &from);
	if (err == RP_OK)
		err = lex_sp(&lex);
	if (err == RP_OK)
		err = cmd_arg_mailbox(cmd, &lex, &to);
	if (err == RP_OK && !lex_end(&lex))
		err = RP_ERR_SYNTAX;
	if (err != RP_OK)
		return cmd_arg_refuse(cmd, err, "Expected two mailbox names");
	err = rename_mailbox(task, cmd, from, to);
	if (err == RP_ERR_CANNOT)
		return cmd_no_code(cmd, BYTES_LIT("CANNOT"), "A mailbox cannot be moved there");
	return err == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, err);
}

static enum cmd_result subscribe(struct task *task, struct cmd *cmd, bool subscribed)
{
	enum cmd_result result;
	struct bytes name;
	enum rp_err err;

	if (cmd_arg_only_mailbox(cmd, &name, &result) != RP_OK)
		return result;
	err = volume_subscribe(task, cmd->session->volume, name, subscribed);
	return err == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, err);
}

enum cmd_result cmd_subscribe(struct task *task, struct cmd *cmd)
{
	return subscribe(task, cmd, true);
}

enum cmd_result cmd_unsubscribe(struct task *task, struct cmd *cmd)
{
	return subscribe(task, cmd, false);
}
