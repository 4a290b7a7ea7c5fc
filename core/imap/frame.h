/* frame.h -- where does a client command end?
 *
 * A command is one line, or several lines joined by literals:
 *     a1 LOGIN {3}\r\nsam {5+}\r\nhello\r\n
 * A frame is found here; what it says is command.h's business. The way of the driver:
 *
 *     frame_find() --WHOLE--> carry out in.p[0, end), zero the frame, go on behind it
 *        |  ^
 *        |  '-- frame_skip_literal() <-- RP_OK -- frame_may_hold() <-- LITERAL
 *        |                                                |
 *        BAD ("tag BAD reason")             RP_ERR_TOOBIG, RP_ERR_LIMIT ("tag NO [TOOBIG]")
 *        |                                                |
 *        '-----------> frame_drop_start() <---------------'
 *                            |  throw away in.p[0, end)
 *                       frame_drop() on each new piece, till WHOLE (go on behind it) or BAD (BYE)
 *
 * A literal that is mail is not held: at LITERAL the driver looks at the command so far
 * (command_parse on in.p[0, end)), streams literal_bytes, and then starts a new frame for the rest
 * of the command, which begins with the CRLF, or with what stands before the next literal.
 */
#ifndef RP_CORE_IMAP_FRAME_H
#define RP_CORE_IMAP_FRAME_H

#include "io/base/bytes.h"
#include "io/base/err.h"

/* What one command may make us hold. Before login: all of a connection's 16 KiB, so that strangers
 * cost little; afterwards as much as long sequence sets and search texts need. */
#define FRAME_LINE_BYTES_MAX_GUEST     ((size_t)8 * 1024)
#define FRAME_LINE_BYTES_MAX_USER      ((size_t)64 * 1024)
#define FRAME_LITERAL_BYTES_MAX_GUEST  ((size_t)8 * 1024)
#define FRAME_LITERAL_BYTES_MAX_USER   ((size_t)64 * 1024)
#define FRAME_LITERALS_BYTES_MAX_GUEST ((size_t)8 * 1024)
#define FRAME_LITERALS_BYTES_MAX_USER  ((size_t)1024 * 1024)
#define FRAME_LITERALS_COUNT_MAX       256
/* How much of a command that is not wanted is read to find its end; beyond, the client is cut off.
 */
#define FRAME_DROP_BYTES_MAX ((uint64_t)1024 * 1024)

enum {
	FRAME_TAIL_BYTES = 32, /* the longest literal mark, ~{20 digits+} CR, and more */
};

enum frame_verdict {
	FRAME_MORE,    /* cannot tell yet: come back with these bytes and more */
	FRAME_WHOLE,   /* in.p[0, end) is one command, CRLF included */
	FRAME_LITERAL, /* a literal of literal_bytes starts at in.p[end] */
	FRAME_BAD,     /* breaks the grammar or a limit; reason says which */
};

struct frame {
	size_t line_bytes_max;     /* the caller's: the lines of one command together */
	size_t literal_bytes_max;  /* the caller's, for frame_may_hold: one literal */
	size_t literals_bytes_max; /* all literals of one command together */
	size_t line;               /* offset where the current line starts */
	size_t searched;           /* offset up to which we looked; line <= searched */
	size_t end;                /* set by FRAME_WHOLE, FRAME_LITERAL, and FRAME_BAD */
	size_t lines_bytes;        /* of this command's earlier lines */
	size_t literals_bytes;     /* of the literals that were skipped */
	unsigned literals_count;
	uint64_t literal_bytes; /* set by FRAME_LITERAL */
	bool literal_waits;     /* {n}: the client waits for "+". {n+}: it does not */
	bool literal_binary;    /* ~{n}: a literal8, which may hold NUL */
	bool nul;               /* the current line has one */
	const char *reason;     /* set by FRAME_BAD; static text for the BAD response */

	/* frame_drop's own */
	uint64_t drop_bytes_left;   /* the budget */
	uint64_t drop_literal_left; /* of the literal that is being dropped */
	bool drop_done;             /* nothing has to be dropped: the client waits for our answer */
	uint8_t tail[FRAME_TAIL_BYTES]; /* the last bytes of the line that is being dropped */
	size_t tail_bytes;
};

/* A frame at the start of a command, with the limits of a connection before or after login. */
void frame_init(struct frame *frame, bool logged_in);

/* Look for the end of the command that starts at in.p[0].
 *
 * Pure: reads its arguments, writes *frame, allocates nothing. The work over all
 * calls is linear in the bytes received, however the network cut them.
 *
 * frame    the caller's; all but the limits zero before the first byte of each command
 * in       borrowed for the call; only ever grows between calls
 * thread   any
 */
RP_MUST_USE enum frame_verdict frame_find(struct frame *frame, struct bytes in);

/* After FRAME_LITERAL: may this literal be held in memory with its command?
 * RP_ERR_TOOBIG: it, or all together, are too large. RP_ERR_LIMIT: there are too many. */
RP_MUST_USE enum rp_err frame_may_hold(const struct frame *frame);

/* Go on after a literal: the next line starts literal_bytes beyond end. */
void frame_skip_literal(struct frame *frame);

/* The command that frame_find last spoke of (LITERAL or BAD, not MORE) is not wanted: its rest is
 * to be dropped, bytes_max at most. The bytes up to frame->end are the caller's to throw away. */
void frame_drop_start(struct frame *frame, uint64_t bytes_max);

/* Drop. `in` is what follows the bytes already dropped: it does not grow, each byte is seen once.
 * FRAME_MORE: all of `in` belongs to the command; throw it away, come back with what follows.
 * FRAME_WHOLE: the command ended at in.p[frame->end], which may be 0. FRAME_BAD: over bytes_max. */
RP_MUST_USE enum frame_verdict frame_drop(struct frame *frame, struct bytes in);

#endif
