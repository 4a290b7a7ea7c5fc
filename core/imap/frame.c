#include "core/imap/frame.h"

enum {
	LITERAL_DIGITS_MAX = 20, /* of 2^64; more is nonsense, not a number */
};

/* What stands at the end of a line. */
struct mark {
	uint64_t bytes;
	bool waits;
	bool binary;
};

void frame_init(struct frame *frame, bool logged_in)
{
	*frame = (struct frame){
		.line_bytes_max =
		    logged_in ? FRAME_LINE_BYTES_MAX_USER : FRAME_LINE_BYTES_MAX_GUEST,
		.literal_bytes_max =
		    logged_in ? FRAME_LITERAL_BYTES_MAX_USER : FRAME_LITERAL_BYTES_MAX_GUEST,
		.literals_bytes_max =
		    logged_in ? FRAME_LITERALS_BYTES_MAX_USER : FRAME_LITERALS_BYTES_MAX_GUEST,
	};
}

/* Could this byte stand in a literal mark, or in what was meant to be one ("{-1}", "{0x10}")? What
 * ends the search for '{' are the bytes that end a token, so "a{b" c} is no mark. */
static bool in_mark(uint8_t c)
{
	return c > ' ' && c != '"' && c != '(' && c != ')' && c != '\\' && c != '}';
}

/* literal = ["~"] "{" number64 ["+"] "}" CRLF (RFC 9051, section 9), read from its end.
 * RP_ERR_NOTFOUND: the line ends otherwise, which is no fault. RP_ERR_SYNTAX: it is malformed. */
static enum rp_err read_literal_mark(struct bytes line, struct mark *mark)
{
	size_t at = line.n;

	if (at == 0 || line.p[at - 1] != '}')
		return RP_ERR_NOTFOUND;
	at--;
	while (at > 0 && line.p[at - 1] != '{') {
		if (!in_mark(line.p[at - 1]))
			return RP_ERR_NOTFOUND;
		at--;
	}
	if (at == 0)
		return RP_ERR_NOTFOUND;

	struct bytes number = bytes_slice(line, at, line.n - 1);
	bool waits = true;

	if (number.n > 0 && number.p[number.n - 1] == '+') {
		waits = false;
		number.n--;
	}
	uint64_t bytes;

	if (number.n > LITERAL_DIGITS_MAX || !bytes_to_u64(number, INT64_MAX, &bytes))
		return RP_ERR_SYNTAX;
	*mark = (struct mark){ bytes, waits, at >= 2 && line.p[at - 2] == '~' };
	return RP_OK;
}

/* The last bytes of [from, to) are all that frame_drop needs to know of a line. */
static void keep_tail(struct frame *frame, struct bytes in, size_t from, size_t to)
{
	size_t n = to - from;

	if (n >= FRAME_TAIL_BYTES) {
		memcpy(frame->tail, in.p + to - FRAME_TAIL_BYTES, FRAME_TAIL_BYTES);
		frame->tail_bytes = FRAME_TAIL_BYTES;
		return;
	}
	size_t kept = frame->tail_bytes;

	if (kept > FRAME_TAIL_BYTES - n) {
		kept = FRAME_TAIL_BYTES - n;
		memmove(frame->tail, frame->tail + frame->tail_bytes - kept, kept);
	}
	if (n > 0)
		memcpy(frame->tail + kept, in.p + from, n);
	frame->tail_bytes = kept + n;
}

/* `end` is where frame_drop goes on: at the LF, or before it, so that it sees the end of the line.
 */
static enum frame_verdict bad(struct frame *frame, struct bytes in, size_t end, const char *reason)
{
	frame->reason = reason;
	frame->end = end;
	frame->literal_bytes = 0;
	frame->tail_bytes = 0;
	keep_tail(frame, in, frame->line, end);
	return FRAME_BAD;
}

/* A line ends before in.p[end], which is behind its LF. */
static enum frame_verdict end_of_line(struct frame *frame, struct bytes in, size_t end)
{
	struct mark mark;

