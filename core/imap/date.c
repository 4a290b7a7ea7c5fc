#include "core/imap/date.h"

#include "core/imap/resp.h"

enum {
	DAY_S = 24 * 60 * 60,
	ZONE_MIN_MAX = 23 * 60 + 59,
	YEAR_MAX = 9999,
	ERA_YEARS = 400, /* the calendar's period */
	ERA_DAYS = 146097,
	DAYS_TO_1970 = 719468, /* from 1 March of year 0 */
};

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* From 1 March of year 0 on, so that a leap day is the last day of its year. */
static int32_t to_day(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1;
	int era = (y >= 0 ? y : y - (ERA_YEARS - 1)) / ERA_YEARS;
	int year_of_era = y - era * ERA_YEARS;
	int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - DAYS_TO_1970;
}

struct civil {
	int year;
	int month;
	int day;
};

static struct civil to_civil(int32_t day)
{
	int32_t z = day + DAYS_TO_1970;
	int32_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
	int32_t day_of_era = z - era * ERA_DAYS;
	int32_t year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) /
	    365;
	int32_t day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int32_t m = (5 * day_of_year + 2) / 153;
	int32_t month = m < 10 ? m + 3 : m - 9;

	return (struct civil){ .year = year_of_era + era * ERA_YEARS + (month <= 2 ? 1 : 0),
		.month = month,
		.day = day_of_year - (153 * m + 2) / 5 + 1 };
}

bool date_to_day(int year, int month, int day, int32_t *out)
{
	if (year < 0 || year > YEAR_MAX || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	int32_t days = to_day(year, month, day);

	/* 31 April is 1 May's number: a day that does not come back is none. */
	if (to_civil(days).day != day)
		return false;
	*out = days;
	return true;
}

/* Between min and max digits, and no digit behind them. */
static bool digits(struct lex *lex, unsigned min, unsigned max, int *out)
{
	unsigned n = 0;
	int value = 0;

	while (n <= max && lex_peek(lex) >= '0' && lex_peek(lex) <= '9') {
		value = value * 10 + (lex_peek(lex) - '0');
		lex->at++;
		n++;
	}
	*out = value;
	return n >= min && n <= max;
}

static bool month_name(struct lex *lex, int *month)
{
	if (lex->in.n - lex->at < 3)
		return false;
	struct bytes name = bytes_slice(lex->in, lex->at, lex->at + 3);

	for (int i = 0; i < 12; i++) {
		if (!bytes_eq_fold(name, bytes_of(month_names + 3 * i, 3)))
			continue;
		lex->at += 3;
		*month = i + 1;
		return true;
	}
	return false;
}

/* date-day "-" date-month "-" date-year */
static bool date_text(struct lex *lex, int32_t *out)
{
	int day;
	int month;
	int year;

	return digits(lex, 1, 2, &day) && lex_char(lex, '-') && month_name(lex, &month) &&
	       lex_char(lex, '-') && digits(lex, 4, 4, &year) && date_to_day(year, month, day, out);
}

enum rp_err date_parse(struct lex *lex, int32_t *day)
{
	struct lex ahead = *lex;
	bool quoted = lex_char(&ahead, '"');
	int32_t days;

	if (!date_text(&ahead, &days) || (quoted && !lex_char(&ahead, '"')))
		return RP_ERR_SYNTAX;
	*lex = ahead;
	*day = days;
	return RP_OK;
}

/* 2DIGIT ":" 2DIGIT ":" 2DIGIT; a leap second is the second before it is over. */
static bool time_text(struct lex *lex, int *seconds)
{
	int hour;
	int minute;
	int second;

	if (!digits(lex, 2, 2, &hour) || !lex_char(lex, ':') || !digits(lex, 2, 2, &minute) ||
	    !lex_char(lex, ':') || !digits(lex, 2, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*seconds = hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
	return true;
}

/* ("+" / "-") 4DIGIT */
static bool zone_text(struct lex *lex, int *minutes)
{
	bool west = lex_peek(lex) == '-';
	int zone;

	if (!west && lex_peek(lex) != '+')
		return false;
	lex->at++;
	if (!digits(lex, 4, 4, &zone) || zone / 100 > 23 || zone % 100 > 59)
		return false;
	*minutes = zone / 100 * 60 + zone % 100;
	if (west)
		*minutes = -*minutes;
	return true;
}

enum rp_err date_time_parse(struct lex *lex, struct date_time *out)
{
	struct lex ahead = *lex;
	int32_t day;
	int seconds;
	int zone;

	if (!lex_char(&ahead, '"'))
		return RP_ERR_SYNTAX;
	lex_char(&ahead, ' ');
	if (!date_text(&ahead, &day) || !lex_char(&ahead, ' ') || !time_text(&ahead, &seconds) ||
	    !lex_char(&ahead, ' ') || !zone_text(&ahead, &zone) || !lex_char(&ahead, '"'))
		return RP_ERR_SYNTAX;
	*lex = ahead;
	*out = (struct date_time){ (int64_t)day * DAY_S + seconds - (int64_t)zone * 60,
		(int16_t)zone };
	return RP_OK;
}

/* The moment as its own clock shows it, within the years that can be written. */
static int64_t local_seconds(struct date_time t)
{
	const int64_t least = (int64_t)to_day(0, 1, 1) * DAY_S;
	const int64_t most = ((int64_t)to_day(YEAR_MAX, 12, 31) + 1) * DAY_S - 1;
	int64_t local;

	if (__builtin_add_overflow(t.seconds, (int64_t)t.zone_min * 60, &local))
		local = t.seconds;
	if (local < least)
		return least;
	return local > most ? most : local;
}

/* Of a day that starts at or before it, before 1970 too. */
static int32_t floor_day(int64_t seconds)
{
	return (int32_t)((seconds >= 0 ? seconds : seconds - (DAY_S - 1)) / DAY_S);
}

int32_t date_local_day(struct date_time t)
{
	return floor_day(local_seconds(t));
}

static uint8_t *two_digits(uint8_t *p, int v, char behind)
{
	memcpy(p, resp_digit_pairs + 2 * v, 2);
	p[2] = (uint8_t)behind;
	return p + 3;
}

uint8_t *date_time_at(uint8_t *p, struct date_time t)
{
	if (t.zone_min > ZONE_MIN_MAX || t.zone_min < -ZONE_MIN_MAX)
		t.zone_min = 0;
	int64_t local = local_seconds(t);
	int32_t day = floor_day(local);
	int second = (int)(local - (int64_t)day * DAY_S);
	struct civil c = to_civil(day);
	int zone = t.zone_min < 0 ? -t.zone_min : t.zone_min;

	*p++ = '"';
	p = two_digits(p, c.day, '-');
	if (c.day < 10)
		p[-3] = ' ';
	p = resp_at_bytes(p, bytes_of(month_names + 3 * (c.month - 1), 3));
	*p++ = '-';
	memcpy(p, resp_digit_pairs + 2 * (c.year / 100), 2);
	p = two_digits(p + 2, c.year % 100, ' ');
	p = two_digits(p, second / 3600, ':');
	p = two_digits(p, second / 60 % 60, ':');
	p = two_digits(p, second % 60, ' ');
	*p++ = t.zone_min < 0 ? '-' : '+';
	memcpy(p, resp_digit_pairs + 2 * (zone / 60), 2);
	return two_digits(p + 2, zone % 60, '"');
}
