#include "index/volume_floor.h"

#include "index/box_names.h"
#include "index/breath.h"
#include "index/volume_files.h"
#include "io/base/clock.h"
#include "io/base/log.h"
#include "io/base/num.h"

enum {
	LSN_SHIFT = 20, /* more changes of one user than a million a second there never are */
	LSNS_LOST_MAX =
	    1 << LSN_SHIFT, /* records of which nothing knows, when the clock was set back */
	IDS_LOST_MAX = 1 << 23,
	/* Of the numbers that are left. Of fresh UIDs that is 2^20, and a record's row takes 18 bytes of a journal at least. */
	UIDS_SHARE = 1 << 12,
	UIDVALIDITIES_SHARE = 1 << 15,
	/* A commit log is 1 GiB at most, as a rule: rows of fewer than 2^26 UIDs, or 5,000,000 mailboxes that are made. */
	UIDS_SHARE_OF_LOG = 1 << 6,
	UIDVALIDITIES_SHARE_OF_LOG = 1 << 9,
};

uint32_t volume_floor_uidnext(uint32_t uidnext)
{
	return uidnext + (UINT32_MAX - uidnext) / UIDS_SHARE;
}

uint32_t volume_floor_uidvalidity(const struct volume *volume, uint32_t last)
{
	uint32_t share = volume->log_lost ? UIDVALIDITIES_SHARE_OF_LOG : UIDVALIDITIES_SHARE;
	uint32_t next = last < UINT32_MAX ? volume_uidvalidity(volume, last) : UINT32_MAX;

	return next + (UINT32_MAX - next) / share;
}

void volume_floor_sums(const struct volume *volume, struct change_sums *sums)
{
	sums->uidvalidity_last = volume_floor_uidvalidity(volume, sums->uidvalidity_last);
	sums->mailboxid_next += IDS_LOST_MAX;
}

/* An LSN never grows faster than the clock does here; and above what is known, as the clock may have been set back. */
uint64_t volume_floor_lsn(const struct volume *volume, uint64_t known)
{
	uint64_t now = loop_wall_ns(volume->store->loop) / CLOCK_NS_PER_S;

	return num_min(num_max(known + LSNS_LOST_MAX, now << LSN_SHIFT), VOLUME_FLOOR_LSN_MAX);
}

/* The greatest that anything but the journal tells of. */
static uint64_t known_lsn(const struct volume *volume)
{
	return num_max(volume->known_lsn, volume->seen_lsn);
}

bool volume_floor_shows_end_lost(const struct volume *volume)
{
	uint64_t last_lsn = journal_last_lsn(volume->journal);

	return known_lsn(volume) > last_lsn || journal_end_is_lost(volume->journal) ||
	       (last_lsn == 0 && dbox_last_file(volume->dbox) != 0);
}

bool volume_floor_end_is_lost(const struct volume *volume)
{
	return volume->log_lost || volume_floor_shows_end_lost(volume);
}

struct floor {
	struct catalog known; /* one that is ahead of the journal; empty: there is none */
	uint64_t mailboxid;   /* the greatest that anything tells of */
	uint64_t
	    lost_lsn; /* what was told last by records up to this one may not be the last of it */
	bool sums_too;
	struct catalog names; /* what dbox files tell of mailboxes of which the record that made them is lost */
};

/* Of mailboxes of which the record that made them is lost: what dbox files tell. The UIDVALIDITY stays only if a record behind the lost ones told
 * what UIDs it has given out. */
static enum rp_err find_names(struct task *task, struct volume *volume, struct floor *floor)
{
	struct catalog *catalog = &volume->catalog;
	enum rp_err err = RP_OK;
	bool any = false;

