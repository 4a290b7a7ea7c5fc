/* Journals that are damaged or gone: what anything else still knows is written anew, and a crash at any moment costs nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/format.h"
#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/volume_files.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

enum { STEPS_MAX = 1000 * 1000, CRASH_STRIDE = 7 };

static void open_volume(struct task *task, struct store *store, struct volume **volume)
{
	cr_assert_eq(volume_open(task, store, &made_user, volume), RP_OK);
}

static void repair(struct task *task, struct store *store)
{
	struct repair_report report;

	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
}

static uint64_t digest_of(struct task *task, struct store *store)
{
	struct volume *volume;
	uint64_t digest;

	open_volume(task, store, &volume);
	digest = model_digest(task, volume);
	volume_close(volume);
	return digest;
}

/* More than made_mail(): flags, a name, an expunge; and derived files that have it all. */
static void make_more(struct task *task, struct store *store)
{
	struct run run = {2, 2};
	struct runs uids = {.run = &run, .count = 1, .count_max = 1};
	struct mail_store flags = {
	    .mode = MAIL_STORE_ADD, .flags = MAIL_ANSWERED | MAIL_DELETED, .keywords = NULL};
	struct mailbox *mailbox;
	struct volume *volume;

	open_volume(task, store, &volume);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &flags, NULL, NULL), RP_OK);
	cr_assert_eq(mailbox_expunge(task, mailbox, NULL, NULL), RP_OK);
	run = (struct run){4, 4};
	flags.flags = MAIL_ANSWERED;
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &flags, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
	cr_assert_eq(volume_rename(task, volume, BYTES_LIT("a/b"), BYTES_LIT("c")), RP_OK);
	while (checkpoint_now(task, volume) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	volume_close(volume);
}

static void assert_is_all_there(struct task *task, struct store *store, unsigned more)
{
	struct mailbox *mailbox;
	struct volume *volume;

	open_volume(task, store, &volume);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 20 + more);
	cr_assert_eq(volume_find(volume, BYTES_LIT("c"))->messages_count, 20);
	cr_assert_not_null(volume_find(volume, BYTES_LIT("Archive")));
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(table_flags(mailbox->table, 4), MAIL_SEEN | MAIL_ANSWERED);
	cr_assert(!table_has(mailbox->table, 2, true));
	mailbox_close(mailbox);
	volume_close(volume);
}

/* ---- what a sound index knows ---- */

IO_TASK_TEST(repair_truth, what_indexes_know_outlives_a_damaged_journal)
{
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	struct runs gone = RUNS_EMPTY;
	uint32_t uidvalidity;
	uint64_t modseq;
	uint64_t digest;
	bool complete;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	make_more(task, store);
	open_volume(task, store, &volume);
	uidvalidity = volume_find(volume, BYTES_LIT("INBOX"))->uidvalidity;
	modseq = volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm(task, MADE_JOURNAL, false);
	store = made_open_store(task, 3);
	repair(task, store);
	assert_is_all_there(task, store, 0);
	open_volume(task, store, &volume);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->uidvalidity, uidvalidity);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->uidnext, 22);
	cr_assert_gt(volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq, modseq);
	/* Who asks what changed since is told of all, and of none too few. */
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(table_expunged_since(mailbox->table, modseq, &gone, &complete), RP_OK);
	cr_assert(complete);
	cr_assert(runs_has(&gone, 2));
	runs_fini(&gone);
	cr_assert_eq(
	    table_having_modseq_above(task, mailbox->table, NULL, modseq, &gone), RP_OK);
	cr_assert_eq(runs_total(&gone), 20);
	runs_fini(&gone);
	mailbox_close(mailbox);
	volume_close(volume);
	/* And the journal has it now. */
	digest = digest_of(task, store);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm(task, MADE_INDEX, true);
	made_harm(task, MADE_CATALOG, true);
	store = made_open_store(task, 4);
	cr_assert_eq(digest_of(task, store), digest);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void make_and_lose_journals(struct task *task)
{
	struct store *store;
	uint64_t digest;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	make_more(task, store);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm(task, MADE_JOURNAL, true);
}

