#include "tests/io/io_fixture.h"

#include <unistd.h>

#include "tests/io/echo.h"

/* A client on the ring: what it hears, and what it was told at the end. */
struct caller {
	struct echo *echo;
	struct task_queue heard;
	uint8_t bytes[16];
	size_t n;
	enum rp_err sent;
};

static void on_heard(void *arg, enum rp_err err, struct bytes in)
{
	struct caller *caller = arg;

	cr_assert_eq(err, RP_OK);
	cr_assert_leq(in.n, sizeof(caller->bytes) - caller->n);
	memcpy(caller->bytes + caller->n, in.p, in.n);
	caller->n += in.n;
	task_queue_wake_all(&caller->heard);
}

static void on_said(void *arg, enum rp_err err)
{
	struct caller *caller = arg;

	caller->sent = err;
}

static void calls_the_echo(struct task *task, void *arg)
{
	struct echo *echo = arg;
	struct caller caller = {.echo = echo, .sent = RP_ERR_END};
	struct net_address to = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .port = echo->port};
	struct net *net;

	task_queue_init(&caller.heard);
	cr_assert_eq(net_connect(task, &to, &net), RP_OK);
	cr_assert_eq(net_peer(net)->port, echo->port);
	net_recv(net, on_heard, &caller);
	net_send(net, BYTES_LIT("hello"), on_said, &caller);
	cr_assert_eq(task_queue_wait(task, &caller.heard), RP_OK);
	cr_assert(bytes_eq(bytes_of(caller.bytes, caller.n), BYTES_LIT("hello")));
	cr_assert_eq(caller.sent, RP_OK);
	net_close(net, NULL, NULL);
	echo_until_all_closed(task, arg);
}

static void calls_nobody(struct task *task, void *arg)
{
	struct net_address to = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
	struct net *net = NULL;
	uint16_t port;
	int fd = echo_listen(&port);

	(void)arg;
	close(fd);
	to.port = port;
	cr_assert_neq(net_connect(task, &to, &net), RP_OK);
	to.is_unix = true;
	cr_assert_eq(net_connect(task, &to, &net), RP_ERR_CANNOT);
	cr_assert_null(net);
}

Test(net_connect, a_client_connects_and_is_answered)
{
	struct io_fixture fixture;
	struct echo echo;

	io_fixture_open(&fixture, IO_FIXTURE_CLIENT, 0);
	echo = (struct echo){.loop = fixture.loop};
	echo.fd = echo_listen(&echo.port);
	cr_assert_eq(net_listen(fixture.loop, echo.fd, echo_on_accept, &echo, &echo.listener), RP_OK);
	io_fixture_run(&fixture, calls_the_echo, &echo);
	cr_assert_eq(echo.accepted, 1);
	net_listener_close(echo.listener);
	io_fixture_run(&fixture, calls_nobody, NULL);
	io_fixture_close(&fixture);
	close(echo.fd);
}

static void may_not_connect(struct task *task, void *arg)
{
	struct net_address to = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .port = 1};
	struct net *net = NULL;

	(void)arg;
	cr_assert_eq(net_connect(task, &to, &net), RP_ERR_DENIED);
	cr_assert_null(net);
}

Test(net_connect, a_restricted_ring_connects_nowhere)
{
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_URING, 0);
	io_fixture_run(&fixture, may_not_connect, NULL);
	io_fixture_close(&fixture);
}
