#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "io/file.h"
#include "io/sim.h"
#include "io/task.h"

enum {
	STEPS_MAX = 1000 * 1000,
	SEEDS = 60, /* a chance of one half that never shows in so many tries is no chance */
};

static struct loop *open_loop(struct sim_world *world, unsigned shard)
{
	struct loop_settings settings = {.shard = shard};
	struct loop *loop = NULL;

	cr_assert_eq(sim_loop_open(world, &settings, &loop), RP_OK);
	return loop;
}

static struct sim_world *open_world(uint64_t seed)
{
	struct sim_world *world = NULL;

	cr_assert_eq(sim_open(seed, &world), RP_OK);
	return world;
}

/* Run a task to its end, on a loop of its own. */
static void run(struct sim_world *world, task_fn *fn, void *arg)
{
	struct loop *loop = open_loop(world, 0);

	cr_assert_eq(task_start(loop, fn, arg, NULL), RP_OK);
	cr_assert(sim_run(world, STEPS_MAX));
	loop_close(loop);
}

static struct file *must_open(struct task *task, const char *path)
{
	struct file *file = NULL;

	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE | FILE_CREATE, &file),
	    RP_OK);
	return file;
}

static void put(struct task *task, struct file *file, char letter, size_t n, uint64_t offset)
{
	char block[16384];

	memset(block, letter, n);
	cr_assert_eq(file_write(task, file, block, n, offset, false), RP_OK);
}

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

Test(sim, a_short_write_is_carried_on)
{
	struct sim_world *world = open_world(3);
	struct tries tries = {0};

	sim_set_faults(world, &(struct sim_faults){.write_short = 40000});
	run(world, writes_often, &tries);
	cr_assert_eq(tries.failed, 0);
	cr_assert_not(tries.wrong);
	sim_close(world);
}

Test(sim, faults_strike_at_their_rate_and_say_what_they_are)
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

Test(sim, a_full_disk_says_so)
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
Test(sim, a_file_that_is_removed_leaves_its_room)
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
Test(sim, what_a_failed_sync_lost_stays_lost)
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

Test(sim, a_flush_that_fails_for_another_is_told)
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

Test(sim, one_file_may_fail_among_sound_ones)
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

Test(sim, a_test_may_damage_the_disk)
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