IO_TASK_TEST(repair_truth, what_indexes_know_outlives_the_journals)
{
	struct store *store;

	(void)arg;
	make_and_lose_journals(task);
	store = made_open_store(task, 3);
	repair(task, store);
	assert_is_all_there(task, store, 0);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- power cuts ---- */

static struct crash {
	struct sim_world *world;
	bool ended;
	uint64_t digest;
	unsigned epoch;
} crash;

static void in_a_life(task_fn *fn, uint64_t steps)
{
	struct loop_settings settings = {.files_max = 1024};
	struct loop *loop;

	crash.ended = false;
	cr_assert_eq(sim_loop_open(crash.world, &settings, &loop), RP_OK);
	cr_assert_eq(task_start(loop, fn, NULL, NULL), RP_OK);
	for (uint64_t i = 0; i < steps && !crash.ended; i++)
		cr_assert(sim_step(crash.world));
	sim_crash(crash.world);
}

static void make_and_lose(struct task *task, void *arg)
{
	(void)arg;
	make_and_lose_journals(task);
	crash.ended = true;
}

static void repair_in_a_life(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, crash.epoch);

	(void)arg;
	repair(task, store);
	crash.ended = true;
}

static void look_in_a_life(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, crash.epoch);

	(void)arg;
	repair(task, store);
	assert_is_all_there(task, store, 0);
	crash.ended = true;
}

/* Names are known to the catalog alone, flags to the indexes: whenever it is cut, doing it again comes to the same end. */
Test(repair_truth, a_power_cut_in_a_repair_costs_nothing)
{
	bool whole = false;

	for (uint64_t steps = 1; !whole; steps += CRASH_STRIDE) {
		cr_assert_eq(sim_open(steps, &crash.world), RP_OK);
		in_a_life(make_and_lose, STEPS_MAX);
		cr_assert(crash.ended);
		sim_disk_rest(crash.world);
		crash.epoch = 3;
		in_a_life(repair_in_a_life, steps);
		whole = crash.ended;
		crash.epoch = 4;
		in_a_life(look_in_a_life, STEPS_MAX);
		cr_assert(crash.ended, "cut after %llu steps", (unsigned long long)steps);
		sim_close(crash.world);
	}
}

/* All is durable, and noted: now the power may go. */
static void wait_for_the_cut(struct task *task, struct store *store, struct volume *volume)
{
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	crash.digest = model_digest(task, volume);
	crash.ended = true;
	for (;;)
		(void)!task_sleep(task, UINT64_C(1000) * 1000 * 1000);
}

/* The log still has what was written before the journals were lost, under the same epoch. */
static void lose_and_repair(struct task *task, void *arg)
{
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	make_more(task, store);
	open_volume(task, store, &volume);
	for (unsigned i = 0; i < 3; i++)
		made_append(task, volume, "INBOX", 0, "it is in the log, too");
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	made_harm(task, MADE_JOURNAL, true);
	repair(task, store);
	assert_is_all_there(task, store, 3);
	open_volume(task, store, &volume);
	made_append(task, volume, "INBOX", 0, "what came later");
	wait_for_the_cut(task, store, volume);
}

static void compare_in_a_life(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, 3);

	(void)arg;
	assert_is_all_there(task, store, 4);
	cr_assert_eq(digest_of(task, store), crash.digest);
	crash.ended = true;
}

Test(repair_truth, the_log_does_not_bring_back_what_a_repair_has_replaced)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		cr_assert_eq(sim_open(seed, &crash.world), RP_OK);
		in_a_life(lose_and_repair, STEPS_MAX);
		cr_assert(crash.ended);
		in_a_life(compare_in_a_life, STEPS_MAX);
		cr_assert(crash.ended);
		sim_close(crash.world);
	}
}

/* ---- numbers ---- */

