#include <criterion/criterion.h>
#include <stdlib.h>

#include "io/rope.h"

static struct rope rope;
static uint8_t large[100000];

static void release(void *arg)
{
	++*(int *)arg;
}

/* All that may leave at `durable`, consumed in pieces of `step`. */
static size_t drain(struct rope *from, uint64_t durable, size_t step, uint8_t *out)
{
	size_t total = 0;

	for (struct bytes b; (b = rope_peek(from, durable)).n > 0;) {
		size_t n = b.n < step ? b.n : step;

		memcpy(out + total, b.p, n);
		total += n;
		rope_consume(from, n);
	}
	return total;
}

Test(rope, what_goes_in_comes_out_in_order)
{
	static const size_t steps[] = {1, 7, 1000, SIZE_MAX};
	static uint8_t expected[300000], got[300000];

	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 31);
	for (size_t s = 0; s < 4; s++) {
		size_t n = 0;
		int released = 0;

		rope_init(&rope);
		for (size_t i = 0; n < 200000; i = i * 2 + 1) {
			size_t size = i % 40000;

			if (i % 3 == 0)
				rope_borrow(&rope, bytes_of(large, size), release, &released);
			else
				rope_put(&rope, bytes_of(large, size));
			memcpy(expected + n, large, size);
			n += size;
			cr_assert_eq(rope.bytes, n);
		}
		cr_assert_eq(drain(&rope, 0, steps[s], got), n);
		cr_assert_arr_eq(got, expected, n);
		cr_assert_eq(rope.bytes, 0);
		cr_assert_eq(rope_first_gate(&rope), 0);
		cr_assert_not(rope.failed);
		rope_fini(&rope);
	}
	rope_fini(NULL);
}

Test(rope, what_is_borrowed_is_released_once_when_it_has_left)
{
	int released = 0;

	rope_init(&rope);
	rope_borrow(&rope, bytes_of(large, 1000), release, &released);
	rope_put_str(&rope, "end");
	cr_assert_eq(rope_peek(&rope, 0).p, large); /* not copied */
	rope_consume(&rope, 999);
	cr_assert_eq(released, 0);
	rope_consume(&rope, 1);
	cr_assert_eq(released, 1);
	rope_borrow(&rope, bytes_of(large, 10), release, &released); /* small: copied at once */
	cr_assert_eq(released, 2);
	rope_borrow(&rope, bytes_of(large, 1000), release, &released);
	rope_borrow(&rope, bytes_of(large, 1000), NULL, NULL);
	rope_fini(&rope);
	cr_assert_eq(released, 3);
}

Test(rope, nothing_leaves_before_its_gate)
{
	uint8_t got[64];

	rope_init(&rope);
	rope_put_str(&rope, "a");
	rope_stamp(&rope, 5);
	rope_put_str(&rope, "b");
	rope_stamp(&rope, 3); /* lower: no effect */
	rope_put_str(&rope, "c");
	rope_stamp(&rope, 9);
	rope_put_str(&rope, "d");
	cr_assert_eq(rope_first_gate(&rope), 0);
	cr_assert_eq(drain(&rope, 4, 64, got), 1);
	cr_assert_eq(rope_first_gate(&rope), 5);
	cr_assert_eq(drain(&rope, 8, 64, got), 2);
	cr_assert_arr_eq(got, "bc", 2);
	cr_assert_eq(drain(&rope, 8, 64, got), 0);
	cr_assert_eq(drain(&rope, 9, 64, got), 1);
	rope_fini(&rope);
}

/* Room that was reserved and not used has no bytes, so it has no gate to tell of. */
Test(rope, unused_room_does_not_hide_the_gate_behind_it)
{
	rope_init(&rope);
	cr_assert_not_null(rope_reserve(&rope, 100));
	rope_stamp(&rope, 7);
	cr_assert_eq(rope_first_gate(&rope), 0);
	rope_put_str(&rope, "x");
	cr_assert_eq(rope_first_gate(&rope), 7);
	cr_assert_eq(rope_peek(&rope, 6).n, 0);
	cr_assert_eq(rope_peek(&rope, 7).n, 1);
	rope_consume(&rope, 1);
	cr_assert_eq(rope.bytes, 0);
	rope_fini(&rope);
}

