/* What a read that is refused means: a part that is lost, or a disk that is away. */
#include <criterion/criterion.h>
#include <errno.h>

#include "io/base/clock.h"
#include "tests/io/sim_fixture.h"

enum { BLOCK = 4096, BLOCKS = 16 };

struct look {
	struct sim_world *world;
	struct sim_broken broken;
	uint64_t away_ns;
	uint64_t offset;
	bool whole;
	bool again; /* a neighbour, behind it */
	enum rp_err err;
	enum rp_err err_again;
	uint64_t took_ms;
	uint64_t took_again_ms;
};

static enum rp_err read_one(
    struct task *task, struct look *look, struct file *file, uint64_t offset, uint64_t *took_ms)
{
	uint64_t begun_ns = sim_now_ns(look->world);
	uint8_t block[BLOCK];
	size_t got = 0;
	enum rp_err err = file_read_retry(task, file, block, sizeof(block), offset, &got);

	*took_ms = (sim_now_ns(look->world) - begun_ns) / CLOCK_NS_PER_MS;
	if (err == RP_OK)
		cr_assert(got == BLOCK && block[0] == 'a' + (int)(offset / BLOCK));
	return err;
}

static void reads(struct task *task, void *arg)
{
	struct look *look = arg;
	struct file *store = must_open(task, "store");
	struct file *file = must_open(task, "f");

	put(task, store, 's', BLOCK, 0);
	for (unsigned i = 0; i < BLOCKS; i++)
		put(task, file, (char)('a' + (int)i), BLOCK, i * BLOCK);
	cr_assert_eq(sim_break_file(look->world, FILE_ROOT_DATA, "f", &look->broken), RP_OK);
	if (look->away_ns != 0)
		sim_disk_away(look->world, sim_now_ns(look->world) + look->away_ns);
	file_lose_whole(task, look->whole);
	look->err = read_one(task, look, file, look->offset, &look->took_ms);
	if (look->again)
		look->err_again =
		    read_one(task, look, file, look->offset + BLOCK, &look->took_again_ms);
	file_close(file);
	file_close(store);
}

static void look_at(struct look *look)
{
	look->world = open_world(5);
	run(look->world, reads, look);
	sim_close(look->world);
}

static const struct sim_broken all_of_it = {.read = EIO};

/* Two blocks in the middle, the first two, the last two; the first, the last. */
Test(file_lost, a_part_that_fails_while_what_is_around_it_reads_well_is_lost)
{
	static const uint64_t at[] = {5, 0, BLOCKS - 2, 0, BLOCKS - 1};

	for (unsigned i = 0; i < 5; i++) {
		struct look look = {.offset = at[i] * BLOCK, .again = i < 3};

		look.broken = (struct sim_broken){.read = EIO,
		    .read_from = look.offset + 100,
		    .read_to = look.offset + (look.again ? 2 * BLOCK : BLOCK)};
		look_at(&look);
		cr_assert_eq(look.err, RP_ERR_IO, "block %lu: %d", at[i], look.err);
		cr_assert_geq(look.took_ms, FILE_LOST_MS);
		if (!look.again)
			continue;
		cr_assert_eq(look.err_again, RP_ERR_IO);
		cr_assert_lt(
		    look.took_again_ms, FILE_LOST_MS / 10, "the time is not spent on each block");
	}
}

Test(file_lost, a_disk_that_comes_back_is_waited_for)
{
	struct look look = {.away_ns = 8 * CLOCK_NS_PER_S, .offset = 3 * BLOCK};

	look_at(&look);
	cr_assert_eq(look.err, RP_OK);
	cr_assert_geq(look.took_ms, 7900);
}

/* Only this part comes back late, when it was nearly taken for lost. */
Test(file_lost, a_part_that_comes_back_in_time_is_not_lost)
{
	struct look look = {
	    .offset = 3 * BLOCK, .broken = {.read = EIO, .read_from = 0, .read_to = 5 * BLOCK}};

	look.broken.read_until_ns = 9 * CLOCK_NS_PER_S;
	look_at(&look);
	cr_assert_eq(look.err, RP_OK);
}

/* The disk comes back, but for this part: its time begins then. */
Test(file_lost, time_that_the_disk_was_away_does_not_count)
{
	struct look look = {.away_ns = 8 * CLOCK_NS_PER_S,
	    .offset = 3 * BLOCK,
	    .broken = {.read = EIO, .read_from = 3 * BLOCK, .read_to = 4 * BLOCK}};

	look_at(&look);
	cr_assert_eq(look.err, RP_ERR_IO);
	cr_assert_geq(look.took_ms, 8000 + FILE_LOST_MS);
}

Test(file_lost, a_disk_that_stays_away_is_no_loss)
{
	struct look look = {.away_ns = 100 * CLOCK_NS_PER_S, .again = true};

	look_at(&look);
	cr_assert_eq(look.err, RP_ERR_UNAVAILABLE);
	cr_assert_geq(look.took_ms, FILE_LOST_MS);
	cr_assert_lt(look.took_ms, 2 * FILE_LOST_MS);
	cr_assert_eq(look.err_again, RP_ERR_UNAVAILABLE);
	cr_assert_lt(look.took_again_ms, 100, "it is not waited for each time");
}

Test(file_lost, a_file_that_fails_as_a_whole_is_lost_only_for_who_repairs)
{
	struct look look = {.broken = all_of_it};

	look_at(&look);
	cr_assert_eq(look.err, RP_ERR_UNAVAILABLE);
	look.whole = true;
	look_at(&look);
	cr_assert_eq(look.err, RP_ERR_IO);
	cr_assert_geq(look.took_ms, FILE_LOST_MS);
	look.away_ns = 100 * CLOCK_NS_PER_S;
	look_at(&look);
	cr_assert_eq(look.err, RP_ERR_UNAVAILABLE);
}
