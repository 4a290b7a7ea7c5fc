#include <criterion/criterion.h>

#include "core/mail/charset.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static struct charset_set set;

static void set_up(void)
{
	const char *name = NULL;

	cr_assert_eq(charset_init(&set, &name), RP_OK, "%s", name);
}

static void tear_down(void)
{
	charset_fini(&set);
}

TestSuite(charset, .init = set_up, .fini = tear_down);

/* Converted in cuts of `cut` bytes; checks the bound on each call's output. */
static size_t convert(enum charset charset, struct bytes in, size_t cut, uint8_t *out)
{
	struct charset_conv conv;
	size_t n = 0;

	charset_begin(&conv, &set, charset);
	for (size_t at = 0; at < in.n; at += cut) {
		size_t end = at + cut < in.n ? at + cut : in.n;
		size_t got = charset_feed(&conv, bytes_slice(in, at, end), out + n);

		cr_assert_leq(got, CHARSET_OUT_BYTES(end - at));
		n += got;
	}
	return n + charset_finish(&conv, out + n);
}

struct charset_case {
	const char *name;
	struct bytes in;
	struct bytes want;
};

static void check_cases(const struct charset_case *cases, size_t count)
{
	uint8_t out[1024];

	for (size_t i = 0; i < count; i++) {
		enum charset charset = charset_find(bytes_of_str(cases[i].name));

		for (size_t cut = 1; cut <= cases[i].in.n; cut++) {
			size_t n = convert(charset, cases[i].in, cut, out);

			cr_expect(bytes_eq(bytes_of(out, n), cases[i].want), "%s, cut %zu: %.*s",
			    cases[i].name, cut, (int)n, (const char *)out);
		}
	}
}

