#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/imap/resp.h"

static struct rope rope;
static struct resp resp;
static uint8_t text[64 * 1024];

static void set_up(void)
{
	rope_init(&rope);
	resp_init(&resp, &rope, false);
}

static void tear_down(void)
{
	resp_flush(&resp);
	rope_fini(&rope);
}

TestSuite(resp, .init = set_up, .fini = tear_down);

/* All that has been written since the last time. */
static struct bytes written(void)
{
	size_t n = 0;

	resp_flush(&resp);
	for (;;) {
		struct bytes b = rope_peek(&rope, UINT64_MAX);

		if (b.n == 0)
			return bytes_of(text, n);
		cr_assert_leq(n + b.n, sizeof(text));
		memcpy(text + n, b.p, b.n);
		n += b.n;
		rope_consume(&rope, b.n);
	}
}

#define expect(lit)                                                                                \
	do {                                                                                       \
		struct bytes got_ = written();                                                     \
		cr_assert(bytes_eq(got_, BYTES_LIT(lit)), "%.*s", BYTES_FMT(got_));                \
	} while (0)

Test(resp, numbers_of_every_length)
{
	uint8_t p[RESP_U64_BYTES];
	char want[RESP_U64_BYTES + 1];
	uint64_t v = 1;

	for (int i = 0; i < 64; i++, v *= 2) {
		for (uint64_t n = v - 1; n <= v + 1; n++) {
			int len = snprintf(want, sizeof(want), "%" PRIu64, n);
			uint8_t *end = resp_at_u64(p, n);

			cr_assert(
			    bytes_eq(bytes_of(p, (size_t)(end - p)), bytes_of(want, (size_t)len)));
		}
	}
	for (uint64_t n = 1; n < UINT64_MAX / 10; n *= 10) {
		for (uint64_t m = n - 1; m <= n; m++) {
			int len = snprintf(want, sizeof(want), "%" PRIu64, m);
			uint8_t *end = resp_at_u64(p, m);

			cr_assert(
			    bytes_eq(bytes_of(p, (size_t)(end - p)), bytes_of(want, (size_t)len)));
		}
	}
	cr_assert_eq(resp_at_u64(p, UINT64_MAX) - p, 20);
}

Test(resp, a_string_is_quoted_where_it_may_be)
{
	resp_string(&resp, BYTES_LIT(""));
	resp_string(&resp, BYTES_LIT("a b"));
	resp_string(&resp, BYTES_LIT("q\"b\\"));
	expect("\"\"\"a b\"\"q\\\"b\\\\\"");
	resp_string(&resp, BYTES_LIT("a\r\nb"));
	expect("{4}\r\na\r\nb");
	resp_string(&resp, BYTES_LIT("\xc3\xa9"));
	expect("{2}\r\n\xc3\xa9");
}

Test(resp, nul_never_leaves)
{
	resp_string(&resp, BYTES_LIT("\0a\0\0b\0"));
	expect("{6}\r\n\x80"
	       "a\x80\x80"
	       "b\x80");
}

Test(resp, utf8_is_quoted_only_where_asked_for_and_well_formed)
{
	resp.utf8 = true;
	resp_string(&resp, BYTES_LIT("\xc3\xa9"));
	expect("\"\xc3\xa9\"");
	resp_string(&resp, BYTES_LIT("\xc3"));
	expect("{1}\r\n\xc3");
}

Test(resp, long_strings_are_literals)
{
	char long_text[RESP_QUOTED_BYTES_MAX + 1];

	memset(long_text, '"', sizeof(long_text));
	resp_string(&resp, bytes_of(long_text, RESP_QUOTED_BYTES_MAX));
	cr_assert_eq(written().n, 2 * RESP_QUOTED_BYTES_MAX + 2);
	resp_string(&resp, bytes_of(long_text, RESP_QUOTED_BYTES_MAX + 1));
	cr_assert(bytes_starts_with(written(), BYTES_LIT("{1025}\r\n\"\"")));
}

Test(resp, nil_and_astrings)
{
	resp_nstring(&resp, (struct bytes){ NULL, 0 });
	resp_nstring(&resp, BYTES_LIT(""));
	expect("NIL\"\"");
	resp_astring(&resp, BYTES_LIT("INBOX"));
	resp_byte(&resp, ' ');
	resp_astring(&resp, BYTES_LIT("a b"));
	resp_byte(&resp, ' ');
	resp_astring(&resp, BYTES_LIT("nil"));
	resp_byte(&resp, ' ');
	resp_astring(&resp, BYTES_LIT(""));
	resp_byte(&resp, ' ');
	resp_astring(&resp, BYTES_LIT("a]%"));
	expect("INBOX \"a b\" \"nil\" \"\" \"a]%\"");
}

