#include "index/store.h"

#include <stdlib.h>

#include "index/claim.h"
#include "index/claim_logs.h"
#include "index/mailbox_state.h"
#include "index/store_state.h"
#include "index/sweep.h"
#include "index/volume_state.h"
#include "io/base/log.h"
#include "io/base/num.h"
#include "io/file.h"
#include "io/mapping.h"

enum {
	/* Volumes that are looked at before a trim gives up: thousands may wait to be settled, and it is tried again soon. */
	TRIM_LOOKED_MAX = 64,
};

static void commit_changed(void *arg)
{
	struct store *store = arg;

	if (store->settings.changed != NULL)
		store->settings.changed(store->settings.arg);
}

/* Files are opened when they are written, and volumes that nobody uses are settled last. */
static void commit_settled(void *arg)
{
	store_trim(arg);
}

static struct store *store_new(
    struct loop *loop, const struct store_settings *settings, uint64_t epoch)
{
	struct store *store = calloc(1, sizeof(*store));
	struct hash_key key;

	if (store == NULL)
		return NULL;
	store->payload = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	store->seen = calloc(STORE_SEEN_COUNT, sizeof(*store->seen));
	if (store->payload == NULL || store->seen == NULL) {
		free(store->payload);
		free(store->seen);
		free(store);
		return NULL;
	}
	store->loop = loop;
	store->settings = *settings;
	store->epoch = epoch;
	loop_random(loop, &key, sizeof(key));
	hash_init(&store->volumes, key);
	list_init(&store->repairs);
	list_init(&store->idle_volumes);
	list_init(&store->idle_mailboxes);
	list_init(&store->resting_mailboxes);
	task_queue_init(&store->tasks_ended);
	arena_init(&store->arena, STORE_ARENA_BYTES_MAX);
	return store;
}

static void store_free(struct store *store)
{
	arena_fini(&store->arena);
	hash_fini(&store->volumes);
	free(store->payload);
	free(store->seen);
	free(store);
}

static void log_recovery(struct store *store)
{
	struct recover_report report;

	recover_report(store->recover, &report);
	if (report.files_read == 0)
		return;
	LOG(loop_log(store->loop), report.records_damaged != 0 ? LOG_WARN : LOG_INFO,
	    "store.recovery", LOG_U64("files", report.files_read),
	    LOG_U64("bytes", report.bytes_read), LOG_U64("records", report.records),
	    LOG_U64("damaged", report.records_damaged), LOG_U64("users", report.users));
}

static const char *why_no_log(enum rp_err err)
{
	switch (err) {
	case RP_ERR_NOSPACE:
		return "the disk is full: make room for the commit log, two files of storage { commit_file } a "
		       "shard";
	case RP_ERR_DENIED:
		return "the commit log cannot be made: its folder must be the server's user's";
	default:
		return "the commit log cannot be made";
	}
}

/* Room that is given up when the disk is full: as much as may be promised, on all shards, and not be in its place yet; and a part
 * more for what makes room afterwards. */
static uint64_t reserve_bytes(const struct store_settings *settings)
{
	uint64_t promised = settings->shards_count * settings->unsettled_bytes_max;

	return promised + promised / (COMMIT_RESERVE_PARTS - 1);
}

static const char *why_unread(enum rp_err err)
{
	switch (err) {
	case RP_ERR_CANNOT:
		return "a commit log is no file, or was written by a newer version of ringpost";
	case RP_ERR_DENIED:
		return "a commit log may not be read by the server's user, or is a symbolic link";
	default:
		return "the commit logs of the last run cannot be read: if the disk does not come back, "
		       "ringpost repair goes on without what is lost";
	}
}

