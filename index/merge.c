#include "index/merge.h"

#include <stdlib.h>

#include "index/apply.h"
#include "index/journal_merge.h"
#include "index/kept_read.h"
#include "index/pace.h"
#include "index/replay.h"
#include "index/thin.h"
#include "io/base/log.h"
#include "io/base/num.h"

struct merging {
	struct volume *volume;
	struct thin thin;
	struct kept kept;
	struct replay replay; /* whole changes only */
	uint64_t last;        /* all records up to this one */
	uint64_t bytes_max;   /* more is not worth while */
	uint8_t *payload;
	struct journal_merge *merge; /* NULL: they are only noted */
	struct pace pace;
	bool worthless; /* that is why it ends: RP_ERR_LIMIT */
	/* For the log, if it gives up: at what, and, where that is known, at which record or mailbox. */
	const char *at;
	uint64_t at_lsn;
	uint64_t at_mailboxid;
};

/* What was read, or written, is not as it must be. */
static enum rp_err wrong(struct merging *merging, const char *at, uint64_t lsn)
{
	merging->at = at;
	merging->at_lsn = lsn;
	return RP_ERR_CORRUPT;
}

static enum rp_err note(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct merging *merging = arg;

	enum rp_err err = thin_note(task, &merging->thin, header->lsn, payload);

	if (err == RP_OK)
		err = kept_note(&merging->kept, payload);
	return err == RP_ERR_CORRUPT ? wrong(merging, "unsound change", header->lsn) : err;
}

static enum rp_err take_kept(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct merging *merging = arg;

	(void)header;
	return kept_take(task, &merging->kept, payload);
}

static enum rp_err put(struct task *task, struct merging *merging,
    const struct record_header *header, struct bytes payload)
{
	merging->worthless = journal_merge_bytes(merging->merge) > merging->bytes_max;
	if (merging->worthless)
		return RP_ERR_LIMIT;
	return journal_merge_put(task, merging->merge, header, payload);
}

/* As much as has room. The last record must take what is left. */
static enum rp_err put_kept(
    struct task *task, struct merging *merging, uint64_t lsn, struct change_writer *writer)
{
	enum rp_err err = kept_write(task, &merging->kept, writer);

	return err == RP_ERR_LIMIT && lsn != merging->thin.last ? RP_OK : err;
}

