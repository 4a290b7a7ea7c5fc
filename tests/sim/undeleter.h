/* undeleter.h -- what was expunged within the time is offered, all of it, and comes back as it was. */
#ifndef RP_TESTS_SIM_UNDELETER_H
#define RP_TESTS_SIM_UNDELETER_H

#include "tests/sim/machine.h"

/* Compare all that is offered with what the ledger knows, bodies too; then bring some of it back. */
void undeleter_run(struct task *task, struct machine *machine, struct ledger *ledger,
    struct volume *volume, uint64_t *random);

/* How long this machine keeps what was expunged: not at all, so shortly that time goes by, or beyond all that happens. */
uint64_t undeleter_keep_s(const struct machine *machine);

/* The clock is about to be set, or was. */
void undeleter_note_clock(struct machine *machine);

#endif
