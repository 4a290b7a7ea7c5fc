#include <criterion/criterion.h>

#include "core/auth/auth_name.h"

static bool folds_to(const char *in, const char *expected)
{
	uint8_t room[AUTH_NAME_BYTES_MAX];
	struct bytes out;

	return auth_name_fold(bytes_of_str(in), room, &out) == RP_OK &&
	       bytes_eq(out, bytes_of_str(expected));
}

Test(auth_name, is_lower_case_and_of_few_characters)
{
	static const char *const bad[] = {"", "@", "a@", "@b", "a@b@c", "a b", "a:b", "a/b", "../x",
	    "a%u", "a\\b", "a\nb", "a\x7f", "\xc3\xa9", "a\"b", "a{b}", "$a", "a,b", "a*b"};

	cr_assert(folds_to("demo", "demo"));
	cr_assert(folds_to("Demo@Example.ORG", "demo@example.org"));
	cr_assert(folds_to("a.b_c-d+e=f@x-y.z", "a.b_c-d+e=f@x-y.z"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t room[AUTH_NAME_BYTES_MAX];
		struct bytes out;

		cr_assert_eq(
		    auth_name_fold(bytes_of_str(bad[i]), room, &out), RP_ERR_SYNTAX, "%s", bad[i]);
	}
}

Test(auth_name, has_at_most_255_bytes_and_no_nul)
{
	uint8_t in[AUTH_NAME_BYTES_MAX + 1], room[AUTH_NAME_BYTES_MAX];
	struct bytes out;

	memset(in, 'x', sizeof(in));
	cr_assert_eq(auth_name_fold(bytes_of(in, AUTH_NAME_BYTES_MAX - 1), room, &out), RP_OK);
	cr_assert_eq(auth_name_fold(bytes_of(in, AUTH_NAME_BYTES_MAX), room, &out), RP_OK);
	cr_assert_eq(
	    auth_name_fold(bytes_of(in, AUTH_NAME_BYTES_MAX + 1), room, &out), RP_ERR_SYNTAX);
	in[3] = '\0';
	cr_assert_eq(auth_name_fold(bytes_of(in, 8), room, &out), RP_ERR_SYNTAX);
}

static void expect(const char *name, bool ours, const char *expected)
{
	uint8_t room[AUTH_NAME_BYTES_MAX];
	struct auth_name_candidate out[AUTH_NAME_CANDIDATES];
	char text[2048] = "";
	size_t n = auth_name_candidates(bytes_of_str(name), ours, room, out);

	for (size_t i = 0; i < n; i++) {
		strncat(text, i > 0 ? " " : "", 2);
		strncat(text, (const char *)out[i].name.p, out[i].name.n);
		strncat(text, out[i].without_detail ? "!" : "", 2);
	}
	cr_assert_str_eq(text, expected);
}

Test(auth_name, is_looked_up_whole_then_local_then_without_detail)
{
	expect("a", true, "a");
	expect("a+d", true, "a+d a!");
	expect("a@x.org", true, "a@x.org a");
	expect("a@x.org", false, "a@x.org");
	expect("a+d@x.org", true, "a+d@x.org a+d a@x.org! a!");
	expect("a+d@x.org", false, "a+d@x.org a@x.org!");
	expect("a+d+e@x.org", false, "a+d+e@x.org a@x.org!");
	expect("+d@x.org", true, "+d@x.org +d");
	expect("a@x+y.org", true, "a@x+y.org a");
}
