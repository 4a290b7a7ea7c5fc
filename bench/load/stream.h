/* stream.h -- one connection to a server, plain or TLS, used by one task as if it blocked.
 */
#ifndef RP_BENCH_LOAD_STREAM_H
#define RP_BENCH_LOAD_STREAM_H

#include "io/net.h"
#include "io/rope.h"
#include "io/task.h"
#include "tls/tls_client.h"

struct stream {
	struct net *net; /* NULL: not open */
	struct tls_conn *tls; /* NULL: plain */
	struct task_queue news;
	uint8_t *in; /* received and not yet taken: in[in_start, in_end), as plaintext */
	size_t in_start;
	size_t in_end;
	size_t in_room;
	struct rope out; /* to be sent, as it goes to the socket */
	size_t sending;  /* bytes of it that are on their way */
	bool resting; /* not receiving: there is enough to take first */
	bool ended;   /* nothing more comes */
	bool closed;
	const char *reason; /* why it ended; static text */
};

/* Connect, and with `client` shake hands. session: see tls_client_connect(). wait_ns bounds the handshake.
 * On failure stream->reason tells, and there is nothing to close. */
RP_MUST_USE enum rp_err stream_open(struct task *task, struct stream *stream,
    const struct net_address *address, struct tls_client *client,
    struct tls_client_session *session, uint64_t wait_ns);

/* Close, and wait until the kernel has let go. Fine when it is not open. */
void stream_close(struct task *task, struct stream *stream);

/* Send; returns at once, the bytes are copied. What cannot be sent any more shows itself at the next wait. */
void stream_put(struct stream *stream, struct bytes bytes);

/* Wait until no more than so many bytes are unsent. */
RP_MUST_USE enum rp_err stream_drain(struct task *task, struct stream *stream, size_t left_bytes, uint64_t wait_ns);

/* What has come and was not taken. Good until stream_take() or the next wait. */
struct bytes stream_peek(const struct stream *stream);
void stream_take(struct stream *stream, size_t n);

/* Wait for more than there is. RP_ERR_END: nothing more comes. RP_ERR_UNAVAILABLE: not within wait_ns. */
RP_MUST_USE enum rp_err stream_wait(struct task *task, struct stream *stream, uint64_t wait_ns);

#endif
