#include "tests/io/sim_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

enum { STEPS_MAX = 1000 * 1000 };

struct loop *open_loop(struct sim_world *world, unsigned shard)
{
	struct loop_settings settings = {.shard = shard};
	struct loop *loop = NULL;

	cr_assert_eq(sim_loop_open(world, &settings, &loop), RP_OK);
	return loop;
}

struct sim_world *open_world(uint64_t seed)
{
	struct sim_world *world = NULL;

	cr_assert_eq(sim_open(seed, &world), RP_OK);
	return world;
}

/* Run a task to its end, on a loop of its own. */
void run(struct sim_world *world, task_fn *fn, void *arg)
{
	struct loop *loop = open_loop(world, 0);

	cr_assert_eq(task_start(loop, fn, arg, NULL), RP_OK);
	cr_assert(sim_run(world, STEPS_MAX));
	loop_close(loop);
}

struct file *must_open(struct task *task, const char *path)
{
	struct file *file = NULL;

	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE | FILE_CREATE, &file),
	    RP_OK);
	return file;
}

void put(struct task *task, struct file *file, char letter, size_t n, uint64_t offset)
{
	char block[16384];

	memset(block, letter, n);
	cr_assert_eq(file_write(task, file, block, n, offset, false), RP_OK);
}
