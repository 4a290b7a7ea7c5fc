#include "tests/io/echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/io/io_fixture.h"

struct echo_conn {
	struct echo *echo;
	struct net *net;
	uint8_t bytes[4096];
};

static void on_recv(void *arg, enum rp_err err, struct bytes in);

static void conn_closed(void *arg)
{
	struct echo_conn *conn = arg;

	conn->echo->alive--;
	free(conn);
}

static void on_sent(void *arg, enum rp_err err)
{
	struct echo_conn *conn = arg;

	if (err != RP_OK) {
		conn->echo->resets++;
		net_close(conn->net, conn_closed, conn);
		return;
	}
	net_recv(conn->net, on_recv, conn);
}

static void on_recv(void *arg, enum rp_err err, struct bytes in)
{
	struct echo_conn *conn = arg;

	if (err != RP_OK || in.n == 0) {
		conn->echo->resets += err != RP_OK;
		net_close(conn->net, conn_closed, conn);
		return;
	}
	conn->echo->bytes += in.n;
	memcpy(conn->bytes, in.p, in.n);
	net_send(conn->net, bytes_of(conn->bytes, in.n), on_sent, conn);
}

static void conn_begin(struct echo *echo, struct net *net)
{
	struct echo_conn *conn = malloc(sizeof(*conn));

	cr_assert_not_null(conn);
	*conn = (struct echo_conn){.echo = echo, .net = net};
	echo->alive++;
	net_recv(net, on_recv, conn);
}

void echo_on_accept(void *arg, struct net *net)
{
	struct echo *echo = arg;

	echo->accepted++;
	echo->peer = *net_peer(net);
	conn_begin(echo, net);
}

int echo_listen(uint16_t *port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1024), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

void echo_until_all_closed(struct task *task, void *arg)
{
	struct echo *echo = arg;

	for (unsigned i = 0; echo->alive > 0; i++) {
		cr_assert_lt(i, 5000, "a connection is never closed");
		cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	}
}
