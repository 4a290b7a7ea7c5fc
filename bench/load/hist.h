/* hist.h -- latencies in log-linear buckets: any value to within 1/128 of itself, whatever the range.
 *
 * A bucket holds the values that agree in their highest HIST_BITS + 1 bits; below 2^HIST_BITS each value has one of its
 * own. Histograms of threads and of runs are merged by adding. One thread at a time.
 */
#ifndef RP_BENCH_LOAD_HIST_H
#define RP_BENCH_LOAD_HIST_H

#include <stddef.h>
#include <stdint.h>

#include "io/base/assert.h"

enum {
	HIST_BITS = 7,
	HIST_VALUE_BITS_MAX = 44, /* 4.8 hours in ns; what is above counts as that */
	HIST_BUCKETS = (HIST_VALUE_BITS_MAX - HIST_BITS + 1) << HIST_BITS,
};

struct hist {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t bucket[HIST_BUCKETS];
};

/* 38 KiB of zeroes. NULL: no memory. free() gives it back. */
RP_MUST_USE struct hist *hist_new(void);

void hist_add(struct hist *hist, uint64_t value);
void hist_merge(struct hist *to, const struct hist *from);

/* The least and the greatest value of a bucket. */
uint64_t hist_lower(size_t bucket);
uint64_t hist_upper(size_t bucket);
size_t hist_bucket_of(uint64_t value);

/* The value at or below which so many millionths of all lie, as its bucket's upper end, but never above the maximum: so
 * not too low, and too high by less than 1/128. 0: there is none. */
uint64_t hist_quantile(const struct hist *hist, unsigned per_million);

#endif
