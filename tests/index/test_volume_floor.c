/* Whatever is lost of a journal, no number that was shown is given out again: not when the volume is opened, nor by a repair. */
#include "index/volume_floor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/breath.h"
#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum {
	ROWS_MAX = JOURNAL_FILE_BYTES_MAX / 18, /* of one journal file */
	MORE = 6,
};

/* What a client was told of a mailbox. */
struct shown {
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;
};

static struct shown shown_of(struct volume *volume, const char *name)
{
	const struct catalog_entry *entry = volume_find(volume, bytes_of_str(name));

	cr_assert_not_null(entry);
	return (struct shown){entry->uidvalidity, entry->uidnext, entry->highestmodseq};
}

static struct volume *open_made(struct task *task, struct store *store)
{
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	return volume;
}

/* Six more messages in INBOX, of which no derived file knows; the server has ended. */
static struct shown make_more(struct task *task)
{
	struct store *store;
	struct volume *volume;
	struct shown shown;
	uint64_t digest;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = open_made(task, store);
	for (unsigned i = 0; i < MORE; i++)
		made_append(task, volume, "INBOX", 0, "it is shown, and lost");
	shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	return shown;
}

static struct file *open_journal(struct task *task, const char *name, uint64_t *bytes)
{
	char dir[USERID_PATH_BYTES];
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	userid_path(&made_user, dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, bytes), RP_OK);
	return file;
}

static void cut_journal(struct task *task, uint64_t bytes)
{
	uint64_t n;
	struct file *file = open_journal(task, "1-.journal", &n);

	cr_assert_gt(n, bytes);
	cr_assert_eq(file_truncate(task, file, n - bytes), RP_OK);
	file_close(file);
}

static void flip_journal(struct task *task, uint64_t bytes_before_end)
{
	uint64_t n;
	uint8_t byte;
	size_t got;
	struct file *file = open_journal(task, "1-.journal", &n);

	cr_assert_eq(file_read(task, file, &byte, 1, n - bytes_before_end, &got), RP_OK);
	byte ^= 0x10;
	cr_assert_eq(file_write(task, file, &byte, 1, n - bytes_before_end, false), RP_OK);
	file_close(file);
}

/* Above all that was shown, and by more than the lost records can have given out; there is room to go on. */
static void assert_above(const struct shown *now, const struct shown *shown)
{
	cr_assert_eq(now->uidvalidity, shown->uidvalidity);
	cr_assert_gt(now->uidnext, shown->uidnext + ROWS_MAX);
	cr_assert_lt(now->uidnext, UINT32_MAX / 1024);
	cr_assert_gt(now->highestmodseq, shown->highestmodseq);
}

/* By opening, once; what comes then has numbers of its own, in the next life too. */
static void assert_raised(struct task *task, const struct shown *shown, uint64_t epoch)
{
	struct store *store = made_open_store(task, epoch);
	struct volume *volume = open_made(task, store);
	struct shown first = shown_of(volume, "INBOX");
	struct shown again;

	assert_above(&first, shown);
	made_append(task, volume, "INBOX", 0, "what comes later");
	first = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, epoch + 1);
	volume = open_made(task, store);
	again = shown_of(volume, "INBOX");
	cr_assert_eq(memcmp(&again, &first, sizeof(first)), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, a_torn_end_raises_numbers_once)
{
	struct shown shown = make_more(task);

	(void)arg;
	cut_journal(task, 20);
	assert_raised(task, &shown, 3);
}

/* Mailboxes that are not there would be taken for deleted by who keeps copies of them. */
IO_TASK_TEST(volume_floor, who_has_lost_the_one_header_is_not_begun_anew)
{
	static const uint8_t zeroes[FORMAT_AREA_BYTES];
	struct repair_report report;
	struct volume *volume;
	struct store *store;
	struct shown shown = make_more(task);
	struct shown now;
	uint64_t n;
	struct file *file = open_journal(task, "1-.journal", &n);

	(void)arg;
	cr_assert_eq(file_write(task, file, zeroes, sizeof(zeroes), 0, false), RP_OK);
	file_close(file);
	store = made_open_store(task, 3);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_CORRUPT);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = open_made(task, store);
	now = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cr_assert_gt(now.highestmodseq, shown.highestmodseq);
	cr_assert(now.uidvalidity > shown.uidvalidity || now.uidnext > shown.uidnext);
}

