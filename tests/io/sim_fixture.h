/* sim_fixture.h -- a simulated machine, and one task after the other on it, for tests of the simulator itself. */
#ifndef RP_TESTS_IO_SIM_FIXTURE_H
#define RP_TESTS_IO_SIM_FIXTURE_H

#include "io/file.h"
#include "io/sim.h"
#include "io/task.h"

enum { SEEDS = 60 }; /* a chance of one half that never shows in so many tries is no chance */

/* The caller's to close. */
struct sim_world *open_world(uint64_t seed);
struct loop *open_loop(struct sim_world *world, unsigned shard);

/* Run a task to its end, on a loop of its own. */
void run(struct sim_world *world, task_fn *fn, void *arg);

/* A file of the data root, made if it is not there. */
struct file *must_open(struct task *task, const char *path);

/* Up to 16 KiB of one letter, not synced. */
void put(struct task *task, struct file *file, char letter, size_t n, uint64_t offset);

#endif
