/* Sealed journals become one, and nobody can tell: not who has the mail open, not who makes everything anew from them. */
#include "index/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { JOURNAL_BYTES = 8 * 1024 };

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.journal_file_bytes = JOURNAL_BYTES;
	return open_recovered(task, &settings, epoch);
}

/* All is in its files, and the indexes have it. */
static void checkpoint_once(struct task *task, struct volume *volume)
{
	struct store *store = volume->store;
	enum rp_err err;

	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	cr_assert_eq(settle_flush(task, store->commit, &volume->settle), RP_OK);
	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
}

static void checkpoint(struct task *task, struct volume *volume)
{
	checkpoint_once(task, volume);
	while (volume->merging)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
}

static uint64_t journal_bytes(struct task *task, struct volume *volume, size_t *files)
{
	struct dir_entry *entries;
	struct arena arena;
	size_t count;
	uint64_t bytes = 0;

	*files = 0;
	arena_init(&arena, 1024 * 1024);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, volume->dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;
		struct bytes name = entries[i].name;
		uint64_t more;

		if (!bytes_eq(bytes_from(name, bytes_find(name, 0, '.')), BYTES_LIT(".journal")))
			continue;
		volume_path(volume, path, "%.*s", BYTES_FMT(entries[i].name));
		cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_OK);
		cr_assert_eq(file_size(task, file, &more), RP_OK);
		file_close(file);
		bytes += more;
		++*files;
	}
	arena_fini(&arena);
	return bytes;
}

static void say(void *arg, struct bytes line)
{
	(void)arg;
	fprintf(stderr, "%.*s\n", BYTES_FMT(line));
}

