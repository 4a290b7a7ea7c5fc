#include <criterion/criterion.h>

#include "io/base/clock.h"
#include "io/base/seldom.h"

static const uint64_t hour_ns = 3600 * CLOCK_NS_PER_S;

Test(seldom, each_is_named_once_in_a_while)
{
	static struct seldom seldom;

	for (uint64_t now_ns = 0; now_ns < hour_ns; now_ns += hour_ns / 16)
		for (uint64_t who = 0; who < SELDOM_COUNT; who++)
			cr_assert_eq(seldom_is_due(&seldom, who, now_ns, hour_ns), now_ns == 0);
	for (uint64_t who = SELDOM_COUNT; who-- > 0;)
		cr_assert(seldom_is_due(&seldom, who, hour_ns + 1, hour_ns));
}

Test(seldom, beyond_what_is_remembered_one_a_second)
{
	static struct seldom seldom;
	unsigned named = 0;

	for (uint64_t now_ns = 0; now_ns < 60 * CLOCK_NS_PER_S; now_ns += CLOCK_NS_PER_MS)
		for (uint64_t who = 0; who < 1000; who += 7)
			named += seldom_is_due(&seldom, who, now_ns, hour_ns);
	cr_assert_eq(named, SELDOM_COUNT + 59);
}
