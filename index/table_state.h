/* table_state.h -- what a table is inside: shared by table*.c, view*.c and msgset.c.
 *
 *     UID --uidmap--> row --rank--> seqno         rows of all groups are numbered through: group =
 * row / 64 Ki
 */
#ifndef RP_INDEX_TABLE_STATE_H
#define RP_INDEX_TABLE_STATE_H

#include "index/group.h"
#include "index/map.h"
#include "index/rank.h"
#include "index/table.h"
#include "index/uidmap.h"

struct table_name {
	uint8_t n;
	uint8_t text[MAILBOX_KEYWORD_BYTES_MAX];
};

struct table_expunge {
	uint64_t modseq;
	uint32_t first;
	uint32_t last;
};

struct table {
	struct loop *loop; /* NULL in tests without one */
	uint64_t mailboxid;
	struct uidmap uids; /* all rows */
	struct rank live;   /* one bit per row */
	struct group **group;
	uint32_t groups_count; /* the last one may be prepared and still without rows */
	uint32_t groups_max;
	struct table_name *keyword;
	uint16_t *row_keywords; /* what table_row() lends; keywords_max of them */
	uint32_t keywords_count;
	uint32_t keywords_max;
	uint64_t names_version;
	bool overfull; /* some keyword of a record had no room */
	struct table_expunge *history; /* by MODSEQ */
	uint32_t history_count;
	uint32_t history_max;
	uint64_t history_low; /* all expunges with a greater MODSEQ are in it */
	bool has_loss;        /* table_note_loss() */
	uint32_t heard_uid;   /* then: of UIDs above this one lost records may have told */
	struct map map;       /* the file; columns may point into it */
	uint64_t nonce;       /* seeds its checksums */
	uint32_t last_uid;
	uint64_t modseq;
	uint64_t flags_modseq;        /* the newest change of flags (its last record), */
	uint64_t flags_modseq_before; /* and the one before */
	uint64_t
	    version;    /* grows with every change, also from one table of a mailbox to the next */
	unsigned holds; /* of tasks that are suspended in here */
	bool freed;     /* by its owner; goes with the last hold */
	bool leaves_cache; /* table_leave_cache() */
	bool cuts_cache;   /* table_cut_cache(), at cache_end */
	uint32_t cache_end;
	bool bad;
};

static inline struct group *table_group(const struct table *table, uint32_t row)
{
	return table->group[row / GROUP_ROWS_MAX];
}

static inline uint32_t table_in_group(uint32_t row)
{
	return row % GROUP_ROWS_MAX;
}

/* How many rows of this group are live. */
uint32_t table_group_live(const struct table *table, uint32_t group);

/* Keep the table over a suspension. table_let_go(): true: it is still its mailbox's; false: it may
 * be gone now. */
void table_hold(struct table *table);
bool table_let_go(struct table *table);

/* Have columns (1 << enum column_kind) of a group in memory, checked. *suspended is set if other
 * tasks may have run; the group is then still the same one. task NULL: RP_ERR_BUSY instead. */
RP_MUST_USE enum rp_err table_load(
    struct task *task, struct table *table, uint32_t group, unsigned columns, bool *suspended);

/* The next rows [*from, *to) that the UIDs cover (uids NULL: all rows), not empty; *next starts at
 * 0. False: no more. */
bool table_next_rows(
    const struct table *table, const struct runs *uids, size_t *next, uint32_t *from, uint32_t *to);

/* Collects UIDs of rows, met upwards, as runs. */
struct table_collect {
	const struct uidmap *map;
	struct runs *out;
	uint32_t leaf;
	uint32_t first; /* of the run that is being collected; 0: none */
	uint32_t last;
};
void table_collect_init(struct table_collect *collect, const struct table *table, struct runs *out);
RP_MUST_USE enum rp_err table_collect_word(
    struct table_collect *collect, uint32_t word, uint64_t bits);
RP_MUST_USE enum rp_err table_collect_end(struct table_collect *collect);

/* Bits of `word` that lie in rows [from, to). */
static inline uint64_t table_word_mask(uint32_t word, uint32_t from, uint32_t to)
{
	uint32_t base = word * RANK_WORD_BITS;

	return rank_mask(from > base ? from - base : 0, to - base < 64 ? to - base : 64);
}

#endif
