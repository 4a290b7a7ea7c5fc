#include <stdio.h>
#include <stdlib.h>

#include "index/checkpoint.h"
#include "index/volume_files.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

static const struct userid user = { { 0x10, 0x20, 0x30 } };

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.volumes_bytes_max = 256 * 1024;
	return open_recovered(task, &settings, epoch);
}

static struct volume *open_volume(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	return volume;
}

/* One may be under way in the background. */
static void checkpoint(struct task *task, struct volume *volume)
{
	enum rp_err err;

	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK, "%s", err_name(err));
}

IO_TASK_TEST(volume, a_new_one_has_its_first_mailboxes)
{
	struct store *store = open_store(task, 1);
	struct volume *volume = open_volume(task, store);
	const struct catalog_entry *entry;
	struct bytes at = { 0 };
	unsigned count = 0;

	(void)arg;
	while ((entry = volume_next(volume, at)) != NULL) {
		cr_assert(entry->subscribed);
		cr_assert_neq(entry->uidvalidity, 0);
		cr_assert_eq(entry->uidnext, 1);
		cr_assert_eq(entry->highestmodseq, 1);
		at = entry->name;
		count++;
	}
	cr_assert_eq(count, 6);
	cr_assert_eq(volume_find(volume, BYTES_LIT("Sent"))->special_use, SPECIAL_USE_SENT);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->special_use, 0);
	cr_assert_null(volume_find(volume, BYTES_LIT("inbox")));
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume, names_follow_their_rules)
{
	struct store *store = open_store(task, 1);
	struct volume *volume = open_volume(task, store);
	uint32_t uidvalidity;
	uint64_t mailboxid;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("x/y/z"), 0, &mailboxid), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("x/y/z"))->mailboxid, mailboxid);
	cr_assert(volume_find(volume, BYTES_LIT("x"))->has_children);
	cr_assert(!volume_find(volume, BYTES_LIT("x"))->subscribed);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("x"), 0, NULL), RP_ERR_EXISTS);
	cr_assert_eq(
	    volume_create(task, volume, BYTES_LIT("q"), SPECIAL_USE_SENT, NULL), RP_ERR_EXISTS);
	cr_assert_null(volume_find(volume, BYTES_LIT("q")));
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("q"), SPECIAL_USE_ALL, NULL), RP_OK);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("x")), RP_ERR_HASCHILDREN);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("INBOX")), RP_ERR_CANNOT);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("nowhere")), RP_ERR_NOTFOUND);
	uidvalidity = volume_find(volume, BYTES_LIT("x/y/z"))->uidvalidity;
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("x/y/z"), true), RP_OK);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("x/y/z")), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("x/y/z"))->mailboxid, 0);
	cr_assert(volume_find(volume, BYTES_LIT("x/y/z"))->subscribed);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("x/y/z"), 0, &mailboxid), RP_OK);
	cr_assert_gt(volume_find(volume, BYTES_LIT("x/y/z"))->uidvalidity, uidvalidity);
	uidvalidity = volume_find(volume, BYTES_LIT("x/y/z"))->uidvalidity;
	cr_assert_eq(
	    volume_rename(task, volume, BYTES_LIT("x"), BYTES_LIT("x/y/w")), RP_ERR_CANNOT);
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("x"), BYTES_LIT("q")), RP_ERR_EXISTS);
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("x"), BYTES_LIT("m/n")), RP_OK);
	cr_assert_null(volume_find(volume, BYTES_LIT("x/y/z")));
	cr_assert_eq(volume_find(volume, BYTES_LIT("m/n/y/z"))->mailboxid, mailboxid);
	cr_assert_eq(volume_find(volume, BYTES_LIT("m/n/y/z"))->uidvalidity, uidvalidity);
	cr_assert(volume_find(volume, BYTES_LIT("m/n/y/z"))->subscribed);
	cr_assert_not_null(volume_find(volume, BYTES_LIT("m")));
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* One volume that is used for so many changes, closed and opened again now and then. */
static void run_model(struct task *task, uint64_t seed, unsigned ops, unsigned reopen_every)
{
	static struct model model;
	static struct model before; /* a task's stack has no room for it */
	uint64_t state = seed;
	uint64_t epoch = 1;
	struct store *store = open_store(task, epoch);
	struct volume *volume = open_volume(task, store);

	model_init(&model);
	model_check(task, volume, &model, 0);
	for (unsigned i = 1; i <= ops; i++) {
		struct model_op op = model_draw(&model, &state);
		enum rp_err expected;

		before = model;
		if (op.kind != MODEL_STORE && op.kind != MODEL_EXPUNGE &&
		    (model.mailbox[op.a].count > 100 || model.mailbox[op.b].count > 100))
			op.kind = MODEL_EXPUNGE;
		expected = model_apply(&model, &op);
		if (expected != RP_OK)
			model = before;
		cr_assert_eq(model_run(task, volume, &op), expected, "seed %lu op %u kind %d",
		    (unsigned long)seed, i, op.kind);
		model_check(task, volume, &model, i % 16 == 0 ? 5 : 0);
		if (i % 37 == 0)
			checkpoint(task, volume);
		if (i % reopen_every == 0) {
			volume_close(volume);
			cr_assert_eq(store_close(task, store), RP_OK);
			store = open_store(task, ++epoch);
			volume = open_volume(task, store);
			model_check(task, volume, &model, 3);
		}
	}
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume, random_changes_are_as_in_the_model)
{
	(void)arg;
	run_model(task, 7, 300, 50);
}

