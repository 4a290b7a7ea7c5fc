/* What goes through very many messages in the background lets others in: nobody waits for a merge. */
#include "index/thin.h"

#include <stdlib.h>

#include "index/long_sort.h"
#include "tests/index/others.h"
#include "tests/io/io_fixture.h"

enum {
	MANY = 1000 * 1000, /* messages */
	STORES = 16,        /* of all of them: more than the memory for flags is good for */
	SLICES_MIN = 20,    /* of half a millisecond: all of it takes some hundred */
};

static struct bytes make(uint8_t *p, uint64_t lsn)
{
	struct runs all = RUNS_EMPTY;
	struct change_writer writer;
	size_t at = 0;

	change_begin(&writer, p, CHANGE_PAYLOAD_BYTES_MAX, 0);
	if (lsn == 1)
		cr_assert(change_put_mailbox(&writer, 1, 1, 0, BYTES_LIT("INBOX")));
	cr_assert_eq(runs_add(&all, 1, MANY), RP_OK);
	cr_assert(change_put_flag(&writer, 1, (unsigned)(lsn % CHANGE_FLAG_KEYWORD),
	    bytes_of(NULL, 0), lsn % 2, &all, &at));
	cr_assert(change_put_counters(&writer, 1, &(struct change_counters){.uidnext = MANY + 1}));
	runs_fini(&all);
	return change_finish(&writer, true);
}

/* How many flags are told of how many messages in what is left. */
static uint64_t flags_left(struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	uint64_t n = 0;

	cr_assert_eq(change_open(payload, &reader), RP_OK);
	while (change_next(&reader, &item) == RP_OK) {
		struct change_runs rest = item.runs;
		struct run run;

		while (item.type == CHANGE_ITEM_FLAG && change_runs_next(&rest, &run, 1) == 1)
			n += run.last - run.first + 1;
	}
	return n;
}

IO_TASK_TEST(thin, lets_others_in)
{
	uint8_t *payload = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	uint8_t *left = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	struct change_writer writer;
	struct others others;
	struct thin thin;
	uint64_t noted;

	(void)arg;
	others_begin(task, &others);
	thin_init(&thin, (struct hash_key){0});
	for (uint64_t lsn = 1; lsn <= STORES; lsn++)
		cr_assert_eq(thin_note(task, &thin, lsn, make(payload, lsn)), RP_OK);
	cr_assert_eq(thin_ready(task, &thin), RP_OK);
	noted = others.turns;
	cr_assert_gt(noted, SLICES_MIN);
	for (uint64_t lsn = 1; lsn <= STORES; lsn++) {
		change_begin(&writer, left, CHANGE_PAYLOAD_BYTES_MAX, 0);
		cr_assert_eq(thin_write(task, &thin, lsn, make(payload, lsn), &writer), RP_OK);
		cr_assert_eq(flags_left(change_finish(&writer, true)),
		    lsn + CHANGE_FLAG_KEYWORD > STORES ? MANY : 0);
	}
	cr_assert_gt(others.turns, noted + SLICES_MIN);
	thin_fini(task, &thin);
	others_end(task, &others);
	free(payload);
	free(left);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort_some(struct task *task, size_t count)
{
	uint64_t *p = malloc((count + 1) * sizeof(*p));
	uint64_t random = count;

	for (size_t i = 0; i < count; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		p[i] = random >> 34 << 32 | i;
	}
	p[count] = 4711;
	cr_assert_eq(long_sort(task, p, count, sizeof(*p), by_value), RP_OK);
	for (size_t i = 1; i < count; i++)
		cr_assert_lt(p[i - 1], p[i], "%zu of %zu", i, count);
	cr_assert_eq(p[count], 4711);
	free(p);
}

IO_TASK_TEST(long_sort, sorts_and_lets_others_in)
{
	static const size_t few[] = {0, 1, 2, 3, 1023, 1024, 1025, 2047, 2048, 2049, 5000, 70000};
	struct others others;

	(void)arg;
	for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
		sort_some(NULL, few[i]);
	others_begin(task, &others);
	sort_some(task, MANY);
	cr_assert_gt(others.turns, SLICES_MIN);
	others_end(task, &others);
}

IO_TASK_TEST(long_sort, ends_when_it_is_cancelled_and_loses_nothing)
{
	enum { COUNT = 10000 };
	static uint64_t p[COUNT];
	uint64_t sum = 0;

	(void)arg;
	for (size_t i = 0; i < COUNT; i++)
		p[i] = (uint64_t)(COUNT - i) << 32;
	task_cancel(task);
	cr_assert_eq(long_sort(task, p, COUNT, sizeof(*p), by_value), RP_ERR_CANCELED);
	for (size_t i = 0; i < COUNT; i++)
		sum += p[i] >> 32;
	cr_assert_eq(sum, (uint64_t)COUNT * (COUNT + 1) / 2);
}
