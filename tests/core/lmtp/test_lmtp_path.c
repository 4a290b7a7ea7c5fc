#include <criterion/criterion.h>

#include "core/lmtp/lmtp_path.h"

static enum rp_err parse(const char *text, struct lmtp_path *out, struct bytes *rest)
{
	*rest = bytes_of_str(text);
	return lmtp_path_parse(rest, out);
}

Test(lmtp_path, reads_what_a_path_may_be)
{
	static const struct {
		const char *text;
		const char *address;
		const char *detail;
	} good[] = {
		{ "<sam@example.org>", "sam@example.org", "" },
		{ "<sam>", "sam", "" },
		{ "<>", "", "" },
		{ "<sam+lists/c@example.org>", "sam+lists/c@example.org", "lists/c" },
		{ "<\"sam smith\"@example.org>", "sam smith@example.org", "" },
		{ "<\"a\\\"b\"@example.org>", "a\"b@example.org", "" },
		{ "<@relay.example,@other.example:sam@example.org>", "sam@example.org", "" },
		{ "<sam@[192.0.2.1]>", "sam@[192.0.2.1]", "" },
		{ "<\xc3\xa9t\xc3\xa9@example.org>", "\xc3\xa9t\xc3\xa9@example.org", "" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct lmtp_path path;
		struct bytes rest;

		cr_assert_eq(parse(good[i].text, &path, &rest), RP_OK, "%s", good[i].text);
		cr_assert(bytes_eq(bytes_of(path.address, path.address_bytes), bytes_of_str(good[i].address)), "%s",
			good[i].text);
		cr_assert(bytes_eq(lmtp_path_detail(&path), bytes_of_str(good[i].detail)), "%s", good[i].text);
		cr_assert_eq(rest.n, 0);
	}
}

Test(lmtp_path, refuses_what_is_none)
{
	static const char *const bad[] = { "", "<", "sam@example.org", "<sam", "<sam@>", "<@example.org>", "<\"\"@x>", "<\"a@x>",
		"<a b@x>", "<a@b@c>", "<a@b", "<\"a\\", "<a\x01@x>" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lmtp_path path;
		struct bytes rest;

		cr_assert_eq(parse(bad[i], &path, &rest), RP_ERR_SYNTAX, "%s", bad[i]);
	}
}

Test(lmtp_path, has_a_bound)
{
	char text[LMTP_PATH_BYTES_MAX + 16];
	struct lmtp_path path;
	struct bytes rest;

	for (int more = -1; more <= 1; more++) {
		size_t n = (size_t)(LMTP_PATH_BYTES_MAX + more);

		text[0] = '<';
		memset(text + 1, 'a', n);
		text[n + 1] = '>';
		text[n + 2] = '\0';
		cr_assert_eq(parse(text, &path, &rest), more <= 0 ? RP_OK : RP_ERR_LIMIT);
	}
}

Test(lmtp_path, parameters_come_one_by_one)
{
	struct bytes in = BYTES_LIT(" SIZE=10 BODY=8BITMIME SMTPUTF8");
	struct bytes keyword;
	struct bytes value;

	cr_assert_eq(lmtp_path_param(&in, &keyword, &value), RP_OK);
	cr_assert(bytes_eq(keyword, BYTES_LIT("SIZE")) && bytes_eq(value, BYTES_LIT("10")));
	cr_assert_eq(lmtp_path_param(&in, &keyword, &value), RP_OK);
	cr_assert_eq(lmtp_path_param(&in, &keyword, &value), RP_OK);
	cr_assert(bytes_eq(keyword, BYTES_LIT("SMTPUTF8")) && value.n == 0);
	cr_assert_eq(lmtp_path_param(&in, &keyword, &value), RP_ERR_END);
	in = BYTES_LIT("SIZE=10");
	cr_assert_eq(lmtp_path_param(&in, &keyword, &value), RP_ERR_SYNTAX, "a space comes before each");
	in = BYTES_LIT(" =10");
	cr_assert_eq(lmtp_path_param(&in, &keyword, &value), RP_ERR_SYNTAX);
}
