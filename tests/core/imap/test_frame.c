#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/imap/frame.h"

/* However the network cuts the bytes, the verdicts are the same. */
Test(frame, any_cut_gives_the_same_verdicts)
{
	static const char text[] = "a1 LOGIN {3}\r\nsam {5+}\r\nhello\r\n";
	static const size_t ends[] = { 14, 24, 31 };
	struct frame frame = { .line_bytes_max = 64 };
	size_t found = 0;

	for (size_t n = 1; n < sizeof(text); n++) {
		struct bytes in = { (const uint8_t *)text, n };
		enum frame_verdict verdict = frame_find(&frame, in);

		if (verdict == FRAME_MORE)
			continue;
		cr_assert_eq(frame.end, ends[found++]);
		if (verdict == FRAME_LITERAL)
			frame_skip_literal(&frame);
	}
	cr_assert_eq(found, 3);
}

static enum frame_verdict find(struct frame *frame, struct bytes in)
{
	frame_init(frame, true);
	return frame_find(frame, in);
}

Test(frame, a_literal_mark_says_length_and_who_waits)
{
	struct frame f;

	cr_assert_eq(find(&f, BYTES_LIT("a X {0}\r\n")), FRAME_LITERAL);
	cr_assert(f.literal_waits && !f.literal_binary && f.literal_bytes == 0 && f.end == 9);
	cr_assert_eq(find(&f, BYTES_LIT("a X {0012+}\r\n")), FRAME_LITERAL);
	cr_assert(!f.literal_waits && f.literal_bytes == 12);
	cr_assert_eq(find(&f, BYTES_LIT("a X ~{7}\r\n")), FRAME_LITERAL);
	cr_assert(f.literal_waits && f.literal_binary && f.literal_bytes == 7);
	cr_assert_eq(find(&f, BYTES_LIT("a X {9223372036854775807+}\r\n")), FRAME_LITERAL);
	cr_assert_eq(f.literal_bytes, INT64_MAX);
	cr_assert_eq(frame_may_hold(&f), RP_ERR_TOOBIG);
}

Test(frame, a_malformed_mark_is_bad)
{
	static const char *const lines[] = {
		"a X {-1}\r\n",
		"a X {}\r\n",
		"a X {+}\r\n",
		"a X {0x10}\r\n",
		"a X {9223372036854775808}\r\n",
		"a X {18446744073709551616}\r\n",
		"a X {000000000000000000000000000001}\r\n",
		"a X {1++}\r\n",
		"a X {+1}\r\n",
	};
	struct frame f;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cr_assert_eq(find(&f, bytes_of_str(lines[i])), FRAME_BAD, "%s", lines[i]);
		cr_assert_str_eq(f.reason, "Malformed literal");
	}
}

Test(frame, braces_that_are_no_mark_end_no_line)
{
	static const char *const lines[] = {
		"a X foo}\r\n",
		"a X \"{5}\"\r\n",
		"a LOGIN \"a{b\" c}\r\n",
		"a X {5} \r\n",
		"}\r\n",
		"a X {1 }\r\n",
		"a X (x{y) z}\r\n",
		"\r\n",
	};
	struct frame f;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cr_assert_eq(find(&f, bytes_of_str(lines[i])), FRAME_WHOLE, "%s", lines[i]);
		cr_assert_eq(f.end, strlen(lines[i]));
	}
}

Test(frame, bare_lf_and_nul_are_bad)
{
	struct frame f;

	cr_assert_eq(find(&f, BYTES_LIT("a NOOP\n")), FRAME_BAD);
	cr_assert_eq(find(&f, BYTES_LIT("\n")), FRAME_BAD);
	cr_assert_eq(find(&f, BYTES_LIT("a \"\0\"\r\n")), FRAME_BAD);
	cr_assert_eq(find(&f, BYTES_LIT("a \"\0")), FRAME_MORE); /* its end is to be seen first */
	cr_assert_eq(frame_find(&f, BYTES_LIT("a \"\0\"\r\n")), FRAME_BAD);
	cr_assert_str_eq(f.reason, "NUL in a command");
}

