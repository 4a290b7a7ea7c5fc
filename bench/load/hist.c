#include "bench/load/hist.h"

#include <stdlib.h>

#include "io/base/num.h"

static const uint64_t VALUE_MAX = (UINT64_C(1) << HIST_VALUE_BITS_MAX) - 1;

struct hist *hist_new(void)
{
	return calloc(1, sizeof(struct hist));
}

size_t hist_bucket_of(uint64_t value)
{
	value = num_min(value, VALUE_MAX);
	if (value < UINT64_C(1) << HIST_BITS)
		return value;
	unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HIST_BITS;

	return ((size_t)shift << HIST_BITS) + (value >> shift);
}

uint64_t hist_lower(size_t bucket)
{
	RP_ASSERT(bucket < HIST_BUCKETS);
	if (bucket < (size_t)2 << HIST_BITS)
		return bucket;
	size_t shift = (bucket >> HIST_BITS) - 1;

	return (bucket - (shift << HIST_BITS)) << shift;
}

uint64_t hist_upper(size_t bucket)
{
	return bucket + 1 < HIST_BUCKETS ? hist_lower(bucket + 1) - 1 : VALUE_MAX;
}

void hist_add(struct hist *hist, uint64_t value)
{
	hist->count++;
	hist->sum += value;
	hist->max = num_max(hist->max, value);
	hist->bucket[hist_bucket_of(value)]++;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	to->count += from->count;
	to->sum += from->sum;
	to->max = num_max(to->max, from->max);
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

uint64_t hist_quantile(const struct hist *hist, unsigned per_million)
{
	/* The rank, rounded up: of 10 values the median is the 5th, the 99th hundredth the 10th. */
	__extension__ typedef unsigned __int128 wide;
	uint64_t rank = (uint64_t)(((wide)hist->count * per_million + 999999) / 1000000);
	uint64_t seen = 0;

	RP_ASSERT(per_million <= 1000000);
	if (hist->count == 0)
		return 0;
	rank = num_max(rank, 1);
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		seen += hist->bucket[i];
		if (seen >= rank)
			return num_min(hist_upper(i), hist->max);
	}
	return hist->max;
}
