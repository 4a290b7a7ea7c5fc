/* A moment is written as it was read, and any number is written as a moment. */
#include "core/imap/date.h"
#include "tests/fuzz/fuzz.h"

static void try_text(struct bytes in)
{
	struct lex lex = lex_of(in);
	struct date_time t;
	struct date_time again;
	uint8_t p[DATE_TIME_BYTES];
	int32_t day;

	if (date_time_parse(&lex, &t) == RP_OK) {
		struct lex echo = lex_of(bytes_of(p, DATE_TIME_BYTES));

		RP_ASSERT(date_time_at(p, t) == p + DATE_TIME_BYTES);
		RP_ASSERT(date_time_parse(&echo, &again) == RP_OK && lex_end(&echo));
		RP_ASSERT(again.seconds == t.seconds && again.zone_min == t.zone_min);
	}
	lex = lex_of(in);
	if (date_parse(&lex, &day) == RP_OK)
		RP_ASSERT(day >= -719528 && day <= 2932896);
}

static void try_number(struct bytes in)
{
	struct date_time t = { 0 };
	uint8_t p[DATE_TIME_BYTES];
	struct lex lex = lex_of(bytes_of(p, DATE_TIME_BYTES));

	if (in.n < 10)
		return;
	memcpy(&t.seconds, in.p, sizeof(t.seconds));
	memcpy(&t.zone_min, in.p + 8, sizeof(t.zone_min));
	RP_ASSERT(date_time_at(p, t) == p + DATE_TIME_BYTES);
	RP_ASSERT(date_time_parse(&lex, &t) == RP_OK && lex_end(&lex));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	try_text(bytes_of(p, n));
	try_number(bytes_of(p, n));
	return 0;
}
