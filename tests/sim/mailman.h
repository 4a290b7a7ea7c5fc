/* mailman.h -- deliveries: LMTP sessions without a socket, each message to users of any shard. */
#ifndef RP_TESTS_SIM_MAILMAN_H
#define RP_TESTS_SIM_MAILMAN_H

#include "tests/sim/machine.h"

/* One on this shard. */
void mailman_start(struct shard *shard);

/* The row of the table of calls, on the user's home shard. */
enum rp_err mailman_call(struct task *task, void *world, const void *in, void *out);

#endif
