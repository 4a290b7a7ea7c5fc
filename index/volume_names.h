/* volume_names.h -- names of mailboxes in a change: what create and rename share. */
#ifndef RP_INDEX_VOLUME_NAMES_H
#define RP_INDEX_VOLUME_NAMES_H

#include "index/breath.h"

bool names_is_inbox(struct bytes name);
bool names_has_mailbox(const struct volume *volume, struct bytes name);

/* The parents of a name, from the top; *from is 0 at first. .n == 0: no more. */
struct bytes names_parent(struct bytes name, size_t *from);

/* Memory for this name and its missing parents. */
RP_MUST_USE enum rp_err names_prepare(struct volume *volume, struct bytes name);

/* Write that this mailbox, and its missing parents, are there. RP_ERR_EXISTS, RP_ERR_LIMIT: nothing was written. */
RP_MUST_USE enum rp_err names_write(struct breath *breath, struct bytes name, unsigned special_use,
    struct change_sums *sums, uint64_t *mailboxid);

#endif
