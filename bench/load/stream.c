#include "bench/load/stream.h"

#include <stdlib.h>

#include "io/base/num.h"

enum {
	IN_BYTES_FIRST = 4096,
	IN_BYTES_KEPT = 16 * 1024,     /* of an empty buffer: more is given back */
	IN_BYTES_ENOUGH = 1024 * 1024, /* received ahead of the task: protects memory */
	TLS_PIECE_BYTES = 16 * 1024,
};

static void on_recv(void *arg, enum rp_err err, struct bytes in);
static void send_more(struct stream *stream);

static void end(struct stream *stream, const char *reason)
{
	if (stream->ended)
		return;
	stream->ended = true;
	stream->reason = reason;
	task_queue_wake_all(&stream->news);
}

/* Room for n more bytes behind in_end. */
static uint8_t *in_reserve(struct stream *stream, size_t n)
{
	size_t have = stream->in_end - stream->in_start;

	if (stream->in_room - stream->in_end >= n)
		return stream->in + stream->in_end;
	if (stream->in_start > 0) {
		memmove(stream->in, stream->in + stream->in_start, have);
		stream->in_start = 0;
		stream->in_end = have;
	}
	if (stream->in_room - have < n) {
		size_t room = num_max(IN_BYTES_FIRST, num_max(stream->in_room * 2, have + n));
		uint8_t *p = realloc(stream->in, room);

		if (p == NULL)
			assert_panic("no memory for %zu bytes of an answer", room);
		stream->in = p;
		stream->in_room = room;
	}
	return stream->in + stream->in_end;
}

static void take_cipher(struct stream *stream, struct bytes in)
{
	enum tls_conn_verdict verdict;
	size_t n;

	do {
		uint8_t *room = in_reserve(stream, TLS_PIECE_BYTES);

		verdict = tls_conn_read(stream->tls, &in, room, TLS_PIECE_BYTES, &n, &stream->out);
		stream->in_end += n;
	} while (verdict == TLS_CONN_FULL);
	send_more(stream);
	if (verdict == TLS_CONN_FAILED)
		end(stream, tls_conn_reason(stream->tls));
	else if (verdict == TLS_CONN_CLOSED)
		end(stream, "the server closed the connection");
}

static void receive(struct stream *stream)
{
	stream->resting = stream->in_end - stream->in_start >= IN_BYTES_ENOUGH;
	if (!stream->resting && !stream->ended)
		net_recv(stream->net, on_recv, stream);
}

static void on_recv(void *arg, enum rp_err err, struct bytes in)
{
	struct stream *stream = arg;

	if (err != RP_OK || in.n == 0) {
		end(stream, err != RP_OK ? err_name(err) : "the server closed the connection");
		return;
	}
	if (stream->tls != NULL) {
		take_cipher(stream, in);
	} else {
		memcpy(in_reserve(stream, in.n), in.p, in.n);
		stream->in_end += in.n;
	}
	receive(stream);
	task_queue_wake_all(&stream->news);
}

static void on_sent(void *arg, enum rp_err err)
{
	struct stream *stream = arg;

	if (err != RP_OK) {
		/* What the server said before it closed may still come. */
		rope_fini(&stream->out);
		task_queue_wake_all(&stream->news);
		return;
	}
	rope_consume(&stream->out, stream->sending);
	send_more(stream);
	task_queue_wake_all(&stream->news);
}

static void send_more(struct stream *stream)
{
	struct bytes first = rope_peek(&stream->out, 0);

	if (first.n == 0 || net_send_armed(stream->net))
		return;
	/* The span may grow while this is on its way. */
	stream->sending = first.n;
	net_send(stream->net, first, on_sent, stream);
}

static enum rp_err shake_hands(struct task *task, struct stream *stream, uint64_t wait_ns)
{
	uint64_t until_ns = loop_now_ns(task_loop(task)) + wait_ns;

