/* Users whom nobody comes to are looked at once in a day. */
#include <stdio.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/mailbox_state.h"
#include "index/sweep.h"
#include "index/volume_state.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum { MESSAGES = 120, TEXT_BYTES = 3000, DAY_S = SWEEP_S + 600 };

static const struct userid idle = {{1}};
static const struct userid bare = {{2}};
static const struct userid used = {{3}};

static struct store *open_store(struct task *task)
{
	struct store_settings settings = small_store();

	settings.dbox_file_bytes = 32 * 1024;
	settings.keep_expunged_s = 3600;
	settings.keep_trust_s = 1;
	return open_recovered(task, &settings, 1);
}

static void sleep_s(struct task *task, uint64_t s)
{
	cr_assert_eq(task_sleep(task, s * UINT64_C(1000000000)), RP_OK);
}

static void append(struct task *task, struct mailbox *inbox)
{
	struct append message = {.internaldate = {1700000000, 60}};
	uint8_t text[TEXT_BYTES];
	uint32_t uid;

	model_body(7, text, sizeof(text));
	cr_assert_eq(body_begin(task, inbox->volume, &message.body), RP_OK);
	cr_assert_eq(body_write(task, message.body, bytes_of(text, sizeof(text))), RP_OK);
	cr_assert_eq(mailbox_append(task, inbox, &message, 1, &uid), RP_OK);
}

/* Most of it is expunged, which the last checkpoint saw while it was still kept. */
static void fill(struct task *task, struct store *store, const struct userid *userid)
{
	struct mail_store deleted = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct runs uids = RUNS_EMPTY;
	struct volume *volume;
	struct mailbox *inbox;
	enum rp_err err;

	cr_assert_eq(volume_open(task, store, userid, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	for (unsigned i = 0; i < MESSAGES; i++)
		append(task, inbox);
	cr_assert_eq(runs_add(&uids, 1, MESSAGES - 5), RP_OK);
	cr_assert_eq(mailbox_store(task, inbox, &uids, &deleted, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, inbox, NULL, NULL), RP_OK);
	runs_fini(&uids);
	mailbox_close(inbox);
	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		sleep_s(task, 1);
	cr_assert_eq(err, RP_OK);
	while (volume->compact_runs)
		sleep_s(task, 1);
	volume_close(volume);
}

static uint64_t compactions(const struct store *store)
{
	struct store_stats stats;

	store_stats(store, &stats);
	return stats.dbox_compactions;
}

static size_t names_in(struct task *task, const char *dir)
{
	struct dir_entry *entries;
	struct arena arena;
	size_t count;

	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	arena_fini(&arena);
	return count;
}

SIM_TASK_TEST(sweep, what_is_over_goes_though_nobody_comes)
{
	struct store *store = open_store(task);

	(void)arg;
	fill(task, store, &idle);
	cr_assert_eq(compactions(store), 0);
	sleep_s(task, DAY_S);
	cr_assert_gt(compactions(store), 0);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Those who were closed are closed again, those who were open stay. */
SIM_TASK_TEST(sweep, leaves_everybody_as_he_was)
{
	struct store *store = open_store(task);
	struct volume *volume;
	char dir[USERID_PATH_BYTES];

	(void)arg;
	cr_assert_eq(volume_open(task, store, &idle, &volume), RP_OK);
	volume_close(volume);
	sleep_s(task, 60);
	cr_assert_eq(volume_drop(task, store, &idle), RP_OK);
	cr_assert_eq(volume_open(task, store, &used, &volume), RP_OK);
	userid_path(&bare, dir);
	cr_assert_eq(dir_make(task, FILE_ROOT_DATA, dir), RP_OK);
	sleep_s(task, DAY_S);
	cr_assert_not(volume_is_open(store, &idle));
	cr_assert(volume_is_open(store, &used));
	cr_assert_eq(names_in(task, dir), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* The record that he has no mail any more is in its place, the logs are used again, and the server ends before his files are gone:
 * no recovery knows of it. */
SIM_TASK_TEST(sweep, who_was_deleted_leaves_nothing)
{
	struct store *store = open_store(task);
	struct volume *volume;
	char dir[USERID_PATH_BYTES];

	(void)arg;
	fill(task, store, &idle);
	userid_path(&idle, dir);
	cr_assert_eq(volume_open(task, store, &idle, &volume), RP_OK);
	cr_assert_eq(volume_destroy(task, volume), RP_OK);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = open_store(task);
	cr_assert_gt(names_in(task, dir), 1, "it is met");
	sleep_s(task, DAY_S);
	cr_assert_eq(names_in(task, dir), 1, "the record alone");
	cr_assert_eq(volume_open(task, store, &idle, &volume), RP_ERR_NOTFOUND);
	sleep_s(task, DAY_S);
	cr_assert_eq(names_in(task, dir), 1);
	cr_assert_eq(store_close(task, store), RP_OK);
}
