#include <criterion/criterion.h>

#include "core/mail/mail_date.h"

#include <time.h>

Test(mail_date, the_standard_and_what_mailers_write)
{
	static const struct {
		const char *value;
		int64_t seconds;
		int zone;
	} cases[] = {
	    {"Thu, 1 Jan 1970 00:00:00 +0000", 0, 0},
	    {"Mon, 1 Jan 2024 10:00:00 +0100", 1704099600, 60},
	    {"1 Jan 2024 10:00:00 +0100 (CET)", 1704099600, 60},
	    {"Mon, 1 Jan 2024 04:30 -0430", 1704099600, -270},
	    {"Mon, 01 Jan 24 09:00:00 GMT", 1704099600, 0},
	    {"Mon, 01 Jan 2024 04:00:00 EST", 1704099600, -300},
	    {"Mon Jan  1 09:00:00 2024", 1704099600, 0},
	    {"Mon Jan  1 09:00:00 UTC 2024", 1704099600, 0},
	    {"2024-01-01T10:00:00+01:00", 1704099600, 60},
	    {"2024-01-01 09:00:00.123Z", 1704099600, 0},
	    {"1-Jan-2024 09:00:00", 1704099600, 0},
	    {"(a (b) \\) c) 1 Jan (d) 2024\r\n 09:00:00 +0000", 1704099600, 0},
	    {"1 January 2024", 1704067200, 0},
	    {"Fri, 31 Dec 99 23:59:60 +0000", 946684800, 0},
	    {"29 Feb 2000 00:00:00 +0000", 951782400, 0},
	    {"1 Jan 1900 00:00:00 +0000", -2208988800, 0},
	    {"1 Jan 2024 09:00:00 +9999", 1704099600, 0},
	    {"1 Jan 2024 09:00:00 XYZ", 1704099600, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mail_date date = {0};

		cr_expect_eq(mail_date_parse(bytes_of_str(cases[i].value), &date), RP_OK, "%s",
		    cases[i].value);
		cr_expect_eq(
		    date.seconds, cases[i].seconds, "%s: %ld", cases[i].value, (long)date.seconds);
		cr_expect_eq(
		    date.zone_minutes, cases[i].zone, "%s: %d", cases[i].value, date.zone_minutes);
	}
}

Test(mail_date, what_is_no_date)
{
	static const char *const values[] = {"", "yesterday", "Jan 2024", "32 Jan 2024",
	    "0 Jan 2024", "30 Feb 2024", "29 Feb 1900", "1 Jan", "1 Jan 2024 24:00:00",
	    "1 Jan 2024 10:60", "1 Jan 99999", "99999999999999999999", "(1 Jan 2024"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct mail_date date;

		cr_expect_eq(mail_date_parse(bytes_of_str(values[i]), &date), RP_ERR_SYNTAX, "%s",
		    values[i]);
	}
}

Test(mail_date, days_agree_with_libc)
{
	for (int64_t t = -86400ll * 365 * 300; t < 86400ll * 365 * 300; t += 86400 * 13) {
		time_t seconds = (time_t)t;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		cr_assert_eq(
		    mail_date_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * 86400, t);
	}
}
