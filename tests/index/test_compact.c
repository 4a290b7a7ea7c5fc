/* Files of bodies are emptied, and nobody can tell: each message has its own body, whoever reads, copies or moves meanwhile. */
#include "index/compact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/breath.h"
#include "index/checkpoint.h"
#include "index/dbox/dbox.h"
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

/* So many files' worth; of each the first messages stay, of one fewer than of the others. */
enum { FILES = 12, IN_FILE = 7, STAY = 2, ODD = 5 };

static void make_waste(struct task *task, struct volume *volume)
{
	struct mailbox *mailbox;

	cr_assert_eq(compact_hold(task, volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	for (unsigned i = 0; i < FILES * IN_FILE; i++) {
		bool odd = i / IN_FILE + 1 == ODD;

		append(task, volume, i + 1, i % IN_FILE < (odd ? 1 : STAY) ? 0 : MAIL_DELETED);
	}
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
	cr_assert_eq(commit_wait(task, volume->store->commit, volume->position), RP_OK);
	cr_assert_eq(settle_flush(task, volume->store->commit, &volume->settle), RP_OK);
	wait_for(task, &volume->checkpointing); /* which would begin one */
	compact_let_go(volume);
}

/* All that lies behind its header. */
static void harm_file(struct task *task, const struct volume *volume, unsigned number)
{
	char path[VOLUME_PATH_BYTES];
	uint8_t bytes[8192];
	struct file *file;

	memset(bytes, 0x55, sizeof(bytes));
	volume_path(volume, path, "%u.dbox", number);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, bytes, sizeof(bytes), 4096, false), RP_OK);
	file_close(file);
}

/* One that cannot be emptied does not keep those before it. */
IO_TASK_TEST(compact, passes_a_file_that_is_damaged_and_no_other)
{
	struct store *store = open_store(task, 1);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	make_waste(task, volume);
	cr_assert_gt(dbox_files_count(volume->dbox), FILES - 2);
	harm_file(task, volume, ODD);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, FILES / 2);
	cr_assert_eq(dbox_next_sealed(volume->dbox, 0), ODD);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* The most that the process has ever had mapped. */
static uint64_t mapped_peak_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long kib = 0;
	char line[256];

	cr_assert_not_null(file);
	while (kib == 0 && fgets(line, sizeof(line), file) != NULL)
		(void)!sscanf(line, "VmPeak: %llu", &kib);
	fclose(file);
	cr_assert_gt(kib, 0);
	return kib;
}

/* After years of use, when numbers are high: work and memory are for the files that there are. */
IO_TASK_TEST(compact, does_not_care_how_many_files_there_have_been)
{
	enum { NUMBER = 400 * 1000 * 1000, PEAK_MORE_KIB_MAX = 256 * 1024 };
	struct store *store = open_store(task, 1);
	struct volume *volume;
	uint64_t peak_kib;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	dbox_number_from(volume->dbox, NUMBER);
	make_waste(task, volume);
	peak_kib = mapped_peak_kib();
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, FILES / 2);
	cr_assert_lt(mapped_peak_kib() - peak_kib, PEAK_MORE_KIB_MAX);
	cr_assert_eq(volume_destroy(task, volume), RP_OK);
	checkpoint(task, volume);
	cr_assert_eq(dbox_files_count(volume->dbox), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

SIM_TASK_TEST(compact, is_tried_again_when_the_disk_has_room)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {0};
	struct store *store = open_store(task, 1);
	struct volume *volume;
	struct file_room room;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	make_waste(task, volume);
	faults.disk_bytes_max = UINT64_C(1) << 30;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	faults.disk_bytes_max = room.total_bytes - room.free_bytes;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(compact_now(task, volume), RP_ERR_NOSPACE);

	faults.disk_bytes_max = 0;
	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK);
	compact_consider(volume);
	cr_assert(volume->compact_runs);
	wait_for(task, &volume->compact_runs);
	cr_assert_gt(store->compacts_done, FILES / 2);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- the power goes when a file has gone ---- */

