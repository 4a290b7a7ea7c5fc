/* repair.h -- look whether a user's files are sound, and make anew what is not.
 *
 *   check    reads all and changes nothing
 *   rebuild  derived files from the journals; if these are gone, everything from the bodies
 *
 * Both need a store that is open (the server's, or one opened by a tool under the same lock).
 */
#ifndef RP_INDEX_REPAIR_H
#define RP_INDEX_REPAIR_H

#include "index/store.h"
#include "io/base/userid.h"

/* What was found or done, one line for a person; good during the call. */
typedef void repair_say_fn(void *arg, struct bytes line);

struct repair_report {
	uint64_t records;          /* of the journals */
	uint64_t records_missing;  /* lost to damage */
	uint64_t records_unsound;  /* that do not say what they must */
	uint64_t places_spoilt;    /* in journals, and nothing is lost by it: a copy of a header, zeroes */
	uint64_t bodies;           /* of the dbox files */
	uint64_t bodies_dead;   /* damaged, and nobody has them: that is no damage */
	uint64_t boxes_spoilt;  /* places in dbox files, and nothing is lost by it: headers, names, zeroes */
	uint64_t boxes_unread;  /* dbox files that the disk does not read */
	uint64_t kept_bodiless; /* messages that were expunged and kept, whose body cannot be read */
	uint64_t mailboxes;
	uint64_t mailboxes_wrong;  /* whose catalog entry or index is not what the journal says */
	uint64_t derived_damaged;  /* catalogs, indexes, caches */
	uint64_t derived_gone;     /* that there were: no mail can be lost by it, so that is no damage */
	uint64_t messages;
	uint64_t messages_bodiless; /* whose body cannot be read */
	uint64_t messages_taken_out; /* repair: of these, those that left their mailboxes, or are kept no more */
	bool journals_gone;        /* there are bodies, or a catalog, and no journal */
};

/* Is there damage in it? */
bool repair_found_damage(const struct repair_report *report);

/* RP_ERR_NOTFOUND: this user has no files. RP_OK: looked at all; the report tells. RP_ERR_UNAVAILABLE: his files cannot be read
 * now. Of a store that is open to look, what the next start writes from the commit logs counts as written. */
RP_MUST_USE enum rp_err repair_check(struct task *task, struct store *store,
    const struct userid *userid, repair_say_fn *say, void *arg, struct repair_report *report);

/* RP_ERR_BUSY: somebody uses his mail: try again when nobody does. Where journals are damaged, all that they, catalogs, indexes and
 * bodies know is written into one that takes their place, with new MODSEQs. Where no record can be read mailboxes have new
 * UIDVALIDITYs; what no index knows has its flags at save, where it was delivered, and what was expunged comes back. A message
 * whose body is damaged, or gone, is expunged; one whose body cannot be read now (EIO) stays. It may be done again after a
 * crash at any moment. */
RP_MUST_USE enum rp_err repair_rebuild(struct task *task, struct store *store,
    const struct userid *userid, repair_say_fn *say, void *arg, struct repair_report *report);

/* The same of mail that was put back from a backup: what was given out since nothing tells, so each mailbox has a new UIDVALIDITY, and
 * each message a new MODSEQ, sound or not. */
RP_MUST_USE enum rp_err repair_restored(struct task *task, struct store *store,
    const struct userid *userid, repair_say_fn *say, void *arg, struct repair_report *report);

#endif
