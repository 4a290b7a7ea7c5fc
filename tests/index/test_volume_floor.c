/* Whatever is lost of a journal, no number that was shown is given out again when the volume is opened. */
#include "index/volume_floor.h"

#include <string.h>

#include "index/breath.h"
#include "index/checkpoint.h"
#include "index/journal_mark.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/view.h"
#include "tests/index/model.h"
#include "tests/index/shown.h"
#include "tests/io/io_fixture.h"

static void flip_journal(struct task *task, uint64_t bytes_before_end)
{
	uint64_t n;
	uint8_t byte;
	size_t got;
	struct file *file = shown_open_journal(task, "1-.journal", &n);

	cr_assert_eq(file_read(task, file, &byte, 1, n - bytes_before_end, &got), RP_OK);
	byte ^= 0x10;
	cr_assert_eq(file_write(task, file, &byte, 1, n - bytes_before_end, false), RP_OK);
	file_close(file);
}

/* By opening, once; what comes then has numbers of its own, in the next life too. */
static void assert_raised(struct task *task, const struct shown *shown, uint64_t epoch)
{
	struct store *store = made_open_store(task, epoch);
	struct volume *volume = shown_open_made(task, store);
	struct shown first = shown_of(volume, "INBOX");
	struct shown again;

	shown_assert_above(&first, shown);
	made_append(task, volume, "INBOX", 0, "what comes later");
	first = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, epoch + 1);
	volume = shown_open_made(task, store);
	again = shown_of(volume, "INBOX");
	cr_assert_eq(memcmp(&again, &first, sizeof(first)), 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, a_torn_end_raises_numbers_once)
{
	struct shown shown = shown_make_more(task);

	(void)arg;
	shown_cut_journal(task, 20);
	assert_raised(task, &shown, 3);
}

/* Mailboxes that are not there would be taken for deleted by who keeps copies of them. */
IO_TASK_TEST(volume_floor, who_has_lost_the_one_header_is_not_begun_anew)
{
	static const uint8_t zeroes[FORMAT_AREA_BYTES];
	struct repair_report report;
	struct volume *volume;
	struct store *store;
	struct shown shown = shown_make_more(task);
	struct shown now;
	uint64_t n;
	struct file *file = shown_open_journal(task, "1-.journal", &n);

	(void)arg;
	cr_assert_eq(file_write(task, file, zeroes, sizeof(zeroes), 0, false), RP_OK);
	file_close(file);
	store = made_open_store(task, 3);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_CORRUPT);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	volume = shown_open_made(task, store);
	now = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	cr_assert_gt(now.highestmodseq, shown.highestmodseq);
	cr_assert(now.uidvalidity > shown.uidvalidity || now.uidnext > shown.uidnext);
}

/* Of more than the last record there is nothing left to be seen. */
IO_TASK_TEST(volume_floor, a_journal_that_is_cut_raises_numbers_once)
{
	struct shown shown = shown_make_more(task);

	(void)arg;
	shown_cut_journal(task, 501);
	assert_raised(task, &shown, 3);
}

IO_TASK_TEST(volume_floor, damage_to_the_last_record_raises_numbers_once)
{
	struct shown shown = shown_make_more(task);

	(void)arg;
	flip_journal(task, 16);
	assert_raised(task, &shown, 3);
}

/* All that was given out stands in names of files, and nothing else is left of it. */
IO_TASK_TEST(volume_floor, a_cut_journal_without_derived_files_raises_numbers_once)
{
	struct shown shown = shown_make_more(task);

	(void)arg;
	made_harm(task, MADE_CATALOG, true);
	made_harm(task, MADE_INDEX, true);
	shown_cut_journal(task, 501);
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
	volume = shown_open_made(task, store);
	end = volume->journal->number_end;
	for (unsigned i = 0; i < MORE; i++)
		made_append(task, volume, "INBOX", 0, "it is shown, and lost");
	shown = shown_of(volume, "INBOX");
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	file = shown_open_journal(task, "1-.journal", &n);
	cr_assert_eq(file_truncate(task, file, end), RP_OK);
	file_close(file);
	volume = shown_open_made(task, store);
	now = shown_of(volume, "INBOX");
	shown_assert_above(&now, &shown);
	volume_close(volume);
	cr_assert_eq(volume_drop(task, store, &made_user), RP_OK);
	volume = shown_open_made(task, store);
	cr_assert_eq(shown_of(volume, "INBOX").uidnext, now.uidnext);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, a_sound_journal_raises_nothing)
{
	struct shown shown = shown_make_more(task);
	struct store *store = made_open_store(task, 3);
	struct volume *volume = shown_open_made(task, store);
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
	volume = shown_open_made(task, store);
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

/* ---- parts of one change ---- */

/* All of a/b to INBOX, some rows in each part. What counts them is the last one. */
static void copy_in_parts(struct task *task, struct volume *volume)
{
	struct runs copied = RUNS_EMPTY;
	struct mailbox *from;
	struct mailbox *to;
	uint32_t first_uid;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("a/b"), &from), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &to), RP_OK);
	cr_assert_eq(mailbox_copy(task, from, NULL, to, &copied, &first_uid), RP_OK);
	runs_fini(&copied);
	mailbox_close(to);
	mailbox_close(from);
}

