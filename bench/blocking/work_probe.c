/* The machine itself: what a server that does nothing but read and answer costs here, with blocking calls.
 *
 * The floors of core/DESIGN.md are another machine's. This one's figures belong beside the probe's: a context
 * switch and a wake-up of another core differ much from one virtual machine to the next, more so on a busy one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/load/die.h"
#include "bench/blocking/wire.h"
#include "bench/blocking/work.h"
#include "io/base/clock.h"

enum { PROBE_LOGIN_ANSWERS = 3 }; /* greeting, LOGIN, LOGOUT */

/* Serve one connection after the other: a greeting, then as many bytes as come. Until killed. */
static _Noreturn void serve(int listener)
{
	char buffer[256];
	int one = 1;

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(1);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		ssize_t n = 6;

		memcpy(buffer, "* OK\r\n", 6);
		while (n > 0 && send(fd, buffer, (size_t)n, MSG_NOSIGNAL) == n)
			n = recv(fd, buffer, sizeof(buffer), 0);
		close(fd);
	}
}

static uint64_t cpu_of(pid_t pid)
{
	struct procs one = {.pid = {pid}, .count = 1};

	return procs_cpu_ns(&one);
}

static bool has_time(const struct work *work, uint64_t start_ns)
{
	return (double)(clock_monotonic_ns() - start_ns) < work->seconds * 1e9;
}

static void exchange(struct wire *wire)
{
	wire_send(wire, BYTES_LIT("b1 NOOP\r\n"));
	(void)wire_line(wire);
}

static void add(
    struct work *work, const char *key, const char *text, uint64_t cpu_ns, uint64_t count)
{
	report_add(&work->report, (struct report_row){.key = key,
	                              .work = text,
	                              .unit = "us CPU",
	                              .value = (double)cpu_ns / 1000 / (double)count});
}

static void measure(struct work *work, pid_t server, const char *address)
{
	struct wire wire;
	uint64_t count = 0;
	uint64_t start_ns = clock_monotonic_ns();

	wire_open(&wire, address, false);
	(void)wire_line(&wire);
	uint64_t before = cpu_of(server);

	for (; has_time(work, start_ns); count++)
		exchange(&wire);
	add(work, "probe_echo", "probe: a bare echo, 1 connection, blocking",
	    cpu_of(server) - before, count);
	wire_close(&wire);
	count = 0;
	start_ns = clock_monotonic_ns();
	before = cpu_of(server);
	for (; has_time(work, start_ns); count++) {
		wire_open(&wire, address, false);
		(void)wire_line(&wire);
		for (size_t i = 1; i < PROBE_LOGIN_ANSWERS; i++)
			exchange(&wire);
		wire_close(&wire);
	}
	add(work, "probe_connect", "probe: accept, three answers, close, blocking",
	    cpu_of(server) - before, count);
}

void work_probe(struct work *work)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t at_bytes = sizeof(at);
	char address[64];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &at_bytes) != 0)
		die("probe: %s", strerror(errno));
	fflush(NULL);
	pid_t server = fork();

	if (server < 0)
		die("probe: %s", strerror(errno));
	if (server == 0)
		serve(listener);
	close(listener);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(at.sin_port));
	measure(work, server, address);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}
