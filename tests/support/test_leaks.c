/* Leaks on purpose: run one by one, the first passes and the others are expected to fail. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void *kept;

/* Nothing may be left of the pointer, not even in a register. */
static __attribute__((noinline)) void take(bool keep)
{
	char *p = malloc(777);

	cr_assert_not_null(p);
	memset(p, 1, 777);
	__asm__ volatile("" : : "r"(p) : "memory");
	if (keep)
		kept = p;
}

Test(support_leaks, what_is_kept_is_no_leak)
{
	take(true);
}

Test(support_leaks, what_is_lost_is_one)
{
	take(false);
}

static void tear_down(void)
{
	take(false);
}

TestSuite(support_leaks_late, .fini = tear_down);

Test(support_leaks_late, in_the_tear_down_too)
{
	cr_assert(kept == NULL);
}