/* A mailbox in one part, that it is subscribed in the next. */
static enum rp_err write_two_parts(struct breath *breath, void *arg)
{
	struct change_sums sums = breath->volume->catalog.sums;
	uint64_t mailboxid = sums.mailboxid_next++;

	(void)arg;
	sums.uidvalidity_last++;
	BREATH_PUT(breath, change_put_mailbox(&breath->writer, mailboxid, sums.uidvalidity_last, 0, BYTES_LIT("New")));
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	breath_next(breath);
	BREATH_PUT(breath, change_put_subscription(&breath->writer, BYTES_LIT("New"), true));
	return RP_OK;
}

static void make_parts(struct task *task, struct volume *volume)
{
	struct breath_plan plan = {.type = CHANGE_CREATE, .write = write_two_parts};

	cr_assert_eq(breath_run(task, volume, &plan), RP_OK);
}

/* Of a change behind made mail the last part is torn, and all before it are left. */
static void lose_the_last_part(
    struct task *task, void (*change)(struct task *task, struct volume *volume))
{
	struct store_settings settings = small_store();
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	settings.transfer_messages_max = 8;
	made_mail(task, &digest);
	store = open_recovered(task, &settings, 2);
	volume = shown_open_made(task, store);
	change(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	shown_cut_journal(task, JOURNAL_MARK_BYTES + 20);
}

static void assert_shows_all(struct task *task, struct store *store)
{
	struct volume *volume = shown_open_made(task, store);
	struct mailbox *inbox;
	struct view *view;

	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &inbox), RP_OK);
	cr_assert_eq(view_open(task, inbox, NULL, &view), RP_OK);
	cr_assert_eq(view_exists(view), 21 + 20, "%u", view_exists(view));
	view_close(view);
	mailbox_close(inbox);
	volume_close(volume);
}

static void repair_it(struct task *task, struct store *store)
{
	struct repair_report report;

	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
}

/* The second time the record that raises numbers is behind the parts. */
IO_TASK_TEST(volume_floor, parts_at_a_lost_end_count_in_a_table_and_for_a_repair_behind_it)
{
	struct store *store;

	(void)arg;
	lose_the_last_part(task, copy_in_parts);
	for (uint64_t epoch = 3; epoch <= 5; epoch++) {
		store = made_open_store(task, epoch);
		if (epoch == 5)
			repair_it(task, store);
		assert_shows_all(task, store);
		cr_assert_eq(store_close(task, store), RP_OK);
	}
}

IO_TASK_TEST(volume_floor, parts_at_a_lost_end_count_for_a_repair_before_any_opening)
{
	struct store *store;

	(void)arg;
	lose_the_last_part(task, copy_in_parts);
	store = made_open_store(task, 3);
	for (unsigned again = 0; again < 2; again++) {
		repair_it(task, store);
		assert_shows_all(task, store);
	}
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, parts_at_a_lost_end_count_in_the_catalog)
{
	struct store *store;
	struct volume *volume;

	(void)arg;
	lose_the_last_part(task, make_parts);
	for (uint64_t epoch = 3; epoch <= 6; epoch++) {
		store = made_open_store(task, epoch);
		if (epoch == 5)
			repair_it(task, store);
		volume = shown_open_made(task, store);
		cr_assert_not_null(volume_find(volume, BYTES_LIT("New")), "start %u", (unsigned)epoch);
		cr_assert(!volume_find(volume, BYTES_LIT("New"))->subscribed);
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
	}
}

