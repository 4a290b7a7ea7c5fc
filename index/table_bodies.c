/* Where the bodies of a mailbox lie: all of them, for compaction. */
#include "index/table_state.h"
#include "io/base/num.h"

enum { SLICE_ROWS = 4096 }; /* that are gone through without a look at the clock */

static enum rp_err load(struct task *task, struct table *table, uint32_t group)
{
	bool suspended;
	enum rp_err err;

	do {
		suspended = false;
		err = table_load(task, table, group,
		    1U << COLUMN_BODY | 1U << COLUMN_EMAILID | 1U << COLUMN_SIZE, &suspended);
		if (err == RP_OK && table->freed)
			err = RP_ERR_BUSY;
	} while (err == RP_OK && suspended);
	return err;
}

/* Rows of a group, from `from` on. */
static enum rp_err walk_slice(const struct table *table, uint32_t at, uint32_t from,
    const struct runs *listed, table_body_fn *fn, void *arg)
{
	const struct group *group = table->group[at];
	uint32_t first = at * GROUP_ROWS_MAX;
	uint32_t to = (uint32_t)num_min(from + SLICE_ROWS, group->rows);
	enum rp_err err = RP_OK;

	for (uint32_t i = from; err == RP_OK && i < to; i++) {
		uint32_t uid = uidmap_uid(&table->uids, first + i);
		uint64_t body = group_get(group, COLUMN_BODY, i);
		struct dbox_ref ref = {(uint32_t)body, (uint32_t)(body >> 32)};

		if (ref.file == 0 || (!rank_get(&table->live, first + i) &&
		                         (listed == NULL || !runs_has(listed, uid))))
			continue;
		err = fn(arg, uid, ref, group_get(group, COLUMN_EMAILID, i),
		    (uint32_t)group_get(group, COLUMN_SIZE, i));
	}
	return err;
}

static enum rp_err walk_group(struct task *task, struct table *table, uint32_t at,
    const struct runs *listed, table_body_fn *fn, void *arg)
{
	enum rp_err err = RP_OK;

	for (uint32_t from = 0; err == RP_OK && from < table->group[at]->rows; from += SLICE_ROWS) {
		err = load(task, table, at);
		if (err == RP_OK)
			err = walk_slice(table, at, from, listed, fn, arg);
		if (err == RP_OK)
			err = task_pause(task);
		if (err == RP_OK && table->freed)
			err = RP_ERR_BUSY;
	}
	return err;
}

enum rp_err table_bodies(
    struct task *task, struct table *table, const struct runs *listed, table_body_fn *fn, void *arg)
{
	enum rp_err err = RP_OK;

	table_hold(table);
	for (uint32_t group = 0; err == RP_OK && group < table->groups_count; group++)
		err = walk_group(task, table, group, listed, fn, arg);
	if (!table_let_go(table) && err == RP_OK)
		err = RP_ERR_BUSY;
	return err;
}