static enum rp_err open_once(struct task *task, const struct store_settings *settings,
    uint64_t epoch, struct store **out, const char **reason)
{
	struct store *store = store_new(task_loop(task), settings, epoch);
	struct commit_settings commit = {
	    .file_bytes = settings->commit_file_bytes,
	    .memory_bytes_max = settings->unsettled_bytes_max,
	    .reserve_bytes = reserve_bytes(settings),
	    .epoch = epoch,
	    .recovering = true,
	    .changed = commit_changed,
	    .settled = commit_settled,
	    .arg = store,
	};
	enum rp_err err;

	*reason = "no memory for the store";
	if (store == NULL)
		return RP_ERR_NOMEM;
	err = recover_open(task, settings->shards_count, epoch, &store->recover);
	*reason = why_unread(err);
	if (err != RP_OK)
		goto free_store;
	log_recovery(store);
	store->lost_epoch = recover_lost_epoch(store->recover);
	commit.lost_epoch = store->lost_epoch;
	err = commit_open(task, &commit, &store->commit);
	*reason = why_no_log(err);
	if (err != RP_OK)
		goto close_recover;
	*reason = "";
	(void)keep_since(store); /* from now on the clock is watched */
	*out = store;
	return RP_OK;

close_recover:
	recover_close(store->recover);
free_store:
	store_free(store);
	return err;
}

enum rp_err store_open(struct task *task, const struct store_settings *settings, uint64_t epoch,
    struct store **out, const char **reason)
{
	struct file_away away = { 0 };
	enum rp_err err;

	do
		err = open_once(task, settings, epoch, out, reason);
	while (file_await_disk(task, &away, err));
	return err;
}

static enum rp_err look_once(struct task *task, const struct store_settings *settings,
    uint64_t epoch, struct store **out, const char **reason)
{
	struct store *store = store_new(task_loop(task), settings, epoch);
	enum rp_err err;

	*reason = "no memory for the store";
	if (store == NULL)
		return RP_ERR_NOMEM;
	/* The last run's own epoch is among those that are read. */
	err = epoch != 0 ? recover_open_look(
			       task, settings->shards_count, epoch + 1, &store->recover)
			 : RP_OK;
	if (err != RP_OK) {
		*reason = why_unread(err);
		store_free(store);
		return err;
	}
	if (store->recover != NULL)
		store->lost_epoch = recover_lost_epoch(store->recover);
	*reason = "";
	*out = store;
	return RP_OK;
}

enum rp_err store_open_look(struct task *task, const struct store_settings *settings,
    uint64_t epoch, struct store **out, const char **reason)
{
	struct file_away away = { 0 };
	enum rp_err err;

	do
		err = look_once(task, settings, epoch, out, reason);
	while (file_await_disk(task, &away, err));
	return err;
}

/* Opening writes what a loss asks for. */
static enum rp_err open_to_write(
    struct task *task, struct store *store, const struct userid *userid)
{
	struct volume *volume;
	enum rp_err err = volume_open(task, store, userid, &volume);

	if (err == RP_OK)
		volume_close(volume);
	/* He has no mail any more; or it waits for a repair, which raises too. */
	return err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT ? RP_OK : err;
}

/* Who is spared by what the logs have of him says so by a record of this epoch, before they are made void. */
static enum rp_err recover_one(
    struct task *task, struct store *store, const struct userid *userid)
{
	if (store->lost_epoch != 0 && recover_spares(store->recover, userid)) {
		enum rp_err err = open_to_write(task, store, userid);

		if (!recover_has(store->recover, userid))
			return err;
	}
	return recover_user(task, store->recover, userid);
}

/* Who has lost his newest record meanwhile has it raised before the logs that had it are made void. */
static enum rp_err raise_tails(struct task *task, struct store *store)
{
	struct userid userid;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && recover_lost_tail_of(store->recover, i, &userid); i++)
		err = open_to_write(task, store, &userid);
	return err == RP_OK || err == RP_ERR_CANCELED ? err : RP_ERR_UNAVAILABLE;
}

enum rp_err store_recover(struct task *task, struct store *store)
{
	struct userid userid;
	enum rp_err err;

