#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/io/sim_fixture.h"

/* "old" is durable with its name; then it is written over, and nothing is synced. */
static void writes_over(struct task *task, void *arg)
{
	struct file *file = must_open(task, "f");

	(void)arg;
	put(task, file, 'o', 8192, 0);
	cr_assert_eq(file_sync(task, file), RP_OK);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "."), RP_OK);
	put(task, file, 'n', 8192, 4096);
	file_close(file);
}

Test(sim, what_was_synced_survives_and_the_rest_may_be_lost)
{
	unsigned lost = 0, kept = 0, mixed = 0, sizes = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_world *world = open_world(seed);
		struct bytes content;

		run(world, writes_over, NULL);
		sim_crash(world);
		cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "f", &content), RP_OK);
		cr_assert_geq(content.n, 8192);
		cr_assert_leq(content.n, 12288);
		for (size_t i = 0; i < 4096; i++)
			cr_assert_eq(content.p[i], 'o');
		size_t new = 0;

		for (size_t i = 4096; i < 8192; i++) {
			cr_assert(content.p[i] == 'o' || content.p[i] == 'n');
			new += content.p[i] == 'n';
		}
		lost += new == 0;
		kept += new == 4096;
		mixed += new > 0 && new < 4096;
		sizes += content.n > 8192 && content.n < 12288;
		sim_close(world);
	}
	cr_assert_gt(lost, 0);
	cr_assert_gt(kept, 0);
	cr_assert_gt(mixed, 0);
	cr_assert_gt(sizes, 0);
}

static void count_file(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	cr_assert_eq(root, FILE_ROOT_DATA);
	cr_assert_str_eq(path, "f");
	cr_assert_geq(bytes, 8192);
	(*(unsigned *)arg)++;
}

/* What a crash did to a file can be asked for, and is what the file shows. */
Test(sim, a_crash_tells_what_it_did)
{
	unsigned told = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_world *world = open_world(seed);
		struct bytes content;
		bool lost = false, reordered = false;
		unsigned files = 0;

		run(world, writes_over, NULL);
		sim_crash(world);
		cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "f", &content), RP_OK);
		for (size_t at = 4096; at < 8192; at += 512) {
			size_t new = 0;

			for (size_t i = at; i < at + 512; i++)
				new += content.p[i] == 'n';
			reordered = reordered || (lost && new == 512);
			lost = lost || new < 512;
		}
		unsigned did = sim_disk_crash_did(world, FILE_ROOT_DATA, "f");

		cr_assert(!reordered || (did & SIM_CRASH_REORDERED) != 0);
		cr_assert(lost || content.n < 12288 || (did & SIM_CRASH_REORDERED) == 0);
		cr_assert_eq(sim_met(world)->crashes, 1);
		cr_assert(!lost || sim_met(world)->sectors_lost + sim_met(world)->sectors_torn > 0);
		told += reordered;
		sim_disk_walk(world, count_file, &files);
		cr_assert_eq(files, 1);
		cr_assert_eq(sim_disk_remove(world, FILE_ROOT_DATA, "f"), RP_OK);
		cr_assert_eq(sim_disk_remove(world, FILE_ROOT_DATA, "f"), RP_ERR_NOTFOUND);
		cr_assert_eq(sim_disk_crash_did(world, FILE_ROOT_DATA, "f"), 0);
		sim_close(world);
	}
	cr_assert_gt(told, 0);
}

static void writes_durably(struct task *task, void *arg)
{
	struct file *file = must_open(task, "log");
	char block[4096];

	(void)arg;
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "."), RP_OK);
	memset(block, 'd', sizeof(block));
	put(task, file, 'x', 4096, 0);
	cr_assert_eq(file_write(task, file, block, sizeof(block), 4096, true), RP_OK);
	file_close(file);
}

