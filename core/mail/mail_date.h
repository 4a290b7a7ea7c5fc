/* mail_date.h -- the Date: field of a message (RFC 5322, section 3.3), and what mailers write
 * there.
 */
#ifndef RP_CORE_MAIL_MAIL_DATE_H
#define RP_CORE_MAIL_MAIL_DATE_H

#include "io/base/bytes.h"
#include "io/base/err.h"

struct mail_date {
	int64_t seconds; /* since 1970, UTC */
	int32_t
	    zone_minutes; /* east of UTC; 0 when unknown. SENTON and the like ask the date there */
};

/* Read a Date: value, folded or not. Taken besides the standard's form: asctime's order, ISO 8601,
 * years of two digits, no seconds or no time, names of zones, comments. RP_ERR_SYNTAX: no date. */
RP_MUST_USE enum rp_err mail_date_parse(struct bytes value, struct mail_date *out);

/* Days since 1970 of a day of the (proleptic) Gregorian calendar; month from 1. */
int64_t mail_date_days(int64_t year, int month, int day);

#endif
