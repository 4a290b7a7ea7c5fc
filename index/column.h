/* column.h -- one fixed-width column of one group: where its values lie, and scans over them that
 * give bitmaps.
 *
 * The values lie in memory of their own, or in the index file (map.h): then they are checked and
 * brought into memory before they are touched (group_load). What is written to a mapped page makes
 * the kernel copy that page.
 */
#ifndef RP_INDEX_COLUMN_H
#define RP_INDEX_COLUMN_H

#include "index/mailbox.h"

enum column_kind {
	COLUMN_MODSEQ,
	COLUMN_INTERNALDATE, /* packed: column_pack_date() */
	COLUMN_SENT,         /* likewise */
	COLUMN_SIZE,
	COLUMN_SAVEDATE,
	COLUMN_BODY, /* struct dbox_ref */
	COLUMN_CACHE,
	COLUMN_EMAILID,
	COLUMN_THREADID,
	COLUMN_COUNT,
};

enum {
	COLUMN_RANGED = COLUMN_BODY, /* those before it have bounds in the summary */
	COLUMN_ALL = (1 << COLUMN_COUNT) - 1,
	COLUMN_PAGE_BYTES = 4096,
	COLUMN_PAGES_MAX =
	    65536 * 8 / COLUMN_PAGE_BYTES + 1, /* of one column; it may begin within a page */
};

struct column {
	uint8_t *p;       /* NULL: all values are 0 */
	bool owned;       /* p is malloc'ed; else it points into the file */
	bool checked;     /* it matches its checksum; what is owned does */
	uint64_t warm_ns; /* when its pages were last brought into memory */
	uint64_t xxh3;    /* of the file's bytes */
	uint64_t dirty[(COLUMN_PAGES_MAX + 63) / 64]; /* pages of the file that were written */
};

static inline size_t column_width(enum column_kind kind)
{
	return kind == COLUMN_SIZE || kind == COLUMN_SAVEDATE || kind == COLUMN_CACHE ? 4 : 8;
}

/* A moment and its zone in 64 bits: seconds in the upper 52 (clamped), minutes east in the
 * lower 12. */
int64_t column_pack_date(struct mail_date date);
struct mail_date column_unpack_date(int64_t packed);

/* Seconds of the date as its own clock showed it. */
static inline int64_t column_local_seconds(int64_t packed)
{
	return (packed >> 12) + ((packed & 4095) - 2048) * 60;
}

/* Put bits for n rows into words: is the value within [least, greatest]? Words beyond are
 * untouched; the bits of the last word beyond n are 0. A date is compared by its local seconds, or
 * the moment itself. */
void column_scan_u32(
    const uint32_t *p, size_t n, uint32_t least, uint32_t greatest, uint64_t *bits);
void column_scan_u64(
    const uint64_t *p, size_t n, uint64_t least, uint64_t greatest, uint64_t *bits);
void column_scan_local(const int64_t *p, size_t n, int64_t least, int64_t greatest, uint64_t *bits);
void column_scan_moment(
    const int64_t *p, size_t n, int64_t least, int64_t greatest, uint64_t *bits);

/* Copy the values whose bit is set among rows [from, to) to `out`, closing up; keep's bit 0 is row
 * 0. Returns how many. */
size_t column_gather(
    void *out, const uint8_t *p, size_t width, const uint64_t *keep, size_t from, size_t to);

#endif
