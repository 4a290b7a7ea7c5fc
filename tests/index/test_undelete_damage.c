/* What was expunged comes back though bodies, journals or derived files are damaged: all but what was hit. */
#include "index/undelete.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "index/journal_core.h"
#include "index/mailbox_state.h"
#include "index/repair/repair.h"
#include "index/volume_files.h"
#include "tests/index/kept_mail.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

enum { CUTS = 40 };

/* ---- bodies ---- */

struct lost {
	struct undelete_message message[KEPT_MESSAGES];
	enum rp_err why[KEPT_MESSAGES];
	size_t count;
};

static void note_lost(void *arg, const struct undelete_message *message, enum rp_err why)
{
	struct lost *lost = arg;

	lost->message[lost->count] = *message;
	lost->why[lost->count++] = why;
}

/* From here on: damaged on the ring, refused by the disk in the simulator. */
static enum rp_err spoil_file(
    struct task *task, const struct io_fixture *fixture, struct volume *volume, uint32_t number)
{
	static const struct sim_broken broken = {.read = EIO};
	char path[VOLUME_PATH_BYTES];
	uint8_t bytes[28 * 1024];
	struct file *file;

	volume_path(volume, path, "%u.dbox", number);
	if (fixture->kind == IO_FIXTURE_SIM) {
		cr_assert_eq(sim_break_file(fixture->world, FILE_ROOT_DATA, path, &broken), RP_OK);
		return RP_ERR_IO;
	}
	memset(bytes, 0x55, sizeof(bytes));
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, bytes, sizeof(bytes), 4096, false), RP_OK);
	file_close(file);
	return RP_ERR_CORRUPT;
}

