#include "index/volume.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/blame.h"
#include "index/checkpoint.h"
#include "index/journal_notes.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"
#include "io/base/clock.h"

static bool has_userid(const struct hash_link *link, const void *key)
{
	return userid_eq(&RP_CONTAINER_OF(link, struct volume, by_userid)->userid, key);
}

static uint64_t hash_of(const struct store *store, const struct userid *userid)
{
	return hash_bytes(store->volumes.key, bytes_of(userid->b, USERID_BYTES));
}

static struct volume *find(const struct store *store, const struct userid *userid)
{
	struct hash_link *link;

	if (store->volumes.count == 0)
		return NULL;
	link = hash_find(&store->volumes, hash_of(store, userid), has_userid, userid);
	return link != NULL ? RP_CONTAINER_OF(link, struct volume, by_userid) : NULL;
}

static enum rp_err write_settled(struct task *task, struct settle *settle)
{
	struct volume *volume = RP_CONTAINER_OF(settle, struct volume, settle);

	return settle_write(
	    task, volume->store->commit, settle, volume->journal, volume->dbox);
}

static struct volume *volume_new(struct store *store, const struct userid *userid)
{
	struct volume *volume = calloc(1, sizeof(*volume));
	struct hash_key key;

	if (volume == NULL)
		return NULL;
	volume->store = store;
	volume->compact_shared_bytes = UINT64_MAX; /* nobody has looked */
	volume->userid = *userid;
	userid_path(userid, volume->dir);
	list_init(&volume->idle);
	list_init(&volume->mailboxes);
	task_queue_init(&volume->opened);
	task_queue_init(&volume->changed);
	settle_init(&volume->settle, write_settled);
	loop_random(store->loop, &key, sizeof(key));
	catalog_init(&volume->catalog, key);
	if (!hash_add(&store->volumes, &volume->by_userid, hash_of(store, userid))) {
		free(volume);
		return NULL;
	}
	return volume;
}

void volume_path(
    const struct volume *volume, char path[VOLUME_PATH_BYTES], const char *format, ...)
{
	size_t n = strlen(volume->dir);
	va_list args;

	memcpy(path, volume->dir, n);
	path[n] = '/';
	va_start(args, format);
	vsnprintf(path + n + 1, VOLUME_PATH_BYTES - n - 1, format, args);
	va_end(args);
}

void volume_hold(struct volume *volume)
{
	struct store *store = volume->store;

	if (volume->refs++ > 0 || !list_linked(&volume->idle))
		return;
	list_del(&volume->idle);
	store->idle_bytes -= volume->idle_bytes;
}

void volume_notes_hold(struct volume *volume)
{
	if (volume->notes_holds++ == 0 && journal_notes_new(volume->journal, JOURNAL_NOTES_BYTES_MAX, &volume->notes) != RP_OK)
		volume->notes = NULL;
}

void volume_notes_let_go(struct volume *volume)
{
	struct journal_notes *notes = volume->notes;

	if (--volume->notes_holds > 0)
		return;
	volume->notes = NULL;
	if (notes != NULL)
		journal_notes_let_go(notes);
}

/* The last user has gone: it stays open while there is memory. */
static void let_idle(struct volume *volume)
{
	struct store *store = volume->store;

	volume->idle_bytes = VOLUME_IDLE_BYTES + volume->catalog.count * sizeof(struct catalog_node) +
	    volume->catalog.delivered.ring_max * sizeof(struct delivery);
	list_push_back(&store->idle_volumes, &volume->idle);
	store->idle_bytes += volume->idle_bytes;
	store_trim(store);
}

bool volume_task_start(struct volume *volume, const char *name, task_fn *fn)
{
	struct task *task = store_task_start(volume->store, name, fn, volume);

	if (task == NULL)
		return false;
	blame_set(task, &volume->userid);
	volume_hold(volume);
	return true;
}

void volume_task_ended(struct volume *volume)
{
	struct store *store = volume->store;

	volume_close(volume);
	store_task_ended(store);
}

static struct store_seen *seen_of(const struct volume *volume)
{
	return &volume->store->seen[volume->by_userid.hash % STORE_SEEN_COUNT];
}

