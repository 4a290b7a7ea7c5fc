/* room.h -- what may be refused, or left, asks before it is written whether the disk has room for it: a body that is streamed, LMTP's
 * spool, a cache. The last room is for what was promised.
 */
#ifndef RP_INDEX_ROOM_H
#define RP_INDEX_ROOM_H

#include "index/store.h"

/* May so many bytes more be written? By the last look at the disk; there is another one each second, and each MiB that is asked for. */
bool room_ask(struct task *task, struct store *store, uint64_t bytes);

#endif
