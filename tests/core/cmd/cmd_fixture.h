/* cmd_fixture.h -- a session without a connection: say a line, get the answer as text.
 *
 * Commands run in real tasks on a real loop, are framed as the driver does it, mail is streamed in small pieces.
 */
#ifndef RP_TESTS_CORE_CMD_CMD_FIXTURE_H
#define RP_TESTS_CORE_CMD_CMD_FIXTURE_H

#include "core/cmd/cmd.h"

struct cmd_fixture {
	struct loop *loop;
	bool owns_loop;
	struct session_env env;
	struct session session;
	struct rope rope;
	struct resp resp;
	struct arena arena;
	uint8_t *in; /* what the client sends, all of it */
	size_t in_n;
	size_t at;
	uint64_t stream_left;
	size_t piece_bytes; /* of a stream; a test may change it */
	unsigned flushes;
	unsigned wakes;
	char *out;
	size_t out_n;
	enum cmd_result result;
};

/* A guest over TLS. mate: another session of the same server; NULL: a new server. */
void cmd_fixture_open(struct cmd_fixture *fixture, struct cmd_fixture *mate);
void cmd_fixture_close(struct cmd_fixture *fixture);

/* The same, logged in. */
void cmd_fixture_login(struct cmd_fixture *fixture, struct cmd_fixture *mate);

/* Say one command (without its last CRLF; further lines that it asks for follow), get all of the answer. Good until the next. */
const char *cmd_fixture_say(struct cmd_fixture *fixture, const char *text);
const char *cmd_fixture_say_bytes(struct cmd_fixture *fixture, struct bytes text);

/* APPEND this message to a mailbox; the answer. before: "(\\Seen) \"date\" ", or "". */
const char *cmd_fixture_append(
    struct cmd_fixture *fixture, const char *mailbox, const char *before, struct bytes message);

/* What IDLE would tell now. */
const char *cmd_fixture_news(struct cmd_fixture *fixture);

/* The answer holds this text, or does not: shows both on failure. */
void cmd_fixture_has(const char *answer, const char *text);
void cmd_fixture_lacks(const char *answer, const char *text);
void cmd_fixture_is(const char *answer, const char *text);

#endif
