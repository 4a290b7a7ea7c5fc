/* Files of bodies are emptied, and nobody can tell: each message has its own body, whoever reads, copies or moves meanwhile. */
#include "index/compact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/mailbox_state.h"
#include "index/merge.h"
#include "index/repair.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.journal_file_bytes = 16 * 1024;
	settings.dbox_file_bytes = 32 * 1024;
	return open_recovered(task, &settings, epoch);
}

static void say(void *arg, struct bytes line)
{
	(void)arg;
	fprintf(stderr, "%.*s\n", BYTES_FMT(line));
}

static void wait_for(struct task *task, const bool *busy)
{
	while (*busy)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
}

static void checkpoint(struct task *task, struct volume *volume)
{
	enum rp_err err;

	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
	wait_for(task, &volume->merging);
}

/* Of all files of bodies. */
static uint64_t dbox_bytes(struct task *task, struct volume *volume)
{
	uint64_t bytes = 0;

	for (uint32_t file = 1; file <= dbox_last_file(volume->dbox); file++) {
		uint64_t more;

		if (dbox_file_bytes(task, volume->dbox, file, &more) == RP_OK)
			bytes += more;
	}
	return bytes;
}

struct busy {
	struct volume *volume;
	bool runs;
	bool stop;
	unsigned emptied;
};

/* Again and again, while others work. */
static void compact_task(struct task *task, void *arg)
{
	struct busy *busy = arg;
	struct store *store = busy->volume->store;

	while (!busy->stop) {
		uint64_t before = store->compacts_done;
		enum rp_err err = compact_now(task, busy->volume);

		cr_assert(err == RP_OK || err == RP_ERR_BUSY);
		busy->emptied += (unsigned)(store->compacts_done - before);
		cr_assert_eq(task_sleep(task, 500 * 1000), RP_OK);
	}
	busy->runs = false;
}

static void run_seed(struct task *task, uint64_t seed)
{
	static struct model model;
	static struct model next;
	struct userid userid = {{0x43, (uint8_t)seed}};
	struct store *store = open_store(task, 3 * seed + 1);
	struct repair_report report;
	struct busy busy = {.runs = true};
	uint64_t random = seed;
	uint64_t digest;

	cr_assert_eq(volume_open(task, store, &userid, &busy.volume), RP_OK);
	model_init(&model);
	model_check(task, busy.volume, &model, 0);
	cr_assert_eq(task_start(task_loop(task), compact_task, &busy, NULL), RP_OK);
	for (unsigned i = 0; i < 900; i++) {
		struct model_op op = model_draw(&model, &random);

		next = model;
		if (model_apply(&next, &op) != RP_OK)
			next = model;
		(void)!model_run(task, busy.volume, &op);
		/* Records that move bodies come between: LSNs are learned anew. */
		model_check(task, busy.volume, &next, i % 8 == 0 ? 1 : 0);
		model = next;
		if (model_random(&random) % 32 == 0)
			checkpoint(task, busy.volume);
		if (model_random(&random) % 4 == 0)
			cr_assert_eq(task_yield(task), RP_OK);
	}
	busy.stop = true;
	wait_for(task, &busy.runs);
	cr_assert_gt(busy.emptied, 0);
	checkpoint(task, busy.volume);
	model_check(task, busy.volume, &model, 1);
	digest = model_digest(task, busy.volume);
	volume_close(busy.volume);
	cr_assert_eq(repair_check(task, store, &userid, say, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(store_close(task, store), RP_OK);

	store = open_store(task, 3 * seed + 2);
	cr_assert_eq(repair_rebuild(task, store, &userid, say, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(volume_open(task, store, &userid, &busy.volume), RP_OK);
	cr_assert_eq(model_digest(task, busy.volume), digest);
	model_check(task, busy.volume, &model, 1);
	volume_close(busy.volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(compact, loses_no_body_while_others_work)
{
	(void)arg;
	for (uint64_t seed = 1; seed <= 3; seed++)
		run_seed(task, seed);
}

static void append(struct task *task, struct volume *volume, uint32_t seed, uint32_t flags)
{
	char text[4001];

	model_body(seed, (uint8_t *)text, sizeof(text) - 1);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + (uint8_t)text[i] % 26);
	text[sizeof(text) - 1] = 0;
	made_append(task, volume, "INBOX", flags, text);
}

/* A mailbox of the same size, through which thousands of messages go: its files do not grow. */
IO_TASK_TEST(compact, keeps_the_bodies_flat)
{
	enum { ROUNDS = 2000, STAY_ONE_IN = 100 };
	struct store *store = open_store(task, 1);
	struct volume *volume;
	struct mailbox *mailbox;
	uint64_t most = 0;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		append(task, volume, i, i % STAY_ONE_IN == 0 ? 0 : MAIL_DELETED);
		cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
		if (i % 50 != 0)
			continue;
		checkpoint(task, volume);
		wait_for(task, &volume->compact_runs);

		uint64_t bytes = dbox_bytes(task, volume);

		most = bytes > most ? bytes : most;
	}
	mailbox_close(mailbox);
	cr_assert_gt(store->compacts_done, 10);
	cr_assert_lt(most, 20 * 32 * 1024, "%lu", (unsigned long)most);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
