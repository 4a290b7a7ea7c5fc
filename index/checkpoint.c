#include "index/checkpoint.h"

#include <stdlib.h>

#include "index/cache.h"
#include "index/compact.h"
#include "index/mailbox_state.h"
#include "index/merge.h"
#include "index/purge.h"
#include "index/view.h"
#include "index/volume_files.h"
#include "io/base/clock.h"
#include "io/base/log.h"
#include "io/base/num.h"

enum {
	CHECKPOINT_LIST_BYTES_MAX = 32 * 1024 * 1024, /* the names in a directory */
	CHECKPOINT_RETRY_S = 60, /* after one that failed */
	CHECKPOINT_POLL_NS = 1000 * 1000,
};

/* How much the journal may grow: a quarter of what would be written. A file of a few rows is no small work either: it is made, named
 * and removed. */
static uint64_t threshold(const struct volume *volume)
{
	const struct catalog *catalog = &volume->catalog;
	uint64_t bytes = catalog->count * CHECKPOINT_NAME_BYTES;

	for (size_t i = 0; i < catalog->ids_count; i++) {
		const struct catalog_node *node = catalog->by_id[i];

		if (node->changed_lsn > node->index_lsn)
			bytes += CHECKPOINT_FILE_BYTES +
			         (uint64_t)node->entry.messages_count * CHECKPOINT_ROW_BYTES;
	}
	return num_max(CHECKPOINT_BYTES_MIN, bytes / 4);
}

/* The index of one mailbox, complete and durable up to *lsn, under its name. wasteful: it names no cache entries. */
static enum rp_err write_index(
    struct task *task, struct mailbox *mailbox, bool wasteful, uint64_t *lsn)
{
	struct volume *volume = mailbox->volume;
	struct runs listed = RUNS_EMPTY;
	char tmp[VOLUME_PATH_BYTES];
	char path[VOLUME_PATH_BYTES];
	uint32_t cache_end = UINT32_MAX;
	bool lacks_room = cache_lacks_room(mailbox, &cache_end);
	enum rp_err err = view_listed(mailbox, &listed);

	*lsn = volume->catalog.lsn;
	volume_path(volume, tmp, "%llu.index.tmp", (unsigned long long)mailbox->mailboxid);
	volume_path(volume, path, "%llu.%llu.index", (unsigned long long)mailbox->mailboxid,
	    (unsigned long long)*lsn);
	if (wasteful)
		table_leave_cache(mailbox->table);
	else if (lacks_room)
		table_cut_cache(mailbox->table, cache_end);
	if (err == RP_OK)
		err = table_write(task, mailbox->table, tmp, &volume->userid, volume->store->epoch,
		    *lsn, &listed);
	runs_fini(&listed);
	/* What it names is there, whenever the server ends: else it is damage. */
	if (err == RP_OK && !wasteful && !lacks_room)
		err = cache_settle(task, mailbox);
	/* What was applied meanwhile may be in it: it must not get a name that a crash could leave ahead of the journal. */
	if (err == RP_OK)
		err = commit_wait(task, volume->store->commit, volume->position);
	if (err == RP_OK)
		err = file_rename(task, FILE_ROOT_DATA, tmp, path);
	return err;
}

/* The mailbox goes on with the file just written: what it had in memory goes back. */
static enum rp_err take_index(struct task *task, struct mailbox *mailbox, uint64_t lsn)
{
	struct volume *volume = mailbox->volume;
	struct catalog_node *node = catalog_by_id(&volume->catalog, mailbox->mailboxid);
	struct table *table;
	char path[VOLUME_PATH_BYTES];
	uint64_t found;
	enum rp_err err;

	if (node == NULL)
		return RP_OK; /* deleted meanwhile */
	volume_path(volume, path, "%llu.%llu.index", (unsigned long long)mailbox->mailboxid,
	    (unsigned long long)lsn);
	err = table_open(task, path, &volume->userid, mailbox->mailboxid, &table, &found);
	if (err != RP_OK)
		return err;
	err = mailbox_swap(task, mailbox, table, lsn);
	if (err != RP_OK) {
		table_free(table);
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	}
	node = catalog_by_id(&volume->catalog, mailbox->mailboxid);
	if (node != NULL)
		node->index_lsn = lsn;
	return RP_OK;
}

static enum rp_err write_mailbox(struct task *task, struct volume *volume, uint64_t mailboxid)
{
	struct mailbox *mailbox;
	uint64_t lsn;
	enum rp_err err = mailbox_open_id(task, volume, mailboxid, &mailbox);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;

	bool wasteful = cache_is_wasteful(mailbox);