/* A body that cannot be read costs its message, which is named; all others come back. */
IO_TASK_TEST(undelete_damage, passes_over_bodies_that_cannot_be_read)
{
	static struct lost lost;
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	struct undelete_filter filter = {.since_s = 0};
	struct undelete_message message;
	struct undelete *undelete;
	size_t passed = 0;
	size_t back = 0;
	enum rp_err why;

	lost.count = 0;
	kept_fill(task, volume, "INBOX", 0);
	kept_expunge(task, volume, "INBOX", 1, KEPT_MESSAGES);
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	cr_assert_eq(settle_flush(task, store->commit, &volume->settle), RP_OK);
	cr_assert_eq(undelete_begin(task, volume, &filter, &undelete), RP_OK);
	cr_assert_eq(undelete_count(undelete), KEPT_MESSAGES);
	undelete_at(undelete, KEPT_MESSAGES / 2, &message);
	why = spoil_file(task, arg, volume, message.file);
	undelete_tell_lost(undelete, note_lost, &lost);
	cr_assert_eq(undelete_all(task, undelete, bytes_of(NULL, 0), &back, &passed), RP_OK);
	cr_assert_gt(passed, 2);
	cr_assert_lt(passed, 20);
	cr_assert_eq(back, KEPT_MESSAGES - passed);
	cr_assert_eq(lost.count, passed);
	for (size_t i = 0; i < lost.count; i++) {
		cr_assert_eq(lost.why[i], why);
		cr_assert_eq(lost.message[i].file, message.file);
		cr_assert(bytes_eq(lost.message[i].mailbox, BYTES_LIT("INBOX")));
	}
	undelete_end(task, undelete);
	cr_assert_eq(kept_offered(task, volume, ""), passed, "the disk may give it tomorrow");
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- journals that are damaged ---- */

static void repair(struct task *task, struct store *store)
{
	struct repair_report report;
	enum rp_err err;

	/* What runs by itself uses him too. */
	while ((err = repair_rebuild(task, store, &made_user, NULL, NULL, &report)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK);
	cr_assert(!repair_found_damage(&report));
}

/* The record with this LSN is none any more. */
static void lose_record(struct task *task, struct volume *volume, uint64_t lsn)
{
	struct journal_walk walk;
	struct record record;
	const struct journal *journal = volume->journal;
	char path[JOURNAL_CORE_PATH_BYTES];
	struct file *file;
	size_t at = journal->files_count;
	uint64_t offset = 0;

	while (at > 0 && journal->files[at - 1].first > lsn)
		at--;
	cr_assert_gt(at, 0);
	journal_core_path_of(journal, &journal->files[at - 1], path);
	cr_assert_eq(
	    journal_core_walk_begin(task, &walk, journal, journal->files[at - 1].first), RP_OK);
	while (journal_core_walk_next(task, &walk, &record) == RP_OK && record.header.lsn != lsn)
		offset = walk.at;
	cr_assert_eq(record.header.lsn, lsn);
	journal_core_walk_end(&walk);
	cr_assert_gt(offset, 0);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_write(task, file, "damage", 6, offset, false), RP_OK);
	file_close(file);
}

IO_TASK_TEST(undelete_damage, outlives_a_repair_of_damaged_journals)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	struct mailbox *mailbox;
	char text[KEPT_TEXT_BYTES + 1];
	uint64_t row_lost;
	uint64_t lost;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Old"), 0, NULL), RP_OK);
	kept_fill(task, volume, "INBOX", 0);
	row_lost = volume->catalog.lsn + 1;
	kept_text(500, text);
	made_append(task, volume, "INBOX", MAIL_SEEN, text);
	kept_fill(task, volume, "Old", 1000);
	mailbox = kept_open_box(task, volume, "INBOX");
	kept_flag(task, mailbox, 5, 5, MAIL_FLAGGED, "$word");
	mailbox_close(mailbox);
	kept_expunge(task, volume, "INBOX", 5, 14);
	kept_expunge(task, volume, "INBOX", KEPT_MESSAGES + 1, KEPT_MESSAGES + 1);
	cr_assert_eq(volume_delete(task, volume, BYTES_LIT("Old")), RP_OK);
	lost = volume->catalog.lsn + 1;
	cr_assert_eq(volume_subscribe(task, volume, BYTES_LIT("lost"), true), RP_OK);
	made_append(task, volume, "INBOX", 0, "Subject: behind it\r\n\r\n");
	cr_assert_eq(kept_offered(task, volume, ""), KEPT_MESSAGES + 11);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	lose_record(task, volume, row_lost);
	lose_record(task, volume, lost);
	volume_close(volume);
	for (unsigned again = 0; again < 2; again++) {
		repair(task, store);
		volume = kept_open_user(task, store);
		cr_assert_null(volume_find(volume, BYTES_LIT("Old")));
		cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, KEPT_MESSAGES - 9);
		cr_assert_eq(kept_offered(task, volume, "INBOX"), 11);
		cr_assert_eq(kept_offered(task, volume, "Old"), KEPT_MESSAGES);
		volume_close(volume);
	}
	volume = kept_open_user(task, store);
	cr_assert_eq(kept_bring_back(task, volume, "", ""), KEPT_MESSAGES + 11);
	cr_assert_eq(kept_offered(task, volume, ""), 0);
	mailbox = kept_open_box(task, volume, "INBOX");
	cr_assert_eq(kept_message(task, mailbox, KEPT_MESSAGES + 3).flags & MAIL_FLAGGED, MAIL_FLAGGED);
	cr_assert_eq(mailbox_keywords_count(mailbox), 1);
	mailbox_close(mailbox);
	kept_bodies_are(task, volume, "INBOX", KEPT_MESSAGES + 3, 10, 4);
	kept_bodies_are(task, volume, "INBOX", KEPT_MESSAGES + 13, 1, 500);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* What counts the UIDs of a mailbox is lost in a merged journal, and the record that made it too, so it gets a new UIDVALIDITY and no
 * margin. The rows of what is kept, in other records, still have theirs. */
