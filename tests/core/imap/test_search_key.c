#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/imap/flag.h"
#include "core/imap/search_key.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 4 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(search_key, .init = set_up, .fini = tear_down);

static enum rp_err parse(const char *text, struct search_args *out)
{
	struct lex lex = lex_of(bytes_of_str(text));

	return search_args_parse(&lex, &arena, out);
}

/* The program, one word an operation. */
static void show(const struct search_program *program, char *text, size_t room)
{
	static const char *const names[] = {
		[SEARCH_AND] = "and",
		[SEARCH_OR] = "or",
		[SEARCH_NOT] = "not",
		[SEARCH_ALL] = "all",
		[SEARCH_FLAG] = "flag",
		[SEARCH_KEYWORD] = "keyword",
		[SEARCH_BCC] = "bcc",
		[SEARCH_BODY] = "body",
		[SEARCH_CC] = "cc",
		[SEARCH_FROM] = "from",
		[SEARCH_HEADER] = "header",
		[SEARCH_SUBJECT] = "subject",
		[SEARCH_TEXT] = "text",
		[SEARCH_TO] = "to",
		[SEARCH_BEFORE] = "before",
		[SEARCH_ON] = "on",
		[SEARCH_SINCE] = "since",
		[SEARCH_SENTBEFORE] = "sentbefore",
		[SEARCH_SENTON] = "senton",
		[SEARCH_SENTSINCE] = "sentsince",
		[SEARCH_LARGER] = "larger",
		[SEARCH_SMALLER] = "smaller",
		[SEARCH_OLDER] = "older",
		[SEARCH_YOUNGER] = "younger",
		[SEARCH_MODSEQ] = "modseq",
		[SEARCH_SEQNO] = "seqno",
		[SEARCH_UID] = "uid",
	};
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < program->op_count; i++) {
		const struct search_op *op = &program->op[i];

		n +=
		    (size_t)snprintf(text + n, room - n, "%s%s", i > 0 ? " " : "", names[op->kind]);
		if (op->kind == SEARCH_FLAG)
			n += (size_t)snprintf(text + n, room - n, ":%u", op->flag);
		if (op->field.n > 0)
			n += (size_t)snprintf(text + n, room - n, ":%.*s", BYTES_FMT(op->field));
		if (op->text.n > 0)
			n += (size_t)snprintf(text + n, room - n, ":%.*s", BYTES_FMT(op->text));
		if (op->kind >= SEARCH_BEFORE && op->kind <= SEARCH_SENTSINCE)
			n += (size_t)snprintf(text + n, room - n, ":%" PRId32, op->day);
		if (op->kind >= SEARCH_LARGER && op->kind <= SEARCH_MODSEQ)
			n += (size_t)snprintf(text + n, room - n, ":%" PRIu64, op->number);
	}
}

static void compiles(const char *text, const char *want)
{
	struct search_args args;
	char got[1024];

	cr_assert_eq(parse(text, &args), RP_OK, "%s", text);
	show(&args.program, got, sizeof(got));
	cr_assert_str_eq(got, want);

	/* The stack it asks for is the one it needs. */
	unsigned stack = 0;
	unsigned most = 0;

	for (size_t i = 0; i < args.program.op_count; i++) {
		enum search_op_kind kind = args.program.op[i].kind;

		if (kind == SEARCH_AND || kind == SEARCH_OR)
			stack--;
		else if (kind != SEARCH_NOT)
			stack++;
		most = stack > most ? stack : most;
	}
	cr_assert_eq(stack, 1);
	cr_assert_eq(args.program.stack_max, most);
}

Test(search_key, keys_become_a_postfix_program)
{
	compiles("ALL", "all");
	compiles("unseen", "flag:8 not");
	compiles("DELETED SEEN", "flag:4 flag:8 and");
	compiles("NOT SEEN OR FROM x FLAGGED", "flag:8 not from:x flag:2 or and");
	compiles("OR OR 1 2 NOT 3", "seqno seqno or seqno not or");
	compiles("NOT NOT ALL", "all not not");
	compiles("(ALL)", "all");
	compiles("((DRAFT (ALL)))", "flag:16 all and");
	compiles("(1 2 3) 4", "seqno seqno and seqno and seqno and");
	compiles("NOT (1 2)", "seqno seqno and not");
	compiles("OR (1 2) (3 4) 5", "seqno seqno and seqno seqno and or seqno and");
	compiles("1 OR NOT 2 3  ", "seqno seqno not seqno or and");
}

