/* watch.h -- who wants to hear of changes.
 *
 * A watch lies in its owner (a connection). wake is called when something has changed, outside any
 * task, perhaps many times before the owner looks; it only marks. The owner is told again after it
 * has looked.
 */
#ifndef RP_INDEX_WATCH_H
#define RP_INDEX_WATCH_H

#include "io/base/list.h"

struct watch {
	struct list link;
	void (*wake)(struct watch *watch);
};

void watch_init(struct watch *watch, void (*wake)(struct watch *watch));

/* Call wake of every watch in the list. */
void watch_wake_all(struct list *watches);

#endif
