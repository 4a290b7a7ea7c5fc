#include <criterion/criterion.h>

#include "core/mail/decode.h"

/* Decode in cuts of `cut` bytes; checks the bound on the output of each call. */
static size_t decode_all(enum decode_cte cte, struct bytes in, size_t cut, uint8_t *out)
{
	struct decode decode;
	size_t n = 0;

	decode_init(&decode, cte);
	for (size_t at = 0; at < in.n; at += cut) {
		size_t end = at + cut < in.n ? at + cut : in.n;
		size_t got = decode_feed(&decode, bytes_slice(in, at, end), out + n);

		cr_assert_leq(got, end - at + DECODE_CARRY_MAX);
		n += got;
	}
	return n + decode_finish(&decode, out + n);
}

struct decode_case {
	struct bytes in, want;
};

static void check_cases(enum decode_cte cte, const struct decode_case *cases, size_t count)
{
	uint8_t out[256];

	for (size_t i = 0; i < count; i++) {
		for (size_t cut = 1; cut <= cases[i].in.n + 1; cut++) {
			size_t n = decode_all(cte, cases[i].in, cut, out);

			cr_expect(bytes_eq(bytes_of(out, n), cases[i].want),
			    "case %zu, cut %zu: %.*s", i, cut, (int)n, (const char *)out);
		}
	}
}

Test(decode, base64_with_and_without_junk)
{
	const struct decode_case cases[] = {
	    {BYTES_LIT("aGVsbG8="), BYTES_LIT("hello")},
	    {BYTES_LIT("aGVs\r\nbG8gd29y\r\nbGQ=\r\n"), BYTES_LIT("hello world")},
	    {BYTES_LIT("aGVsbG8"), BYTES_LIT("hello")},
	    {BYTES_LIT("a G*V\x80s!bG8="), BYTES_LIT("hello")},
	    {BYTES_LIT("aGVsbG8=IHdvcmxk"), BYTES_LIT("hello world")},
	    {BYTES_LIT("===="), BYTES_LIT("")},
	    {BYTES_LIT("a"), BYTES_LIT("")},
	    {BYTES_LIT(""), BYTES_LIT("")},
	};

	check_cases(DECODE_BASE64, cases, sizeof(cases) / sizeof(cases[0]));
}

Test(decode, quoted_printable_with_and_without_junk)
{
	const struct decode_case cases[] = {
	    {BYTES_LIT("caf=C3=A9"), BYTES_LIT("caf\xc3\xa9")},
	    {BYTES_LIT("caf=c3=a9"), BYTES_LIT("caf\xc3\xa9")},
	    {BYTES_LIT("one =\r\ntwo"), BYTES_LIT("one two")},
	    {BYTES_LIT("one=  \t\r\ntwo"), BYTES_LIT("onetwo")},
	    {BYTES_LIT("one=\ntwo"), BYTES_LIT("onetwo")},
	    {BYTES_LIT("a=zz b=4"), BYTES_LIT("a=zz b=4")},
	    {BYTES_LIT("a=4z="), BYTES_LIT("a=4z=")},
	    {BYTES_LIT("a==41"), BYTES_LIT("a=A")},
	    {BYTES_LIT("a=00b"), BYTES_LIT("a\0b")},
	    {BYTES_LIT("end=\r\n"), BYTES_LIT("end")},
	    {BYTES_LIT("end=\r"), BYTES_LIT("end")},
	};

	check_cases(DECODE_QP, cases, sizeof(cases) / sizeof(cases[0]));
}

Test(decode, names_of_encodings)
{
	cr_assert_eq(decode_cte_of(BYTES_LIT("8BIT")), DECODE_NONE);
	cr_assert_eq(decode_cte_of(BYTES_LIT("Base64")), DECODE_BASE64);
	cr_assert_eq(decode_cte_of(BYTES_LIT("QUOTED-printable")), DECODE_QP);
	cr_assert_eq(decode_cte_of(BYTES_LIT("x-uuencode")), DECODE_UNKNOWN);
}
