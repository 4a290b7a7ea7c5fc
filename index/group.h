/* group.h -- up to 64 Ki rows of a mailbox: columns, flag bitmaps, summary.
 *
 * All groups of a table but the last are full; the last one grows by doubling, so a small mailbox
 * has a small group. What needs memory (a flag that was clear everywhere gets bits) takes it from
 * spares that were laid in before, so that changes cannot fail. Which rows are live the table
 * knows; its live bits are handed in where they count.
 */
#ifndef RP_INDEX_GROUP_H
#define RP_INDEX_GROUP_H

#include "index/column.h"
#include "index/flagmap.h"
#include "index/table.h"

enum {
	GROUP_ROWS_MAX = 65536,
	GROUP_ROWS_MIN = 16,
	GROUP_BLOCK_ROWS = 512, /* rows under one greatest MODSEQ */
	GROUP_KEYWORD_WORDS = TABLE_KEYWORD_WORDS,
};

/* Bounds of a column over all rows that ever were; expunged ones too, so a range may look wider
 * than it is. */
struct group_bounds {
	int64_t least; /* greater than greatest: no rows */
	int64_t greatest;
};

struct group_spare;

struct group {
	uint32_t rows;
	uint32_t rows_max; /* room: a power of two, or (from a file) rows */
	struct column column[COLUMN_COUNT];
	struct group_bounds bounds[COLUMN_RANGED]; /* dates by local seconds */
	uint64_t *modseq_max;                      /* per GROUP_BLOCK_ROWS rows */
	uint64_t bytes;                            /* sum of sizes of live rows */
	struct flagmap *flag;                      /* by flag number; beyond flags_count: clear */
	uint32_t flags_count;
	uint32_t flags_max;
	uint64_t keyword_used[GROUP_KEYWORD_WORDS]; /* keywords that are not FLAGMAP_CLEAR */
	struct group_spare *spares; /* bitmaps of this group's size, zeroed but for the link */
	uint32_t spares_count;
};

/* A group without rows; room for rows_max. NULL: no memory. */
RP_MUST_USE struct group *group_new(uint32_t rows_max);
void group_free(struct group *group);
size_t group_bytes(const struct group *group);

static inline uint32_t group_words(const struct group *group)
{
	return (group->rows_max + 63) / 64;
}

static inline uint32_t group_blocks(uint32_t rows_max)
{
	return (rows_max + GROUP_BLOCK_ROWS - 1) / GROUP_BLOCK_ROWS;
}

static inline uint64_t group_flag_word(const struct group *group, uint32_t flag, uint32_t word)
{
	return flag < group->flags_count ? flagmap_word(&group->flag[flag], word) : 0;
}

/* Room for rows in all, and every column in memory of its own; what lies in the file has been
 * loaded. RP_ERR_NOMEM: the group is as before, though maybe in more memory. */
RP_MUST_USE enum rp_err group_reserve(struct group *group, uint32_t rows);

/* Flags up to this number may be turned on: `on` different ones at most, or turned off.
 * RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err group_reserve_flags(struct group *group, uint32_t flags, size_t on);

/* A column that is all 0 may be written: give it memory. RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err group_reserve_column(struct group *group, enum column_kind kind);

/* Give back spares but for `keep`. */
void group_trim(struct group *group, uint32_t keep);

/* Turn a flag on or off for the rows of mask in one word; live: which of the word's rows are live.
 * True: a bit changed. */
bool group_set_flag(
    struct group *group, uint32_t flag, uint32_t word, uint64_t mask, uint64_t live, bool on);

/* After changes to a flag: drop its bits if they are all alike. live_rows: of this group. */
void group_settle_flag(struct group *group, uint32_t flag, uint32_t live_rows);

/* Off for all rows; no live one has it. */
void group_clear_flag(struct group *group, uint32_t flag);

/* Count the flag's live rows anew. live: the group's live bits. */
void group_count_flag(struct group *group, uint32_t flag, const uint64_t *live);

/* Rows of mask in one word, live until now, are no longer; or (sign +1) are again. Sums and counts
 * follow. */
void group_account(struct group *group, uint32_t word, uint64_t mask, int sign);

/* Write one value; the column has memory, and its pages are there. */
void group_put(struct group *group, enum column_kind kind, uint32_t row, uint64_t value);

static inline uint64_t group_get(const struct group *group, enum column_kind kind, uint32_t row)
{
	const uint8_t *p = group->column[kind].p;
	uint64_t v64;
	uint32_t v32;

	if (p == NULL)
		return 0;
	if (column_width(kind) == 4) {
		memcpy(&v32, p + (size_t)row * 4, sizeof(v32));
		return v32;
	}
	memcpy(&v64, p + (size_t)row * 8, sizeof(v64));
	return v64;
}

/* All columns of one row, with bounds; not flags, not sums. */
void group_put_row(struct group *group, uint32_t row, const struct table_row *values);
void group_get_row(const struct group *group, uint32_t row, struct table_row *values);

/* The MODSEQ of live rows in mask of one word. */
void group_put_modseq(struct group *group, uint32_t word, uint64_t mask, uint64_t modseq);

#endif
