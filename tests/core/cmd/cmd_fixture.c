#include "tests/core/cmd/cmd_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cmd/registry.h"
#include "core/imap/command.h"
#include "core/imap/frame.h"
#include "core/mail/charset.h"
#include "core/session/message_reader.h"
#include "tests/core/cmd/fake.h"

enum { FIXTURE_ARENA_BYTES_MAX = 4 * 1024 * 1024 };

static struct charset_set charsets;

static void take_output(struct cmd_fixture *fixture)
{
	struct bytes b;

	resp_flush(&fixture->resp);
	while ((b = rope_peek(&fixture->rope, UINT64_MAX)).n > 0) {
		fixture->out = realloc(fixture->out, fixture->out_n + b.n + 1);
		cr_assert_not_null(fixture->out);
		memcpy(fixture->out + fixture->out_n, b.p, b.n);
		fixture->out_n += b.n;
		rope_consume(&fixture->rope, b.n);
	}
	fixture->out = realloc(fixture->out, fixture->out_n + 1);
	cr_assert_not_null(fixture->out);
	fixture->out[fixture->out_n] = '\0';
}

static enum rp_err flush(struct task *task, struct cmd *cmd)
{
	struct cmd_fixture *fixture = cmd->io_arg;

	fixture->flushes++;
	take_output(fixture);
	return task_pause(task);
}

static enum rp_err read_line(struct task *task, struct cmd *cmd, struct bytes *line)
{
	struct cmd_fixture *fixture = cmd->io_arg;
	struct bytes rest = bytes_of(fixture->in + fixture->at, fixture->in_n - fixture->at);
	size_t end = bytes_find(rest, 0, '\n');

	(void)task;
	if (end == rest.n)
		return RP_ERR_END;
	*line = bytes_slice(rest, 0, end > 0 && rest.p[end - 1] == '\r' ? end - 1 : end);
	fixture->at += end + 1;
	return RP_OK;
}

static enum rp_err stream_accept(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (cmd->stream_waits)
		resp_continuation(cmd->resp, BYTES_LIT("OK"));
	return RP_OK;
}

static enum rp_err stream_read(struct task *task, struct cmd *cmd, struct bytes *piece)
{
	struct cmd_fixture *fixture = cmd->io_arg;
	size_t n = fixture->piece_bytes;

	(void)task;
	if (fixture->stream_left == 0)
		return RP_ERR_END;
	if (n > fixture->stream_left)
		n = (size_t)fixture->stream_left;
	if (n > fixture->in_n - fixture->at)
		n = fixture->in_n - fixture->at;
	if (n == 0)
		return RP_ERR_CANCELED; /* the client has gone in the middle */
	*piece = bytes_of(fixture->in + fixture->at, n);
	fixture->at += n;
	fixture->stream_left -= n;
	return RP_OK;
}

static const struct cmd_io fixture_io = { flush, read_line, stream_accept, stream_read };

/* Split what was said into a command, as the driver does it. */
static void parse(struct cmd_fixture *fixture, struct cmd *cmd, struct command *command)
{
	struct bytes all = bytes_of(fixture->in, fixture->in_n);
	struct frame frame;

	frame_init(&frame, true);
	for (;;) {
		enum frame_verdict verdict = frame_find(&frame, all);

		cr_assert(verdict == FRAME_WHOLE || verdict == FRAME_LITERAL, "a frame: %s", fixture->in);
		cr_assert_eq(command_parse(bytes_slice(all, 0, frame.end), command), COMMAND_OK);
		cmd->def = registry_find(bytes_of_str(command->name), command->uid);
		fixture->at = frame.end;
		if (verdict == FRAME_WHOLE)
			return;
		if (cmd->def != NULL && cmd->def->stream_next != NULL &&
		    cmd->def->stream_next(command->args)) {
			cmd->has_stream = true;
			cmd->stream_waits = frame.literal_waits;
			cmd->stream_bytes = fixture->stream_left = frame.literal_bytes;
			return;
		}
		frame_skip_literal(&frame);
	}
}

static void run(struct task *task, void *arg)
{
	struct cmd_fixture *fixture = arg;
	struct command command = { 0 };
	struct cmd cmd = {
		.session = &fixture->session,
		.io = &fixture_io,
		.io_arg = fixture,
		.arena = &fixture->arena,
		.resp = &fixture->resp,
	};

	parse(fixture, &cmd, &command);
	cmd.tag = command.tag;
	cmd.args = command.args;
	cmd.uid = command.uid;
	fixture->result = registry_run(task, &cmd);
	if (fixture->session.wish == SESSION_WISH_ENTER) {
		enum rp_err err = session_enter(task, &fixture->session, &fixture->env);

		registry_entered(&fixture->session, &fixture->resp, err);
	} else if (fixture->result != CMD_LATER && fixture->result != CMD_GONE) {
		cr_assert_eq(registry_answer(task, &cmd, fixture->result), RP_OK);
	}
	loop_stop(fixture->loop);
}

static void in_task(struct cmd_fixture *fixture, task_fn *fn)
{
	free(fixture->out);
	fixture->out = NULL;
	fixture->out_n = 0;
	cr_assert_eq(task_start(fixture->loop, fn, fixture, NULL), RP_OK);
	loop_run(fixture->loop);
	take_output(fixture);
	cr_assert(!fixture->rope.failed);
	arena_reset(&fixture->arena);
}

