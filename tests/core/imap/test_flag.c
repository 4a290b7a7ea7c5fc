#include <criterion/criterion.h>
#include <stdio.h>

#include "core/imap/flag.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(flag, .init = set_up, .fini = tear_down);

typedef enum rp_err parse_fn(struct lex *lex, struct arena *arena, struct flag_list *out);

static enum rp_err parse(parse_fn *fn, const char *text, struct flag_list *out)
{
	struct lex lex = lex_of(bytes_of_str(text));
	enum rp_err err = fn(&lex, &arena, out);

	return err == RP_OK && !lex_end(&lex) ? RP_ERR_SYNTAX : err;
}

Test(flag, system_flags_in_any_case)
{
	struct flag_list list;

	cr_assert_eq(
	    parse(flag_list_parse, "(\\SEEN \\draft \\Answered \\Flagged \\Deleted)", &list),
	    RP_OK);
	cr_assert_eq(list.flags, FLAG_ALL);
	cr_assert_eq(list.keyword_count, 0);
	cr_assert_eq(parse(flag_list_parse, "()", &list), RP_OK);
	cr_assert_eq(list.flags, 0);
}

Test(flag, what_nobody_knows_is_dropped)
{
	struct flag_list list;

	cr_assert_eq(parse(flag_list_parse, "(\\Recent \\Forwarded \\XSeen \\Seen)", &list), RP_OK);
	cr_assert_eq(list.flags, FLAG_SEEN);
	cr_assert_eq(list.keyword_count, 0);
}

Test(flag, keywords_once_each)
{
	struct flag_list list;

	cr_assert_eq(parse(flag_list_parse, "($Junk $Forwarded $JUNK a)", &list), RP_OK);
	cr_assert_eq(list.keyword_count, 3);
	cr_assert(bytes_eq(list.keyword[0], BYTES_LIT("$Junk")));
	cr_assert(bytes_eq(list.keyword[2], BYTES_LIT("a")));
}

Test(flag, store_takes_flags_without_parentheses)
{
	struct flag_list list;

	cr_assert_eq(parse(flag_store_parse, "\\Seen $x \\Draft", &list), RP_OK);
	cr_assert_eq(list.flags, FLAG_SEEN | FLAG_DRAFT);
	cr_assert_eq(list.keyword_count, 1);
	cr_assert_eq(parse(flag_store_parse, "(\\Seen)  ", &list), RP_OK);
	cr_assert_eq(parse(flag_store_parse, "\\Seen ", &list), RP_OK);
	cr_assert_eq(parse(flag_store_parse, "", &list), RP_ERR_SYNTAX);
	cr_assert_eq(parse(flag_store_parse, "\\Seen  $x", &list), RP_ERR_SYNTAX);
}

Test(flag, what_is_no_list_is_refused)
{
	static const char *const wrong[] = { "", "(", "(\\Seen", "(\\Seen )", "( \\Seen)", "(\\)",
		"(\\ Seen)", "(\\*)", "(\"a\")", "((a))", "(a)b", "\\Seen" };
	struct flag_list list;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(
		    parse(flag_list_parse, wrong[i], &list), RP_ERR_SYNTAX, "%s", wrong[i]);
}

Test(flag, keywords_are_bounded_in_length_and_number)
{
	char text[FLAG_KEYWORDS_MAX * 8 + 200];
	struct flag_list list;

	for (int n = FLAG_KEYWORD_BYTES_MAX - 1; n <= FLAG_KEYWORD_BYTES_MAX + 1; n++) {
		snprintf(text, sizeof(text), "(%0*d)", n, 7);
		cr_assert_eq(parse(flag_list_parse, text, &list),
		    n <= FLAG_KEYWORD_BYTES_MAX ? RP_OK : RP_ERR_LIMIT);
	}
	for (int count = FLAG_KEYWORDS_MAX - 1; count <= FLAG_KEYWORDS_MAX + 1; count++) {
		size_t n = (size_t)sprintf(text, "(k0");

		for (int i = 1; i < count; i++)
			n += (size_t)sprintf(text + n, " k%d", i);
		strcpy(text + n, ")");
		cr_assert_eq(parse(flag_list_parse, text, &list),
		    count <= FLAG_KEYWORDS_MAX ? RP_OK : RP_ERR_LIMIT);
	}
}

/* All 32 sets: what is written is read back as the same set. */
Test(flag, every_set_comes_back)
{
	for (unsigned flags = 0; flags <= FLAG_ALL; flags++) {
		uint8_t p[FLAG_AT_BYTES + 2] = "(";
		uint8_t *end = flag_at(p + 1, flags);
		struct flag_list list;

		cr_assert_leq(end - (p + 1), FLAG_AT_BYTES);
		*end++ = ')';
		struct lex lex = lex_of(bytes_of(p, (size_t)(end - p)));

		cr_assert_eq(flag_list_parse(&lex, &arena, &list), RP_OK);
		cr_assert(lex_end(&lex));
		cr_assert_eq(list.flags, flags);
	}
}

Test(flag, is_written_with_one_space_between)
{
	const struct bytes keywords[] = { BYTES_LIT("$a"), BYTES_LIT("b") };
	struct rope rope;
	struct resp resp;

	rope_init(&rope);
	resp_init(&resp, &rope, false);
	flag_write(&resp, FLAG_SEEN | FLAG_ANSWERED, keywords, 2);
	resp_byte(&resp, '|');
	flag_write(&resp, 0, keywords, 2);
	resp_byte(&resp, '|');
	flag_write(&resp, 0, NULL, 0);
	resp_byte(&resp, '|');
	flag_write(&resp, FLAG_DRAFT, NULL, 0);
	resp_flush(&resp);
	cr_assert(bytes_eq(rope_peek(&rope, 0), BYTES_LIT("\\Answered \\Seen $a b|$a b||\\Draft")));
	rope_fini(&rope);
	cr_assert_eq(flag_of_name(BYTES_LIT("\\flagged")), FLAG_FLAGGED);
	cr_assert_eq(flag_of_name(BYTES_LIT("Flagged")), 0);
	cr_assert_eq(flag_of_name(BYTES_LIT("")), 0);
}
