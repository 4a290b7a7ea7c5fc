/* place.h -- records to their places in one user's files, and elsewhere when a file fails.
 *
 *   each body -> dbox, at its place        fails: the file is sealed, a stand-in takes the rest    (dbox_give_up)
 *   each record -> journal, at its place   fails: the file ends here, the rest gets one of its own (journal_give_up)
 *
 *   a dbox file that a record makes void is removed first
 *
 * Settling and recovery go the same way. A file fails by itself when it gives EIO, or says that there is no room while the
 * file system has some. What cannot be mended so (no file can be made, the disk is full) is the caller's.
 */
#ifndef RP_INDEX_PLACE_H
#define RP_INDEX_PLACE_H

#include "index/dbox/dbox.h"
#include "index/journal.h"

enum { PLACE_RECORDS_MAX = 64 }; /* at a time: pointers to them lie on a task's stack */

struct place {
	struct journal *journal;
	struct dbox *dbox; /* NULL: no record has a body */
	bool recovering;   /* a body that is damaged in its log costs itself alone */
	bool careful;      /* each file is flushed at once; one that cannot be is given up */
	uint64_t touched;  /* recovering: the dbox file whose beginning was written again last */
	uint64_t sealed;   /* counts the files that were given up */
};

/* Unflushed, unless careful. no_body (may be NULL): these records' bodies are not wanted any more. */
RP_MUST_USE enum rp_err place_records(struct task *task, struct place *place,
    const struct record *const *records, const bool *no_body, size_t count);

/* Has the file system of DATA so much room that a file which has none must be at fault itself? */
bool place_disk_has_room(struct task *task);

#endif
