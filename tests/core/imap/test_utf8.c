#include <criterion/criterion.h>

#include "core/imap/utf8.h"

/* Each character that there is comes back; each surrogate is refused. */
Test(utf8, all_characters_both_ways)
{
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		uint8_t p[UTF8_BYTES_MAX];
		size_t at = 0;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		size_t n = utf8_put(p, c);

		cr_assert_eq(utf8_next(bytes_of(p, n), &at), c);
		cr_assert_eq(at, n);
		at = 0;
		if (n > 1)
			cr_assert_eq(utf8_next(bytes_of(p, n - 1), &at), UTF8_BAD);
	}
}

Test(utf8, ill_formed_is_refused)
{
	static const char *const wrong[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
		"\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe", "\xc3",
		"\xc3(", "\xe2\x82", "abcdefgh\xc3", "12345678\xff" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert(!utf8_valid(bytes_of_str(wrong[i])), "%zu", i);
	cr_assert(utf8_valid(BYTES_LIT("")));
	cr_assert(utf8_valid(BYTES_LIT("plain text, long enough for words\0")));
	cr_assert(
	    utf8_valid(BYTES_LIT("Entw\xc3\xbcrfe \xe5\x8f\xb0\xe5\x8c\x97 \xf0\x9f\x98\x80")));
}
