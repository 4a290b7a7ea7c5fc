#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/imap/fetch_att.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(fetch_att, .init = set_up, .fini = tear_down);

static enum rp_err parse(const char *text, struct fetch_atts *out)
{
	struct lex lex = lex_of(bytes_of_str(text));
	enum rp_err err = fetch_atts_parse(&lex, &arena, out);

	return err == RP_OK && !lex_end(&lex) ? RP_ERR_SYNTAX : err;
}

/* Parsed and written, items with a space between, it reads `want`. */
static void echoes(const char *text, const char *want)
{
	struct fetch_atts atts;
	struct rope rope;
	struct resp resp;
	bool started = false;

	cr_assert_eq(parse(text, &atts), RP_OK, "%s", text);
	rope_init(&rope);
	resp_init(&resp, &rope, false);
	for (size_t i = 0; i < atts.att_count; i++) {
		resp_sep(&resp, &started);
		fetch_att_write(&resp, &atts.att[i]);
	}
	resp_flush(&resp);
	struct bytes got = rope_peek(&rope, 0);

	cr_assert(bytes_eq(got, bytes_of_str(want)), "%s: %.*s", text, BYTES_FMT(got));
	rope_fini(&rope);
}

Test(fetch_att, items_in_the_order_asked)
{
	echoes("flags", "FLAGS");
	echoes("(UID rfc822.size FLAGS internaldate)", "UID RFC822.SIZE FLAGS INTERNALDATE");
	echoes("(BODY BODYSTRUCTURE BODY[] BODY.PEEK[1.MIME]<0.5> ENVELOPE MODSEQ)",
	    "BODY BODYSTRUCTURE BODY[] BODY[1.MIME]<0> ENVELOPE MODSEQ");
	echoes("(RFC822 RFC822.HEADER RFC822.TEXT)", "RFC822 RFC822.HEADER RFC822.TEXT");
	echoes("body.peek[header.fields (from)]", "BODY[HEADER.FIELDS (from)]");
}

Test(fetch_att, macros_stand_for_lists)
{
	echoes("fast", "FLAGS INTERNALDATE RFC822.SIZE");
	echoes("ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE");
	echoes("Full", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY");
}

Test(fetch_att, what_is_asked_twice_comes_once)
{
	echoes("(FLAGS UID FLAGS)", "FLAGS UID");
	echoes("(BODY[] BODY[])", "BODY[] BODY[]"); /* sections are not compared */
}

Test(fetch_att, which_items_mark_as_read)
{
	static const char *const seen[] = { "RFC822", "RFC822.TEXT", "BODY[]", "(FLAGS BODY[1])" };
	static const char *const unseen[] = { "RFC822.HEADER", "RFC822.SIZE", "BODY.PEEK[]", "BODY",
		"FULL" };
	struct fetch_atts atts;

	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		cr_assert_eq(parse(seen[i], &atts), RP_OK);
		cr_assert(atts.sets_seen, "%s", seen[i]);
	}
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
		cr_assert_eq(parse(unseen[i], &atts), RP_OK);
		cr_assert(!atts.sets_seen, "%s", unseen[i]);
	}
	cr_assert_eq(parse("(UID BODY[])", &atts), RP_OK);
	cr_assert_eq(atts.kinds, 1u << FETCH_UID | 1u << FETCH_BODY_SECTION);
}

Test(fetch_att, what_is_no_item_is_refused)
{
	static const char *const wrong[] = { "", "()", "(FLAGS", "(FLAGS )", "( FLAGS)", "(FAST)",
		"(FLAGS ALL)", "BODY.PEEK", "RFC822[]", "FLAGS[]", "BODYSTRUCTURE[]", "BINARY[]",
		"FOO", "BODY[", "BODY []", "FLAGS UID", "(FLAGS  UID)", "RFC822.PEEK", "\"FLAGS\"",
		"FLAGS)", "((FLAGS))" };
	struct fetch_atts atts;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &atts), RP_ERR_SYNTAX, "%s", wrong[i]);
}

Test(fetch_att, items_are_bounded)
{
	char text[FETCH_ATTS_MAX * 8 + 32];
	struct fetch_atts atts;

	for (unsigned count = FETCH_ATTS_MAX - 1; count <= FETCH_ATTS_MAX + 1; count++) {
		size_t n = (size_t)sprintf(text, "(BODY[]");

		for (unsigned i = 1; i < count; i++)
			n += (size_t)sprintf(text + n, " BODY[]");
		strcpy(text + n, ")");
		cr_assert_eq(parse(text, &atts), count <= FETCH_ATTS_MAX ? RP_OK : RP_ERR_LIMIT);
	}
}

static enum rp_err modifiers(const char *text, struct fetch_modifiers *out)
{
	struct lex lex = lex_of(bytes_of_str(text));

	return fetch_modifiers_parse(&lex, out);
}

Test(fetch_att, modifiers)
{
	struct fetch_modifiers mods;

	cr_assert_eq(modifiers("", &mods), RP_OK);
	cr_assert(!mods.has_changedsince && !mods.vanished);
	cr_assert_eq(modifiers("  ", &mods), RP_OK);
	cr_assert_eq(modifiers(" (changedsince 0)", &mods), RP_OK);
	cr_assert(mods.has_changedsince && mods.changedsince == 0);
	cr_assert_eq(modifiers(" (CHANGEDSINCE 9223372036854775807 VANISHED)", &mods), RP_OK);
	cr_assert(mods.changedsince == INT64_MAX && mods.vanished);

	static const char *const wrong[] = { " ()", "(CHANGEDSINCE 1)", " (CHANGEDSINCE)",
		" (CHANGEDSINCE -1)", " (CHANGEDSINCE 9223372036854775808)",
		" (CHANGEDSINCE 1 CHANGEDSINCE 2)", " (CHANGEDSINCE 1", " (FOO)",
		" (CHANGEDSINCE 1) x", " (VANISHED VANISHED)", " x" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(modifiers(wrong[i], &mods), RP_ERR_SYNTAX, "%s", wrong[i]);
}
