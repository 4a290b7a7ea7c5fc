/* looker.h -- an admin who runs check when a server has ended, before the next one starts: after power cuts too.
 *
 * Nobody has damaged anything: of journals and bodies nothing is found that the next start does not put in order, and no byte of
 * anybody's files changes.
 */
#ifndef RP_TESTS_SIM_LOOKER_H
#define RP_TESTS_SIM_LOOKER_H

#include "tests/sim/machine.h"

/* Nothing runs, and the disk is there. */
void looker_run(struct machine *machine);

#endif
