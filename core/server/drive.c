#include "core/server/drive.h"

#include <stdlib.h>

#include "core/cmd/registry.h"
#include "core/imap/command.h"
#include "core/server/conn_input.h"
#include "core/server/drive_io.h"
#include "core/server/handoff.h"
#include "core/server/user_table.h"
#include "core/session/selected.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "tls/tls_conn.h"

enum {
	DRIVE_ARENA_BYTES_GUEST = 64 * 1024,       /* of one command before login */
	DRIVE_ARENA_BYTES_USER = 16 * 1024 * 1024, /* after: a long SEARCH, a LIST of many names */
	DRIVE_STREAM_DROP_FACTOR = 4, /* x APPENDLIMIT: of a too large literal nobody asked for, read and dropped */
};

struct drive *drive_of(const struct conn *conn)
{
	return conn->protocol_state;
}

static bool logged_in(const struct drive *drive)
{
	return drive->session.state == SESSION_AUTHENTICATED || drive->session.state == SESSION_SELECTED;
}

/* Something in the selected mailbox has changed: look, when idling, in the connection's own task. */
static void on_wake(struct session *session)
{
	struct drive *drive = RP_CONTAINER_OF(session, struct drive, session);

	if (session->idle_tag.n == 0)
		return;
	drive->conn->news = true;
	conn_run(drive->conn);
}

struct drive *drive_new(struct shard *shard, const struct config_listen *listen)
{
	struct drive *drive = calloc(1, sizeof(*drive));

	if (drive == NULL)
		return NULL;
	session_init(&drive->session, &shard->env);
	drive->session.tls = listen->protocol == CONFIG_IMAPS;
	drive->session.wake = on_wake;
	frame_init(&drive->frame, false);
	drive->login_deadline_ns = loop_now_ns(shard->loop) + shard->config->login_ms * CLOCK_NS_PER_MS;
	return drive;
}

static void drive_fini(struct conn *conn)
{
	struct drive *drive = drive_of(conn);

	if (drive->user_counted)
		user_table_leave(conn->shard->users, &drive->session.userid, &conn->peer);
	session_fini(&drive->session);
	free(drive);
}

static bool is_loopback(const struct net_address *peer)
{
	static const uint8_t v4[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127 };
	static const uint8_t v6[16] = { [15] = 1 };

	return peer->is_unix || memcmp(peer->ip, v4, sizeof(v4)) == 0 || memcmp(peer->ip, v6, sizeof(v6)) == 0;
}

static void drive_greet(struct conn *conn)
{
	struct drive *drive = drive_of(conn);
	struct resp resp;

	/* Whatever a proxy says of its client, nobody becomes local by it; nor does a client from afar by a proxy that is. */
	drive->session.loopback = is_loopback(net_peer(conn->net)) && is_loopback(&conn->peer);
	resp_init(&resp, &conn->out, false);
	registry_greeting(&drive->session, &resp);
	resp_flush(&resp);
}

void drive_bye(struct drive *drive, const char *code, const char *text)
{
	struct resp resp;

	if (drive->conn->state != CONN_OPEN)
		return;
	if (!drive->bye_said) {
		resp_init(&resp, &drive->conn->out, false);
		resp_status(&resp, bytes_of("", 0), RESP_BYE, code, text);
		resp_flush(&resp);
		drive->bye_said = true;
	}
	conn_end(drive->conn);
}

/* Not logged in: BYE at the deadline, and a second later no more patience with who does not take it. */
static uint64_t tick_guest(struct drive *drive, uint64_t now_ns)
{
	struct conn *conn = drive->conn;
	bool entering = drive->session.enter_tag.n > 0; /* it has a right password: only its mail is still to be opened */

	if (now_ns < drive->login_deadline_ns)
		return num_max(drive->login_deadline_ns - now_ns, CLOCK_NS_PER_MS);
	if (conn->state != CONN_OPEN)
		conn_drop(conn, "login timeout");
	else if (!entering)
		drive_bye(drive, NULL, "Too long without a login.");
	return CLOCK_NS_PER_S;
}

