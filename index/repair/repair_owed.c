/* Derived files that are not there, though there were: repair_look_owed() of repair_core.h.
 *
 *   <lsn>.checkpoint   tells of   <lsn>.catalog   tells of   <mailboxid>.<lsn>.index   tells of   <mailboxid>.cache
 *
 * Each is given its name behind those that it tells of, but for the first. A newer one of the same kind will do: a checkpoint that was
 * cut short has made it, and who reads takes it. Nothing is lost by it, and an admin may have removed them all: so what is gone is said,
 * and is no damage. While a checkpoint runs files come and go.
 */
#include <stdlib.h>

#include "index/cache.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"

enum { CACHE_ENTRY_BYTES_LEAST = 24 }; /* its beginning, cache.h */

static const char what_to_do[] =
    "no mail is lost by it, the next checkpoint or a repair makes it anew";

/* The newest index of each mailbox: by the catalog, and by the names of the files. */
static enum rp_err look_at_indexes(
    struct repair *repair, struct catalog *catalog, const struct volume_files *files)
{
	const struct volume *volume = repair->volume;
	size_t count = catalog->ids_count;
	uint64_t *owed = malloc((count + 1) * sizeof(*owed));

	if (owed == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		owed[i] = catalog->by_id[i]->index_lsn;
	catalog->lsn = UINT64_MAX; /* newer ones too */
	volume_files_indexes(files, catalog);
	for (size_t i = 0; i < count; i++) {
		uint64_t mailboxid = catalog->by_id[i]->entry.mailboxid;
		const struct catalog_node *now = catalog_by_id(&volume->catalog, mailboxid);

		if (now == NULL || catalog->by_id[i]->index_lsn >= owed[i])
			continue;
		repair->report->derived_gone++;
		repair_say(repair, "%llu.%llu.index is gone: %s", (unsigned long long)mailboxid,
		    (unsigned long long)owed[i], what_to_do);
	}
	free(owed);
	return RP_OK;
}

enum rp_err repair_look_owed(
    struct task *task, struct repair *repair, const struct volume_files *files)
{
	const struct volume *volume = repair->volume;
	uint64_t lsn = volume_files_catalog_below(files, UINT64_MAX);
	uint64_t marked = volume_files_checkpoint(files);
	struct catalog catalog;
	enum rp_err err;

	if (volume->checkpointing)
		return RP_OK;
	if (marked > lsn) {
		repair->report->derived_gone++;
		repair_say(
		    repair, "%llu.catalog is gone: %s", (unsigned long long)marked, what_to_do);
	}
	if (lsn == 0)
		return RP_OK;
	catalog_init(&catalog, volume->catalog.names.key);
	err = volume_read_catalog_file(task, &volume->userid, lsn, &catalog);
	if (err == RP_OK && !volume->checkpointing)
		err = look_at_indexes(repair, &catalog, files);
	catalog_fini(&catalog);
	/* It is damaged, which was said; or it has gone meanwhile. */
	return err == RP_ERR_CANCELED || err == RP_ERR_NOMEM ? err : RP_OK;
}

enum rp_err repair_look_owed_cache(
    struct task *task, struct repair *repair, const struct volume_file *index, uint32_t last)
{
	const struct volume *volume = repair->volume;
	const struct catalog_node *node = catalog_by_id(&volume->catalog, index->mailboxid);
	uint64_t begins = (uint64_t)last * CACHE_UNIT;
	char path[VOLUME_PATH_BYTES];
	uint64_t bytes = 0;
	enum rp_err err;

	if (last == 0 || node == NULL || node->index_lsn != index->lsn)
		return RP_OK; /* superseded */
	volume_path(volume, path, "%llu.cache", (unsigned long long)index->mailboxid);
	err = file_size_at(task, FILE_ROOT_DATA, path, &bytes);
	node = catalog_by_id(&volume->catalog, index->mailboxid);
	if (volume->checkpointing || node == NULL || node->index_lsn != index->lsn ||
	    repair_cache_is_used(volume, index->mailboxid))
		return RP_OK;
	if (err == RP_ERR_NOTFOUND) {
		repair->report->derived_gone++;
		repair_say(repair,
		    "%llu.cache is gone: no mail is lost by it, what is wanted of it is made anew",
		    (unsigned long long)index->mailboxid);
		return RP_OK;
	}
	if (err == RP_OK && bytes < begins + CACHE_ENTRY_BYTES_LEAST) {
		repair->report->derived_damaged++;
		repair_say(repair,
		    "%llu.cache at %llu: it ends before an entry that the index names, at %llu; no "
		    "mail is lost by it, a repair "
		    "makes it anew",
		    (unsigned long long)index->mailboxid, (unsigned long long)bytes,
		    (unsigned long long)begins);
	}
	return err;
}
