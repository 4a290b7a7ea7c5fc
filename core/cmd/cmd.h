/* cmd.h -- one command under way, and its answers.
 *
 * The driver (core/server/drive) splits the line, finds the row in the registry, checks the state, and calls the row's
 * function in the connection's task. The function reads its arguments, asks the index, writes untagged responses through
 * cmd_resp(), and returns one of cmd_ok(), cmd_no(), cmd_bad(), ...; the driver then adds pending news and the tagged line.
 *
 * The gate: cmd_resp() stamps what is written next with the position of the last change to the volume. So: look at the index,
 * then call cmd_resp() again, then write what was seen. A response line is begun with cmd_resp() each time.
 */
#ifndef RP_CORE_CMD_CMD_H
#define RP_CORE_CMD_CMD_H

#include "core/imap/resp.h"
#include "core/session/session.h"
#include "io/task.h"

struct cmd;

enum cmd_result {
	CMD_OK,
	CMD_NO,
	CMD_BAD,
	CMD_LATER, /* somebody else answers the tag: IDLE's DONE, the home shard */
	CMD_GONE,  /* the client has gone, or the output failed: no answer */
};

typedef enum cmd_result cmd_fn(struct task *task, struct cmd *cmd);

/* In which states a command is allowed. */
enum {
	IN_NOT_AUTH = 1 << SESSION_NOT_AUTHENTICATED,
	IN_AUTH = 1 << SESSION_AUTHENTICATED,
	IN_SELECTED = 1 << SESSION_SELECTED,
	IN_ANY = IN_NOT_AUTH | IN_AUTH | IN_SELECTED,
};

/* Facts of the protocol, which the driver enforces for all. */
enum {
	TAKES_STREAM = 1 << 0,  /* a literal may be mail: read with cmd_stream_* */
	ALSO_UID = 1 << 1,      /* "UID name" exists */
	ONLY_UID = 1 << 2,      /* only "UID name" exists */
	HOLDS_EXPUNGE = 1 << 3, /* no EXPUNGE is told while it runs on seqnos; its UID form may carry it */
	NO_NEWS = 1 << 4,       /* no untagged news with its answer (LOGOUT, STARTTLS, AUTHENTICATE, ...) */
};

struct cmd_def {
	const char *name; /* upper case */
	unsigned allowed;
	unsigned traits;
	cmd_fn *fn;
	/* TAKES_STREAM: with the arguments up to a literal's mark in `so_far`, is that literal mail? */
	bool (*stream_next)(struct bytes so_far);
};

/* What the driver does for a command; its functions suspend. */
struct cmd_io {
	/* Wait until the unsent output is below its bound (64 KiB). Called in loops that write much. */
	enum rp_err (*flush)(struct task *task, struct cmd *cmd);
	/* One more line from the client, without CRLF, in the command's arena: after a continuation request, or behind a stream.
	 * RP_ERR_LIMIT: too long (12 KiB). RP_ERR_END: the client has gone. */
	enum rp_err (*read_line)(struct task *task, struct cmd *cmd, struct bytes *line);
	/* Begin the stream: asks a client that waits with "+". */
	enum rp_err (*stream_accept)(struct task *task, struct cmd *cmd);
	/* The next piece, at most 64 KiB, good until the next call; RP_ERR_END: the literal is complete. RP_ERR_CANCELED: gone. */
	enum rp_err (*stream_read)(struct task *task, struct cmd *cmd, struct bytes *piece);
};

struct cmd {
	struct session *session;
	const struct cmd_def *def;
	const struct cmd_io *io;
	void *io_arg; /* the driver's */
	struct bytes tag;
	struct bytes args; /* behind the name and its space, without the last CRLF; literals lie inline; .n == 0: none. A password in it is wiped */
	bool uid;          /* the UID form */
	struct arena *arena; /* emptied after the command */
	struct resp *resp;   /* use cmd_resp() */

	/* TAKES_STREAM: the literal that args ends before. */
	bool has_stream;
	bool stream_waits;     /* {n}: the client waits for "+" */
	uint64_t stream_bytes; /* its length */

	/* The tagged line, set by cmd_ok() and the others: static or arena memory. */
	struct bytes code; /* without brackets; .n == 0: none */
	struct bytes text;
};

/* The writer, stamped with all that may be revealed now. */
struct resp *cmd_resp(struct cmd *cmd);

/* The answers. Text is for a person; never empty. printf forms go through arena_printf and code. */
enum cmd_result cmd_ok(struct cmd *cmd); /* "FETCH completed" */
enum cmd_result cmd_ok_code(struct cmd *cmd, struct bytes code, const char *text);
enum cmd_result cmd_no(struct cmd *cmd, enum rp_err err); /* text and code from resp_code; CANCELED: CMD_GONE */
enum cmd_result cmd_no_code(struct cmd *cmd, struct bytes code, const char *text);
enum cmd_result cmd_bad(struct cmd *cmd, const char *text);

/* Suspend while too much output is unsent; called in loops. */
static inline RP_MUST_USE enum rp_err cmd_flush(struct task *task, struct cmd *cmd)
{
	resp_flush(cmd->resp);
	return cmd->io->flush(task, cmd);
}

#endif
