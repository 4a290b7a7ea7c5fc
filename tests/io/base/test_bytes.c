#include <criterion/criterion.h>
#include <signal.h>

#include "io/base/bytes.h"

static const struct bytes none = {NULL, 0};

Test(bytes, order_is_memory_order_with_the_shorter_first)
{
	cr_assert_eq(bytes_cmp(none, none), 0);
	cr_assert_lt(bytes_cmp(none, BYTES_LIT("a")), 0);
	cr_assert_lt(bytes_cmp(BYTES_LIT("a"), BYTES_LIT("ab")), 0);
	cr_assert_gt(bytes_cmp(BYTES_LIT("b"), BYTES_LIT("ab")), 0);
	cr_assert_gt(bytes_cmp(BYTES_LIT("\xff"), BYTES_LIT("a")), 0);
	cr_assert_lt(bytes_cmp(BYTES_LIT("a\0a"), BYTES_LIT("a\0b")), 0);
	cr_assert(bytes_eq(none, BYTES_LIT("")));
	cr_assert_not(bytes_eq(BYTES_LIT("a"), BYTES_LIT("A")));
}

Test(bytes, folding_touches_a_to_z_alone)
{
	for (unsigned c = 0; c < 256; c++) {
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		uint8_t one = (uint8_t)c, other = (uint8_t)(c ^ 0x20);

		cr_assert_eq(
		    bytes_eq_fold(bytes_of(&one, 1), bytes_of(&other, 1)), letter, "%u", c);
		cr_assert_eq(bytes_lower(one), c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	cr_assert(bytes_eq_fold(BYTES_LIT("InBoX"), BYTES_LIT("INBOX")));
	cr_assert_lt(bytes_cmp_fold(BYTES_LIT("ABC"), BYTES_LIT("abd")), 0);
	cr_assert_lt(bytes_cmp_fold(BYTES_LIT("ab"), BYTES_LIT("ABC")), 0);
	cr_assert(bytes_starts_with_fold(BYTES_LIT("Re: x"), BYTES_LIT("RE:")));
	cr_assert_not(bytes_starts_with(BYTES_LIT("Re: x"), BYTES_LIT("RE:")));
	cr_assert(bytes_starts_with(BYTES_LIT("x"), none));
	cr_assert_not(bytes_starts_with(BYTES_LIT("x"), BYTES_LIT("xy")));
}

Test(bytes, slices_of_all_places)
{
	struct bytes b = BYTES_LIT("hello");

	cr_assert(bytes_eq(bytes_slice(b, 0, 5), b));
	cr_assert(bytes_eq(bytes_slice(b, 1, 3), BYTES_LIT("el")));
	cr_assert_eq(bytes_from(b, 5).n, 0);
	cr_assert_eq(bytes_slice(none, 0, 0).n, 0);
	cr_assert_eq(bytes_from(none, 0).p, NULL);
}

Test(bytes, a_slice_beyond_the_end_ends_the_process, .signal = SIGABRT)
{
	(void)bytes_slice(BYTES_LIT("hello"), 2, 6);
}

Test(bytes, a_slice_backwards_ends_the_process, .signal = SIGABRT)
{
	(void)bytes_slice(BYTES_LIT("hello"), 3, 2);
}

Test(bytes, finding_gives_the_length_when_there_is_none)
{
	struct bytes b = BYTES_LIT("abcabc");

	cr_assert_eq(bytes_find(b, 0, 'c'), 2);
	cr_assert_eq(bytes_find(b, 3, 'c'), 5);
	cr_assert_eq(bytes_find(b, 3, 'x'), 6);
	cr_assert_eq(bytes_find(b, 6, 'a'), 6);
	cr_assert_eq(bytes_find(b, 99, 'a'), 6);
	cr_assert_eq(bytes_find(none, 0, 'a'), 0);
	cr_assert_eq(bytes_find_bytes(b, BYTES_LIT("cab")), 2);
	cr_assert_eq(bytes_find_bytes(b, BYTES_LIT("abcd")), 6);
	cr_assert_eq(bytes_find_bytes(b, BYTES_LIT("abcabcabc")), 6);
	cr_assert_eq(bytes_find_bytes(b, none), 0);
	cr_assert_eq(bytes_find_bytes(none, BYTES_LIT("a")), 0);
	cr_assert_eq(bytes_find_bytes(none, none), 0);
}

Test(bytes, a_number_is_all_digits_and_within_its_bound)
{
	uint64_t v = 7;

	cr_assert(bytes_to_u64(BYTES_LIT("0"), 0, &v));
	cr_assert_eq(v, 0);
	cr_assert(bytes_to_u64(BYTES_LIT("0042"), 42, &v));
	cr_assert_eq(v, 42);
	cr_assert(bytes_to_u64(BYTES_LIT("18446744073709551615"), UINT64_MAX, &v));
	cr_assert_eq(v, UINT64_MAX);
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1a", "0x10",
	    "18446744073709551616", "99999999999999999999999999999999"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not(bytes_to_u64(bytes_of_str(bad[i]), UINT64_MAX, &v), "%s", bad[i]);
	cr_assert_not(bytes_to_u64(BYTES_LIT("43"), 42, &v));
	cr_assert_eq(v, UINT64_MAX); /* untouched */
}

Test(bytes, secrets_are_compared_whole_and_wiped)
{
	uint8_t secret[8] = "secret";

	cr_assert(bytes_eq_secret(bytes_of(secret, 6), BYTES_LIT("secret")));
	cr_assert_not(bytes_eq_secret(bytes_of(secret, 6), BYTES_LIT("secreT")));
	cr_assert_not(bytes_eq_secret(bytes_of(secret, 6), BYTES_LIT("Secret")));
	cr_assert_not(bytes_eq_secret(bytes_of(secret, 6), BYTES_LIT("secre")));
	cr_assert(bytes_eq_secret(none, none));
	bytes_wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		cr_assert_eq(secret[i], 0);
}
