/* keep.h -- what was expunged when is over, and need not be kept any more?
 *
 * The clock says so, but the clock may be wrong, and what is thrown away once is gone. So it is believed only while it goes as the
 * monotonic clock does: for a day after a start nothing is over, and a jump forward of more than an hour counts when it has stood for
 * a day. Until then time goes on from where it was. A jump backward counts at once: by it things are kept longer, no more.
 */
#ifndef RP_INDEX_KEEP_H
#define RP_INDEX_KEEP_H

#include <stdbool.h>
#include <stdint.h>

enum {
	KEEP_TRUST_S =
	    24 * 3600, /* so long a clock must stand before what it says throws anything away */
	KEEP_JUMP_S = 3600, /* forward: less is a correction */
};

struct store;

/* As the clock was seen last. All 0: never yet. */
struct keep_clock {
	uint64_t wall_s;
	uint64_t mono_s;
	uint64_t start_mono_s;
	uint64_t jump_mono_s;
	bool started;
	bool jumped; /* forward, and that is not believed yet */
};

/* Seconds since 1970, as far as they are believed; *sure: what is over by them may be thrown away. Pure. */
uint64_t keep_clock_now(
    struct keep_clock *clock, uint64_t wall_s, uint64_t mono_s, uint64_t trust_s, bool *sure);

/* What was expunged in this second or before is over. 0: nothing is; UINT64_MAX: nothing is kept at all. */
uint64_t keep_since(struct store *store);

/* When what is expunged now is expunged, for its record; 0: it is not kept. */
uint64_t keep_stamp(struct store *store);

#endif
