/* index_format.h -- the .index file, byte by byte; FORMATS.md says it for a person.
 *
 *     header area | columns, group by group ... | tail: summaries, flags, live bits, UIDs,
 * keywords, history | directory
 *
 * The tail is what a table has in memory at all times; it is read in one go. Sections begin at
 * multiples of INDEX_ALIGN; each has an entry in the directory, with a checksum seeded with the
 * file's nonce. What is absent is all zero (a column), all clear (a flag), all live (live bits),
 * none (keywords, history).
 */
#ifndef RP_INDEX_INDEX_FORMAT_H
#define RP_INDEX_INDEX_FORMAT_H

#include <assert.h>

#include "index/column.h"
#include "index/format.h"

enum {
	INDEX_VERSION = 1,
	INDEX_ALIGN = 64,
	INDEX_UIDS_MAX = 16384, /* leaves in one section of UIDs */
};

/* Where things stand in format_header.extra. */
enum index_extra {
	INDEX_EXTRA_ROWS,
	INDEX_EXTRA_LAST_UID, /* the greatest ever given out here, expunged ones too */
	INDEX_EXTRA_MODSEQ,
	INDEX_EXTRA_TAIL,      /* offset */
	INDEX_EXTRA_DIRECTORY, /* offset; it ends where the file ends */
	INDEX_EXTRA_DIRECTORY_XXH3,
	INDEX_EXTRA_FILE_BYTES,
};

static_assert((int)INDEX_EXTRA_FILE_BYTES < (int)FORMAT_EXTRA_COUNT, "format");

enum index_section {
	INDEX_COLUMN = 1, /* number: enum column_kind; group */
	INDEX_SUMMARY,    /* group */
	INDEX_FLAG,       /* number: flag; group; no bytes: all set */
	INDEX_LIVE,       /* group */
	INDEX_UIDS,       /* in the order of the directory */
	INDEX_KEYWORDS,
	INDEX_HISTORY,
	INDEX_LOSS, /* it was written over lost records */
};

struct index_entry {
	uint16_t section;
	uint16_t number;
	uint32_t group;
	uint64_t offset;
	uint64_t bytes;
	uint64_t xxh3;
};

static_assert(sizeof(struct index_entry) == 32, "format");

/* 64 UIDs: those of key * 64 + bit. Keys ascend over all sections. */
struct index_uids {
	uint64_t bits;
	uint32_t key;
	uint32_t zero;
};

static_assert(sizeof(struct index_uids) == 16, "format");

struct index_keyword {
	uint8_t n;
	uint8_t text[MAILBOX_KEYWORD_BYTES_MAX];
};

static_assert(sizeof(struct index_keyword) == 65, "format");

struct index_expunge {
	uint64_t modseq;
	uint32_t first;
	uint32_t last;
};

static_assert(sizeof(struct index_expunge) == 16, "format");

/* INDEX_HISTORY: this, then the runs by MODSEQ. */
struct index_history {
	uint64_t low;
};

/* INDEX_LOSS */
struct index_loss {
	uint32_t heard_uid; /* the greatest UID that was known before the first of them */
	uint32_t zero;
};

static_assert(sizeof(struct index_loss) == 8, "format");

/* INDEX_SUMMARY: this, then the greatest MODSEQ of each 512 rows. */
struct index_summary {
	uint64_t bytes; /* sum of sizes of live rows */
	struct {
		int64_t least;
		int64_t greatest;
	} bounds[COLUMN_RANGED];
};

static_assert(sizeof(struct index_summary) == 8 + 16 * 5, "format");

#endif
