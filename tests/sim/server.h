/* server.h -- the server of one life: its shards start, recover, serve, and end. */
#ifndef RP_TESTS_SIM_SERVER_H
#define RP_TESTS_SIM_SERVER_H

#include "tests/sim/machine.h"

enum { SERVER_CALL_DELIVER }; /* in: struct mailman_in; out: struct deliver_out */

bool machine_step(struct machine *machine);

/* Shards as the life says, each with a task that starts it. */
void server_start(struct machine *machine);

/* All shards have ended; did they say that everything is in its place? */
bool server_ended(const struct machine *machine);
bool server_ended_well(const struct machine *machine);

/* After an end or a crash: what the harness itself had. */
void server_gone(struct machine *machine);

/* What the shards have logged is taken out (and printed, if that is wanted). */
/* What the stores have counted, before they are gone. */
void server_count(struct machine *machine);

void server_read_logs(struct machine *machine);

/* Another server on the same DATA: it must be refused while the first one has it. */
void server_second_start(struct machine *machine);
void server_second_look(struct machine *machine);

/* The settings of every store here. */
struct store_settings server_settings(unsigned shards_count);

#endif
