/* ledger.h -- what must be true of one user's mail, whatever happens to the machine.
 *
 * The states that his mail went through stand here in order, each a whole model. A crash may leave any of them from the newest
 * one on that is promised to anybody: acknowledged, or revealed by an answer that passed its gate, or called durable by the
 * log. Which one it left, the volume says when it is opened (its LSN); everything is then compared with that state.
 */
#ifndef RP_TESTS_SIM_LEDGER_H
#define RP_TESTS_SIM_LEDGER_H

#include "tests/index/model.h"
#include "tests/sim/tally.h"

enum {
	LEDGER_STATES = 40,     /* kept; changes wait when so many are not durable */
	LEDGER_ANSWERS = 32,    /* that wait at their gates */
	LEDGER_FLIGHT_MAX = 20, /* each of those who are at work may add three more */
};

struct ledger_state {
	uint64_t lsn;
	uint64_t lsn_last; /* so it is up to here: records of bodies moved, of an opening, which nobody can tell */
	uint64_t position; /* in the commit log of this life */
	bool blank;        /* nothing was ever written */
	bool destroyed;
	struct model model;
};

/* What somebody was told, or will be when it passes the gate. */
struct ledger_answer {
	uint64_t lsn;
	uint64_t stamp;
	bool acknowledges;
};

/* A message came into a mailbox, or left it. */
struct ledger_event {
	uint64_t mailboxid;
	uint64_t lsn;
	uint64_t part_lsn; /* of the change's part that tells of it: who asks what was expunged since an older one is told */
	uint32_t uid;
	uint32_t seed; /* its body, when it came */
	uint32_t bytes;
};

/* A message that was expunged, or in a mailbox that was deleted. */
struct ledger_kept {
	struct model_message message;
	uint64_t mailboxid;
	uint64_t lsn;
	uint64_t seconds;  /* when */
	uint64_t back_lsn; /* then it was brought back; 0: it was not */
};

struct ledger_events {
	struct ledger_event *event;
	size_t count;
	size_t max;
};

/* Who compares must not be disturbed. Taken by tasks, who poll. */
struct ledger_lock {
	bool alone;
	unsigned shared;
};

struct ledger {
	struct userid userid;
	struct tally *tally;
	uint64_t count;   /* states there ever were; the newest is count - 1 */
	uint64_t first;   /* the oldest that is kept */
	uint64_t durable; /* no crash may leave an older one */
	uint64_t acknowledged_lsn;
	uint64_t revealed_lsn;
	uint64_t lsn_seen;
	uint64_t openings_unseen; /* lives since his volume was met: each may have written the record that ends what a cut left void */
	struct ledger_answer answer[LEDGER_ANSWERS];
	unsigned answers_count;
	struct ledger_events born; /* by LSN, all there ever were */
	struct ledger_events expunged;
	struct ledger_kept *kept; /* likewise; kept_count of them */
	size_t kept_count;
	size_t kept_max;
	struct ledger_state state[LEDGER_STATES];

	/* Of this life. */
	uint64_t poll_ns;
	bool met;     /* his volume was open */
	bool checked; /* and compared whole */
	struct ledger_lock
	    changing; /* shared by all who change something; comparing needs it alone */
	struct ledger_lock
	    naming; /* shared by who goes by a name; who changes names needs it alone */
	bool
	    compacting; /* a step ago, or asked for: its last record may be of the step in which it ends */
	struct volume *volume; /* right after a step: where it is open */
};

void ledger_init(struct ledger *ledger, const struct userid *userid, struct tally *tally);
void ledger_fini(struct ledger *ledger);

/* False: this task was cancelled. */
bool ledger_lock_shared(struct task *task, struct ledger *ledger, struct ledger_lock *lock);
bool ledger_lock_alone(struct task *task, struct ledger *ledger, struct ledger_lock *lock);

/* Wait until so few changes are not durable that there is room for more. False: this task was cancelled, or the server stops (its
 * log may have failed, and nothing becomes durable any more). */
bool ledger_wait_room(struct task *task, struct ledger *ledger, const bool *stop);

struct ledger_state *ledger_newest(struct ledger *ledger);

/* The server is started anew. in_order: the last one ended so, and all must be there. */
void ledger_new_life(struct ledger *ledger, bool in_order);

/* His volume is open for the first time in this life: which state is it? */
void ledger_found(struct ledger *ledger, struct volume *volume);

/* One change was just made: the next state. more: and others after it, in the same step; each is one record then. */
void ledger_changed(
    struct ledger *ledger, struct volume *volume, const struct model_op *op, bool more);
/* Records were made that change nothing that can be seen. */
void ledger_unchanged(struct ledger *ledger, const struct volume *volume);
void ledger_destroyed(struct ledger *ledger, struct volume *volume);

/* The log is durable up to this position. */
void ledger_durable(struct ledger *ledger, uint64_t position);

/* Somebody is told how it is now, as soon as the log is durable up to stamp. */
void ledger_answer(struct ledger *ledger, uint64_t stamp, bool acknowledges);

/* May an operation that has changed nothing, and began when there were `since` states, end so? */
bool ledger_allows(
    const struct ledger *ledger, uint64_t since, const struct model_op *op, enum rp_err err);

/* All of his mail is as the newest state says, bodies too; nothing may change meanwhile. */
void ledger_compare(struct task *task, struct ledger *ledger, struct volume *volume);

/* What this UID of this mailbox is, or was; NULL: nothing. */
const struct ledger_event *ledger_born(
    const struct ledger *ledger, uint64_t mailboxid, uint32_t uid);

/* What this UID was when it was expunged; NULL: it was moved, or is there. */
struct ledger_kept *ledger_kept_of(const struct ledger *ledger, uint64_t mailboxid, uint32_t uid);

/* The expunge history of an open mailbox since some moment. No task: compared in one breath. */
void ledger_compare_history(struct ledger *ledger, struct mailbox *mailbox, uint64_t since);

#endif
