/* Bodies that several messages share: each counts once, and moves once, however many share it. */
#include "index/compact.h"

#include <string.h>

#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "tests/index/made_mail.h"
#include "tests/index/wasted.h"
#include "tests/io/io_fixture.h"

static struct mailbox *open_named(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, volume, bytes_of(name, strlen(name)), &mailbox), RP_OK);
	return mailbox;
}

static void copy_all(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *from = open_named(task, volume, "INBOX");
	struct mailbox *to = open_named(task, volume, name);
	struct runs all = RUNS_EMPTY;
	struct runs copied = RUNS_EMPTY;
	uint32_t first;

	cr_assert_eq(runs_add(&all, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_copy(task, from, &all, to, &copied, &first), RP_OK);
	runs_fini(&all);
	runs_fini(&copied);
	mailbox_close(from);
	mailbox_close(to);
}

static void expunge_all(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox = open_named(task, volume, name);
	struct mail_store store = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct runs all = RUNS_EMPTY;
	struct runs changed = RUNS_EMPTY;

	cr_assert_eq(runs_add(&all, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &all, &store, &changed, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	runs_fini(&all);
	runs_fini(&changed);
	mailbox_close(mailbox);
}

/* As the server does it by itself. */
static uint64_t bytes_in_the_end(struct task *task, struct volume *volume)
{
	wasted_checkpoint(task, volume);
	compact_consider(volume);
	wasted_wait(task, &volume->compact_runs);
	return wasted_bytes(task, volume);
}

/* Two of seven messages are left of each file, and COPY makes six of them. One body counts once: not the file is live, but a third. */
static void looks_once(struct task *task, bool looked)
{
	enum { BODY_BYTES = 4200, LEFT = WASTED_FILES * WASTED_STAY - 1, FILE_BYTES = 32 * 1024 };
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("a"), 0, NULL), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("b"), 0, NULL), RP_OK);
	if (looked)
		cr_assert_eq(compact_now(task, volume), RP_OK);
	wasted_make(task, volume);
	copy_all(task, volume, "a");
	copy_all(task, volume, "b");
	cr_assert_lt(bytes_in_the_end(task, volume), 2 * LEFT * BODY_BYTES + 2 * FILE_BYTES);
	expunge_all(task, volume, "INBOX");
	expunge_all(task, volume, "a");
	cr_assert_lt(bytes_in_the_end(task, volume), 2 * LEFT * BODY_BYTES + 2 * FILE_BYTES);
	expunge_all(task, volume, "b");
	cr_assert_leq(bytes_in_the_end(task, volume), 2 * FILE_BYTES);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(compact_shared, counts_a_body_once_that_many_share)
{
	(void)arg;
	looks_once(task, false);
}

IO_TASK_TEST(compact_shared, counts_it_once_when_it_was_shared_after_a_look)
{
	(void)arg;
	looks_once(task, true);
}

/* What stays in a mailbox is copied twice, and goes again, in a round after the other: the files do not grow. */
IO_TASK_TEST(compact_shared, keeps_the_bodies_flat_though_they_are_shared)
{
	enum { ROUNDS = 60, APPENDS = 20, STAY_ONE_IN = 4, FILE_BYTES = 32 * 1024 };
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	uint64_t most = 0;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("a"), 0, NULL), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("b"), 0, NULL), RP_OK);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		struct mailbox *mailbox = open_named(task, volume, "INBOX");

		for (unsigned i = 1; i <= APPENDS; i++)
			wasted_append(task, volume, round * APPENDS + i,
			    i % STAY_ONE_IN == 0 ? 0 : MAIL_DELETED);
		cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
		mailbox_close(mailbox);
		copy_all(task, volume, "a");
		copy_all(task, volume, "b");
		if (round % 4 == 0)
			expunge_all(task, volume, "INBOX");
		if (round % 8 == 0)
			expunge_all(task, volume, "a");
		if (round % 8 == 1)
			expunge_all(task, volume, "b");

		uint64_t bytes = bytes_in_the_end(task, volume);

		most = bytes > most ? bytes : most;
	}
	cr_assert_gt(store->compacts_done, 10);
	cr_assert_lt(most, 16 * FILE_BYTES, "%lu", (unsigned long)most);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- one body that very many share ---- */

enum { SHARERS = 4097, PART = 1024 };

static const char shared_text[] = "Subject: shared\r\n\r\nby all\r\n";

/* It lies in the first file, which is sealed. */
static struct mailbox *share_one(struct task *task, struct volume *volume)
{
	struct mailbox *inbox = open_named(task, volume, "INBOX");

