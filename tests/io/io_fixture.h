/* io_fixture.h -- the same test on the kernel's ring and in the simulator.
 */
#ifndef RP_TESTS_IO_FIXTURE_H
#define RP_TESTS_IO_FIXTURE_H

#include <criterion/criterion.h>

#include "io/file.h"
#include "io/loop.h"
#include "io/sim.h"
#include "io/task.h"

enum io_fixture_kind {
	IO_FIXTURE_URING, /* a directory under TMPDIR; skips where there is no io_uring */
	IO_FIXTURE_CLIENT, /* the same, but its ring may do what a server's may not: connect */
	IO_FIXTURE_SIM,
};

struct io_fixture {
	enum io_fixture_kind kind;
	struct loop *loop;
	struct sim_world *world; /* of IO_FIXTURE_SIM */
	char dir[64];            /* of IO_FIXTURE_URING: what both roots are */
	int root_fd;
};

void io_fixture_open(struct io_fixture *fixture, enum io_fixture_kind kind, unsigned tasks_max);
void io_fixture_close(struct io_fixture *fixture);

/* Run fn in a task until it has returned. Other tasks may be alive afterwards. */
void io_fixture_run(struct io_fixture *fixture, task_fn *fn, void *arg);

/* Let the loop go on until no task is alive. */
void io_fixture_settle(struct io_fixture *fixture);

typedef void io_fixture_body(struct io_fixture *fixture);
void io_fixture_with(enum io_fixture_kind kind, unsigned tasks_max, io_fixture_body *body);

/* A test in two: NAME_on_the_ring and NAME_in_the_simulator. */
#define IO_TEST(suite, name)                                                                       \
	static void name##_body(struct io_fixture *fixture);                                       \
	Test(suite, name##_on_the_ring)                                                            \
	{                                                                                          \
		io_fixture_with(IO_FIXTURE_URING, 0, name##_body);                                 \
	}                                                                                          \
	Test(suite, name##_in_the_simulator)                                                       \
	{                                                                                          \
		io_fixture_with(IO_FIXTURE_SIM, 0, name##_body);                                   \
	}                                                                                          \
	static void name##_body(struct io_fixture *fixture)

/* A test whose body is a task. */
#define IO_TASK_TEST(suite, name)                                                                  \
	static void name##_task(struct task *task, void *arg);                                     \
	IO_TEST(suite, name)                                                                       \
	{                                                                                          \
		io_fixture_run(fixture, name##_task, fixture);                                     \
		io_fixture_settle(fixture);                                                        \
	}                                                                                          \
	static void name##_task(struct task *task, void *arg)

/* One that needs the simulator: its clock, or its faults. */
#define SIM_TASK_TEST(suite, name)                                                                 \
	static void name##_task(struct task *task, void *arg);                                     \
	static void name##_body(struct io_fixture *fixture)                                        \
	{                                                                                          \
		io_fixture_run(fixture, name##_task, fixture);                                     \
		io_fixture_settle(fixture);                                                        \
	}                                                                                          \
	Test(suite, name)                                                                          \
	{                                                                                          \
		io_fixture_with(IO_FIXTURE_SIM, 0, name##_body);                                   \
	}                                                                                          \
	static void name##_task(struct task *task, void *arg)

#endif
