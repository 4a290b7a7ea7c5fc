#include "io/base/stat.h"

#include "io/base/assert.h"

/* 0..3 have a bucket each; above, each power of two has four. */
static size_t bucket_of(uint64_t value)
{
	if (value < 4)
		return (size_t)value;
	unsigned power = 63 - (unsigned)__builtin_clzll(value);
	size_t bucket = (size_t)(power - 1) * 4 + (size_t)((value >> (power - 2)) & 3);

	return bucket < STAT_HIST_BUCKETS ? bucket : STAT_HIST_BUCKETS - 1;
}

uint64_t stat_hist_upper(size_t bucket)
{
	RP_ASSERT(bucket < STAT_HIST_BUCKETS);
	if (bucket < 4)
		return bucket;
	unsigned power = (unsigned)(bucket / 4) + 1;

	return ((4 + (bucket & 3) + 1) << (power - 2)) - 1;
}

void stat_hist_add(struct stat_hist *hist, uint64_t value)
{
	size_t bucket = bucket_of(value);

	__atomic_store_n(&hist->bucket[bucket], hist->bucket[bucket] + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&hist->count, hist->count + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&hist->sum, hist->sum + value, __ATOMIC_RELAXED);
}

uint64_t stat_hist_quantile(const struct stat_hist *hist, unsigned per_mille)
{
	RP_ASSERT(per_mille <= 1000);
	uint64_t count = __atomic_load_n(&hist->count, __ATOMIC_RELAXED);
	uint64_t wanted = (count * per_mille + 999) / 1000;
	uint64_t seen = 0;

	if (count == 0)
		return 0;
	for (size_t b = 0; b < STAT_HIST_BUCKETS; b++) {
		seen += __atomic_load_n(&hist->bucket[b], __ATOMIC_RELAXED);
		if (seen >= wanted && seen > 0)
			return stat_hist_upper(b);
	}
	return stat_hist_upper(STAT_HIST_BUCKETS - 1);
}
