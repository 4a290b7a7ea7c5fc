/* blame.h -- whose mail a background task works on just now, so that who ends the server is known (loop_note_owner).
 *
 * A command's task bears its user's note from its start. What the log does for many users (sending, settling, recovery,
 * checkpoints) bears the note of each while his bytes are handled, and nobody's between.
 */
#ifndef RP_INDEX_BLAME_H
#define RP_INDEX_BLAME_H

#include "io/base/num.h"
#include "io/base/userid.h"
#include "io/task.h"

struct blame {
	uint64_t high;
	uint64_t low;
};

/* The task works for this user from now on. Returns whom it worked for before, for blame_restore(). */
static inline struct blame blame_set(struct task *task, const struct userid *userid)
{
	struct blame before;

	task_owner(task, &before.high, &before.low);
	task_set_owner(task, num_get_u64(userid->b), num_get_u64(userid->b + 8));
	return before;
}

static inline void blame_restore(struct task *task, struct blame before)
{
	task_set_owner(task, before.high, before.low);
}

#endif
