/* repair_core.h -- what repair.c and repair_bodies.c share. */
#ifndef RP_INDEX_REPAIR_CORE_H
#define RP_INDEX_REPAIR_CORE_H

#include "index/repair.h"
#include "index/volume_state.h"

struct repair {
	struct volume *volume;
	repair_say_fn *say;
	void *arg;
	struct repair_report *report;
	struct dbox_ref *unsound; /* bodies that check has found damaged, unsound_count of them */
	size_t unsound_count;
	size_t unsound_max;
};

void repair_say(struct repair *repair, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Make mailboxes and messages from the bodies, in a volume in which nothing has happened. names: what a catalog still
 * knows; more are added from the dbox files. */
RP_MUST_USE enum rp_err repair_from_bodies(
    struct task *task, struct repair *repair, struct catalog *names);

#endif