/* Change things until there is something of everything. */
static void fill_volume(struct task *task, struct volume *volume, uint64_t seed, unsigned ops)
{
	static struct model model;
	static struct model before; /* a task's stack has no room for it */
	uint64_t state = seed;

	model_init(&model);
	for (unsigned i = 0; i < ops; i++) {
		struct model_op op = model_draw(&model, &state);

		before = model;
		if (op.kind == MODEL_EXPUNGE ||
		    (op.kind != MODEL_STORE && model.mailbox[op.a].count > 60))
			continue;
		if (model_apply(&model, &op) != RP_OK)
			model = before;
		else
			cr_assert_eq(model_run(task, volume, &op), RP_OK);
	}
}

static void reopen(struct task *task, struct store **store, struct volume **volume, uint64_t epoch)
{
	volume_close(*volume);
	cr_assert_eq(store_close(task, *store), RP_OK);
	*store = open_store(task, epoch);
	*volume = open_volume(task, *store);
}

/* Do something to each derived file of a closed volume. */
static unsigned each_derived(struct task *task, const char *dir,
    void (*fn)(struct task *task, const char *path, uint64_t *state), uint64_t *state)
{
	struct dir_entry *entries;
	struct arena arena;
	size_t count;
	unsigned met = 0;

	arena_init(&arena, 1024 * 1024);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];

		if (volume_file_parse(entries[i].name).kind == VOLUME_FILE_OTHER)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		fn(task, path, state);
		met++;
	}
	arena_fini(&arena);
	return met;
}

static void remove_it(struct task *task, const char *path, uint64_t *state)
{
	(void)state;
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
}

static void damage_it(struct task *task, const char *path, uint64_t *state)
{
	struct file *file;
	uint64_t size;
	uint64_t offset;
	uint8_t byte;
	size_t got;

	cr_assert_eq(
	    file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	if (size == 0) {
		file_close(file);
		return;
	}
	offset = (((uint64_t)model_random(state) << 31) | model_random(state)) % size;
	cr_assert_eq(file_read(task, file, &byte, 1, offset, &got), RP_OK);
	byte ^= (uint8_t)(1u << model_random(state) % 8);
	cr_assert_eq(file_write(task, file, &byte, 1, offset, false), RP_OK);
	file_close(file);
}

static void cut_it(struct task *task, const char *path, uint64_t *state)
{
	struct file *file;
	uint64_t size;

	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	if (size > 0)
		cr_assert_eq(file_truncate(task, file, model_random(state) % size), RP_OK);
	file_close(file);
}

/* What happens to derived files changes nothing that can be seen. */
static void run_derived(
    struct task *task, void (*fn)(struct task *task, const char *path, uint64_t *state))
{
	uint64_t state = 5;
	uint64_t epoch = 1;
	struct store *store = open_store(task, epoch);
	struct volume *volume = open_volume(task, store);
	char dir[USERID_PATH_BYTES];
	uint64_t digest;

	fill_volume(task, volume, 3, 120);
	checkpoint(task, volume);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("later"), true), RP_OK);
	digest = model_digest(task, volume);
	userid_path(&user, dir);
	for (unsigned i = 0; i < 12; i++) {
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
		cr_assert_geq(each_derived(task, dir, fn, &state), 3);
		store = open_store(task, ++epoch);
		volume = open_volume(task, store);
		cr_assert_eq(model_digest(task, volume), digest, "time %u", i);
		checkpoint(task, volume);
		cr_assert_eq(model_digest(task, volume), digest, "time %u", i);
	}
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume, derived_files_may_be_removed)
{
	(void)arg;
	run_derived(task, remove_it);
}

