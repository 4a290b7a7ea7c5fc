/* client.h -- a model of IMAP sessions: who looks at mail and changes it, and is told nothing that may yet be lost. */
#ifndef RP_TESTS_SIM_CLIENT_H
#define RP_TESTS_SIM_CLIENT_H

#include "tests/sim/machine.h"

/* Two sessions of this user on his home shard. */
void client_start(struct shard *shard, struct ledger *ledger);

/* Did an operation that has ended do what the model says? RP_OK or an error of the model's: true. False: a fault refused it. */
bool client_judge(struct machine *machine, struct actor *actor, enum rp_err err);

#endif
