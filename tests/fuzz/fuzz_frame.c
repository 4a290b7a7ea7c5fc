/* The same bytes, cut in two ways, give the same commands; and what is dropped ends at the same
 * place. */
#include "core/imap/frame.h"
#include "tests/fuzz/fuzz.h"

enum {
	LINE_MAX_BYTES = 200,
	LITERAL_MAX_BYTES = 50,
	DROP_MAX_BYTES = 400,
	EVENTS_MAX = 64,
};

/* What the driver would see. */
struct events {
	size_t at[EVENTS_MAX];
	int what[EVENTS_MAX];
	size_t count;
};

static void note(struct events *events, size_t at, int what)
{
	if (events->count == EVENTS_MAX)
		return;
	events->at[events->count] = at;
	events->what[events->count++] = what;
}

static struct frame start(void)
{
	return (struct frame){ .line_bytes_max = LINE_MAX_BYTES,
		.literal_bytes_max = LITERAL_MAX_BYTES,
		.literals_bytes_max = 2 * LITERAL_MAX_BYTES };
}

/* Drop from `at` on, in pieces; returns where the next command starts, or SIZE_MAX: the end, or
 * lost. */
static size_t drop(struct frame *frame, struct bytes in, size_t at, size_t piece)
{
	frame_drop_start(frame, DROP_MAX_BYTES);
	for (;;) {
		size_t n = in.n - at < piece ? in.n - at : piece;
		enum frame_verdict verdict = frame_drop(frame, bytes_slice(in, at, at + n));

		RP_ASSERT(verdict == FRAME_BAD || frame->end <= n);
		if (verdict == FRAME_BAD)
			return SIZE_MAX;
		at += frame->end;
		if (verdict == FRAME_WHOLE)
			return at;
		if (at == in.n)
			return SIZE_MAX;
	}
}

static void drive(struct bytes in, size_t piece, struct events *events)
{
	struct frame frame = start();
	size_t base = 0; /* where the command starts */
	size_t seen = 0; /* bytes that have arrived */

	while (seen < in.n || seen == 0) {
		seen = in.n - seen < piece ? in.n : seen + piece;
		for (;;) {
			enum frame_verdict verdict =
			    frame_find(&frame, bytes_slice(in, base, seen < base ? base : seen));

			if (verdict == FRAME_MORE)
				break;
			RP_ASSERT(base + frame.end <= seen);
			if (verdict == FRAME_LITERAL && frame_may_hold(&frame) == RP_OK) {
				note(events, base + frame.end, FRAME_LITERAL);
				frame_skip_literal(&frame);
				continue;
			}
			size_t next = base + frame.end;

			if (verdict != FRAME_WHOLE)
				next = drop(&frame, in, next, piece);
			note(events, next, verdict);
			if (next == SIZE_MAX)
				return;
			base = next;
			frame = start();
		}
		if (in.n == 0)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct events one;
	static struct events other;

	if (n < 1)
		return 0;
	one.count = 0;
	other.count = 0;
	drive(bytes_of(p + 1, n - 1), SIZE_MAX / 2, &one);
	drive(bytes_of(p + 1, n - 1), p[0] % 13 + 1u, &other);
	RP_ASSERT(one.count == other.count);
	for (size_t i = 0; i < one.count; i++)
		RP_ASSERT(one.at[i] == other.at[i] && one.what[i] == other.what[i]);
	return 0;
}
