#include "tests/io/io_fixture.h"

#include "io/base/clock.h"
#include "io/loop_core.h"
#include "io/op.h"

/* What happened, in order, as letters. */
struct trace {
	char text[256];
	size_t n;
	struct task_queue queue;
	struct task *task[8];
};

static void note(struct trace *trace, char letter)
{
	cr_assert_lt(trace->n, sizeof(trace->text) - 1);
	trace->text[trace->n++] = letter;
}

static void start(struct task *task, task_fn *fn, struct trace *trace, struct task **out)
{
	cr_assert_eq(task_start(task_loop(task), fn, trace, out), RP_OK);
}

static void notes_x(struct task *task, void *arg)
{
	task_set_name(task, "notes_x");
	note(arg, 'x');
}

IO_TASK_TEST(task, a_started_task_runs_later)
{
	struct trace trace = {0};

	(void)arg;
	start(task, notes_x, &trace, NULL);
	note(&trace, 'a');
	cr_assert_eq(task_yield(task), RP_OK);
	note(&trace, 'b');
	cr_assert_str_eq(trace.text, "axb");
}

static void yields_twice(struct task *task, void *arg)
{
	for (unsigned i = 0; i < 2; i++) {
		note(arg, 'y');
		cr_assert_eq(task_yield(task), RP_OK);
	}
}

IO_TASK_TEST(task, yielding_lets_the_others_run_in_between)
{
	struct trace trace = {0};

	(void)arg;
	start(task, yields_twice, &trace, NULL);
	for (unsigned i = 0; i < 3; i++) {
		note(&trace, 'm');
		cr_assert_eq(task_yield(task), RP_OK);
	}
	cr_assert_str_eq(trace.text, "mymym");
}

static void waits(struct task *task, void *arg)
{
	struct trace *trace = arg;
	enum rp_err err = task_queue_wait(task, &trace->queue);

	note(trace, err == RP_OK ? 'w' : err == RP_ERR_CANCELED ? 'c' : '?');
	note(trace, task_queue_wait_ns(task, &trace->queue, 1000) == RP_ERR_CANCELED ? 'C' : 'e');
}

static void notes_its_place(struct task *task, void *arg)
{
	struct trace *trace = arg;

	cr_assert_eq(task_queue_wait(task, &trace->queue), RP_OK);
	for (char i = 0; i < 8; i++) {
		if (trace->task[(int)i] == task)
			note(trace, (char)('0' + i));
	}
}

IO_TASK_TEST(task, a_queue_wakes_the_first_come_first)
{
	struct trace trace = {0};

	(void)arg;
	task_queue_init(&trace.queue);
	task_queue_wake(&trace.queue);
	cr_assert(task_queue_empty(&trace.queue));
	for (unsigned i = 0; i < 4; i++) {
		start(task, notes_its_place, &trace, &trace.task[i]);
		cr_assert_eq(task_yield(task), RP_OK);
	}
	cr_assert_not(task_queue_empty(&trace.queue));
	task_queue_wake(&trace.queue);
	cr_assert_eq(trace.n, 0, "nothing runs inside a wake");
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_str_eq(trace.text, "0");
	task_queue_wake_all(&trace.queue);
	cr_assert(task_queue_empty(&trace.queue));
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_str_eq(trace.text, "0123");
}

IO_TASK_TEST(task, a_cancelled_waiter_leaves_the_queue)
{
	struct trace trace = {0};

	(void)arg;
	task_queue_init(&trace.queue);
	start(task, waits, &trace, &trace.task[0]);
	cr_assert_eq(task_yield(task), RP_OK);
	task_cancel(trace.task[0]);
	task_cancel(trace.task[0]);
	cr_assert(task_canceled(trace.task[0]));
	cr_assert(task_queue_empty(&trace.queue));
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_str_eq(trace.text, "cC");
}

IO_TASK_TEST(task, a_wake_before_a_cancel_is_not_lost)
{
	struct trace trace = {0};

	(void)arg;
	task_queue_init(&trace.queue);
	start(task, waits, &trace, &trace.task[0]);
	cr_assert_eq(task_yield(task), RP_OK);
	task_queue_wake(&trace.queue);
	task_cancel(trace.task[0]);
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_str_eq(trace.text, "wC");
}

