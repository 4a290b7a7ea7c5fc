#include <criterion/criterion.h>
#include <stdio.h>

#include "core/imap/id_params.h"

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(id_params, .init = set_up, .fini = tear_down);

static enum rp_err parse(const char *text, struct id_params *out)
{
	struct lex lex = lex_of(bytes_of_str(text));
	enum rp_err err = id_params_parse(&lex, &arena, out);

	return err == RP_OK && !lex_end(&lex) ? RP_ERR_SYNTAX : err;
}

static void echoes(const char *text, const char *want)
{
	struct id_params params;
	struct rope rope;
	struct resp resp;

	cr_assert_eq(parse(text, &params), RP_OK, "%s", text);
	rope_init(&rope);
	resp_init(&resp, &rope, false);
	id_params_write(&resp, &params);
	resp_flush(&resp);
	cr_assert(bytes_eq(rope_peek(&rope, 0), bytes_of_str(want)));
	rope_fini(&rope);
}

Test(id_params, nil_and_pairs)
{
	echoes("NIL", "NIL");
	echoes("()", "NIL");
	echoes("(\"name\" \"x\" \"os\" NIL)", "(\"name\" \"x\" \"os\" NIL)");
	echoes("({4}\r\nname \"\")", "(\"name\" \"\")");
}

Test(id_params, what_is_no_list_is_refused)
{
	static const char *const wrong[] = { "", "(", "(\"a\")", "(\"a\" \"b\" \"c\")",
		"(NIL \"b\")", "(a \"b\")", "(\"a\" b)", "(\"a\"  \"b\")", "\"a\"",
		"(\"a\" \"b\" )" };
	struct id_params params;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &params), RP_ERR_SYNTAX, "%s", wrong[i]);
}

Test(id_params, bounds_are_the_standards)
{
	char text[2 * ID_VALUE_BYTES_MAX];
	struct id_params params;

	for (int n = ID_FIELD_BYTES_MAX - 1; n <= ID_FIELD_BYTES_MAX + 1; n++) {
		snprintf(text, sizeof(text), "(\"%0*d\" \"x\")", n, 7);
		cr_assert_eq(parse(text, &params), n <= ID_FIELD_BYTES_MAX ? RP_OK : RP_ERR_SYNTAX);
	}
	for (int n = ID_VALUE_BYTES_MAX - 1; n <= ID_VALUE_BYTES_MAX + 1; n++) {
		snprintf(text, sizeof(text), "(\"x\" \"%0*d\")", n, 7);
		cr_assert_eq(parse(text, &params), n <= ID_VALUE_BYTES_MAX ? RP_OK : RP_ERR_SYNTAX);
	}
	for (int count = ID_PARAMS_MAX - 1; count <= ID_PARAMS_MAX + 1; count++) {
		size_t n = (size_t)sprintf(text, "(\"a\" NIL");

		for (int i = 1; i < count; i++)
			n += (size_t)sprintf(text + n, " \"a\" NIL");
		strcpy(text + n, ")");
		cr_assert_eq(parse(text, &params), count <= ID_PARAMS_MAX ? RP_OK : RP_ERR_SYNTAX);
	}
}