Test(search_key, every_key_of_the_grammar)
{
	compiles("ANSWERED DELETED", "flag:1 flag:4 and");
	compiles("UNANSWERED", "flag:1 not");
	compiles("UNDELETED", "flag:4 not");
	compiles("UNDRAFT", "flag:16 not");
	compiles("UNFLAGGED", "flag:2 not");
	compiles("NEW", "all not");
	compiles("OLD", "all");
	compiles("RECENT", "all not");
	compiles("KEYWORD $Junk", "keyword:$Junk");
	compiles("UNKEYWORD x", "keyword:x not");
	compiles("BCC b BODY \"c d\"", "bcc:b body:c d and");
	compiles("CC c TO t", "cc:c to:t and");
	compiles("SUBJECT {3}\r\nabc TEXT x", "subject:abc text:x and");
	compiles("HEADER Message-ID <1@x>", "header:Message-ID:<1@x>");
	compiles("HEADER X \"\"", "header:X");
	compiles("BEFORE 1-Jan-1970", "before:0");
	compiles("ON \"2-Jan-1970\"", "on:1");
	compiles("SINCE 3-Jan-1970", "since:2");
	compiles("SENTBEFORE 1-Jan-1970 SENTON 1-Jan-1970", "sentbefore:0 senton:0 and");
	compiles("SENTSINCE 1-Jan-1970", "sentsince:0");
	compiles(
	    "LARGER 0 SMALLER 9223372036854775807", "larger:0 smaller:9223372036854775807 and");
	compiles("OLDER 1 YOUNGER 259200", "older:1 younger:259200 and");
	compiles("MODSEQ 620162338", "modseq:620162338");
	compiles("MODSEQ \"/flags/\\\\draft\" all 5", "modseq:5");
	compiles("UID 1:*,5 *", "uid seqno and");
}

Test(search_key, what_the_program_needs_is_said)
{
	struct search_args args;

	cr_assert_eq(parse("UID 5:*", &args), RP_OK);
	cr_assert(!args.program.has_seqno && !args.program.has_text && !args.program.has_modseq);
	cr_assert(args.program.op[0].set.star);
	cr_assert_eq(parse("1 MODSEQ 7", &args), RP_OK);
	cr_assert(args.program.has_seqno && args.program.has_modseq);
	cr_assert_eq(parse("HEADER a b", &args), RP_OK);
	cr_assert(args.program.has_text);
}

Test(search_key, return_options)
{
	struct search_args args;

	cr_assert_eq(parse("ALL", &args), RP_OK);
	cr_assert(!args.has_return);
	cr_assert_eq(parse("RETURN () ALL", &args), RP_OK);
	cr_assert(args.has_return && args.returns == SEARCH_RETURN_ALL);
	cr_assert_eq(parse("return (min MAX count) CHARSET utf-8 ALL", &args), RP_OK);
	cr_assert_eq(args.returns, SEARCH_RETURN_MIN | SEARCH_RETURN_MAX | SEARCH_RETURN_COUNT);
	cr_assert_eq(parse("RETURN (SAVE) ALL", &args), RP_ERR_SYNTAX);
	cr_assert_eq(parse("RETURN (MIN", &args), RP_ERR_SYNTAX);
	cr_assert_eq(parse("RETURN (MIN)", &args), RP_ERR_SYNTAX);
	cr_assert_eq(parse("RETURN MIN ALL", &args), RP_ERR_SYNTAX);
}

Test(search_key, charsets)
{
	struct search_args args;

	cr_assert_eq(parse("CHARSET UTF-8 SUBJECT {2+}\r\n\xc3\xa9", &args), RP_OK);
	cr_assert(bytes_eq(args.program.op[0].text, BYTES_LIT("\xc3\xa9")));
	cr_assert_eq(parse("CHARSET \"us-ascii\" ALL", &args), RP_OK);
	cr_assert_eq(parse("CHARSET ISO-8859-1 ALL", &args), RP_ERR_CANNOT);
	cr_assert_eq(parse("CHARSET UTF-8", &args), RP_ERR_SYNTAX);
	cr_assert_eq(parse("CHARSET", &args), RP_ERR_SYNTAX);
}

