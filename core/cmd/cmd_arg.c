#include "core/cmd/cmd_arg.h"

#include "core/imap/mailbox_name.h"
#include "core/imap/seqset.h"
#include "core/session/selected.h"

enum rp_err cmd_arg_mailbox(struct cmd *cmd, struct lex *lex, struct bytes *name)
{
	return mailbox_name_parse(lex, cmd->arena, cmd->resp->utf8, name);
}

enum cmd_result cmd_arg_refuse(struct cmd *cmd, enum rp_err err, const char *text)
{
	if (err == RP_ERR_SYNTAX)
		return cmd_bad(cmd, text);
	if (err == RP_ERR_CANNOT)
		return cmd_no_code(cmd, BYTES_LIT("CANNOT"), "No mailbox can have this name");
	return cmd_no(cmd, err);
}

enum rp_err cmd_arg_only_mailbox(struct cmd *cmd, struct bytes *name, enum cmd_result *result)
{
	struct lex lex = lex_of(cmd->args);
	enum rp_err err = cmd_arg_mailbox(cmd, &lex, name);

	if (err == RP_OK && !lex_end(&lex))
		err = RP_ERR_SYNTAX;
	if (err != RP_OK)
		*result = cmd_arg_refuse(cmd, err, "Expected one mailbox name");
	return err;
}

static enum rp_err uids_of_seqnos(
    const struct view *view, const struct seqset *set, struct runs *uids)
{
	struct runs seqnos = RUNS_EMPTY;
	enum rp_err err = seqset_resolve(set, view_exists(view), &seqnos);

	if (err == RP_OK)
		err = view_uids_of_seqnos(view, &seqnos, uids);
	runs_fini(&seqnos);
	return err;
}

enum rp_err cmd_arg_messages(struct cmd *cmd, struct lex *lex, struct runs *uids)
{
	const struct view *view = cmd->session->selected->view;
	struct seqset set;
	uint32_t last;
	enum rp_err err;

	err = seqset_parse(lex, cmd->arena, false, &set);
	if (err == RP_OK && view_is_overrun(view))
		err = RP_ERR_UNAVAILABLE; /* another message would be meant, or none */
	if (err != RP_OK)
		return err;
	if (!cmd->uid)
		return uids_of_seqnos(view, &set, uids);
	last = view_last_uid(view);
	err = seqset_resolve(&set, last, uids);
	if (err == RP_OK && last < UINT32_MAX)
		err = runs_remove(uids, last + 1, UINT32_MAX); /* what came in that it was not told of */
	return err;
}

enum cmd_result cmd_arg_refuse_messages(struct cmd *cmd, enum rp_err err, const char *text)
{
	if (err == RP_ERR_SYNTAX)
		return cmd_bad(cmd, text);
	if (err == RP_ERR_NOTFOUND)
		return cmd_bad(cmd, "There is no message of this number");
	return cmd_no(cmd, err);
}

bool cmd_arg_some_expunged(const struct cmd *cmd, const struct runs *uids)
{
	const struct runs *gone = view_expunged(cmd->session->selected->view);
	size_t i = 0;
	size_t k = 0;

	while (i < gone->count && k < uids->count) {
		if (gone->run[i].last < uids->run[k].first)
			i++;
		else if (uids->run[k].last < gone->run[i].first)
			k++;
		else
			return true;
	}
	return false;
}

struct bytes cmd_arg_runs_text(struct arena *arena, const struct runs *runs)
{
	uint8_t *start = arena_alloc(arena, runs->count * (2 * RESP_U32_BYTES + 2) + 1);
	uint8_t *p = start;

	if (start == NULL)
		return bytes_of(NULL, 0);
	for (size_t i = 0; i < runs->count; i++) {
		if (i > 0)
			*p++ = ',';
		p = resp_at_u32(p, runs->run[i].first);
		if (runs->run[i].last == runs->run[i].first)
			continue;
		*p++ = ':';
		p = resp_at_u32(p, runs->run[i].last);
	}
	return bytes_of(start, (size_t)(p - start));
}