const char *cmd_fixture_say_bytes(struct cmd_fixture *fixture, struct bytes text)
{
	free(fixture->in);
	fixture->in = malloc(text.n + 3);
	cr_assert_not_null(fixture->in);
	memcpy(fixture->in, text.p, text.n);
	memcpy(fixture->in + text.n, "\r\n", 3);
	fixture->in_n = text.n + 2;
	fixture->at = 0;
	in_task(fixture, run);
	return fixture->out;
}

const char *cmd_fixture_say(struct cmd_fixture *fixture, const char *text)
{
	return cmd_fixture_say_bytes(fixture, bytes_of_str(text));
}

const char *cmd_fixture_append(
    struct cmd_fixture *fixture, const char *mailbox, const char *before, struct bytes message)
{
	char *text = malloc(message.n + 1000);
	const char *answer;
	int n;

	cr_assert_not_null(text);
	n = snprintf(text, 1000, "ap APPEND %s %s{%zu+}\r\n", mailbox, before, message.n);
	cr_assert(n > 0 && n < 1000);
	memcpy(text + n, message.p, message.n);
	answer = cmd_fixture_say_bytes(fixture, bytes_of(text, (size_t)n + message.n));
	free(text);
	return answer;
}

static void tell(struct task *task, void *arg)
{
	struct cmd_fixture *fixture = arg;

	cr_assert_eq(registry_idle_news(task, &fixture->session, &fixture->resp), RP_OK);
	loop_stop(fixture->loop);
}

const char *cmd_fixture_news(struct cmd_fixture *fixture)
{
	in_task(fixture, tell);
	return fixture->out;
}

static enum rp_err authenticate(struct task *task, struct session *session, struct bytes authzid,
    struct bytes name, struct bytes password, struct userid *userid, struct bytes *canonical)
{
	(void)task;
	if (bytes_eq(name, BYTES_LIT("down")))
		return RP_ERR_UNAVAILABLE;
	if (!bytes_eq_fold(name, BYTES_LIT("sam")) || !bytes_eq(password, BYTES_LIT("se\"cret")))
		return RP_ERR_DENIED;
	if (authzid.n > 0 && !bytes_eq(authzid, BYTES_LIT("sam")))
		return RP_ERR_CANNOT;
	memset(userid, 7, sizeof(*userid));
	*canonical = arena_copy(&session->arena, BYTES_LIT("sam"));
	return canonical->p != NULL ? RP_OK : RP_ERR_NOMEM;
}

static void woken(struct session *session)
{
	RP_CONTAINER_OF(session, struct cmd_fixture, session)->wakes++;
}

void cmd_fixture_open(struct cmd_fixture *fixture, struct cmd_fixture *mate)
{
	const struct loop_settings settings = { .root_fd = { -1, -1 } };
	const char *reason = "";

	*fixture = (struct cmd_fixture){
		.env = {
			.server_name = "ringpost",
			.version = "0",
			.appendlimit_bytes = 1024 * 1024,
			.search_cpu_ms = 60 * 1000,
			.tls_available = true,
			.shards_count = 1,
			.charsets = &charsets,
			.authenticate = authenticate,
		},
		.piece_bytes = 7,
	};
	if (mate != NULL) {
		fixture->loop = mate->loop;
	} else {
		cr_assert_eq(loop_open(&settings, &fixture->loop, &reason), RP_OK, "%s", reason);
		fixture->owns_loop = true;
		fake_volume(&message_reader);
		cr_assert_eq(charset_init(&charsets, &reason), RP_OK, "%s", reason);
	}
	arena_init(&fixture->arena, FIXTURE_ARENA_BYTES_MAX);
	rope_init(&fixture->rope);
	resp_init(&fixture->resp, &fixture->rope, false);
	session_init(&fixture->session, &fixture->env);
	fixture->session.tls = true;
	fixture->session.wake = woken;
}

void cmd_fixture_login(struct cmd_fixture *fixture, struct cmd_fixture *mate)
{
	cmd_fixture_open(fixture, mate);
	cmd_fixture_has(cmd_fixture_say(fixture, "l LOGIN sam \"se\\\"cret\""), "l OK [CAPABILITY ");
	cr_assert_eq(fixture->session.state, SESSION_AUTHENTICATED);
}

void cmd_fixture_close(struct cmd_fixture *fixture)
{
	session_fini(&fixture->session);
	rope_fini(&fixture->rope);
	arena_fini(&fixture->arena);
	free(fixture->in);
	free(fixture->out);
	if (fixture->owns_loop) {
		fake_fini();
		charset_fini(&charsets);
		loop_close(fixture->loop);
	}
}

void cmd_fixture_has(const char *answer, const char *text)
{
	cr_assert_not_null(strstr(answer, text), "wanted: %s\nin:\n%s", text, answer);
}

void cmd_fixture_lacks(const char *answer, const char *text)
{
	cr_assert_null(strstr(answer, text), "not wanted: %s\nin:\n%s", text, answer);
}

void cmd_fixture_is(const char *answer, const char *text)
{
	cr_assert_str_eq(answer, text, "wanted:\n%s\ngot:\n%s", text, answer);
}
