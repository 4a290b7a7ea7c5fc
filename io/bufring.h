/* bufring.h -- the buffers that connections receive into: the kernel takes one when bytes are
 * there.
 *
 * So an idle connection holds none. The ring of buffers belongs to one loop.
 */
#ifndef RP_IO_BUFRING_H
#define RP_IO_BUFRING_H

#include <stdint.h>

#include "io/base/err.h"

struct io_uring;
struct io_uring_buf_ring;

enum {
	BUFRING_GROUP = 0,
	BUFRING_BUFFER_BYTES = 4096,
	BUFRING_COUNT_DEFAULT = 256, /* lent only while a done function runs: a turn's worth */
	BUFRING_COUNT_MAX = 32768,   /* the kernel's */
};

struct bufring {
	struct io_uring *ring;
	struct io_uring_buf_ring *shared; /* with the kernel */
	uint8_t *memory;
	unsigned count; /* a power of two */
};

/* count: rounded up to a power of two. */
RP_MUST_USE enum rp_err bufring_open(
    struct bufring *bufring, struct io_uring *ring, unsigned count);

/* After the ring is gone, or before it was enabled. NULL and half-made are fine. */
void bufring_close(struct bufring *bufring);

const uint8_t *bufring_buffer(const struct bufring *bufring, unsigned index);

/* The kernel may fill it again. */
void bufring_give(struct bufring *bufring, unsigned index);

#endif
