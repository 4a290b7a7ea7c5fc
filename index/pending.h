/* pending.h -- one user's records in the commit logs, for who looks before there has been a recovery that puts them in their places.
 */
#ifndef RP_INDEX_PENDING_H
#define RP_INDEX_PENDING_H

#include "index/recover.h"

struct pending;

/* NULL: there are none. recover is borrowed, and places nothing meanwhile. */
RP_MUST_USE enum rp_err pending_open(
    const struct recover *recover, const struct userid *userid, struct pending **out);
void pending_close(struct pending *pending);

/* Of all these pending may be NULL: there are none. They are in the order of LSNs. */

/* The i-th; false: there are no more. */
bool pending_at(const struct pending *pending, size_t i, struct recover_known *out);

/* The first with an LSN from this one on: its number; how many there are: none. */
size_t pending_lower(const struct pending *pending, uint64_t lsn);

/* The one with this LSN; false: there is none. */
bool pending_find(const struct pending *pending, uint64_t lsn, struct recover_known *out);

/* Is the body that is to lie there among them? Is any of this dbox file, is the file one that they make void? */
bool pending_has_body(const struct pending *pending, uint64_t dbox, uint64_t dbox_offset);
bool pending_has_bodies(const struct pending *pending, uint64_t dbox);
bool pending_drops(const struct pending *pending, uint64_t dbox);

/* The i-th, from its log; good until the next call. RP_ERR_CORRUPT: it is not sound there any more. */
RP_MUST_USE enum rp_err pending_read(
    struct task *task, struct pending *pending, size_t i, struct record *out);

#endif
