/* What a line of FETCH costs to write, alone: "* N FETCH (UID n FLAGS (\Seen))" into a rope, as the
 * answer to FETCH 1:* (UID FLAGS) has it; consumed as it is sent, without a socket.
 *
 *     bench_resp [lines]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/imap/flag.h"
#include "core/imap/resp.h"
#include "io/base/clock.h"

enum {
	ROUNDS = 7,
	SEND_BYTES = 64 * 1024, /* what is gathered before it is sent */
	LINE_BYTES = 64 + 2 * RESP_U32_BYTES + FLAG_AT_BYTES,
};

static uint64_t drain(struct rope *rope)
{
	uint64_t sum = 0;

	for (;;) {
		struct bytes b = rope_peek(rope, UINT64_MAX);

		if (b.n == 0)
			return sum;
		sum += b.n;
		rope_consume(rope, b.n);
	}
}

/* The fast way: room once a line. */
static void reserved_line(struct resp *resp, uint32_t seqno, uint32_t uid, unsigned flags)
{
	uint8_t *p = resp_room(resp, LINE_BYTES);

	if (p == NULL)
		return;
	p = resp_at_u32(resp_at_lit(p, "* "), seqno);
	p = resp_at_u32(resp_at_lit(p, " FETCH (UID "), uid);
	p = flag_at(resp_at_lit(p, " FLAGS ("), flags);
	resp_commit(resp, resp_at_lit(p, "))\r\n"));
}

/* The plain way: each word checks for room. */
static void plain_line(struct resp *resp, uint32_t seqno, uint32_t uid, unsigned flags)
{
	resp_lit(resp, "* ");
	resp_u64(resp, seqno);
	resp_lit(resp, " FETCH (UID ");
	resp_u64(resp, uid);
	resp_lit(resp, " FLAGS (");
	flag_write(resp, flags, NULL, 0);
	resp_lit(resp, "))\r\n");
}

typedef void line_fn(struct resp *resp, uint32_t seqno, uint32_t uid, unsigned flags);

static inline __attribute__((always_inline)) uint64_t run(
    line_fn *line, uint32_t lines, unsigned mask, uint64_t *bytes)
{
	struct rope rope;
	struct resp resp;
	uint64_t start = clock_monotonic_ns();

	rope_init(&rope);
	resp_init(&resp, &rope, false);
	*bytes = 0;
	for (uint32_t i = 1; i <= lines; i++) {
		line(&resp, i, 3 * i + 1000, i * 2654435761u >> 27 & mask);
		if (rope.bytes >= SEND_BYTES) {
			resp_flush(&resp);
			*bytes += drain(&rope);
		}
	}
	resp_flush(&resp);
	*bytes += drain(&rope);
	rope_fini(&rope);
	return clock_monotonic_ns() - start;
}

static inline __attribute__((always_inline)) void measure(
    const char *name, line_fn *line, uint32_t lines, unsigned mask)
{
	uint64_t best = UINT64_MAX;
	uint64_t bytes = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t ns = run(line, lines, mask, &bytes);

		best = ns < best ? ns : best;
	}
	printf("%-28s %6.1f ns a line, %.1f bytes a line\n", name, (double)best / lines,
	    (double)bytes / lines);
}

int main(int argc, char **argv)
{
	uint32_t lines = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;

	if (lines == 0)
		return 2;
	measure("reserved, \\Seen or not", reserved_line, lines, FLAG_SEEN);
	measure("reserved, any of 32 sets", reserved_line, lines, FLAG_ALL);
	measure("plain, any of 32 sets", plain_line, lines, FLAG_ALL);
	return 0;
}
