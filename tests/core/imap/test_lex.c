#include <criterion/criterion.h>

#include "core/imap/lex.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(lex, .init = set_up, .fini = tear_down);

typedef enum rp_err string_fn(struct lex *lex, struct arena *arena, struct bytes *out);

/* `take` of `text` gives `want` and leaves `rest`. */
static void takes(string_fn *take, struct bytes text, struct bytes want, struct bytes rest)
{
	struct lex lex = lex_of(text);
	struct bytes got;

	cr_assert_eq(take(&lex, &arena, &got), RP_OK, "%.*s", BYTES_FMT(text));
	cr_assert(bytes_eq(got, want), "%.*s gave %.*s", BYTES_FMT(text), BYTES_FMT(got));
	cr_assert(bytes_eq(bytes_from(text, lex.at), rest), "%.*s", BYTES_FMT(text));
}

/* `take` of `text` is a syntax error, and the cursor has not moved. */
static void refuses(string_fn *take, struct bytes text)
{
	struct lex lex = lex_of(text);
	struct bytes got;

	cr_assert_eq(take(&lex, &arena, &got), RP_ERR_SYNTAX, "%.*s", BYTES_FMT(text));
	cr_assert_eq(lex.at, 0);
}

static enum rp_err atom(struct lex *lex, struct arena *unused, struct bytes *out)
{
	(void)unused;
	return lex_atom(lex, out);
}

/* Every byte value is held against the grammar's own words for ATOM-CHAR. */
Test(lex, atom_chars_are_those_of_the_grammar)
{
	for (int c = 0; c < 256; c++) {
		bool special = c != 0 && strchr("(){ %*\"\\]", c) != NULL;
		bool want = c > 0x1f && c < 0x7f && !special;

		cr_assert_eq(lex_is_atom_char((uint8_t)c), want, "%d", c);
		cr_assert_eq(lex_is_astring_char((uint8_t)c), want || c == ']', "%d", c);
	}
}

Test(lex, atoms_and_astrings_end_where_their_class_ends)
{
	takes(atom, BYTES_LIT("INBOX rest"), BYTES_LIT("INBOX"), BYTES_LIT(" rest"));
	takes(atom, BYTES_LIT("a]"), BYTES_LIT("a"), BYTES_LIT("]"));
	takes(lex_astring, BYTES_LIT("a]b)"), BYTES_LIT("a]b"), BYTES_LIT(")"));
	takes(lex_list_mailbox, BYTES_LIT("%/*] x"), BYTES_LIT("%/*]"), BYTES_LIT(" x"));
	refuses(atom, BYTES_LIT(""));
	refuses(atom, BYTES_LIT(" a"));
	refuses(lex_astring, BYTES_LIT("%"));
	refuses(lex_astring, BYTES_LIT("\xc3\xa9"));
}

Test(lex, quoted_strings)
{
	takes(lex_string, BYTES_LIT("\"\" x"), BYTES_LIT(""), BYTES_LIT(" x"));
	takes(lex_string, BYTES_LIT("\"a b(){%*\""), BYTES_LIT("a b(){%*"), BYTES_LIT(""));
	takes(lex_string, BYTES_LIT("\"\\\"\\\\x\"y"), BYTES_LIT("\"\\x"), BYTES_LIT("y"));
	takes(lex_string, BYTES_LIT("\"\xff\""), BYTES_LIT("\xff"), BYTES_LIT(""));
	refuses(lex_string, BYTES_LIT("\""));
	refuses(lex_string, BYTES_LIT("\"abc"));
	refuses(lex_string, BYTES_LIT("\"abc\\"));
	refuses(lex_string, BYTES_LIT("\"abc\\\""));
	refuses(lex_string, BYTES_LIT("\"a\\bc\""));
	refuses(lex_string, BYTES_LIT("\"a\0c\""));
	refuses(lex_string, BYTES_LIT("\"a\rc\""));
	refuses(lex_string, BYTES_LIT("\"a\nc\""));
	refuses(lex_string, BYTES_LIT("atom"));
}

