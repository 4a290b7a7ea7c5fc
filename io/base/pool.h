/* pool.h -- objects of one size that come and go, of one shard.
 *
 * Taken from slabs, given back to a free list; slabs are given back when the pool ends. One thread.
 */
#ifndef RP_IO_BASE_POOL_H
#define RP_IO_BASE_POOL_H

#include <stddef.h>

#include "io/base/assert.h"

struct pool_slab;
struct pool_free;

struct pool {
	const char *name; /* in stats */
	size_t object_bytes;
	size_t live_count;     /* taken and not given back */
	size_t live_count_max; /* the bound; what it protects is said where the pool is made */
	struct pool_free *free;
	struct pool_slab *slabs;
};

/* Takes no memory yet. name: static text. */
void pool_init(struct pool *pool, const char *name, size_t object_bytes, size_t live_count_max);

/* All objects are given back (asserted), then the slabs. */
void pool_fini(struct pool *pool);

/* A zeroed object. NULL: over the bound, or the machine has no memory. */
RP_MUST_USE void *pool_take(struct pool *pool);

/* NULL is fine. */
void pool_give(struct pool *pool, void *object);

#endif