Test(frame, nul_inside_a_literal_is_not_framed_out)
{
	struct bytes in = BYTES_LIT("a X {3}\r\n\0\n\0\r\n");
	struct frame f;

	cr_assert_eq(find(&f, in), FRAME_LITERAL);
	frame_skip_literal(&f);
	cr_assert_eq(frame_find(&f, in), FRAME_WHOLE);
	cr_assert_eq(f.end, in.n);
}

/* n - 1, n, n + 1 bytes of a line, and the sum over a command's lines. */
Test(frame, lines_are_bounded)
{
	struct frame f = { .line_bytes_max = 10 };

	cr_assert_eq(frame_find(&f, BYTES_LIT("1234567\r\n")), FRAME_WHOLE);
	f = (struct frame){ .line_bytes_max = 10 };
	cr_assert_eq(frame_find(&f, BYTES_LIT("12345678\r\n")), FRAME_WHOLE);
	f = (struct frame){ .line_bytes_max = 10 };
	cr_assert_eq(frame_find(&f, BYTES_LIT("123456789\r\n")), FRAME_BAD);
	cr_assert_str_eq(f.reason, "Too long argument");
	f = (struct frame){ .line_bytes_max = 10 };
	cr_assert_eq(frame_find(&f, BYTES_LIT("1234567890")), FRAME_MORE);
	cr_assert_eq(frame_find(&f, BYTES_LIT("12345678901")), FRAME_BAD);

	struct bytes two = BYTES_LIT("a {1}\r\nx12\r\n");

	f = (struct frame){ .line_bytes_max = 10 };
	cr_assert_eq(frame_find(&f, two), FRAME_LITERAL);
	frame_skip_literal(&f);
	cr_assert_eq(frame_find(&f, two), FRAME_BAD);
	f = (struct frame){ .line_bytes_max = 11 };
	cr_assert_eq(frame_find(&f, two), FRAME_LITERAL);
	frame_skip_literal(&f);
	cr_assert_eq(frame_find(&f, two), FRAME_WHOLE);
}

Test(frame, held_literals_are_bounded_each_all_and_in_number)
{
	struct frame f;

	frame_init(&f, true);
	f.literal_bytes = FRAME_LITERAL_BYTES_MAX_USER;
	cr_assert_eq(frame_may_hold(&f), RP_OK);
	f.literal_bytes++;
	cr_assert_eq(frame_may_hold(&f), RP_ERR_TOOBIG);
	f.literal_bytes = 5;
	f.literals_bytes = FRAME_LITERALS_BYTES_MAX_USER - 5;
	cr_assert_eq(frame_may_hold(&f), RP_OK);
	f.literal_bytes = 6;
	cr_assert_eq(frame_may_hold(&f), RP_ERR_TOOBIG);
	f.literals_bytes = 0;
	f.literals_count = FRAME_LITERALS_COUNT_MAX - 1;
	cr_assert_eq(frame_may_hold(&f), RP_OK);
	f.literals_count++;
	cr_assert_eq(frame_may_hold(&f), RP_ERR_LIMIT);

	frame_init(&f, false);
	f.literal_bytes = FRAME_LITERAL_BYTES_MAX_GUEST + 1;
	cr_assert_eq(frame_may_hold(&f), RP_ERR_TOOBIG);
}

/* Feeds text behind `at` to frame_drop in pieces of `piece`; returns the offset of the next
 * command, or SIZE_MAX when it gave up. */
static size_t drop_all(struct frame *f, const char *text, size_t at, size_t piece)
{
	size_t n = strlen(text);

	for (;;) {
		size_t take = n - at < piece ? n - at : piece;
		enum frame_verdict verdict = frame_drop(f, bytes_of(text + at, take));

		if (verdict == FRAME_BAD)
			return SIZE_MAX;
		at += f->end;
		if (verdict == FRAME_WHOLE)
			return at;
		cr_assert_eq(f->end, take);
		if (at == n)
			return SIZE_MAX - 1; /* the input is used up */
	}
}

