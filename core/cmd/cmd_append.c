/* APPEND (RFC 3501, section 6.3.11; RFC 4315, APPENDUID; RFC 7889, APPENDLIMIT).
 *
 * The message is not held: it is taken in at the pace of the disk. Whatever is wrong, a client that sends without waiting is read to
 * the end of its literal, or the next command could not be found; up to a bound, then the connection ends.
 */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/imap/date.h"
#include "core/imap/flag.h"
#include "core/imap/mailbox_name.h"
#include "core/session/intake.h"
#include "io/base/num.h"

enum { APPEND_DRAIN_FACTOR = 4 }; /* times APPENDLIMIT are thrown away before we give up on a client */

struct append_args {
	struct bytes name;
	struct flag_list flags;
	bool has_date;
	struct date_time date;
};

/* mailbox [SP flag-list] [SP date-time] SP literal */
static enum rp_err parse(struct bytes args, struct arena *arena, bool utf8, struct append_args *out)
{
	struct lex lex = lex_of(args);
	struct lex_mark mark;
	enum rp_err err;

	*out = (struct append_args){ 0 };
	err = mailbox_name_parse(&lex, arena, utf8, &out->name);
	if (err == RP_OK)
		err = lex_sp(&lex);
	if (err == RP_OK && lex_peek(&lex) == '(') {
		err = flag_list_parse(&lex, arena, &out->flags);
		if (err == RP_OK)
			err = lex_sp(&lex);
	}
	if (err == RP_OK && lex_peek(&lex) == '"') {
		err = date_time_parse(&lex, &out->date);
		out->has_date = true;
		if (err == RP_OK)
			err = lex_sp(&lex);
	}
	if (err == RP_OK)
		err = lex_literal_mark(&lex, &mark);
	return err;
}

/* What stands before the message's literal can be read as far as its mark, even where the name is one that may not be. */
bool cmd_append_stream_next(struct bytes so_far)
{
	struct append_args args;
	struct arena arena;
	enum rp_err err;

	arena_init(&arena, 64 * 1024); /* the flags of one command line */
	err = parse(so_far, &arena, false, &args);
	arena_fini(&arena);
	if (err != RP_ERR_CANNOT)
		return err == RP_OK;
	return so_far.n > 0; /* a bad name: no other argument of APPEND is a literal */
}

/* Throw away what is left of the literal, so that the next command is found. */
static enum rp_err drain(struct task *task, struct cmd *cmd)
{
	uint64_t left = num_min(
	    cmd->session->env->appendlimit_bytes, UINT64_MAX / APPEND_DRAIN_FACTOR) * APPEND_DRAIN_FACTOR;
	struct bytes piece;
	enum rp_err err;

	while ((err = cmd->io->stream_read(task, cmd, &piece)) == RP_OK) {
		if (piece.n > left)
			return RP_ERR_LIMIT;
		left -= piece.n;
	}
	return err == RP_ERR_END ? RP_OK : err;
}

/* The end of the command, behind the literal. */
static enum rp_err read_end(struct task *task, struct cmd *cmd, struct bytes *line)
{
	enum rp_err err = cmd->io->read_line(task, cmd, line);

	if (err == RP_OK && line->n > 0) {
		struct lex lex = lex_of(*line);

		if (lex_end(&lex))
			return RP_OK;
		if (line->p[line->n - 1] == '}') { /* another literal, which nobody will read: out of step */
			cmd->session->wish = SESSION_WISH_CLOSE;
			cmd->session->bye = "One message at a time";
		}
		err = RP_ERR_SYNTAX;
	}
	return err;
}

/* Refuse a message of which nothing was read. */
static enum cmd_result refuse(struct task *task, struct cmd *cmd, enum cmd_result result)
{
	struct bytes line;
	enum rp_err err;

	if (!cmd->has_stream || cmd->stream_waits)
		return result; /* it waits for "+", which it will not get: nothing was sent */
	if (cmd->stream_bytes / APPEND_DRAIN_FACTOR > cmd->session->env->appendlimit_bytes) {
		cmd->session->wish = SESSION_WISH_CLOSE;
		cmd->session->bye = "The message is far too big";
		return result;
	}
	err = cmd->io->stream_accept(task, cmd);
	if (err == RP_OK)
		err = drain(task, cmd);
	if (err == RP_OK)
		err = read_end(task, cmd, &line);
	if (err == RP_OK || err == RP_ERR_SYNTAX)
		return result;
	if (err != RP_ERR_LIMIT)
		return CMD_GONE;
	cmd->session->wish = SESSION_WISH_CLOSE;
	cmd->session->bye = "The message is far too big";
	return result;
}