static uint64_t drive_tick(struct conn *conn, uint64_t now_ns)
{
	struct drive *drive = drive_of(conn);
	const struct config *config = conn->shard->config;
	uint64_t idle_ns = config->idle_ms * CLOCK_NS_PER_MS;
	uint64_t keep_ns = config->keepalive_ms * CLOCK_NS_PER_MS;

	if (!logged_in(drive))
		return tick_guest(drive, now_ns);
	if (drive->session.idle_tag.n > 0) {
		/* The same moments for all: a phone with several connections wakes once. */
		uint64_t next_ns = (now_ns / keep_ns + 1) * keep_ns;

		if (drive->still_here_ns != 0 && now_ns / keep_ns != drive->still_here_ns / keep_ns &&
		    conn->task == NULL && conn->state == CONN_OPEN && conn->out.bytes == 0) {
			struct resp resp;

			resp_init(&resp, &conn->out, false);
			resp_status(&resp, bytes_of("", 0), RESP_OK, NULL, "Still here");
			resp_flush(&resp);
			conn_pump(conn);
		}
		drive->still_here_ns = now_ns;
		return next_ns - now_ns + CLOCK_NS_PER_MS;
	}
	drive->still_here_ns = now_ns;
	/* A task that waits for the rest of a command waits for the client, too; it has left no answer half written. */
	bool waits = conn->task == NULL || !task_queue_empty(&conn->input_queue);

	if (waits && now_ns - conn->heard_ns >= idle_ns) {
		drive_bye(drive, NULL, "Nothing was said for too long.");
		return CLOCK_NS_PER_S;
	}
	return num_min(keep_ns, idle_ns - num_min(now_ns - conn->heard_ns, idle_ns - CLOCK_NS_PER_S));
}

/* ---- running one command ---- */

static void say_bad(struct conn *conn, struct bytes tag, const char *code, const char *text, enum resp_status status)
{
	struct resp resp;

	resp_init(&resp, &conn->out, false);
	resp_status(&resp, tag, status, code, text);
	resp_flush(&resp);
}

/* One bad command more. False: that was one too many, BYE has been said. */
static bool count_bad(struct drive *drive)
{
	session_count_bad(&drive->session);
	if (drive->session.wish != SESSION_WISH_CLOSE)
		return true;
	drive->session.wish = SESSION_WISH_NONE;
	drive_bye(drive, NULL, drive->session.bye);
	return false;
}

/* A literal that the command did not want to the end is read and thrown away; then the line behind it, too. */
static enum rp_err drop_stream(struct task *task, struct drive_run *run)
{
	struct cmd *cmd = &run->cmd;
	struct bytes piece;
	enum rp_err err;

	if (!cmd->has_stream)
		return RP_OK;
	if (!run->stream_open) {
		if (cmd->stream_waits)
			return RP_OK; /* it was never asked for: the client goes on with its next command */
		if (cmd->stream_bytes > run->conn->shard->config->appendlimit_bytes * DRIVE_STREAM_DROP_FACTOR)
			return RP_ERR_TOOBIG;
		run->stream_open = true;
		run->stream_left = cmd->stream_bytes;
	}
	if (run->stream_left == 0 && run->stream_lent == 0)
		return RP_OK;
	while ((err = drive_io.stream_read(task, cmd, &piece)) == RP_OK)
		;
	if (err != RP_ERR_END)
		return err;
	/* The rest of the command: to its line's end, further literals included. */
	frame_init(&run->drive->frame, logged_in(run->drive));
	run->drive->dropping = true;
	frame_drop_start(&run->drive->frame, FRAME_DROP_BYTES_MAX);
	return RP_OK;
}

/* After STARTTLS: nothing of what was said in the clear is remembered. */
static void begin_anew(struct drive *drive)
{
	struct session *session = &drive->session;
	const struct session_env *env = session->env;
	bool loopback = session->loopback;

	session_fini(session);
	session_init(session, env);
	session->tls = true;
	session->loopback = loopback;
	session->wake = on_wake;
	frame_init(&drive->frame, false);
	drive->framing = false;
}

static enum rp_err fulfil_wish(struct task *task, struct drive *drive)
{
	struct session *session = &drive->session;
	struct conn *conn = drive->conn;
	enum session_wish wish = session->wish;
	enum rp_err err = RP_OK;

	session->wish = SESSION_WISH_NONE;
	switch (wish) {
	case SESSION_WISH_NONE:
		break;
	case SESSION_WISH_CLOSE:
		if (session->bye != NULL)
			drive_bye(drive, NULL, session->bye);
		else
			conn_end(conn);
		break;
	case SESSION_WISH_STARTTLS:
		if (conn_start_tls(conn))
			begin_anew(drive);
		else
			conn_end(conn);
		break;
	case SESSION_WISH_ENTER:
		err = handoff_enter(task, drive);
		break;
	}
	return err;
}

