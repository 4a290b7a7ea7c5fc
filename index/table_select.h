/* table_select.h -- some live messages of a table as a bitmap over its rows: what a change that takes many asks of them, with
 * no look-up per message and none per keyword.
 *
 * Good for one breath: nothing may change, nobody suspend, from table_select() to the last question.
 */
#ifndef RP_INDEX_TABLE_SELECT_H
#define RP_INDEX_TABLE_SELECT_H

#include "index/table.h"

struct table_select {
	const struct table *table;
	uint64_t *bits;   /* of rows, `words` of them */
	uint32_t *before; /* per word: how many lie before it */
	uint32_t words;
	uint32_t count;
};

#define TABLE_SELECT_EMPTY ((struct table_select){0})

/* Those of uids (NULL: of all) that are there. Reading their columns will find every page: RP_ERR_BUSY: they are not loaded.
 * RP_ERR_CORRUPT: a page is lost. RP_ERR_NOMEM. *out is to be ended whatever is returned. */
RP_MUST_USE enum rp_err table_select(
    struct table *table, const struct runs *uids, struct table_select *out);
void table_select_fini(struct table_select *select);

/* What they are to a mailbox's counters. */
void table_select_counts(const struct table_select *select, struct table_counts *out);

/* Those that have the flag, told as numbers: the first of all selected is `first`, the next first + 1. Added to out.
 * RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err table_select_flag(
    const struct table_select *select, unsigned flag, uint32_t first, struct runs *out);

/* Walk them by UID, without UID and keywords:
 *
 *     struct table_select_walk walk = { 0 };
 *     while (table_select_next(select, &walk, &row)) ...
 */
struct table_select_walk {
	uint32_t word; /* the next one */
	uint64_t left; /* of the one before */
};
bool table_select_next(
    const struct table_select *select, struct table_select_walk *walk, struct table_row *row);

#endif