	if (end - frame->line < 2 || in.p[end - 2] != '\r')
		return bad(frame, in, end - 1, "LF without CR");
	if (frame->nul)
		return bad(frame, in, end - 1, "NUL in a command");
	switch (read_literal_mark(bytes_slice(in, frame->line, end - 2), &mark)) {
	case RP_OK:
		frame->literal_bytes = mark.bytes;
		frame->literal_waits = mark.waits;
		frame->literal_binary = mark.binary;
		frame->end = end;
		return FRAME_LITERAL;
	case RP_ERR_NOTFOUND:
		frame->end = end;
		return FRAME_WHOLE;
	default:
		return bad(frame, in, end - 1, "Malformed literal");
	}
}

enum frame_verdict frame_find(struct frame *frame, struct bytes in)
{
	RP_ASSERT(frame->line <= frame->searched);
	if (in.n <= frame->searched)
		return FRAME_MORE; /* nothing new, or still inside a literal */

	const uint8_t *from = in.p + frame->searched;
	const uint8_t *lf = memchr(from, '\n', in.n - frame->searched);
	size_t end = lf != NULL ? (size_t)(lf - in.p) + 1 : in.n;
	size_t lines_left = frame->line_bytes_max - frame->lines_bytes;

	if (memchr(from, '\0', end - frame->searched) != NULL)
		frame->nul = true;
	frame->searched = end;
	if (end - frame->line > lines_left)
		return bad(frame, in, frame->line + lines_left, "Too long argument");
	if (lf == NULL)
		return FRAME_MORE;
	return end_of_line(frame, in, end);
}

enum rp_err frame_may_hold(const struct frame *frame)
{
	/* The first test bounds the sum of the second. */
	if (frame->literal_bytes > frame->literal_bytes_max ||
	    frame->literals_bytes + frame->literal_bytes > frame->literals_bytes_max)
		return RP_ERR_TOOBIG;
	return frame->literals_count >= FRAME_LITERALS_COUNT_MAX ? RP_ERR_LIMIT : RP_OK;
}

void frame_skip_literal(struct frame *frame)
{
	frame->lines_bytes += frame->end - frame->line;
	frame->literals_bytes += frame->literal_bytes;
	frame->literals_count++;
	frame->line = frame->end + frame->literal_bytes;
	frame->searched = frame->line;
	frame->nul = false;
}

void frame_drop_start(struct frame *frame, uint64_t bytes_max)
{
	bool at_literal = frame->reason == NULL;

	frame->drop_bytes_left = bytes_max;
	frame->drop_literal_left = at_literal ? frame->literal_bytes : 0;
	frame->drop_done = at_literal && frame->literal_waits;
	if (at_literal)
		frame->tail_bytes = 0;
}

/* The end of a dropped line, behind its LF: is it the end of the command? A client that waits for
 * "+" will read our answer instead. */
static bool drop_ends(struct frame *frame)
{
	struct bytes line = { frame->tail, frame->tail_bytes };
	struct mark mark;

	frame->tail_bytes = 0;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (read_literal_mark(line, &mark) != RP_OK || mark.waits)
		return true;
	frame->drop_literal_left = mark.bytes;
	return false;
}

enum frame_verdict frame_drop(struct frame *frame, struct bytes in)
{
	size_t at = 0;

	while (!frame->drop_done && at < in.n) {
		if (frame->drop_literal_left > frame->drop_bytes_left)
			return FRAME_BAD;
		size_t n = in.n - at;
		bool literal = frame->drop_literal_left > 0;

		if (literal) {
			if (n > frame->drop_literal_left)
				n = (size_t)frame->drop_literal_left;
			frame->drop_literal_left -= n;
		} else {
			n = bytes_find(in, at, '\n') - at;
			keep_tail(frame, in, at, at + n);
			n += at + n < in.n ? 1 : 0;
		}
		if (n > frame->drop_bytes_left)
			return FRAME_BAD;
		frame->drop_bytes_left -= n;
		at += n;
		if (!literal && in.p[at - 1] == '\n')
			frame->drop_done = drop_ends(frame);
	}
	frame->end = at;
	return frame->drop_done ? FRAME_WHOLE : FRAME_MORE;
}
