/* box_names.h -- the mailboxes that were there when a dbox file was made, by the text that it begins with (FORMATS.md).
 *
 * The newest files first: what is known by then stays.
 */
#ifndef RP_INDEX_BOX_NAMES_H
#define RP_INDEX_BOX_NAMES_H

#include "index/catalog.h"
#include "index/dbox/dbox.h"

/* Into `names`, line by line; what is none is passed over. */
RP_MUST_USE enum rp_err box_names_take(struct catalog *names, struct bytes text);

/* Of all files that can be read. */
RP_MUST_USE enum rp_err box_names_read(struct task *task, struct dbox *dbox, struct catalog *names);

/* A mailbox of `catalog` that was found was this one: it gets its UIDVALIDITY, its special use if nobody has that, and its name if none was
 * told and nobody else has it. It stays one that was found: a record has to tell. */
RP_MUST_USE enum rp_err box_names_tell(struct catalog *catalog, const struct catalog_entry *entry);

#endif
