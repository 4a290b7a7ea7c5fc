#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/die.h"
#include "bench/probe/probe.h"
#include "io/base/clock.h"

enum { ANSWERS = 3, LINE_BYTES = 32, BULK_BYTES = 64 * 1024 }; /* a login's answers: greeting, LOGIN, LOGOUT */

/* What the serving thread does with each connection. */
enum job { JOB_ECHO, JOB_SEND, JOB_RECEIVE };

struct server {
	int listener;
	enum job job;
	struct io_uring ring;
	pthread_t thread;
	uint64_t cpu_ns;
	_Atomic uint64_t bytes; /* sent or received in bulk */
	char *bulk;
};

static int wait_one(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int result = io_uring_submit_and_wait(ring, 1);

	if (result < 0 || io_uring_wait_cqe(ring, &cqe) != 0)
		die("the probe's ring: %s", strerror(-result));
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return result;
}

/* recv or send of the ring; the result as theirs, but errors as -errno. */
static int ring_recv(struct server *server, int fd, size_t bytes)
{
	io_uring_prep_recv(io_uring_get_sqe(&server->ring), fd, server->bulk, bytes, 0);
	return wait_one(&server->ring);
}

static int ring_send(struct server *server, int fd, size_t bytes)
{
	io_uring_prep_send(io_uring_get_sqe(&server->ring), fd, server->bulk, bytes, MSG_NOSIGNAL);
	return wait_one(&server->ring);
}

static void serve_one(struct server *server, int fd)
{
	int n = ring_send(server, fd, LINE_BYTES);

	while (n > 0) {
		n = server->job == JOB_SEND ? ring_send(server, fd, BULK_BYTES) : ring_recv(server, fd, BULK_BYTES);
		if (n > 0 && server->job != JOB_ECHO)
			server->bytes += (uint64_t)n;
		if (n > 0 && server->job == JOB_ECHO)
			n = ring_send(server, fd, (size_t)n);
	}
	close(fd);
}

/* Until the listener is shut down. */
static void *serve(void *arg)
{
	struct server *server = arg;
	int one = 1;

	if (io_uring_queue_init(8, &server->ring, 0) != 0)
		die("the probe has no ring");
	for (;;) {
		io_uring_prep_accept(io_uring_get_sqe(&server->ring), server->listener, NULL, NULL, SOCK_CLOEXEC);
		int fd = wait_one(&server->ring);

		if (fd < 0)
			break;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve_one(server, fd);
	}
	server->cpu_ns = probe_cpu_ns();
	io_uring_queue_exit(&server->ring);
	return NULL;
}

static void start(struct server *server, enum job job, struct sockaddr_in *at)
{
	socklen_t at_bytes = sizeof(*at);

	*server = (struct server){.job = job, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	server->bulk = calloc(1, BULK_BYTES);
	if (server->bulk == NULL || server->listener < 0 || bind(server->listener, (struct sockaddr *)at, sizeof(*at)) != 0 ||
	    listen(server->listener, 16) != 0 || getsockname(server->listener, (struct sockaddr *)at, &at_bytes) != 0 ||
	    pthread_create(&server->thread, NULL, serve, server) != 0)
		die("the probe's listener: %s", strerror(errno));
}

/* Its CPU time. */
static uint64_t end(struct server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	free(server->bulk);
	return server->cpu_ns;
}

static int connect_to(const struct sockaddr_in *at)
{
	char greeting[LINE_BYTES];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 ||
	    recv(fd, greeting, sizeof(greeting), MSG_WAITALL) != sizeof(greeting))
		die("the probe's connection: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void exchange(int fd)
{
	char line[LINE_BYTES] = "a NOOP";

	if (send(fd, line, sizeof(line), MSG_NOSIGNAL) != sizeof(line) ||
	    recv(fd, line, sizeof(line), MSG_WAITALL) != sizeof(line))
		die("the probe's echo: %s", strerror(errno));
}

static void probe_echo(double seconds, bool each)
{
	struct server server;
	struct sockaddr_in at;
	uint64_t count = 0;
	uint64_t until_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);

	start(&server, JOB_ECHO, &at);
	int fd = each ? -1 : connect_to(&at);

	for (; count == 0 || clock_monotonic_ns() < until_ns; count++) {
		if (each)
			fd = connect_to(&at);
		for (int i = each ? 1 : ANSWERS - 1; i < ANSWERS; i++)
			exchange(fd);
		if (each)
			close(fd);
	}
	if (!each)
		close(fd);
	probe_tell(each ? "connect_ns" : "echo_ns", (double)end(&server) / (double)count);
}

static void probe_bulk(double seconds, enum job job)
{
	struct server server;
	struct sockaddr_in at;
	uint64_t until_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
	char *buffer = calloc(1, BULK_BYTES);
	ssize_t n = 1;

	start(&server, job, &at);
	int fd = connect_to(&at);

	while (buffer != NULL && n > 0 && (server.bytes == 0 || clock_monotonic_ns() < until_ns))
		n = job == JOB_SEND ? recv(fd, buffer, BULK_BYTES, 0) : send(fd, buffer, BULK_BYTES, MSG_NOSIGNAL);
	close(fd);
	free(buffer);
	uint64_t cpu_ns = end(&server);

	if (n <= 0 || server.bytes == 0)
		die("the probe's stream ended");
	probe_tell(job == JOB_SEND ? "send_ns_per_kib" : "receive_ns_per_kib",
	    (double)cpu_ns * 1024 / (double)server.bytes);
}

void probe_net(double seconds)
{
	probe_echo(seconds, false);
	probe_echo(seconds, true);
	probe_bulk(seconds, JOB_SEND);
	probe_bulk(seconds, JOB_RECEIVE);
}
