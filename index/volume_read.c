/* Opening a volume: recover, the newest sound catalog, the journal from there on, the files of its mailboxes. */
#include <stdio.h>
#include <stdlib.h>

#include "index/apply.h"
#include "index/breath.h"
#include "index/mailbox_state.h"
#include "index/pending.h"
#include "index/replay.h"
#include "index/trim.h"
#include "index/volume_files.h"
#include "index/volume_floor.h"
#include "index/volume_state.h"
#include "io/base/log.h"
#include "io/base/num.h"

enum {
	CATALOG_BYTES_MAX = 64 * 1024 * 1024, /* 20,000 long names twice over */
};

/* The names that a new dbox file begins with, so that bodies alone tell where they belong: one line for each mailbox,
 *     id uidvalidity special_use name */
static enum rp_err dbox_names(void *arg, struct arena *arena, struct bytes *names)
{
	const struct volume *volume = arg;
	const struct catalog *catalog = &volume->catalog;
	size_t n = 0;
	size_t at = 0;
	uint8_t *p;

	for (size_t i = 0; i < catalog->ids_count; i++)
		n += catalog->by_id[i]->entry.name.n + 3 * 21 + 1;
	p = arena_alloc(arena, n);
	if (p == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < catalog->ids_count; i++) {
		const struct catalog_entry *entry = &catalog->by_id[i]->entry;

		at += num_to_dec(entry->mailboxid, p + at);
		p[at++] = ' ';
		at += num_to_dec(entry->uidvalidity, p + at);
		p[at++] = ' ';
		at += num_to_dec(entry->special_use, p + at);
		p[at++] = ' ';
		memcpy(p + at, entry->name.p, entry->name.n);
		at += entry->name.n;
		p[at++] = '\n';
	}
	RP_ASSERT(at <= n);
	*names = bytes_of(p, at);
	return RP_OK;
}

static enum rp_err read_open(
    struct task *task, struct file *file, uint64_t bytes, uint8_t **out, size_t *out_bytes)
{
	bool before = file_lose_whole(task, true); /* older ones and the journals tell the same */
	uint8_t *p = malloc(bytes + 1);
	enum rp_err err = RP_ERR_NOMEM;

	if (p != NULL)
		err = file_read_retry(task, file, p, bytes, 0, out_bytes);
	file_lose_whole(task, before);
	if (err == RP_OK)
		*out = p;
	else
		free(p);
	return err;
}

/* The whole of a file, malloc'ed. RP_ERR_IO: it is lost; RP_ERR_UNAVAILABLE: the disk is away. */
static enum rp_err read_whole(
    struct task *task, const char *path, uint64_t bytes_max, uint8_t **out, size_t *out_bytes)
{
	struct file *file;
	uint64_t size;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file);

	if (err != RP_OK)
		return err == RP_ERR_IO ? RP_ERR_UNAVAILABLE : err;
	err = file_size(task, file, &size);
	if (err == RP_ERR_IO)
		err = RP_ERR_UNAVAILABLE;
	if (err == RP_OK)
		err = size > bytes_max ? RP_ERR_CORRUPT : read_open(task, file, size, out, out_bytes);
	file_close(file);
	return err;
}

static enum rp_err read_catalog(struct task *task, const char *dir, const struct userid *userid,
    uint64_t lsn, struct catalog *catalog)
{
	char path[VOLUME_PATH_BYTES];
	uint8_t *p;
	size_t n;
	enum rp_err err;

	snprintf(path, sizeof(path), "%s/%llu.catalog", dir, (unsigned long long)lsn);
	err = read_whole(task, path, CATALOG_BYTES_MAX, &p, &n);
	if (err != RP_OK)
		return err;
	err = catalog_decode(catalog, bytes_of(p, n), userid);
	free(p);
	if (err == RP_OK && catalog->lsn != lsn) {
		catalog_fini(catalog);
		err = RP_ERR_CORRUPT;
	}
	return err;
}

/* The newest catalog below the bound that is sound. RP_ERR_NOTFOUND: none. */
static enum rp_err find_catalog(struct task *task, const char *dir, const struct userid *userid,
    const struct volume_files *files, uint64_t bound, struct catalog *catalog)
{
	for (;;) {
		uint64_t lsn = volume_files_catalog_below(files, bound);
		enum rp_err err;

		if (lsn == 0)
			return RP_ERR_NOTFOUND;
		err = read_catalog(task, dir, userid, lsn, catalog);
		/* A disk that is away, or a file that may not be read, is no reason to do without: an older one may know less than
		 * the journals have lost since. */
		if (err == RP_OK || err == RP_ERR_CANCELED || err == RP_ERR_NOMEM || err == RP_ERR_LIMIT ||
		    err == RP_ERR_UNAVAILABLE || err == RP_ERR_DENIED)
			return err;
		LOG(loop_log(task_loop(task)), LOG_WARN, "volume.bad_catalog",
		    LOG_STR("volume", dir), LOG_U64("lsn", lsn), LOG_STR("reason", err_name(err)));
		bound = lsn;
	}
}

