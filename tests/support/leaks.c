/* leaks.c -- a test that leaks fails.
 *
 * Criterion runs each test in a process of its own and has noted the verdict when that process ends, so what LeakSanitizer says
 * at its exit is printed and lost. Linked into every unit test under AddressSanitizer, with the linker's --wrap: look once the
 * body has returned, and again behind the suite's tear-down.
 */
#include <criterion/criterion.h>
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

void __real_criterion_internal_test_main(void (*fn)(void));
void __wrap_criterion_internal_test_main(void (*fn)(void));
void __real_criterion_internal_test_teardown(void);
void __wrap_criterion_internal_test_teardown(void);

static void (*body)(void);
static bool told;

static void run_body(void)
{
	body();
	told = __lsan_do_recoverable_leak_check() != 0;
	if (told)
		cr_assert_fail("the test leaks");
}

void __wrap_criterion_internal_test_main(void (*fn)(void))
{
	body = fn;
	__real_criterion_internal_test_main(run_body);
}

/* Too late for a failed assertion; Criterion takes a crash here as an error of the whole run. */
void __wrap_criterion_internal_test_teardown(void)
{
	__real_criterion_internal_test_teardown();
	if (!told && __lsan_do_recoverable_leak_check() != 0)
		abort();
}