IO_TASK_TEST(volume, derived_files_may_be_damaged)
{
	(void)arg;
	run_derived(task, damage_it);
}

IO_TASK_TEST(volume, derived_files_may_be_cut_short)
{
	(void)arg;
	run_derived(task, cut_it);
}

static void append_many(struct task *task, struct mailbox *mailbox, unsigned count)
{
	struct bytes keyword = BYTES_LIT("every");

	for (unsigned done = 0; done < count; done += MAILBOX_APPEND_MAX) {
		struct append message[MAILBOX_APPEND_MAX];
		uint32_t first_uid;

		for (unsigned i = 0; i < MAILBOX_APPEND_MAX; i++) {
			message[i] = (struct append){ .flags = i % 2 ? MAIL_SEEN : 0,
				.keywords = &keyword,
				.keywords_count = i % 3 == 0,
				.internaldate = { 1700000000 + (int64_t)done * 7919 % 100000, 60 } };
			cr_assert_eq(
			    body_begin(task, mailbox_volume(mailbox), &message[i].body), RP_OK);
			cr_assert_eq(body_write(task, message[i].body, BYTES_LIT("a: b\r\n\r\n")),
			    RP_OK);
		}
		cr_assert_eq(mailbox_append(
				 task, mailbox, message, MAILBOX_APPEND_MAX, &first_uid),
		    RP_OK);
		cr_assert_eq(first_uid, done + 1);
	}
}

