#include "io/base/runs.h"

#include <stdlib.h>
#include <string.h>

void runs_fini(struct runs *runs)
{
	if (runs == NULL)
		return;
	free(runs->run);
	*runs = RUNS_EMPTY;
}

static enum rp_err reserve(struct runs *runs, size_t count)
{
	if (count <= runs->count_max)
		return RP_OK;
	size_t count_max = runs->count_max == 0 ? 4 : runs->count_max * 2;
	struct run *run = realloc(runs->run, count_max * sizeof(*run));

	if (run == NULL)
		return RP_ERR_NOMEM;
	runs->run = run;
	runs->count_max = count_max;
	return RP_OK;
}

size_t runs_lower(const struct runs *runs, uint32_t n)
{
	size_t low = 0;
	size_t high = runs->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (runs->run[mid].last < n)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

enum rp_err runs_add(struct runs *runs, uint32_t first, uint32_t last)
{
	RP_ASSERT(first <= last);
	/* Behind all that is there, with a gap: what most callers do, without a search. */
	if (runs->count > 0 && runs->count < runs->count_max && first > runs->run[runs->count - 1].last &&
	    first - runs->run[runs->count - 1].last > 1) {
		runs->run[runs->count++] = (struct run){first, last};
		return RP_OK;
	}
	/* [from, to): the runs that the new one overlaps or touches. */
	size_t from = runs_lower(runs, first == 0 ? 0 : first - 1);
	size_t to = from;

	while (to < runs->count && (last == UINT32_MAX || runs->run[to].first <= last + 1))
		to++;
	if (from == to) {
		enum rp_err err = reserve(runs, runs->count + 1);

		if (err != RP_OK)
			return err;
		memmove(runs->run + from + 1, runs->run + from,
			(runs->count - from) * sizeof(*runs->run));
		runs->run[from] = (struct run){ first, last };
		runs->count++;
		return RP_OK;
	}
	if (runs->run[from].first < first)
		first = runs->run[from].first;
	if (runs->run[to - 1].last > last)
		last = runs->run[to - 1].last;
	runs->run[from] = (struct run){ first, last };
	memmove(runs->run + from + 1, runs->run + to, (runs->count - to) * sizeof(*runs->run));
	runs->count -= to - from - 1;
	return RP_OK;
}

enum rp_err runs_remove(struct runs *runs, uint32_t first, uint32_t last)
{
	RP_ASSERT(first <= last);
	size_t at = runs_lower(runs, first);

	if (at == runs->count || runs->run[at].first > last)
		return RP_OK;
	if (runs->run[at].first < first && runs->run[at].last > last) {
		enum rp_err err = reserve(runs, runs->count + 1);

		if (err != RP_OK)
			return err;
		memmove(runs->run + at + 1, runs->run + at,
			(runs->count - at) * sizeof(*runs->run));
		runs->count++;
		runs->run[at].last = first - 1;
		runs->run[at + 1].first = last + 1;
		return RP_OK;
	}
	if (runs->run[at].first < first) {
		runs->run[at].last = first - 1;
		at++;
	}
	size_t to = at;

	while (to < runs->count && runs->run[to].last <= last)
		to++;
	if (to < runs->count && runs->run[to].first <= last)
		runs->run[to].first = last + 1;
	memmove(runs->run + at, runs->run + to, (runs->count - to) * sizeof(*runs->run));
	runs->count -= to - at;
	return RP_OK;
}

bool runs_has(const struct runs *runs, uint32_t n)
{
	size_t at = runs_lower(runs, n);

	return at < runs->count && runs->run[at].first <= n;
}

uint64_t runs_total(const struct runs *runs)
{
	return runs_rank(runs, UINT32_MAX);
}

uint64_t runs_rank(const struct runs *runs, uint32_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < runs->count && runs->run[i].first <= n; i++) {
		uint32_t last = runs->run[i].last < n ? runs->run[i].last : n;

		total += (uint64_t)last - runs->run[i].first + 1;
	}
	return total;
}

enum rp_err runs_copy(const struct runs *runs, struct runs *out)
{
	RP_ASSERT(out->count_max == 0);
	if (runs->count == 0)
		return RP_OK;
	struct run *run = malloc(runs->count * sizeof(*run));

	if (run == NULL)
		return RP_ERR_NOMEM;
	memcpy(run, runs->run, runs->count * sizeof(*run));
	*out = (struct runs){ .run = run, .count = runs->count, .count_max = runs->count };
	return RP_OK;
}