/* ---- records that are missing before sound ones ---- */

IO_TASK_TEST(volume_floor, a_missing_record_raises_whom_no_later_one_tells_of)
{
	struct shown ab;
	struct shown inbox;

	(void)arg;
	shown_lose_one_of_two(task, &ab, &inbox);
	for (uint64_t epoch = 3; epoch <= 4; epoch++) {
		struct store *store = made_open_store(task, epoch);
		struct volume *volume = shown_open_made(task, store);
		struct shown ab_now = shown_of(volume, "a/b");
		struct shown inbox_now = shown_of(volume, "INBOX");

		shown_assert_above(&ab_now, &ab);
		cr_assert_eq(memcmp(&inbox_now, &inbox, sizeof(inbox)), 0);
		if (epoch == 4)
			cr_assert_lt(ab_now.uidnext, ab.uidnext + (1 << 21), "twice");
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
	}
}

/* One of two messages to INBOX loses its record; the one behind it tells how many there were with it. */
static void lose_the_first_of_two(struct task *task)
{
	struct store *store;
	struct volume *volume;
	uint64_t digest;
	uint64_t before;
	uint64_t after;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	volume = shown_open_made(task, store);
	before = volume->journal->number_end;
	made_append(task, volume, "INBOX", 0, "its record goes");
	after = volume->journal->number_end;
	made_append(task, volume, "INBOX", MAIL_SEEN, "its record stays");
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 23);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	shown_damage_journal(task, before, after);
}

/* What STATUS tells, and what who selects it is told. */
static void count(struct task *task, uint64_t epoch, uint32_t *told, uint32_t *met)
{
	struct store *store = made_open_store(task, epoch);
	struct volume *volume = shown_open_made(task, store);
	struct mailbox *mailbox;
	struct table_counts counts;

	*told = volume_find(volume, BYTES_LIT("INBOX"))->messages_count;
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	table_counts(mailbox->table, &counts);
	*met = counts.messages;
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, counts.messages);
	cr_assert_eq(mailbox_entry(mailbox)->unseen_count, counts.unseen);
	mailbox_close(mailbox);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, what_a_mailbox_has_is_counted_where_records_are_missing)
{
	(void)arg;
	lose_the_first_of_two(task);
	for (uint64_t epoch = 3; epoch <= 4; epoch++) {
		uint32_t told;
		uint32_t met;

		count(task, epoch, &told, &met);
		cr_assert_eq(met, 22);
		cr_assert_eq(told, 22);
	}
}

static void checkpoint_it(struct task *task)
{
	struct store *store = made_open_store(task, 3);
	struct volume *volume = shown_open_made(task, store);

	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, what_a_mailbox_has_is_counted_where_the_end_is_lost)
{
	uint32_t told;
	uint32_t met;

	(void)arg;
	shown_make_more(task);
	checkpoint_it(task);
	shown_cut_journal(task, 501);
	made_harm(task, MADE_CATALOG, true); /* the index knows of all */
	for (uint64_t epoch = 4; epoch <= 5; epoch++) {
		count(task, epoch, &told, &met);
		cr_assert_eq(met, 27);
		cr_assert_eq(told, 27);
	}
}

/* Who asks what changed since then is told of all that is there, and that more may have gone than is known. */
static void assert_tells_all(
    struct task *task, struct store *store, const char *name, uint64_t since)
{
	struct volume *volume = shown_open_made(task, store);
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
	shown_lose_one_of_two(task, &ab, &inbox);
	store = made_open_store(task, 3);
	/* The message in a/b is the newest thing that a client knows; the one before is of its checkpoint. */
	assert_tells_all(task, store, "a/b", ab.highestmodseq - 1);
	assert_tells_all(task, store, "INBOX", ab.highestmodseq - 1);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(volume_floor, who_asks_since_before_a_lost_end_is_told_all)
{
	struct shown shown = shown_make_more(task);
	struct store *store;

	(void)arg;
	shown_cut_journal(task, 501);
	store = made_open_store(task, 3);
	assert_tells_all(task, store, "INBOX", shown.highestmodseq);
	cr_assert_eq(store_close(task, store), RP_OK);
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
