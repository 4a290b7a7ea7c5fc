/* How many names a user may have: mailboxes, and subscriptions to names that are none. The catalog is filled in memory, as
 * 20,000 changes would only take time. */
#include <stdio.h>

#include "index/volume.h"
#include "index/volume_state.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

static const struct userid user = { { 0x11, 0x22, 0x33 } };

static struct store *open_store(struct task *task)
{
	struct store_settings settings = small_store();

	settings.volumes_bytes_max = 64 * 1024 * 1024;
	return open_recovered(task, &settings, 1);
}

/* "m/00000001" and so on: a mailbox each, or (id 0) only a subscription. */
static void fill(struct volume *volume, char first, size_t count, bool mailboxes)
{
	struct catalog *catalog = &volume->catalog;
	char name[16];

	for (size_t i = 0; i < count; i++) {
		int n = snprintf(name, sizeof(name), "%c%08zu", first, i);
		struct change_item item = { .name = bytes_of(name, (size_t)n) };

		item.type = mailboxes ? CHANGE_ITEM_MAILBOX : CHANGE_ITEM_SUBSCRIPTION;
		item.mailboxid = mailboxes ? catalog->sums.mailboxid_next : 0;
		item.uidvalidity = 1;
		item.on = true;
		cr_assert_eq(catalog_prepare(catalog, (size_t)n), RP_OK);
		cr_assert_eq(catalog_apply(catalog, &item, catalog->lsn), RP_OK);
	}
}

static void end(struct task *task, struct store *store, struct volume *volume)
{
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static enum rp_err create(struct task *task, struct volume *volume, const char *name)
{
	uint64_t mailboxid;

	return volume_create(task, volume, bytes_of_str(name), 0, &mailboxid);
}

IO_TASK_TEST(volume_names, mailboxes_have_a_bound)
{
	struct store *store = open_store(task);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	fill(volume, 'm', VOLUME_MAILBOXES_MAX - volume->catalog.ids_count - 2, true);
	cr_assert_eq(create(task, volume, "a/b/c"), RP_ERR_LIMIT, "with its parents it is one too many");
	cr_assert_null(volume_find(volume, BYTES_LIT("a")));
	cr_assert_eq(create(task, volume, "a/b"), RP_OK);
	cr_assert_eq(volume->catalog.ids_count, VOLUME_MAILBOXES_MAX);
	cr_assert_eq(create(task, volume, "one"), RP_ERR_LIMIT);
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("a/b"), BYTES_LIT("b")), RP_OK);
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("b"), BYTES_LIT("b2/c")), RP_ERR_LIMIT);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("b")), RP_OK);
	cr_assert_eq(create(task, volume, "one"), RP_OK);
	end(task, store, volume);
}

IO_TASK_TEST(volume_names, subscriptions_have_a_bound)
{
	struct store *store = open_store(task);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	fill(volume, 's', VOLUME_MAILBOXES_MAX - 1, false);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("x"), true), RP_OK);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("x"), true), RP_OK);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("y"), true), RP_ERR_LIMIT);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("INBOX"), true), RP_OK);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("x"), false), RP_OK);
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("y"), true), RP_OK);
	end(task, store, volume);
}

/* A subscription outlives its mailbox (RFC 3501, section 6.3.9), so names could be piled up by CREATE, SUBSCRIBE, DELETE. */
IO_TASK_TEST(volume_names, what_deleted_mailboxes_leave_has_a_bound)
{
	struct store *store = open_store(task);
	struct volume *volume;
	char name[16] = "";

	(void)arg;
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	fill(volume, 's', VOLUME_MAILBOXES_MAX, false);
	fill(volume, 'm', VOLUME_MAILBOXES_MAX - volume->catalog.ids_count - 3, true);
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "left%zu", i);
		cr_assert_eq(create(task, volume, name), RP_OK);
		cr_assert_eq(volume_subscribe(task, volume, bytes_of_str(name), true), RP_OK);
		cr_assert_eq(volume_delete(task, volume, bytes_of_str(name)), RP_OK);
	}
	cr_assert_eq(volume->catalog.count, 2 * VOLUME_MAILBOXES_MAX);
	cr_assert_eq(create(task, volume, "left3"), RP_ERR_LIMIT);
	cr_assert_eq(create(task, volume, "left0"), RP_OK, "its name is there");
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("left1"), false), RP_OK);
	cr_assert_eq(create(task, volume, "left3"), RP_OK);
	end(task, store, volume);
}
