/* long_sort.h -- qsort() of very many, and room for them, in the background: others are let in on the way. */
#ifndef RP_INDEX_LONG_SORT_H
#define RP_INDEX_LONG_SORT_H

#include "io/task.h"

/* `p` is the caller's own while it lasts. task NULL: nobody waits. RP_ERR_NOMEM: as much again
 * is needed; on an error, RP_ERR_CANCELED too, all are there in some order. */
RP_MUST_USE enum rp_err long_sort(struct task *task, void *p, size_t count, size_t bytes,
    int (*compare)(const void *, const void *));

/* realloc() of *p to `bytes`, of which the first `used` are copied. On an error *p is as it was. */
RP_MUST_USE enum rp_err long_realloc(struct task *task, void **p, size_t used, size_t bytes);

#endif