/* The parts of a group are changes of their own then: it is known that it happened. */
static enum rp_err write_change(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct merging *merging = arg;
	struct change_writer writer;
	enum rp_err err;

	if (header->lsn > merging->thin.last)
		return wrong(merging, "change read otherwise before", header->lsn);
	change_begin(&writer, merging->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
	err = thin_write(task, &merging->thin, header->lsn, payload, &writer);
	if (err == RP_OK)
		err = put_kept(task, merging, header->lsn, &writer);
	if (err != RP_OK || (change_is_empty(&writer) && header->lsn != merging->last))
		return err;
	return put(task, merging, header, change_finish(&writer, true));
}

/* One record of the files that are merged. At their end there may be the beginning of a group; it is kept as it is. */
static enum rp_err take(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct merging *merging = arg;

	if (merging->volume->store->closing || merging->volume->catalog.destroyed)
		return RP_ERR_CANCELED;
	if (record != NULL && record->header.lsn <= merging->last) {
		enum rp_err err = pace_spend(task, merging->volume->store, &merging->pace,
		    record_journal_bytes(&record->header));

		if (err != RP_OK)
			return err;
	}
	if (record == NULL && missing_first <= merging->last)
		return wrong(merging, "records missing", missing_first);
	if (record == NULL)
		return RP_ERR_END;
	if (record->header.lsn > merging->last)
		return RP_ERR_END;
	if (merging->merge != NULL && record->header.lsn > merging->thin.last)
		return put(task, merging, &record->header, record->payload);
	return replay_record(task, &merging->replay, record, missing_first, missing_last);
}

static enum rp_err read_all(struct task *task, struct merging *merging, replay_fn *fn)
{
	struct volume *volume = merging->volume;
	enum rp_err err;

	replay_init(&merging->replay, loop_log(volume->store->loop), volume->dir, fn, merging, 0);
	err = journal_replay(task, volume->journal, 0, take, merging);
	replay_fini(&merging->replay);
	if (err == RP_OK && journal_damaged(volume->journal) != 0)
		return wrong(merging, "damage behind the last record", merging->last);
	return err == RP_ERR_END ? RP_OK : err;
}

/* NULL: both are the same; else what differs. */
static const char *node_difference(const struct catalog_node *a, const struct catalog_node *b)
{
	if (a->entry.mailboxid != b->entry.mailboxid || !bytes_eq(a->entry.name, b->entry.name))
		return "other names";
	if (a->entry.special_use != b->entry.special_use ||
	    a->entry.subscribed != b->entry.subscribed ||
	    a->entry.uidvalidity != b->entry.uidvalidity || a->created_lsn != b->created_lsn)
		return "other attributes";
	if (a->entry.uidnext != b->entry.uidnext ||
	    a->entry.highestmodseq != b->entry.highestmodseq ||
	    a->entry.messages_count != b->entry.messages_count ||
	    a->entry.unseen_count != b->entry.unseen_count ||
	    a->entry.deleted_count != b->entry.deleted_count || a->entry.bytes != b->entry.bytes)
		return "other counters";
	return a->changed_lsn != b->changed_lsn ? "other last change" : NULL;
}

/* What is read back makes the same catalog. */
static enum rp_err compare(struct merging *merging, const struct catalog *made)
{
	const struct catalog *wanted = &merging->thin.catalog;

	if (made->count != wanted->count || made->ids_count != wanted->ids_count)
		return wrong(merging, "other mailboxes", 0);
	if (made->sums.mailboxid_next != wanted->sums.mailboxid_next ||
	    made->sums.uidvalidity_last != wanted->sums.uidvalidity_last ||
	    made->sums.messages_count != wanted->sums.messages_count ||
	    made->sums.bytes != wanted->sums.bytes)
		return wrong(merging, "other sums", 0);
	if (made->delivered.count != wanted->delivered.count)
		return wrong(merging, "other deliveries", 0);
	for (size_t i = 0; i < wanted->count; i++) {
		const struct catalog_node *node = wanted->by_name[i];
		const char *difference = node_difference(made->by_name[i], node);

		if (difference == NULL)
			continue;
		merging->at_mailboxid = node->entry.mailboxid;
		return wrong(merging, difference, node->changed_lsn);
	}
	return RP_OK;
}

struct reading {
	struct catalog catalog;
	struct replay replay;
};

static enum rp_err read_change(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct reading *reading = arg;

	(void)task;
	return apply_to_catalog(&reading->catalog, NULL, "", header->lsn, payload);
}

static enum rp_err read_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct reading *reading = arg;

	return replay_record(task, &reading->replay, record, missing_first, missing_last);
}

/* What is on the disk now makes the same of it. */
static enum rp_err read_back(struct task *task, struct merging *merging)
{
	struct reading reading;
	enum rp_err err;

	catalog_init(&reading.catalog, merging->thin.catalog.names.key);
	replay_init(&reading.replay, NULL, "", read_change, &reading, 0);
	err = journal_merge_replay(task, merging->merge, read_record, &reading);
	if (err == RP_OK)
		err = compare(merging, &reading.catalog);
	replay_fini(&reading.replay);
	catalog_fini(&reading.catalog);
	return err;
}

static enum rp_err make_file(struct task *task, struct merging *merging)
{
	enum rp_err err;

	merging->at = "writing";
	err = journal_merge_begin(task, merging->volume->journal, merging->last, &merging->merge);
	if (err == RP_OK)
		err = read_all(task, merging, write_change);
	if (err == RP_OK) {
		merging->at = "reading back";
		err = read_back(task, merging);
	}
	if (err != RP_OK) {
		journal_merge_abort(task, merging->merge);
		return err;
	}
	merging->at = "naming";
	return journal_merge_end(task, merging->merge);
}

/* All records that every index and the newest catalog have. */
static uint64_t bound_of(const struct volume *volume)
{
	return num_min(volume->catalog_lsn, catalog_least_lsn(&volume->catalog));
}