IO_TASK_TEST(task, a_task_cancelled_before_it_ran_still_runs)
{
	struct trace trace = {0};

	(void)arg;
	task_queue_init(&trace.queue);
	start(task, waits, &trace, &trace.task[0]);
	task_cancel(trace.task[0]);
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_str_eq(trace.text, "cC");
}

IO_TASK_TEST(task, a_bounded_wait_ends_when_its_time_is_over)
{
	struct task_queue queue;
	uint64_t before = loop_now_ns(task_loop(task));

	(void)arg;
	task_queue_init(&queue);
	cr_assert_eq(task_queue_wait_ns(task, &queue, 3000000), RP_ERR_END);
	cr_assert(task_queue_empty(&queue));
	cr_assert_geq(loop_now_ns(task_loop(task)) - before, 3000000);
	cr_assert_lt(loop_now_ns(task_loop(task)) - before, 1000000000);
}

static void wakes(struct task *task, void *arg)
{
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	task_queue_wake(arg);
}

IO_TASK_TEST(task, a_bounded_wait_can_be_woken)
{
	struct task_queue queue;

	(void)arg;
	task_queue_init(&queue);
	cr_assert_eq(task_start(task_loop(task), wakes, &queue, NULL), RP_OK);
	cr_assert_eq(task_queue_wait_ns(task, &queue, UINT64_C(3600) * 1000000000), RP_OK);
}

static void sleeps_an_hour(struct task *task, void *arg)
{
	enum rp_err err = task_sleep(task, UINT64_C(3600) * 1000000000);

	note(arg, err == RP_ERR_CANCELED ? 'c' : '?');
	note(arg, task_yield(task) == RP_ERR_CANCELED ? 'c' : '?');
	note(arg, task_pause(task) == RP_ERR_CANCELED ? 'c' : '?');
	note(arg, task_sleep(task, 1) == RP_ERR_CANCELED ? 'c' : '?');
}

IO_TASK_TEST(task, a_cancel_ends_a_sleep_and_all_that_follows)
{
	struct trace trace = {0};

	(void)arg;
	start(task, sleeps_an_hour, &trace, &trace.task[0]);
	cr_assert_eq(task_yield(task), RP_OK);
	task_cancel(trace.task[0]);
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_str_eq(trace.text, "cccc");
}

static void sleeps_shielded(struct task *task, void *arg)
{
	task_shield(task);
	task_shield(task);
	note(arg, task_sleep(task, 2000000) == RP_OK ? 's' : '?');
	task_unshield(task);
	note(arg, task_yield(task) == RP_OK ? 's' : '?');
	task_unshield(task);
	note(arg, task_yield(task) == RP_ERR_CANCELED ? 'c' : '?');
}

IO_TASK_TEST(task, a_shield_puts_a_cancel_off)
{
	struct trace trace = {0};

	(void)arg;
	start(task, sleeps_shielded, &trace, &trace.task[0]);
	cr_assert_eq(task_yield(task), RP_OK);
	task_cancel(trace.task[0]);
	cr_assert_eq(task_sleep(task, 10000000), RP_OK);
	cr_assert_str_eq(trace.text, "ssc");
}

static void cancels_itself(struct task *task, void *arg)
{
	task_cancel(task);
	note(arg, task_yield(task) == RP_ERR_CANCELED ? 'c' : '?');
}

IO_TASK_TEST(task, a_task_may_cancel_itself)
{
	struct trace trace = {0};

	(void)arg;
	start(task, cancels_itself, &trace, NULL);
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_str_eq(trace.text, "c");
}

static void counts(struct task *task, void *arg)
{
	(void)task;
	++*(unsigned *)arg;
}

static void starts_to_the_limit(struct task *task, void *arg)
{
	unsigned ran = 0;

	(void)arg;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 15; i++)
			cr_assert_eq(task_start(task_loop(task), counts, &ran, NULL), RP_OK);
		cr_assert_eq(task_start(task_loop(task), counts, &ran, NULL), RP_ERR_LIMIT);
		cr_assert_eq(task_yield(task), RP_OK);
		cr_assert_eq(task_yield(task), RP_OK);
	}
	cr_assert_eq(ran, 45);
}

static void limit_body(struct io_fixture *fixture)
{
	io_fixture_run(fixture, starts_to_the_limit, NULL);
}

