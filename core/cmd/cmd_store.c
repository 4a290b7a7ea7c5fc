/* STORE (RFC 3501, section 6.4.6; RFC 7162, section 3.1.3, UNCHANGEDSINCE). */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/cmd/condstore.h"
#include "core/imap/flag.h"
#include "core/session/flags_text.h"
#include "core/session/selected.h"
#include "core/session/sync.h"
#include "io/base/num.h"

enum { STORE_LINES_PER_FLUSH = 32 }; /* short lines, as in FETCH */

struct store_args {
	struct mail_store store;
	bool silent;
};

/* SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" */
static enum rp_err parse_modifiers(struct lex *lex, struct mail_store *store)
{
	enum rp_err err = lex_open(lex);

	if (err == RP_OK && !lex_word(lex, "UNCHANGEDSINCE"))
		err = RP_ERR_SYNTAX;
	if (err == RP_OK)
		err = lex_sp(lex);
	if (err == RP_OK)
		err = lex_number64(lex, &store->unchangedsince);
	if (err == RP_OK && !lex_close(lex))
		err = RP_ERR_SYNTAX;
	if (err == RP_OK)
		err = lex_sp(lex);
	store->has_unchangedsince = true;
	return err;
}

static enum rp_err parse(struct cmd *cmd, struct lex *lex, struct store_args *out)
{
	struct flag_list flags;
	enum rp_err err;

	*out = (struct store_args){ .store.mode = MAIL_STORE_REPLACE };
	err = lex_sp(lex);
	if (err == RP_OK && lex_peek(lex) == '(')
		err = parse_modifiers(lex, &out->store);
	if (err != RP_OK)
		return err;
	if (lex_char(lex, '+'))
		out->store.mode = MAIL_STORE_ADD;
	else if (lex_char(lex, '-'))
		out->store.mode = MAIL_STORE_REMOVE;
	if (lex_word(lex, "FLAGS.SILENT"))
		out->silent = true;
	else if (!lex_word(lex, "FLAGS"))
		return RP_ERR_SYNTAX;
	err = lex_sp(lex);
	if (err == RP_OK)
		err = flag_store_parse(lex, cmd->arena, &flags);
	if (err == RP_OK && !lex_end(lex))
		err = RP_ERR_SYNTAX;
	if (err != RP_OK)
		return err;
	out->store.flags = flags.flags;
	out->store.keywords = flags.keyword;
	out->store.keywords_count = flags.keyword_count;
	return RP_OK;
}

/* "* n FETCH (UID u MODSEQ (m))": what a .SILENT store still tells a session with CONDSTORE. */
static void tell_modseq(struct resp *resp, const struct view_cursor *cursor)
{
	resp_lit(resp, "* ");
	resp_u64(resp, cursor->seqno);
	resp_lit(resp, " FETCH (UID ");
	resp_u64(resp, cursor->message.uid);
	resp_lit(resp, " MODSEQ (");
	resp_u64(resp, cursor->message.modseq);
	resp_lit(resp, "))\r\n");
}

/* The flags as they are now, of all that were named. */
static enum rp_err tell(
    struct task *task, struct cmd *cmd, const struct runs *uids, bool silent)
{
	struct selected *selected = cmd->session->selected;
	bool condstore = condstore_is_on(cmd->session);
	bool with_uid = cmd->uid || condstore;
	struct view_cursor cursor;
	unsigned lines = 0;
	enum rp_err err;

	if (uids->count == 0 || (silent && !condstore))
		return RP_OK;
	view_cursor_init(&cursor, selected->view, uids);
	cursor.fields = condstore ? VIEW_MODSEQ : 0;
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		if (cursor.expunged)
			continue;
		sync_keywords(selected, cmd_resp(cmd));
		if (silent)
			tell_modseq(cmd->resp, &cursor);
		else
			flags_text_fetch(cmd->resp, &cursor, with_uid, condstore);
		if (++lines % STORE_LINES_PER_FLUSH != 0)
			continue;
		err = cmd_flush(task, cmd);
		if (err != RP_OK)
			return err;
	}
	return err == RP_ERR_END ? RP_OK : err;
}