uint64_t volume_seen_lsn(const struct volume *volume)
{
	const struct store_seen *seen = seen_of(volume);

	return seen->hash == volume->by_userid.hash ? seen->lsn : 0;
}

bool volume_is_forgettable(const struct volume *volume)
{
	return volume->refs == 0 && list_empty(&volume->settle.entries) && !volume->settle.writing;
}

void volume_forget(struct volume *volume)
{
	struct store *store = volume->store;

	RP_ASSERT(volume_is_forgettable(volume));
	if (list_linked(&volume->idle)) {
		list_del(&volume->idle);
		store->idle_bytes -= volume->idle_bytes;
	}
	store->kept_over -= volume->kept_over;
	if (volume->open)
		*seen_of(volume) = (struct store_seen){volume->by_userid.hash, volume->catalog.lsn};
	volume_unread(volume);
	settle_fini(&volume->settle);
	catalog_fini(&volume->catalog);
	hash_del(&store->volumes, &volume->by_userid);
	free(volume);
}

/* The first who wants it reads it, the first who wants more than a bare one completes it; all others wait for him. If he is
 * cancelled the next one goes on. A bare one that cannot be completed stays open for who looks at it. */
static enum rp_err open_first(struct task *task, struct volume *volume)
{
	enum rp_err err;

	volume->opening = true;
	if (volume->open) {
		err = volume_complete(task, volume);
	} else {
		err = volume_read(task, volume);
		if (err == RP_OK && !volume->bare)
			err = volume_complete(task, volume);
		volume->open = err == RP_OK;
		if (err != RP_OK)
			volume_unread(volume);
	}
	volume->opening = false;
	volume->open_err = err == RP_ERR_CANCELED ? RP_OK : err;
	task_queue_wake_all(&volume->opened);
	return err;
}

static enum rp_err wait_open(struct task *task, struct volume *volume, bool bare)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && (!volume->open || (volume->bare && !bare))) {
		if (volume->opening)
			err = task_queue_wait(task, &volume->opened);
		else if (volume->open_err != RP_OK)
			err = volume->open_err;
		else
			err = open_first(task, volume);
	}
	return err;
}

static struct volume_repair *find_repair(const struct store *store, const struct userid *userid)
{
	LIST_FOR_EACH (link, &store->repairs) {
		struct volume_repair *repair = RP_CONTAINER_OF(link, struct volume_repair, link);

		if (userid_eq(&repair->userid, userid))
			return repair;
	}
	return NULL;
}

static enum rp_err open_volume(struct task *task, struct store *store, const struct userid *userid,
    bool bare, struct volume **out)
{
	struct volume *volume = find(store, userid);
	enum rp_err err = RP_OK;

	if (store->closing)
		return RP_ERR_UNAVAILABLE;
	if (volume == NULL && (volume = volume_new(store, userid)) != NULL)
		volume->bare = bare;
	if (volume == NULL)
		return RP_ERR_NOMEM;
	volume_hold(volume);
	err = wait_open(task, volume, bare);
	if (err != RP_OK) {
		volume_close(volume);
		return err;
	}
	*out = volume;
	return RP_OK;
}

/* Who was destroyed has nothing that could be opened. */
static enum rp_err open_living(struct task *task, struct store *store, const struct userid *userid,
    bool bare, struct volume **out)
{
	struct volume *volume;
	enum rp_err err = open_volume(task, store, userid, bare, &volume);

	if (err != RP_OK)
		return err;
	if (volume->catalog.destroyed) {
		volume_close(volume);
		return RP_ERR_NOTFOUND;
	}
	*out = volume;
	return RP_OK;
}

enum rp_err volume_open(
    struct task *task, struct store *store, const struct userid *userid, struct volume **out)
{
	if (find_repair(store, userid) != NULL)
		return RP_ERR_UNAVAILABLE;
	return volume_away(open_living(task, store, userid, false, out));
}

enum rp_err volume_open_any(
    struct task *task, struct store *store, const struct userid *userid, struct volume **out)
{
	if (find_repair(store, userid) != NULL)
		return RP_ERR_UNAVAILABLE;
	return open_volume(task, store, userid, true, out);
}