IO_TASK_TEST(undelete_damage, no_repair_gives_the_uid_of_a_kept_message_again)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	const struct catalog_node *node;
	struct mailbox *inbox;
	struct mailbox *copies;
	struct runs copied = RUNS_EMPTY;
	uint32_t first_uid;
	uint64_t mailboxid;
	uint64_t made;
	uint64_t counted;

	(void)arg;
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("Copies"), 0, &mailboxid), RP_OK);
	kept_fill(task, volume, "INBOX", 0);
	inbox = kept_open_box(task, volume, "INBOX");
	copies = kept_open_box(task, volume, "Copies");
	cr_assert_eq(mailbox_copy(task, inbox, NULL, copies, &copied, &first_uid), RP_OK);
	runs_fini(&copied);
	mailbox_close(copies);
	mailbox_close(inbox);
	kept_expunge(task, volume, "Copies", 61, KEPT_MESSAGES);
	node = catalog_by_id(&volume->catalog, mailboxid);
	made = node->created_lsn;
	counted = node->entry.highestmodseq;
	kept_merge(task, volume);
	cr_assert_eq(volume_settle(task, volume), RP_OK);
	cr_assert(journal_is_merged_over(volume->journal, counted));
	lose_record(task, volume, made);
	lose_record(task, volume, counted);
	volume_close(volume);
	made_harm(task, MADE_INDEX, true);
	made_harm(task, MADE_CATALOG, true);
	repair(task, store);
	volume = kept_open_user(task, store);
	node = catalog_by_id(&volume->catalog, mailboxid);
	cr_assert_not_null(node);
	cr_assert_gt(node->entry.uidnext, KEPT_MESSAGES);
	cr_assert_eq(node->entry.messages_count, 60);
	cr_assert_eq(kept_offered(task, volume, ""), KEPT_MESSAGES - 60);
	cr_assert_eq(kept_bring_back(task, volume, "", "Back"), KEPT_MESSAGES - 60);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* ---- derived files, with merged journals and moved bodies ---- */

/* Cut the k-th way: at the edges of what a file begins with, and at each part of the rest. */
static void cut_derived(struct task *task, unsigned k)
{
	static const uint64_t edges[] = {0, 1, 127, 128, 511, 512, 640, 1023, 1024, 1025};
	const unsigned edges_count = sizeof(edges) / sizeof(edges[0]);
	struct volume_files files;
	struct arena arena;
	char dir[USERID_PATH_BYTES];
	unsigned cut = 0;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(volume_files_list(task, dir, &arena, &files), RP_OK);
	for (size_t i = 0; i < files.count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;
		uint64_t bytes;

		if (volume_file_parse(files.entries[i].name).kind == VOLUME_FILE_OTHER)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(files.entries[i].name));
		cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_WRITE, &file), RP_OK);
		cr_assert_eq(file_size(task, file, &bytes), RP_OK);
		uint64_t to = k < edges_count ? edges[k] : bytes * (k - edges_count) / CUTS;

		if (to < bytes)
			cr_assert_eq(file_truncate(task, file, to), RP_OK);
		cut += to < bytes;
		file_close(file);
	}
	arena_fini(&arena);
	cr_assert_gt(cut, 0);
}

IO_TASK_TEST(undelete_damage, derived_files_may_be_cut_anywhere_after_merges_and_compaction)
{
	struct store *store = kept_open_store(task, 1, KEPT_S);
	struct volume *volume = kept_open_user(task, store);
	struct mailbox *inbox = kept_open_box(task, volume, "INBOX");
	uint64_t digest;

	(void)arg;
	kept_fill_among_junk(task, volume, "INBOX", 0);
	kept_flag(task, inbox, 30, 90, MAIL_FLAGGED, "$word");
	kept_expunge(task, volume, "INBOX", 5, 14);
	for (unsigned round = 0; round < 4 || (store->merges_done == 0 && round < 20); round++) {
		kept_churn(task, inbox);
		kept_clear_up(task, volume);
	}
	cr_assert_gt(store->merges_done, 0);
	cr_assert_gt(store->compacts_done, 0);
	mailbox_close(inbox);
	digest = model_digest(task, volume);
	for (unsigned k = 0; k < CUTS + 10; k++) {
		volume_close(volume);
		cr_assert_eq(store_close(task, store), RP_OK);
		cut_derived(task, k);
		store = kept_open_store(task, 2 + k, KEPT_S);
		volume = kept_open_user(task, store);
		cr_assert_eq(model_digest(task, volume), digest, "cut %u", k);
		cr_assert_eq(kept_offered(task, volume, ""), 10);
		kept_clear_up(task, volume);
	}
	kept_bodies_are(task, volume, "INBOX", 20, 1, 19);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