static enum rp_err take_out(struct runs *from, const struct runs *what)
{
	for (size_t i = 0; i < what->count; i++) {
		enum rp_err err = runs_remove(from, what->run[i].first, what->run[i].last);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* "MODIFIED set", of UIDs or sequence numbers as the command had them. */
static enum rp_err modified_code(struct cmd *cmd, const struct runs *modified, struct bytes *code)
{
	const struct view *view = cmd->session->selected->view;
	struct runs seqnos = RUNS_EMPTY;
	enum rp_err err = RP_OK;
	struct bytes set;

	if (!cmd->uid && view_is_overrun(view))
		return RP_ERR_UNAVAILABLE;
	if (!cmd->uid) {
		for (size_t i = 0; i < modified->count && err == RP_OK; i++) {
			for (uint32_t uid = modified->run[i].first; err == RP_OK; uid++) {
				uint32_t seqno = view_seqno_of(view, uid);

				if (seqno != 0)
					err = runs_add(&seqnos, seqno, seqno);
				if (uid == modified->run[i].last)
					break;
			}
		}
		modified = &seqnos;
	}
	set = cmd_arg_runs_text(cmd->arena, modified);
	runs_fini(&seqnos);
	if (err != RP_OK || set.p == NULL)
		return RP_ERR_NOMEM;
	*code = arena_printf(cmd->arena, "MODIFIED %.*s", BYTES_FMT(set));
	return code->p != NULL ? RP_OK : RP_ERR_NOMEM;
}

static enum cmd_result answer(struct cmd *cmd, const struct runs *modified, bool some_expunged)
{
	struct bytes code = { 0 };

	if (modified->count > 0) {
		enum rp_err err = modified_code(cmd, modified, &code);

		if (err != RP_OK)
			return cmd_no(cmd, err);
		return cmd_ok_code(cmd, code, "Conditional STORE failed for some");
	}
	if (some_expunged)
		return cmd_no(cmd, RP_ERR_EXPUNGED);
	return cmd_ok(cmd);
}

/* What a store did. */
struct done {
	struct runs changed; /* and no news once it is told; .SILENT: none already */
	struct runs modified;
	uint64_t modseq;
};

/* The change itself. Where the client is to conclude the flags itself, and others have changed them, it is told them all. */
static enum rp_err change(struct task *task, struct selected *selected, const struct runs *uids,
    const struct store_args *args, struct done *done)
{
	struct mail_store store = args->store;
	struct runs untold = RUNS_EMPTY;
	struct runs changed = RUNS_EMPTY;
	enum rp_err err = RP_OK;

	if (args->silent) {
		/* What comes behind it, while we look and wait for our turn, stays news. */
		store.known_modseq = mailbox_entry(selected->mailbox)->highestmodseq;
		err = sync_untold_flags(task, selected, uids, &untold);
	}
	if (err == RP_OK)
		err = mailbox_store(
		    task, selected->mailbox, uids, &store, &changed, &done->modified);
	done->modseq = mailbox_entry(selected->mailbox)->highestmodseq;
	if (err == RP_OK && take_out(&changed, &untold) != RP_OK)
		runs_fini(&changed); /* all of it stays news */
	if (args->silent && changed.count > 0)
		(void)!view_told_flags(selected->view, &changed, done->modseq);
	for (size_t i = 0; err == RP_OK && i < changed.count; i++)
		if (runs_add(&done->changed, changed.run[i].first, changed.run[i].last) != RP_OK)
			break; /* the rest stays news */
	runs_fini(&changed);
	runs_fini(&untold);
	return err;
}

/* The next messages of these, so many at most; *at and *first: how far we are. */
static enum rp_err next_part(
    const struct runs *uids, size_t *at, uint64_t *first, uint32_t messages, struct runs *part)
{
	enum rp_err err = RP_OK;

	part->count = 0;
	while (err == RP_OK && *at < uids->count && messages > 0) {
		const struct run *run = &uids->run[*at];
		uint64_t from = num_max(*first, run->first);
		uint64_t to = num_min(from + messages - 1, run->last);

		err = runs_add(part, (uint32_t)from, (uint32_t)to);
		messages -= (uint32_t)(to - from + 1);
		*first = to + 1;
		*at += to == run->last;
	}
	return err;
}

/* As one change, or as several that let others in: RFC 3501 does not ask that a STORE of many be whole. An error then leaves what was
 * done before it. */
static enum rp_err change_all(struct task *task, struct selected *selected,
    const struct runs *uids, const struct store_args *args, struct done *done)
{
	struct runs there = RUNS_EMPTY;
	struct runs part = RUNS_EMPTY;
	uint32_t messages;
	uint64_t first = 0;
	size_t at = 0;
	enum rp_err err =
	    mailbox_store_cut(task, selected->mailbox, uids, &args->store, &there, &messages);

	if (err == RP_OK && there.count == 0)
		err = change(task, selected, uids, args, done);
	while (err == RP_OK && at < there.count) {
		err = next_part(&there, &at, &first, messages, &part);
		if (err == RP_OK)
			err = change(task, selected, &part, args, done);
		if (err == RP_OK && at < there.count)
			err = task_pause(task);
	}
	runs_fini(&there);
	runs_fini(&part);
	return err;
}

static enum cmd_result store(
    struct task *task, struct cmd *cmd, struct runs *uids, const struct store_args *args)
{
	struct selected *selected = cmd->session->selected;
	struct done done = {.changed = RUNS_EMPTY, .modified = RUNS_EMPTY};
	enum cmd_result result;
	bool some_expunged;
	enum rp_err err;

	if (selected->read_only)
		return cmd_no_code(cmd, BYTES_LIT("READ-ONLY"), "The mailbox is open for reading only");
	if (args->store.has_unchangedsince)
		condstore_enable(cmd);
	some_expunged = !cmd->uid && cmd_arg_some_expunged(cmd, uids);
	err = change_all(task, selected, uids, args, &done);
	/* What was done before an error is told, as the client concludes from NO that nothing was. */
	if (err != RP_OK && args->silent)
		(void)!tell(task, cmd, &done.changed, false);
	if (err == RP_OK) {
		/* It is done, whatever becomes of telling it: what could not be told stays news. */
		enum rp_err told = take_out(uids, &done.modified);

		if (told == RP_OK)
			told = tell(task, cmd, uids, args->silent);
		if (told == RP_OK && !args->silent && done.changed.count > 0)
			told = view_told_flags(selected->view, &done.changed, done.modseq);
		(void)told;
	}
	result = err == RP_OK ? answer(cmd, &done.modified, some_expunged) : cmd_no(cmd, err);
	runs_fini(&done.changed);
	runs_fini(&done.modified);
	return result;
}

enum cmd_result cmd_store(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	struct runs uids = RUNS_EMPTY;
	struct store_args args;
	enum cmd_result result;
	enum rp_err err;

	err = cmd_arg_messages(cmd, &lex, &uids);
	if (err != RP_OK) {
		result = cmd_arg_refuse_messages(cmd, err, "Expected a set of messages");
	} else {
		err = parse(cmd, &lex, &args);
		result = err == RP_OK ? store(task, cmd, &uids, &args)
				      : cmd_arg_refuse(cmd, err, "Expected FLAGS and a list of flags");
	}
	runs_fini(&uids);
	return result;
}