	made_append(task, volume, "INBOX", 0, shared_text);
	for (uint32_t n = 1, more; n < SHARERS; n += more) {
		struct run run = {1, more = n < SHARERS - n ? n : SHARERS - n};
		struct runs uids = {&run, 1, 1};
		struct runs copied = RUNS_EMPTY;
		uint32_t first;

		cr_assert_eq(mailbox_copy(task, inbox, &uids, inbox, &copied, &first), RP_OK);
		runs_fini(&copied);
	}
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	cr_assert_eq(dbox_last_file(volume->dbox), 1);
	dbox_number_from(volume->dbox, 2);
	cr_assert_eq(dbox_reserve(task, volume->dbox, 1), RP_OK);
	return inbox;
}

/* How many of them lie in the first file; some are read. */
static unsigned left_in_first(struct task *task, struct mailbox *inbox)
{
	unsigned left = 0;

	cr_assert_eq(mailbox_entry(inbox)->messages_count, SHARERS);
	for (uint32_t uid = 1; uid <= SHARERS; uid++) {
		uint8_t text[sizeof(shared_text)];
		struct dbox_body *body;
		struct table_row row;
		size_t got;

		cr_assert_eq(table_row(task, inbox->table, uid, false, &row, NULL), RP_OK);
		left += row.body.file == 1;
		if (uid % 97 != 0)
			continue;
		cr_assert_eq(mailbox_body_open(task, inbox, uid, &body), RP_OK);
		cr_assert_eq(dbox_body_read(task, body, 0, text, sizeof(text), &got), RP_OK);
		cr_assert_eq(got, sizeof(shared_text) - 1);
		cr_assert_arr_eq(text, shared_text, sizeof(shared_text) - 1);
		dbox_body_close(body);
	}
	return left;
}

static void assert_emptied(struct task *task, struct volume *volume, struct mailbox *inbox)
{
	cr_assert_eq(left_in_first(task, inbox), 0);
	cr_assert_gt(dbox_next_file(volume->dbox, 0), 1);
}

/* One change for all would hold others up, and for a million it would be larger than a change may be. */
IO_TASK_TEST(compact_shared, moves_a_body_that_very_many_share_in_several_changes)
{
	struct store *store = wasted_open_store(task, 1);
	struct mailbox *inbox;
	struct volume *volume;
	uint64_t lsn;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = share_one(task, volume);
	lsn = volume->catalog.lsn;
	cr_assert_eq(compact_now(task, volume), RP_OK);
	assert_emptied(task, volume, inbox);
	cr_assert_eq(volume->catalog.lsn - lsn, (SHARERS + PART - 1) / PART + 1);
	/* The body was copied once. */
	cr_assert_eq(dbox_files_count(volume->dbox), 1);
	cr_assert_lt(wasted_bytes(task, volume), 4096 + 2 * 4096);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

struct sharing {
	struct volume *volume; /* NULL: not ready */
	uint64_t lsn;
	unsigned left;
	bool ended;
};

static void empty_first(struct task *task, void *arg)
{
	struct sharing *sharing = arg;
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	(void)share_one(task, volume);
	sharing->lsn = volume->catalog.lsn;
	sharing->volume = volume;
	(void)!compact_now(task, volume);
}

static void empty_the_rest(struct task *task, void *arg)
{
	struct sharing *sharing = arg;
	struct store *store = wasted_open_store(task, 2);
	struct mailbox *inbox;
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	inbox = open_named(task, volume, "INBOX");
	sharing->left = left_in_first(task, inbox);
	cr_assert_eq(dbox_next_file(volume->dbox, 0), 1, "something refers to it");
	dbox_number_from(volume->dbox, 3); /* the first is not the one in use */
	cr_assert_eq(dbox_seal(volume->dbox, 1), RP_OK);
	cr_assert_eq(dbox_reserve(task, volume->dbox, 1), RP_OK);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	assert_emptied(task, volume, inbox);
	mailbox_close(inbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	sharing->ended = true;
}

/* Some of them have the new place, the others the old one; the next compaction goes on. */
Test(compact_shared, goes_on_when_the_power_went_between_those_changes)
{
	enum { SEEDS = 24 };
	static struct sharing sharing[SEEDS];
	unsigned parts = 0;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		struct sharing *one = &sharing[seed];
		struct sim_world *world;
		struct loop *loop;

		cr_assert_eq(sim_open(seed + 1, &world), RP_OK);
		(void)wasted_start(world, empty_first, one);
		while (one->volume == NULL || one->volume->catalog.lsn < one->lsn + 1 + seed % 4)
			cr_assert(sim_step(world));
		one->volume->compact_holds++; /* it goes no further */
		while (commit_durable(one->volume->store->commit) < one->volume->position)
			cr_assert(sim_step(world));
		sim_crash(world);
		loop = wasted_start(world, empty_the_rest, one);
		while (!one->ended)
			cr_assert(sim_step(world));
		loop_close(loop);
		parts += one->left > 0 && one->left < SHARERS;
		sim_close(world);
	}
	cr_assert_gt(parts, 0);
}