Test(task, no_more_tasks_than_the_limit)
{
	io_fixture_with(IO_FIXTURE_URING, 16, limit_body);
}

static void hogs(struct task *task, void *arg)
{
	struct trace *trace = arg;

	while (trace->n < 3)
		cr_assert_eq(task_pause(task), RP_OK);
}

IO_TASK_TEST(task, a_task_that_pauses_lets_the_others_run)
{
	struct trace trace = {0};

	(void)arg;
	start(task, hogs, &trace, NULL);
	start(task, hogs, &trace, NULL);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(task_sleep(task, 1000000), RP_OK);
		note(&trace, 'm');
	}
}

IO_TASK_TEST(task, its_cpu_time_is_counted_when_asked)
{
	(void)arg;
	task_count_cpu(task);
	cr_assert_eq(task_cpu_ns(task), 0);
	while (task_cpu_ns(task) < 2 * LOOP_SLICE_NS)
		cr_assert_eq(task_pause(task), RP_OK);
	task_count_cpu(task);
	cr_assert_eq(task_cpu_ns(task), 0, "from 0 again");
}

static void burns(struct task *task, void *arg)
{
	struct trace *trace = arg;

	while (trace->n == 0) {
		for (uint64_t since = clock_cpu_ns(); clock_cpu_ns() - since < CLOCK_NS_PER_MS;)
			;
		cr_assert_eq(task_yield(task), RP_OK);
	}
	note(trace, 'b');
}

static void sleeps_beside_one_that_burns(struct task *task, void *arg)
{
	struct trace trace = {0};

	(void)arg;
	start(task, burns, &trace, NULL);
	task_count_cpu(task);
	cr_assert_eq(task_sleep(task, 50 * CLOCK_NS_PER_MS), RP_OK);
	cr_assert_lt(task_cpu_ns(task), 25 * CLOCK_NS_PER_MS);
	note(&trace, 'x');
	while (trace.n < 2)
		cr_assert_eq(task_yield(task), RP_OK);
}

static void burn_body(struct io_fixture *fixture)
{
	io_fixture_run(fixture, sleeps_beside_one_that_burns, NULL);
}

Test(task, the_cpu_time_of_others_is_not_counted)
{
	io_fixture_with(IO_FIXTURE_URING, 16, burn_body);
}

static void uses_its_stack(struct task *task, void *arg)
{
	volatile uint8_t room[40 * 1024];

	memset((uint8_t *)room, (int)(uintptr_t)arg, sizeof(room));
	for (unsigned i = 0; i < 4; i++) {
		cr_assert_eq(task_yield(task), RP_OK);
		for (size_t at = 0; at < sizeof(room); at += 1021)
			cr_assert_eq(room[at], (uint8_t)(uintptr_t)arg);
	}
}

IO_TASK_TEST(task, each_task_has_a_stack_of_its_own)
{
	(void)arg;
	for (unsigned round = 0; round < 3; round++) {
		for (uintptr_t i = 0; i < 400; i++)
			cr_assert_eq(
			    task_start(task_loop(task), uses_its_stack, (void *)i, NULL), RP_OK);
		for (unsigned i = 0; i < 6; i++)
			cr_assert_eq(task_yield(task), RP_OK);
	}
}

static _Atomic uint64_t owner_note[2];

static void is_owned(struct task *task, void *arg)
{
	(void)arg;
	cr_assert_eq(owner_note[0], 0, "a new task works for nobody");
	task_set_owner(task, 7, 8);
	cr_assert_eq(owner_note[0], 7);
	cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_eq(owner_note[0], 7);
	cr_assert_eq(owner_note[1], 8);
}

IO_TASK_TEST(task, the_note_tells_whose_task_runs)
{
	struct trace trace = {0};

	(void)arg;
	loop_note_owner(task_loop(task), owner_note);
	task_set_owner(task, 1, 2);
	start(task, is_owned, &trace, NULL);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(owner_note[0], 1);
		cr_assert_eq(owner_note[1], 2);
		cr_assert_eq(task_yield(task), RP_OK);
	}
	task_set_owner(task, 0, 0);
	cr_assert_eq(owner_note[0], 0);
	loop_note_owner(task_loop(task), NULL);
}
