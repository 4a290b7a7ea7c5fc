/* sweep.h -- every user of the shard is looked at once in a day, whether anything comes to him or not.
 *
 *   a slot of users/ -> each user in it: open, merge_consider, compact_consider, close -> sleep -> the next slot
 *
 * Merge and compaction are looked for where a checkpoint was; time alone makes them worth while too, when what was kept for undelete
 * is over. Of a user who was deleted, what is left of his files is removed. Slots are spread over the day by the clock, so that a server that is started anew each day comes by all of them. A user
 * who was not open is closed at once: those in use keep their place in memory. One who cannot be opened is passed over; opening told why.
 */
#ifndef RP_INDEX_SWEEP_H
#define RP_INDEX_SWEEP_H

#include "index/store.h"

enum { SWEEP_S = 24 * 3600 }; /* all of them in */

/* Until store_close(), which cancels it. No task. */
void sweep_start(struct store *store);

#endif
