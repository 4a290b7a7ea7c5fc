#include "io/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/base/num.h"

enum {
	ARENA_ALIGN = 16,
	ARENA_BLOCK_BYTES_MIN = 4096 - ARENA_ALIGN, /* the first; later ones double */
	ARENA_BLOCK_BYTES_MAX = 256 * 1024,
	ARENA_KEEP_BYTES_MAX = 16 * 1024,
};

struct arena_block {
	struct arena_block *older;
	size_t bytes; /* behind this header */
	_Alignas(ARENA_ALIGN) uint8_t p[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
	*arena = (struct arena){ .bytes_max = bytes_max };
}

void arena_fini(struct arena *arena)
{
	if (arena == NULL)
		return;
	for (struct arena_block *b = arena->blocks, *older; b != NULL; b = older) {
		older = b->older;
		free(b);
	}
	arena_init(arena, arena->bytes_max);
}

void arena_wipe(struct arena *arena)
{
	for (struct arena_block *b = arena->blocks; b != NULL; b = b->older)
		bytes_wipe(b->p, b->bytes);
}

void arena_reset(struct arena *arena)
{
	struct arena_block *kept = arena->blocks;

	if (kept == NULL)
		return;
	if (kept->bytes > ARENA_KEEP_BYTES_MAX || kept->older != NULL) {
		arena_fini(arena);
		return;
	}
	arena->at = kept->p;
}

static bool add_block(struct arena *arena, size_t n)
{
	size_t bytes = arena->blocks == NULL ? ARENA_BLOCK_BYTES_MIN : arena->blocks->bytes * 2;

	if (bytes > ARENA_BLOCK_BYTES_MAX)
		bytes = ARENA_BLOCK_BYTES_MAX;
	if (bytes > arena->bytes_max - arena->bytes_held)
		bytes = (arena->bytes_max - arena->bytes_held) & ~(size_t)(ARENA_ALIGN - 1);
	if (bytes < n)
		bytes = n;
	if (bytes > arena->bytes_max - arena->bytes_held)
		return false;

	struct arena_block *block = malloc(sizeof(*block) + bytes);

	if (block == NULL)
		return false;
	block->older = arena->blocks;
	block->bytes = bytes;
	arena->blocks = block;
	arena->at = block->p;
	arena->end = block->p + bytes;
	arena->bytes_held += bytes;
	return true;
}

void *arena_alloc(struct arena *arena, size_t n)
{
	RP_ASSERT(arena->bytes_held <= arena->bytes_max);
	if (n > arena->bytes_max)
		return NULL;
	n = num_round_up(n == 0 ? 1 : n, ARENA_ALIGN);
	if ((size_t)(arena->end - arena->at) < n && !add_block(arena, n))
		return NULL;

	void *p = arena->at;

	arena->at += n;
	return p;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
	uint64_t n;

	if (!num_mul(count, size, &n))
		return NULL;
	void *p = arena_alloc(arena, n);

	if (p != NULL)
		memset(p, 0, n);
	return p;
}

struct bytes arena_copy(struct arena *arena, struct bytes b)
{
	uint8_t *p = arena_alloc(arena, b.n);

	if (p == NULL)
		return (struct bytes){ NULL, 0 };
	if (b.n != 0)
		memcpy(p, b.p, b.n);
	return (struct bytes){ p, b.n };
}

void *arena_grow(struct arena *arena, void *p, size_t old_n, size_t new_n)
{
	size_t old_room = num_round_up(old_n == 0 ? 1 : old_n, ARENA_ALIGN);

	if (p != NULL && new_n <= old_room)
		return p;
	if (p != NULL && (uint8_t *)p + old_room == arena->at &&
	    new_n <= (size_t)(arena->end - (uint8_t *)p) &&
	    num_round_up(new_n, ARENA_ALIGN) <= (size_t)(arena->end - (uint8_t *)p)) {
		arena->at = (uint8_t *)p + num_round_up(new_n, ARENA_ALIGN);
		return p;
	}
	void *grown = arena_alloc(arena, new_n);

	if (grown != NULL && old_n != 0)
		memcpy(grown, p, old_n);
	return grown;
}

struct bytes arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	RP_ASSERT(n >= 0);

	char *p = arena_alloc(arena, (size_t)n + 1);

	if (p == NULL)
		return (struct bytes){ NULL, 0 };
	va_start(args, format);
	vsnprintf(p, (size_t)n + 1, format, args);
	va_end(args);
	return (struct bytes){ (const uint8_t *)p, (size_t)n };
}
