#include "tests/io/io_fixture.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop_core.h"
#include "io/net.h"

/* What one end has been told. */
struct told {
	unsigned calls;
	enum rp_err err;
	size_t n;
	bool closed;
};

static void tell(void *arg, enum rp_err err, struct bytes in)
{
	struct told *told = arg;

	told->calls++;
	told->err = err;
	told->n = in.n;
}

static void tell_sent(void *arg, enum rp_err err)
{
	struct told *told = arg;

	told->calls++;
	told->err = err;
}

static void tell_closed(void *arg)
{
	struct told *told = arg;

	told->closed = true;
}

/* Two ends of a connection, of whichever kind. */
static void pair(struct io_fixture *fixture, struct net **a, struct net **b)
{
	int fd[2];

	if (fixture->kind == IO_FIXTURE_SIM) {
		cr_assert_eq(sim_net_pair(fixture->loop, fixture->loop, a, b), RP_OK);
		return;
	}
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	cr_assert_eq(net_adopt(fixture->loop, fd[0], a), RP_OK);
	cr_assert_eq(net_adopt(fixture->loop, fd[1], b), RP_OK);
}

IO_TASK_TEST(net_pair, an_armed_receive_can_be_cancelled)
{
	struct told told = {0};
	struct net *a, *b;

	pair(arg, &a, &b);
	net_recv(a, tell, &told);
	cr_assert(net_recv_armed(a));
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert_eq(told.calls, 0);
	net_recv_cancel(a);
	cr_assert_eq(told.calls, 0);
	cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	cr_assert_eq(told.calls, 1);
	cr_assert_eq(told.err, RP_ERR_CANCELED);
	cr_assert_not(net_recv_armed(a));
	net_recv_cancel(a);
	net_recv(a, tell, &told);
	net_send(b, BYTES_LIT("hi"), tell_sent, &(struct told){0});
	cr_assert_eq(task_sleep(task, 2000000), RP_OK);
	cr_assert_eq(told.calls, 2);
	cr_assert_eq(told.err, RP_OK);
	cr_assert_gt(told.n, 0);
	net_close(a, NULL, NULL);
	net_close(b, NULL, NULL);
}

IO_TASK_TEST(net_pair, closing_stops_what_is_in_flight_and_tells_once)
{
	struct told received = {0}, sent = {0}, closed = {0};
	static uint8_t much[4 * 1024 * 1024];
	struct net *a, *b;

	pair(arg, &a, &b);
	net_recv(a, tell, &received);
	net_send(a, bytes_of(much, sizeof(much)), tell_sent, &sent);
	cr_assert_eq(task_sleep(task, 2000000), RP_OK);
	cr_assert(net_send_armed(a));
	net_close(a, tell_closed, &closed);
	cr_assert_not(closed.closed, "the kernel has the memory still");
	cr_assert_eq(task_sleep(task, 2000000), RP_OK);
	cr_assert(closed.closed);
	cr_assert_eq(received.calls + sent.calls, 0);
	net_close(b, tell_closed, &received);
	cr_assert_not(received.closed, "nothing was in flight, but whoever closes may still look at what is freed then");
	cr_assert_eq(task_sleep(task, 2000000), RP_OK);
	cr_assert(received.closed);
}

IO_TASK_TEST(net_pair, a_shutdown_follows_what_is_being_sent)
{
	struct told sent = {0}, received = {0};
	struct net *a, *b;
	size_t got = 0;

	pair(arg, &a, &b);
	net_send(a, BYTES_LIT("last words"), tell_sent, &sent);
	net_shutdown(a);
	do {
		received = (struct told){0};
		net_recv(b, tell, &received);
		while (received.calls == 0)
			cr_assert_eq(task_sleep(task, 100000), RP_OK);
		cr_assert_eq(received.err, RP_OK);
		got += received.n;
	} while (received.n > 0);
	cr_assert_eq(got, 10);
	cr_assert_eq(sent.calls, 1);
	cr_assert_eq(sent.err, RP_OK);
	net_close(a, NULL, NULL);
	net_close(b, NULL, NULL);
}

/* 300 connections want a buffer at once; the ring has 4. None is lost. */
Test(net_pair, receives_wait_for_a_free_buffer)
{
	enum { MANY = 300 };
	struct loop_settings settings = {.recv_buffers = 4, .files_max = 64, .root_fd = {-1, -1}};
	static struct net *a[MANY];
	static int b[MANY];
	static struct told told[MANY];
	struct loop *loop;
	const char *reason;
	enum rp_err err = loop_open(&settings, &loop, &reason);
	struct rlimit limit = {1024, 1024};

	if (err == RP_ERR_UNAVAILABLE)
		cr_skip_test("%s", reason);
	getrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_geq(limit.rlim_cur, 2 * MANY + 50);
	for (unsigned i = 0; i < MANY; i++) {
		int fd[2];

		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		cr_assert_eq(net_adopt(loop, fd[0], &a[i]), RP_OK);
		b[i] = fd[1];
		net_recv(a[i], tell, &told[i]);
		cr_assert_eq(write(b[i], "x", 1), 1);
	}
	for (unsigned left = MANY, turns = 0; left > 0; turns++) {
		cr_assert_lt(turns, 100000);
		loop->kind->turn(loop, loop_now_ns(loop) + 2000000);
		loop_fire_timers(loop);
		left = 0;
		for (unsigned i = 0; i < MANY; i++)
			left += told[i].calls == 0;
	}
	for (unsigned i = 0; i < MANY; i++) {
		cr_assert_eq(told[i].calls, 1);
		cr_assert_eq(told[i].n, 1);
		net_close(a[i], NULL, NULL);
		close(b[i]);
	}
	loop_close(loop);
}
