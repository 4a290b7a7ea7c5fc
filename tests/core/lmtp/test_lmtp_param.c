#include <criterion/criterion.h>

#include "core/lmtp/lmtp_param.h"

static const char *mail(const char *text, bool *utf8)
{
	const char *wrong = lmtp_param_mail(bytes_of_str(text), 1000, utf8);

	return wrong != NULL ? wrong : "";
}

Test(lmtp_param, mail_takes_what_was_offered)
{
	static const char *const good[] = { "", "   ", " SIZE=0", " size=1000", " SIZE=00000000000000001000", " BODY=7bit",
		" body=8BITMIME SIZE=1", " AUTH=<> RET=HDRS ENVID=x", "  SIZE=1  BODY=7BIT " };
	bool utf8;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_str_eq(mail(good[i], &utf8), "", "%s", good[i]);
		cr_assert_not(utf8);
	}
	cr_assert_str_eq(mail(" SIZE=5 SmtpUtf8", &utf8), "");
	cr_assert(utf8);
}

Test(lmtp_param, mail_refuses_the_rest)
{
	static const struct {
		const char *text;
		const char *code;
	} bad[] = {
		{ " SIZE", "501" },
		{ " SIZE=", "501" },
		{ " SIZE=-1", "501" },
		{ " SIZE=1e3", "501" },
		{ " SIZE=1001", "552" },
		{ " SIZE=18446744073709551616", "552" }, /* 2^64: 20 digits, as RFC 1870 has them */
		{ " SIZE=99999999999999999999", "552" },
		{ " SIZE=000000000000000000001", "501" }, /* 21 */
		{ " BODY=", "501" },
		{ " BODY=BINARYMIME", "501" },
		{ " SMTPUTF8=", "501" },
		{ " SMTPUTF8=yes", "501" },
		{ " NOTIFY=NEVER", "555" },
		{ " X", "555" },
		{ " =", "501" },
		{ "SIZE=1", "501" },
	};
	bool utf8;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(strncmp(mail(bad[i].text, &utf8), bad[i].code, 3), 0, "%s: %s", bad[i].text,
			mail(bad[i].text, &utf8));
}

Test(lmtp_param, rcpt_passes_over_notifications)
{
	cr_assert_null(lmtp_param_rcpt(bytes_of_str("")));
	cr_assert_null(lmtp_param_rcpt(bytes_of_str(" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b")));
	cr_assert_not_null(lmtp_param_rcpt(bytes_of_str(" SIZE=1")));
	cr_assert_not_null(lmtp_param_rcpt(bytes_of_str("NOTIFY=NEVER")));
}
