#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/imap/list_pattern.h"
#include "core/imap/status_att.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 4 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(list_pattern, .init = set_up, .fini = tear_down);

static enum rp_err parse(const char *text, struct list_args *out)
{
	struct lex lex = lex_of(bytes_of_str(text));

	return list_args_parse(&lex, &arena, false, out);
}

static bool matches(const char *args_text, const char *name)
{
	struct list_args args;

	cr_assert_eq(parse(args_text, &args), RP_OK, "%s", args_text);
	return list_args_match(&args, bytes_of_str(name));
}

Test(list_pattern, wildcards)
{
	cr_assert(matches("\"\" *", "a/b/c"));
	cr_assert(matches("\"\" %", "abc"));
	cr_assert(!matches("\"\" %", "a/b"));
	cr_assert(matches("\"\" %/%", "a/b"));
	cr_assert(!matches("\"\" %/%", "a/b/c"));
	cr_assert(matches("\"\" a*c", "abc"));
	cr_assert(matches("\"\" a*c", "ac"));
	cr_assert(matches("\"\" a*c", "a/c/c"));
	cr_assert(!matches("\"\" a*c", "a/cd"));
	cr_assert(matches("\"\" *%", "a/b"));
	cr_assert(matches("\"\" %*%", "a/b"));
	cr_assert(!matches("\"\" abc", "abcd"));
	cr_assert(!matches("\"\" abcd", "abc"));
	cr_assert(!matches("\"\" ABC", "abc"));
	cr_assert(matches("\"\" \"a b\"", "a b"));
	cr_assert(matches("\"\" a%", "a"));
}

Test(list_pattern, the_reference_stands_in_front)
{
	cr_assert(matches("a/ %", "a/b"));
	cr_assert(!matches("a/ %", "b"));
	cr_assert(matches("a %", "ab"));
}

Test(list_pattern, inbox_in_any_case)
{
	cr_assert(matches("\"\" inbox", "INBOX"));
	cr_assert(matches("\"\" InBox/%", "INBOX/x"));
	cr_assert(matches("\"\" i*", "INBOX"));
	cr_assert(matches("\"\" %x", "INBOX"));
	cr_assert(!matches("\"\" INBOX/X", "INBOX/x"));
	cr_assert(!matches("\"\" inboxes", "INBOXES"));
}

Test(list_pattern, the_delimiter_at_the_end_is_nothing)
{
	cr_assert(matches("\"\" foo/", "foo"));
	cr_assert(matches("foo/ %/", "foo/bar"));
}

Test(list_pattern, modified_utf7_and_what_is_none)
{
	cr_assert(matches("\"\" Entw&APw-r*", "Entw\xc3\xbcrfe"));
	cr_assert(matches("\"\" a&-b", "a&b"));
	cr_assert(!matches("\"\" &", "&"));
	cr_assert(!matches("\"\" *&", "a"));
	cr_assert(!matches("& *", "&"));

	struct lex lex = lex_of(BYTES_LIT("\"\" \"\xc3\xbc*&\""));
	struct list_args args;

	cr_assert_eq(list_args_parse(&lex, &arena, true, &args), RP_OK);
	cr_assert(list_args_match(&args, BYTES_LIT("\xc3\xbcx&")));
}

/* The plain way, which can take for ever. */
static bool model(const char *p, const char *name)
{
	if (*p == '\0')
		return *name == '\0';
	if (*p == '*' || *p == '%')
		return model(p + 1, name) ||
		       (*name != '\0' && (*p == '*' || *name != '/') && model(p, name + 1));
	return *p == *name && model(p + 1, name + 1);
}

/* Random patterns over a small alphabet agree with the plain way. */
Test(list_pattern, agrees_with_a_plain_model)
{
	uint32_t seed = 5;

	for (int round = 0; round < 30000; round++) {
		char pattern[8];
		char name[8];
		char text[32];

		seed = seed * 1664525 + 1013904223;
		size_t pattern_n = 1 + (seed >> 8) % 6;
		size_t name_n = 1 + (seed >> 12) % 6;

		for (size_t i = 0; i < pattern_n; i++) {
			seed = seed * 1664525 + 1013904223;
			pattern[i] = "ab/*%%"[(seed >> 16) % 6];
		}
		for (size_t i = 0; i < name_n; i++) {
			seed = seed * 1664525 + 1013904223;
			name[i] = "ab/"[(seed >> 16) % 3];
		}
		pattern[pattern_n] = '\0';
		name[name_n] = '\0';
		if (pattern[pattern_n - 1] == '/' || name[name_n - 1] == '/')
			continue;
		snprintf(text, sizeof(text), "\"\" %s", pattern);
		cr_assert_eq(matches(text, name), model(pattern, name), "%s %s", pattern, name);
		arena_reset(&arena);
	}
}

