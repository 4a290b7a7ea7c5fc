/* two_users.h -- a simulated machine with two users, of whom the first one's files fail. For tests.
 *
 * Both are given the same records, each with a body, by LSN; a record's bytes tell its LSN.
 */
#ifndef RP_TESTS_INDEX_TWO_USERS_H
#define RP_TESTS_INDEX_TWO_USERS_H

#include "index/recover.h"
#include "io/sim.h"
#include "tests/index/log_user.h"

enum {
	FILE_BYTES = 256 * 1024,
	MEMORY_BYTES = 2 * 1024 * 1024,
	FIRST = 10, /* records that are in their files before one fails */
	MORE = 30,
	COUNT = FIRST + MORE,
	HALF = FIRST + MORE / 2,
	BODY_BYTES = 3000,
	USERS = 2, /* the second one's files are sound */
};

struct machine {
	struct sim_world *world;
	struct loop *loop;
	struct commit *commit;
	struct log_user users[USERS];
	struct dbox_ref refs[USERS][COUNT + 1];
	struct sim_broken broken;
	const char *file; /* of the first user, that fails */
	uint64_t epoch;
	unsigned log_files_max; /* 0: as usual */
	uint64_t sealed;
	uint64_t met; /* records in the journal of the user that is looked at */
	struct recover_report report; /* of the last recovery */
	enum rp_err outcome;          /* the test's own */
	unsigned changes;             /* how often the log has told of some */
	bool ended;
	task_fn *fn;
};

/* The next epoch begins. */
void two_users_start_loop(struct machine *machine);

/* Until the task has ended; and a whole life, with an end in order. */
void two_users_run(struct machine *machine, task_fn *fn);
void two_users_live(struct machine *machine, task_fn *fn);

/* The log, and both users; closing them counts the files that were sealed. */
void two_users_open_all(struct task *task, struct machine *machine);
void two_users_close_all(struct task *task, struct machine *machine);

/* What the users hold, when the log has failed. */
void two_users_drop(struct machine *machine);

/* Both get records with these LSNs: durable then. */
void two_users_append(struct task *task, struct machine *machine, uint64_t from, uint64_t to);
void two_users_settle_all(struct task *task, struct machine *machine);

/* All that was settled is on the disk. */
void two_users_sync_all(struct task *task);

/* machine->file is from now on as machine->broken says. */
void two_users_break_file(struct machine *machine);

/* The power goes. Nobody unwinds: what the users held is remembered, so that no leak is seen where there is none. */
void two_users_crash(struct machine *machine);

/* Each user's records are in their places; wholly: and the logs void. */
void two_users_recover_all(struct task *task, struct machine *machine, struct recover **out);
void two_users_recover_wholly(struct task *task, struct machine *machine);

/* Each record of the user is there, with its body, from the files alone; machine->met counts them. */
void two_users_check(struct task *task, struct machine *machine, unsigned u);

/* For journal_replay(): machine->met counts, and none may be missing. */
enum rp_err two_users_meet(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last);

#endif
