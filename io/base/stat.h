/* stat.h -- counters and latency histograms of one shard.
 *
 * Written by one thread without locks; another may read them torn by an update at most, as each is
 * one aligned word. Names are fixed; `ringpost stats` and the metrics page print them.
 */
#ifndef RP_IO_BASE_STAT_H
#define RP_IO_BASE_STAT_H

#include <stddef.h>
#include <stdint.h>

struct stat_counter {
	uint64_t value;
};

/* Powers of two in quarters: bucket b holds values up to stat_hist_upper(b); 0..2^40 ns. */
enum { STAT_HIST_BUCKETS = 164 };

struct stat_hist {
	uint64_t count;
	uint64_t sum;
	uint64_t bucket[STAT_HIST_BUCKETS];
};

static inline void stat_add(struct stat_counter *counter, uint64_t n)
{
	__atomic_store_n(&counter->value, counter->value + n, __ATOMIC_RELAXED);
}

static inline void stat_sub(struct stat_counter *counter, uint64_t n)
{
	__atomic_store_n(&counter->value, counter->value - n, __ATOMIC_RELAXED);
}

static inline uint64_t stat_get(const struct stat_counter *counter)
{
	return __atomic_load_n(&counter->value, __ATOMIC_RELAXED);
}

void stat_hist_add(struct stat_hist *hist, uint64_t value);

/* The greatest value that bucket b takes; the last one takes all above. */
uint64_t stat_hist_upper(size_t bucket);

/* The value at or below which the share per_mille / 1000 of all lies (to a bucket); 0: none yet. */
uint64_t stat_hist_quantile(const struct stat_hist *hist, unsigned per_mille);

#endif
