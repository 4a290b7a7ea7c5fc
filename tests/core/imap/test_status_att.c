#include <criterion/criterion.h>

#include "core/imap/status_att.h"

static enum rp_err parse(const char *text, unsigned *out)
{
	struct lex lex = lex_of(bytes_of_str(text));
	enum rp_err err = status_att_parse(&lex, out);

	return err == RP_OK && !lex_end(&lex) ? RP_ERR_SYNTAX : err;
}

Test(status_att, every_item)
{
	unsigned bits;

	cr_assert_eq(
	    parse("(MESSAGES recent UIDNEXT UIDVALIDITY UNSEEN SIZE DELETED HIGHESTMODSEQ)", &bits),
	    RP_OK);
	cr_assert_eq(bits, STATUS_END - 1);
	cr_assert_eq(parse("(UNSEEN UNSEEN)", &bits), RP_OK);
	cr_assert_eq(bits, STATUS_UNSEEN);
	for (unsigned bit = 1; bit < STATUS_END; bit <<= 1) {
		char text[32] = "(";

		strcat(strcat(text, status_att_name(bit)), ")");
		cr_assert_eq(parse(text, &bits), RP_OK);
		cr_assert_eq(bits, bit);
	}
}

Test(status_att, what_is_no_list_is_refused)
{
	static const char *const wrong[] = { "", "()", "MESSAGES", "(MESSAGES", "(MESSAGES )",
		"(FOO)", "(MESSAGES,UNSEEN)", "(MESSAGE)", "(MESSAGESS)" };
	unsigned bits = 77;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &bits), RP_ERR_SYNTAX, "%s", wrong[i]);
	cr_assert_eq(bits, 77);
}
