/* machine.h -- one simulated machine and all its lives: servers that start, work, crash or end, and start again.
 *
 *   start: shards, store, recovery in the background -> clients at work, faults -> power cut, or an end in order -> start ...
 *
 * A seed decides everything; a plan may leave things out, so that a failure can be told by a short history.
 */
#ifndef RP_TESTS_SIM_MACHINE_H
#define RP_TESTS_SIM_MACHINE_H

#include "index/store.h"
#include "io/base/arena.h"
#include "io/shard_call.h"
#include "io/sim.h"
#include "tests/sim/ledger.h"

enum {
	MACHINE_USERS = 4,
	MACHINE_SHARDS_MAX = 3,
	MACHINE_ACTORS_MAX = 32,
	MACHINE_LIVES_MAX = 6,
	PLAN_ONLY_MAX = 512,
	PLAN_OPS_PER_CLIENT = 1000,
	PLAN_CLIENTS_PER_LIFE = 100,
};

/* What a plan may leave out. */
enum plan_off {
	PLAN_NO_SHORT = 1 << 0,
	PLAN_NO_EIO = 1 << 1,
	PLAN_NO_SYNC_EIO = 1 << 2,
	PLAN_NO_FULL = 1 << 3,
	PLAN_NO_SLOW = 1 << 4,
	PLAN_NO_JUMP = 1 << 5,
	PLAN_NO_SECOND = 1 << 6,
	PLAN_NO_DAMAGE = 1 << 7,
	PLAN_NO_CANCEL = 1 << 8,
	PLAN_NO_DESTROY = 1 << 9,
	PLAN_NO_AWAY = 1 << 10,
	PLAN_OFF_COUNT = 11,
};

/* Operations have numbers: life, client, and which one of this client. */
struct plan_range {
	uint32_t first;
	uint32_t last;
};

struct plan {
	uint64_t seed;
	unsigned off; /* enum plan_off */
	bool some;    /* only these operations: */
	struct plan_range only[PLAN_ONLY_MAX];
	unsigned only_count;
	bool tells;          /* print what happens */
	uint32_t *did;       /* the numbers of the operations that were made go here, */
	uint32_t *did_count; /* so many, */
	uint32_t did_max;    /* and not more; 0: nobody wants to know */
};

extern const char *const plan_off_name[PLAN_OFF_COUNT];

struct machine;

/* Somebody who is about to change a user's mail: what a step of his task has changed is this. */
struct actor {
	const struct task *task;
	struct ledger *ledger;
	struct model_op op[3]; /* in this order */
	unsigned ops_count;
	unsigned made;  /* so many have happened */
	bool destroys;  /* instead */
	uint64_t since; /* states there were when he began */
	uint32_t uid;   /* that the last one's first message has by the model */
};

struct shard {
	struct machine *machine;
	unsigned number;
	struct loop *loop;
	struct log *log;
	struct store *store;
	struct arena arena;
	unsigned clients; /* tasks that are at work */
	uint64_t compacts;       /* as its store counts, while it is open */
	uint64_t compacts_noted;
	bool up;          /* the store is open */
	bool placed;
	bool ended;
	enum rp_err end_err;
};

/* When the disk is away (away.h). */
struct away {
	uint64_t random;
	uint64_t ns; /* 0: never */
	uint64_t at_step;
	uint64_t step;
	uint64_t until_ns;
	bool of_file; /* one file alone */
	uint64_t spoil_step; /* from then on some journal takes nothing more; 0: none does that */
};

/* When the disk is small, and when it is not (room.h). */
struct room {
	uint64_t random;
	uint64_t small_bytes;
	uint64_t next_ns;    /* 0: it stays as it is */
	uint64_t endless_ns; /* since then; 0: it is small */
	bool given[MACHINE_SHARDS_MAX]; /* the shard has given the reserve up */
};

/* What this life is like. */
struct life {
	unsigned number;
	unsigned shards_count;
	struct sim_faults faults;
	bool failing; /* operations may be refused */
	bool reads_fail;
	struct away away;
	struct room room;
	bool in_order; /* it is to end so */
	uint64_t steps;
	uint64_t epoch;
	struct claim *claim;
	unsigned clients_count; /* that there ever were: their numbers */
	bool claimed;
	bool voided;
	bool recovered;
	bool stop;
	bool log_failed;
	bool checkpoint_met;
	struct shard_group *group;
	struct loop *second; /* another server that tries to start */
	bool second_ended;
};

struct machine {
	struct plan plan;
	struct tally *tally;
	struct sim_world *world;
	uint64_t random;
	struct life life;
	struct shard shard[MACHINE_SHARDS_MAX];
	struct ledger ledger[MACHINE_USERS];
	unsigned generation[MACHINE_USERS];
	struct actor *actor[MACHINE_ACTORS_MAX];
	struct task *session[MACHINE_ACTORS_MAX]; /* that may be cancelled */
	bool has_evil;
	bool loses_logs; /* the last life ends by a power cut, and the commit logs are gone then */
	bool told_late; /* a flush that failed in an earlier life may be told in this one: no power cut was between */
	uint64_t steps;
	uint64_t wall_max_s; /* the latest time that any clock has shown */
};

/* The seed from its first life to the last; ends the process when a promise was broken. Returns the world's digest. */
uint64_t machine_run(const struct plan *plan, struct tally *tally);

/* A number below n from the machine's stream: only between steps. */
uint32_t machine_draw(struct machine *machine, uint32_t n);

/* Print what happens, if that is wanted. */
void machine_tell(struct machine *machine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Is this operation to be made? It is noted. */
bool machine_wants(struct machine *machine, unsigned client, unsigned op);

/* How long a task that waits for another one sleeps. */
uint64_t machine_poll_ns(const struct machine *machine);

/* From now to then, what this task changes of his user is this. */
void machine_act(struct machine *machine, struct actor *actor, struct task *task);
void machine_acted(struct machine *machine, struct actor *actor);

/* Has something changed in his mail? Called after each step, and when an actor's change has returned. */
void machine_look(struct machine *machine, struct ledger *ledger);

/* RP_OK; or one of the ways in which this life's faults may show themselves (false). Anything else is a failure. */
bool machine_is_well(struct machine *machine, enum rp_err err);

#endif
