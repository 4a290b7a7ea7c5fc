#include "core/lmtp/lmtp_param.h"

#include "core/lmtp/lmtp_path.h"

enum { SIZE_DIGITS_MAX = 20 }; /* RFC 1870, section 3 */

static bool is_number(struct bytes value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
	return value.n > 0 && value.n <= SIZE_DIGITS_MAX;
}

static const char *mail_param(struct bytes keyword, struct bytes value, uint64_t size_bytes_max, bool *utf8)
{
	uint64_t size;

	if (bytes_eq_fold(keyword, BYTES_LIT("SIZE"))) {
		if (!is_number(value))
			return "501 5.5.4 SIZE is a number";
		return bytes_to_u64(value, size_bytes_max, &size) ? NULL : "552 5.3.4 Message too big";
	}
	if (bytes_eq_fold(keyword, BYTES_LIT("BODY"))) {
		if (!bytes_eq_fold(value, BYTES_LIT("7BIT")) && !bytes_eq_fold(value, BYTES_LIT("8BITMIME")))
			return "501 5.5.4 BODY is 7BIT or 8BITMIME";
		return NULL;
	}
	if (bytes_eq_fold(keyword, BYTES_LIT("SMTPUTF8"))) {
		*utf8 = true;
		return value.p == NULL ? NULL : "501 5.5.4 SMTPUTF8 has no value";
	}
	if (!bytes_eq_fold(keyword, BYTES_LIT("AUTH")) && !bytes_eq_fold(keyword, BYTES_LIT("RET")) &&
	    !bytes_eq_fold(keyword, BYTES_LIT("ENVID")))
		return "555 5.5.4 Unknown parameter";
	return NULL;
}

const char *lmtp_param_mail(struct bytes args, uint64_t size_bytes_max, bool *utf8)
{
	struct bytes keyword;
	struct bytes value;
	enum rp_err err;

	*utf8 = false;
	while ((err = lmtp_path_param(&args, &keyword, &value)) == RP_OK) {
		const char *wrong = mail_param(keyword, value, size_bytes_max, utf8);

		if (wrong != NULL)
			return wrong;
	}
	return err == RP_ERR_END ? NULL : "501 5.5.4 Bad parameters";
}

const char *lmtp_param_rcpt(struct bytes args)
{
	struct bytes keyword;
	struct bytes value;
	enum rp_err err;

	while ((err = lmtp_path_param(&args, &keyword, &value)) == RP_OK)
		if (!bytes_eq_fold(keyword, BYTES_LIT("NOTIFY")) && !bytes_eq_fold(keyword, BYTES_LIT("ORCPT")))
			return "555 5.5.4 Unknown parameter";
	return err == RP_ERR_END ? NULL : "501 5.5.4 Bad parameters";
}