static enum rp_err take_in(struct task *task, struct cmd *cmd, struct intake *intake)
{
	enum rp_err failed = RP_OK;
	struct bytes piece;
	enum rp_err err;

	while ((err = cmd->io->stream_read(task, cmd, &piece)) == RP_OK)
		if (failed == RP_OK)
			failed = intake_write(task, intake, piece);
	if (err != RP_ERR_END)
		return RP_ERR_CANCELED;
	return failed;
}

static enum rp_err save(struct task *task, struct cmd *cmd, struct mailbox *mailbox,
    const struct append_args *args, struct intake *intake, struct body_put *body, uint32_t *uid)
{
	uint64_t now_s = loop_wall_ns(task_loop(task)) / 1000000000;
	struct append append = {
		.body = body,
		.flags = args->flags.flags,
		.keywords = args->flags.keyword,
		.keywords_count = args->flags.keyword_count,
		.internaldate = { (int64_t)now_s, 0 },
	};
	struct bytes line;
	enum rp_err err;

	if (args->has_date)
		append.internaldate = (struct mail_date){ args->date.seconds, args->date.zone_min };
	err = take_in(task, cmd, intake);
	if (err == RP_ERR_CANCELED)
		return err;
	{
		enum rp_err end = read_end(task, cmd, &line);

		if (end == RP_ERR_END)
			end = RP_ERR_CANCELED; /* cut off before its end: not a command, nothing is stored */
		if (end != RP_OK)
			return end;
	}
	if (err == RP_OK)
		err = intake_finish(task, intake, &append);
	if (err == RP_OK && intake->bytes == 0)
		err = RP_ERR_CANNOT;
	if (err == RP_OK)
		err = mailbox_append(task, mailbox, &append, 1, uid);
	return err;
}

static enum cmd_result append_to(
    struct task *task, struct cmd *cmd, struct mailbox *mailbox, const struct append_args *args)
{
	struct intake intake = { 0 };
	struct body_put *body = NULL;
	uint32_t uid = 0;
	enum rp_err err;

	err = body_begin(task, cmd->session->volume, &body);
	if (err == RP_OK)
		err = intake_begin(&intake, cmd->session->env->appendlimit_bytes, intake_to_body, body);
	if (err == RP_OK)
		err = cmd->io->stream_accept(task, cmd);
	else {
		body_abort(body);
		return refuse(task, cmd, cmd_no(cmd, err));
	}
	if (err == RP_OK)
		err = save(task, cmd, mailbox, args, &intake, body, &uid);
	intake_end(&intake);
	if (err != RP_OK)
		body_abort(body);
	switch (err) {
	case RP_OK:
		return cmd_ok_code(cmd,
		    arena_printf(cmd->arena, "APPENDUID %u %u", mailbox_entry(mailbox)->uidvalidity, uid),
		    NULL);
	case RP_ERR_NOTFOUND:
		return cmd_no_code(cmd, BYTES_LIT("TRYCREATE"), "No such mailbox");
	case RP_ERR_CANNOT:
		return cmd_no_code(cmd, BYTES_LIT("CANNOT"), "An empty message cannot be stored");
	case RP_ERR_TOOBIG:
		return cmd_no_code(cmd, BYTES_LIT("TOOBIG"), "The message is too big for this server");
	case RP_ERR_SYNTAX:
		return cmd_bad(cmd, "One message at a time, and nothing behind it");
	default:
		return cmd_no(cmd, err);
	}
}

enum cmd_result cmd_append(struct task *task, struct cmd *cmd)
{
	struct mailbox *mailbox = NULL;
	struct append_args args;
	enum cmd_result result;
	enum rp_err err;

	err = parse(cmd->args, cmd->arena, cmd->resp->utf8, &args);
	if (err == RP_OK && !cmd->has_stream)
		err = RP_ERR_SYNTAX;
	if (err != RP_OK)
		return refuse(task, cmd,
		    cmd_arg_refuse(cmd, err, "Expected a mailbox, flags, a date and a literal"));
	if (cmd->stream_bytes > cmd->session->env->appendlimit_bytes)
		return refuse(task, cmd,
		    cmd_no_code(cmd, BYTES_LIT("TOOBIG"), "The message is too big for this server"));
	err = mailbox_open(task, cmd->session->volume, args.name, &mailbox);
	if (err == RP_ERR_NOTFOUND)
		return refuse(task, cmd, cmd_no_code(cmd, BYTES_LIT("TRYCREATE"), "No such mailbox"));
	if (err != RP_OK)
		return refuse(task, cmd, cmd_no(cmd, err));
	result = append_to(task, cmd, mailbox, &args);
	mailbox_close(mailbox);
	return result;
}