	for (size_t i = 0; i < catalog->ids_count; i++)
		any = any || catalog->by_id[i]->found;
	if (!any)
		return RP_OK;
	err = box_names_read(task, volume->dbox, &floor->names);
	/* Bodies know of greater UIDVALIDITYs if the clock was ahead once: those that they do not know of may be greater still. */
	floor->sums_too = floor->names.sums.uidvalidity_last > catalog->sums.uidvalidity_last;
	for (size_t i = 0; err == RP_OK && i < catalog->ids_count; i++) {
		const struct catalog_node *node = catalog->by_id[i];
		const struct catalog_node *known = catalog_by_id(&floor->names, node->entry.mailboxid);
		struct catalog_entry entry;

		if (!node->found || known == NULL)
			continue;
		entry = known->entry;
		if (node->entry.uidnext <= 1)
			entry.uidvalidity = 0;
		err = box_names_tell(catalog, &entry);
	}
	return err;
}

static void put_found(
    struct breath *breath, const struct catalog_entry *entry, struct change_sums *sums)
{
	uint32_t uidvalidity = entry->uidvalidity;

	if (uidvalidity == 0)
		uidvalidity = sums->uidvalidity_last =
		    volume_uidvalidity(breath->volume, sums->uidvalidity_last);
	BREATH_PUT(breath, change_put_mailbox(&breath->writer, entry->mailboxid, uidvalidity,
			       entry->special_use, entry->name));
}

/* What this mailbox had at least. */
static uint32_t known_uidnext(const struct floor *floor, const struct catalog_entry *entry)
{
	const struct catalog_node *node = catalog_by_id(&floor->known, entry->mailboxid);

	if (node == NULL || node->entry.uidvalidity != entry->uidvalidity)
		return entry->uidnext;
	return (uint32_t)num_max(entry->uidnext, node->entry.uidnext);
}

/* Above what lost records can have given out. */
static uint32_t raised_uidnext(const struct volume *volume, uint32_t uidnext)
{
	return volume->log_lost ? uidnext + (UINT32_MAX - uidnext) / UIDS_SHARE_OF_LOG
	                        : volume_floor_uidnext(uidnext);
}

static enum rp_err raise_write(struct breath *breath, void *arg)
{
	const struct floor *floor = arg;
	const struct catalog *catalog = &breath->volume->catalog;
	struct change_sums sums = catalog->sums;
	bool any_found = false;

	sums.mailboxid_next = num_max(sums.mailboxid_next, floor->known.sums.mailboxid_next);
	sums.mailboxid_next = num_max(sums.mailboxid_next, floor->mailboxid + 1);
	sums.uidvalidity_last =
	    (uint32_t)num_max(sums.uidvalidity_last, floor->known.sums.uidvalidity_last);
	sums.uidvalidity_last =
	    (uint32_t)num_max(sums.uidvalidity_last, floor->names.sums.uidvalidity_last);
	if (floor->sums_too)
		volume_floor_sums(breath->volume, &sums);
	for (size_t i = 0; i < catalog->ids_count; i++) {
		const struct catalog_entry *entry = &catalog->by_id[i]->entry;
		struct change_counters counters = {
		    .uidnext = raised_uidnext(breath->volume, known_uidnext(floor, entry)),
		    .messages_count = entry->messages_count,
		    .unseen_count = entry->unseen_count,
		    .deleted_count = entry->deleted_count,
		    .bytes = entry->bytes,
		};

		if (catalog->by_id[i]->found) {
			put_found(breath, entry, &sums);
			any_found = true;
		}
		if (entry->highestmodseq <= floor->lost_lsn)
			BREATH_PUT(breath,
			    change_put_counters(&breath->writer, entry->mailboxid, &counters));
	}
	if (floor->sums_too || any_found)
		BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

/* There are no records before it: who replays must find it in the journal. */
static enum rp_err write_now(
    struct task *task, struct volume *volume, const struct breath_plan *plan)
{
	enum rp_err err = breath_run(task, volume, plan);