/* Without a backslash nothing is copied. */
Test(lex, a_plain_quoted_string_borrows)
{
	struct bytes text = BYTES_LIT("\"plain\"");
	struct lex lex = lex_of(text);
	struct bytes got;

	cr_assert_eq(lex_string(&lex, &arena, &got), RP_OK);
	cr_assert_eq(got.p, text.p + 1);
}

Test(lex, literals_lie_inline)
{
	takes(lex_string, BYTES_LIT("{3}\r\na\r\n x"), BYTES_LIT("a\r\n"), BYTES_LIT(" x"));
	takes(lex_astring, BYTES_LIT("{3+}\r\nabc"), BYTES_LIT("abc"), BYTES_LIT(""));
	takes(lex_string, BYTES_LIT("{0}\r\n"), BYTES_LIT(""), BYTES_LIT(""));
	refuses(lex_string, BYTES_LIT("{4}\r\nabc"));
	refuses(lex_string, BYTES_LIT("{3}abc"));
	refuses(lex_string, BYTES_LIT("{3}\r"));
	refuses(lex_string, BYTES_LIT("{3"));
	refuses(lex_string, BYTES_LIT("{}\r\n"));
	refuses(lex_string, BYTES_LIT("{-1}\r\n"));
	refuses(lex_string, BYTES_LIT("{9223372036854775807}\r\nx"));
	refuses(lex_string, BYTES_LIT("{3}\r\na\0c")); /* CHAR8 has no NUL */
	refuses(lex_string, BYTES_LIT("~{3}\r\nabc"));
}

Test(lex, nil_is_no_string)
{
	struct lex lex = lex_of(BYTES_LIT("nil \"\" NILS"));
	struct bytes got;

	cr_assert_eq(lex_nstring(&lex, &arena, &got), RP_OK);
	cr_assert_null(got.p);
	cr_assert_eq(lex_sp(&lex), RP_OK);
	cr_assert_eq(lex_nstring(&lex, &arena, &got), RP_OK);
	cr_assert_not_null(got.p);
	cr_assert_eq(got.n, 0);
	cr_assert_eq(lex_sp(&lex), RP_OK);
	cr_assert_eq(lex_nstring(&lex, &arena, &got), RP_ERR_SYNTAX);
}

static enum rp_err number(const char *text, uint32_t *out)
{
	struct lex lex = lex_of(bytes_of_str(text));

	return lex_number(&lex, out);
}

static enum rp_err nz_number(const char *text, uint32_t *out)
{
	struct lex lex = lex_of(bytes_of_str(text));

	return lex_nz_number(&lex, out);
}

static enum rp_err number64(const char *text, uint64_t *out)
{
	struct lex lex = lex_of(bytes_of_str(text));

	return lex_number64(&lex, out);
}

Test(lex, numbers_stop_at_their_bounds)
{
	uint32_t n = 7;
	uint64_t n64 = 7;

	cr_assert_eq(number("4294967294", &n), RP_OK);
	cr_assert_eq(number("4294967295x", &n), RP_OK);
	cr_assert_eq(n, UINT32_MAX);
	cr_assert_eq(number("4294967296", &n), RP_ERR_SYNTAX);
	cr_assert_eq(n, UINT32_MAX);
	cr_assert_eq(number("0", &n), RP_OK);
	cr_assert_eq(n, 0);
	cr_assert_eq(number("", &n), RP_ERR_SYNTAX);
	cr_assert_eq(number("-1", &n), RP_ERR_SYNTAX);
	cr_assert_eq(nz_number("0", &n), RP_ERR_SYNTAX);
	cr_assert_eq(nz_number("01", &n), RP_ERR_SYNTAX);
	cr_assert_eq(nz_number("1", &n), RP_OK);
	cr_assert_eq(number64("9223372036854775807", &n64), RP_OK);
	cr_assert_eq(n64, INT64_MAX);
	cr_assert_eq(number64("9223372036854775808", &n64), RP_ERR_SYNTAX);
	cr_assert_eq(number64("99999999999999999999999999", &n64), RP_ERR_SYNTAX);
}

