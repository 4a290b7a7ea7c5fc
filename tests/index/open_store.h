/* open_store.h -- a store of one shard with small files, open and recovered, for tests of what is in it. */
#ifndef RP_TESTS_INDEX_OPEN_STORE_H
#define RP_TESTS_INDEX_OPEN_STORE_H

#include "index/store.h"

/* What most tests need; a test sets what it is about. */
struct store_settings small_store(void);

/* Every step of the recovery must say RP_OK. */
struct store *open_recovered(struct task *task, const struct store_settings *settings, uint64_t epoch);

#endif
