/* Connections inside the simulated machine: two ends, each with the bytes that have come in. Bytes
 * arrive in pieces of any size, and a slow reader stops its sender. */
#include <errno.h>
#include <stdlib.h>

#include "io/base/num.h"
#include "io/net_core.h"
#include "io/sim_core.h"

enum {
	SIM_STREAM_BYTES = 16 * 1024, /* what an end holds until its sender has to wait */
	SIM_RECV_BYTES = 4096,        /* as a provided buffer of the ring */
};

struct sim_stream {
	struct sim_stream *peer; /* NULL: that end is gone */
	size_t refs;             /* handles */
	bool ended;              /* nothing more will come in */
	size_t n;
	uint8_t in[SIM_STREAM_BYTES];
};

static struct sim_stream *stream_of(struct sim_world *world, int fd)
{
	struct sim_stream *stream = sim_handle_of(world, fd)->stream;

	RP_ASSERT(stream != NULL);
	return stream;
}

bool sim_net_able(struct sim_world *world, const struct op *op)
{
	const struct sim_stream *stream;

	if (op->kind == OP_RECV) {
		stream = stream_of(world, op->fd);
		return stream->n > 0 || stream->ended;
	}
	if (op->kind == OP_SEND) {
		stream = stream_of(world, op->fd)->peer;
		return stream == NULL || stream->n < SIM_STREAM_BYTES;
	}
	return true;
}

static int receive(struct sim_world *world, struct op *op)
{
	struct sim_stream *stream = stream_of(world, op->fd);
	size_t n = num_min(stream->n, SIM_RECV_BYTES);
	uint8_t *p;

	if (n == 0)
		return 0;
	n = 1 + sim_dice_below(&world->dice, n);
	p = malloc(n);
	if (p == NULL)
		return -ENOBUFS;
	memcpy(p, stream->in, n);
	stream->n -= n;
	memmove(stream->in, stream->in + n, stream->n);
	op->received.p = p;
	return (int)n;
}

void sim_net_recv_give(struct op *op)
{
	free((void *)(uintptr_t)op->received.p);
}

static int send_some(struct sim_world *world, struct op *op)
{
	struct sim_stream *peer = stream_of(world, op->fd)->peer;

	if (peer == NULL || peer->ended)
		return -EPIPE;
	size_t n = num_min(op->io.n, SIM_STREAM_BYTES - peer->n);

	n = 1 + sim_dice_below(&world->dice, n);
	memcpy(peer->in + peer->n, op->io.p, n);
	peer->n += n;
	return (int)n;
}

static int shut(struct sim_world *world, const struct op *op)
{
	struct sim_stream *peer = stream_of(world, op->fd)->peer;

	if (peer == NULL)
		return -ENOTCONN;
	peer->ended = true;
	return 0;
}

static int dup_handle(struct sim_world *world, const struct op *op)
{
	struct sim_stream *stream = stream_of(world, op->fd);
	int fd = sim_handle_take(world);

	if (fd < 0)
		return fd;
	world->handle[fd].stream = stream;
	stream->refs++;
	return fd;
}

int32_t sim_net_carry_out(struct sim_world *world, struct op *op)
{
	switch (op->kind) {
	case OP_RECV:
		return receive(world, op);
	case OP_SEND:
		return send_some(world, op);
	case OP_SHUTDOWN:
		return shut(world, op);
	case OP_SEND_FD:
		return dup_handle(world, op);
	case OP_MESSAGE:
		return 0; /* its chain has been laid before the other loop */
	default:
		return -ENOSYS;
	}
}

void sim_net_unref(struct sim_stream *stream)
{
	if (--stream->refs > 0)
		return;
	if (stream->peer != NULL) {
		stream->peer->peer = NULL;
		stream->peer->ended = true;
	}
	free(stream);
}

static struct net *make_end(struct sim_world *world, struct loop *loop, struct sim_stream *stream)
{
	int fd = sim_handle_take(world);

	if (fd < 0)
		return NULL;
	world->handle[fd].stream = stream;
	stream->refs = 1;
	struct net *net = net_make(loop, fd, true);

	if (net != NULL)
		net->peer.is_unix = true;
	return net;
}

enum rp_err sim_net_pair(struct loop *a_loop, struct loop *b_loop, struct net **a, struct net **b)
{
	struct sim_world *world = sim_world_of(a_loop);
	struct sim_stream *a_stream = calloc(1, sizeof(*a_stream));
	struct sim_stream *b_stream = calloc(1, sizeof(*b_stream));

	RP_ASSERT(sim_world_of(b_loop) == world);
	if (a_stream == NULL || b_stream == NULL)
		assert_panic("no memory for the simulated machine");
	a_stream->peer = b_stream;
	b_stream->peer = a_stream;
	*a = make_end(world, a_loop, a_stream);
	*b = make_end(world, b_loop, b_stream);
	if (*a == NULL || *b == NULL)
		assert_panic("no descriptor in the simulated machine");
	return RP_OK;
}