/* Of more than the last record there is nothing left to be seen. */
IO_TASK_TEST(volume_floor, a_journal_that_is_cut_raises_numbers_once)
{
	struct shown shown = make_more(task);

	(void)arg;
	cut_journal(task, 501);
	assert_raised(task, &shown, 3);
}

IO_TASK_TEST(volume_floor, damage_to_the_last_record_raises_numbers_once)
{
	struct shown shown = make_more(task);

	(void)arg;
	flip_journal(task, 16);
	assert_raised(task, &shown, 3);
}

/* All that was given out stands in names of files, and nothing else is left of it. */
IO_TASK_TEST(volume_floor, a_cut_journal_without_derived_files_raises_numbers_once)
{
	struct shown shown = make_more(task);

	(void)arg;
	made_harm(task, MADE_CATALOG, true);
	made_harm(task, MADE_INDEX, true);
	cut_journal(task, 501);
	assert_raised(task, &shown, 3);
}

/* Between two records, and nothing is ahead: only the server that had it open can tell. */
IO_TASK_TEST(volume_floor, a_journal_cut_under_a_running_server_raises_numbers)
{
	struct store *store;
	struct volume *volume;
	struct shown shown;
	struct shown now;
	uint64_t digest;
	uint64_t end;
	uint64_t n;
	struct file *file;

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = open_made(task, store);
	end = volume->journal->number_end;
	for (unsigned i = 0; i < MORE; i++)
		made_append(task, volume, "INBOX", 0, "it is shown, and lost");
	shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	file = open_journal(task, "1-.journal", &n);
	cr_assert_eq(file_truncate(task, file, end), RP_OK);
	file_close(file);
	volume = open_made(task, store);
	now = shown_of(volume, "INBOX");
	assert_above(&now, &shown);
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	volume = open_made(task, store);
	cr_assert_eq(shown_of(volume, "INBOX").uidnext, now.uidnext);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, a_sound_journal_raises_nothing)
{
	struct shown shown = make_more(task);
	struct store *store = made_open_store(task, 3);
	struct volume *volume = open_made(task, store);
	struct shown now = shown_of(volume, "INBOX");

	(void)arg;
	cr_assert_eq(memcmp(&now, &shown, sizeof(now)), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* The one in use is gone: those that are left have names of sealed ones. */
IO_TASK_TEST(volume_floor, a_journal_in_use_that_is_gone_raises_numbers_once)
{
	struct store_settings settings = small_store();
	struct store *store;
	struct volume *volume;
	struct shown shown;
	char path[VOLUME_PATH_BYTES];
	uint64_t first;

	(void)arg;
	settings.journal_file_bytes = 4096;
	store = open_recovered(task, &settings, 1);
	volume = open_made(task, store);
	for (unsigned i = 0; i < 40; i++)
		made_append(task, volume, "INBOX", 0, "one");
	shown = shown_of(volume, "INBOX");
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	first = volume->journal->number_first;
	cr_assert_gt(first, 1);
	volume_path(volume, path, "%llu-.journal", (unsigned long long)first);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
	assert_raised(task, &shown, 2);
}

/* ---- records that are missing before sound ones ---- */

static void damage_journal(struct task *task, uint64_t from, uint64_t to)
{
	uint64_t n;
	struct file *file = open_journal(task, "1-.journal", &n);

	cr_assert_gt(n, to);
	for (uint64_t at = from; at < to; at += 8)
		cr_assert_eq(file_write(task, file, "damaged!", 8, at, false), RP_OK);
	file_close(file);
}

/* A message comes to a/b, its record goes, and one to INBOX stays: what a/b and INBOX were, at the end. */
static void lose_one_of_two(struct task *task, struct shown *of_ab, struct shown *of_inbox)
{
	struct store *store;
	struct volume *volume;
	uint64_t digest;
	uint64_t before;
	uint64_t after;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = open_made(task, store);
	before = volume->journal->number_end;
	made_append(task, volume, "a/b", 0, "its record goes");
	after = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "its record stays");
	*of_ab = shown_of(volume, "a/b");
	*of_inbox = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	damage_journal(task, before, after);
}

IO_TASK_TEST(volume_floor, a_missing_record_raises_whom_no_later_one_tells_of)
{
	struct shown ab;
	struct shown inbox;

	(void)arg;
	lose_one_of_two(task, &ab, &inbox);
	for (uint64_t epoch = 3; epoch <= 4; epoch++) {
		struct store *store = made_open_store(task, epoch);
		struct volume *volume = open_made(task, store);
		struct shown ab_now = shown_of(volume, "a/b");
		struct shown inbox_now = shown_of(volume, "INBOX");

		assert_above(&ab_now, &ab);
		cr_assert_eq(memcmp(&inbox_now, &inbox, sizeof(inbox)), 0);
		if (epoch == 4)
			cr_assert_lt(ab_now.uidnext, ab.uidnext + (1 << 21), "twice");
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
	}
}

/* Who asks what changed since then is told of all that is there, and that more may have gone than is known. */
static void assert_tells_all(
    struct task *task, struct store *store, const char *name, uint64_t since)
{
	struct volume *volume = open_made(task, store);
	struct mailbox *mailbox;
	struct runs uids = RUNS_EMPTY;
	bool complete = true;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(table_expunged_since(mailbox->table, since, &uids, &complete), RP_OK);
	cr_assert(!complete);
	cr_assert_eq(table_having_modseq_above(task, mailbox->table, NULL, since, &uids), RP_OK);
	cr_assert_eq(runs_total(&uids), mailbox_entry(mailbox)->messages_count);
	runs_fini(&uids);
	/* And who asks since what he is told now is told nothing. */
	since = mailbox_entry(mailbox)->highestmodseq;
	cr_assert_eq(table_expunged_since(mailbox->table, since, &uids, &complete), RP_OK);
	cr_assert(complete);
	cr_assert_eq(table_having_modseq_above(task, mailbox->table, NULL, since, &uids), RP_OK);
	cr_assert_eq(runs_total(&uids), 0);
	runs_fini(&uids);
	mailbox_close(mailbox);
	volume_close(volume);
}

IO_TASK_TEST(volume_floor, who_asks_since_before_a_missing_record_is_told_all)
{
	struct shown ab;
	struct shown inbox;
	struct store *store;

	(void)arg;
	lose_one_of_two(task, &ab, &inbox);
	store = made_open_store(task, 3);
	/* The message in a/b is the newest thing that a client knows; the one before is of its checkpoint. */
	assert_tells_all(task, store, "a/b", ab.highestmodseq - 1);
	assert_tells_all(task, store, "INBOX", ab.highestmodseq - 1);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, who_asks_since_before_a_lost_end_is_told_all)
{
	struct shown shown = make_more(task);
	struct store *store;

	(void)arg;
	cut_journal(task, 501);
	store = made_open_store(task, 3);
	assert_tells_all(task, store, "INBOX", shown.highestmodseq);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- nothing was ever there ---- */

static const struct userid new_user = {{0x4e}};

/* Whatever is written to the commit log is lost. */
static void break_log(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	static const struct sim_broken broken = {.write = EIO};

	(void)bytes;
	if (root == FILE_ROOT_COMMIT)
		cr_assert_eq(sim_break_file(arg, root, path, &broken), RP_OK);
}

static void mend_log(void *arg, enum file_root root, const char *path, uint64_t bytes)
{
	static const struct sim_broken sound = {0};

	(void)bytes;
	cr_assert_eq(sim_break_file(arg, root, path, &sound), RP_OK);
}

/* A first message of this size, of which no record becomes durable. */
static void lose_the_first(struct task *task, struct io_fixture *fixture, size_t bytes)
{
	struct store *store = made_open_store(task, 1);
	struct append message = {.internaldate = {1700000000, 0}};
	uint8_t *text = malloc(bytes);
	struct volume *volume;
	struct mailbox *inbox;
	uint32_t uid;
	enum rp_err err;

	sim_disk_walk(fixture->world, break_log, fixture->world);
	cr_assert_eq(volume_open(task, store, &new_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(body_begin(task, volume, &message.body), RP_OK);
	model_body(7, text, bytes);
	err = body_write(task, message.body, bytes_of(text, bytes));
	if (err == RP_OK)
		err = mailbox_append(task, inbox, &message, 1, &uid);
	if (err != RP_OK)
		body_abort(message.body);
	else
		err = store_wait_durable(task, store, volume_position(volume));
	cr_assert(err == RP_ERR_UNAVAILABLE || err == RP_ERR_UNKNOWN, "%s", err_name(err));
	free(text);
}

static void lose_a_small_one(struct task *task, void *arg)
{
	lose_the_first(task, arg, 1000);
}

static void lose_a_large_one(struct task *task, void *arg)
{
	lose_the_first(task, arg, 100 * 1000);
}

static void assert_begins(struct task *task, void *arg)
{
	struct store *store = made_open_store(task, 2);
	struct volume *volume;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &new_user, &volume), RP_OK);
	cr_assert_eq(volume->catalog.lsn, 1);
	cr_assert_eq(shown_of(volume, "INBOX").uidnext, 1);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Then there is no file of bodies either, so it is not taken for mail whose journal is lost. */
static void lose_and_begin(task_fn *lose)
{
	struct loop_settings settings = {.files_max = 64};

	for (unsigned i = 0; i < 8; i++) { /* a name that was not synced may be there or not */
		struct io_fixture fixture;

		io_fixture_open(&fixture, IO_FIXTURE_SIM, 0);
		for (unsigned k = 0; k < i; k++)
			(void)sim_random(fixture.world);
		io_fixture_run(&fixture, lose, &fixture);
		sim_crash(fixture.world);
		sim_disk_walk(fixture.world, mend_log, fixture.world);
		cr_assert_eq(
		    sim_loop_open(fixture.world, &settings, &fixture.loop), RP_OK);
		io_fixture_run(&fixture, assert_begins, NULL);
		io_fixture_close(&fixture);
	}
}

Test(volume_floor, a_first_small_message_that_was_never_durable_is_no_loss)
{
	lose_and_begin(lose_a_small_one);
}

Test(volume_floor, a_first_large_message_that_was_never_durable_is_no_loss)
{
	lose_and_begin(lose_a_large_one);
}

/* ---- how far ---- */

Test(volume_floor, losses_do_not_use_up_uids)
{
	uint32_t uidnext = 1;

	for (unsigned i = 0; i < 2048; i++) {
		uint32_t next = volume_floor_uidnext(uidnext);

		cr_assert_gt(next, uidnext + ROWS_MAX);
		uidnext = next;
	}
	cr_assert_lt(uidnext, UINT32_MAX / 2);
	for (unsigned i = 0; i < 100000; i++) {
		cr_assert_geq(volume_floor_uidnext(uidnext), uidnext);
		uidnext = volume_floor_uidnext(uidnext);
	}
	cr_assert_lt(uidnext, UINT32_MAX - 1024);
}

/* ---- repair ---- */

static struct shown repaired(struct task *task, struct store *store, const char *name)
{
	struct repair_report report;
	struct volume *volume;
	struct shown shown;

	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	volume = open_made(task, store);
	shown = shown_of(volume, name);
	volume_close(volume);
	return shown;
}

IO_TASK_TEST(volume_floor, a_repair_raises_numbers_once)
{
	struct shown shown = make_more(task);
	struct store *store;
	struct shown first;
	struct shown again;

	(void)arg;
	cut_journal(task, 501);
	store = made_open_store(task, 3);
	first = repaired(task, store, "INBOX");
	assert_above(&first, &shown);
	again = repaired(task, store, "INBOX");
	cr_assert_eq(memcmp(&again, &first, sizeof(first)), 0);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, 4);
	again = repaired(task, store, "INBOX");
	cr_assert_eq(memcmp(&again, &first, sizeof(first)), 0);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, a_repair_raises_whom_no_later_record_tells_of)
{
	struct shown ab;
	struct shown inbox;
	struct store *store;
	struct shown now;

	(void)arg;
	lose_one_of_two(task, &ab, &inbox);
	store = made_open_store(task, 3);
	now = repaired(task, store, "INBOX");
	cr_assert_eq(now.uidnext, inbox.uidnext);
	cr_assert_eq(now.uidvalidity, inbox.uidvalidity);
	now = repaired(task, store, "a/b");
	assert_above(&now, &ab);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* A message whose record is lost is known by its body, also where later ones are there. */
IO_TASK_TEST(volume_floor, a_repair_brings_a_message_back_whose_record_is_missing)
{
	struct store *store;
	struct volume *volume;
	uint64_t before;
	uint64_t after;

	(void)arg;
	(void)make_more(task);
	store = made_open_store(task, 3);
	volume = open_made(task, store);
	before = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "its record goes");
	after = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "its record stays");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	damage_journal(task, before, after);
	store = made_open_store(task, 4);
	(void)repaired(task, store, "INBOX");
	volume = open_made(task, store);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21 + MORE + 2);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

static enum rp_err set_uidnext(struct breath *breath, void *arg)
{
	struct change_counters counters = {.uidnext = *(const uint32_t *)arg};

	BREATH_PUT(
	    breath, change_put_counters(&breath->writer,
	                volume_find(breath->volume, BYTES_LIT("Trash"))->mailboxid, &counters));
	return RP_OK;
}

/* UIDs are nearly used up: a new UIDVALIDITY costs them none. */
IO_TASK_TEST(volume_floor, a_repair_gives_a_new_uidvalidity_where_uids_are_few)
{
	uint32_t uidnext = 3000000000;
	struct breath_plan plan = {.type = CHANGE_INIT, .write = set_uidnext, .arg = &uidnext};
	struct store *store;
	struct volume *volume;
	struct shown before;
	struct shown now;

	(void)arg;
	(void)make_more(task);
	store = made_open_store(task, 3);
	volume = open_made(task, store);
	cr_assert_eq(breath_run(task, volume, &plan), RP_OK);
	made_append(task, volume, "INBOX", 0, "what is cut");
	before = shown_of(volume, "Trash");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cut_journal(task, 20);
	store = made_open_store(task, 4);
	now = repaired(task, store, "Trash");
	cr_assert_gt(now.uidvalidity, before.uidvalidity);
	cr_assert_eq(now.uidnext, uidnext);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* Sound files of the past: what was given out since they were copied nothing tells. */
IO_TASK_TEST(volume_floor, what_is_restored_has_new_uidvalidities_and_all_of_its_mail)
{
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	struct shown before;
	struct shown now;
	struct shown trash;
	uint64_t mailboxid;

	(void)arg;
	before = make_more(task);
	store = made_open_store(task, 3);
	cr_assert_eq(repair_restored(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	volume = open_made(task, store);
	now = shown_of(volume, "INBOX");
	trash = shown_of(volume, "Trash");
	cr_assert_gt(now.uidvalidity, before.uidvalidity);
	cr_assert_gt(trash.uidvalidity, before.uidvalidity);
	cr_assert_neq(trash.uidvalidity, now.uidvalidity);
	cr_assert_gt(now.highestmodseq, before.highestmodseq);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21 + MORE);
	cr_assert_eq(volume_find(volume, BYTES_LIT("a/b"))->messages_count, 20);
	/* Nor is an id, which may have been another mailbox's, given again. */
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("new"), 0, &mailboxid), RP_OK);
	cr_assert_gt(mailboxid, 1 << 20);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
