#include "index/long_sort.h"

#include <stdlib.h>
#include <string.h>

#include "io/base/assert.h"
#include "io/base/num.h"

enum {
	CHUNK = 1024,             /* sorted, or merged, without a look at the clock: some 100 us */
	CHUNK_BYTES = 128 * 1024, /* copied likewise: as long, with the pages that come with them */
};

struct sorting {
	struct task *task;
	size_t count;
	size_t bytes;
	int (*compare)(const void *, const void *);
};

static enum rp_err let_in(const struct sorting *sorting)
{
	return sorting->task != NULL ? task_pause(sorting->task) : RP_OK;
}

/* [left, middle) and [middle, right) of `from`, each in order, into the same place of `to`. */
static enum rp_err merge_two(const struct sorting *sorting, const uint8_t *from, uint8_t *to,
    size_t left, size_t middle, size_t right)
{
	const size_t bytes = sorting->bytes;
	size_t a = left;
	size_t b = middle;
	enum rp_err err = RP_OK;

	for (size_t i = left; err == RP_OK && i < right; i++) {
		bool first = a < middle && (b == right || sorting->compare(from + a * bytes,
		                                              from + b * bytes) <= 0);

		memcpy(to + i * bytes, from + (first ? a++ : b++) * bytes, bytes);
		if (i % CHUNK == 0)
			err = let_in(sorting);
	}
	return err;
}

/* Runs of `width` in order become runs of twice that. */
static enum rp_err merge_runs(
    const struct sorting *sorting, const uint8_t *from, uint8_t *to, size_t width)
{
	enum rp_err err = RP_OK;

	for (size_t left = 0; err == RP_OK && left < sorting->count; left += 2 * width) {
		size_t middle = num_min(left + width, sorting->count);

		err = merge_two(
		    sorting, from, to, left, middle, num_min(left + 2 * width, sorting->count));
	}
	return err;
}

static enum rp_err sort_chunks(const struct sorting *sorting, uint8_t *p)
{
	enum rp_err err = RP_OK;

	for (size_t at = 0; err == RP_OK && at < sorting->count; at += CHUNK) {
		qsort(p + at * sorting->bytes, num_min(CHUNK, sorting->count - at), sorting->bytes,
		    sorting->compare);
		err = let_in(sorting);
	}
	return err;
}

/* All of it, though somebody ends it: then at once. */
static void copy_back(
    const struct sorting *sorting, const uint8_t *from, uint8_t *to, enum rp_err *err)
{
	for (size_t at = 0; at < sorting->count; at += CHUNK) {
		size_t n = num_min(CHUNK, sorting->count - at);

		memcpy(to + at * sorting->bytes, from + at * sorting->bytes, n * sorting->bytes);
		if (*err == RP_OK)
			*err = let_in(sorting);
	}
}

enum rp_err long_sort(struct task *task, void *p, size_t count, size_t bytes,
    int (*compare)(const void *, const void *))
{
	const struct sorting sorting = {task, count, bytes, compare};
	uint8_t *from = p;
	uint8_t *to;
	uint8_t *more;
	enum rp_err err;

	if (count == 0)
		return RP_OK;
	err = sort_chunks(&sorting, p);
	if (err != RP_OK || count <= CHUNK)
		return err;
	more = malloc(count * bytes);
	if (more == NULL)
		return RP_ERR_NOMEM;
	to = more;
	for (size_t width = CHUNK; err == RP_OK && width < count; width *= 2) {
		uint8_t *was = from;

		err = merge_runs(&sorting, from, to, width);
		if (err != RP_OK)
			break; /* `from` has them all */
		from = to;
		to = was;
	}
	if (from != p)
		copy_back(&sorting, from, p, &err);
	free(more);
	return err;
}

enum rp_err long_realloc(struct task *task, void **p, size_t used, size_t bytes)
{
	uint8_t *more = malloc(bytes);
	enum rp_err err = more != NULL ? RP_OK : RP_ERR_NOMEM;

	RP_ASSERT(used <= bytes);
	for (size_t at = 0; err == RP_OK && at < used; at += CHUNK_BYTES) {
		memcpy(more + at, (uint8_t *)*p + at, num_min(CHUNK_BYTES, used - at));
		err = task_pause(task);
	}
	if (err != RP_OK) {
		free(more);
		return err;
	}
	free(*p);
	*p = more;
	return RP_OK;
}