	if (store->recover == NULL)
		return RP_OK;
	recover_again(store->recover);
	while (recover_next(store->recover, &userid)) {
		/* Who cannot be placed holds nobody else up; recover_sync() says that he is left. */
		if (store->settings.may_recover == NULL ||
		    store->settings.may_recover(store->settings.arg, &userid))
			(void)!recover_one(task, store, &userid);
		else
			recover_leave(store->recover, &userid);
		err = task_pause(task);
		if (err != RP_OK)
			return err;
	}
	err = raise_tails(task, store);
	return err == RP_OK ? recover_sync(task, store->recover) : err;
}

enum rp_err store_recover_void(struct task *task, struct store *store)
{
	struct recover_told told;
	enum rp_err err = recover_newest(task, &told);
	uint64_t lost_epoch = num_max(store->lost_epoch, num_min(told.lost_epoch, store->epoch - 1));

	if (err == RP_ERR_CORRUPT) /* no log is there */
		err = RP_OK;
	if (err == RP_OK && lost_epoch != 0)
		err = claim_lost_mark(task, lost_epoch);
	/* By now every shard has logs of this run, and nothing is only in those of shards that are no more. */
	if (err == RP_OK)
		err = claim_logs_shards_mark(task, store->settings.shards_count);
	return err == RP_OK ? recover_void(task, store->settings.shards_count, store->epoch) : err;
}

static void make_reserve(struct task *task, void *arg)
{
	struct store *store = arg;
	uint64_t bytes = reserve_bytes(&store->settings);
	enum rp_err err = claim_reserve_make(task, bytes);

	if (err != RP_OK && err != RP_ERR_CANCELED)
		LOG(loop_log(store->loop), LOG_WARN, "store.no_reserve",
		    LOG_STR("reason", err_name(err)));
	store_task_ended(store);
}

void store_set_keep(struct store *store, uint64_t keep_expunged_s)
{
	store->settings.keep_expunged_s = keep_expunged_s;
}

void store_stats(const struct store *store, struct store_stats *out)
{
	struct recover_report report = { .files_sealed = store->recover_sealed };
	struct commit_stats commit = {0};

	if (store->commit != NULL)
		commit_stats(store->commit, &commit);
	if (store->recover != NULL)
		recover_report(store->recover, &report);
	*out = (struct store_stats){
		.files_sealed = commit.files_sealed + report.files_sealed,
		.users_stuck = commit.users_stuck,
		.log_files = commit.files,
		.log_files_bound = commit.files_bound,
		.log_files_reused = commit.files_reused,
		.checkpoints = store->checkpoints_done,
		.journal_merges = store->merges_done,
		.journal_merges_given_up = store->merges_given_up,
		.dbox_compactions = store->compacts_done,
		.compacting = store->merges + store->compacts,
		.kept_over = store->kept_over,
		.files_open = file_open_count(store->loop),
		.files_bound = store->settings.files_max,
		.mappings = mapping_count(),
		.mappings_bound = store->settings.mappings_max,
		.idle_bytes = store->idle_bytes + store->resting_bytes,
		.idle_bytes_bound = store->settings.volumes_bytes_max,
		.users_unrecovered = store->recover != NULL ? recover_left(store->recover) : 0,
	};
}

enum rp_err store_recovered(struct task *task, struct store *store)
{
	struct recover_report report;
	enum rp_err err = commit_recovered(task, store->commit);

	if (err != RP_OK)
		return err;
	recover_report(store->recover, &report);
	store->recover_sealed = report.files_sealed;
	recover_close(store->recover);
	store->recover = NULL;
	if (loop_shard(store->loop) == 0)
		(void)!store_task_start(store, "reserve", make_reserve, store);
	sweep_start(store);
	return RP_OK;
}

struct task *store_task_start(struct store *store, const char *name, task_fn *fn, void *arg)
{
	struct task *task;

	if (store->closing || task_start(store->loop, fn, arg, &task) != RP_OK)
		return NULL;
	task_set_name(task, name);
	store->tasks++;
	return task;
}

void store_task_ended(struct store *store)
{
	RP_ASSERT(store->tasks > 0);
	store->tasks--;
	task_queue_wake_all(&store->tasks_ended);
}