Test(search_key, what_is_no_key_is_refused)
{
	static const char *const wrong[] = { "", " ", "FOO", "()", "(ALL", "ALL)", "( ALL)",
		"(ALL )", "ALL  ALL", "NOT", "NOT ", "OR ALL", "OR", "OR ALL)", "(OR ALL)", "(NOT)",
		"FROM", "FROM ", "HEADER a", "BEFORE x", "BEFORE 31-Feb-2000", "LARGER",
		"LARGER -1", "LARGER x", "OLDER 0", "UID", "UID 0", "UID x", "0", "1,", "1:", "$",
		"UID $", "KEYWORD", "KEYWORD \\Seen", "MODSEQ", "MODSEQ \"/flags/x\" 5",
		"MODSEQ \"/x\" all 5", "MODSEQ 9223372036854775808", "SEEN(ALL)", "1 2,",
		"NOT(ALL)", "UNSEEN UNSEEN2" };
	struct search_args args;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &args), RP_ERR_SYNTAX, "%s", wrong[i]);
}

/* `count` times `piece`, then `tail`. */
static enum rp_err repeated(const char *piece, unsigned count, const char *tail)
{
	size_t len = strlen(piece);
	char *text = malloc(len * count + strlen(tail) + 1);
	struct search_args args;

	cr_assert_not_null(text);
	for (unsigned i = 0; i < count; i++)
		memcpy(text + len * i, piece, len);
	strcpy(text + len * count, tail);
	enum rp_err err = parse(text, &args);

	free(text);
	arena_reset(&arena);
	return err;
}

Test(search_key, depth_is_bounded)
{
	cr_assert_eq(repeated("NOT ", SEARCH_DEPTH_MAX - 1, "ALL"), RP_OK);
	cr_assert_eq(repeated("NOT ", SEARCH_DEPTH_MAX, "ALL"), RP_OK);
	cr_assert_eq(repeated("NOT ", SEARCH_DEPTH_MAX + 1, "ALL"), RP_ERR_LIMIT);
	cr_assert_eq(repeated("OR ALL ", SEARCH_DEPTH_MAX, "ALL"), RP_OK);
	cr_assert_eq(repeated("OR ALL ", SEARCH_DEPTH_MAX + 1, "ALL"), RP_ERR_LIMIT);
	cr_assert_eq(repeated("(", SEARCH_DEPTH_MAX, ""), RP_ERR_SYNTAX);
	cr_assert_eq(repeated("(", SEARCH_DEPTH_MAX + 1, ""), RP_ERR_LIMIT);
	cr_assert_eq(repeated("NOT ", 15000, "ALL"), RP_ERR_LIMIT);
}

Test(search_key, keys_are_bounded)
{
	cr_assert_eq(repeated("SEEN ", SEARCH_KEYS_MAX - 2, "ALL"), RP_OK);
	cr_assert_eq(repeated("SEEN ", SEARCH_KEYS_MAX - 1, "ALL"), RP_OK);
	cr_assert_eq(repeated("SEEN ", SEARCH_KEYS_MAX, "ALL"), RP_ERR_LIMIT);
	cr_assert_eq(repeated("NOT SEEN ", SEARCH_KEYS_MAX / 2, "ALL"), RP_ERR_LIMIT);
}

Test(search_key, texts_are_bounded)
{
	char text[SEARCH_TEXT_BYTES_MAX + 32];
	struct search_args args;

	for (int n = SEARCH_TEXT_BYTES_MAX - 1; n <= SEARCH_TEXT_BYTES_MAX + 1; n++) {
		snprintf(text, sizeof(text), "BODY %0*d", n, 7);
		cr_assert_eq(parse(text, &args), n <= SEARCH_TEXT_BYTES_MAX ? RP_OK : RP_ERR_LIMIT);
	}
}
