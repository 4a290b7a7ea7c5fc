/* alloc_fail.h -- the n-th allocation fails: a test links with alloc_fail.c and its dependency `alloc_fail`.
 *
 * malloc, calloc, realloc and strdup of everything that is linked statically come by here (the linker's --wrap), so the whole of the
 * project, none of its libraries. One thread.
 */
#ifndef RP_TESTS_SUPPORT_ALLOC_ALLOC_FAIL_H
#define RP_TESTS_SUPPORT_ALLOC_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

/* Let the n-th from now on fail, and, if for_good, all that follow. 0: none. */
void alloc_fail_at(size_t n, bool for_good);

/* Has one failed since alloc_fail_at()? Then nothing fails any more. */
bool alloc_fail_over(void);

/* What the test itself takes does not count between these two (they nest). */
void alloc_fail_hold(void);
void alloc_fail_go_on(void);

#endif