struct dropping {
	struct volume *volume; /* NULL: not ready */
	uint32_t last;         /* the newest file that is found afterwards */
	bool ended;
};

/* All of the first file is waste, and the one behind it has just been begun. */
static void drop_first(struct task *task, void *arg)
{
	struct dropping *dropping = arg;
	struct store *store = open_store(task, 1);
	struct mailbox *mailbox;
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	append(task, volume, 1, MAIL_DELETED);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	cr_assert_eq(commit_wait(task, store->commit, volume->position), RP_OK);
	cr_assert_eq(settle_flush(task, store->commit, &volume->settle), RP_OK);
	cr_assert_eq(dbox_last_file(volume->dbox), 1);
	dbox_number_from(volume->dbox, 2);
	cr_assert_eq(dbox_reserve(task, volume->dbox, 1), RP_OK);
	dropping->volume = volume;
	(void)!compact_now(task, volume);
}

static void look_for_last(struct task *task, void *arg)
{
	struct dropping *dropping = arg;
	char dir[USERID_PATH_BYTES];
	struct dbox *dbox;

	userid_path(&made_user, dir);
	cr_assert_eq(dbox_open(task, dir, &made_user, 2, NULL, NULL, &dbox), RP_OK);
	dropping->last = dbox_last_file(dbox);
	dbox_close(dbox);
	dropping->ended = true;
}

static struct loop *start(struct sim_world *world, task_fn *fn, void *arg)
{
	struct loop_settings settings = {.files_max = 1024, .pinned_bytes = 1 << 20};
	struct loop *loop;

	cr_assert_eq(sim_loop_open(world, &settings, &loop), RP_OK);
	cr_assert_eq(task_start(loop, fn, arg, NULL), RP_OK);
	return loop;
}

/* Else its number is given out again, and recovery, which reads once more that it is void, removes what is in it by then. */
Test(compact, a_number_is_not_given_twice_though_the_power_goes)
{
	enum { SEEDS = 40 };
	static struct dropping dropping[SEEDS];

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		struct dropping *one = &dropping[seed];
		struct sim_world *world;
		struct loop *loop;

		cr_assert_eq(sim_open(seed + 1, &world), RP_OK);
		(void)start(world, drop_first, one);
		while (one->volume == NULL || dbox_next_file(one->volume->dbox, 0) == 1)
			cr_assert(sim_step(world));
		sim_crash(world);
		loop = start(world, look_for_last, one);
		while (!one->ended)
			cr_assert(sim_step(world));
		loop_close(loop);
		cr_assert_eq(one->last, 2, "seed %u", seed);
		sim_close(world);
	}
}

/* ---- a mailbox that could not be read ---- */

static void open_task(struct task *task, void *arg)
{
	struct busy *busy = arg;
	struct mailbox *mailbox;

	cr_assert_eq(mailbox_open(task, busy->volume, BYTES_LIT("a/b"), &mailbox), RP_ERR_CANCELED);
	busy->runs = false;
}

static enum rp_err move_body(struct breath *breath, void *arg)
{
	const struct mailbox *mailbox = arg;
	struct dbox_ref to = {9, 9};

	BREATH_PUT(breath, change_put_body(&breath->writer, mailbox->mailboxid, 1, to));
	return RP_OK;
}

