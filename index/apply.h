/* apply.h -- carry out what a record says, in memory. The same for a change that is made and for one that is replayed. */
#ifndef RP_INDEX_APPLY_H
#define RP_INDEX_APPLY_H

#include "index/mailbox_state.h"
#include "index/volume_state.h"

/* A change of this volume, in its breath: catalog, loaded mailboxes, their views and watches. Memory and pages are
 * prepared: it cannot fail. */
void apply_change(struct volume *volume, uint64_t lsn, struct bytes payload);

/* A row as a record of this LSN tells it, without keywords. */
struct table_row apply_row(const struct change_row *row, uint64_t lsn);

/* Replay: the catalog's part alone. What cannot be is reported in the log and passed over. RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err apply_to_catalog(struct catalog *catalog, struct log *log, const char *volume,
    uint64_t lsn, struct bytes payload);

/* Replay: one mailbox's part alone, into a table that nobody sees yet. */
RP_MUST_USE enum rp_err apply_to_table(struct task *task, struct table *table, uint64_t mailboxid,
    uint64_t lsn, struct bytes payload);

/* The same of the rows that it has: flags, and that they are no more. Others are not put into it. */
RP_MUST_USE enum rp_err apply_to_rows(struct task *task, struct table *table, uint64_t mailboxid,
    uint64_t lsn, struct bytes payload);

#endif