/* What takes for ever with backtracking, and all the states there can be. */
Test(list_pattern, hostile_patterns_end)
{
	char text[LIST_PATTERN_BYTES_MAX + 8] = "\"\" ";
	char name[1001];

	memset(name, 'a', 1000);
	name[1000] = '\0';
	for (size_t i = 3; i < LIST_PATTERN_BYTES_MAX; i += 2)
		memcpy(text + i, "a*", 2);
	text[1000] = 'b';
	text[1001] = '\0';
	for (int i = 0; i < 100; i++)
		cr_assert(!matches(text, name));
	text[1000] = '\0';
	cr_assert(matches(text, name));
}

Test(list_pattern, plain_list_has_no_options)
{
	struct list_args args;

	cr_assert_eq(parse("\"\" \"\"", &args), RP_OK);
	cr_assert(args.delimiter_only && !args.extended);
	cr_assert_eq(parse("foo/ \"\"", &args), RP_OK);
	cr_assert(args.delimiter_only);
	cr_assert_eq(parse("\"\" *", &args), RP_OK);
	cr_assert(!args.delimiter_only && !args.extended && args.pattern_count == 1);
	cr_assert_eq(parse("() \"\" \"\"", &args), RP_OK);
	cr_assert(!args.delimiter_only && args.extended);
}

Test(list_pattern, extended_list)
{
	struct list_args args;

	cr_assert_eq(parse("(SUBSCRIBED RECURSIVEMATCH) \"\" (a \"b c\" %) RETURN (CHILDREN "
	                   "special-use SUBSCRIBED"
	                   " STATUS (MESSAGES UNSEEN))",
	                 &args),
	    RP_OK);
	cr_assert(args.extended);
	cr_assert_eq(args.selects, LIST_SELECT_SUBSCRIBED | LIST_SELECT_RECURSIVEMATCH);
	cr_assert_eq(args.returns, LIST_RETURN_CHILDREN | LIST_RETURN_SPECIAL_USE |
	                               LIST_RETURN_SUBSCRIBED | LIST_RETURN_STATUS);
	cr_assert_eq(args.statuses, STATUS_MESSAGES | STATUS_UNSEEN);
	cr_assert_eq(args.pattern_count, 3);
	cr_assert(list_args_match(&args, BYTES_LIT("b c")));
	cr_assert_eq(parse("(SPECIAL-USE) \"\" * RETURN ()", &args), RP_OK);
	cr_assert_eq(args.selects, LIST_SELECT_SPECIAL_USE);
	cr_assert_eq(parse("(REMOTE) \"\" *", &args), RP_OK);
}

Test(list_pattern, what_is_no_list_is_refused)
{
	static const char *const wrong[] = { "", "\"\"", "\"\" ", "\"\"  *", "(FOO) \"\" *",
		"(RECURSIVEMATCH) \"\" *", "(REMOTE RECURSIVEMATCH) \"\" *", "\"\" ()", "\"\" (a b",
		"\"\" * RETURN", "\"\" * RETURN (FOO)", "\"\" * RETURN (STATUS)",
		"\"\" * RETURN (STATUS ())", "\"\" * RETURN (STATUS MESSAGES)", "\"\" * x",
		"\"\" * RETURN () x", "(SUBSCRIBED)\"\" *", "% *" };
	struct list_args args;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &args), RP_ERR_SYNTAX, "%s", wrong[i]);
}

Test(list_pattern, lsub_is_plain)
{
	struct lex lex = lex_of(BYTES_LIT("\"\" %"));
	struct list_args args;

	cr_assert_eq(list_args_parse_lsub(&lex, &arena, false, &args), RP_OK);
	cr_assert(list_args_match(&args, BYTES_LIT("x")));
	lex = lex_of(BYTES_LIT("\"\" (a b)"));
	cr_assert_eq(list_args_parse_lsub(&lex, &arena, false, &args), RP_ERR_SYNTAX);
	lex = lex_of(BYTES_LIT("\"\" a RETURN ()"));
	cr_assert_eq(list_args_parse_lsub(&lex, &arena, false, &args), RP_ERR_SYNTAX);
}

Test(list_pattern, patterns_are_bounded_in_length_and_number)
{
	char text[LIST_PATTERN_BYTES_MAX + 16];
	struct list_args args;

	for (int n = LIST_PATTERN_BYTES_MAX - 1; n <= LIST_PATTERN_BYTES_MAX + 1; n++) {
		snprintf(text, sizeof(text), "ab %0*d", n - 2, 7);
		cr_assert_eq(
		    parse(text, &args), n <= LIST_PATTERN_BYTES_MAX ? RP_OK : RP_ERR_LIMIT);
	}
	for (unsigned count = LIST_PATTERNS_MAX - 1; count <= LIST_PATTERNS_MAX + 1; count++) {
		size_t n = (size_t)sprintf(text, "\"\" (a");

		for (unsigned i = 1; i < count; i++)
			n += (size_t)sprintf(text + n, " a");
		strcpy(text + n, ")");
		cr_assert_eq(parse(text, &args), count <= LIST_PATTERNS_MAX ? RP_OK : RP_ERR_LIMIT);
	}
}
