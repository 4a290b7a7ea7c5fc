#include <criterion/criterion.h>
#include <errno.h>

#include "tests/io/sim_fixture.h"

struct tries {
	enum rp_err err[64];
	unsigned failed;
	bool wrong;
};

static void writes_often(struct task *task, void *arg)
{
	struct tries *tries = arg;
	struct file *file = must_open(task, "f");
	char block[3000], back[3000];
	size_t got;

	for (unsigned i = 0; i < 64; i++) {
		memset(block, (int)i + 1, sizeof(block));
		tries->err[i] =
		    file_write(task, file, block, sizeof(block), i * sizeof(block), false);
		tries->failed += tries->err[i] != RP_OK;
		if (tries->err[i] != RP_OK)
			continue;
		if (file_read(task, file, back, sizeof(back), i * sizeof(block), &got) != RP_OK)
			continue;
		tries->wrong |= got != sizeof(back) || memcmp(block, back, got) != 0;
	}
	file_close(file);
}

Test(sim_faults, a_short_write_is_carried_on)
{
	struct sim_world *world = open_world(3);
	struct tries tries = {0};

	sim_set_faults(world, &(struct sim_faults){.write_short = 40000});
	run(world, writes_often, &tries);
	cr_assert_eq(tries.failed, 0);
	cr_assert_not(tries.wrong);
	sim_close(world);
}

Test(sim_faults, faults_strike_at_their_rate_and_say_what_they_are)
{
	struct sim_world *world = open_world(3);
	struct tries tries = {0};

	sim_set_faults(world, &(struct sim_faults){.write_eio = 16384});
	run(world, writes_often, &tries);
	cr_assert_gt(tries.failed, 5);
	cr_assert_lt(tries.failed, 40);
	for (unsigned i = 0; i < 64; i++)
		cr_assert(tries.err[i] == RP_OK || tries.err[i] == RP_ERR_IO);
	tries = (struct tries){0};
	sim_set_faults(world, &(struct sim_faults){.write_nospace = 16384, .read_eio = 9999});
	cr_assert_not(tries.wrong);
	sim_close(world);
}

Test(sim_faults, a_full_disk_says_so)
{
	struct sim_world *world = open_world(3);
	struct tries tries = {0};

	sim_set_faults(world, &(struct sim_faults){.disk_bytes_max = 10 * 3000 + 2999});
	run(world, writes_often, &tries);
	cr_assert_eq(tries.failed, 54);
	for (unsigned i = 0; i < 64; i++)
		cr_assert_eq(tries.err[i], i < 10 ? RP_OK : RP_ERR_NOSPACE);
	sim_close(world);
}

static void removes_for_room(struct task *task, void *arg)
{
	struct file *file = must_open(task, "old");

	put(task, file, 'o', 8192, 0);
	cr_assert_eq(file_sync(task, file), RP_OK);
	file_close(file);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "."), RP_OK);
	sim_set_faults(arg, &(struct sim_faults){.disk_bytes_max = 8192});
	file = must_open(task, "new");
	cr_assert_eq(file_write(task, file, "n", 1, 0, false), RP_ERR_NOSPACE);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "old"), RP_OK);
	put(task, file, 'n', 8192, 0);
	file_close(file);
}

/* Though a crash may bring its name back. */
Test(sim_faults, a_file_that_is_removed_leaves_its_room)
{
	struct sim_world *world = open_world(5);

	run(world, removes_for_room, world);
	sim_close(world);
}

static void syncs_in_vain(struct task *task, void *arg)
{
	struct file *file = must_open(task, "f");

	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "."), RP_OK);
	sim_set_faults(arg, &(struct sim_faults){.sync_eio = UINT16_MAX});
	put(task, file, 'n', 8192, 0);
	cr_assert_eq(file_sync(task, file), RP_ERR_IO);
	sim_set_faults(arg, &(struct sim_faults){0});
	cr_assert_eq(file_sync(task, file), RP_OK, "as the kernel does, the second one succeeds");
	file_close(file);
}

/* After a sync that failed, a sync that succeeds proves nothing. */
Test(sim_faults, what_a_failed_sync_lost_stays_lost)
{
	unsigned lost = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_world *world = open_world(seed);
		struct bytes content;

		run(world, syncs_in_vain, world);
		sim_crash(world);
		cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "f", &content), RP_OK);
		lost += memchr(content.p, 0, content.n) != NULL;
		sim_close(world);
	}
	cr_assert_gt(lost, SEEDS / 2);
}

