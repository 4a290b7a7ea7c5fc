/* store_look.h -- are the files sound that are no user's own: DATA/store, and the commit logs? For check, while no server runs: it writes
 * to them. */
#ifndef RP_INDEX_STORE_LOOK_H
#define RP_INDEX_STORE_LOOK_H

#include "index/repair/repair.h"

/* One line for each place that is not. *damaged: how many. */
RP_MUST_USE enum rp_err store_look(
    struct task *task, struct store *store, repair_say_fn *say, void *arg, uint64_t *damaged);

#endif
