#include <criterion/criterion.h>

#include "io/base/arena.h"

static struct arena arena;

Test(arena, what_is_taken_is_aligned_apart_and_stays)
{
	uint8_t *taken[500];
	size_t sizes[500];

	arena_init(&arena, 4 << 20);
	for (size_t i = 0; i < 500; i++) {
		sizes[i] = i * 37 % 3000;
		taken[i] = arena_alloc(&arena, sizes[i]);
		cr_assert_not_null(taken[i]);
		cr_assert_eq((uintptr_t)taken[i] % 16, 0);
		memset(taken[i], (int)i, sizes[i]);
	}
	for (size_t i = 0; i < 500; i++)
		for (size_t k = 0; k < sizes[i]; k++)
			cr_assert_eq(taken[i][k], (uint8_t)i);
	arena_fini(&arena);
	arena_fini(NULL);
}

Test(arena, holds_no_more_than_its_bound)
{
	static const size_t bounds[] = {0, 15, 16, 100, 4096, 10000, 100000};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		size_t taken = 0;

		arena_init(&arena, bounds[i]);
		while (arena_alloc(&arena, 48) != NULL)
			taken += 48;
		cr_assert_leq(taken, bounds[i]);
		cr_assert_leq(arena.bytes_held, bounds[i]);
		if (bounds[i] >= 4096)
			cr_assert_gt(taken, bounds[i] / 2);
		cr_assert_null(arena_alloc(&arena, SIZE_MAX));
		cr_assert_null(arena_alloc(&arena, SIZE_MAX - 8));
		arena_fini(&arena);
	}
}

Test(arena, one_piece_may_have_all_of_the_bound)
{
	arena_init(&arena, 65536);
	cr_assert_null(arena_alloc(&arena, 65537));
	cr_assert_not_null(arena_alloc(&arena, 65536));
	cr_assert_null(arena_alloc(&arena, 1));
	arena_reset(&arena);
	cr_assert_not_null(arena_alloc(&arena, 65535));
	arena_fini(&arena);
}

Test(arena, a_count_that_overflows_is_refused_and_zeroed_is_zero)
{
	arena_init(&arena, 65536);
	cr_assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
	uint8_t *dirty = arena_alloc(&arena, 1000);

	memset(dirty, 0xff, 1000);
	arena_reset(&arena);
	uint8_t *zeroed = arena_calloc(&arena, 100, 10);

	for (size_t i = 0; i < 1000; i++)
		cr_assert_eq(zeroed[i], 0);
	arena_fini(&arena);
}

Test(arena, growing_keeps_the_bytes_in_place_or_moved)
{
	uint8_t *p = NULL;
	size_t n = 0;

	arena_init(&arena, 1 << 20);
	for (size_t step = 1; step < 60000; step = step * 3 / 2 + 1) {
		p = arena_grow(&arena, p, n, step);
		cr_assert_not_null(p);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(p[i], (uint8_t)i);
		for (size_t i = n; i < step; i++)
			p[i] = (uint8_t)i;
		n = step;
		if (step % 2 == 0)
			cr_assert_not_null(arena_alloc(&arena, 1)); /* in the way of the next */
	}
	cr_assert_null(arena_grow(&arena, p, n, 2 << 20));
	cr_assert_eq(p[n - 1], (uint8_t)(n - 1));
	arena_fini(&arena);
}

Test(arena, copies_and_prints)
{
	arena_init(&arena, 4096);
	cr_assert(bytes_eq(arena_copy(&arena, BYTES_LIT("a\0b")), BYTES_LIT("a\0b")));
	struct bytes empty = arena_copy(&arena, (struct bytes){NULL, 0});

	cr_assert_not_null(empty.p);
	cr_assert_eq(empty.n, 0);
	struct bytes text = arena_printf(&arena, "%s-%d", "x", 12);

	cr_assert(bytes_eq(text, BYTES_LIT("x-12")));
	cr_assert_eq(text.p[4], '\0');
	cr_assert_null(arena_printf(&arena, "%5000d", 1).p);
	cr_assert_null(arena_copy(&arena, bytes_of(&arena, 5000)).p);
	arena_fini(&arena);
}
