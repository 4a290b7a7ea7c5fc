#include "core/mail/mail_date.h"

struct date_fields {
	int64_t year; /* -1: not seen */
	int month;    /* 0: not seen */
	int day;      /* 0: not seen */
	int hour;
	int minute;
	int second;
	int zone; /* minutes */
	bool timed;
};

int64_t mail_date_days(int64_t year, int month, int day)
{
	/* Years from March, so that the leap day is the last of its year; eras of 400 years. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(uint8_t c)
{
	c = bytes_lower(c);
	return c >= 'a' && c <= 'z';
}

/* Digits at the start of *rest; at most 9 count. */
static size_t take_number(struct bytes *rest, int *out)
{
	size_t n = 0;
	int value = 0;

	while (n < rest->n && is_digit(rest->p[n])) {
		if (n < 9)
			value = value * 10 + (rest->p[n] - '0');
		n++;
	}
	*rest = bytes_from(*rest, n);
	*out = value;
	return n;
}

static int month_of(struct bytes word)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (int i = 0; i < 12; i++)
		if (bytes_starts_with_fold(word, bytes_of(names + 3 * i, 3)))
			return i + 1;
	return 0;
}

static bool zone_of(struct bytes word, int *minutes)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {
	    {"Z", 0},
	    {"UT", 0},
	    {"UTC", 0},
	    {"GMT", 0},
	    {"EST", -5},
	    {"EDT", -4},
	    {"CST", -6},
	    {"CDT", -5},
	    {"MST", -7},
	    {"MDT", -6},
	    {"PST", -8},
	    {"PDT", -7},
	    {"BST", 1},
	    {"WEST", 1},
	    {"CET", 1},
	    {"MET", 1},
	    {"CEST", 2},
	    {"MEST", 2},
	    {"EET", 2},
	    {"EEST", 3},
	    {"MSK", 3},
	    {"IST", 5},
	    {"JST", 9},
	    {"KST", 9},
	};

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (!bytes_eq_fold(word, bytes_of_str(zones[i].name)))
			continue;
		*minutes = zones[i].hours * 60 + (bytes_eq_fold(word, BYTES_LIT("IST")) ? 30 : 0);
		return true;
	}
	return false;
}

static void take_word(struct bytes *rest, struct date_fields *date)
{
	size_t n = 0;

	while (n < rest->n && is_alpha(rest->p[n]))
		n++;
	struct bytes word = bytes_slice(*rest, 0, n);

	*rest = bytes_from(*rest, n);
	if (date->month == 0 && month_of(word) != 0)
		date->month = month_of(word);
	else if (date->timed)
		zone_of(word, &date->zone);
}

/* +0100, +01:00, -5; more than a day is no zone. */
static void take_zone(struct bytes *rest, bool west, struct date_fields *date)
{
	int hours;
	int minutes = 0;
	size_t digits = take_number(rest, &hours);

	if (digits > 2) {
		minutes = hours % 100;
		hours /= 100;
	} else if (rest->n > 1 && rest->p[0] == ':' && is_digit(rest->p[1])) {
		*rest = bytes_from(*rest, 1);
		take_number(rest, &minutes);
	}
	if (hours > 23 || minutes > 59)
		return;
	date->zone = (hours * 60 + minutes) * (west ? -1 : 1);
}

static void take_time(struct bytes *rest, int hour, struct date_fields *date)
{
	date->timed = true;
	date->hour = hour;
	*rest = bytes_from(*rest, 1);
	take_number(rest, &date->minute);
	if (rest->n > 1 && rest->p[0] == ':' && is_digit(rest->p[1])) {
		*rest = bytes_from(*rest, 1);
		take_number(rest, &date->second);
	}
	if (rest->n > 1 && rest->p[0] == '.' && is_digit(rest->p[1])) {
		int fraction;

		*rest = bytes_from(*rest, 1);
		take_number(rest, &fraction);
	}
}

/* RFC 5322, section 4.3. */
static int64_t full_year(int value, size_t digits)
{
	if (digits <= 2)
		return value + (value < 50 ? 2000 : 1900);
	return digits == 3 ? value + 1900 : value;
}

static void take_digits(struct bytes *rest, struct date_fields *date)
{
	int value;
	size_t digits = take_number(rest, &value);

	if (rest->n > 1 && rest->p[0] == ':' && is_digit(rest->p[1]) && !date->timed) {
		take_time(rest, value, date);
	} else if (digits >= 4 && date->year < 0) {
		date->year = full_year(value, digits);
	} else if (date->month == 0 && date->year >= 0) {
		date->month = value; /* 2024-01-... */
	} else if (date->day == 0) {
		date->day = value;
	} else if (date->year < 0) {
		date->year = full_year(value, digits);
	}
}

static void skip_comment(struct bytes *rest)
{
	size_t depth = 0;
	size_t i = 0;

	for (; i < rest->n; i++) {
		if (rest->p[i] == '(')
			depth++;
		else if (rest->p[i] == ')' && --depth == 0)
			break;
		else if (rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
	}
	*rest = bytes_from(*rest, i < rest->n ? i + 1 : rest->n);
}

static int days_of(int64_t year, int month)
{
	return (int)(mail_date_days(month == 12 ? year + 1 : year, month % 12 + 1, 1) -
	             mail_date_days(year, month, 1));
}

static enum rp_err finish_date(const struct date_fields *date, struct mail_date *out)
{
	if (date->year < 1 || date->year > 9999 || date->month < 1 || date->month > 12)
		return RP_ERR_SYNTAX;
	if (date->day < 1 || date->day > days_of(date->year, date->month))
		return RP_ERR_SYNTAX;
	if (date->hour > 23 || date->minute > 59 || date->second > 60)
		return RP_ERR_SYNTAX;
	out->seconds = mail_date_days(date->year, date->month, date->day) * 86400 +
	               date->hour * 3600 + date->minute * 60 + date->second - date->zone * 60;
	out->zone_minutes = date->zone;
	return RP_OK;
}

enum rp_err mail_date_parse(struct bytes value, struct mail_date *out)
{
	struct date_fields date = {.year = -1};

	while (value.n != 0) {
		uint8_t c = value.p[0];

		if (c == '(') {
			skip_comment(&value);
		} else if (is_alpha(c)) {
			take_word(&value, &date);
		} else if (is_digit(c)) {
			take_digits(&value, &date);
		} else {
			value = bytes_from(value, 1);
			if ((c == '+' || c == '-') && date.timed && value.n != 0 &&
			    is_digit(value.p[0]))
				take_zone(&value, c == '-', &date);
		}
	}
	return finish_date(&date, out);
}
