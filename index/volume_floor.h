/* volume_floor.h -- below what a user's numbers must not fall, though records of his journal are lost.
 *
 * What was shown is never given out again with another meaning: a UID under its UIDVALIDITY, a MODSEQ, a UIDVALIDITY, the id of a
 * mailbox. The records that are left do not tell what the lost ones gave out, so numbers rise by more than those can have:
 *
 *   the newest records are, or may be, lost       all mailboxes, the sums, the LSN; more, if it is a commit log that has lost them
 *   records are missing before sound ones         the mailboxes of which no record behind them tells, and the sums likewise
 *
 * One record does it, and tells of all that it raises; so who meets the same loss again finds it done, and a loss costs its
 * margin once.
 */
#ifndef RP_INDEX_VOLUME_FLOOR_H
#define RP_INDEX_VOLUME_FLOOR_H

#include "index/volume_state.h"

/* When a volume is opened: if records are lost, raise. The record is in the journal when this returns. */
RP_MUST_USE enum rp_err volume_floor_check(struct task *task, struct volume *volume);

/* A record that raises nothing, in the journal when this returns: after a repair, so that the journal has a file in use again, whose
 * loss can be seen; and where a loss of the commit logs has spared him, so that the next opening need not know. */
RP_MUST_USE enum rp_err volume_floor_begin(struct task *task, struct volume *volume);

/* Do his own files show that the newest records are, or may be, lost? */
bool volume_floor_shows_end_lost(const struct volume *volume);

/* May the newest records be lost? As it was when the volume was opened. */
bool volume_floor_end_is_lost(const struct volume *volume);

/* Above every UID, UIDVALIDITY, mailboxid, LSN that records behind the last known ones can have given out. A journal file of 8 MiB has
 * room for fewer than half a million UIDs; the margins shrink with what is left, so that no number of losses exhausts it. */
uint32_t volume_floor_uidnext(uint32_t uidnext);
uint32_t volume_floor_uidvalidity(const struct volume *volume, uint32_t last);
void volume_floor_sums(const struct volume *volume, struct change_sums *sums);
uint64_t volume_floor_lsn(const struct volume *volume, uint64_t known);

/* LSNs have 63 bits, and room is kept above what is known: a greater one was never given out, whatever a file is called. */
#define VOLUME_FLOOR_LSN_MAX (INT64_MAX - (UINT64_C(1) << 22))

#endif
