#include "index/volume_floor.h"

#include "index/breath.h"
#include "io/base/log.h"
#include "io/base/num.h"

/* The same mailbox, and its numbers are lower than they once were. */
static bool is_lower(const struct catalog_entry *entry, const struct catalog_entry *floor)
{
	return entry->uidvalidity == floor->uidvalidity &&
	       (entry->uidnext < floor->uidnext || entry->highestmodseq < floor->highestmodseq);
}

static enum rp_err raise_write(struct breath *breath, void *arg)
{
	const struct catalog *floor = arg;
	const struct catalog *catalog = &breath->volume->catalog;
	struct change_sums sums = catalog->sums;

	for (size_t i = 0; i < floor->ids_count; i++) {
		const struct catalog_entry *most = &floor->by_id[i]->entry;
		const struct catalog_node *node = catalog_by_id(catalog, most->mailboxid);

		if (node == NULL || !is_lower(&node->entry, most))
			continue;

		struct change_counters counters = {
			.uidnext = (uint32_t)num_max(node->entry.uidnext, most->uidnext),
			.messages_count = node->entry.messages_count,
			.unseen_count = node->entry.unseen_count,
			.deleted_count = node->entry.deleted_count,
			.bytes = node->entry.bytes,
		};

		BREATH_PUT(
		    breath, change_put_counters(&breath->writer, most->mailboxid, &counters));
	}
	sums.mailboxid_next = num_max(sums.mailboxid_next, floor->sums.mailboxid_next);
	sums.uidvalidity_last =
	    (uint32_t)num_max(sums.uidvalidity_last, floor->sums.uidvalidity_last);
	if (!change_is_empty(&breath->writer) || catalog->lsn < floor->lsn ||
	    sums.mailboxid_next != catalog->sums.mailboxid_next ||
	    sums.uidvalidity_last != catalog->sums.uidvalidity_last)
		BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

enum rp_err volume_floor_raise(
    struct task *task, struct volume *volume, const struct catalog *floor)
{
	struct breath_plan plan = {
		.type = CHANGE_INIT, .write = raise_write, .arg = (void *)(uintptr_t)floor
	};
	struct commit *commit = volume->store->commit;
	enum rp_err err;

	if (volume->catalog.destroyed || floor->destroyed)
		return RP_OK;
	journal_number_from(volume->journal, floor->lsn);
	err = breath_run(task, volume, &plan);
	/* There are no records before it: who replays must find it in the journal. */
	if (err == RP_OK)
		err = commit_wait(task, commit, volume->position);
	if (err == RP_OK)
		err = settle_flush(task, commit, &volume->settle);
	return err;
}

enum rp_err volume_floor_check(struct task *task, struct volume *volume)
{
	uint64_t last_lsn = volume->catalog.lsn;
	struct catalog floor;
	enum rp_err err;

	if (volume->newest_catalog_lsn <= last_lsn)
		return RP_OK;
	catalog_init(&floor, volume->catalog.names.key);
	err = volume_read_catalog(task, &volume->userid, UINT64_MAX, &floor);
	if (err == RP_OK && floor.lsn > last_lsn) {
		LOG(loop_log(volume->store->loop), LOG_ERROR, "volume.lost_records",
		    LOG_STR("volume", volume->dir), LOG_U64("first_lsn", last_lsn + 1),
		    LOG_U64("last_lsn", floor.lsn));
		err = volume_floor_raise(task, volume, &floor);
	} else if (err == RP_ERR_NOTFOUND) {
		err = RP_OK;
	}
	catalog_fini(&floor);
	return err;
}