Test(charset, text_in_many_charsets)
{
	const struct charset_case cases[] = {
	    {"US-ASCII", BYTES_LIT("plain"), BYTES_LIT("plain")},
	    {"utf-8", BYTES_LIT("Grüße 漢字 😀"), BYTES_LIT("Grüße 漢字 😀")},
	    {"ISO-8859-1", BYTES_LIT("caf\xe9 \x80"), BYTES_LIT("café €")},
	    {"iso-8859-15", BYTES_LIT("\xa4"), BYTES_LIT("€")},
	    {"iso-8859-2", BYTES_LIT("\xb1\xb6"), BYTES_LIT("ąś")},
	    {"windows-1251", BYTES_LIT("\xcf\xf0\xe8\xe2\xe5\xf2"), BYTES_LIT("Привет")},
	    {"koi8-r", BYTES_LIT("\xf0\xd2\xc9\xd7\xc5\xd4"), BYTES_LIT("Привет")},
	    {"windows-1255", BYTES_LIT("\xf9\xec\xe5\xed"), BYTES_LIT("שלום")},
	    {"windows-1258", BYTES_LIT("a\xe1"), BYTES_LIT("aá")},
	    {"tis-620", BYTES_LIT("\xa1\xd2"), BYTES_LIT("กา")},
	    {"gb2312", BYTES_LIT("a\xba\xba\xd7\xd6z"), BYTES_LIT("a汉字z")},
	    {"gb18030", BYTES_LIT("\x81\x30\x81\x30"), BYTES_LIT("\xc2\x80")},
	    {"big5", BYTES_LIT("\xba\x7e\xa6r"), BYTES_LIT("漢字")},
	    {"ks_c_5601-1987", BYTES_LIT("\xc7\xd1\xb1\xdb"), BYTES_LIT("한글")},
	    {"shift_jis", BYTES_LIT("\x8a\xbf\x8e\x9a"), BYTES_LIT("漢字")},
	    {"euc-jp", BYTES_LIT("\xb4\xc1\xbb\xfa"), BYTES_LIT("漢字")},
	    {"iso-2022-jp", BYTES_LIT("a\x1b$B4A;z\x1b(Bz"), BYTES_LIT("a漢字z")},
	    {"utf-7", BYTES_LIT("Hi +Jjo- +- x"), BYTES_LIT("Hi ☺ + x")},
	    {"utf-16",
	        BYTES_LIT("\xff\xfe"
	                  "a\0\x3d\xd8\0\xde"),
	        BYTES_LIT("a😀")},
	    {"utf-16", BYTES_LIT("\0a\0b"), BYTES_LIT("ab")},
	    {"utf-16le", BYTES_LIT("a\0b\0"), BYTES_LIT("ab")},
	};

	check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

Test(charset, what_is_ill_formed_is_replaced)
{
	const struct charset_case cases[] = {
	    {"utf-8",
	        BYTES_LIT("a\xff"
	                  "b"),
	        BYTES_LIT("a\xef\xbf\xbd"
	                  "b")},
	    {"utf-8",
	        BYTES_LIT("\xe2\x82"
	                  "a"),
	        BYTES_LIT("\xef\xbf\xbd"
	                  "a")},
	    {"utf-8", BYTES_LIT("\xe2\x82"), BYTES_LIT("\xef\xbf\xbd")},
	    {"utf-8", BYTES_LIT("\xc0\x80"), BYTES_LIT("\xef\xbf\xbd\xef\xbf\xbd")},
	    {"utf-8", BYTES_LIT("\xed\xa0\x80"), BYTES_LIT("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")},
	    {"no-such-charset", BYTES_LIT("a\xe9z"), BYTES_LIT("a\xef\xbf\xbdz")},
	    {"windows-1252", BYTES_LIT("\x81"), BYTES_LIT("\xef\xbf\xbd")},
	    {"gb18030", BYTES_LIT("\xba"), BYTES_LIT("\xef\xbf\xbd")},
	    {"utf-16be", BYTES_LIT("\xd8\0\0a"),
	        BYTES_LIT("\xef\xbf\xbd"
	                  "a")},
	    {"utf-16be", BYTES_LIT("\xdc\0\0"), BYTES_LIT("\xef\xbf\xbd\xef\xbf\xbd")},
	};

	check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

/* A name that a mail gives is looked up in the table and goes nowhere else. */
Test(charset, names_that_are_not_in_the_table_are_unknown)
{
	static const char *const names[] = {"", "../../tmp/x", "UTF-8//TRANSLIT", "ISO-2022-CN-EXT",
	    "iso-8859-1 ", "utf-8,utf-8", "EBCDIC-US"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect_eq(charset_find(bytes_of_str(names[i])), CHARSET_UNKNOWN, "%s", names[i]);
	cr_assert_eq(charset_find(bytes_of_str("Utf-8")), CHARSET_UTF8);
}

Test(charset, every_charset_is_found_by_its_own_name)
{
	for (enum charset c = CHARSET_UTF8; c < CHARSET_COUNT; c++)
		cr_expect_eq(charset_find(bytes_of_str(charset_name(c))), c, "%s", charset_name(c));
}

/* Every byte and pair of bytes, in every charset, whole and cut: nothing but well-formed text, the
 * same both ways, within the bound. */
Test(charset, any_bytes_give_well_formed_text, .timeout = 120)
{
	static uint8_t in[3 * 65536];
	uint8_t *out = malloc(CHARSET_OUT_BYTES(sizeof(in)));
	uint8_t *again = malloc(2 * CHARSET_OUT_BYTES(sizeof(in)));
	uint8_t *third = malloc(2 * CHARSET_OUT_BYTES(sizeof(in)));

	for (size_t i = 0; i < 65536; i++) {
		in[3 * i] = (uint8_t)(i >> 8);
		in[3 * i + 1] = (uint8_t)i;
		in[3 * i + 2] = (uint8_t)(i * 7 >> 3);
	}
	for (enum charset c = CHARSET_UTF8; c < CHARSET_COUNT; c++) {
		struct bytes all = bytes_of(in, sizeof(in));
		size_t n = convert(c, all, sizeof(in), out);
		size_t m = convert(c, all, 1001, again);

		cr_expect(bytes_eq(bytes_of(out, n), bytes_of(again, m)), "%s", charset_name(c));
		m = convert(CHARSET_UTF8, bytes_of(out, n), n, third);
		cr_expect(bytes_eq(bytes_of(out, n), bytes_of(third, m)), "%s", charset_name(c));
	}
	free(third);
	free(again);
	free(out);
}

/* After the sandbox no module can be loaded; conversions that need a converter of their own work.
 */
Test(charset, after_init_no_file_is_opened)
{
	struct rlimit none = {0, 0};
	struct rlimit before;
	uint8_t out[128];

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	size_t n = convert(CHARSET_ISO_2022_JP, BYTES_LIT("\x1b$B4A;z\x1b(B"), 100, out);
	size_t m = convert(CHARSET_GB18030, BYTES_LIT("\xba\xba"), 100, out + n);

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_assert(bytes_eq(bytes_of(out, n + m), BYTES_LIT("漢字汉")));
}
