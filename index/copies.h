/* copies.h -- a header that is written again at each start: two blocks, one written after the other, so one is whole at any time.
 *
 * DATA/store (claim.h) and the owner file of the commit logs (claim_logs.h).
 */
#ifndef RP_INDEX_COPIES_H
#define RP_INDEX_COPIES_H

#include "index/format.h"
#include "io/file.h"

enum { COPIES_BLOCK_BYTES = 4096, COPIES_COUNT = 2 };

/* An exclusive lock (file_lock()). RP_ERR_BUSY: another has it, a second later too. For a moment the kernel keeps the files of a ring whose process
 * was killed, and who has just closed the file himself may have to wait likewise. */
RP_MUST_USE enum rp_err copies_lock(struct task *task, struct file *file);

/* The sound copy with the higher epoch; newer: which one. RP_ERR_NOTFOUND: the file is new; RP_ERR_CORRUPT: no copy is sound;
 * RP_ERR_CANNOT: one is of a newer version. */
RP_MUST_USE enum rp_err copies_read(struct task *task, struct file *file, enum format_magic magic,
    uint16_t version, struct format_header *header, unsigned *newer);

/* Sign it and write it, over the older copy first; both are durable then. A new file: newer is 1. */
RP_MUST_USE enum rp_err copies_write(struct task *task, struct file *file, enum format_magic magic,
    uint16_t version, struct format_header *header, unsigned newer);

#endif
