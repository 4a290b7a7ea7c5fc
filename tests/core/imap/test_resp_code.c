#include <criterion/criterion.h>

#include "core/imap/resp_code.h"

Test(resp_code, every_error_has_a_row_with_text)
{
	for (int err = RP_OK + 1; err < RP_ERR_COUNT; err++) {
		const struct resp_code *row = resp_code_of((enum rp_err)err);

		cr_assert_gt(strlen(row->text), 0, "%s", err_name((enum rp_err)err));
		cr_assert_null(strpbrk(row->text, "\r\n[]"));
		cr_assert(row->status == RESP_NO || row->status == RESP_BAD);
		cr_assert_eq(row->status == RESP_BAD, err == RP_ERR_SYNTAX);
		cr_assert_eq(row->code == NULL, err == RP_ERR_SYNTAX);
	}
}

Test(resp_code, clients_read_the_codes_of_rfc_5530)
{
	cr_assert_str_eq(resp_code_of(RP_ERR_NOTFOUND)->code, "NONEXISTENT");
	cr_assert_str_eq(resp_code_of(RP_ERR_EXISTS)->code, "ALREADYEXISTS");
	cr_assert_str_eq(resp_code_of(RP_ERR_QUOTA)->code, "OVERQUOTA");
	cr_assert_not_null(strstr(resp_code_of(RP_ERR_QUOTA)->text, "OVERQUOTA"));
	cr_assert_str_eq(resp_code_of(RP_ERR_IO)->code, "UNAVAILABLE");
	cr_assert_str_eq(resp_code_of(RP_ERR_CORRUPT)->code, "CORRUPTION");
	cr_assert_str_eq(resp_code_of(RP_ERR_EXPUNGED)->code, "EXPUNGEISSUED");
}

Test(resp_code, writes_the_line)
{
	struct rope rope;
	struct resp resp;

	rope_init(&rope);
	resp_init(&resp, &rope, false);
	resp_code_write(&resp, BYTES_LIT("a"), RP_ERR_NOTFOUND);
	resp_code_write(&resp, BYTES_LIT(""), RP_ERR_SYNTAX);
	resp_flush(&resp);
	cr_assert(bytes_eq(rope_peek(&rope, 0),
	    BYTES_LIT("a NO [NONEXISTENT] No such mailbox\r\n* BAD Syntax error\r\n")));
	rope_fini(&rope);
}
