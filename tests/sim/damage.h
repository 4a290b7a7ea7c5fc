/* damage.h -- files at rest that have gone bad. */
#ifndef RP_TESTS_SIM_DAMAGE_H
#define RP_TESTS_SIM_DAMAGE_H

#include "tests/sim/machine.h"

void damage_run(struct machine *machine);

#endif