Test(rope, reserved_room_is_contiguous_up_to_64_kib)
{
	static const size_t sizes[] = {1, 900, 1000, 16000, 17000, 65536};
	static uint8_t got[200000];
	size_t total = 0;

	rope_init(&rope);
	for (size_t i = 0; i < 6; i++) {
		uint8_t *p = rope_reserve(&rope, sizes[i]);

		cr_assert_not_null(p);
		memset(p, (int)i, sizes[i]);
		rope_advance(&rope, sizes[i] - 1); /* less than reserved is fine */
		total += sizes[i] - 1;
	}
	cr_assert_eq(drain(&rope, 0, SIZE_MAX, got), total);
	cr_assert_eq(got[total - 1], 5);
	rope_fini(&rope);
}

Test(rope, appending_moves_all_and_raises_gates)
{
	struct rope from;
	uint8_t got[64];

	rope_init(&rope);
	rope_init(&from);
	rope_append(&rope, &from);
	cr_assert_eq(rope.bytes, 0);
	rope_stamp(&rope, 5);
	rope_put_str(&rope, "a");
	rope_put_str(&from, "b"); /* gate 0, but behind 5 now */
	rope_stamp(&from, 8);
	rope_put_str(&from, "c");
	rope_append(&rope, &from);
	cr_assert_eq(from.bytes, 0);
	cr_assert_null(from.first);
	rope_put_str(&rope, "d");
	cr_assert_eq(drain(&rope, 4, 64, got), 0);
	cr_assert_eq(drain(&rope, 5, 64, got), 2);
	cr_assert_arr_eq(got, "ab", 2);
	cr_assert_eq(drain(&rope, 8, 64, got), 2);
	cr_assert_arr_eq(got, "cd", 2);
	rope_fini(&rope);
}

Test(rope, a_cut_drops_what_may_not_leave)
{
	int released = 0;
	uint8_t got[64];

	rope_init(&rope);
	rope_put_str(&rope, "a");
	rope_stamp(&rope, 5);
	rope_put_str(&rope, "b");
	rope_stamp(&rope, 6);
	rope_borrow(&rope, bytes_of(large, 1000), release, &released);
	rope_cut(&rope, 5);
	cr_assert_eq(released, 1);
	cr_assert_eq(rope.bytes, 2);
	rope_put_str(&rope, "c"); /* goes on behind the cut */
	cr_assert_eq(drain(&rope, 6, 64, got), 3);
	cr_assert_arr_eq(got, "abc", 3);
	rope_put_str(&rope, "d");
	rope_cut(&rope, 0);
	cr_assert_eq(rope.bytes, 0);
	cr_assert_null(rope.first);
	rope_fini(&rope);
}

Test(rope, a_failed_rope_takes_nothing_more_and_releases_all)
{
	struct rope from;
	int released = 0;

	rope_init(&rope);
	rope_put_str(&rope, "a");
	rope.failed = true;
	cr_assert_null(rope_reserve(&rope, 10));
	rope_advance(&rope, 10);
	rope_put(&rope, bytes_of(large, 5000));
	rope_borrow(&rope, bytes_of(large, 5000), release, &released);
	cr_assert_eq(released, 1);
	rope_init(&from);
	rope_borrow(&from, bytes_of(large, 5000), release, &released);
	rope_append(&rope, &from);
	cr_assert_eq(released, 2);
	cr_assert_eq(rope.bytes, 1);
	cr_assert_eq(from.bytes, 0);
	rope_fini(&rope);
	/* And what follows a failed one is lost too. */
	rope_init(&rope);
	rope_init(&from);
	from.failed = true;
	rope_append(&rope, &from);
	cr_assert(rope.failed);
	rope_fini(&rope);
}

extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* A hundred pipelined commands that each change something have a gate each. */
Test(rope, small_answers_behind_gates_of_their_own_cost_little_memory)
{
	if (__sanitizer_get_current_allocated_bytes == NULL)
		cr_skip_test("no allocator here tells what it holds");
	size_t before = __sanitizer_get_current_allocated_bytes();

	rope_init(&rope);
	for (uint64_t gate = 1; gate <= 100; gate++) {
		rope_stamp(&rope, gate);
		rope_put_str(&rope, "* 1 FETCH (FLAGS (\\Seen))\r\na1 OK done\r\n");
	}
	cr_assert_lt(__sanitizer_get_current_allocated_bytes() - before, 100 * 1100);
	rope_fini(&rope);
}
