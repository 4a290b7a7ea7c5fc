#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/imap/frame.h"
#include "core/imap/seqset.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(seqset, .init = set_up, .fini = tear_down);

static enum rp_err parse(const char *text, struct seqset *set)
{
	struct lex lex = lex_of(bytes_of_str(text));
	enum rp_err err = seqset_parse(&lex, &arena, false, set);

	if (err == RP_OK && !lex_end(&lex))
		return RP_ERR_SYNTAX;
	return err;
}

/* `text` with "*" as `max` is written as `want`. */
static void resolves(const char *text, uint32_t max, const char *want)
{
	struct seqset set;
	struct runs runs = RUNS_EMPTY;
	struct rope rope;
	struct resp resp;

	cr_assert_eq(parse(text, &set), RP_OK, "%s", text);
	cr_assert_eq(seqset_resolve(&set, max, &runs), RP_OK);
	rope_init(&rope);
	resp_init(&resp, &rope, false);
	seqset_write(&resp, &runs);
	resp_flush(&resp);
	struct bytes got = rope_peek(&rope, 0);

	cr_assert(bytes_eq(got, bytes_of_str(want)), "%s: %.*s", text, BYTES_FMT(got));
	rope_fini(&rope);
	runs_fini(&runs);
}

Test(seqset, numbers_and_ranges_become_runs)
{
	resolves("1", 9, "1");
	resolves("4294967295", 9, "4294967295");
	resolves("1,2,3", 9, "1:3");
	resolves("1:3,5", 9, "1:3,5");
	resolves("5:1", 9, "1:5"); /* either way round */
	resolves("9,7,5,3,1", 9, "1,3,5,7,9");
	resolves("1:10,2:3", 9, "1:10");
	resolves("5:6,1:4,7", 9, "1:7");
	resolves("1:4294967295,7", 9, "1:4294967295");
	resolves("7,7,7", 9, "7");
}

Test(seqset, a_star_is_the_greatest)
{
	resolves("*", 9, "9");
	resolves("*:*", 9, "9");
	resolves("3:*", 9, "3:9");
	resolves("*:3", 9, "3:9");
	resolves("12:*", 9, "9"); /* past the end: the last message */
	resolves("1,*,5:*", 9, "1,5:9");
	resolves("12:*,2", 9, "2,9");
	resolves("4294967295:*", 4294967295, "4294967295");
}

Test(seqset, in_an_empty_mailbox_a_star_is_nothing)
{
	resolves("*", 0, "");
	resolves("1:*", 0, "");
	resolves("3,1:*", 0, "3");
}

Test(seqset, what_is_no_set_is_refused)
{
	static const char *const wrong[] = { "", "0", "1,", ",1", "1:", ":1", "1,,2", "1::2",
		"1:2:3", "0:5", "5:0", "4294967296", "1:99999999999999999999", "-1", "a", "01",
		"1 ,2", "**", "*1", "$" };
	struct seqset set;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &set), RP_ERR_SYNTAX, "%s", wrong[i]);
}

Test(seqset, a_dollar_only_where_it_may_be)
{
	struct lex lex = lex_of(BYTES_LIT("$"));
	struct seqset set;

	cr_assert_eq(seqset_parse(&lex, &arena, false, &set), RP_ERR_SYNTAX);
	cr_assert_eq(lex.at, 0);
	cr_assert_eq(seqset_parse(&lex, &arena, true, &set), RP_OK);
	cr_assert(set.saved);
	cr_assert_eq(lex.at, 1);
}

/* `count` numbers with gaps, ascending or not, as text. */
static char *gaps(unsigned count, bool descending)
{
	char *text = malloc(count * 8 + 8);
	size_t n = 0;

	cr_assert_not_null(text);
	for (unsigned i = 0; i < count; i++)
		n += (size_t)sprintf(
		    text + n, "%s%u", i > 0 ? "," : "", 2 * (descending ? count - i : i + 1));
	return text;
}

Test(seqset, runs_are_bounded_after_merging)
{
	struct seqset set;

	for (int descending = 0; descending < 2; descending++) {
		for (unsigned count = SEQSET_RUNS_MAX - 1; count <= SEQSET_RUNS_MAX + 1; count++) {
			char *text = gaps(count, descending);

			cr_assert_eq(
			    parse(text, &set), count <= SEQSET_RUNS_MAX ? RP_OK : RP_ERR_LIMIT);
			free(text);
			arena_reset(&arena);
		}
	}
}

/* The worst set that fits in a line: each number two beyond the last. */
Test(seqset, a_full_line_of_gaps_is_taken)
{
	char *text = malloc(FRAME_LINE_BYTES_MAX_USER + 16);
	size_t n = 0;
	unsigned count = 0;
	struct seqset set;

	cr_assert_not_null(text);
	while (n < FRAME_LINE_BYTES_MAX_USER)
		n += (size_t)sprintf(text + n, "%s%u", n > 0 ? "," : "", 2 * count++ + 1);
	cr_assert_eq(parse(text, &set), RP_OK, "%u numbers", count);
	cr_assert_eq(set.count, count);
	free(text);
}

/* Far more than the bound, but they fold: first the even numbers, then the odd ones between. */
Test(seqset, what_folds_is_not_counted)
{
	enum { HALF = 15000 };
	char *text = malloc(12 * HALF * 2);
	size_t n = 0;
	struct seqset set;

	cr_assert_not_null(text);
	for (unsigned i = 1; i <= HALF; i++)
		n += (size_t)sprintf(text + n, "%u,", 2 * i);
	for (unsigned i = 1; i <= HALF; i++)
		n += (size_t)sprintf(text + n, "%u%s", 2 * i - 1, i == HALF ? "" : ",");
	cr_assert_eq(parse(text, &set), RP_OK);
	cr_assert_eq(set.count, 1);
	cr_assert_eq(set.run[0].first, 1);
	cr_assert_eq(set.run[0].last, 2 * HALF);
	free(text);
}

/* Random sets agree with an array of booleans. */
Test(seqset, agrees_with_a_plain_model)
{
	enum { UNIVERSE = 60 };
	uint32_t seed = 11;

	for (int round = 0; round < 2000; round++) {
		bool model[UNIVERSE + 1] = { false };
		char text[512];
		size_t n = 0;
		struct seqset set;
		struct runs runs = RUNS_EMPTY;

		for (int item = 0; item < 8; item++) {
			seed = seed * 1664525 + 1013904223;
			unsigned a = (seed >> 8) % UNIVERSE + 1;
			unsigned b = (seed >> 16) % UNIVERSE + 1;

			n += (size_t)sprintf(text + n, "%s%u:%u", item > 0 ? "," : "", a, b);
			for (unsigned v = a < b ? a : b; v <= (a < b ? b : a); v++)
				model[v] = true;
		}
		cr_assert_eq(parse(text, &set), RP_OK);
		cr_assert_eq(seqset_resolve(&set, UNIVERSE, &runs), RP_OK);
		for (uint32_t v = 1; v <= UNIVERSE; v++)
			cr_assert_eq(runs_has(&runs, v), model[v], "%s: %u", text, v);
		runs_fini(&runs);
	}
}

Test(seqset, no_room_is_a_limit)
{
	struct arena small;
	struct lex lex = lex_of(BYTES_LIT("1,3"));
	struct seqset set;

	arena_init(&small, 0);
	cr_assert_eq(seqset_parse(&lex, &small, false, &set), RP_ERR_LIMIT);
	cr_assert_eq(lex.at, 0);
	arena_fini(&small);
}
