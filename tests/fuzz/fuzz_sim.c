#include "tests/fuzz/fuzz_sim.h"

#include "io/sim.h"

struct run {
	const struct fuzz_sim_file *files;
	size_t count;
	task_fn *fn;
};

static void run_task(struct task *task, void *arg)
{
	const struct run *run = arg;

	for (size_t i = 0; i < run->count; i++) {
		const struct fuzz_sim_file *made = &run->files[i];
		struct file *file;

		RP_ASSERT(dir_make(task, made->root, made->dir) == RP_OK);
		RP_ASSERT(file_open(task, made->root, made->path, FILE_WRITE | FILE_CREATE, &file) ==
		    RP_OK);
		RP_ASSERT(file_write(task, file, made->content.p, made->content.n, 0, false) == RP_OK);
		file_close(file);
	}
	run->fn(task, NULL);
}

void fuzz_sim_run(const struct fuzz_sim_file *files, size_t count, task_fn *fn)
{
	struct run run = { files, count, fn };
	struct loop_settings settings = { 0 };
	struct sim_world *world;
	struct loop *loop;

	RP_ASSERT(sim_open(1, &world) == RP_OK);
	RP_ASSERT(sim_loop_open(world, &settings, &loop) == RP_OK);
	RP_ASSERT(task_start(loop, run_task, &run, NULL) == RP_OK);
	RP_ASSERT(sim_run(world, UINT64_MAX));
	loop_close(loop);
	sim_close(world);
}