Test(sim, a_dsync_write_survives_alone)
{
	unsigned others = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_world *world = open_world(seed);
		struct bytes content;

		run(world, writes_durably, NULL);
		sim_crash(world);
		cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "log", &content), RP_OK);
		cr_assert_eq(content.n, 8192);
		for (size_t i = 4096; i < 8192; i++)
			cr_assert_eq(content.p[i], 'd');
		others += content.p[0] == 'x';
		sim_close(world);
	}
	cr_assert_gt(others, 0);
	cr_assert_lt(others, SEEDS);
}

static void makes_names(struct task *task, void *arg)
{
	struct file *file;

	(void)arg;
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "d"), RP_OK);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "."), RP_OK);
	file = must_open(task, "d/synced");
	put(task, file, 's', 10, 0);
	cr_assert_eq(file_sync(task, file), RP_OK);
	file_close(file);
	cr_assert_eq(dir_sync(task, FILE_ROOT_DATA, "d"), RP_OK);
	file = must_open(task, "d/unsynced");
	put(task, file, 'u', 10, 0);
	cr_assert_eq(file_sync(task, file), RP_OK);
	file_close(file);
	file = must_open(task, "d/next");
	put(task, file, 'n', 10, 0);
	cr_assert_eq(file_sync(task, file), RP_OK);
	file_close(file);
	cr_assert_eq(file_rename(task, FILE_ROOT_DATA, "d/next", "d/synced"), RP_OK);
}

Test(sim, names_survive_when_their_directory_was_synced)
{
	unsigned unsynced = 0, renamed = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_world *world = open_world(seed);
		struct bytes content;

		run(world, makes_names, NULL);
		sim_crash(world);
		cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "d/synced", &content), RP_OK);
		cr_assert_eq(content.n, 10);
		cr_assert(content.p[0] == 's' || content.p[0] == 'n', "the old or the new one");
		renamed += content.p[0] == 'n';
		enum rp_err err = sim_disk_read(world, FILE_ROOT_DATA, "d/unsynced", &content);

		cr_assert(err == RP_OK || err == RP_ERR_NOTFOUND);
		unsynced += err == RP_OK;
		sim_close(world);
	}
	cr_assert_gt(unsynced, 0);
	cr_assert_lt(unsynced, SEEDS);
	cr_assert_gt(renamed, 0);
	cr_assert_lt(renamed, SEEDS);
}

static void syncs_all(struct task *task, void *arg)
{
	struct file *file = must_open(task, "a");

	(void)arg;
	put(task, file, 'a', 5000, 0);
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, "x/y/z"), RP_OK);
	struct file *deep = must_open(task, "x/y/z/b");

	put(task, deep, 'b', 100, 0);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, "x/none"), RP_OK);
	cr_assert_eq(file_syncfs(task, file), RP_OK);
	file_close(file);
	file_close(deep);
}

Test(sim, syncfs_makes_all_durable)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_world *world = open_world(seed);
		struct bytes content;

		run(world, syncs_all, NULL);
		sim_crash(world);
		cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "a", &content), RP_OK);
		cr_assert_eq(content.n, 5000);
		cr_assert_eq(content.p[4999], 'a');
		cr_assert_eq(sim_disk_read(world, FILE_ROOT_DATA, "x/y/z/b", &content), RP_OK);
		cr_assert_eq(content.n, 100);
		sim_close(world);
	}
}

