/* table_open.h -- the reader of index files without the file, for its fuzz target; and what only check asks. */
#ifndef RP_INDEX_TABLE_OPEN_H
#define RP_INDEX_TABLE_OPEN_H

#include "index/map.h"
#include "index/table.h"

/* As table_open(); the map becomes the table's, or is closed. task NULL: the map is in memory,
 * nothing suspends. */
RP_MUST_USE enum rp_err table_of_map(struct task *task, struct map *map,
    const struct userid *userid, uint64_t mailboxid, struct table **out, uint64_t *lsn);

/* For check: nothing stands between the sections of the file. It is just opened, and all rows are prepared. */
bool table_gaps_are_zero(const struct table *table);

#endif
