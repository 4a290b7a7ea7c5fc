/* date.h -- date and date-time: "1-Feb-1994", "17-Jul-1996 02:44:25 -0700".
 *
 * A moment keeps the zone it was told in: INTERNALDATE comes back as it was given, and SEARCH
 * compares the day that stands there, whatever day it is in Greenwich.
 */
#ifndef RP_CORE_IMAP_DATE_H
#define RP_CORE_IMAP_DATE_H

#include "core/imap/lex.h"

struct date_time {
	int64_t seconds;  /* since 1970, UTC */
	int16_t zone_min; /* east of Greenwich; the size of a day is more than any */
};

enum {
	DATE_TIME_BYTES = 28, /* with its quotes */
};

/* date = date-text / DQUOTE date-text DQUOTE: days since 1 Jan 1970. A day that no calendar has is
 * RP_ERR_SYNTAX. */
RP_MUST_USE enum rp_err date_parse(struct lex *lex, int32_t *day);

/* date-time, in its quotes. A day of one digit may come without the space before it. */
RP_MUST_USE enum rp_err date_time_parse(struct lex *lex, struct date_time *out);

/* Write it with its quotes to p, DATE_TIME_BYTES of room; returns what is behind it. What has no
 * four-digit year is written as the nearest that has one. */
uint8_t *date_time_at(uint8_t *p, struct date_time t);

/* The day, since 1970, that it is in its own zone. */
int32_t date_local_day(struct date_time t);

/* Days since 1 Jan 1970 of a day of the Gregorian calendar; month and day from 1; false: no such
 * day. */
RP_MUST_USE bool date_to_day(int year, int month, int day, int32_t *out);

#endif
