/* rope.h -- what a connection has still to send: a chain of spans of bytes.
 *
 * A span is owned (copied into the rope), or borrowed (somebody else's until a release function is
 * called). Each carries a gate: the position in the commit log of the newest change that its bytes
 * may reveal. Bytes leave in order, so a span's gate is never below that of the span before it; only
 * what is durable may leave (DESIGN section 3, "the gate").
 *
 * Writers need not check for memory: when it runs out the rope is marked failed, drops what it is
 * given from then on, and the connection that owns it ends. One thread, one writer.
 */
#ifndef RP_IO_ROPE_H
#define RP_IO_ROPE_H

#include "io/base/bytes.h"

struct rope_span;

typedef void rope_release_fn(void *arg);

struct rope {
	struct rope_span *first; /* the oldest; NULL: empty */
	struct rope_span *last;
	size_t bytes;  /* not consumed yet */
	uint64_t gate; /* what is put next carries this */
	bool reserved; /* the last span has room that a writer may be holding: it is not given back */
	bool failed;   /* memory ran out: what was put since is lost, end the connection */
};

/* Empty, takes no memory; gate 0: may leave at once. */
void rope_init(struct rope *rope);

/* Drop everything, releasing what was borrowed. The rope is as after rope_init. */
void rope_fini(struct rope *rope);

/* From here on bytes may reveal the change that ends at `gate` in the commit log. Lower than before:
 * no effect. */
void rope_stamp(struct rope *rope, uint64_t gate);

/* Room for n contiguous bytes, to be written and then counted with rope_advance(). Good until the next call that
 * puts something in; what is consumed or cut meanwhile leaves it alone. NULL: failed. n is at most 64 KiB. */
uint8_t *rope_reserve(struct rope *rope, size_t n);

/* The first n bytes of what rope_reserve() gave are now output. */
void rope_advance(struct rope *rope, size_t n);

/* Copy bytes in. */
void rope_put(struct rope *rope, struct bytes b);
void rope_put_str(struct rope *rope, const char *text);

/* Send bytes from where they lie. release(arg) is called exactly once, when they have been consumed or
 * dropped; NULL: they outlive the rope. Small spans are copied, and released at once. */
void rope_borrow(struct rope *rope, struct bytes b, rope_release_fn *release, void *arg);

/* Make all of `from` follow all of `to`; `from` is empty afterwards. Gates are kept (and raised). */
void rope_append(struct rope *to, struct rope *from);

/* The oldest bytes that may leave when the log is durable up to `durable`: contiguous, good until the
 * next rope_consume(). .n == 0: nothing may leave now. */
struct bytes rope_peek(const struct rope *rope, uint64_t durable);

/* The oldest n bytes have been sent (or sealed). n is at most what may leave. */
void rope_consume(struct rope *rope, size_t n);

/* Drop all that may not leave at `durable`: the log has failed there. */
void rope_cut(struct rope *rope, uint64_t durable);

/* The gate of the oldest bytes; 0 when empty. */
uint64_t rope_first_gate(const struct rope *rope);

#endif