	take_cipher(stream, (struct bytes){0});
	while (!tls_conn_is_open(stream->tls)) {
		uint64_t now_ns = loop_now_ns(task_loop(task));
		enum rp_err err = now_ns < until_ns ? stream_wait(task, stream, until_ns - now_ns)
		                                    : RP_ERR_UNAVAILABLE;

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

enum rp_err stream_open(struct task *task, struct stream *stream, const struct net_address *address,
    struct tls_client *client, struct tls_client_session *session, uint64_t wait_ns)
{
	struct net *net;
	enum rp_err err = net_connect(task, address, &net);

	*stream = (struct stream){.reason = "cannot connect"};
	if (err != RP_OK)
		return err;
	stream->net = net;
	task_queue_init(&stream->news);
	rope_init(&stream->out);
	if (client != NULL) {
		stream->tls = tls_client_connect(client, "localhost", session);
		if (stream->tls == NULL)
			assert_panic("no memory for TLS");
	}
	receive(stream);
	err = client != NULL ? shake_hands(task, stream, wait_ns) : RP_OK;
	if (err != RP_OK) {
		const char *reason = stream->ended ? stream->reason : "the TLS handshake never ended";

		stream_close(task, stream);
		stream->reason = reason;
	}
	return err;
}

static void on_closed(void *arg)
{
	struct stream *stream = arg;

	stream->closed = true;
	task_queue_wake_all(&stream->news);
}

void stream_close(struct task *task, struct stream *stream)
{
	if (stream->net == NULL)
		return;
	task_shield(task);
	stream->ended = true;
	net_close(stream->net, on_closed, stream);
	while (!stream->closed)
		(void)!task_queue_wait(task, &stream->news);
	task_unshield(task);
	tls_conn_close(stream->tls);
	rope_fini(&stream->out);
	free(stream->in);
	*stream = (struct stream){.reason = "closed"};
}

void stream_put(struct stream *stream, struct bytes bytes)
{
	if (stream->tls == NULL)
		rope_put(&stream->out, bytes);
	else if (tls_conn_write(stream->tls, bytes, &stream->out) != RP_OK)
		end(stream, tls_conn_reason(stream->tls));
	if (stream->out.failed)
		assert_panic("no memory for what is sent");
	send_more(stream);
}

enum rp_err stream_drain(struct task *task, struct stream *stream, size_t left_bytes, uint64_t wait_ns)
{
	while (stream->out.bytes > left_bytes) {
		enum rp_err err = task_queue_wait_ns(task, &stream->news, wait_ns);

		if (err == RP_ERR_END)
			return RP_ERR_UNAVAILABLE;
		if (err != RP_OK)
			return err;
		if (stream->ended)
			return RP_ERR_END;
	}
	return RP_OK;
}

struct bytes stream_peek(const struct stream *stream)
{
	return bytes_from(bytes_of(stream->in, stream->in_end), stream->in_start);
}

void stream_take(struct stream *stream, size_t n)
{
	RP_ASSERT(n <= stream->in_end - stream->in_start);
	stream->in_start += n;
	if (stream->in_start == stream->in_end) {
		stream->in_start = stream->in_end = 0;
		if (stream->in_room > IN_BYTES_KEPT) {
			free(stream->in);
			stream->in = NULL;
			stream->in_room = 0;
		}
	}
	if (stream->resting && stream->in_end - stream->in_start < IN_BYTES_ENOUGH)
		receive(stream);
}

enum rp_err stream_wait(struct task *task, struct stream *stream, uint64_t wait_ns)
{
	size_t had = stream->in_end - stream->in_start;

	/* Who needs more than is enough, for one long literal, gets it. */
	if (stream->resting && !stream->ended) {
		stream->resting = false;
		net_recv(stream->net, on_recv, stream);
	}
	while (stream->in_end - stream->in_start == had) {
		if (stream->ended)
			return RP_ERR_END;
		enum rp_err err = task_queue_wait_ns(task, &stream->news, wait_ns);

		if (err != RP_OK)
			return err == RP_ERR_END ? RP_ERR_UNAVAILABLE : err;
	}
	return RP_OK;
}
