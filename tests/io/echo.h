/* echo.h -- a server on a ring that sends back what it receives, for tests of connections. */
#ifndef RP_TESTS_IO_ECHO_H
#define RP_TESTS_IO_ECHO_H

#include "io/net.h"

/* loop, fd and port are set by whoever begins it; the rest counts. */
struct echo {
	struct loop *loop;
	struct net_listener *listener;
	int fd;
	uint16_t port;
	unsigned accepted;
	unsigned alive;
	unsigned resets;
	unsigned ended;
	uint64_t bytes;
	struct net_address peer;
};

/* A socket that listens on loopback, on a free port. */
int echo_listen(uint16_t *port);

/* For net_listen(); arg: struct echo. */
void echo_on_accept(void *arg, struct net *net);

/* A task of the fixture; arg: struct echo. */
void echo_until_all_closed(struct task *task, void *arg);

#endif
