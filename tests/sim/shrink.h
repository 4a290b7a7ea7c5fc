/* shrink.h -- a seed that failed, told by the shortest history that still fails. */
#ifndef RP_TESTS_SIM_SHRINK_H
#define RP_TESTS_SIM_SHRINK_H

#include "tests/sim/machine.h"

enum {
	SHRINK_SEED_S = 120, /* a seed that takes longer hangs */
	SHRINK_S = 60,       /* so long it is tried to shorten one */
};

/* Run a plan in a process of its own; its output goes to the descriptor (-1: nowhere). False: it failed. */
bool shrink_try(const struct plan *plan, int output_fd);

/* The plan of a failing seed: with operations and kinds of faults left out, as many as can be. */
void shrink(struct plan *plan);

/* Print how to run it again, and what happens in it. */
void shrink_tell(const struct plan *plan);

#endif
