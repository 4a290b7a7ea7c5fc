#include <criterion/criterion.h>

#include "core/mail/text.h"

static struct bytes string_of(struct arena *arena, struct bytes b)
{
	struct text text;

	text_init(&text, arena);
	text_put_string(&text, b);
	cr_assert_not(text.full);
	return text_bytes(&text);
}

Test(text, ascii_is_quoted_and_escaped)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	cr_assert(bytes_eq(string_of(&arena, BYTES_LIT("")), BYTES_LIT("\"\"")));
	cr_assert(bytes_eq(string_of(&arena, BYTES_LIT("a\\b\"c")), BYTES_LIT("\"a\\\\b\\\"c\"")));
	arena_fini(&arena);
}

Test(text, what_may_not_be_quoted_is_a_literal)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	cr_assert(
	    bytes_eq(string_of(&arena, BYTES_LIT("caf\xc3\xa9")), BYTES_LIT("{5}\r\ncaf\xc3\xa9")));
	cr_assert(bytes_eq(string_of(&arena, BYTES_LIT("a\r\nb")), BYTES_LIT("{4}\r\na\r\nb")));
	cr_assert(bytes_eq(string_of(&arena, BYTES_LIT("a\0b")), BYTES_LIT("{3}\r\na\x80"
	                                                                   "b")));
	arena_fini(&arena);
}

Test(text, nil_and_empty_differ)
{
	struct arena arena;
	struct text text;

	arena_init(&arena, 1 << 20);
	text_init(&text, &arena);
	text_put_nstring(&text, (struct bytes){NULL, 0});
	text_put_nstring(&text, BYTES_LIT(""));
	text_put_number(&text, UINT64_MAX);
	cr_assert(bytes_eq(text_bytes(&text), BYTES_LIT("NIL\"\"18446744073709551615")));
	arena_fini(&arena);
}

Test(text, over_the_bound_is_remembered_and_nothing_is_added)
{
	struct arena arena;
	struct text text;
	static uint8_t big[8192];

	arena_init(&arena, 4096);
	text_init(&text, &arena);
	text_put_str(&text, "kept");
	text_put(&text, bytes_of(big, sizeof(big)));
	cr_assert(text.full);
	text_put_str(&text, "x");
	cr_assert(bytes_eq(text_bytes(&text), BYTES_LIT("kept")));
	arena_fini(&arena);
}
