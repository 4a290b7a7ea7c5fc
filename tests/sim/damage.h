/* damage.h -- files at rest that have gone bad, when the last life of a seed has ended in order.
 *
 *   derived files damaged    nothing that a client sees changes
 *   journals, bodies         what lay there is lost and reported, what is around it is served; repair lowers nothing
 *   commit logs, DATA/store  nothing was in them: nothing changes, or the server says why it does not start
 *
 *   the logs' folder gone    the server says why it does not start, a repair goes on without; of one shard's it starts. No number that was
 *                            shown comes again; after a power cut (damage_run_without_logs) what only they had is lost
 *
 * And check finds what was damaged, and changes no file.
 */
#ifndef RP_TESTS_SIM_DAMAGE_H
#define RP_TESTS_SIM_DAMAGE_H

#include "tests/sim/machine.h"

enum damage_what {
	DAMAGE_DERIVED,
	DAMAGE_TRUTH,
	DAMAGE_LOG,
};

void damage_run(struct machine *machine);

/* The last life ended by a power cut, and the folder of the commit logs, or of one shard's, is gone. */
void damage_run_without_logs(struct machine *machine);

/* damage_disk.c: one file of this kind (of this user) is damaged. False: there is none. */
enum { DAMAGE_PATH_BYTES = 256 };
struct damage {
	enum file_root root;
	char path[DAMAGE_PATH_BYTES];
	uint8_t *was; /* was_bytes: what the file was */
	size_t was_bytes;
};
bool damage_disk(struct machine *machine, enum damage_what what, const struct userid *userid,
    struct damage *damage);

/* All that is derived is gone: nothing but journals and bodies tells of anything. */
void damage_forget(struct machine *machine, const struct userid *userid);

/* The folder of the commit logs is gone; or that of one shard, if it was there. The count of files. */
enum { DAMAGE_ALL_SHARDS = -1 };
unsigned damage_lose_logs(struct machine *machine, int shard);

/* The file is as it was again; or the damage is only forgotten. */
void damage_undo(struct machine *machine, struct damage *damage);
void damage_fini(struct damage *damage);

/* A number for all bytes of his files. */
uint64_t damage_disk_digest(struct machine *machine, const struct userid *userid);
uint64_t damage_disk_digest_all(struct machine *machine);

/* What clients were told of mailboxes that are, or were, there. */
enum { DAMAGE_SHOWN_MAX = 256 };
struct damage_shown {
	uint64_t name; /* a number that stands for it */
	uint64_t mailboxid;
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;
};
struct damage_shown_all {
	struct damage_shown shown[DAMAGE_SHOWN_MAX];
	unsigned count;
};
/* Note it. No two mailboxes have one UIDVALIDITY, nothing is lower than what was noted before under the same one, and a mailbox
 * that has its name still has no lower one. (Whose name and UIDVALIDITY are lost gets others: nobody has it cached under that name.) */
void damage_shown(struct volume *volume, struct damage_shown_all *all);
/* What they would have been told in the newest state that is promised to anybody: no crash may leave an older one. */
void damage_shown_promised(const struct ledger *ledger, struct damage_shown_all *all);

/* Mail that comes to each of his mailboxes, behind damage, and a checkpoint: what was lost has been gone over by then. No ledger knows of it,
 * so a look passes over it: its INTERNALDATE, which no other message has, tells. */
enum { DAMAGE_CAME_S = 1234567 };
void damage_go_on(struct task *task, struct volume *volume);

/* damage_look.c: how his mail, opened over damage, differs from what the newest promised state says. */
struct damage_loss {
	unsigned mailboxes_lost;
	unsigned messages_lost;  /* not listed */
	unsigned messages_back;  /* that were expunged */
	unsigned messages_older; /* flags or MODSEQ as they were before */
	unsigned bodies_lost;    /* listed, and an error instead of the body */
	unsigned bodies_unnamed; /* of these, not named by check */
	unsigned counters_older; /* UIDNEXT or HIGHESTMODSEQ are lower under the same UIDVALIDITY */
	unsigned served;
};

/* lines: what check has said. Ends the process when a message has another's bytes. */
void damage_look(struct task *task, const struct ledger *ledger, struct volume *volume,
    struct bytes lines, struct damage_loss *loss);
bool damage_is_loss(const struct damage_loss *loss);

#endif