/* Who read it was cancelled, and the next one has not begun: a compaction tells of a body in just that moment. */
IO_TASK_TEST(compact, a_body_moves_though_nobody_could_read_its_mailbox)
{
	struct busy busy = {.runs = true};
	struct breath_plan plan = {.type = CHANGE_COMPACT, .write = move_body};
	struct mailbox *mailbox;
	struct store *store;
	struct task *opener;
	struct table_row row;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &busy.volume), RP_OK);
	cr_assert_eq(task_start(task_loop(task), open_task, &busy, &opener), RP_OK);
	while ((mailbox = catalog_find(&busy.volume->catalog, BYTES_LIT("a/b"))->loaded) == NULL)
		cr_assert_eq(task_pause(task), RP_OK);
	mailbox_hold(mailbox);
	task_cancel(opener);
	cr_assert_eq(task_queue_wait(task, &mailbox->loaded), RP_OK);
	cr_assert(!mailbox->loading);
	cr_assert_null(mailbox->table);
	plan.arg = mailbox;
	cr_assert_eq(breath_run(task, busy.volume, &plan), RP_OK);
	wait_for(task, &busy.runs);
	mailbox_close(mailbox);
	cr_assert_eq(mailbox_open(task, busy.volume, BYTES_LIT("a/b"), &mailbox), RP_OK);
	cr_assert_eq(table_row(task, mailbox->table, 1, false, &row, NULL), RP_OK);
	cr_assert_eq(row.body.file, 9);
	mailbox_close(mailbox);
	volume_close(busy.volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- bodies that several share ---- */

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
	checkpoint(task, volume);
	compact_consider(volume);
	wait_for(task, &volume->compact_runs);
	return dbox_bytes(task, volume);
}

/* Two of seven messages are left of each file, and COPY makes six of them. One body counts once: not the file is live, but a third. */
static void looks_once(struct task *task, bool looked)
{
	enum { BODY_BYTES = 4200, LEFT = FILES * STAY - 1, FILE_BYTES = 32 * 1024 };
	struct store *store = open_store(task, 1);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("a"), 0, NULL), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("b"), 0, NULL), RP_OK);
	if (looked)
		cr_assert_eq(compact_now(task, volume), RP_OK);
	make_waste(task, volume);
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

IO_TASK_TEST(compact, counts_a_body_once_that_many_share)
{
	(void)arg;
	looks_once(task, false);
}

IO_TASK_TEST(compact, counts_it_once_when_it_was_shared_after_a_look)
{
	(void)arg;
	looks_once(task, true);
}

/* What stays in a mailbox is copied twice, and goes again, in a round after the other: the files do not grow. */
IO_TASK_TEST(compact, keeps_the_bodies_flat_though_they_are_shared)
{
	enum { ROUNDS = 60, APPENDS = 20, STAY_ONE_IN = 4, FILE_BYTES = 32 * 1024 };
	struct store *store = open_store(task, 1);
	struct volume *volume;
	uint64_t most = 0;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("a"), 0, NULL), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("b"), 0, NULL), RP_OK);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		struct mailbox *mailbox = open_named(task, volume, "INBOX");

		for (unsigned i = 1; i <= APPENDS; i++)
			append(task, volume, round * APPENDS + i,
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
IO_TASK_TEST(compact, moves_a_body_that_very_many_share_in_several_changes)
{
	struct store *store = open_store(task, 1);
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
	cr_assert_lt(dbox_bytes(task, volume), 4096 + 2 * 4096);
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
	struct store *store = open_store(task, 1);
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
	struct store *store = open_store(task, 2);
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
Test(compact, goes_on_when_the_power_went_between_those_changes)
{
	enum { SEEDS = 8 };
	static struct sharing sharing[SEEDS];
	unsigned parts = 0;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		struct sharing *one = &sharing[seed];
		struct sim_world *world;
		struct loop *loop;

		cr_assert_eq(sim_open(seed + 1, &world), RP_OK);
		(void)start(world, empty_first, one);
		while (one->volume == NULL || one->volume->catalog.lsn < one->lsn + 1 + seed % 4)
			cr_assert(sim_step(world));
		one->volume->compact_holds++; /* it goes no further */
		while (commit_durable(one->volume->store->commit) < one->volume->position)
			cr_assert(sim_step(world));
		sim_crash(world);
		loop = start(world, empty_the_rest, one);
		while (!one->ended)
			cr_assert(sim_step(world));
		loop_close(loop);
		parts += one->left > 0 && one->left < SHARERS;
		sim_close(world);
	}
	cr_assert_gt(parts, 0);
}
