/* journal_mark.h -- behind the newest record of a journal: here it ends.
 *
 * A file that is cut where a record ends would look whole without it. Written together with the records before it, at the place
 * of the next one, which overwrites it. In files of JOURNAL_VERSION alone (journal.h).
 */
#ifndef RP_INDEX_JOURNAL_MARK_H
#define RP_INDEX_JOURNAL_MARK_H

#include <assert.h>

#include "io/base/bytes.h"

enum {
	JOURNAL_MARK_MAGIC = 0x454a5052, /* "RPJE" */
	JOURNAL_MARK_BYTES = 32,
};

/* On disk as it is in memory: little-endian. */
struct journal_mark {
	uint32_t magic;
	uint32_t zero;
	uint64_t lsn;    /* of the record before it */
	uint64_t offset; /* its own, in the file */
	uint64_t xxh3;   /* of all before, seeded with the file's nonce */
};

static_assert(sizeof(struct journal_mark) == JOURNAL_MARK_BYTES, "format");

/* The whole of p is written. */
void journal_mark_put(
    uint8_t p[JOURNAL_MARK_BYTES], uint64_t lsn, uint64_t offset, uint64_t nonce);

/* The LSN of the sound mark that is at in.p[0], which lies at this offset of the file; 0: there is none. */
uint64_t journal_mark_read(struct bytes in, uint64_t offset, uint64_t nonce);

#endif
