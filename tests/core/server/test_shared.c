#include <criterion/criterion.h>
#include <unistd.h>

#include "core/server/shared.h"

static struct userid user(uint8_t n)
{
	return (struct userid){ .b = { n, 1 } };
}

/* Who has it open, as the server does, cannot take it from the others. */
Test(shared, it_cannot_be_cut_short)
{
	struct shared *shared;
	int fd;

	cr_assert_eq(shared_make(&shared, &fd), RP_OK);
	cr_assert_neq(ftruncate(fd, 0), 0);
	cr_assert_neq(ftruncate(fd, 1 << 20), 0);
	close(fd);
}

Test(shared, twice_is_no_accident_and_lasts_longer_each_time)
{
	struct shared *shared;
	struct userid blamed[SHARED_SHARDS_MAX];
	struct userid bad = user(7);
	struct userid good = user(8);
	uint64_t now_s = 1000000;
	uint64_t last_s = 0;
	int fd;

	cr_assert_eq(shared_make(&shared, &fd), RP_OK);
	shared_note(shared, 3, &bad);
	cr_assert_eq(shared_blame(shared, now_s, blamed), 1);
	cr_assert(userid_eq(&blamed[0], &bad));
	cr_assert_eq(shared_poisoned_s(shared, &bad, now_s), 0, "once can happen to anybody");
	cr_assert_eq(shared_blame(shared, now_s, blamed), 0, "the note is cleared");
	for (int i = 0; i < 20; i++) {
		shared_note(shared, 3, &bad);
		cr_assert_eq(shared_blame(shared, now_s, blamed), 1);
		uint64_t s = shared_poisoned_s(shared, &bad, now_s);

		cr_assert_geq(s, 60);
		cr_assert_leq(s, 3600);
		cr_assert_geq(s, last_s);
		cr_assert_eq(shared_poisoned_s(shared, &bad, now_s + s), 0, "it ends");
		last_s = s;
	}
	cr_assert_eq(last_s, 3600);
	cr_assert_eq(shared_poisoned_s(shared, &good, now_s), 0);
	close(fd);
}

Test(shared, a_day_without_trouble_clears_a_name)
{
	struct shared *shared;
	struct userid blamed[SHARED_SHARDS_MAX];
	struct userid bad = user(7);
	int fd;

	cr_assert_eq(shared_make(&shared, &fd), RP_OK);
	shared_note(shared, 0, &bad);
	cr_assert_eq(shared_blame(shared, 1000000, blamed), 1);
	shared_note(shared, 0, &bad);
	cr_assert_eq(shared_blame(shared, 1000000 + 2 * 24 * 3600, blamed), 1);
	cr_assert_eq(shared_poisoned_s(shared, &bad, 1000000 + 2 * 24 * 3600), 0);
	close(fd);
}

Test(shared, the_table_forgets_whoever_ended_longest_ago)
{
	struct shared *shared;
	struct userid blamed[SHARED_SHARDS_MAX];
	int fd;

	cr_assert_eq(shared_make(&shared, &fd), RP_OK);
	for (unsigned i = 0; i <= SHARED_POISON_MAX; i++) {
		struct userid id = user((uint8_t)(i + 1));

		for (int twice = 0; twice < 2; twice++) {
			shared_note(shared, 1, &id);
			cr_assert_eq(shared_blame(shared, 1000000 + i, blamed), 1);
		}
	}
	struct userid first = user(1);
	struct userid last = user(SHARED_POISON_MAX + 1);

	cr_assert_eq(shared_poisoned_s(shared, &first, 1000000), 0);
	cr_assert_gt(shared_poisoned_s(shared, &last, 1000000 + SHARED_POISON_MAX), 0);
	close(fd);
}

Test(shared, two_maps_are_the_same_memory)
{
	struct shared *one;
	struct shared *two;
	struct userid blamed[SHARED_SHARDS_MAX];
	struct userid id = user(9);
	int fd;

	cr_assert_eq(shared_make(&one, &fd), RP_OK);
	cr_assert_eq(shared_map(fd, &two), RP_OK);
	shared_note(two, SHARED_SHARDS_MAX - 1, &id);
	cr_assert_eq(shared_blame(one, 1, blamed), 1);
	cr_assert(userid_eq(&blamed[0], &id));
	close(fd);
}

Test(shared, only_the_shard_that_crashed_is_to_blame)
{
	static struct userid blamed[SHARED_SHARDS_MAX];
	struct shared *shared;
	int fd;

	cr_assert_eq(shared_make(&shared, &fd), RP_OK);
	struct userid bad = { { 1 } };
	struct userid neighbour = { { 2 } };

	for (int i = 0; i < 2; i++) {
		shared_note(shared, 3, &bad);
		shared_note(shared, 4, &neighbour);
		atomic_store(&shared->crashed, 4); /* shard 3 */
		cr_assert_eq(shared_blame(shared, 1000, blamed), 1);
		cr_assert(userid_eq(&blamed[0], &bad));
	}
	cr_assert_gt(shared_poisoned_s(shared, &bad, 1000), 0);
	cr_assert_eq(shared_poisoned_s(shared, &neighbour, 1000), 0);
	cr_assert_eq(shared_blame(shared, 1000, blamed), 0, "all notes are cleared");
	shared_note(shared, 3, &neighbour);
	shared_forget(shared);
	cr_assert_eq(shared_blame(shared, 1000, blamed), 0);
}