/* The rows of what can be brought back. */
static enum rp_err read_kept(struct task *task, struct merging *merging)
{
	bool any;
	enum rp_err err = kept_any(task, merging->volume, &merging->kept, &any);

	if (err != RP_OK || !any)
		return err;
	merging->at = "reading what is kept";
	err = read_all(task, merging, take_kept);
	return err == RP_OK ? kept_end(task, &merging->kept) : err;
}

static enum rp_err merge_files(struct task *task, struct merging *merging)
{
	struct volume *volume = merging->volume;
	enum rp_err err;

	merging->payload = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	if (merging->payload == NULL)
		return RP_ERR_NOMEM;
	thin_init(&merging->thin, volume->catalog.names.key);
	kept_begin(volume, &merging->kept);
	merging->at = "reading";
	err = read_all(task, merging, note);
	merging->worthless = merging->thin.changes == 0;
	if (err == RP_OK && merging->worthless)
		err = RP_ERR_LIMIT;
	if (err == RP_OK)
		err = read_kept(task, merging);
	if (err == RP_OK)
		err = thin_ready(task, &merging->thin);
	if (err == RP_OK)
		err = make_file(task, merging);
	kept_fini(task, &merging->kept);
	thin_fini(task, &merging->thin);
	free(merging->payload);
	return err;
}

static enum rp_err merge(struct task *task, struct merging *merging)
{
	struct volume *volume = merging->volume;
	uint64_t bytes;
	enum rp_err err;

	merging->at = "listing";
	err = journal_remove_void(task, volume->journal);
	if (err == RP_OK)
		err = journal_mergeable(
		    task, volume->journal, bound_of(volume), &merging->last, &bytes);
	if (err != RP_OK || merging->last == 0 || bytes < volume->merge_at_bytes ||
	    bytes < 2 * MERGE_ROW_BYTES * volume->catalog.sums.messages_count)
		return err;
	merging->bytes_max = bytes / 2;
	pace_begin(&merging->pace, volume->store);
	err = merge_files(task, merging);
	/* Next time when as much has come again: what is read each time is paid for by what was written. */
	if (!pace_cut_short(err))
		volume->merge_at_bytes = 2 * bytes;
	if (err == RP_OK) {
		volume->merge_at_bytes = 0;
		volume->store->merges_done++;
	}
	return err == RP_ERR_LIMIT && merging->worthless ? RP_OK : err;
}

static enum rp_err run(struct task *task, struct volume *volume)
{
	struct merging merging = {.volume = volume};
	struct store *store = volume->store;
	enum rp_err err;

	volume->merging = true;
	store->merges++;
	err = volume->catalog.destroyed ? RP_OK : merge(task, &merging);
	store->merges--;
	volume->merging = false;
	store->merges_given_up += err == RP_ERR_CORRUPT || err == RP_ERR_LIMIT;
	if (err != RP_OK && err != RP_ERR_CANCELED)
		LOG(loop_log(store->loop), LOG_WARN, "volume.merge", LOG_STR("volume", volume->dir),
		    LOG_STR("reason", err_name(err)), LOG_STR("at", merging.at),
		    LOG_U64("lsn", merging.at_lsn), LOG_U64("mailboxid", merging.at_mailboxid));
	return err;
}

static void merge_task(struct task *task, void *arg)
{
	(void)!run(task, arg); /* it was told in the log; nobody waits for it */
	volume_task_ended(arg);
}

void merge_consider(struct volume *volume)
{
	struct store *store = volume->store;

	if (volume->merging || volume->bare || volume->catalog.destroyed ||
	    store->merges >= MERGES_MAX || commit_failed(store->commit) ||
	    commit_room_bytes(store->commit) < journal_bytes_since(volume->journal, 0) ||
	    !journal_wants_merge(volume->journal, bound_of(volume)))
		return;
	volume->merging = volume_task_start(volume, "merge", merge_task);
}

enum rp_err merge_now(struct task *task, struct volume *volume)
{
	return volume->merging ? RP_ERR_BUSY : run(task, volume);
}