/* The selected mailbox is in memory till selected_rest(). If it cannot be read now the session ends. */
static enum rp_err wake_selected(struct task *task, struct drive *drive)
{
	enum rp_err err = selected_wake(task, &drive->session);

	if (err == RP_OK || err == RP_ERR_CANCELED)
		return err;
	drive_bye(drive, "UNAVAILABLE", "The mailbox cannot be read now.");
	return RP_ERR_CANCELED;
}

/* Carry out the command; its bytes are in run->cmd already. */
static enum rp_err run_command(struct task *task, struct drive_run *run)
{
	struct drive *drive = run->drive;
	struct shard *shard = run->conn->shard;
	uint64_t started_ns = clock_monotonic_ns();
	enum cmd_result result;
	enum rp_err err = wake_selected(task, drive);

	if (err != RP_OK)
		return err;
	result = registry_run(task, &run->cmd);
	resp_flush(&run->resp);
	if (run->conn->state != CONN_OPEN)
		return RP_ERR_CANCELED; /* its time came meanwhile: BYE was the last word */
	if (result == CMD_OK || result == CMD_NO || result == CMD_BAD)
		err = drop_stream(task, run);
	if (err == RP_ERR_TOOBIG)
		drive->session.wish = SESSION_WISH_CLOSE;
	else if (err != RP_OK)
		result = CMD_GONE;
	if (result == CMD_GONE)
		return RP_ERR_CANCELED;
	if (result != CMD_LATER) {
		err = registry_answer(task, &run->cmd, result);
		resp_flush(&run->resp);
		if (err != RP_OK)
			return err;
	}
	selected_rest(&drive->session);
	conn_take(run->conn, run->stream_lent);
	run->stream_lent = 0;
	stat_add(&shard->stats.commands, 1);
	stat_hist_add(&shard->stats.command_ns, clock_monotonic_ns() - started_ns);
	return fulfil_wish(task, drive);
}

/* in: the command's bytes, whole or up to a literal that is mail; copied, then taken from the input. */
static enum rp_err start_command(struct task *task, struct drive *drive, struct bytes in, bool stream)
{
	struct conn *conn = drive->conn;
	struct drive_run run = { .drive = drive, .conn = conn };
	struct command command;
	bool guest = !logged_in(drive);
	enum rp_err err = RP_OK;

	arena_init(&run.arena, !guest ? DRIVE_ARENA_BYTES_USER : DRIVE_ARENA_BYTES_GUEST);
	struct bytes text = arena_copy(&run.arena, in);
	struct frame frame = drive->frame;

	conn_take(conn, in.n);
	frame_init(&drive->frame, logged_in(drive));
	drive->framing = false;
	if (text.p == NULL) {
		drive_bye(drive, "UNAVAILABLE", "Out of memory.");
		return RP_OK;
	}
	switch (command_parse(text, &command)) {
	case COMMAND_EMPTY:
		break;
	case COMMAND_NOTAG:
		say_bad(conn, bytes_of("", 0), NULL, "No tag.", RESP_BAD);
		count_bad(drive);
		break;
	case COMMAND_BAD:
		say_bad(conn, command.tag, NULL, "No command.", RESP_BAD);
		count_bad(drive);
		break;
	case COMMAND_OK:
		resp_init(&run.resp, &conn->out, false);
		run.cmd = (struct cmd){
			.session = &drive->session,
			.def = registry_find(bytes_of_str(command.name), command.uid),
			.io = &drive_io,
			.io_arg = &run,
			.tag = command.tag,
			.args = command.args,
			.uid = command.uid,
			.arena = &run.arena,
			.resp = &run.resp,
			.has_stream = stream,
			.stream_waits = frame.literal_waits,
			.stream_bytes = frame.literal_bytes,
		};
		if (run.cmd.def == NULL) {
			say_bad(conn, command.tag, NULL, "Unknown command.", RESP_BAD);
			count_bad(drive);
			break;
		}
		err = run_command(task, &run);
		break;
	}
	if (guest)
		arena_wipe(&run.arena); /* perhaps a password, however it was said */
	arena_fini(&run.arena);
	return err;
}