	return err == RP_OK ? volume_settle(task, volume) : err;
}

/* An index that is ahead of the records that are left is not ahead any more, and knows of what is lost. */
static enum rp_err take_indexes(struct task *task, struct volume *volume)
{
	struct volume_files files;
	struct arena arena;
	enum rp_err err;

	arena_init(&arena, VOLUME_LIST_BYTES_MAX);
	err = volume_files_list(task, volume->dir, &arena, &files);
	if (err == RP_OK)
		volume_files_indexes(&files, &volume->catalog);
	arena_fini(&arena);
	return err;
}

static void tell_end(const struct volume *volume, uint64_t first_lsn, uint64_t last_lsn)
{
	struct log *log = loop_log(volume->store->loop);

	if (volume_floor_shows_end_lost(volume))
		LOG(log, LOG_ERROR, "volume.lost_records", LOG_STR("volume", volume->dir),
		    LOG_U64("first_lsn", first_lsn), LOG_U64("last_lsn", last_lsn));
	else
		LOG(log, LOG_WARN, "volume.raised", LOG_STR("volume", volume->dir),
		    LOG_U64("after_lsn", last_lsn));
}

static enum rp_err raise(struct task *task, struct volume *volume, struct floor *floor)
{
	bool end_is_lost = volume_floor_end_is_lost(volume);
	struct breath_plan plan = {.type = CHANGE_INIT, .write = raise_write, .arg = floor};
	uint64_t last_lsn = volume->catalog.lsn;
	enum rp_err err;

	catalog_note_loss(&volume->catalog);
	if (end_is_lost) {
		uint64_t known = num_max(last_lsn, known_lsn(volume));

		floor->lost_lsn = volume_floor_lsn(volume, known);
		floor->sums_too = true;
		tell_end(volume, last_lsn + 1, known);
		/* In a file of its own: whatever becomes of that, its name tells that LSNs up to this one are taken. */
		journal_cut(volume->journal);
		journal_number_from(volume->journal, floor->lost_lsn);
	} else {
		floor->lost_lsn = volume->missing_lsn;
		floor->sums_too |= volume->catalog.sums_lsn < volume->missing_lsn;
	}
	err = write_now(task, volume, &plan);
	return err == RP_OK && end_is_lost ? take_indexes(task, volume) : err;
}

enum rp_err volume_floor_check(struct task *task, struct volume *volume)
{
	struct floor floor = {.mailboxid = volume->known_mailboxid};
	enum rp_err err = RP_OK;

	if (volume->catalog.destroyed)
		return RP_OK;
	if (!volume_floor_shows_end_lost(volume) && volume->missing_lsn == 0) {
		bool fresh = volume->catalog.sums.mailboxid_next == 1; /* his first mailboxes get a new UIDVALIDITY */

		if (fresh || (!volume->log_lost && !volume->log_spared))
			return RP_OK;
		if (!volume->log_lost)
			return volume_floor_begin(task, volume);
	}
	catalog_init(&floor.known, volume->catalog.names.key);
	catalog_init(&floor.names, volume->catalog.names.key);
	if (volume->newest_catalog_lsn > volume->catalog.lsn)
		err = volume_read_catalog(task, &volume->userid, UINT64_MAX, &floor.known);
	if (err == RP_ERR_NOTFOUND)
		err = RP_OK;
	if (err == RP_OK)
		err = find_names(task, volume, &floor);
	if (err == RP_OK && !floor.known.destroyed)
		err = raise(task, volume, &floor);
	catalog_fini(&floor.names);
	catalog_fini(&floor.known);
	return err;
}

static enum rp_err begin_write(struct breath *breath, void *arg)
{
	(void)arg;
	BREATH_PUT(breath, change_put_sums(&breath->writer, &breath->volume->catalog.sums));
	return RP_OK;
}

enum rp_err volume_floor_begin(struct task *task, struct volume *volume)
{
	struct breath_plan plan = {.type = CHANGE_INIT, .write = begin_write};

	return write_now(task, volume, &plan);
}
