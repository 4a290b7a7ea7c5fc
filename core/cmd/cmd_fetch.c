/* FETCH (RFC 3501, section 6.4.5; RFC 7162, CHANGEDSINCE and MODSEQ).
 *
 * Items come in the order asked, UID first where UID FETCH did not ask for it. What cannot be served is left out and the command says
 * NO: nothing is left out in silence.
 */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/cmd/condstore.h"
#include "core/cmd/fetch_message.h"
#include "core/session/flags_text.h"
#include "core/session/selected.h"
#include "core/session/sync.h"

enum { FETCH_LINES_PER_FLUSH = 32 }; /* short lines: about 2 KiB between two looks at the output */

struct fetch {
	struct cmd *cmd;
	struct fetch_atts atts;
	struct fetch_modifiers modifiers;
	struct runs uids;
	struct arena arena; /* emptied after each message */
	uint8_t *piece;
	enum rp_err failed; /* the first trouble with a message */
	bool add_uid;       /* in front */
	bool add_modseq;    /* at the end */
};

static enum rp_err parse(struct cmd *cmd, struct lex *lex, struct fetch *fetch)
{
	enum rp_err err = lex_sp(lex);

	if (err == RP_OK)
		err = fetch_atts_parse(lex, cmd->arena, &fetch->atts);
	if (err == RP_OK)
		err = fetch_modifiers_parse(lex, &fetch->modifiers);
	if (err == RP_OK && !lex_end(lex))
		err = RP_ERR_SYNTAX;
	if (err == RP_OK && fetch->modifiers.vanished)
		err = RP_ERR_SYNTAX; /* QRESYNC was not enabled: RFC 7162, section 3.2.6 */
	return err;
}

static bool asks(const struct fetch *fetch, enum fetch_att_kind kind)
{
	return (fetch->atts.kinds & 1u << kind) != 0;
}

static unsigned fields_of(const struct fetch *fetch)
{
	unsigned fields = 0;

	if (asks(fetch, FETCH_MODSEQ) || fetch->add_modseq)
		fields |= VIEW_MODSEQ;
	if (asks(fetch, FETCH_INTERNALDATE))
		fields |= VIEW_INTERNALDATE;
	/* the size bounds the sections of a body */
	if (asks(fetch, FETCH_RFC822_SIZE) || asks(fetch, FETCH_BODY_SECTION) ||
	    asks(fetch, FETCH_RFC822) || asks(fetch, FETCH_RFC822_HEADER) ||
	    asks(fetch, FETCH_RFC822_TEXT))
		fields |= VIEW_SIZE;
	return fields;
}

/* Is it just [UID] FLAGS [MODSEQ], in the order of flags_text_fetch()? What clients ask of whole mailboxes. */
static bool is_plain(const struct fetch *fetch)
{
	size_t at = 0;

	if (at < fetch->atts.att_count && fetch->atts.att[at].kind == FETCH_UID)
		at++;
	if (at == fetch->atts.att_count || fetch->atts.att[at++].kind != FETCH_FLAGS)
		return false;
	if (at < fetch->atts.att_count && fetch->atts.att[at].kind == FETCH_MODSEQ)
		at++;
	return at == fetch->atts.att_count;
}

static enum rp_err fetch_plain(struct task *task, struct fetch *fetch, struct view_cursor *cursor)
{
	struct selected *selected = fetch->cmd->session->selected;
	bool with_uid = fetch->add_uid || asks(fetch, FETCH_UID);
	bool with_modseq = fetch->add_modseq || asks(fetch, FETCH_MODSEQ);
	unsigned lines = 0;
	enum rp_err err;

	while ((err = view_cursor_next(task, cursor)) == RP_OK) {
		struct resp *resp = cmd_resp(fetch->cmd);

		sync_keywords(selected, resp);
		flags_text_fetch(resp, cursor, with_uid, with_modseq);
		if (++lines % FETCH_LINES_PER_FLUSH != 0)
			continue;
		err = cmd_flush(task, fetch->cmd);
		if (err != RP_OK)
			return err;
	}
	return err;
}

/* Reading sets \Seen. *again: the message as it is afterwards. */
static enum rp_err mark_seen(
    struct task *task, struct fetch *fetch, const struct view_cursor *cursor, struct view_cursor *again)
{
	struct selected *selected = fetch->cmd->session->selected;
	struct run run = { cursor->message.uid, cursor->message.uid };
	const struct runs uids = { &run, 1, 1 };
	const struct mail_store store = { .mode = MAIL_STORE_ADD, .flags = MAIL_SEEN };
	struct runs changed = RUNS_EMPTY;
	enum rp_err err;

	err = mailbox_store(task, selected->mailbox, &uids, &store, &changed, NULL);
	if (err == RP_OK && changed.count > 0) /* it is told with this message */
		err = view_told_flags(
		    selected->view, &changed, mailbox_entry(selected->mailbox)->highestmodseq);
	runs_fini(&changed);
	if (err == RP_OK)
		err = view_message(task, selected->view, cursor->message.uid, again);
	return err;
}

