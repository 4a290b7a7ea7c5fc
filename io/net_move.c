/* A connection goes to another shard.
 *
 *   home                                         away
 *   net_move: SEND_FD into away's table
 *   its slot over there is known  ---message-->  a net of its own; fn(world, net, arg)
 *   own slot closed, old net gone <--message---
 *
 * The old net is lent to the other shard as the message's memory, so nothing can run short on the
 * way. */
#include "io/loop_core.h"
#include "io/net_core.h"

static void slot_closed(struct op *op)
{
	struct net *net = op->owner;

	pool_give(&net->loop->net_pool, net);
}

static void close_slot(struct loop *loop, struct net *net, int fd, op_done_fn *done)
{
	net->control = (struct op){
	    .kind = OP_CLOSE, .fd = fd, .fixed = net->fixed, .done = done, .owner = net};
	op_submit(loop, &net->control);
}

static void came_back(struct loop *loop, struct shard_message *message)
{
	struct net *net = RP_CONTAINER_OF(message, struct net, moving.message);

	RP_ASSERT(net->loop == loop);
	if (net->moving.copied || !net->moving.arrived)
		close_slot(loop, net, net->fd, slot_closed);
	else
		pool_give(&loop->net_pool, net); /* the descriptor itself is the new net's */
}

static void send_back(struct loop *loop, struct net *net)
{
	net->moving.message.arrive = came_back;
	shard_call_send(loop, net->loop->shard, &net->moving.message);
}

static void refused_slot_closed(struct op *op)
{
	send_back(op->loop, op->owner);
}

/* Over there. */
static void arrived(struct loop *loop, struct shard_message *message)
{
	struct net *old = RP_CONTAINER_OF(message, struct net, moving.message);
	net_moved_fn *fn = old->moving.fn;
	void *arg = old->moving.arg;
	struct net *net = old->moving.fd < 0 ? NULL : net_make(loop, old->moving.fd, old->fixed);

	old->moving.arrived = net != NULL;
	if (net != NULL)
		net->peer = old->peer;
	if (net == NULL && old->moving.copied && old->moving.fd >= 0)
		close_slot(loop, old, old->moving.fd, refused_slot_closed);
	else
		send_back(loop, old);
	fn(loop_world(loop), net, arg);
}

static void sent(struct op *op)
{
	struct net *net = op->owner;

	net->moving.fd = op->result;
	shard_call_send(net->loop, net->moving.to, &net->moving.message);
}

void net_move(struct net *net, unsigned shard, net_moved_fn *fn, void *arg)
{
	RP_ASSERT(!net_recv_armed(net) && !net_send_armed(net));
	RP_ASSERT(!net->recv.in_flight && !net->send.in_flight && !net->control.in_flight);
	RP_ASSERT(!net->closing);
	net->moving = (struct net_moving){.fn = fn, .arg = arg, .to = shard, .fd = net->fd};
	net->moving.message.arrive = arrived;
	/* A plain descriptor is the whole process's. */
	if (!net->fixed || shard == net->loop->shard) {
		shard_call_send(net->loop, shard, &net->moving.message);
		return;
	}
	net->moving.copied = true;
	net->control = (struct op){
	    .kind = OP_SEND_FD, .fd = net->fd, .fixed = true, .done = sent, .owner = net};
	net->control.message.to = shard_call_loop(net->loop, shard);
	op_submit(net->loop, &net->control);
}
