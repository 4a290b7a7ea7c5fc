/* catalog_core.h -- names and ids in their order: what catalog_apply.c changes and catalog.c looks at. */
#ifndef RP_INDEX_CATALOG_CORE_H
#define RP_INDEX_CATALOG_CORE_H

#include "index/catalog.h"

/* A node for this name, in no table yet: a spare, or (replay) a new one; NULL: no memory. */
struct catalog_node *catalog_core_node_take(struct catalog *catalog, struct bytes name);

/* Into and out of the order of names; the node has memory for it (node_take), and stays its caller's when it is taken out. */
void catalog_core_name_add(struct catalog *catalog, struct catalog_node *node);
void catalog_core_name_del(struct catalog *catalog, struct catalog_node *node);

/* The order of names need not be right till catalog_sort(): many change. */
void catalog_core_let_unsorted(struct catalog *catalog);

/* Into and out of the order of ids, by entry.mailboxid. */
void catalog_core_id_add(struct catalog *catalog, struct catalog_node *node);
void catalog_core_id_del(struct catalog *catalog, uint64_t mailboxid);

#endif