/* Of the newest journal not one record can be read any more. */
static void lose_newest(struct task *task, uint64_t first)
{
	static const uint8_t nothing[FORMAT_AREA_BYTES];
	char dir[USERID_PATH_BYTES];
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/%llu-.journal", dir, (unsigned long long)first);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, nothing, sizeof(nothing), 0, false), RP_OK);
	file_close(file);
}

/* The clock says nothing of the LSNs that were given out since the last repair: it was set back. */
static void repair_with_an_older_clock(struct task *task, void *arg)
{
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	struct runs changed = RUNS_EMPTY;
	uint64_t digest;
	uint64_t modseq;
	uint64_t last;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	made_harm(task, MADE_JOURNAL, true);
	repair(task, store);
	sim_jump_wall(crash.world, -1000 * 1000);
	open_volume(task, store, &volume);
	last = journal_last_lsn(volume->journal);
	for (unsigned i = 0; i < 3; i++)
		made_append(task, volume, "INBOX", 0, "it is told, and lost");
	modseq = volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq;
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	lose_newest(task, last); /* a repair has begun it */
	repair(task, store);
	open_volume(task, store, &volume);
	cr_assert_gt(volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq, modseq);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(
	    table_having_modseq_above(task, mailbox->table, NULL, modseq, &changed), RP_OK);
	cr_assert_eq(runs_total(&changed), mailbox_entry(mailbox)->messages_count);
	runs_fini(&changed);
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	crash.ended = true;
}

Test(repair_truth, modseqs_rise_though_the_clock_was_set_back)
{
	cr_assert_eq(sim_open(1, &crash.world), RP_OK);
	in_a_life(repair_with_an_older_clock, STEPS_MAX);
	cr_assert(crash.ended);
	sim_close(crash.world);
}

/* A number that no record can have is no reason to give out others that are too large, or begin anew. */
IO_TASK_TEST(repair_truth, a_name_with_a_number_never_given_out_is_refused)
{
	char path[VOLUME_PATH_BYTES];
	char dir[USERID_PATH_BYTES];
	struct repair_report report;
	struct store *store;
	struct file *file;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	made_harm(task, MADE_JOURNAL, true);
	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/9223372036854775806.catalog", dir);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE | FILE_CREATE, &file), RP_OK);
	file_close(file);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_ERR_LIMIT);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
	repair(task, store);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- UIDVALIDITYs that no record tells of any more ---- */

enum { GIVEN_MAX = 16 };

struct given {
	unsigned count;
	uint64_t mailboxid[GIVEN_MAX];
	uint32_t uidvalidity[GIVEN_MAX];
};

static void note_given(struct volume *volume, struct given *given)
{
	const struct catalog_entry *entry = NULL;

	for (struct bytes name = {0}; (entry = volume_next(volume, name)) != NULL;
	     name = entry->name) {
		cr_assert_lt(given->count, GIVEN_MAX);
		given->mailboxid[given->count] = entry->mailboxid;
		given->uidvalidity[given->count++] = entry->uidvalidity;
	}
}

/* The file of bodies begins with the names of those that were there when it was made; "lost" was not. */
static void make_boxes(struct task *task, struct given *given)
{
	struct run run = {1, 1};
	struct runs uids = {.run = &run, .count = 1, .count_max = 1};
	struct mail_store flags = {.mode = MAIL_STORE_ADD, .flags = MAIL_FLAGGED};
	struct store *store = made_open_store(task, 1);
	struct mailbox *mailbox;
	struct volume *volume;

	open_volume(task, store, &volume);
	made_append(task, volume, "INBOX", 0, "it makes the file");
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("lost"), 0, NULL), RP_OK);
	made_append(task, volume, "lost", 0, "it tells of its mailbox");
	journal_cut(volume->journal);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_eq(mailbox_store(task, mailbox, &uids, &flags, NULL, NULL), RP_OK);
	mailbox_close(mailbox);
	note_given(volume, given);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static void lose_first_journal(struct task *task)
{
	struct journal_file file;
	struct dir_entry *entries;
	struct arena arena;
	char dir[USERID_PATH_BYTES];
	size_t count;
	unsigned lost = 0;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];

		if (!journal_core_parse_name(entries[i].name, &file) || file.first != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
		lost++;
	}
	arena_fini(&arena);
	cr_assert_eq(lost, 1);
}