/* Tasks that hold memory, files and mappings, and wait in all ways, when the power goes. */
static void never_ends(struct task *task, void *arg)
{
	struct task_queue *queue = malloc(sizeof(*queue));
	char name[] = "f0";
	void *p;

	name[1] = (char)('0' + (uintptr_t)arg);
	struct file *file = NULL;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, name,
	                 FILE_READ | FILE_WRITE | FILE_CREATE | FILE_MAPPABLE, &file),
	    RP_OK);
	put(task, file, 'f', 4096, 0);
	cr_assert_eq(file_map(file, 4096, &p), RP_OK);
	task_queue_init(queue);
	for (uint64_t offset = 0;; offset += 512) {
		uint8_t *block = malloc(512);

		memset(block, (int)offset, 512);
		cr_assert_eq(file_write(task, file, block, 512, offset, offset % 1024 == 0), RP_OK);
		cr_assert_eq(file_lock(task, file), RP_OK);
		cr_assert_eq(task_sleep(task, 1000 * (uintptr_t)arg), RP_OK);
		if (offset == 4096)
			cr_assert_eq(task_queue_wait(task, queue), RP_OK);
		free(block);
	}
}

Test(sim, a_crash_takes_tasks_at_any_point)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct sim_world *world = open_world(seed);

		for (unsigned life = 0; life < 5; life++) {
			for (unsigned shard = 0; shard < 2; shard++) {
				struct loop *loop = open_loop(world, shard);

				for (uintptr_t i = 0; i < 3; i++)
					cr_assert_eq(task_start(loop, never_ends,
					                 (void *)(i + 3 * shard), NULL),
					    RP_OK);
			}
			cr_assert_not(sim_run(world, sim_random(world) % 300));
			sim_crash(world);
		}
		run(world, syncs_all, NULL);
		sim_close(world);
	}
}

static uint64_t digest_of(uint64_t seed)
{
	struct sim_world *world = open_world(seed);
	struct sim_faults faults = {.write_short = 20000, .latency_ns_max = 500000};
	uint8_t random[16];

	sim_set_faults(world, &faults);
	for (unsigned shard = 0; shard < 3; shard++) {
		struct loop *loop = open_loop(world, shard);

		for (uintptr_t i = 0; i < 2; i++)
			cr_assert_eq(
			    task_start(loop, never_ends, (void *)(i + 2 * shard), NULL), RP_OK);
	}
	while (sim_run(world, 500))
		;
	sim_crash(world);
	run(world, writes_over, NULL);
	loop_random(open_loop(world, 0), random, sizeof(random));
	sim_crash(world);
	uint64_t digest = sim_digest(world) ^ sim_now_ns(world) ^ sim_random(world) ^ random[3];

	sim_close(world);
	return digest;
}

Test(sim, a_seed_replays_to_the_byte)
{
	for (uint64_t seed = 0; seed < 10; seed++)
		cr_assert_eq(digest_of(seed), digest_of(seed));
	cr_assert_neq(digest_of(1), digest_of(2));
}

Test(sim, the_wall_clock_jumps_and_the_other_does_not)
{
	struct sim_world *world = open_world(3);
	struct loop *loop = open_loop(world, 0);
	uint64_t wall = loop_wall_ns(loop), now = loop_now_ns(loop);

	sim_jump_wall(world, -86400);
	cr_assert_eq(loop_wall_ns(loop), wall - UINT64_C(86400) * 1000000000);
	sim_jump_wall(world, 86401);
	cr_assert_eq(loop_wall_ns(loop), wall + 1000000000);
	cr_assert_eq(loop_now_ns(loop), now);
	loop_close(loop);
	sim_close(world);
}

static void waits_for_ever(struct task *task, void *arg)
{
	cr_assert_eq(task_queue_wait(task, arg), RP_ERR_CANCELED);
}

Test(sim, a_step_says_when_nothing_is_left_to_do)
{
	struct sim_world *world = open_world(3);
	struct loop *loop = open_loop(world, 0);
	struct task_queue queue;
	struct task *task;

	cr_assert_not(sim_step(world));
	task_queue_init(&queue);
	cr_assert_eq(task_start(loop, waits_for_ever, &queue, &task), RP_OK);
	cr_assert(sim_step(world));
	cr_assert_not(sim_step(world));
	cr_assert(sim_run(world, 10));
	task_cancel(task);
	cr_assert(sim_run(world, 10));
	loop_close(loop);
	sim_close(world);
}