enum rp_err volume_open_bare(
    struct task *task, struct store *store, const struct userid *userid, struct volume **out)
{
	if (find_repair(store, userid) != NULL)
		return RP_ERR_UNAVAILABLE;
	return open_living(task, store, userid, true, out);
}

enum rp_err volume_repair_begin(struct task *task, struct store *store,
    const struct userid *userid, struct volume_repair *repair)
{
	if (find_repair(store, userid) != NULL)
		return RP_ERR_BUSY;
	repair->store = store;
	repair->userid = *userid;
	list_push_back(&store->repairs, &repair->link);

	enum rp_err err = volume_drop(task, store, userid);

	if (err != RP_OK)
		volume_repair_end(repair);
	return err;
}

enum rp_err volume_repair_open(
    struct task *task, const struct volume_repair *repair, bool bare, struct volume **out)
{
	return open_living(task, repair->store, &repair->userid, bare, out);
}

void volume_repair_end(struct volume_repair *repair)
{
	if (list_linked(&repair->link))
		list_del(&repair->link);
}

bool volume_is_open(const struct store *store, const struct userid *userid)
{
	return find(store, userid) != NULL;
}

enum rp_err volume_settle(struct task *task, struct volume *volume)
{
	struct commit *commit = volume->store->commit;
	enum rp_err err = RP_OK;

	if (commit == NULL) /* who only looks has made no change */
		return RP_OK;
	err = commit_wait(task, commit, volume->position);
	return err == RP_OK ? settle_flush(task, commit, &volume->settle) : err;
}

enum rp_err volume_wait_begun(struct task *task, struct volume *volume)
{
	enum rp_err err = commit_wait(task, volume->store->commit, volume->begun_position);

	return err == RP_ERR_UNKNOWN ? RP_ERR_UNAVAILABLE : err;
}

bool volume_keep_headers(struct task *task, struct volume *volume)
{
	if (!volume->open || volume->bare) /* who only looks writes nothing */
		return true;
	return journal_keep_headers(task, volume->journal) != RP_ERR_IO;
}

enum rp_err volume_drop(struct task *task, struct store *store, const struct userid *userid)
{
	struct volume *volume = find(store, userid);
	enum rp_err err;

	if (volume == NULL)
		return RP_OK;
	if (volume->refs > 0)
		return RP_ERR_BUSY;
	volume_hold(volume);
	err = volume_settle(task, volume);
	if (err == RP_OK)
		(void)volume_keep_headers(task, volume);
	volume_close(volume);
	volume = find(store, userid);
	if (err != RP_OK || volume == NULL)
		return err;
	if (!volume_is_forgettable(volume))
		return RP_ERR_BUSY;
	volume_forget(volume);
	return RP_OK;
}

void volume_close(struct volume *volume)
{
	if (volume == NULL)
		return;
	RP_ASSERT(volume->refs > 0);
	if (--volume->refs > 0)
		return;
	if (!volume->open) {
		volume_forget(volume);
		return;
	}
	checkpoint_consider(volume);
	if (volume->refs == 0)
		let_idle(volume);
}

const struct userid *volume_userid(const struct volume *volume)
{
	return &volume->userid;
}

struct store *volume_store(const struct volume *volume)
{
	return volume->store;
}

uint64_t volume_position(const struct volume *volume)
{
	return volume->position;
}

bool volume_was_delivered(const struct volume *volume, const struct delivery_key *key)
{
	return delivered_has(&volume->catalog.delivered, *key,
	    loop_wall_ns(volume->store->loop) / CLOCK_NS_PER_S);
}

static const struct catalog_entry *entry_of(struct volume *volume, struct catalog_node *node)
{
	if (node == NULL)
		return NULL;
	node->entry.has_children = catalog_has_children(&volume->catalog, node->entry.name);
	return &node->entry;
}

const struct catalog_entry *volume_next(struct volume *volume, struct bytes after)
{
	return entry_of(volume, catalog_after(&volume->catalog, after));
}

const struct catalog_entry *volume_find(struct volume *volume, struct bytes name)
{
	return entry_of(volume, catalog_find(&volume->catalog, name));
}
