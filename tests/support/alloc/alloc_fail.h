/* alloc_fail.h -- the n-th allocation fails: for what is linked with the dependency `alloc_fail`, tests and the server itself.
 *
 * malloc, calloc, realloc and strdup of everything that is linked statically come by here (the linker's --wrap), so the whole of the
 * project, none of its libraries. Each thread counts for itself.
 */
#ifndef RP_TESTS_SUPPORT_ALLOC_ALLOC_FAIL_H
#define RP_TESTS_SUPPORT_ALLOC_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

/* Let `count` allocations fail, the first one from now on that is number `first`. 0, 0: none. */
void alloc_fail_at(size_t first, size_t count);

/* Has one failed since alloc_fail_at()? From now on none does. */
bool alloc_fail_over(void);

/* What the test itself takes does not count between these two (they nest). */
void alloc_fail_hold(void);
void alloc_fail_go_on(void);

#endif
