#include "index/sweep.h"

#include <stdio.h>

#include "index/blame.h"
#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/merge.h"
#include "index/store_state.h"
#include "index/volume_state.h"
#include "io/base/clock.h"
#include "io/file.h"

enum {
	SLOT_ARENA_BYTES_MAX = 4 * 1024 * 1024, /* names of the users of one slot */
	BUSY_S = 1,
};

/* One of each runs at a time: who comes meanwhile would be passed over for a day. */
static enum rp_err wait_for_turn(struct task *task, const struct store *store)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && (store->compacts >= COMPACTS_MAX || store->merges >= MERGES_MAX))
		err = task_sleep(task, BUSY_S * CLOCK_NS_PER_S);
	return err;
}

/* Nothing is written by it: a user of whom nothing is left but his directory is not made anew. Who was deleted may have files yet: a
 * crash that comes when the record of it is in its place, and no log has it any more, leaves nobody else to remove them. */
static enum rp_err look_at(struct task *task, struct store *store, const struct userid *userid)
{
	struct volume *volume;
	struct volume *bare;
	enum rp_err err = volume_open_any(task, store, userid, &bare);

	if (err != RP_OK)
		return err;
	if (bare->catalog.count == 0) {
		if (bare->catalog.destroyed)
			err = checkpoint_now(task, bare);
		volume_close(bare);
		return err;
	}
	err = volume_open(task, store, userid, &volume);
	if (err == RP_OK) {
		merge_consider(volume);
		compact_consider(volume);
		volume_close(volume);
	}
	volume_close(bare);
	return err;
}

static enum rp_err visit(struct task *task, struct store *store, const struct userid *userid)
{
	bool was_open = volume_is_open(store, userid);
	enum rp_err err = wait_for_turn(task, store);
	struct blame before;

	if (err != RP_OK)
		return err;
	before = blame_set(task, userid);
	err = look_at(task, store, userid);
	if (!was_open)
		(void)!volume_drop(task, store, userid); /* in use by now: it stays */
	blame_restore(task, before);
	return err == RP_ERR_CANCELED ? err : task_pause(task);
}

static enum rp_err sweep_slot(struct task *task, struct store *store, unsigned slot)
{
	char path[sizeof("users/ffff")];
	struct dir_entry *entries;
	struct arena arena;
	size_t count;
	enum rp_err err;

	snprintf(path, sizeof(path), "users/%04x", slot % USERID_SLOTS);
	arena_init(&arena, SLOT_ARENA_BYTES_MAX);
	err = dir_list(task, FILE_ROOT_DATA, path, &arena, &entries, &count);
	if (err != RP_OK) {
		arena_fini(&arena);
		return err == RP_ERR_CANCELED ? err : RP_OK; /* no such slot yet, most often */
	}
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		struct userid userid;

		if (entries[i].is_dir && userid_parse(entries[i].name, &userid) &&
		    userid_slot(&userid) == slot)
			err = visit(task, store, &userid);
	}
	arena_fini(&arena);
	return err;
}

static void sweep(struct task *task, void *arg)
{
	struct store *store = arg;
	unsigned count = store->settings.shards_count;
	unsigned shard = loop_shard(store->loop);
	uint64_t slots = (USERID_SLOTS - shard + count - 1) / count;
	uint64_t slot_ns = SWEEP_S * CLOCK_NS_PER_S / slots;
	uint64_t at = loop_wall_ns(store->loop) / slot_ns % slots;
	uint64_t due_ns = loop_now_ns(store->loop);
	enum rp_err err = RP_OK;

	while (err == RP_OK) {
		uint64_t now_ns = loop_now_ns(store->loop);

		due_ns += slot_ns;
		if (due_ns > now_ns)
			err = task_sleep(task, due_ns - now_ns);
		if (err == RP_OK)
			err = sweep_slot(task, store, (unsigned)(at * count + shard));
		at = (at + 1) % slots;
	}
	store->sweep = NULL;
	store_task_ended(store);
}

void sweep_start(struct store *store)
{
	store->sweep = store_task_start(store, "sweep", sweep, store);
}