enum rp_err volume_read_catalog_file(
    struct task *task, const struct userid *userid, uint64_t lsn, struct catalog *catalog)
{
	char dir[USERID_PATH_BYTES];

	userid_path(userid, dir);
	return read_catalog(task, dir, userid, lsn, catalog);
}

enum rp_err volume_read_catalog(
    struct task *task, const struct userid *userid, uint64_t bound, struct catalog *catalog)
{
	char dir[USERID_PATH_BYTES];
	struct volume_files files;
	struct arena arena;
	enum rp_err err;

	userid_path(userid, dir);
	arena_init(&arena, VOLUME_LIST_BYTES_MAX);
	err = volume_files_list(task, dir, &arena, &files);
	if (err == RP_OK)
		err = find_catalog(task, dir, userid, &files, bound, catalog);
	arena_fini(&arena);
	return err;
}

/* The newest catalog that is not ahead of the journal, or none. */
static enum rp_err start_catalog(
    struct task *task, struct volume *volume, const struct volume_files *files)
{
	enum rp_err err = find_catalog(task, volume->dir, &volume->userid, files,
	    journal_last_lsn(volume->journal) + 1, &volume->catalog);

	/* Older ones cannot be brought up either: each that is there was older than those that the merge was made after. */
	if (err == RP_OK && journal_is_merged_over(volume->journal, volume->catalog.lsn)) {
		catalog_fini(&volume->catalog);
		err = RP_ERR_NOTFOUND;
	}
	if (err == RP_OK)
		volume->catalog_lsn = volume->catalog.lsn;
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

struct reading {
	struct volume *volume;
	struct replay replay;
};

static enum rp_err replay_into_catalog(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct reading *reading = arg;
	struct volume *volume = reading->volume;
	enum rp_err err;

	volume->catalog.has_gap = reading->replay.missing > 0;
	if (volume->catalog.has_gap)
		catalog_note_loss(&volume->catalog);
	err = apply_to_catalog(
	    &volume->catalog, loop_log(volume->store->loop), volume->dir, header->lsn, payload);
	return err == RP_OK ? task_pause(task) : err;
}

static enum rp_err replay_catalog(struct task *task, struct volume *volume)
{
	struct reading reading = {.volume = volume};
	enum rp_err err;

	replay_init(&reading.replay, loop_log(volume->store->loop), volume->dir, replay_into_catalog,
	    &reading, volume->catalog.lsn);
	err = journal_replay(
	    task, volume->journal, volume->catalog.lsn, replay_record, &reading.replay);
	/* A table's replay will meet the LSNs that are then left out. */
	if (err == RP_OK && volume->pending == NULL && volume_floor_shows_end_lost(volume))
		err = replay_lost_end(task, &reading.replay);
	volume->catalog.has_gap = false;
	volume->replayed_lsn = volume->catalog.lsn;
	volume->missing_lsn = reading.replay.missing_last;
	volume->void_end = reading.replay.part_next != 0;
	/* Void parts at the end are passed over for ever: no later record belongs to them. */
	volume->catalog.lsn = journal_last_lsn(volume->journal);
	replay_fini(&reading.replay);
	return err;
}

static enum rp_err init_prepare(struct task *task, void *arg)
{
	struct volume *volume = arg;
	enum rp_err err = RP_OK;

	(void)task;
	catalog_drop_spares(&volume->catalog);
	for (unsigned i = 0; err == RP_OK && i < volume_first_count; i++)
		err = catalog_prepare(&volume->catalog, volume_first[i].name.n);
	return err;
}

static enum rp_err init_write(struct breath *breath, void *arg)
{
	struct volume *volume = arg;
	struct change_sums sums = volume->catalog.sums;

	/* There may have been others. */
	if (volume->log_lost)
		sums.uidvalidity_last = volume_floor_uidvalidity(volume, sums.uidvalidity_last);
	for (unsigned i = 0; i < volume_first_count; i++) {
		sums.uidvalidity_last = volume_uidvalidity(volume, sums.uidvalidity_last);
		BREATH_PUT(breath,
		    change_put_mailbox(&breath->writer, sums.mailboxid_next,
			sums.uidvalidity_last, volume_first[i].special_use, volume_first[i].name));
		BREATH_PUT(breath,
		    change_put_subscription(&breath->writer, volume_first[i].name, true));
		sums.mailboxid_next++;
	}
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

/* A volume in which nothing ever happened, or of which nothing is known, gets its first mailboxes. */
static enum rp_err make_first(struct task *task, struct volume *volume)
{
	struct breath_plan plan = { .type = CHANGE_INIT,
		.prepare = init_prepare,
		.write = init_write,
		.arg = volume,
		.room = BREATH_ROOM_MORE };

	if (volume->catalog.destroyed)
		return RP_OK;
	/* His files are not there yet: what could not be put into them would hold up all who share the log. */
	commit_look_at_room(task, volume->store->commit);
	return breath_run(task, volume, &plan);
}

static enum rp_err recover(struct task *task, struct volume *volume)
{
	struct recover *left = volume->store->recover;

