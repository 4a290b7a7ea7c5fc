/* kept_read.h -- what a user can have back, read from his journals. */
#ifndef RP_INDEX_KEPT_READ_H
#define RP_INDEX_KEPT_READ_H

#include "index/kept.h"
#include "index/volume_state.h"

/* kept_init() as the store's settings say. */
void kept_begin(const struct volume *volume, struct kept *kept);

/* kept_ready(); if some are let go because there are too many, that is told once in the log, and counted. */
RP_MUST_USE enum rp_err kept_any(
    struct task *task, struct volume *volume, struct kept *kept, bool *any);

/* All that was expunged before this call, and more. What a journal has lost is not there. On an error there is nothing in it.
 * pace: of a compaction, which whoever holds it up (compact_hold()) ends; NULL: somebody waits for it. RP_ERR_CANCELED: that, or the
 * store closes. */
RP_MUST_USE enum rp_err kept_read(
    struct task *task, struct volume *volume, struct pace *pace, struct kept *kept);

/* Likewise for a repair: a MOVE of several records has lost some, and those that are left tell what it took out. All of that counts as expunged
 * then: where it went is for the caller to find out. */
RP_MUST_USE enum rp_err kept_read_lost(
    struct task *task, struct volume *volume, uint64_t seconds, struct kept *kept);

/* Those that kept_add() has put get the flags that records tell of. */
RP_MUST_USE enum rp_err kept_read_flags(
    struct task *task, struct volume *volume, struct kept *kept);

#endif
