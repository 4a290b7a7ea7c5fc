/* wasted.h -- a user whose files of bodies are mostly waste, for tests of what empties them. Each step must say RP_OK. */
#ifndef RP_TESTS_INDEX_WASTED_H
#define RP_TESTS_INDEX_WASTED_H

#include "index/store.h"
#include "index/volume.h"
#include "io/sim.h"

/* So many files' worth; of each the first messages stay, of one fewer than of the others. */
enum { WASTED_FILES = 12, WASTED_IN_FILE = 7, WASTED_STAY = 2, WASTED_ODD = 5 };

/* Journals of 16 KiB, files of bodies of 32 KiB. */
struct store *wasted_open_store(struct task *task, uint64_t epoch);

void wasted_wait(struct task *task, const bool *busy);
void wasted_checkpoint(struct task *task, struct volume *volume);

/* Of all files of bodies. */
uint64_t wasted_bytes(struct task *task, struct volume *volume);

/* A message of 4,000 letters to INBOX; its text is that of the seed. */
void wasted_append(struct task *task, struct volume *volume, uint32_t seed, uint32_t flags);

/* All that, settled; nothing is emptied meanwhile. */
void wasted_make(struct task *task, struct volume *volume);

/* One more machine's life in this world. */
struct loop *wasted_start(struct sim_world *world, task_fn *fn, void *arg);

#endif
