#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "io/base/pool.h"

static struct pool pool;

Test(pool, gives_zeroed_objects_up_to_its_bound)
{
	enum { MAX = 3000 };
	static uint8_t *taken[MAX];

	pool_init(&pool, "test", 100, MAX);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < MAX; i++) {
			taken[i] = pool_take(&pool);
			cr_assert_not_null(taken[i]);
			cr_assert_eq((uintptr_t)taken[i] % 16, 0);
			for (size_t k = 0; k < 100; k++)
				cr_assert_eq(taken[i][k], 0);
			memset(taken[i], 0xff, 100);
		}
		cr_assert_null(pool_take(&pool));
		cr_assert_eq(pool.live_count, MAX);
		for (size_t i = 0; i < MAX; i++)
			pool_give(&pool, taken[i]);
		cr_assert_eq(pool.live_count, 0);
	}
	pool_give(&pool, NULL);
	pool_fini(&pool);
}

Test(pool, an_object_larger_than_a_slab_is_no_trouble)
{
	pool_init(&pool, "large", 200000, 2);
	uint8_t *one = pool_take(&pool), *two = pool_take(&pool);

	memset(one, 1, 200000);
	memset(two, 2, 200000);
	cr_assert_eq(one[199999], 1);
	cr_assert_null(pool_take(&pool));
	pool_give(&pool, one);
	pool_give(&pool, two);
	pool_fini(&pool);
}

Test(pool, one_that_is_not_given_back_ends_the_process, .signal = SIGABRT)
{
	pool_init(&pool, "leak", 16, 1);
	cr_assert_not_null(pool_take(&pool));
	pool_fini(&pool);
}

Test(pool, one_too_many_given_back_ends_the_process, .signal = SIGABRT)
{
	static uint64_t stray[8];

	pool_init(&pool, "stray", 16, 1);
	pool_give(&pool, stray);
}
