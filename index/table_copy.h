/* table_copy.h -- which rows of a table go into a new index file, and their values closed up.
 *
 * Decided at once: the rows that are live, and those that some view lists. The table lives on
 * meanwhile; its rows keep their numbers, so the decision stays good, and values are gathered as
 * they are when they are asked for.
 */
#ifndef RP_INDEX_TABLE_COPY_H
#define RP_INDEX_TABLE_COPY_H

#include "index/table_state.h"

struct table_copy {
	struct table *table;
	uint64_t *keep; /* rows that go into the file */
	uint64_t *live; /* rows that are live */
	uint32_t rows;  /* of the table when it was decided */
	uint32_t kept;
	uint32_t groups; /* of the file */
	uint32_t *from;  /* per group of the file: its first row in the table; and one more */
};

enum { TABLE_COPY_LIVE = UINT16_MAX }; /* in place of a flag: the live bits */

/* In one breath. RP_ERR_NOMEM. listed may be NULL. */
RP_MUST_USE enum rp_err table_copy_init(
    struct table_copy *copy, struct table *table, const struct runs *listed);
void table_copy_fini(struct table_copy *copy);

/* Rows of a group of the file, and the table's groups that they come from: [first, last]. */
uint32_t table_copy_rows(const struct table_copy *copy, uint32_t group);
uint32_t table_copy_first(const struct table_copy *copy, uint32_t group);
uint32_t table_copy_last(const struct table_copy *copy, uint32_t group);

/* One column's values of a group of the file; it is loaded in all groups they come from. */
void table_copy_column(
    const struct table_copy *copy, uint32_t group, enum column_kind kind, uint8_t *out);

/* A flag's bits, or the live bits; and whether any row may have the flag. */
void table_copy_bits(const struct table_copy *copy, uint32_t group, uint32_t flag, uint64_t *out);
bool table_copy_has_flag(const struct table_copy *copy, uint32_t group, uint32_t flag);

/* Of the UIDs of a leaf: those whose rows are kept. */
uint64_t table_copy_leaf(const struct table_copy *copy, const struct uidmap_leaf *leaf);

#endif