Test(resp, lists_have_one_space_between_items)
{
	bool started = false;

	resp_byte(&resp, '(');
	for (int i = 0; i < 3; i++) {
		resp_sep(&resp, &started);
		resp_u64(&resp, (uint64_t)i);
	}
	resp_byte(&resp, ')');
	expect("(0 1 2)");
}

Test(resp, status_lines_always_have_text)
{
	resp_status(&resp, BYTES_LIT("a1"), RESP_OK, "READ-WRITE", "SELECT completed");
	expect("a1 OK [READ-WRITE] SELECT completed\r\n");
	resp_status(&resp, BYTES_LIT(""), RESP_BYE, NULL, "Bye");
	expect("* BYE Bye\r\n");
	resp_status_begin(&resp, BYTES_LIT("b"), RESP_OK);
	resp_lit(&resp, "[APPENDUID 1 2] ");
	resp_status_end(&resp, "Done");
	expect("b OK [APPENDUID 1 2] Done\r\n");
	resp_status_put(&resp, BYTES_LIT("b"), RESP_NO, BYTES_LIT(""), BYTES_LIT("No"));
	resp_status(&resp, BYTES_LIT("b"), RESP_BAD, NULL, "Bad");
	expect("b NO No\r\nb BAD Bad\r\n");
	resp_continuation(&resp, BYTES_LIT(""));
	resp_continuation(&resp, BYTES_LIT("idling"));
	expect("+ \r\n+ idling\r\n");
	resp_number_data(&resp, 23, "EXISTS");
	expect("* 23 EXISTS\r\n");
	resp_literal8_mark(&resp, 5);
	resp_literal_mark(&resp, UINT64_MAX);
	expect("~{5}\r\n{18446744073709551615}\r\n");
}

/* Output of any size arrives whole and in order, whatever the sizes of its pieces. */
Test(resp, pieces_of_any_size_stay_in_order)
{
	static uint8_t model[48 * 1024];
	size_t n = 0;
	uint32_t seed = 3;

	for (size_t step = 0; n + 3000 < sizeof(model); step++) {
		uint8_t piece[2001];

		seed = seed * 1664525 + 1013904223;
		size_t len = (seed >> 8) % (step % 7 == 0 ? 2000 : 20) + 1;

		memset(piece, (int)(seed >> 24), len);
		memcpy(model + n, piece, len);
		n += len;
		switch (step % 3) {
		case 0:
			resp_put(&resp, bytes_of(piece, len));
			break;
		case 1: {
			uint8_t *p = resp_room(&resp, len);

			cr_assert_not_null(p);
			resp_commit(&resp, resp_at_bytes(p, bytes_of(piece, len)));
			break;
		}
		default:
			for (size_t i = 0; i < len; i++)
				resp_byte(&resp, (char)piece[i]);
		}
	}
	cr_assert(bytes_eq(written(), bytes_of(model, n)));
}

/* Bytes that were written before a stamp keep their lower gate, later ones wait. */
Test(resp, a_stamp_holds_for_what_follows)
{
	resp_lit(&resp, "early");
	resp_stamp(&resp, 10);
	resp_lit(&resp, "late");
	resp_stamp(&resp, 5); /* lower: no effect */
	resp_lit(&resp, "r");
	resp_flush(&resp);
	struct bytes b = rope_peek(&rope, 9);

	cr_assert(bytes_eq(b, BYTES_LIT("early")));
	rope_consume(&rope, b.n);
	cr_assert_eq(rope_peek(&rope, 9).n, 0);
	cr_assert(bytes_eq(rope_peek(&rope, 10), BYTES_LIT("later")));
}

static void count_release(void *arg)
{
	(*(int *)arg)++;
}

Test(resp, borrowed_bytes_keep_their_place)
{
	static uint8_t big[4000];
	int released = 0;

	memset(big, 'b', sizeof(big));
	resp_lit(&resp, "<");
	resp_borrow(&resp, bytes_of(big, sizeof(big)), count_release, &released);
	resp_lit(&resp, ">");
	struct bytes got = written();

	cr_assert_eq(got.n, sizeof(big) + 2);
	cr_assert(got.p[0] == '<' && got.p[1] == 'b' && got.p[got.n - 1] == '>');
	cr_assert_eq(released, 1);
}

/* When the rope has failed every write does nothing. */
Test(resp, a_failed_rope_swallows_everything)
{
	rope.failed = true;
	resp_lit(&resp, "x");
	resp_u64(&resp, 5);
	resp_byte(&resp, 'c');
	resp_string(&resp, BYTES_LIT("s\r\n"));
	resp_string(&resp, BYTES_LIT("s"));
	cr_assert_null(resp_room(&resp, 10));
	resp_status(&resp, BYTES_LIT("a"), RESP_OK, NULL, "x");
	cr_assert_eq(written().n, 0);
}