	if (left == NULL || !recover_has(left, &volume->userid))
		return RP_OK;
	if (volume->store->commit == NULL) /* who only looks leaves them there (pending.h) */
		return RP_OK;
	volume->log_spared = recover_spares(left, &volume->userid);
	return recover_user(task, left, &volume->userid);
}

/* Is its newest record from before a loss of the logs? An epoch that has not come yet tells nothing: it is another store's. */
static void look_at_losses(struct volume *volume)
{
	const struct store *store = volume->store;
	uint64_t epoch = journal_last_epoch(volume->journal);
	bool is_before = store->lost_epoch != 0 &&
	                 (epoch <= store->lost_epoch || epoch > store->epoch);
	bool tail_lost = store->recover != NULL && epoch != store->epoch &&
	                 recover_lost_tail(store->recover, &volume->userid);

	volume->log_lost = tail_lost || (is_before && !volume->log_spared);
	volume->log_spared = is_before && !volume->log_lost;
}

enum rp_err volume_read(struct task *task, struct volume *volume)
{
	struct store *store = volume->store;
	struct volume_files files;
	struct arena arena;
	enum rp_err err = recover(task, volume);

	if (err != RP_OK)
		return err;
	arena_init(&arena, VOLUME_LIST_BYTES_MAX);
	err = volume_files_list(task, volume->dir, &arena, &files);
	if (err == RP_OK)
		err = journal_open(
		    task, volume->dir, &volume->userid, store->epoch, &volume->journal);
	if (err == RP_OK && store->settings.journal_file_bytes != 0)
		journal_set_file_bytes(volume->journal, store->settings.journal_file_bytes);
	if (err == RP_OK && store->commit == NULL && store->recover != NULL)
		err = pending_open(store->recover, &volume->userid, &volume->pending);
	if (err == RP_OK)
		journal_look_ahead(volume->journal, volume->pending);
	if (err == RP_OK)
		err = dbox_open(task, volume->dir, &volume->userid, store->epoch, dbox_names,
		    volume, &volume->dbox);
	if (err == RP_OK && store->settings.dbox_file_bytes != 0)
		dbox_set_file_bytes(volume->dbox, store->settings.dbox_file_bytes);
	if (err == RP_OK)
		err = start_catalog(task, volume, &files);
	if (err == RP_OK) {
		volume->seen_lsn = volume_seen_lsn(volume);
		volume_files_greatest(
		    &files, VOLUME_FLOOR_LSN_MAX, &volume->known_lsn, &volume->known_mailboxid);
	}
	if (err == RP_OK)
		err = replay_catalog(task, volume);
	if (err == RP_OK) {
		volume_files_indexes(&files, &volume->catalog);
		volume->unwritten_bytes = journal_bytes_since(
		    volume->journal, num_min(volume->catalog_lsn, catalog_least_lsn(&volume->catalog)));
	}
	if (err == RP_OK) {
		look_at_losses(volume);
		volume->newest_catalog_lsn = volume_files_catalog_below(&files, UINT64_MAX);
	}
	arena_fini(&arena);
	return err;
}

enum rp_err volume_complete(struct task *task, struct volume *volume)
{
	bool fresh = volume->catalog.sums.mailboxid_next == 1 && !volume->catalog.destroyed;
	bool lost = volume->missing_lsn != 0 || volume_floor_shows_end_lost(volume);
	enum rp_err err;

	/* A catalog, or an index, is written when its changes are durable. So the journals are lost, or a header, and all that lay
	 * behind it: not the moment to begin anew. */
	if (volume->known_lsn != 0 && (fresh || journal_last_lsn(volume->journal) == 0)) {
		LOG(loop_log(volume->store->loop), LOG_ERROR, "volume.no_journal",
		    LOG_STR("volume", volume->dir));
		return RP_ERR_CORRUPT;
	}
	err = volume_floor_check(task, volume);
	/* Else they would be taken for parts of a lost change, if what comes behind them were lost: with UIDs that others have by then. */
	if (err == RP_OK && volume->void_end)
		err = volume_floor_begin(task, volume);
	volume->void_end = false;
	if (err == RP_OK && fresh) {
		err = make_first(task, volume);
		volume->begun_position = volume->position;
	}
	if (err == RP_OK && lost)
		err = mailbox_count_all(task, volume);
	if (err != RP_OK)
		return err;
	journal_seal(task, volume->journal);
	volume->bare = false;
	if (volume->store->commit != NULL && commit_room(volume->store->commit) != COMMIT_ROOM_ENOUGH)
		trim_start(volume, true); /* a crash may have left what is worth having now */
	return RP_OK;
}

void volume_unread(struct volume *volume)
{
	LIST_FOR_EACH_SAFE(link, &volume->mailboxes)
		mailbox_forget(RP_CONTAINER_OF(link, struct mailbox, link));
	dbox_close(volume->dbox);
	journal_close(volume->journal);
	pending_close(volume->pending);
	volume->pending = NULL;
	volume->dbox = NULL;
	volume->journal = NULL;
	catalog_fini(&volume->catalog);
}
