#include "tests/io/io_fixture.h"

#include "io/timer.h"

enum { TIMERS = 200 };

struct clockwork {
	struct loop *loop;
	unsigned fired;
	uint64_t last_due_ns;
	struct entry {
		struct timer timer;
		struct clockwork *clockwork;
		unsigned again;
	} entry[TIMERS];
};

static void fire(struct timer *timer)
{
	struct entry *entry = RP_CONTAINER_OF(timer, struct entry, timer);
	struct clockwork *clockwork = entry->clockwork;

	cr_assert_not(timer_is_set(timer));
	cr_assert_geq(loop_now_ns(clockwork->loop), timer->due_ns, "early");
	/* Within one tick any order is right. */
	cr_assert_geq(timer->due_ns + 65536, clockwork->last_due_ns, "out of order");
	if (timer->due_ns > clockwork->last_due_ns)
		clockwork->last_due_ns = timer->due_ns;
	clockwork->fired++;
	if (entry->again > 0) {
		entry->again--;
		timer_set(clockwork->loop, timer, 100000);
	}
}

static struct clockwork *make(struct task *task)
{
	static struct clockwork clockwork;

	clockwork = (struct clockwork){.loop = task_loop(task)};
	for (unsigned i = 0; i < TIMERS; i++) {
		clockwork.entry[i].clockwork = &clockwork;
		timer_init(&clockwork.entry[i].timer, fire);
	}
	return &clockwork;
}

IO_TASK_TEST(timer, timers_fire_in_the_order_of_their_times)
{
	struct clockwork *clockwork = make(task);
	uint64_t seed = 1;

	(void)arg;
	for (unsigned i = 0; i < TIMERS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		timer_set(task_loop(task), &clockwork->entry[i].timer, (seed >> 33) % 50000000);
	}
	cr_assert_eq(task_sleep(task, 60000000), RP_OK);
	cr_assert_eq(clockwork->fired, TIMERS);
}

IO_TASK_TEST(timer, a_cleared_timer_does_not_fire)
{
	struct clockwork *clockwork = make(task);

	(void)arg;
	for (unsigned i = 0; i < TIMERS; i++)
		timer_set(task_loop(task), &clockwork->entry[i].timer, i * 10000);
	for (unsigned i = 0; i < TIMERS; i += 2) {
		timer_clear(&clockwork->entry[i].timer);
		timer_clear(&clockwork->entry[i].timer);
		cr_assert_not(timer_is_set(&clockwork->entry[i].timer));
	}
	cr_assert_eq(task_sleep(task, 5000000), RP_OK);
	cr_assert_eq(clockwork->fired, TIMERS / 2);
}

IO_TASK_TEST(timer, a_timer_that_is_set_again_is_moved)
{
	struct clockwork *clockwork = make(task);
	struct timer *timer = &clockwork->entry[0].timer;

	(void)arg;
	timer_set(task_loop(task), timer, 1000000);
	timer_set(task_loop(task), timer, 20000000);
	cr_assert_eq(task_sleep(task, 5000000), RP_OK);
	cr_assert_eq(clockwork->fired, 0);
	cr_assert(timer_is_set(timer));
	timer_set(task_loop(task), timer, 0);
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert_eq(clockwork->fired, 1);
	cr_assert_eq(task_sleep(task, 20000000), RP_OK);
	cr_assert_eq(clockwork->fired, 1);
}

IO_TASK_TEST(timer, a_timer_may_set_itself)
{
	struct clockwork *clockwork = make(task);

	(void)arg;
	clockwork->entry[0].again = 9;
	timer_set(task_loop(task), &clockwork->entry[0].timer, 1);
	/* Each fires a turn of the loop later; on a busy machine a sleep may end within one turn. */
	for (unsigned i = 0; i < 1000 && clockwork->fired < 10; i++)
		cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert_eq(clockwork->fired, 10);
}

static void fire_hours(struct timer *timer)
{
	struct entry *entry = RP_CONTAINER_OF(timer, struct entry, timer);

	cr_assert_geq(loop_now_ns(entry->clockwork->loop), timer->due_ns);
	cr_assert_leq(loop_now_ns(entry->clockwork->loop), timer->due_ns + 131072);
	entry->clockwork->fired++;
}

static void years(struct task *task, void *arg)
{
	struct clockwork *clockwork = make(task);

	(void)arg;
	for (unsigned i = 0; i < 50; i++) {
		timer_init(&clockwork->entry[i].timer, fire_hours);
		timer_set(task_loop(task), &clockwork->entry[i].timer, UINT64_C(1) << i);
	}
	timer_set(task_loop(task), &clockwork->entry[50].timer, UINT64_MAX);
	cr_assert_eq(task_sleep(task, UINT64_C(1) << 50), RP_OK);
	cr_assert_eq(clockwork->fired, 50);
	timer_clear(&clockwork->entry[50].timer);
}

/* On every level of the wheel. */
Test(timer, timers_are_exact_over_weeks)
{
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
	io_fixture_run(&fixture, years, NULL);
	io_fixture_close(&fixture);
}
