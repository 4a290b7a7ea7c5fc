#include <criterion/criterion.h>

#include "core/mail/fold.h"
#include "core/mail/needle.h"

#include <stdlib.h>

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 4 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(needle, .init = set_up, .fini = tear_down);

static bool contains(const char *text, const char *key, size_t cut)
{
	struct needle needle;
	struct needle_scan scan = {0};
	struct text folded;
	bool found = false;

	cr_assert_eq(needle_init(&needle, &arena, bytes_of_str(key)), RP_OK);
	text_init(&folded, &arena);
	fold_text(&folded, bytes_of_str(text));
	if (folded.n == 0)
		return needle_find(&needle, &scan, BYTES_LIT(""));
	for (size_t at = 0; at < folded.n && !found; at += cut) {
		size_t end = at + cut < folded.n ? at + cut : folded.n;

		found = needle_find(&needle, &scan, bytes_of(folded.p + at, end - at));
	}
	return found;
}

Test(needle, case_blind_in_any_script_and_across_any_cut)
{
	static const char *const found[][2] = {{"Hello World", "o wor"}, {"STRASSE", "straße"},
	    {"Привет", "ПРИВЕТ"}, {"ΣΊΣΥΦΟΣ", "σίσυφος"}, {"caf\xc3\xa9", "CAFE\xcc\x81"},
	    {"aaab", "aab"}, {"abababac", "ababac"}, {"ﬁx", "FIX"}, {"x", ""}, {"", ""}};
	static const char *const missing[][2] = {
	    {"Hello", "hallo"}, {"aaab", "aaaab"}, {"", "a"}, {"ab", "abc"}};

	for (size_t cut = 1; cut < 12; cut++) {
		for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
			cr_expect(contains(found[i][0], found[i][1], cut), "%s in %s, cut %zu",
			    found[i][1], found[i][0], cut);
		for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
			cr_expect_not(contains(missing[i][0], missing[i][1], cut), "%s in %s",
			    missing[i][1], missing[i][0]);
	}
}

Test(needle, agrees_with_strstr)
{
	uint32_t seed = 3;

	for (int round = 0; round < 20000; round++) {
		char text[40], key[6];
		size_t text_n, key_n;

		seed = seed * 1664525 + 1013904223;
		text_n = (seed >> 8) % 39;
		key_n = 1 + (seed >> 16) % 4;
		for (size_t i = 0; i < text_n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = (char)('a' + ((seed >> 20) & 1));
		}
		for (size_t i = 0; i < key_n; i++) {
			seed = seed * 1664525 + 1013904223;
			key[i] = (char)('a' + ((seed >> 20) & 1));
		}
		text[text_n] = key[key_n] = 0;
		cr_assert_eq(contains(text, key, 1 + round % 7), strstr(text, key) != NULL,
		    "%s in %s", key, text);
		if (round % 100 == 0)
			arena_reset(&arena);
	}
}

Test(needle, a_key_has_a_bound)
{
	static char key[NEEDLE_BYTES_MAX + 2];
	struct needle needle;

	memset(key, 'a', sizeof(key));
	cr_assert_eq(needle_init(&needle, &arena, bytes_of(key, NEEDLE_BYTES_MAX)), RP_OK);
	cr_assert_eq(
	    needle_init(&needle, &arena, bytes_of(key, NEEDLE_BYTES_MAX + 1)), RP_ERR_LIMIT);
}

/* Every character folds to well-formed text within the bound. */
Test(needle, every_character_folds_within_the_bound)
{
	uint8_t out[FOLD_CHAR_BYTES_MAX];

	for (uint32_t c = 0x80; c < 0x110000; c++) {
		uint8_t in[4];
		size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		for (size_t i = n; i-- > 1;)
			in[i] = (uint8_t)(0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
		in[0] = (uint8_t)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c >> 6 * (n - 1));
		struct bytes rest = bytes_of(in, n);
		size_t folded = fold_utf8(&rest, out, sizeof(out));

		cr_assert_eq(rest.n, 0);
		cr_assert_geq(folded, 1, "%x", c);
		cr_assert_leq(folded * 2, n * FOLD_CHAR_BYTES_MAX);
	}
}
