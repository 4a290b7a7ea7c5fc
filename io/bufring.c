#include "io/bufring.h"

#include <liburing.h>
#include <sys/mman.h>

static size_t shared_bytes(unsigned count)
{
	return count * sizeof(struct io_uring_buf);
}

static void *map_memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

enum rp_err bufring_open(struct bufring *bufring, struct io_uring *ring, unsigned count)
{
	unsigned rounded = 1;

	RP_ASSERT(count > 0 && count <= BUFRING_COUNT_MAX);
	while (rounded < count)
		rounded *= 2;
	*bufring = (struct bufring){.ring = ring, .count = rounded};
	bufring->shared = map_memory(shared_bytes(rounded));
	bufring->memory = map_memory((size_t)rounded * BUFRING_BUFFER_BYTES);
	if (bufring->shared == NULL || bufring->memory == NULL) {
		bufring_close(bufring);
		return RP_ERR_NOMEM;
	}
	struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)bufring->shared,
	    .ring_entries = rounded,
	    .bgid = BUFRING_GROUP};
	int result = io_uring_register_buf_ring(ring, &reg, 0);

	if (result < 0) {
		bufring_close(bufring);
		return err_of_errno(-result);
	}
	io_uring_buf_ring_init(bufring->shared);
	for (unsigned i = 0; i < rounded; i++)
		bufring_give(bufring, i);
	return RP_OK;
}

void bufring_close(struct bufring *bufring)
{
	if (bufring->shared != NULL)
		munmap(bufring->shared, shared_bytes(bufring->count));
	if (bufring->memory != NULL)
		munmap(bufring->memory, (size_t)bufring->count * BUFRING_BUFFER_BYTES);
	*bufring = (struct bufring){0};
}

const uint8_t *bufring_buffer(const struct bufring *bufring, unsigned index)
{
	RP_ASSERT(index < bufring->count);
	return bufring->memory + (size_t)index * BUFRING_BUFFER_BYTES;
}

void bufring_give(struct bufring *bufring, unsigned index)
{
	RP_ASSERT(index < bufring->count);
	io_uring_buf_ring_add(bufring->shared,
	    bufring->memory + (size_t)index * BUFRING_BUFFER_BYTES, BUFRING_BUFFER_BYTES,
	    (unsigned short)index, (int)(bufring->count - 1), 0);
	io_uring_buf_ring_advance(bufring->shared, 1);
}