static void assert_sound(struct task *task, struct store *store, const struct userid *userid)
{
	struct repair_report report;

	cr_assert_eq(repair_check(task, store, userid, say, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
}

/* Each UID that was given out and is not there is in the history of all time. */
static void assert_history(struct task *task, struct volume *volume)
{
	for (size_t i = 0; i < volume->catalog.ids_count; i++) {
		uint64_t mailboxid = volume->catalog.by_id[i]->entry.mailboxid;
		struct runs runs = RUNS_EMPTY;
		struct mailbox *mailbox;
		bool complete;

		cr_assert_eq(mailbox_open_id(task, volume, mailboxid, &mailbox), RP_OK);
		cr_assert_eq(table_expunged_since(mailbox->table, 0, &runs, &complete), RP_OK);
		cr_assert(complete);
		for (uint32_t uid = 1; uid < mailbox_entry(mailbox)->uidnext; uid++)
			cr_assert_eq(runs_has(&runs, uid), !table_has(mailbox->table, uid, false),
			    "mailbox %lu UID %u", (unsigned long)mailboxid, uid);
		cr_assert_eq(table_last_uid(mailbox->table) + 1, mailbox_entry(mailbox)->uidnext);
		runs_fini(&runs);
		mailbox_close(mailbox);
	}
}

/* Changes of all kinds; a merge now and then. */
static unsigned change(struct task *task, struct volume *volume, uint64_t seed, unsigned ops)
{
	static struct model model;
	static struct model next;
	uint64_t before = volume->store->merges_done;

	model_init(&model);
	model_check(task, volume, &model, 0);
	for (unsigned i = 0; i < ops; i++) {
		struct model_op op = model_draw(&model, &seed);

		next = model;
		if (model_apply(&next, &op) != RP_OK)
			next = model;
		(void)!model_run(task, volume, &op);
		model_check(task, volume, &next, 0);
		model = next;
		if (model_random(&seed) % 32 == 0)
			checkpoint(task, volume);
	}
	checkpoint(task, volume);
	model_check(task, volume, &model, 1);
	return (unsigned)(volume->store->merges_done - before);
}

static void run_seed(struct task *task, uint64_t seed)
{
	struct userid userid = {{0x4d, (uint8_t)seed}};
	struct store *store = open_store(task, 3 * seed + 1);
	struct repair_report report;
	struct volume *volume;
	uint64_t digest;

	cr_assert_eq(volume_open(task, store, &userid, &volume), RP_OK);
	cr_assert_gt(change(task, volume, seed, 700), 0);
	digest = model_digest(task, volume);
	volume_close(volume);
	assert_sound(task, store, &userid);
	cr_assert_eq(store_close(task, store), RP_OK);

	store = open_store(task, 3 * seed + 2);
	cr_assert_eq(volume_open(task, store, &userid, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(repair_rebuild(task, store, &userid, say, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(volume_open(task, store, &userid, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	assert_history(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(merge, has_the_same_effect)
{
	(void)arg;
	for (uint64_t seed = 1; seed <= 4; seed++)
		run_seed(task, seed);
}

static void expunge_all(struct task *task, struct volume *volume)
{
	struct mail_store store = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct runs changed = RUNS_EMPTY;
	struct runs modified = RUNS_EMPTY;
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, NULL, &store, &changed, &modified), RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
	runs_fini(&changed);
	runs_fini(&modified);
}

static enum rp_err keep_file(struct task *task, struct volume *volume, struct arena *arena,
    struct bytes name, struct bytes *out)
{
	char path[VOLUME_PATH_BYTES];
	struct file *file;
	uint64_t size;
	uint8_t *p;
	size_t got;

	volume_path(volume, path, "%.*s", BYTES_FMT(name));
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	p = arena_alloc(arena, size);
	cr_assert_not_null(p);
	cr_assert_eq(file_read(task, file, p, size, 0, &got), RP_OK);
	file_close(file);
	*out = bytes_of(p, got);
	return RP_OK;
}

/* The old files are there beside the merged one, as a crash leaves them: they are void, and go at the next merge. */
IO_TASK_TEST(merge, what_a_crash_leaves_is_void)
{
	struct store *store = open_store(task, 1);
	struct arena arena;
	struct dir_entry *entries;
	struct volume *volume;
	struct bytes *content;
	size_t count;
	size_t files;
	size_t files_after;
	uint64_t digest;

	(void)arg;
	arena_init(&arena, 4 * 1024 * 1024);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	for (unsigned i = 0; i < 200; i++) {
		made_append(task, volume, "INBOX", MAIL_DELETED, "one that goes");
		if (i % 10 != 0)
			expunge_all(task, volume);
	}
	volume->merging = true; /* not now */
	checkpoint_once(task, volume);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, volume->dir, &arena, &entries, &count), RP_OK);
	content = arena_alloc(&arena, count * sizeof(*content));
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(keep_file(task, volume, &arena, entries[i].name, &content[i]), RP_OK);
	volume->merging = false;
	cr_assert_eq(merge_now(task, volume), RP_OK);
	cr_assert_eq(store->merges_done, 1);
	(void)journal_bytes(task, volume, &files);
	digest = model_digest(task, volume);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;

		volume_path(volume, path, "%.*s", BYTES_FMT(entries[i].name));
		cr_assert_eq(
		    file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE, &file), RP_OK);
		cr_assert_eq(file_write(task, file, content[i].p, content[i].n, 0, false), RP_OK);
		file_close(file);
	}
	(void)journal_bytes(task, volume, &files_after);
	cr_assert_gt(files_after, files);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);

	store = open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	cr_assert_eq(merge_now(task, volume), RP_OK);
	(void)journal_bytes(task, volume, &files_after);
	cr_assert_eq(files_after, files);
	assert_history(task, volume);
	volume_close(volume);
	assert_sound(task, store, &made_user);
	cr_assert_eq(store_close(task, store), RP_OK);
	arena_fini(&arena);
}

/* Damage to a merged journal is met and told, though LSNs are missing in it anyway. */
IO_TASK_TEST(merge, damage_is_told)
{
	struct store *store = open_store(task, 1);
	struct volume *volume;
	struct file *file;
	uint64_t size;
	char path[VOLUME_PATH_BYTES];

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_gt(change(task, volume, 5, 600), 0);
	volume_path(
	    volume, path, "1+%llu.journal", (unsigned long long)volume->journal->files[0].last);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	for (uint64_t at = 1024 + 40; at < size; at += size / 16) {
		struct repair_report report;
		uint8_t was[8];
		uint8_t bad[8];
		size_t got;

		cr_assert_eq(file_read(task, file, was, sizeof(was), at, &got), RP_OK);
		for (size_t i = 0; i < got; i++)
			bad[i] = was[i] ^ 0x55;
		cr_assert_eq(file_write(task, file, bad, got, at, false), RP_OK);
		store = open_store(task, 2 + at);
		cr_assert_eq(repair_check(task, store, &made_user, NULL, NULL, &report), RP_OK);
		cr_assert_gt(report.records_missing, 0, "at %lu", (unsigned long)at);
		cr_assert_eq(store_close(task, store), RP_OK);
		cr_assert_eq(file_write(task, file, was, got, at, false), RP_OK);
	}
	file_close(file);
}

/* What comes and goes leaves nothing: the journals of a mailbox that stays as large as it is stay as large as they are. */
IO_TASK_TEST(merge, keeps_the_journals_flat)
{
	enum { ROUNDS = 3000, EACH = 50 };
	struct store *store = open_store(task, 1);
	struct volume *volume;
	uint64_t most = 0;
	size_t files;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		made_append(task, volume, "INBOX", MAIL_SEEN, "comes and goes");
		expunge_all(task, volume);
		if (i % EACH != 0)
			continue;
		checkpoint(task, volume);

		uint64_t bytes = journal_bytes(task, volume, &files);

		most = bytes > most ? bytes : most;
	}
	cr_assert_lt(most, 8 * JOURNAL_BYTES);
	cr_assert_lt(files, 8);
	cr_assert_gt(store->merges_done, ROUNDS / EACH / 4);
	assert_history(task, volume);
	volume_close(volume);
	assert_sound(task, store, &made_user);
	cr_assert_eq(store_close(task, store), RP_OK);
}
