#include <criterion/criterion.h>

#include "core/mail/encoded_word.h"
#include "core/mail/text.h"

#include <time.h>

static struct charset_set set;

static void set_up(void)
{
	const char *name;

	cr_assert_eq(charset_init(&set, &name), RP_OK);
}

static void tear_down(void)
{
	charset_fini(&set);
}

TestSuite(encoded_word, .init = set_up, .fini = tear_down);

static void decode(struct bytes in, struct text *out)
{
	struct encoded_word_reader reader;
	uint8_t piece[ENCODED_WORD_OUT_BYTES];
	size_t n;

	encoded_word_begin(&reader, &set, in);
	while (encoded_word_next(&reader, piece, &n)) {
		cr_assert_leq(n, sizeof(piece));
		text_put(out, bytes_of(piece, n));
	}
	encoded_word_end(&reader);
}

static void check(const char *in, const char *want)
{
	struct arena arena;
	struct text out;

	arena_init(&arena, 1 << 20);
	text_init(&out, &arena);
	decode(bytes_of_str(in), &out);
	cr_expect(
	    bytes_eq(bytes_of(out.n != 0 ? out.p : (const uint8_t *)"", out.n), bytes_of_str(want)),
	    "%s: got %.*s", in, BYTES_FMT(text_bytes(&out)));
	arena_fini(&arena);
}

Test(encoded_word, words_and_text_between)
{
	check("plain", "plain");
	check("=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?ISO-8859-1?B?QmVybg==?=", "Grüße aus Bern");
	check("=?iso-8859-1?q?this_is=20some text?=", "this is some text");
	check("=?utf-8*de?q?a?=", "a");
	check("(=?utf-8?q?a?=)", "(a)");
	check("caf\xc3\xa9 =?utf-8?q?a?=", "café a");
	check("caf\xe9", "caf\xef\xbf\xbd");
	check("=?iso-2022-jp?b?GyRCNEE7ehsoQg==?= =?iso-2022-jp?b?GyRCNEE7ehsoQg==?=", "漢字漢字");
}

Test(encoded_word, blanks_between_words_go_and_cut_characters_are_joined)
{
	check("=?utf-8?q?a?= \r\n\t=?utf-8?q?b?=", "ab");
	check("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b");
	check("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é");
	check("=?utf-8?b?w6?= =?utf-8?b?qQ==?=", "é");
	check("=?utf-8?q?=C3?= =?iso-8859-1?q?=E9?=", "\xef\xbf\xbd"
	                                              "é");
}

Test(encoded_word, what_is_no_word_stands_as_it_is)
{
	static const char *const texts[] = {"=?", "=?\?=", "=?x?q?", "=?utf-8?x?a?=", "=?utf-8?q?a",
	    "=?utf-8?q?a?b?=", "a =?= b", "=?=?=?=?=?=", "= ?utf-8?q?a?=", "1=2?3"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check(texts[i], texts[i]);
	check("=?no-such?q?a=E9?=", "a\xef\xbf\xbd");
	check("=?utf-8?q?\?=", "");
	check("=?=?utf-8?q?a?=", "=?a");
}

static uint64_t time_of(const char *each, size_t count)
{
	struct arena arena;
	struct text in, out;
	struct timespec from, to;

	arena_init(&arena, 256 << 20);
	text_init(&in, &arena);
	text_init(&out, &arena);
	for (size_t i = 0; i < count; i++)
		text_put_str(&in, each);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	decode(text_bytes(&in), &out);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	cr_assert_not(out.full);
	arena_fini(&arena);
	return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u +
	       (uint64_t)(to.tv_nsec - from.tv_nsec);
}

Test(encoded_word, fifty_thousand_words_take_linear_time, .timeout = 60)
{
	static const char *const bombs[] = {"=?utf-8?q?a?= ", "=?", "=?a?q?", "=?utf-8?q?",
	    "=?iso-2022-jp?b?GyRC?=x", "=?utf-8?q?=C3?=", "?="};

	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		uint64_t once = time_of(bombs[i], 50000 / 8);
		uint64_t eight = time_of(bombs[i], 50000);

		cr_expect_lt(eight, 24 * once + 20 * 1000 * 1000, "bomb %zu: %lu, %lu", i,
		    (unsigned long)once, (unsigned long)eight);
	}
}

Test(encoded_word, words_and_text_longer_than_a_slice)
{
	char in[4000] = "=?utf-8?q?";
	char want[4000] = "";

	for (size_t i = 0; i < 300; i++) {
		strcat(in, "=C3=A9");
		strcat(want, "é");
	}
	strcat(in, "?= ");
	strcat(want, " ");
	for (size_t i = 0; i < 500; i++) {
		strcat(in, "è");
		strcat(want, "è");
	}
	check(in, want);
}

Test(encoded_word, what_is_not_read_to_its_end_gives_all_back)
{
	struct encoded_word_reader reader;
	uint8_t piece[ENCODED_WORD_OUT_BYTES];
	char in[1000] = "=?iso-2022-jp?q?";
	size_t n;

	for (size_t i = 0; i < 900; i++)
		strcat(in, "a");
	strcat(in, "?=");
	encoded_word_begin(&reader, &set, bytes_of_str(in));
	cr_assert(encoded_word_next(&reader, piece, &n));
	encoded_word_end(&reader); /* the leak check looks for its converter */
}