/* A copy of many messages, and flags on every other of them, do not fit one record: they are groups. */
IO_TASK_TEST(volume, changes_larger_than_a_record_are_whole)
{
	enum { MANY = 12800 };
	uint64_t epoch = 1;
	struct store *store = open_store(task, epoch);
	struct volume *volume = open_volume(task, store);
	struct mail_store flag = { .mode = MAIL_STORE_ADD, .flags = MAIL_FLAGGED };
	struct runs uids = RUNS_EMPTY;
	struct runs out = RUNS_EMPTY;
	struct mailbox *inbox;
	struct mailbox *sent;
	uint32_t first_uid;
	uint64_t lsn;
	uint64_t digest;

	(void)arg;
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("Sent"), &sent), RP_OK);
	append_many(task, inbox, MANY);
	lsn = volume->catalog.lsn;
	cr_assert_eq(runs_add(&uids, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_copy(task, inbox, &uids, sent, &out, &first_uid), RP_OK);
	cr_assert_geq(volume->catalog.lsn, lsn + 2); /* a group */
	cr_assert_eq(first_uid, 1);
	cr_assert_eq(runs_total(&out), MANY);
	cr_assert_eq(mailbox_entry(sent)->messages_count, MANY);
	cr_assert_eq(mailbox_entry(sent)->unseen_count, MANY / 2);
	runs_fini(&uids);
	for (uint32_t uid = 1; uid <= MANY; uid += 2)
		cr_assert_eq(runs_add(&uids, uid, uid), RP_OK);
	cr_assert_eq(mailbox_store(task, sent, &uids, &flag, NULL, NULL), RP_OK);
	runs_fini(&out);
	cr_assert_eq(mailbox_move(task, inbox, &uids, sent, &out, &first_uid), RP_OK);
	cr_assert_eq(first_uid, MANY + 1);
	cr_assert_eq(out.count, MANY / 2);
	cr_assert_eq(mailbox_entry(inbox)->messages_count, MANY / 2);
	cr_assert_eq(mailbox_entry(sent)->messages_count, MANY + MANY / 2);
	runs_fini(&uids);
	runs_fini(&out);
	digest = model_digest(task, volume);
	mailbox_close(inbox);
	mailbox_close(sent);
	reopen(task, &store, &volume, ++epoch);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Of what others have changed meanwhile the one who stores knows half. */
IO_TASK_TEST(volume, what_others_changed_is_not_of_a_store_alone)
{
	const struct mail_store flagged = {.mode = MAIL_STORE_ADD, .flags = MAIL_FLAGGED};
	struct mail_store draft = {.mode = MAIL_STORE_ADD, .flags = MAIL_DRAFT};
	struct store *store = open_store(task, 1);
	struct volume *volume = open_volume(task, store);
	struct runs all = RUNS_EMPTY;
	struct runs one = RUNS_EMPTY;
	struct runs changed = RUNS_EMPTY;
	struct mailbox *inbox;

	(void)arg;
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	append_many(task, inbox, MAILBOX_APPEND_MAX);
	cr_assert_eq(runs_add(&all, 1, 3), RP_OK);
	cr_assert_eq(runs_add(&one, 2, 2), RP_OK);
	draft.known_modseq = mailbox_entry(inbox)->highestmodseq;
	cr_assert_eq(mailbox_store(task, inbox, &one, &flagged, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_store(task, inbox, &all, &draft, &changed, NULL), RP_OK);
	cr_assert_eq(runs_total(&changed), 2);
	cr_assert(!runs_has(&changed, 2));
	runs_fini(&changed);
	draft = (struct mail_store){.mode = MAIL_STORE_REMOVE,
	    .flags = MAIL_DRAFT,
	    .known_modseq = mailbox_entry(inbox)->highestmodseq};
	cr_assert_eq(mailbox_store(task, inbox, &all, &draft, &changed, NULL), RP_OK);
	cr_assert_eq(runs_total(&changed), 3);
	runs_fini(&all);
	runs_fini(&one);
	runs_fini(&changed);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A mapped index is checked column by column as it is touched: damage shows itself in the middle of things. */
IO_TASK_TEST(volume, a_large_index_that_is_damaged_is_mended)
{
	enum { MANY = 300 * MAILBOX_APPEND_MAX };
	struct mail_store flag = { .mode = MAIL_STORE_ADD, .flags = MAIL_DELETED };
	uint64_t epoch = 1;
	uint64_t state = 3;
	struct store *store = open_store(task, epoch);
	struct volume *volume = open_volume(task, store);
	struct runs all = RUNS_EMPTY;
	struct runs out = RUNS_EMPTY;
	struct mailbox *inbox;
	struct mailbox *sent;
	char dir[USERID_PATH_BYTES];
	uint32_t first_uid;
	uint64_t digest;

	(void)arg;
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	append_many(task, inbox, MANY);
	mailbox_close(inbox);
	checkpoint(task, volume);
	digest = model_digest(task, volume);
	cr_assert_eq(runs_add(&all, 1, UINT32_MAX), RP_OK);
	userid_path(&user, dir);
	for (unsigned i = 0; i < 6; i++) {
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
		for (unsigned k = 0; k < 4; k++)
			each_derived(task, dir, damage_it, &state);
		store = open_store(task, ++epoch);
		volume = open_volume(task, store);
		if (i < 3)
			cr_assert_eq(model_digest(task, volume), digest);
		cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
		cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("Trash"), &sent), RP_OK);
		if (i == 3)
			cr_assert_eq(
			    mailbox_copy(task, inbox, &all, sent, &out, &first_uid), RP_OK);
		if (i == 4)
			cr_assert_eq(
			    mailbox_store(task, inbox, &all, &flag, NULL, NULL), RP_OK);
		if (i == 5)
			cr_assert_eq(mailbox_expunge(task, inbox, NULL, NULL), RP_OK);
		mailbox_close(inbox);
		mailbox_close(sent);
		checkpoint(task, volume);
	}
	cr_assert_eq(runs_total(&out), MANY);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 0);
	cr_assert_eq(volume_find(volume, BYTES_LIT("Trash"))->messages_count, MANY);
	digest = model_digest(task, volume);
	runs_fini(&all);
	runs_fini(&out);
	reopen(task, &store, &volume, ++epoch);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

struct crowd {
	struct io_fixture *fixture;
	struct store *store;
	unsigned left;
	uint64_t seed;
};

/* One of several who change the same mailboxes at the same time: any answer that can be right is. */
static void one_of_crowd(struct task *task, void *arg)
{
	static struct model model;
	struct crowd *crowd = arg;
	uint64_t state = ++crowd->seed * 7919;
	struct volume *volume = open_volume(task, crowd->store);

	model_init(&model);
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		model.mailbox[i].uidnext = 60;
	for (unsigned i = 0; i < 60; i++) {
		struct model_op op = model_draw(&model, &state);
		enum rp_err err = model_run(task, volume, &op);

		cr_assert(err == RP_OK || err == RP_ERR_NOTFOUND || err == RP_ERR_EXISTS ||
			      err == RP_ERR_CANNOT || err == RP_ERR_HASCHILDREN,
		    "%s", err_name(err));
		if (model_random(&state) % 16 == 0) {
			err = checkpoint_now(task, volume);
			cr_assert(err == RP_OK || err == RP_ERR_BUSY, "%s", err_name(err));
		}
	}
	volume_close(volume);
	crowd->left--;
}

IO_TASK_TEST(volume, many_tasks_change_it_at_the_same_time)
{
	struct crowd crowd = { .fixture = arg, .store = open_store(task, 1), .left = 8 };
	struct volume *volume;
	uint64_t digest;

	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(task_start(task_loop(task), one_of_crowd, &crowd, NULL), RP_OK);
	while (crowd.left > 0)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	volume = open_volume(task, crowd.store);
	digest = model_digest(task, volume);
	reopen(task, &crowd.store, &volume, 2);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, crowd.store), RP_OK);
}

