#include "tests/io/io_fixture.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From here on this process's io_uring_setup fails with `error`, as where it is switched off. */
static void forbid_io_uring(int error)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
}

static void refused(int error, const char *part)
{
	struct loop_settings settings = {.root_fd = {-1, -1}};
	struct loop *loop = NULL;
	const char *reason = NULL;

	forbid_io_uring(error);
	cr_assert_eq(loop_open(&settings, &loop, &reason), RP_ERR_UNAVAILABLE);
	cr_assert_null(loop);
	cr_assert_not_null(strstr(reason, part), "%s", reason);
	cr_assert_null(strchr(reason, '\n'));
}

Test(loop, a_machine_that_forbids_io_uring_is_told_which_setting)
{
	refused(EPERM, "kernel.io_uring_disabled");
}

Test(loop, a_machine_without_io_uring_is_told_so)
{
	refused(ENOSYS, "no io_uring");
}

static void *stops_from_outside(void *arg)
{
	usleep(20000);
	loop_stop(arg);
	return NULL;
}

static void run_until_stopped(struct io_fixture *fixture)
{
	for (unsigned i = 0; i < 3; i++) {
		pthread_t thread;
		uint64_t before = loop_now_ns(fixture->loop);

		cr_assert_eq(pthread_create(&thread, NULL, stops_from_outside, fixture->loop), 0);
		loop_run(fixture->loop);
		pthread_join(thread, NULL);
		cr_assert_geq(loop_now_ns(fixture->loop) - before, 10000000);
	}
	loop_stop(fixture->loop);
	loop_run(fixture->loop); /* stopped before it ran: it does not run */
}

Test(loop, another_thread_may_stop_it_and_it_runs_again)
{
	io_fixture_with(IO_FIXTURE_URING, 0, run_until_stopped);
}

IO_TEST(loop, it_knows_its_world_and_its_shard)
{
	int world;

	cr_assert_null(loop_world(fixture->loop));
	loop_set_world(fixture->loop, &world);
	cr_assert_eq(loop_world(fixture->loop), &world);
	cr_assert_eq(loop_shard(fixture->loop), 0);
	cr_assert_null(loop_log(fixture->loop));
}

IO_TEST(loop, random_bytes_do_not_repeat)
{
	uint8_t a[1000] = {0}, b[1000] = {0};

	loop_random(fixture->loop, a, sizeof(a));
	loop_random(fixture->loop, b, sizeof(b));
	cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
	cr_assert_neq(memcmp(a, a + 500, 500), 0);
	cr_assert_neq(memcmp(a + 984, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), 0);
}

IO_TASK_TEST(loop, both_clocks_go_on)
{
	struct loop *loop = task_loop(task);
	uint64_t now = loop_now_ns(loop), wall = loop_wall_ns(loop);

	(void)arg;
	cr_assert_eq(task_sleep(task, 5000000), RP_OK);
	cr_assert_geq(loop_now_ns(loop) - now, 5000000);
	cr_assert_gt(loop_wall_ns(loop), wall);
	cr_assert_gt(loop_wall_ns(loop) / 1000000000, 1700000000);
}
