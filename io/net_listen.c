/* Accepting: several one-shot accepts in flight, each with room for its peer's address (a multishot
 * accept cannot tell the peers apart). */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "io/loop_core.h"
#include "io/net_core.h"

enum {
	NET_LISTEN_ACCEPTS = 16, /* in flight: how many connections one turn takes in at most */
	/* Descriptors have run out, or the listener is broken: nothing spins. */
	NET_LISTEN_PAUSE_NS = 50 * 1000 * 1000,
};

struct net_accept {
	struct op op;
	struct net_listener *listener;
	bool idle; /* waits for the timer */
	struct sockaddr_storage address;
};

struct net_listener {
	struct loop *loop;
	int fd;
	bool closing;
	unsigned busy_count; /* accepts in flight */
	net_accept_fn *fn;
	void *arg;
	struct timer pause;
	struct net_accept accept[NET_LISTEN_ACCEPTS];
};

static void arm(struct net_accept *accept);

static void set_peer(struct net_address *peer, const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	*peer = (struct net_address){0};
	switch (address->ss_family) {
	case AF_INET:
		peer->ip[10] = 0xff;
		peer->ip[11] = 0xff;
		memcpy(peer->ip + 12, &v4->sin_addr, 4);
		peer->port = ntohs(v4->sin_port);
		break;
	case AF_INET6:
		memcpy(peer->ip, &v6->sin6_addr, 16);
		peer->port = ntohs(v6->sin6_port);
		break;
	default:
		peer->is_unix = true;
		break;
	}
}

static void end_if_idle(struct net_listener *listener)
{
	if (listener->closing && listener->busy_count == 0)
		free(listener);
}

/* The descriptor of a connection that cannot be had is given back; then the accept goes on. */
static void given_up(struct op *op)
{
	struct net_accept *accept = op->owner;

	accept->listener->busy_count--;
	accept->idle = true;
	if (!accept->listener->closing)
		timer_set(accept->listener->loop, &accept->listener->pause, NET_LISTEN_PAUSE_NS);
	end_if_idle(accept->listener);
}

static void give_up(struct net_accept *accept, int fd)
{
	accept->op = (struct op){
	    .kind = OP_CLOSE, .fd = fd, .fixed = true, .done = given_up, .owner = accept};
	accept->listener->busy_count++;
	op_submit(accept->listener->loop, &accept->op);
}

static void take_in(struct net_accept *accept, int fd)
{
	struct net_listener *listener = accept->listener;
	struct net *net = listener->closing ? NULL : net_make(listener->loop, fd, true);

	if (net == NULL) {
		give_up(accept, fd);
		return;
	}
	set_peer(&net->peer, &accept->address);
	/* Armed first: the callee may close the listener. */
	arm(accept);
	listener->fn(listener->arg, net);
}

static void accepted(struct op *op)
{
	struct net_accept *accept = op->owner;
	struct net_listener *listener = accept->listener;

	listener->busy_count--;
	if (op->result >= 0) {
		take_in(accept, op->result);
		return;
	}
	if (listener->closing) {
		end_if_idle(listener);
		return;
	}
	if (op->result == -ECONNABORTED || op->result == -EINTR || op->result == -EAGAIN) {
		arm(accept);
		return;
	}
	accept->idle = true;
	timer_set(listener->loop, &listener->pause, NET_LISTEN_PAUSE_NS);
}

static void arm(struct net_accept *accept)
{
	accept->idle = false;
	accept->op = (struct op){
	    .kind = OP_ACCEPT, .fd = accept->listener->fd, .done = accepted, .owner = accept};
	accept->op.accept.address = &accept->address;
	accept->op.accept.address_bytes = sizeof(accept->address);
	accept->listener->busy_count++;
	op_submit(accept->listener->loop, &accept->op);
}

static void pause_over(struct timer *timer)
{
	struct net_listener *listener = RP_CONTAINER_OF(timer, struct net_listener, pause);

	for (unsigned i = 0; i < NET_LISTEN_ACCEPTS; i++) {
		if (listener->accept[i].idle)
			arm(&listener->accept[i]);
	}
}

enum rp_err net_listen(
    struct loop *loop, int fd, net_accept_fn *fn, void *arg, struct net_listener **out)
{
	if (!loop->kind->listens)
		return RP_ERR_CANNOT;
	struct net_listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL)
		return RP_ERR_NOMEM;
	listener->loop = loop;
	listener->fd = fd;
	listener->fn = fn;
	listener->arg = arg;
	timer_init(&listener->pause, pause_over);
	for (unsigned i = 0; i < NET_LISTEN_ACCEPTS; i++) {
		listener->accept[i].listener = listener;
		arm(&listener->accept[i]);
	}
	*out = listener;
	return RP_OK;
}

void net_listener_close(struct net_listener *listener)
{
	if (listener == NULL)
		return;
	RP_ASSERT(!listener->closing);
	listener->closing = true;
	timer_clear(&listener->pause);
	for (unsigned i = 0; i < NET_LISTEN_ACCEPTS; i++) {
		if (listener->accept[i].op.kind == OP_ACCEPT)
			op_cancel(&listener->accept[i].op);
	}
	end_if_idle(listener);
}