/* The command cannot be taken: say why, then drop the rest of it. */
static void refuse(struct drive *drive, struct bytes in, const char *code, const char *text, enum resp_status status)
{
	struct bytes seen = bytes_slice(in, 0, drive->frame.end);

	say_bad(drive->conn, command_tag(seen), code, text, status);
	if (!count_bad(drive))
		return;
	/* Before login nobody's long line, or large literal, is worth reading to its end. */
	if (!logged_in(drive) && (code != NULL || seen.n >= FRAME_LINE_BYTES_MAX_GUEST)) {
		drive_bye(drive, NULL, "Too much.");
		return;
	}
	frame_drop_start(&drive->frame, FRAME_DROP_BYTES_MAX);
	drive->dropping = true;
	conn_take(drive->conn, seen.n);
}

/* A literal begins at frame.end. Is it mail, for a command that reads it itself? */
static bool is_stream(struct drive *drive, struct bytes in)
{
	struct command command;

	if (command_parse(bytes_slice(in, 0, drive->frame.end), &command) != COMMAND_OK)
		return false;
	const struct cmd_def *def = registry_find(bytes_of_str(command.name), command.uid);

	return def != NULL && (def->traits & TAKES_STREAM) != 0 && (def->allowed & (1u << drive->session.state)) != 0 &&
	       def->stream_next(command.args);
}

/* One step: RP_OK: go on. RP_ERR_END: more input is needed. */
static enum rp_err frame_step(struct task *task, struct drive *drive)
{
	struct conn *conn = drive->conn;
	struct bytes in = conn_input(conn);

	if (in.n == 0)
		return RP_ERR_END;
	if (!drive->framing)
		frame_init(&drive->frame, logged_in(drive));
	drive->framing = true;
	switch (frame_find(&drive->frame, in)) {
	case FRAME_MORE:
		/* A command may be larger than what an idle client may send ahead. */
		conn->in_bytes_max = num_max(conn->in_bytes_max, in.n + 1);
		return RP_ERR_END;
	case FRAME_WHOLE:
		return start_command(task, drive, bytes_slice(in, 0, drive->frame.end), false);
	case FRAME_LITERAL:
		if (is_stream(drive, in))
			return start_command(task, drive, bytes_slice(in, 0, drive->frame.end), true);
		switch (frame_may_hold(&drive->frame)) {
		case RP_OK:
			break;
		case RP_ERR_TOOBIG:
			refuse(drive, in, "TOOBIG", "Literal too big", RESP_NO);
			return RP_OK;
		default:
			refuse(drive, in, "LIMIT", "Too many literals", RESP_NO);
			return RP_OK;
		}
		if (drive->frame.literal_waits) {
			struct resp resp;

			resp_init(&resp, &conn->out, false);
			resp_continuation(&resp, BYTES_LIT("OK"));
			resp_flush(&resp);
		}
		conn->in_bytes_max = num_max(conn->in_bytes_max,
			drive->frame.end + drive->frame.literal_bytes + 1);
		frame_skip_literal(&drive->frame);
		return RP_OK;
	case FRAME_BAD:
		refuse(drive, in, NULL, drive->frame.reason, RESP_BAD);
		return RP_OK;
	}
	return RP_ERR_END;
}

/* Throw away the rest of an unwanted command. */
static enum rp_err drop_step(struct drive *drive)
{
	struct bytes in = conn_input(drive->conn);

	if (in.n == 0 && !drive->frame.drop_done)
		return RP_ERR_END;
	switch (frame_drop(&drive->frame, in)) {
	case FRAME_WHOLE:
		drive->dropping = false;
		drive->framing = false;
		conn_take(drive->conn, drive->frame.end);
		return RP_OK;
	case FRAME_MORE:
		conn_take(drive->conn, in.n);
		return RP_ERR_END;
	default:
		drive_bye(drive, NULL, "Command too long.");
		return RP_ERR_END;
	}
}

/* In IDLE: DONE, or news. */
static enum rp_err idle_step(struct task *task, struct drive *drive)
{
	struct conn *conn = drive->conn;
	struct bytes in = conn_input(conn);
	size_t lf = bytes_find(in, 0, '\n');
	struct resp resp;
	enum rp_err err = RP_OK;

