#include <criterion/criterion.h>

#include "core/imap/date.h"

static enum rp_err parse(const char *text, int32_t *day)
{
	struct lex lex = lex_of(bytes_of_str(text));
	int32_t got = *day;
	enum rp_err err = date_parse(&lex, &got);

	if (err == RP_OK && !lex_end(&lex))
		return RP_ERR_SYNTAX;
	*day = got;
	return err;
}

static enum rp_err parse_time(const char *text, struct date_time *t)
{
	struct lex lex = lex_of(bytes_of_str(text));
	enum rp_err err = date_time_parse(&lex, t);

	return err == RP_OK && !lex_end(&lex) ? RP_ERR_SYNTAX : err;
}

Test(date, days_since_1970)
{
	int32_t day = 77;

	cr_assert_eq(parse("1-Jan-1970", &day), RP_OK);
	cr_assert_eq(day, 0);
	cr_assert_eq(parse("31-dec-1969", &day), RP_OK);
	cr_assert_eq(day, -1);
	cr_assert_eq(parse("\"01-FEB-2000\"", &day), RP_OK);
	cr_assert_eq(day, 10988);
	cr_assert_eq(parse("29-Feb-2024", &day), RP_OK);
	cr_assert_eq(day, 19782);
	cr_assert_eq(parse("1-Jan-0000", &day), RP_OK);
	cr_assert_eq(day, -719528);
	cr_assert_eq(parse("31-Dec-9999", &day), RP_OK);
	cr_assert_eq(day, 2932896);
}

Test(date, days_that_no_calendar_has_are_refused)
{
	static const char *const wrong[] = { "0-Jan-2000", "32-Jan-2000", "30-Feb-2000",
		"29-Feb-2001", "29-Feb-1900", "31-Apr-2000", "1-Foo-2000", "1-Jan-200",
		"1-Jan-20000", "001-Jan-2000", "1 Jan 2000", "", "\"1-Jan-2000", "1-Jan-2000\"",
		"-1-Jan-2000", "1-Ja", "1-Jan--200", " 1-Jan-2000" };
	int32_t day = 77;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse(wrong[i], &day), RP_ERR_SYNTAX, "%s", wrong[i]);
	cr_assert_eq(day, 77);
}

/* Every day of eight centuries follows the one before it, and comes back when it is written. */
Test(date, every_day_has_its_number)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int32_t next;

	cr_assert(date_to_day(1600, 1, 1, &next));
	for (int year = 1600; year < 2400; year++) {
		bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

		for (int month = 1; month <= 12; month++) {
			int length = lengths[month - 1] + (leap && month == 2);

			for (int day = 1; day <= length; day++) {
				int32_t got;

				cr_assert(date_to_day(year, month, day, &got));
				cr_assert_eq(got, next);
				next++;
			}
			cr_assert(!date_to_day(year, month, length + 1, &(int32_t){ 0 }));
		}
	}
}

static void writes(struct date_time t, const char *want)
{
	uint8_t p[DATE_TIME_BYTES + 1] = { 0 };

	cr_assert_eq(date_time_at(p, t) - p, DATE_TIME_BYTES);
	cr_assert_str_eq((char *)p, want);
}

Test(date, a_moment_comes_back_as_it_was_given)
{
	static const char *const moments[] = { "\"17-Jul-1996 02:44:25 -0700\"",
		"\" 1-Jan-2026 00:00:00 +0000\"", "\"31-Dec-1969 23:59:59 +1400\"",
		"\"29-Feb-2000 12:00:00 +0530\"", "\" 1-Jan-1800 00:00:01 -1159\"",
		"\" 9-Sep-9999 09:09:09 +2359\"" };

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		struct date_time t;

		cr_assert_eq(parse_time(moments[i], &t), RP_OK, "%s", moments[i]);
		writes(t, moments[i]);
	}
}

Test(date, seconds_are_those_of_greenwich)
{
	struct date_time t;

	cr_assert_eq(parse_time("\"17-Jul-1996 02:44:25 -0700\"", &t), RP_OK);
	cr_assert_eq(t.seconds, 837596665);
	cr_assert_eq(t.zone_min, -420);
	cr_assert_eq(date_local_day(t), 837596665 / 86400);
	cr_assert_eq(
	    parse_time("\"1-Jan-1970 00:30:00 +0100\"", &t), RP_OK); /* one digit is tolerated */
	cr_assert_eq(t.seconds, -1800);
	cr_assert_eq(date_local_day(t), 0); /* the day that stands there, not Greenwich's */
	cr_assert_eq(parse_time("\"30-Jun-2015 23:59:60 +0000\"", &t), RP_OK);
	cr_assert_eq(t.seconds, 1435708799);
}

Test(date, what_is_no_moment_is_refused)
{
	static const char *const wrong[] = { "\"17-Jul-1996 02:44:25\"",
		"17-Jul-1996 02:44:25 -0700", "\"17-Jul-1996 24:00:00 -0700\"",
		"\"17-Jul-1996 02:60:25 -0700\"", "\"17-Jul-1996 02:44:61 -0700\"",
		"\"17-Jul-1996 02:44:25 -2400\"", "\"17-Jul-1996 02:44:25 -0760\"",
		"\"17-Jul-1996 02:44:25 0700\"", "\"17-Jul-1996 2:44:25 +0700\"",
		"\"17-Jul-1996 02:44:25 +07000\"", "\"17-Jul-1996  02:44:25 +0700\"",
		"\"  7-Jul-1996 02:44:25 +0700\"", "\"31-Jun-1996 02:44:25 +0700\"",
		"\"17-Jul-1996 02:44:25 +0700", "\"\"" };
	struct date_time t;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(parse_time(wrong[i], &t), RP_ERR_SYNTAX, "%s", wrong[i]);
}

/* From a damaged disk may come any number: what is written is a date all the same. */
Test(date, any_number_is_written_as_a_date)
{
	writes((struct date_time){ INT64_MAX, INT16_MAX }, "\"31-Dec-9999 23:59:59 +0000\"");
	writes((struct date_time){ INT64_MIN, INT16_MIN }, "\" 1-Jan-0000 00:00:00 +0000\"");
	writes((struct date_time){ INT64_MAX, 60 }, "\"31-Dec-9999 23:59:59 +0100\"");
	writes((struct date_time){ INT64_MIN, -60 }, "\" 1-Jan-0000 00:00:00 -0100\"");
	writes((struct date_time){ -1, 0 }, "\"31-Dec-1969 23:59:59 +0000\"");
}
