/* others.h -- another task on the same loop, which counts how often it was let in. */
#ifndef RP_TESTS_INDEX_OTHERS_H
#define RP_TESTS_INDEX_OTHERS_H

#include "io/task.h"

struct others {
	uint64_t turns;
	bool over;
	bool gone;
};

void others_begin(struct task *task, struct others *others);

/* It has ended when this returns: *others is the caller's again. */
void others_end(struct task *task, struct others *others);

#endif