	resp_init(&resp, &conn->out, false);
	if (conn->news || lf < in.n) {
		conn->news = false;
		/* Told when it is durable; what else changes till then is told along. */
		if (drive->session.volume != NULL)
			err = store_wait_durable(task, drive->session.env->store, session_position(&drive->session));
		if (err == RP_OK)
			err = wake_selected(task, drive);
		if (err == RP_OK)
			err = registry_idle_news(task, &drive->session, &resp);
		selected_rest(&drive->session);
		resp_flush(&resp);
		if (err != RP_OK)
			return err;
		if (drive->session.wish != SESSION_WISH_NONE)
			return fulfil_wish(task, drive);
		in = conn_input(conn);
		lf = bytes_find(in, 0, '\n');
	}
	if (lf == in.n && in.n <= FRAME_TAIL_BYTES)
		return conn->news ? RP_OK : RP_ERR_END;
	size_t n = lf < in.n ? lf : in.n;

	if (n > 0 && in.p[n - 1] == '\r')
		n--;
	bool done = lf < in.n && bytes_eq_fold(bytes_slice(in, 0, n), BYTES_LIT("DONE"));

	registry_idle_done(&drive->session, &resp, done);
	resp_flush(&resp);
	if (!done)
		count_bad(drive);
	if (lf < in.n) {
		conn_take(conn, lf + 1);
	} else {
		/* Not even a line: what it is the frame will tell. */
		drive->framing = false;
	}
	return RP_OK;
}

void drive_say_user_gone(struct drive *drive)
{
	drive_bye(drive, "CONTACTADMIN", "There is no such user any more.");
}

static void drive_run(struct task *task, struct conn *conn)
{
	struct drive *drive = drive_of(conn);
	struct shard *shard = conn->shard;
	enum rp_err err = RP_OK;

	while (err == RP_OK && conn->state == CONN_OPEN && !conn->moving && !conn->dropped) {
		if (conn->tls != NULL && !tls_conn_is_open(conn->tls))
			break; /* STARTTLS: the handshake comes first */
		if (logged_in(drive))
			shared_note_task(task, &drive->session.userid);
		if (drive->session.idle_tag.n > 0)
			err = idle_step(task, drive);
		else if (drive->dropping)
			err = drop_step(drive);
		else
			err = frame_step(task, drive);
		if (shard->stopping && !conn->moving)
			drive_bye(drive, "UNAVAILABLE", "The server is stopping.");
		else if (drive->user_gone && !conn->moving)
			drive_say_user_gone(drive);
		if (err == RP_OK && !conn->moving && conn->out.bytes > conn->out_bytes_high) {
			conn_input_unlend(conn);
			err = conn_flush(task, conn, conn->out_bytes_high / 2);
		}
		if (err == RP_OK && !conn->moving)
			err = task_pause(task);
	}
	if (conn->moving || conn->dropped)
		return;
	if (err != RP_OK && err != RP_ERR_END && err != RP_ERR_CANCELED)
		drive_bye(drive, "UNAVAILABLE", "The server cannot go on; try again later.");
	else if (err == RP_ERR_CANCELED && conn->state == CONN_OPEN)
		conn_end(conn);
	/* What more a command needed is over. */
	if (conn->in_to == conn->in_from)
		conn->in_bytes_max = logged_in(drive) ? CONN_IN_BYTES_USER : CONN_IN_BYTES_GUEST;
}

/* After the command that is under way: drive_run() looks at shard->stopping. */
static void drive_stop(struct conn *conn)
{
	if (conn->task == NULL && conn->greeted)
		drive_bye(drive_of(conn), "UNAVAILABLE", "The server is stopping.");
	else if (conn->task == NULL)
		conn_drop(conn, "stopping");
}

static void drive_refuse(struct conn *conn)
{
	drive_bye(drive_of(conn), NULL, "Too many connections from your address");
}

static void drive_user_gone(struct conn *conn, struct bytes name, const struct userid *userid)
{
	struct drive *drive = drive_of(conn);
	const struct session *session = &drive->session;

	if (!bytes_eq(session->name, name) || (userid != NULL && userid_eq(&session->userid, userid)))
		return;
	drive->user_gone = true;
	if (conn->task == NULL && logged_in(drive))
		drive_say_user_gone(drive);
}

void drive_free(struct drive *drive)
{
	session_fini(&drive->session);
	free(drive);
}

const struct conn_driver drive_imap = {
	.name = "imap",
	.run = drive_run,
	.greet = drive_greet,
	.tick = drive_tick,
	.stop = drive_stop,
	.refuse = drive_refuse,
	.user_gone = drive_user_gone,
	.fini = drive_fini,
};