/* A long line, with literals behind it, is dropped to the same place however it is cut. */
Test(frame, a_line_that_is_too_long_is_dropped_with_its_literals)
{
	static const char text[] =
	    "a X 12345678901234567890 {4+}\r\nb\r\n\r{3+}\r\nc\r\n y\r\nz OK\r\n";
	const size_t next = sizeof(text) - 1 - strlen("z OK\r\n");

	for (size_t seen = 17; seen < sizeof(text); seen++) {
		for (size_t piece = 1; piece < 40; piece++) {
			struct frame f = { .line_bytes_max = 16 };

			cr_assert_eq(frame_find(&f, bytes_of(text, seen)), FRAME_BAD);
			frame_drop_start(&f, 1000);
			cr_assert_eq(
			    drop_all(&f, text, f.end, piece), next, "%zu %zu", seen, piece);
		}
	}
}

Test(frame, a_client_that_waits_is_not_waited_for)
{
	struct bytes in = BYTES_LIT("a X {99999999}\r\n");
	struct frame f;

	cr_assert_eq(find(&f, in), FRAME_LITERAL);
	frame_drop_start(&f, FRAME_DROP_BYTES_MAX);
	cr_assert_eq(frame_drop(&f, BYTES_LIT("b NOOP\r\n")), FRAME_WHOLE);
	cr_assert_eq(f.end, 0);

	/* The same behind a line that is too long. */
	static const char text[] = "a X 12345678901234567890 {4}\r\nb OK\r\n";

	f = (struct frame){ .line_bytes_max = 16 };
	cr_assert_eq(frame_find(&f, bytes_of_str(text)), FRAME_BAD);
	frame_drop_start(&f, 1000);
	cr_assert_eq(drop_all(&f, text, f.end, 7), 30);
}

Test(frame, dropping_has_a_bound)
{
	static const char text[] = "a X {10+}\r\n0123456789\r\n";
	struct frame f;

	for (uint64_t max = 0; max < 20; max++) {
		cr_assert_eq(find(&f, bytes_of_str(text)), FRAME_LITERAL);
		frame_drop_start(&f, max);
		cr_assert_eq(drop_all(&f, text, f.end, 3), max < 12 ? SIZE_MAX : sizeof(text) - 1);
	}
	cr_assert_eq(find(&f, BYTES_LIT("a X {9223372036854775807+}\r\n")), FRAME_LITERAL);
	frame_drop_start(&f, FRAME_DROP_BYTES_MAX);
	cr_assert_eq(frame_drop(&f, BYTES_LIT("x")), FRAME_BAD);
}

/* What is dropped of a long line starts at the bound, however much of it has come: so is the budget
 * for it the same. */
Test(frame, a_long_line_is_dropped_from_its_bound_on)
{
	static const char text[] = "a X 123456789012345678901234567890\r\n";

	for (size_t seen = 17; seen < sizeof(text); seen++) {
		struct frame f = { .line_bytes_max = 16 };

		cr_assert_eq(frame_find(&f, bytes_of(text, seen)), FRAME_BAD);
		cr_assert_eq(f.end, 16);
		frame_drop_start(&f, sizeof(text) - 1 - 16);
		cr_assert_eq(drop_all(&f, text, f.end, 5), sizeof(text) - 1);
		f = (struct frame){ .line_bytes_max = 16 };
		cr_assert_eq(frame_find(&f, bytes_of(text, seen)), FRAME_BAD);
		frame_drop_start(&f, sizeof(text) - 1 - 17);
		cr_assert_eq(drop_all(&f, text, f.end, 5), SIZE_MAX);
	}
}

/* One byte at a time costs no more looks at each byte than one piece does: searched only rises. */
Test(frame, work_is_linear_however_it_is_cut)
{
	enum { LINE = 60000 };
	char *line = malloc(LINE);
	struct frame f;

	cr_assert_not_null(line);
	memset(line, 'x', LINE);
	frame_init(&f, true);
	for (size_t n = 1; n <= LINE; n++) {
		size_t before = f.searched;

		cr_assert_eq(frame_find(&f, bytes_of(line, n)), FRAME_MORE);
		cr_assert_eq(before, n - 1);
		cr_assert_eq(f.searched, n);
	}
	free(line);
}