	err = write_index(task, mailbox, wasteful, &lsn);
	if (err == RP_ERR_CORRUPT) { /* the file before it is bad: the journal is not */
		err = mailbox_mend(task, mailbox);
		if (err == RP_OK)
			err = write_index(task, mailbox, wasteful, &lsn);
	}
	if (err == RP_OK)
		err = take_index(task, mailbox, lsn);
	if (err == RP_OK && wasteful)
		cache_drop(task, mailbox);
	mailbox_close(mailbox);
	return err;
}

/* Somebody has put another table in the place of the one that was being written. Who copies or moves very many again and again does
 * that each time: so he waits this once, or his journal would grow for ever. */
static enum rp_err write_in_turn(struct task *task, struct volume *volume, uint64_t mailboxid)
{
	enum rp_err err = RP_OK;

	volume->checkpoint_turn = true;
	while (err == RP_OK && volume->changing)
		err = task_queue_wait(task, &volume->changed);
	if (err == RP_OK)
		err = write_mailbox(task, volume, mailboxid);
	volume->checkpoint_turn = false;
	task_queue_wake_all(&volume->changed);
	return err;
}

/* The next mailbox whose index lacks something, by id; 0: none. */
static uint64_t next_behind(const struct catalog *catalog, uint64_t after)
{
	for (size_t i = catalog_id_lower(catalog, after + 1); i < catalog->ids_count; i++) {
		const struct catalog_node *node = catalog->by_id[i];

		if (node->changed_lsn > node->index_lsn)
			return node->entry.mailboxid;
	}
	return 0;
}

static enum rp_err write_file(struct task *task, const char *path, struct bytes content)
{
	struct file *file;
	enum rp_err err = file_open(
	    task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &file);

	if (err != RP_OK)
		return err;
	err = file_write(task, file, content.p, content.n, 0, false);
	file_close(file);
	return err;
}

static enum rp_err make_empty(struct task *task, const char *path)
{
	struct file *file;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE, &file);

	if (err == RP_OK)
		file_close(file);
	return err;
}

static enum rp_err write_catalog(struct task *task, struct volume *volume)
{
	char tmp[VOLUME_PATH_BYTES];
	char path[VOLUME_PATH_BYTES];
	uint64_t lsn = volume->catalog.lsn;
	uint64_t position = volume->position;
	uint64_t nonce = 0;
	uint8_t *p;
	size_t n;
	enum rp_err err;

	while (nonce == 0)
		loop_random(volume->store->loop, &nonce, sizeof(nonce));
	err = catalog_encode(
	    &volume->catalog, &volume->userid, volume->store->epoch, nonce, &p, &n);
	if (err != RP_OK)
		return err;
	volume_path(volume, tmp, "catalog.tmp");
	volume_path(volume, path, "%llu.catalog", (unsigned long long)lsn);
	err = commit_wait(task, volume->store->commit, position);
	if (err == RP_OK)
		err = write_file(task, tmp, bytes_of(p, n));
	if (err == RP_OK)
		err = file_rename(task, FILE_ROOT_DATA, tmp, path);
	free(p);
	if (err != RP_OK)
		return err;
	volume->catalog_lsn = lsn;
	/* Its name alone tells: who looks for damage knows then which catalog there was. */
	volume_path(volume, path, "%llu.checkpoint", (unsigned long long)lsn);
	return make_empty(task, path);
}

/* Is this derived file superseded, or of a mailbox that is no more? */
static bool is_stale(const struct volume *volume, const struct volume_file *file)
{
	const struct catalog_node *node =
	    file->mailboxid != 0 ? catalog_by_id(&volume->catalog, file->mailboxid) : NULL;

	switch (file->kind) {
	case VOLUME_FILE_TMP:
		return !volume->merging; /* it has one too */
	case VOLUME_FILE_CATALOG:
	case VOLUME_FILE_CHECKPOINT:
		return file->lsn != volume->catalog_lsn;
	case VOLUME_FILE_INDEX:
		return node == NULL || file->lsn != node->index_lsn;
	case VOLUME_FILE_CACHE:
	case VOLUME_FILE_GRAMS:
		return node == NULL;
	case VOLUME_FILE_OTHER:
		return false;
	}
	return false;
}

/* What earlier checkpoints replaced. Deletions are durable first, so that a crash cannot bring a mailbox back without its
 * files (they would be rebuilt, but why). */
static enum rp_err remove_stale(struct task *task, struct volume *volume)
{
	struct volume_files files;
	struct arena arena;
	enum rp_err err = commit_wait(task, volume->store->commit, volume->position);