/* Every volume that is in the table, idle or not. */
static struct volume *any_volume(struct store *store)
{
	struct list *link = store->idle_volumes.next;

	return link != &store->idle_volumes ? RP_CONTAINER_OF(link, struct volume, idle) : NULL;
}

enum rp_err store_close(struct task *task, struct store *store)
{
	struct volume *volume;
	enum rp_err err;
	bool there = true; /* the disk */

	store->closing = true;
	if (store->sweep != NULL)
		task_cancel(store->sweep);
	task_shield(task);
	while (store->tasks > 0)
		if (task_queue_wait(task, &store->tasks_ended) != RP_OK)
			break;
	err = store->commit != NULL ? commit_close(task, store->commit) : RP_OK;
	store->commit = NULL; /* for who asks while headers are written */
	while ((volume = any_volume(store)) != NULL) {
		if (there && volume->position != 0) /* to whose journal something was written */
			there = volume_keep_headers(task, volume);
		volume_forget(volume);
	}
	RP_ASSERT(store->volumes.count == 0); /* nothing is in use */
	recover_close(store->recover);
	store_free(store);
	task_unshield(task);
	return err;
}

/* The longest unused that can go. False: none. */
static bool trim_mailbox(struct store *store)
{
	struct list *link = store->idle_mailboxes.next;

	if (link == &store->idle_mailboxes)
		return false;
	mailbox_forget(RP_CONTAINER_OF(link, struct mailbox, idle));
	return true;
}

/* The longest unused that can go. One that is not settled yet cannot, and goes to the end of the line: there may be thousands. */
static bool trim_volume(struct store *store)
{
	for (unsigned i = 0; i < TRIM_LOOKED_MAX && !list_empty(&store->idle_volumes); i++) {
		struct volume *volume =
		    RP_CONTAINER_OF(store->idle_volumes.next, struct volume, idle);

		if (volume_is_forgettable(volume)) {
			volume_forget(volume);
			return true;
		}
		list_del(&volume->idle);
		list_push_back(&store->idle_volumes, &volume->idle);
	}
	return false;
}

/* The same of mailboxes that sessions have selected, and do nothing with. */
static bool trim_resting(struct store *store)
{
	for (unsigned i = 0; i < TRIM_LOOKED_MAX && !list_empty(&store->resting_mailboxes); i++) {
		struct mailbox *mailbox =
		    RP_CONTAINER_OF(store->resting_mailboxes.next, struct mailbox, rest);

		if (mailbox_sleep(mailbox))
			return true;
		list_del(&mailbox->rest);
		list_push_back(&store->resting_mailboxes, &mailbox->rest);
	}
	return false;
}

static bool has_many_files(const struct store *store)
{
	return store->settings.files_max != 0 &&
	       file_open_count(store->loop) > store->settings.files_max;
}

static bool has_many_mappings(const struct store *store)
{
	return store->settings.mappings_max != 0 && mapping_count() > store->settings.mappings_max;
}

/* A mailbox is most of an idle volume's memory, and the least of its files. Mappings are mailboxes' alone. */
void store_trim(struct store *store)
{
	while (store->idle_bytes + store->resting_bytes > store->settings.volumes_bytes_max &&
	       (trim_mailbox(store) || trim_volume(store) || trim_resting(store)))
		continue;
	while (has_many_files(store) &&
	       (trim_volume(store) || trim_mailbox(store) || trim_resting(store)))
		continue;
	while (has_many_mappings(store) && (trim_mailbox(store) || trim_resting(store)))
		continue;
	if (store->settings.files_max != 0 && store->commit != NULL)
		commit_press(store->commit, has_many_files(store));
}

uint64_t store_durable(const struct store *store)
{
	return commit_durable(store->commit);
}

uint64_t store_position(const struct store *store)
{
	return commit_position(store->commit);
}

bool store_failed(const struct store *store)
{
	return commit_failed(store->commit);
}

enum rp_err store_wait_durable(struct task *task, struct store *store, uint64_t position)
{
	return commit_wait(task, store->commit, position);
}