IO_TASK_TEST(volume, idle_ones_are_let_go_when_memory_is_wanted)
{
	struct store *store = open_store(task, 1);

	(void)arg;
	for (unsigned i = 0; i < 60; i++) {
		struct userid userid = { { (uint8_t)i, 1 } };
		struct volume *volume;

		cr_assert_eq(volume_open(task, store, &userid, &volume), RP_OK);
		cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("x"), true), RP_OK);
		volume_close(volume);
	}
	cr_assert_eq(task_sleep(task, UINT64_C(2000000000)), RP_OK); /* all is settled */
	for (unsigned i = 0; i < 60; i++) {
		struct userid userid = { { (uint8_t)i, 1 } };
		struct volume *volume;

		cr_assert_eq(volume_open(task, store, &userid, &volume), RP_OK);
		cr_assert(volume_find(volume, BYTES_LIT("x"))->subscribed);
		volume_close(volume);
		cr_assert_leq(store->idle_bytes, store->settings.volumes_bytes_max);
	}
	cr_assert_leq(store->volumes.count, 256 * 1024 / VOLUME_IDLE_BYTES);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume, one_that_is_destroyed_does_not_come_back)
{
	uint64_t epoch = 1;
	struct store *store = open_store(task, epoch);
	struct volume *volume = open_volume(task, store);
	struct mailbox *inbox;

	(void)arg;
	fill_volume(task, volume, 9, 40);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(volume_destroy(task, volume), RP_OK);
	cr_assert(mailbox_is_gone(inbox));
	cr_assert(bytes_eq(mailbox_entry(inbox)->name, BYTES_LIT("INBOX")));
	cr_assert_null(volume_next(volume, bytes_of("", 0)));
	mailbox_close(inbox);
	checkpoint(task, volume);
	volume_close(volume);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_ERR_NOTFOUND);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = open_store(task, ++epoch);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_ERR_NOTFOUND);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* No task can be had for a checkpoint that is due: the volume is let go all the same, and once. */
IO_TASK_TEST(volume, a_checkpoint_that_cannot_start_leaves_the_volume_in_order)
{
	struct store *store = open_store(task, 1);
	struct volume *volume = open_volume(task, store);
	unsigned idle = 0;

	(void)arg;
	checkpoint(task, volume);
	store->closing = true; /* nothing is started from now on */
	volume->unwritten_bytes = UINT64_C(64) * CHECKPOINT_BYTES_MIN; /* one is due when it is closed */
	volume_close(volume);
	LIST_FOR_EACH(link, &store->idle_volumes)
	{
		cr_assert_eq(link->next->prev, link);
		cr_assert_lt(idle++, 2);
	}
	cr_assert_eq(idle, 1);
	cr_assert_eq(store->idle_bytes, volume->idle_bytes);
	cr_assert_eq(store_close(task, store), RP_OK);
}
