/* cost.h -- what damage may cost, by the bytes that it has hit: nothing but what those bytes said.
 *
 *   cost_begin   the files are sound: what do they say?        (plain.h; must be what the server says)
 *   cost_damaged a file was damaged, or several: what do they still say?
 *   cost_opened, cost_repaired   what the server makes of it
 *
 * Opened: each mailbox is as the sound records say, or, while its index is there, as it was. Repaired: there is, too, what an index or a
 * catalog knows, and each message whose own record is lost and whose body is not. What was expunged stays so where a record
 * tells, and what is kept for undelete is offered.
 */
#ifndef RP_TESTS_SIM_COST_H
#define RP_TESTS_SIM_COST_H

#include "tests/sim/plain.h"

struct cost {
	struct machine *machine;
	const struct userid *userid;
	struct plain was;
	struct plain left;
	size_t records_lost;
	bool end_lost; /* found before more records came */
	bool derived; /* catalog and indexes are there, and sound */
};

void cost_begin(struct cost *cost, struct machine *machine, const struct userid *userid);
void cost_damaged(struct cost *cost, bool derived);
/* Since it was opened over the damage more mail has come, and what the server has written by then knows of it. */
void cost_went_on(struct cost *cost);
void cost_fini(struct cost *cost);

/* All is as the plain reading says, before anything is damaged. */
void cost_sound(struct task *task, struct cost *cost, struct volume *volume);
void cost_opened(struct task *task, struct cost *cost, struct volume *volume);
/* opened: the server had opened it before, and made something of it. */
void cost_repaired(struct task *task, struct cost *cost, struct volume *volume, bool opened);

#endif
