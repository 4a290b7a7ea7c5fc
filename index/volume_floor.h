/* volume_floor.h -- below what a user's numbers must not fall, though records of his journal are lost.
 *
 * A catalog is written when its changes are durable. Where the journal was damaged a catalog may know of more: that UIDs, MODSEQs
 * and ids of mailboxes were given out and shown. They must not be given out again.
 */
#ifndef RP_INDEX_VOLUME_FLOOR_H
#define RP_INDEX_VOLUME_FLOOR_H

#include "index/volume_state.h"

/* Raise UIDNEXT and HIGHESTMODSEQ of the mailboxes that both know, the next mailboxid, the last UIDVALIDITY and the LSN to what the
 * floor has: one record, in the journal when this returns. Nothing is lower: nothing is done. */
RP_MUST_USE enum rp_err volume_floor_raise(
    struct task *task, struct volume *volume, const struct catalog *floor);

/* When a volume is opened: if there is a sound catalog ahead of the journal, raise to it. */
RP_MUST_USE enum rp_err volume_floor_check(struct task *task, struct volume *volume);

#endif
