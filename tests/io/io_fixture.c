#include "tests/io/io_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/loop_core.h"

enum {
	SIM_STEPS_MAX = 10 * 1000 * 1000, /* a test that needs more turns in a circle */
};

static void open_uring(struct io_fixture *fixture, struct loop_settings *settings)
{
	const char *base = getenv("TMPDIR");
	const char *reason;

	snprintf(fixture->dir, sizeof(fixture->dir), "%s/rp_io.XXXXXX",
	    base != NULL && strlen(base) < 32 ? base : "/tmp");
	cr_assert_not_null(mkdtemp(fixture->dir));
	fixture->root_fd = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(fixture->root_fd, 0);
	for (unsigned i = 0; i < FILE_ROOT_COUNT; i++)
		settings->root_fd[i] = fixture->root_fd;
	settings->restricted = fixture->kind == IO_FIXTURE_URING;
	enum rp_err err = loop_open(settings, &fixture->loop, &reason);

	if (err == RP_ERR_UNAVAILABLE)
		cr_skip_test("%s", reason);
	cr_assert_eq(err, RP_OK, "%s", reason);
}

void io_fixture_open(struct io_fixture *fixture, enum io_fixture_kind kind, unsigned tasks_max)
{
	struct loop_settings settings = {
	    .tasks_max = tasks_max, .files_max = 1024, .pinned_bytes = 1 << 20};

	*fixture = (struct io_fixture){.kind = kind, .root_fd = -1};
	if (kind != IO_FIXTURE_SIM) {
		open_uring(fixture, &settings);
		return;
	}
	cr_assert_eq(sim_open(42, &fixture->world), RP_OK);
	cr_assert_eq(sim_loop_open(fixture->world, &settings, &fixture->loop), RP_OK);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
	(void)stat;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void io_fixture_close(struct io_fixture *fixture)
{
	loop_close(fixture->loop);
	if (fixture->world != NULL)
		sim_close(fixture->world);
	if (fixture->root_fd >= 0) {
		close(fixture->root_fd);
		nftw(fixture->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
}

struct run {
	struct io_fixture *fixture;
	task_fn *fn;
	void *arg;
	bool ended;
};

static void run_task(struct task *task, void *arg)
{
	struct run *run = arg;

	run->fn(task, run->arg);
	run->ended = true;
	if (run->fixture->kind != IO_FIXTURE_SIM)
		loop_stop(run->fixture->loop);
}

void io_fixture_run(struct io_fixture *fixture, task_fn *fn, void *arg)
{
	struct run run = {.fixture = fixture, .fn = fn, .arg = arg};

	cr_assert_eq(task_start(fixture->loop, run_task, &run, NULL), RP_OK);
	if (fixture->kind != IO_FIXTURE_SIM)
		loop_run(fixture->loop);
	for (unsigned steps = 0; !run.ended; steps++) {
		cr_assert_lt(steps, SIM_STEPS_MAX, "the simulated task never ends");
		cr_assert(sim_step(fixture->world), "the simulated task waits for nothing");
	}
	cr_assert(run.ended);
}

static void wait_for_others(struct task *task, void *arg)
{
	struct io_fixture *fixture = arg;

	while (fixture->loop->tasks_count > 1)
		cr_assert_eq(task_sleep(task, 100 * 1000), RP_OK);
}

void io_fixture_settle(struct io_fixture *fixture)
{
	io_fixture_run(fixture, wait_for_others, fixture);
}

void io_fixture_with(enum io_fixture_kind kind, unsigned tasks_max, io_fixture_body *body)
{
	struct io_fixture fixture;

	io_fixture_open(&fixture, kind, tasks_max);
	body(&fixture);
	io_fixture_close(&fixture);
}
