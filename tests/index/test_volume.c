#include <stdlib.h>

#include "index/checkpoint.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

static const struct userid user = { { 0x10, 0x20, 0x30 } };

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = { .shards_count = 1,
		.commit_file_bytes = 1024 * 1024,
		.unsettled_bytes_max = 4 * 1024 * 1024,
		.volumes_bytes_max = 256 * 1024,
		.reader = &model_reader };
	struct store *store;
	const char *reason;

	cr_assert_eq(store_open(task, &settings, epoch, &store, &reason), RP_OK, "%s", reason);
	cr_assert_eq(store_recover(task, store), RP_OK);
	cr_assert_eq(store_recover_void(task, store), RP_OK);
	cr_assert_eq(store_recovered(task, store), RP_OK);
	return store;
}

static struct volume *open_volume(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	return volume;
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
	uint64_t state = seed;
	uint64_t epoch = 1;
	struct store *store = open_store(task, epoch);
	struct volume *volume = open_volume(task, store);

	model_init(&model);
	model_check(task, volume, &model, 0);
	for (unsigned i = 1; i <= ops; i++) {
		struct model_op op = model_draw(&model, &state);
		struct model before = model;
		enum rp_err expected;

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
			cr_assert_eq(checkpoint_now(task, volume), RP_OK);
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
