/* Reading a mailbox's messages: mailbox_load() of mailbox_state.h. */
#include "index/apply.h"
#include "index/journal_notes.h"
#include "index/mailbox_state.h"
#include "index/replay.h"
#include "index/volume_floor.h"
#include "index/volume_state.h"
#include "io/base/log.h"
#include "io/base/num.h"

struct loading {
	struct table *table;
	uint64_t mailboxid;
	bool known_only; /* missing records change nothing */
	bool rows_only;  /* the table has all rows that it is to have */
	struct replay replay;
};

static enum rp_err replay_into_table(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct loading *loading = arg;
	enum rp_err err = (loading->rows_only ? apply_to_rows : apply_to_table)(
	    task, loading->table, loading->mailboxid, header->lsn, payload);

	return err == RP_OK ? task_pause(task) : err;
}

/* Records up to this one are lost, and may have been about any message that there was. So each of these changed then, and who asks
 * what was expunged since an older one is told all that is not there: of too much, and never of too little. */
static enum rp_err pass_missing(struct task *task, const struct loading *loading, uint64_t last_lsn)
{
	enum rp_err err;

	if (loading->known_only)
		return RP_OK;
	err = table_prepare_flags(task, loading->table, NULL, 0, 0);
	if (err != RP_OK)
		return err;
	table_set_modseq(loading->table, NULL, last_lsn);
	table_forget_history(loading->table, last_lsn);
	table_note_loss(loading->table);
	return RP_OK;
}

static enum rp_err load_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct loading *loading = arg;
	enum rp_err err =
	    replay_record(task, &loading->replay, record, missing_first, missing_last);

	return err == RP_OK && record == NULL ? pass_missing(task, loading, missing_last) : err;
}

/* The oldest record after this one that is not in its place yet. */
static struct commit_entry *unsettled_after(struct settle *settle, uint64_t lsn)
{
	LIST_FOR_EACH(link, &settle->entries) {
		struct commit_entry *entry = RP_CONTAINER_OF(link, struct commit_entry, link);

		if (entry->record.header.lsn > lsn)
			return entry;
	}
	return NULL;
}

static enum rp_err replay_unsettled(
    struct task *task, struct volume *volume, struct commit_entry *entry, struct loading *loading)
{
	enum rp_err err;

	commit_entry_hold(entry);
	err = load_record(task, loading, &entry->record, 0, 0);
	commit_entry_release(volume->store->commit, entry);
	return err;
}

/* The last record that this mailbox must meet. */
static uint64_t changed_lsn(const struct volume *volume, uint64_t mailboxid)
{
	const struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);

	return node != NULL ? node->changed_lsn : 0;
}

/* A change is being read of which more parts are there. Those of one that is still under way (transfer_long.c) are not waited for:
 * nothing of it is so yet. */
static bool is_within_group(const struct volume *volume, const struct replay *replay)
{
	return replay->part_next != 0 && replay->lsn < volume->catalog.lsn;
}

/* What the journal has behind this LSN. */
static enum rp_err replay_journal(
    struct task *task, struct volume *volume, uint64_t since, struct loading *loading)
{
	struct journal_notes *notes = volume->notes;
	uint64_t done;
	enum rp_err err;

	if (notes == NULL)
		return journal_replay(task, volume->journal, since, load_record, loading);
	journal_notes_hold(notes);
	err = journal_notes_replay(
	    task, notes, loading->mailboxid, since, load_record, loading, &done);
	journal_notes_let_go(notes);
	if (err == RP_OK) /* what is not about it was not met */
		loading->replay.lsn = num_max(loading->replay.lsn, done);
	return err;
}

/* Records lie in the journal, then in memory; while we read, others are made, and move from there to here. */
static enum rp_err replay_all(struct task *task, struct volume *volume, struct loading *loading)
{
	struct replay *replay = &loading->replay;
	uint64_t changed;
	enum rp_err err = RP_OK;

	while (err == RP_OK && ((changed = changed_lsn(volume, loading->mailboxid)) > replay->lsn ||
	                           is_within_group(volume, replay))) {
		struct commit_entry *entry = unsettled_after(&volume->settle, replay->lsn);
		uint64_t before = replay->lsn;

		if (entry != NULL && entry->record.header.lsn == before + 1) {
			err = replay_unsettled(task, volume, entry, loading);
			continue;
		}
		err = replay_journal(task, volume, before, loading);
		if (err == RP_OK && replay->lsn == before) {
			LOG(loop_log(volume->store->loop), LOG_ERROR, "volume.lost_records",
			    LOG_STR("volume", volume->dir), LOG_U64("after_lsn", before));
			/* What is there is served. Behind the last change there may be parts of one that never happened. */
			return before < changed ? pass_missing(task, loading, changed) : RP_OK;
		}
	}
	return err;
}

static enum rp_err catch_up(
    struct task *task, struct volume *volume, uint64_t lsn, struct loading *loading)
{
	enum rp_err err;

	replay_init(&loading->replay, loop_log(volume->store->loop), volume->dir, replay_into_table,
	    loading, lsn);
	journal_hold(volume->journal);
	err = replay_all(task, volume, loading);
	/* A repair: no record that raises numbers stands behind them yet. */
	if (err == RP_OK && loading->known_only && volume->pending == NULL &&
	    volume_floor_shows_end_lost(volume))
		err = replay_lost_end(task, &loading->replay);
	journal_let_go(volume->journal);
	replay_fini(&loading->replay);
	return err;
}