/* The clock was ahead when they were given. What opening thinks of, over the lost records, is less then than what bodies know. */
SIM_TASK_TEST(repair_truth, uidvalidities_that_are_lost_are_not_given_again)
{
	struct io_fixture *fixture = arg;
	struct given before = {0};
	struct given after = {0};
	struct volume *volume;
	struct store *store;
	unsigned kept = 0;

	make_boxes(task, &before);
	lose_first_journal(task);
	sim_jump_wall(fixture->world, -10 * 86400);
	store = made_open_store(task, 2);
	open_volume(task, store, &volume);
	volume_close(volume);
	repair(task, store);
	open_volume(task, store, &volume);
	cr_assert_not_null(volume_find(volume, BYTES_LIT("Recovered-7")));
	note_given(volume, &after);
	for (unsigned i = 0; i < before.count; i++) {
		for (unsigned k = 0; k < after.count; k++) {
			if (after.uidvalidity[k] != before.uidvalidity[i])
				continue;
			kept++;
			cr_assert_eq(after.mailboxid[k], before.mailboxid[i]);
			cr_assert_eq(after.mailboxid[k], 1, "nothing tells of the others'");
		}
	}
	cr_assert_eq(kept, 1);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- LSNs that are given out twice in one life ---- */

static struct file *open_newest(struct task *task, uint64_t first)
{
	char dir[USERID_PATH_BYTES];
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/%llu-.journal", dir, (unsigned long long)first);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	return file;
}

static uint8_t content[64 * 1024];

static size_t read_newest(struct task *task, uint64_t first)
{
	struct file *file = open_newest(task, first);
	size_t got;

	cr_assert_eq(file_read(task, file, content, sizeof(content), 0, &got), RP_OK);
	cr_assert_lt(got, sizeof(content));
	file_close(file);
	return got;
}

/* The newest journal is as it was, with its end mark: the disk has forgotten what came later. */
static void put_back_newest(struct task *task, uint64_t first, size_t bytes)
{
	struct file *file = open_newest(task, first);

	cr_assert_eq(file_truncate(task, file, bytes), RP_OK);
	cr_assert_eq(file_write(task, file, content, bytes, 0, false), RP_OK);
	file_close(file);
}

/* A journal is as it was before while nobody uses it, and is written on without a repair: so many other users came by meanwhile that what
 * it had is not remembered. */
static void cut_and_write_on(struct task *task, void *arg)
{
	struct store *store;
	struct volume *volume;
	uint64_t digest;
	uint64_t first;
	size_t end;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	open_volume(task, store, &volume);
	first = volume->journal->number_first;
	end = read_newest(task, first);
	for (unsigned i = 0; i < 6; i++)
		made_append(task, volume, "INBOX", MAIL_DRAFT, "its record is cut off");
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	memset(store->seen, 0, STORE_SEEN_COUNT * sizeof(*store->seen));
	put_back_newest(task, first, end);
	open_volume(task, store, &volume);
	made_append(task, volume, "a/b", 0, "it has an LSN that another had");
	made_append(task, volume, "INBOX", 0, "so has this one");
	wait_for_the_cut(task, store, volume);
}

static void compare_after_the_cut(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, 3);

	(void)arg;
	cr_assert_eq(digest_of(task, store), crash.digest);
	crash.ended = true;
}

Test(repair_truth, of_two_records_with_one_lsn_the_log_brings_the_later)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		cr_assert_eq(sim_open(seed, &crash.world), RP_OK);
		in_a_life(cut_and_write_on, STEPS_MAX);
		cr_assert(crash.ended);
		in_a_life(compare_after_the_cut, STEPS_MAX);
		cr_assert(crash.ended);
		sim_close(crash.world);
	}
}
