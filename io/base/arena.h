/* arena.h -- memory with one end of life: a command's, a connection's.
 *
 * Taken bit by bit, given back all at once. An arena has a bound; over it arena_alloc returns NULL,
 * and the caller says RP_ERR_LIMIT: one client's command cannot take the machine's memory.
 * One thread at a time.
 */
#ifndef RP_IO_BASE_ARENA_H
#define RP_IO_BASE_ARENA_H

#include "io/base/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first; NULL: nothing is held */
	uint8_t *at;                /* the free rest of the newest block */
	uint8_t *end;
	size_t bytes_held; /* of all blocks */
	size_t bytes_max;
};

/* bytes_max bounds all that is held at once. Takes no memory yet. */
void arena_init(struct arena *arena, size_t bytes_max);

/* Give everything back. The arena can be used again, or forgotten. */
void arena_fini(struct arena *arena);

/* Overwrite all that was taken: a secret is in it. */
void arena_wipe(struct arena *arena);

/* Forget all that was taken, but keep one block of at most 16 KiB for the next user. */
void arena_reset(struct arena *arena);

/* n bytes, aligned for any object, not zeroed; good until arena_reset or arena_fini.
 * NULL: over the bound, or the machine has none. n == 0 gives a valid pointer. */
RP_MUST_USE void *arena_alloc(struct arena *arena, size_t n);

/* The same, zeroed; count * size is checked. */
RP_MUST_USE void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* A copy. .p == NULL: no room. */
RP_MUST_USE struct bytes arena_copy(struct arena *arena, struct bytes b);

/* Let the newest allocation `p` (old_n bytes) be new_n bytes: in place where it can be, else copied.
 * NULL: no room; p is as it was. p may be NULL with old_n 0. */
RP_MUST_USE void *arena_grow(struct arena *arena, void *p, size_t old_n, size_t new_n);

/* printf into the arena, NUL behind it but not counted. .p == NULL: no room. */
RP_MUST_USE struct bytes arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
