/* Files of bodies are emptied, and nobody can tell: each message has its own body, whoever reads, copies or moves meanwhile. */
#include "index/compact.h"

#include <stdio.h>
#include <string.h>

#include "index/breath.h"
#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/table.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/wasted.h"
#include "tests/io/io_fixture.h"

static void say(void *arg, struct bytes line)
{
	(void)arg;
	fprintf(stderr, "%.*s\n", BYTES_FMT(line));
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
	struct store *store = wasted_open_store(task, 3 * seed + 1);
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
			wasted_checkpoint(task, busy.volume);
		if (model_random(&random) % 4 == 0)
			cr_assert_eq(task_yield(task), RP_OK);
	}
	busy.stop = true;
	wasted_wait(task, &busy.runs);
	cr_assert_gt(busy.emptied, 0);
	wasted_checkpoint(task, busy.volume);
	model_check(task, busy.volume, &model, 1);
	digest = model_digest(task, busy.volume);
	volume_close(busy.volume);
	cr_assert_eq(repair_check(task, store, &userid, say, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(store_close(task, store), RP_OK);

	store = wasted_open_store(task, 3 * seed + 2);
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

/* A mailbox of the same size, through which thousands of messages go: its files do not grow. */
IO_TASK_TEST(compact, keeps_the_bodies_flat)
{
	enum { ROUNDS = 2000, STAY_ONE_IN = 100 };
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	struct mailbox *mailbox;
	uint64_t most = 0;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		wasted_append(task, volume, i, i % STAY_ONE_IN == 0 ? 0 : MAIL_DELETED);
		cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
		if (i % 50 != 0)
			continue;
		wasted_checkpoint(task, volume);
		wasted_wait(task, &volume->compact_runs);

		uint64_t bytes = wasted_bytes(task, volume);

		most = bytes > most ? bytes : most;
	}
	mailbox_close(mailbox);
	cr_assert_gt(store->compacts_done, 10);
	cr_assert_lt(most, 20 * 32 * 1024, "%lu", (unsigned long)most);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- several files by one look ---- */

static void compact_once(struct task *task, void *arg)
{
	struct busy *busy = arg;

	cr_assert_eq(compact_now(task, busy->volume), RP_OK);
	busy->runs = false;
}

/* All messages, or every other one: then one body or none is left in most files. */
static void expunge(struct task *task, struct volume *volume, bool all)
{
	struct mail_store store = {.mode = MAIL_STORE_ADD, .flags = MAIL_DELETED};
	struct runs uids = RUNS_EMPTY;
	struct mailbox *mailbox;
	bool odd = false;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	for (uint32_t uid = 0; (uid = table_uid_from(mailbox->table, uid + 1, false)) != 0; odd = !odd)
		if (odd || all)
			cr_assert_eq(runs_add(&uids, uid, uid), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &store, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	runs_fini(&uids);
	mailbox_close(mailbox);
}

/* One body for each message of INBOX, and another mailbox's copies share them. */
static void copy_all(struct task *task, struct volume *volume)
{
	struct runs uids = RUNS_EMPTY;
	struct runs copied = RUNS_EMPTY;
	struct mailbox *inbox;
	struct mailbox *copies;
	uint32_t first_uid;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("copies"), &copies), RP_OK);
	cr_assert_eq(runs_add(&uids, 1, UINT32_MAX), RP_OK);
	cr_assert_eq(mailbox_copy(task, inbox, &uids, copies, &copied, &first_uid), RP_OK);
	runs_fini(&uids);
	runs_fini(&copied);
	mailbox_close(inbox);
	mailbox_close(copies);
}

static unsigned count_readable(struct task *task, struct volume *volume, const char *name)
{
	struct mailbox *mailbox;
	unsigned count = 0;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	for (uint32_t uid = 0; (uid = table_uid_from(mailbox->table, uid + 1, false)) != 0; count++) {
		struct dbox_body *body;

		cr_assert_eq(mailbox_body_open(task, mailbox, uid, &body), RP_OK, "%s, UID %u", name, uid);
		dbox_body_close(body);
	}
	mailbox_close(mailbox);
	return count;
}

/* The look is over and some files are emptied when others refer to what lies in those that are to come, and have moved away before. */
SIM_TASK_TEST(compact, moves_what_is_copied_while_files_before_it_are_emptied)
{
	struct store *store = wasted_open_store(task, 1);
	struct busy busy = {.runs = true};
	unsigned copies = 0;
	unsigned count;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &busy.volume), RP_OK);
	cr_assert_eq(volume_create(task, busy.volume, BYTES_LIT("copies"), 0, NULL), RP_OK);
	wasted_make(task, busy.volume);
	cr_assert_eq(compact_hold(task, busy.volume), RP_OK);
	expunge(task, busy.volume, false);
	compact_let_go(busy.volume);
	cr_assert_eq(store->compacts_done, 0);
	count = count_readable(task, busy.volume, "INBOX");
	cr_assert_eq(task_start(task_loop(task), compact_once, &busy, NULL), RP_OK);
	while (busy.runs) {
		if (store->compacts_done > copies && copies < 4) {
			copy_all(task, busy.volume);
			copies++;
		}
		cr_assert_eq(task_yield(task), RP_OK);
	}
	cr_assert_gt(copies, 1);
	cr_assert_gt(store->compacts_noted, 0);
	cr_assert_gt(store->compacts_done, WASTED_FILES / 2);
	cr_assert_eq(count_readable(task, busy.volume, "INBOX"), count);
	cr_assert_eq(count_readable(task, busy.volume, "copies"), copies * count);
	volume_close(busy.volume);
	cr_assert_eq(store_close(task, store), RP_OK);
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
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	wasted_make(task, volume);
	cr_assert_gt(dbox_files_count(volume->dbox), WASTED_FILES - 2);
	harm_file(task, volume, WASTED_ODD);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, WASTED_FILES / 2);
	cr_assert_eq(dbox_next_sealed(volume->dbox, 0), WASTED_ODD);
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
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	uint64_t peak_kib;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	dbox_number_from(volume->dbox, NUMBER);
	wasted_make(task, volume);
	peak_kib = mapped_peak_kib();
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, WASTED_FILES / 2);
	cr_assert_lt(mapped_peak_kib() - peak_kib, PEAK_MORE_KIB_MAX);
	cr_assert_eq(volume_destroy(task, volume), RP_OK);
	wasted_checkpoint(task, volume);
	cr_assert_eq(dbox_files_count(volume->dbox), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

SIM_TASK_TEST(compact, is_tried_again_when_the_disk_has_room)
{
	struct io_fixture *fixture = arg;
	struct sim_faults faults = {0};
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	struct file_room room;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	wasted_make(task, volume);
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
	wasted_wait(task, &volume->compact_runs);
	cr_assert_gt(store->compacts_done, WASTED_FILES / 2);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* From now on the disk has so many bytes more than are taken. */
static void leave_room(struct task *task, struct io_fixture *fixture, uint64_t bytes)
{
	struct sim_faults faults = {.disk_bytes_max = UINT64_C(1) << 30};
	struct file_room room;

	sim_set_faults(fixture->world, &faults);
	cr_assert_eq(file_room(task, FILE_ROOT_DATA, &room), RP_OK);
	faults.disk_bytes_max = room.total_bytes - room.free_bytes + bytes;
	sim_set_faults(fixture->world, &faults);
}

SIM_TASK_TEST(compact, needs_no_room_for_files_without_a_live_body)
{
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	uint64_t before;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	wasted_make(task, volume);
	cr_assert_eq(compact_hold(task, volume), RP_OK);
	expunge(task, volume, true);
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK);
	compact_let_go(volume);
	leave_room(task, arg, 0);
	commit_look_at_room(task, store->commit);
	cr_assert_neq(commit_room(store->commit), COMMIT_ROOM_ENOUGH);
	before = wasted_bytes(task, volume);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_geq(store->compacts_done, WASTED_FILES - 2);
	cr_assert_lt(wasted_bytes(task, volume), before / 4);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* So little that new mail is refused, and less than the part of the reserve for what makes room: but the reserve is there. */
SIM_TASK_TEST(compact, needs_room_for_what_it_copies_and_no_more)
{
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	unsigned count;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	wasted_make(task, volume);
	count = count_readable(task, volume, "INBOX");
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK); /* the reserve is made */
	leave_room(task, arg, 160 * 1024);
	commit_look_at_room(task, store->commit);
	cr_assert_eq(commit_room(store->commit), COMMIT_ROOM_FULL);
	cr_assert_eq(commit_room_bytes(store->commit), 0);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, WASTED_FILES / 2);
	cr_assert_eq(count_readable(task, volume, "INBOX"), count);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Bodies that are streamed to their files, which a full disk refuses where they are new mail. */
SIM_TASK_TEST(compact, moves_large_bodies_on_a_full_disk)
{
	enum { BYTES = 70 * 1000, COUNT = 36 };
	static char text[BYTES + 1];
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	dbox_set_file_bytes(volume->dbox, 400 * 1000);
	cr_assert_eq(compact_hold(task, volume), RP_OK);
	memset(text, 'x', BYTES);
	for (unsigned i = 0; i < COUNT; i++)
		made_append(task, volume, "INBOX", i % 6 == 0 ? 0 : MAIL_DELETED, text);
	struct mailbox *inbox;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(mailbox_expunge(task, inbox, NULL, NULL), RP_OK);
	mailbox_close(inbox);
	cr_assert_eq(task_sleep(task, UINT64_C(5000000000)), RP_OK);
	compact_let_go(volume);
	leave_room(task, arg, 400 * 1000);
	commit_look_at_room(task, store->commit);
	cr_assert_eq(commit_room(store->commit), COMMIT_ROOM_FULL);
	cr_assert_eq(compact_now(task, volume), RP_OK);
	cr_assert_gt(store->compacts_done, 2);
	cr_assert_eq(count_readable(task, volume, "INBOX"), COUNT / 6);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void hold_task(struct task *task, void *arg)
{
	struct volume *volume = arg;

	cr_assert_eq(compact_hold(task, volume), RP_OK);
}

/* Two sessions copy without end, and one of them always holds: once in a minute a file is emptied all the same. */
SIM_TASK_TEST(compact, is_not_kept_off_for_ever)
{
	const uint64_t minute_ns = 61 * UINT64_C(1000000000);
	struct store *store = wasted_open_store(task, 1);
	struct volume *volume;
	uint64_t done = 0;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	wasted_make(task, volume);
	for (unsigned round = 1; round <= 3; round++) {
		cr_assert_eq(compact_hold(task, volume), RP_OK);
		compact_consider(volume);
		cr_assert(!volume->compact_runs);
		cr_assert_eq(task_sleep(task, minute_ns), RP_OK);
		cr_assert_eq(store->compacts_done, done);
		cr_assert_eq(task_start(task_loop(task), hold_task, volume, NULL), RP_OK);
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
		cr_assert_eq(volume->compact_holds, 1, "the other one waits");
		compact_let_go(volume);
		while (volume->compact_holds == 0 || volume->compact_runs)
			cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
		cr_assert_gt(store->compacts_done, done);
		cr_assert_leq(store->compacts_done, done + 2);
		done = store->compacts_done;
		compact_let_go(volume);
	}
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
	struct store *store = wasted_open_store(task, 1);
	struct mailbox *mailbox;
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	wasted_append(task, volume, 1, MAIL_DELETED);
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
		(void)wasted_start(world, drop_first, one);
		while (one->volume == NULL || dbox_next_file(one->volume->dbox, 0) == 1)
			cr_assert(sim_step(world));
		sim_crash(world);
		loop = wasted_start(world, look_for_last, one);
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
	store = wasted_open_store(task, 2);
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
	wasted_wait(task, &busy.runs);
	mailbox_close(mailbox);
	cr_assert_eq(mailbox_open(task, busy.volume, BYTES_LIT("a/b"), &mailbox), RP_OK);
	cr_assert_eq(table_row(task, mailbox->table, 1, false, &row, NULL), RP_OK);
	cr_assert_eq(row.body.file, 9);
	mailbox_close(mailbox);
	volume_close(busy.volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