static void note_failure(struct fetch *fetch, enum rp_err err)
{
	if (fetch->failed == RP_OK)
		fetch->failed = err;
}

/* marked: reading has set \Seen, which is told here; with CONDSTORE as any change is, with UID and MODSEQ. */
static enum rp_err put_items(
    struct task *task, struct fetch *fetch, struct fetch_message *message, bool marked)
{
	static const struct fetch_att uid = { .kind = FETCH_UID };
	static const struct fetch_att flags = { .kind = FETCH_FLAGS };
	static const struct fetch_att modseq = { .kind = FETCH_MODSEQ };
	bool condstore = marked && condstore_is_on(fetch->cmd->session);
	enum rp_err err = RP_OK;

	if (fetch->add_uid || (condstore && !asks(fetch, FETCH_UID)))
		err = fetch_message_item(task, message, &uid);
	for (size_t i = 0; i < fetch->atts.att_count && err == RP_OK; i++) {
		err = fetch_message_item(task, message, &fetch->atts.att[i]);
		if (err != RP_OK && err != RP_ERR_CANCELED && !message->broken) {
			note_failure(fetch, err);
			err = RP_OK;
		}
	}
	if (err == RP_OK && marked && !asks(fetch, FETCH_FLAGS))
		err = fetch_message_item(task, message, &flags);
	if (err == RP_OK && (fetch->add_modseq || (condstore && !asks(fetch, FETCH_MODSEQ))))
		err = fetch_message_item(task, message, &modseq);
	return err;
}

static enum rp_err fetch_one(
    struct task *task, struct fetch *fetch, const struct view_cursor *cursor)
{
	struct fetch_message message = {
		.cmd = fetch->cmd,
		.cursor = cursor,
		.arena = &fetch->arena,
		.piece = fetch->piece,
	};
	bool marks = fetch->atts.sets_seen && !fetch->cmd->session->selected->read_only &&
		     (cursor->message.flags & MAIL_SEEN) == 0 && !cursor->expunged;
	struct view_cursor again;
	enum rp_err err = RP_OK;

	if (marks) {
		err = mark_seen(task, fetch, cursor, &again);
		if (err == RP_ERR_CANCELED)
			return err;
		if (err == RP_OK)
			message.cursor = &again;
		else
			marks = false; /* a full disk does not keep anybody from reading */
	}
	err = put_items(task, fetch, &message, marks);
	fetch->piece = message.piece;
	fetch_message_end(&message);
	arena_reset(&fetch->arena);
	if (message.broken) {
		fetch->cmd->session->wish = SESSION_WISH_CLOSE;
		fetch->cmd->session->bye = NULL; /* within a literal: it would be read as mail */
		return RP_ERR_CANCELED;
	}
	if (err == RP_OK)
		err = cmd_flush(task, fetch->cmd);
	return err;
}

static enum rp_err fetch_all(struct task *task, struct fetch *fetch)
{
	struct view_cursor cursor;
	enum rp_err err;

	view_cursor_init(&cursor, fetch->cmd->session->selected->view, &fetch->uids);
	cursor.modseq_since = fetch->modifiers.changedsince;
	cursor.fields = fields_of(fetch);
	if (is_plain(fetch))
		return fetch_plain(task, fetch, &cursor);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		err = fetch_one(task, fetch, &cursor);
		if (err != RP_OK)
			return err;
	}
	return err;
}

static enum cmd_result run(struct task *task, struct fetch *fetch)
{
	struct cmd *cmd = fetch->cmd;
	enum rp_err err;

	if (asks(fetch, FETCH_MODSEQ) || fetch->modifiers.has_changedsince)
		condstore_enable(cmd);
	fetch->add_uid = cmd->uid && !asks(fetch, FETCH_UID);
	fetch->add_modseq = !asks(fetch, FETCH_MODSEQ) && fetch->modifiers.has_changedsince;
	err = fetch_all(task, fetch);
	if (err != RP_ERR_END)
		return cmd_no(cmd, err);
	return fetch->failed == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, fetch->failed);
}

enum cmd_result cmd_fetch(struct task *task, struct cmd *cmd)
{
	struct fetch fetch = { .cmd = cmd };
	struct lex lex = lex_of(cmd->args);
	enum cmd_result result;
	enum rp_err err;

	arena_init(&fetch.arena, FETCH_ARENA_BYTES_MAX);
	err = cmd_arg_messages(cmd, &lex, &fetch.uids);
	if (err != RP_OK) {
		result = cmd_arg_refuse_messages(cmd, err, "Expected a set of messages");
	} else {
		err = parse(cmd, &lex, &fetch);
		result = err == RP_OK ? run(task, &fetch)
				      : cmd_arg_refuse(cmd, err, "Expected a list of items to fetch");
	}
	runs_fini(&fetch.uids);
	arena_fini(&fetch.arena);
	return result;
}
