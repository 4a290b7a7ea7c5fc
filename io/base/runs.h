/* runs.h -- a set of UIDs or seqnos as runs: sorted, disjoint, not touching, each [first, last].
 *
 * Sequence sets, COPYUID, VANISHED, the expunged-but-unannounced of a view are all this. It is
 * bounded by its caller; memory is malloc'ed, a run is 8 bytes.
 */
#ifndef RP_IO_BASE_RUNS_H
#define RP_IO_BASE_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/base/err.h"

struct run {
	uint32_t first;
	uint32_t last; /* included; first <= last */
};

struct runs {
	struct run *run; /* runs.run[0 .. count) ascending; NULL when count_max == 0 */
	size_t count;
	size_t count_max; /* room */
};

#define RUNS_EMPTY ((struct runs){ 0 })

/* Give the memory back, leave it empty. NULL and empty are fine. */
void runs_fini(struct runs *runs);

/* Add [first, last], merging with what it overlaps or touches. Ascending adds cost O(1).
 * RP_ERR_NOMEM: unchanged. */
RP_MUST_USE enum rp_err runs_add(struct runs *runs, uint32_t first, uint32_t last);

/* Take [first, last] out, as far as it is in. RP_ERR_NOMEM: unchanged (a run had to be split). */
RP_MUST_USE enum rp_err runs_remove(struct runs *runs, uint32_t first, uint32_t last);

bool runs_has(const struct runs *runs, uint32_t n);

/* How many numbers are in the set. */
uint64_t runs_total(const struct runs *runs);

/* How many numbers of the set are <= n. O(runs). */
uint64_t runs_rank(const struct runs *runs, uint32_t n);

/* Index of the first run whose last >= n, or runs->count. O(log runs). */
size_t runs_lower(const struct runs *runs, uint32_t n);

/* A copy into an empty *out. */
RP_MUST_USE enum rp_err runs_copy(const struct runs *runs, struct runs *out);

#endif
