/* kept_core.h -- what kept.c and kept_rows.c share. */
#ifndef RP_INDEX_KEPT_CORE_H
#define RP_INDEX_KEPT_CORE_H

#include "index/kept.h"

/* NULL: nothing was noted of it. */
struct kept_mailbox *kept_core_mailbox(const struct kept *kept, uint64_t mailboxid);

/* When this message was expunged, if it is kept; else 0. */
uint64_t kept_core_seconds(
    const struct kept *kept, const struct kept_mailbox *mailbox, uint32_t uid);

enum { KEPT_PAUSE_ROWS = 1024 }; /* that are gone through without a look at the clock */

/* After the at-th of a long walk: are others to be let in? */
RP_MUST_USE enum rp_err kept_core_pause(struct task *task, size_t at);

void kept_core_drop_rows(struct task *task, struct kept_rows *rows);

#endif