	if (err != RP_OK)
		return err;
	arena_init(&arena, CHECKPOINT_LIST_BYTES_MAX);
	err = volume_files_list(task, volume->dir, &arena, &files);
	for (size_t i = 0; err == RP_OK && i < files.count; i++) {
		struct volume_file file = volume_file_parse(files.entries[i].name);
		char path[VOLUME_PATH_BYTES];

		if (!is_stale(volume, &file))
			continue;
		volume_path(volume, path, "%.*s", BYTES_FMT(files.entries[i].name));
		err = file_remove(task, FILE_ROOT_DATA, path);
	}
	arena_fini(&arena);
	return err;
}

/* All mail is gone: so are its files, but for the journal that says so. */
static enum rp_err remove_destroyed(struct task *task, struct volume *volume)
{
	enum rp_err err = volume_settle(task, volume);

	while (err == RP_OK && (volume->merging || volume->compact_runs ||
	                           volume->cache_writes > 0)) /* they end soon */
		err = task_sleep(task, CHECKPOINT_POLL_NS);
	if (err == RP_OK)
		err = purge_files(task, volume->dir, volume->journal, volume->dbox, volume->catalog.lsn);
	return err;
}

static enum rp_err checkpoint(struct task *task, struct volume *volume)
{
	uint64_t mailboxid = 0;
	enum rp_err err;

	if (volume->catalog.destroyed)
		return remove_destroyed(task, volume);
	(void)!journal_keep_headers(task, volume->journal); /* what is written here needs no journal */
	err = remove_stale(task, volume);
	if (err == RP_OK)
		err = dir_make(task, FILE_ROOT_DATA, volume->dir); /* nothing may be settled yet */
	volume_notes_hold(volume);
	while (err == RP_OK && (mailboxid = next_behind(&volume->catalog, mailboxid)) != 0) {
		err = write_mailbox(task, volume, mailboxid);
		if (err == RP_ERR_BUSY)
			err = write_in_turn(task, volume, mailboxid);
	}
	volume_notes_let_go(volume);
	if (err == RP_OK)
		err = write_catalog(task, volume);
	return err;
}

/* One at a time for a volume. */
static enum rp_err run(struct task *task, struct volume *volume)
{
	uint64_t unwritten_bytes = volume->unwritten_bytes;
	enum rp_err err;

	volume->checkpointing = true;
	volume->unwritten_bytes = 0;
	volume->store->checkpoints++;
	err = checkpoint(task, volume);
	volume->store->checkpoints--;
	volume->checkpointing = false;
	volume->checkpoint_at_bytes = threshold(volume);
	volume->checkpoint_after_ns = 0;
	volume->store->checkpoints_done += err == RP_OK;
	if (err == RP_OK)
		merge_consider(volume);
	if (err == RP_OK)
		compact_consider(volume);
	if (err != RP_OK) {
		volume->unwritten_bytes += unwritten_bytes;
		volume->checkpoint_after_ns =
		    loop_now_ns(volume->store->loop) + CHECKPOINT_RETRY_S * CLOCK_NS_PER_S;
		LOG(loop_log(volume->store->loop), LOG_WARN, "volume.checkpoint",
		    LOG_STR("volume", volume->dir), LOG_STR("reason", err_name(err)));
	}
	return err;
}

static void checkpoint_task(struct task *task, void *arg)
{
	(void)!run(task, arg); /* it was told in the log; nobody waits for it */
	volume_task_ended(arg);
}

void checkpoint_consider(struct volume *volume)
{
	struct store *store = volume->store;

	if (volume->checkpointing || !volume->open || volume->bare || store->checkpoints >= CHECKPOINTS_MAX ||
	    commit_failed(store->commit))
		return;
	if (volume->unwritten_bytes < volume->checkpoint_at_bytes ||
	    volume->unwritten_bytes < CHECKPOINT_BYTES_MIN)
		return;
	volume->checkpoint_at_bytes = threshold(volume);
	if (volume->unwritten_bytes < volume->checkpoint_at_bytes ||
	    commit_room_bytes(store->commit) / 4 < volume->checkpoint_at_bytes ||
	    loop_now_ns(store->loop) < volume->checkpoint_after_ns)
		return;
	volume->checkpointing = volume_task_start(volume, "checkpoint", checkpoint_task);
	if (!volume->checkpointing)
		volume->checkpoint_after_ns =
		    loop_now_ns(store->loop) + CHECKPOINT_RETRY_S * CLOCK_NS_PER_S;
}

void checkpoint_count(struct volume *volume, uint64_t bytes)
{
	volume->unwritten_bytes += bytes;
	checkpoint_consider(volume);
	compact_count(volume);
}

enum rp_err checkpoint_now(struct task *task, struct volume *volume)
{
	return volume->checkpointing ? RP_ERR_BUSY : run(task, volume);
}