enum rp_err mailbox_catch_up(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct table *table, uint64_t lsn)
{
	struct loading loading = {.table = table, .mailboxid = mailboxid};

	return catch_up(task, volume, lsn, &loading);
}

enum rp_err mailbox_replay_known(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct table *table, uint64_t lsn)
{
	struct loading loading = {.table = table, .mailboxid = mailboxid, .known_only = true};

	return catch_up(task, volume, lsn, &loading);
}

enum rp_err mailbox_replay_rows(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct table *table)
{
	struct loading loading = {
	    .table = table, .mailboxid = mailboxid, .known_only = true, .rows_only = true};

	return catch_up(task, volume, 0, &loading);
}

static bool counters_agree(const struct catalog_entry *entry, const struct table_counts *counts)
{
	return entry->messages_count == counts->messages && entry->unseen_count == counts->unseen &&
	       entry->deleted_count == counts->deleted && entry->bytes == counts->bytes;
}

/* What was lost to damage may have left the counters wrong: the messages themselves are right. */
static void check_counters(struct volume *volume, uint64_t mailboxid, const struct table *table)
{
	struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);
	struct table_counts counts;

	if (node == NULL)
		return;
	table_counts(table, &counts);
	if (node->entry.uidnext <= table_last_uid(table) && table_last_uid(table) < UINT32_MAX)
		node->entry.uidnext = table_last_uid(table) + 1;
	if (counters_agree(&node->entry, &counts))
		return;
	LOG(loop_log(volume->store->loop), LOG_WARN, "mailbox.counters",
	    LOG_STR("volume", volume->dir), LOG_U64("mailboxid", mailboxid),
	    LOG_U64("catalog", node->entry.messages_count), LOG_U64("table", counts.messages));
	node->entry.messages_count = counts.messages;
	node->entry.unseen_count = counts.unseen;
	node->entry.deleted_count = counts.deleted;
	node->entry.bytes = counts.bytes;
}

/* Its index file is of no use: the journal has it all, and the next checkpoint writes another. */
static void forget_index(struct volume *volume, uint64_t mailboxid)
{
	struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);

	if (node != NULL)
		node->index_lsn = 0;
}

/* The index file, or an empty table where there is none, or a bad one. *lsn: what it has. */
static enum rp_err open_table(struct task *task, struct volume *volume, uint64_t mailboxid,
    struct table **out, uint64_t *lsn)
{
	const struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);
	uint64_t index_lsn = node->index_lsn;
	uint64_t created_lsn = node->created_lsn;
	char path[VOLUME_PATH_BYTES];
	enum rp_err err;

	if (index_lsn != 0) {
		volume_path(volume, path, "%llu.%llu.index", (unsigned long long)mailboxid,
		    (unsigned long long)index_lsn);
		err = table_open(task, path, &volume->userid, mailboxid, out, lsn);
		if (err == RP_OK && *lsn == index_lsn)
			return RP_OK;
		if (err == RP_OK)
			table_free(*out);
		if (err == RP_ERR_CANCELED || err == RP_ERR_NOMEM || err == RP_ERR_LIMIT || err == RP_ERR_DENIED)
			return err;
		LOG(loop_log(volume->store->loop), LOG_WARN, "mailbox.bad_index",
		    LOG_STR("file", path), LOG_STR("reason", err_name(err)));
		forget_index(volume, mailboxid);
	}
	*lsn = created_lsn > 0 ? created_lsn - 1 : 0;
	return table_new(volume->store->loop, mailboxid, out);
}

static enum rp_err load_once(struct task *task, struct volume *volume, uint64_t mailboxid,
    struct table **out)
{
	const struct catalog_node *node;
	struct table *table;
	bool is_indexed;
	uint64_t lsn;
	enum rp_err err = open_table(task, volume, mailboxid, &table, &lsn);

	if (err != RP_OK)
		return err;
	node = catalog_by_id(&volume->catalog, mailboxid); /* it may have been deleted meanwhile */
	is_indexed = node != NULL && node->index_lsn != 0;
	err = mailbox_catch_up(task, volume, mailboxid, table, lsn);
	if (err == RP_OK && (table_is_bad(table) || (table_is_overfull(table) && is_indexed)))
		err = RP_ERR_CORRUPT;
	if (err != RP_OK) {
		table_free(table);
		return err;
	}
	*out = table;
	return RP_OK;
}

enum rp_err mailbox_load(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct table **out)
{
	enum rp_err err = load_once(task, volume, mailboxid, out);
	struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);

	if (err == RP_ERR_CORRUPT && node != NULL && node->index_lsn != 0) {
		forget_index(volume, mailboxid);
		err = load_once(task, volume, mailboxid, out);
	}
	if (err == RP_OK)
		check_counters(volume, mailboxid, *out);
	return err;
}

/* A mailbox that cannot be read now is counted when it can. */
enum rp_err mailbox_count_all(struct task *task, struct volume *volume)
{
	const struct catalog *catalog = &volume->catalog;
	uint64_t last = 0;
	enum rp_err err = RP_OK;
	size_t i;

	volume_notes_hold(volume);
	while (err != RP_ERR_CANCELED && (i = catalog_id_lower(catalog, last + 1)) < catalog->ids_count) {
		struct table *table = NULL;

		last = catalog->by_id[i]->entry.mailboxid;
		err = mailbox_load(task, volume, last, &table);
		table_free(table);
	}
	volume_notes_let_go(volume);
	return err == RP_ERR_CANCELED ? err : RP_OK;
}