/* Whoever flushes it: what was written goes, and all who have it open are told, once each; who opens it later is told if
 * nobody was. */
static void flushes_for_another(struct task *task, void *arg)
{
	struct file *file = must_open(task, "f");
	struct file *again = must_open(task, "f");
	struct file *other = must_open(task, "g");
	struct file *late;

	put(task, file, 'n', 8192, 0);
	sim_set_faults(arg, &(struct sim_faults){.sync_eio = UINT16_MAX});
	cr_assert_eq(file_syncfs(task, other), RP_ERR_IO);
	sim_set_faults(arg, &(struct sim_faults){0});
	late = must_open(task, "f");
	cr_assert_eq(file_sync(task, file), RP_ERR_IO);
	cr_assert_eq(file_sync(task, file), RP_OK);
	cr_assert_eq(file_write(task, again, "d", 1, 0, true), RP_ERR_IO);
	cr_assert_eq(file_write(task, again, "d", 1, 0, true), RP_OK);
	cr_assert_eq(file_sync(task, late), RP_ERR_IO);
	cr_assert_eq(file_sync(task, other), RP_OK);
	file_close(late);
	late = must_open(task, "f");
	cr_assert_eq(file_sync(task, late), RP_OK);
	file_close(late);
	file_close(file);
	file_close(again);
	file_close(other);
}

Test(sim_faults, a_flush_that_fails_for_another_is_told)
{
	struct sim_world *world = open_world(3);

	run(world, flushes_for_another, world);
	sim_close(world);
}

static void meets_a_broken_file(struct task *task, void *arg)
{
	struct file *file = must_open(task, "f");
	struct file *other = must_open(task, "g");
	char text[16];
	size_t got;

	put(task, file, 'a', 8, 0);
	put(task, other, 'b', 8, 0);
	cr_assert_eq(sim_break_file(arg, FILE_ROOT_DATA, "f",
	                 &(struct sim_broken){.read = EIO, .write = ENOSPC, .sync = EIO}),
	    RP_OK);
	cr_assert_eq(file_read(task, file, text, sizeof(text), 0, &got), RP_ERR_IO);
	cr_assert_eq(file_write(task, file, text, sizeof(text), 0, false), RP_ERR_NOSPACE);
	cr_assert_eq(file_syncfs(task, other), RP_ERR_IO, "it has f's bytes too");
	cr_assert_eq(file_syncfs(task, other), RP_OK);
	cr_assert_eq(file_read(task, other, text, sizeof(text), 0, &got), RP_OK);
	file_close(file);
	file_close(other);
}

Test(sim_faults, one_file_may_fail_among_sound_ones)
{
	struct sim_world *world = open_world(3);

	cr_assert_eq(sim_break_file(world, FILE_ROOT_DATA, "f", &(struct sim_broken){0}),
	    RP_ERR_NOTFOUND);
	run(world, meets_a_broken_file, world);
	sim_close(world);
}

static void reads_damage(struct task *task, void *arg)
{
	struct file *file = must_open(task, "f");
	char text[16] = {0};
	size_t got;

	(void)arg;
	cr_assert_eq(file_read(task, file, text, sizeof(text), 0, &got), RP_OK);
	cr_assert_eq(got, 7);
	cr_assert_str_eq(text, "damaged");
	file_close(file);
}

Test(sim_faults, a_test_may_damage_the_disk)
{
	struct sim_world *world = open_world(3);
	struct bytes content;

	cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "f", &content), RP_ERR_NOTFOUND);
	cr_assert_eq(
	    sim_disk_write(world, FILE_ROOT_DATA, "f", BYTES_LIT("something longer")), RP_OK);
	cr_assert_eq(sim_disk_write(world, FILE_ROOT_DATA, "f", BYTES_LIT("damaged")), RP_OK);
	run(world, reads_damage, NULL);
	sim_crash(world);
	run(world, reads_damage, NULL);
	cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "f", &content), RP_OK);
	cr_assert(bytes_eq(content, BYTES_LIT("damaged")));
	sim_close(world);
}
