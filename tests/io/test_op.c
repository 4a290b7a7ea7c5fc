#include "tests/io/io_fixture.h"

#include <errno.h>
#include <unistd.h>

#include "io/loop_core.h"
#include "io/op.h"

static void count_done(struct op *op)
{
	cr_assert_eq(op->result, 0);
	++*(unsigned *)op->owner;
}

/* More at once than the ring has entries. */
IO_TASK_TEST(op, a_flood_of_operations_is_carried_out)
{
	enum { FLOOD = 5000 };
	static struct op op[FLOOD];
	unsigned done = 0;

	(void)arg;
	for (unsigned i = 0; i < FLOOD; i++) {
		op[i] = (struct op){.kind = OP_NOP, .done = count_done, .owner = &done};
		op_submit(task_loop(task), &op[i]);
		cr_assert(op[i].in_flight);
	}
	while (done < FLOOD)
		cr_assert_eq(task_sleep(task, 100000), RP_OK);
}

struct pipe_read {
	int fd[2];
	int result;
	bool ended;
	uint8_t byte;
};

static void reads_a_pipe(struct task *task, void *arg)
{
	struct pipe_read *read = arg;
	struct op op = {.kind = OP_READ, .fd = read->fd[0]};

	op.io.p = &read->byte;
	op.io.n = 1;
	op.io.offset = UINT64_MAX;
	read->result = op_await(task, &op);
	read->ended = true;
}

static void cancels_a_read(struct task *task, void *arg)
{
	struct pipe_read read = {0};
	struct task *reader;

	(void)arg;
	cr_assert_eq(pipe(read.fd), 0);
	cr_assert_eq(task_start(task_loop(task), reads_a_pipe, &read, &reader), RP_OK);
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert_not(read.ended);
	task_cancel(reader);
	cr_assert_not(read.ended, "the kernel has the memory still");
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert(read.ended);
	cr_assert_eq(read.result, -ECANCELED);

	read = (struct pipe_read){.fd = {read.fd[0], read.fd[1]}};
	cr_assert_eq(task_start(task_loop(task), reads_a_pipe, &read, &reader), RP_OK);
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert_eq(write(read.fd[1], "x", 1), 1);
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert(read.ended);
	cr_assert_eq(read.result, 1);
	cr_assert_eq(read.byte, 'x');
	close(read.fd[0]);
	close(read.fd[1]);
}

Test(op, a_cancel_ends_a_read_that_waits)
{
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_URING, 0);
	io_fixture_run(&fixture, cancels_a_read, NULL);
	io_fixture_close(&fixture);
}
