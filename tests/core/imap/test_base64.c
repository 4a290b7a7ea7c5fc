#include <criterion/criterion.h>

#include "core/imap/base64.h"

Test(base64, the_standards_examples_both_ways)
{
	static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
	static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	uint8_t out[16];
	size_t n;

	for (int i = 0; i < 7; i++) {
		n = base64_encode(bytes_of_str(plain[i]), out);
		cr_assert(bytes_eq(bytes_of(out, n), bytes_of_str(coded[i])));
		cr_assert_eq(base64_decode(bytes_of_str(coded[i]), out, sizeof(out), &n), RP_OK);
		cr_assert(bytes_eq(bytes_of(out, n), bytes_of_str(plain[i])));
	}
}

Test(base64, every_byte_comes_back)
{
	uint8_t plain[256];
	uint8_t coded[BASE64_ENCODED_BYTES(256)];
	uint8_t back[256];

	for (size_t len = 0; len <= 256; len++) {
		size_t n;

		for (size_t i = 0; i < len; i++)
			plain[i] = (uint8_t)(255 - i + len);
		n = base64_encode(bytes_of(plain, len), coded);
		cr_assert_eq(n, BASE64_ENCODED_BYTES(len));
		cr_assert_eq(base64_decode(bytes_of(coded, n), back, len, &n), RP_OK);
		cr_assert(bytes_eq(bytes_of(back, n), bytes_of(plain, len)));
	}
}

Test(base64, what_is_not_canonical_is_refused)
{
	static const char *const wrong[] = { "Z", "Zg", "Zg=", "=",
		"==", "===", "====", "Zg==Zg==", "Zh==", "Zm9=", "Z m9", "Zm9v\r\n", "Zm9-", "Zm9_",
		"Z===", "Zg=v", "*", "Zm\xff\xff" };
	uint8_t out[16];
	size_t n;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(base64_decode(bytes_of_str(wrong[i]), out, sizeof(out), &n),
		    RP_ERR_SYNTAX, "%s", wrong[i]);
	cr_assert_eq(base64_decode(BYTES_LIT("Zm\0v"), out, sizeof(out), &n), RP_ERR_SYNTAX);
}

Test(base64, room_is_respected)
{
	uint8_t out[4];
	size_t n;

	cr_assert_eq(base64_decode(BYTES_LIT("Zm9vYg=="), out, 4, &n), RP_OK);
	cr_assert_eq(base64_decode(BYTES_LIT("Zm9vYmE="), out, 4, &n), RP_ERR_LIMIT);
	cr_assert_eq(base64_decode(BYTES_LIT("Zm9vYg=="), out, 3, &n), RP_ERR_LIMIT);
}
