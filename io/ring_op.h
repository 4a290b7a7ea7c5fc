/* ring_op.h -- an operation as the kernel's ring takes it.
 */
#ifndef RP_IO_RING_OP_H
#define RP_IO_RING_OP_H

#include <liburing.h>

#include "io/op.h"

/* Does the ring take this kind at all? What it does not take is the helper thread's. */
bool ring_op_can(enum op_kind kind, bool has_ftruncate);

/* Fill an entry. root_fd: of op->root, where it has one; to_ring: the other loop's ring, for
 * messages. */
void ring_op_fill(struct io_uring_sqe *sqe, const struct op *op, int root_fd, int to_ring);

/* The opcodes that ring_op_fill() uses, for the ring's restrictions; but to connect, which a server does not. */
extern const uint8_t ring_op_codes[];
extern const size_t ring_op_codes_count;

/* The lowest bit of an entry's user_data: a chain of messages from another shard, not an operation.
 */
enum { RING_OP_MESSAGE_BIT = 1 };

/* What was opened is a regular file, or the folder that was asked for: fd. Else -errno, and it is closed: -EISDIR, or -ENXIO for a FIFO, a
 * socket or a device. OP_OPEN with O_NONBLOCK waits for none of these; a regular file does not keep that flag, with which the ring would
 * give up reads that have to wait. */
int32_t ring_op_opened(const struct op *op, int fd);

#endif