Test(lex, exactly_one_space_but_any_at_the_end)
{
	struct lex lex = lex_of(BYTES_LIT("a  b"));
	struct bytes got;

	cr_assert_eq(lex_atom(&lex, &got), RP_OK);
	cr_assert_eq(lex_sp(&lex), RP_OK);
	cr_assert_eq(lex_atom(&lex, &got), RP_ERR_SYNTAX);
	cr_assert(!lex_end(&lex));
	lex = lex_of(BYTES_LIT("   "));
	cr_assert(lex_end(&lex));
	lex = lex_of(BYTES_LIT(""));
	cr_assert(lex_end(&lex));
	cr_assert_eq(lex_sp(&lex), RP_ERR_SYNTAX);
	cr_assert_eq(lex_peek(&lex), -1);
}

Test(lex, words_are_whole_and_blind_to_case)
{
	struct lex lex = lex_of(BYTES_LIT("return (x)"));

	cr_assert(!lex_word(&lex, "RET"));
	cr_assert_eq(lex.at, 0);
	cr_assert(lex_word(&lex, "RETURN"));
	cr_assert_eq(lex.at, 6);
	lex = lex_of(BYTES_LIT("RETUR"));
	cr_assert(!lex_word(&lex, "RETURN"));
}

Test(lex, lists_open_to_a_depth)
{
	char deep[LEX_DEPTH_MAX_USER + 1];

	memset(deep, '(', sizeof(deep));
	struct lex lex = lex_of(bytes_of(deep, sizeof(deep)));

	for (int i = 0; i < LEX_DEPTH_MAX_USER; i++)
		cr_assert_eq(lex_open(&lex), RP_OK);
	cr_assert_eq(lex_open(&lex), RP_ERR_LIMIT);
	lex = lex_of(bytes_of(deep, sizeof(deep)));
	lex.depth_max = LEX_DEPTH_MAX_GUEST;
	for (int i = 0; i < LEX_DEPTH_MAX_GUEST; i++)
		cr_assert_eq(lex_open(&lex), RP_OK);
	cr_assert_eq(lex_open(&lex), RP_ERR_LIMIT);
}

Test(lex, a_list_is_items_with_one_space_between)
{
	struct lex lex = lex_of(BYTES_LIT("(a b)c"));
	struct bytes got;
	bool more;

	cr_assert_eq(lex_open(&lex), RP_OK);
	cr_assert_eq(lex_atom(&lex, &got), RP_OK);
	cr_assert_eq(lex_more(&lex, &more), RP_OK);
	cr_assert(more);
	cr_assert_eq(lex_atom(&lex, &got), RP_OK);
	cr_assert_eq(lex_more(&lex, &more), RP_OK);
	cr_assert(!more);
	cr_assert_eq(lex.depth, 0);
	cr_assert_eq(lex_peek(&lex), 'c');
	lex = lex_of(BYTES_LIT(")"));
	cr_assert(!lex_close(&lex)); /* none is open */
	cr_assert_eq(lex_more(&lex, &more), RP_ERR_SYNTAX);
}

Test(lex, the_mark_of_a_literal_to_come_ends_the_input)
{
	struct lex_mark mark;
	struct lex lex = lex_of(BYTES_LIT("{310}"));

	cr_assert_eq(lex_literal_mark(&lex, &mark), RP_OK);
	cr_assert(mark.bytes == 310 && mark.waits && !mark.binary);
	lex = lex_of(BYTES_LIT("~{310+}\r\n"));
	cr_assert_eq(lex_literal_mark(&lex, &mark), RP_OK);
	cr_assert(mark.bytes == 310 && !mark.waits && mark.binary);
	lex = lex_of(BYTES_LIT("{310}\r\nx"));
	cr_assert_eq(lex_literal_mark(&lex, &mark), RP_ERR_SYNTAX);
	lex = lex_of(BYTES_LIT("310"));
	cr_assert_eq(lex_literal_mark(&lex, &mark), RP_ERR_SYNTAX);
}

/* When the arena has no room it is a limit, not a syntax error. */
Test(lex, no_room_to_unquote_is_a_limit)
{
	struct arena small;
	struct lex lex = lex_of(BYTES_LIT("\"a\\\\b\""));
	struct bytes got;

	arena_init(&small, 0);
	cr_assert_eq(lex_string(&lex, &small, &got), RP_ERR_LIMIT);
	cr_assert_eq(lex.at, 0);
	arena_fini(&small);
}
