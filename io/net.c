/* Connections: receive, send, close. Accepting is in net_listen.c, moving in net_move.c. */
#include "io/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "io/loop_core.h"
#include "io/net_core.h"

enum {
	NET_RETRY_NS = 1000 * 1000, /* no provided buffer was free: they come back within a turn */
};

static void retry_recv(struct timer *timer);
static void close_if_idle(struct net *net);

struct net *net_make(struct loop *loop, int fd, bool fixed)
{
	struct net *net = pool_take(&loop->net_pool);

	if (net == NULL)
		return NULL;
	net->loop = loop;
	net->fd = fd;
	net->fixed = fixed;
	timer_init(&net->retry, retry_recv);
	return net;
}

enum rp_err net_adopt(struct loop *loop, int fd, struct net **out)
{
	struct net *net = net_make(loop, fd, false);

	if (net == NULL)
		return RP_ERR_LIMIT;
	net->peer.is_unix = true;
	*out = net;
	return RP_OK;
}

const struct net_address *net_peer(const struct net *net)
{
	return &net->peer;
}

bool net_address_is_v4(const struct net_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(address->ip, mapped, sizeof(mapped)) == 0;
}

void net_address_scope(const struct net_address *address, uint8_t ip[16])
{
	memcpy(ip, address->ip, 16);
	if (!net_address_is_v4(address))
		memset(ip + 8, 0, 8);
}

void net_address_format(const struct net_address *address, char *text, size_t size)
{
	bool v4 = net_address_is_v4(address);

	RP_ASSERT(size >= INET6_ADDRSTRLEN);
	if (address->is_unix)
		snprintf(text, size, "unix");
	else
		inet_ntop(v4 ? AF_INET : AF_INET6, address->ip + (v4 ? 12 : 0), text,
		    (socklen_t)size);
}

static enum rp_err outcome(int result)
{
	return result < 0 ? err_of_errno(-result) : RP_OK;
}

static bool again(int result)
{
	return result == -EINTR || result == -EAGAIN;
}

/* The callee may arm the next receive or close: nothing of the net is looked at after the call. */
static void tell_received(struct net *net, int result)
{
	struct op given = net->recv;
	net_recv_fn *fn = net->recv_fn;
	struct bytes in = {NULL, 0};

	if (result > 0)
		in = bytes_of(given.received.p, (size_t)result);
	net->recv_fn = NULL;
	fn(net->recv_arg, outcome(result), in);
	if (result > 0)
		op_recv_give(&given);
}

static void submit_recv(struct net *net);

static void recv_done(struct op *op)
{
	struct net *net = op->owner;

	if (net->closing) {
		if (op->result > 0)
			op_recv_give(op);
		close_if_idle(net);
		return;
	}
	if (op->result == -ENOBUFS && !op->cancel_asked) {
		net->recv_waits = true;
		timer_set(net->loop, &net->retry, NET_RETRY_NS);
		return;
	}
	if (again(op->result) && !op->cancel_asked) {
		submit_recv(net);
		return;
	}
	tell_received(net, op->result == -ENOBUFS || again(op->result) ? -ECANCELED : op->result);
}

static void submit_recv(struct net *net)
{
	net->recv = (struct op){
	    .kind = OP_RECV, .fd = net->fd, .fixed = net->fixed, .done = recv_done, .owner = net};
	op_submit(net->loop, &net->recv);
}

static void retry_recv(struct timer *timer)
{
	struct net *net = RP_CONTAINER_OF(timer, struct net, retry);

	RP_ASSERT(net->recv_waits);
	net->recv_waits = false;
	if (net->recv_canceled) {
		tell_received(net, -ECANCELED);
		return;
	}
	submit_recv(net);
}

void net_recv(struct net *net, net_recv_fn *fn, void *arg)
{
	RP_ASSERT(!net_recv_armed(net));
	RP_ASSERT(!net->closing);
	net->recv_fn = fn;
	net->recv_arg = arg;
	net->recv_canceled = false;
	submit_recv(net);
}

void net_recv_cancel(struct net *net)
{
	if (!net_recv_armed(net))
		return;
	net->recv_canceled = true;
	if (net->recv_waits)
		timer_set(net->loop, &net->retry, 0);
	else
		op_cancel(&net->recv);
}

bool net_recv_armed(const struct net *net)
{
	return net->recv_fn != NULL;
}

static void submit_send(struct net *net);

static void control_done(struct op *op)
{
	close_if_idle(op->owner);
}

static void submit_shutdown(struct net *net)
{
	net->shut = false;
	net->control = (struct op){.kind = OP_SHUTDOWN,
	    .fd = net->fd,
	    .fixed = net->fixed,
	    .done = control_done,
	    .owner = net};
	op_submit(net->loop, &net->control);
}

static void send_done(struct op *op)
{
	struct net *net = op->owner;

	if (net->closing) {
		close_if_idle(net);
		return;
	}
	if (op->result > 0)
		net->unsent = bytes_from(net->unsent, (size_t)op->result);
	if (again(op->result) || (op->result >= 0 && net->unsent.n > 0)) {
		submit_send(net);
		return;
	}
	net_sent_fn *fn = net->sent_fn;

	net->sent_fn = NULL;
	if (net->shut)
		submit_shutdown(net);
	fn(net->sent_arg, outcome(op->result));
}

static void submit_send(struct net *net)
{
	net->send = (struct op){
	    .kind = OP_SEND, .fd = net->fd, .fixed = net->fixed, .done = send_done, .owner = net};
	net->send.io.p = (uint8_t *)(uintptr_t)net->unsent.p;
	net->send.io.n = net->unsent.n;
	op_submit(net->loop, &net->send);
}

void net_send(struct net *net, struct bytes out, net_sent_fn *fn, void *arg)
{
	RP_ASSERT(!net_send_armed(net));
	RP_ASSERT(!net->closing);
	RP_ASSERT(out.n > 0);
	net->unsent = out;
	net->sent_fn = fn;
	net->sent_arg = arg;
	submit_send(net);
}

bool net_send_armed(const struct net *net)
{
	return net->sent_fn != NULL;
}

void net_shutdown(struct net *net)
{
	RP_ASSERT(!net->closing);
	if (net_send_armed(net))
		net->shut = true;
	else if (!net->control.in_flight)
		submit_shutdown(net);
}

static void descriptor_closed(struct op *op)
{
	struct net *net = op->owner;
	void (*closed)(void *arg) = net->closed_fn;
	void *arg = net->closed_arg;

	pool_give(&net->loop->net_pool, net);
	if (closed != NULL)
		closed(arg);
}

static void close_if_idle(struct net *net)
{
	if (!net->closing || net->recv.in_flight || net->send.in_flight || net->control.in_flight)
		return;
	net->control = (struct op){.kind = OP_CLOSE,
	    .fd = net->fd,
	    .fixed = net->fixed,
	    .done = descriptor_closed,
	    .owner = net};
	op_submit(net->loop, &net->control);
}

void net_close(struct net *net, void (*closed)(void *arg), void *arg)
{
	RP_ASSERT(!net->closing);
	net->closing = true;
	net->closed_fn = closed;
	net->closed_arg = arg;
	timer_clear(&net->retry);
	op_cancel(&net->recv);
	op_cancel(&net->send);
	close_if_idle(net);
}
