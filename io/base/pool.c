#include "io/base/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/num.h"

enum {
	POOL_ALIGN = 16,
	POOL_SLAB_BYTES = 64 * 1024,
};

struct pool_free {
	struct pool_free *next;
};

struct pool_slab {
	struct pool_slab *older;
	_Alignas(POOL_ALIGN) uint8_t p[];
};

void pool_init(struct pool *pool, const char *name, size_t object_bytes, size_t live_count_max)
{
	RP_ASSERT(object_bytes > 0);
	*pool = (struct pool){
		.name = name,
		.object_bytes = num_round_up(object_bytes, POOL_ALIGN),
		.live_count_max = live_count_max,
	};
}

void pool_fini(struct pool *pool)
{
	RP_ASSERT(pool->live_count == 0);
	for (struct pool_slab *s = pool->slabs, *older; s != NULL; s = older) {
		older = s->older;
		free(s);
	}
	pool->slabs = NULL;
	pool->free = NULL;
}

#ifdef RP_SANITIZED

/* Each object by itself, so that the sanitizer sees one used after it was given back. */
void *pool_take(struct pool *pool)
{
	if (pool->live_count >= pool->live_count_max)
		return NULL;
	void *object = calloc(1, pool->object_bytes);

	pool->live_count += object != NULL;
	return object;
}

void pool_give(struct pool *pool, void *object)
{
	RP_ASSERT(object == NULL || pool->live_count > 0);
	pool->live_count -= object != NULL;
	free(object);
}

#else

static void add_slab(struct pool *pool)
{
	size_t count = POOL_SLAB_BYTES / pool->object_bytes;

	if (count == 0)
		count = 1;
	struct pool_slab *slab = malloc(sizeof(*slab) + count * pool->object_bytes);

	if (slab == NULL)
		return;
	slab->older = pool->slabs;
	pool->slabs = slab;
	while (count-- > 0) {
		struct pool_free *object = (void *)(slab->p + count * pool->object_bytes);

		object->next = pool->free;
		pool->free = object;
	}
}

void *pool_take(struct pool *pool)
{
	if (pool->live_count >= pool->live_count_max)
		return NULL;
	if (pool->free == NULL)
		add_slab(pool);
	struct pool_free *object = pool->free;

	if (object == NULL)
		return NULL;
	pool->free = object->next;
	pool->live_count++;
	memset(object, 0, pool->object_bytes);
	return object;
}

void pool_give(struct pool *pool, void *object)
{
	struct pool_free *link = object;

	if (link == NULL)
		return;
	RP_ASSERT(pool->live_count > 0);
	link->next = pool->free;
	pool->free = link;
	pool->live_count--;
}

#endif
