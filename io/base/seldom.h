/* seldom.h -- what the log says of one thing after the other, but of each now and then only, and bounded in all.
 *
 * A user whose files have wrong modes, or a message that is damaged, is met at each try of a client. Of as many as are remembered
 * each is named once in a while; where there are more, all together once in a second.
 */
#ifndef RP_IO_BASE_SELDOM_H
#define RP_IO_BASE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { SELDOM_COUNT = 64 }; /* things that are remembered */

/* Zeroes: nothing was named yet. */
struct seldom {
	struct seldom_one {
		uint64_t who;
		uint64_t told_ns; /* 0: nobody */
	} one[SELDOM_COUNT];
};

/* Is it to be named now? Then it counts as named. who: a hash of what it is. */
bool seldom_is_due(struct seldom *seldom, uint64_t who, uint64_t monotonic_ns, uint64_t again_ns);

#endif
