#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/imap/section.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(section, .init = set_up, .fini = tear_down);

static enum rp_err parse(const char *text, struct section *out)
{
	struct lex lex = lex_of(bytes_of_str(text));
	enum rp_err err = section_parse(&lex, &arena, out);

	return err == RP_OK && !lex_end(&lex) ? RP_ERR_SYNTAX : err;
}

/* Parsed and written it reads `want`. */
static void echoes(const char *text, const char *want)
{
	struct section section;
	struct rope rope;
	struct resp resp;

	cr_assert_eq(parse(text, &section), RP_OK, "%s", text);
	rope_init(&rope);
	resp_init(&resp, &rope, false);
	section_write(&resp, &section);
	resp_flush(&resp);
	struct bytes got = rope_peek(&rope, 0);

	cr_assert(bytes_eq(got, bytes_of_str(want)), "%s: %.*s", text, BYTES_FMT(got));
	rope_fini(&rope);
}

Test(section, every_form_is_echoed)
{
	echoes("[]", "[]");
	echoes("[]<0.10>", "[]<0>");
	echoes("[header]", "[HEADER]");
	echoes("[TEXT]<5.4294967295>", "[TEXT]<5>");
	echoes("[1]", "[1]");
	echoes("[1.20.3]", "[1.20.3]");
	echoes("[4.1.mime]", "[4.1.MIME]");
	echoes("[3.HEADER]", "[3.HEADER]");
	echoes("[3.TEXT]", "[3.TEXT]");
	echoes("[HEADER.FIELDS (From \"To\" {3}\r\nX-Y)]", "[HEADER.FIELDS (From To X-Y)]");
	echoes("[2.header.fields.not (\"a b\")]<1.1>", "[2.HEADER.FIELDS.NOT (\"a b\")]<1>");
	echoes("[]<9223372036854775807.9223372036854775807>", "[]<9223372036854775807>");
}

Test(section, its_parts_are_as_written)
{
	struct section s;

	cr_assert_eq(parse("[7.8.HEADER.FIELDS.NOT (A B)]<3.4>", &s), RP_OK);
	cr_assert_eq(s.kind, SECTION_HEADER_FIELDS_NOT);
	cr_assert(s.part_count == 2 && s.part[0] == 7 && s.part[1] == 8);
	cr_assert(s.field_count == 2 && bytes_eq(s.field[1], BYTES_LIT("B")));
	cr_assert(s.has_partial && s.partial_offset == 3 && s.partial_bytes == 4);
}

Test(section, what_is_no_section_is_refused)
{
	static const char *const wrong[] = { "", "[", "]", "[1", "[1.", "[1.]", "[.1]", "[0]",
		"[01]", "[1..2]", "[MIME]", "[HEADERS]", "[1HEADER]", "[1TEXT]", "[HEADER.FIELDS]",
		"[HEADER.FIELDS ()]", "[HEADER.FIELDS (A)", "[HEADER.FIELDS(A)]",
		"[HEADER.FIELDS (A )]", "[HEADER (A)]", "[TEXT.1]", "[HEADER.]", "[4294967296]",
		"[]<", "[]<0>", "[]<0.0>", "[]<0.01>", "[]<.1>", "[]<1.>", "[]<-1.1>", "[]<0.1",
		"[]<0.9223372036854775808>", "[] ()", "[ ]", "[1 ]" };
	struct section s;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &s), RP_ERR_SYNTAX, "%s", wrong[i]);
}

Test(section, depth_is_bounded)
{
	char text[SECTION_PART_DEPTH_MAX * 2 + 8];
	struct section s;

	for (unsigned depth = SECTION_PART_DEPTH_MAX - 1; depth <= SECTION_PART_DEPTH_MAX + 1;
	     depth++) {
		size_t n = (size_t)sprintf(text, "[1");

		for (unsigned i = 1; i < depth; i++)
			n += (size_t)sprintf(text + n, ".1");
		strcpy(text + n, "]");
		cr_assert_eq(
		    parse(text, &s), depth <= SECTION_PART_DEPTH_MAX ? RP_OK : RP_ERR_LIMIT);
	}
}

Test(section, header_names_are_bounded)
{
	char *text = malloc(SECTION_FIELDS_MAX * 2 + 64);
	struct section s;

	cr_assert_not_null(text);
	for (unsigned count = SECTION_FIELDS_MAX - 1; count <= SECTION_FIELDS_MAX + 1; count++) {
		size_t n = (size_t)sprintf(text, "[HEADER.FIELDS (a");

		for (unsigned i = 1; i < count; i++)
			n += (size_t)sprintf(text + n, " b");
		strcpy(text + n, ")]");
		cr_assert_eq(parse(text, &s), count <= SECTION_FIELDS_MAX ? RP_OK : RP_ERR_LIMIT);
	}
	free(text);
}
