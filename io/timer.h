/* timer.h -- call me later: a timer wheel on the loop's monotonic clock.
 *
 * A tick is 65,536 ns: a timer is called up to that much late, never early.
 */
#ifndef RP_IO_TIMER_H
#define RP_IO_TIMER_H

#include "io/base/list.h"
#include "io/loop.h"

struct timer;

typedef void timer_fn(struct timer *timer);

/* Lies in its owner's object; the owner finds itself by RP_CONTAINER_OF. */
struct timer {
	struct list link;
	uint64_t due_ns;
	timer_fn *fn;
};

void timer_init(struct timer *timer, timer_fn *fn);

/* Call fn once at or soon after now + ns, on the loop's thread, outside any task. A timer that is set
 * already is moved. O(1). */
void timer_set(struct loop *loop, struct timer *timer, uint64_t ns);

/* Not any more; fine when it is not set. */
void timer_clear(struct timer *timer);
bool timer_is_set(const struct timer *timer);

#endif
