#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "index/checkpoint.h"
#include "index/repair/repair.h"
#include "index/volume_files.h"
#include "io/base/num.h"
#include "tests/index/made_mail.h"
#include "tests/index/model.h"
#include "tests/index/said.h"
#include "tests/io/io_fixture.h"

static void count_line(void *arg, struct bytes line)
{
	cr_assert_gt(line.n, 0);
	(*(unsigned *)arg)++;
}

static void check(struct task *task, struct repair_report *report, unsigned *lines)
{
	struct store *store = made_open_store(task, 2);

	*lines = 0;
	cr_assert_eq(repair_check(task, store, &made_user, count_line, lines, report), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair, what_is_sound_is_found_so)
{
	struct repair_report report;
	struct userid nobody = {{9}};
	struct store *store;
	unsigned lines;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	check(task, &report, &lines);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(lines, 0);
	cr_assert_eq(report.messages, 41);
	cr_assert_eq(report.bodies, 41);
	cr_assert_eq(report.mailboxes, 8);
	cr_assert_geq(report.records, 43);
	store = made_open_store(task, 3);
	cr_assert_eq(
	    repair_check(task, store, &nobody, count_line, &lines, &report), RP_ERR_NOTFOUND);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair, damage_of_each_kind_is_found)
{
	struct repair_report report;
	unsigned lines;
	uint64_t digest;
	uint64_t derived;

	(void)arg;
	made_mail(task, &digest);
	made_harm(task, MADE_INDEX, false);
	check(task, &report, &lines);
	cr_assert_geq(report.mailboxes_wrong, 1);
	cr_assert_geq(report.derived_damaged, 1);
	derived = report.derived_damaged;
	made_harm(task, MADE_CATALOG, false);
	check(task, &report, &lines);
	cr_assert_eq(report.derived_damaged, derived + 1);
	made_harm(task, MADE_BODIES, false);
	check(task, &report, &lines);
	cr_assert_geq(report.messages_bodiless, 1);
	cr_assert_gt(lines, 0);
	made_harm(task, MADE_JOURNAL, false);
	check(task, &report, &lines);
	cr_assert_geq(report.records_missing + report.records_unsound, 1);
	made_harm(task, MADE_JOURNAL, true);
	check(task, &report, &lines);
	cr_assert(report.journals_gone);
	cr_assert(repair_found_damage(&report));
}

/* Flip a bit `back` bytes before the end of the one file with this name. */
static void flip_near_end(struct task *task, const char *name, uint64_t back)
{
	char path[VOLUME_PATH_BYTES];
	struct file *file;
	uint64_t size;
	uint8_t byte;
	size_t got;

	userid_path(&made_user, path);
	strcat(path, "/");
	strcat(path, name);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	cr_assert_eq(file_read(task, file, &byte, 1, size - back, &got), RP_OK);
	byte ^= 0x10;
	cr_assert_eq(file_write(task, file, &byte, 1, size - back, false), RP_OK);
	file_close(file);
}

IO_TASK_TEST(repair, a_damaged_body_is_named)
{
	struct repair_report report;
	struct said said = {0};
	struct volume *volume;
	struct store *store;
	uint64_t digest;
	uint64_t modseq;

	(void)arg;
	made_mail(task, &digest);
	flip_near_end(task, "1.dbox", 16); /* in the last one's text, behind its header */
	store = made_open_store(task, 2);
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_eq(report.bodies_dead, 0);
	cr_assert_eq(report.messages_bodiless, 1);
	cr_assert_not_null(
	    strstr(said.text, "mailbox 1 (INBOX), UID 21, 1.dbox at "), "%s", said.text);
	/* It is served around till a repair takes it out, by name. */
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21);
	modseq = volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq;
	volume_close(volume);
	said = (struct said){0};
	cr_assert_eq(repair_rebuild(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_eq(report.messages_taken_out, 1);
	cr_assert_not_null(
	    strstr(said.text, "mailbox 1 (INBOX), UID 21, 1.dbox at "), "%s", said.text);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 20);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->uidnext, 22);
	cr_assert_gt(volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq, modseq);
	volume_close(volume);
	cr_assert_eq(repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
	cr_assert_eq(report.messages_bodiless, 0);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* No later record tells of it, so nothing is missing between two. */
IO_TASK_TEST(repair, damage_to_the_last_record_is_found)
{
	struct repair_report report;
	unsigned lines;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	flip_near_end(task, "1-.journal", 16);
	check(task, &report, &lines);
	cr_assert_eq(report.records_missing, 1);
	cr_assert_gt(lines, 0);
}

/* Records are gone without a trace in the journal, and an index has them: the last HIGHESTMODSEQ of INBOX. */
static uint64_t lose_last_record(struct task *task)
{
	struct store *store;
	struct volume *volume;
	struct file *file;
	char path[VOLUME_PATH_BYTES];
	uint64_t digest;
	uint64_t size;
	uint64_t modseq;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	modseq = volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	userid_path(&made_user, path);
	strcat(path, "/1-.journal");
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	cr_assert_eq(file_truncate(task, file, size - 120), RP_OK);
	file_close(file);
	return modseq;
}

/* What was given out and shown is not given out again. */
static void assert_raised(
    struct task *task, struct store *store, uint64_t modseq, uint32_t messages_count)
{
	const struct catalog_entry *entry;
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	entry = volume_find(volume, BYTES_LIT("INBOX"));
	cr_assert_geq(entry->messages_count, messages_count); /* an index may know of more */
	cr_assert_geq(entry->uidnext, 22);
	cr_assert_gt(entry->highestmodseq, modseq);
	volume_close(volume);
}

IO_TASK_TEST(repair, a_journal_that_is_behind_is_found)
{
	struct repair_report report;
	struct store *store;
	unsigned lines;
	uint64_t modseq = lose_last_record(task);

	(void)arg;
	check(task, &report, &lines);
	cr_assert_geq(report.records_missing, 1);
	cr_assert_gt(lines, 0);
	store = made_open_store(task, 3);
	/* Neither by opening nor by repair; and the index, or the body, still knows of the message. */
	assert_raised(task, store, modseq, 20);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	assert_raised(task, store, modseq, 21);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair, derived_files_are_made_anew_from_the_journals)
{
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	made_harm(task, MADE_INDEX, false);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_ERR_BUSY);
	volume_close(volume);
	cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

struct repairing {
	struct store *store;
	struct repair_report report;
	enum rp_err err;
	bool ended;
};

static void check_task(struct task *task, void *arg)
{
	struct repairing *checking = arg;

	checking->err =
	    repair_check(task, checking->store, &made_user, NULL, NULL, &checking->report);
	checking->ended = true;
}

IO_TASK_TEST(repair, who_comes_while_he_is_looked_at_has_his_numbers_raised)
{
	uint64_t modseq = lose_last_record(task);
	struct repairing checking = {.store = made_open_store(task, 2)};

	(void)arg;
	cr_assert_eq(task_start(task_loop(task), check_task, &checking, NULL), RP_OK);
	while (!volume_is_open(checking.store, &made_user))
		cr_assert_eq(task_yield(task), RP_OK);
	assert_raised(task, checking.store, modseq, 20);
	while (!checking.ended)
		cr_assert_eq(task_yield(task), RP_OK);
	cr_assert_eq(checking.err, RP_OK);
	assert_raised(task, checking.store, modseq, 20);
	cr_assert_eq(store_close(task, checking.store), RP_OK);
}

struct sender {
	struct volume *volume;
	unsigned left;
};

/* Bodies that are written piece by piece. */
static void send_task(struct task *task, void *arg)
{
	static char large[256 * 1024];
	struct sender *sender = arg;

	memset(large, 'x', sizeof(large) - 1);
	for (; sender->left > 0; sender->left--)
		made_append(task, sender->volume, "Archive", 0, large);
}

IO_TASK_TEST(repair, a_check_of_bodies_is_right_while_they_are_written)
{
	struct repairing checking = {.ended = true};
	struct sender sender = {.left = 100};
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	checking.store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, checking.store, &made_user, &sender.volume), RP_OK);
	cr_assert_eq(task_start(task_loop(task), send_task, &sender, NULL), RP_OK);
	while (sender.left > 0) {
		check_task(task, &checking);
		cr_assert_eq(checking.err, RP_OK);
		cr_assert(!repair_found_damage(&checking.report));
	}
	volume_close(sender.volume);
	cr_assert_eq(store_close(task, checking.store), RP_OK);
}

/* What comes, and goes, while it is looked at is no damage. */
IO_TASK_TEST(repair, a_check_is_right_while_the_mail_is_used)
{
	struct repairing checking = {.ended = true};
	struct volume *volume;
	uint64_t digest;
	unsigned checks = 0;

	(void)arg;
	made_mail(task, &digest);
	checking.store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, checking.store, &made_user, &volume), RP_OK);
	for (unsigned i = 0; checks < 6; i++) {
		if (checking.ended) {
			checking.ended = false;
			checks++;
			cr_assert_eq(
			    task_start(task_loop(task), check_task, &checking, NULL), RP_OK);
		}
		made_append(task, volume, i % 2 == 0 ? "INBOX" : "a/b", 0, "it came meanwhile");
		cr_assert_eq(volume_create(task, volume, BYTES_LIT("short"), 0, NULL), RP_OK);
		made_append(task, volume, "short", 0, "it goes at once");
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
		cr_assert_eq(volume_delete(task, volume, BYTES_LIT("short")), RP_OK);
		cr_assert_eq(checking.err, RP_OK);
		cr_assert(!repair_found_damage(&checking.report));
	}
	while (!checking.ended)
		cr_assert_eq(task_yield(task), RP_OK);
	volume_close(volume);
	cr_assert_eq(store_close(task, checking.store), RP_OK);
}

static uint64_t digest_files(struct task *task)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries;
	struct arena arena;
	size_t count;
	uint64_t digest = 0;

	userid_path(&made_user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++)
		digest += XXH3_64bits(entries[i].name.p, entries[i].name.n);
	arena_fini(&arena);
	return digest;
}

/* There is work for a checkpoint, but who looks does not begin it. */
IO_TASK_TEST(repair, a_check_writes_no_files)
{
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	unsigned lines;
	uint64_t digest;
	char name[] = "000";

	(void)arg;
	made_mail(task, &digest);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	for (unsigned i = 0; i < 2 * CHECKPOINT_BYTES_MIN / 100; i++) {
		snprintf(name, sizeof(name), "%03u", i % 1000);
		cr_assert_eq(
		    volume_subscribe(task, volume, bytes_of_str(name), i % 2000 < 1000), RP_OK);
	}
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm(task, MADE_INDEX, true);
	made_harm(task, MADE_CATALOG, true);
	digest = digest_files(task);
	check(task, &report, &lines);
	cr_assert(!repair_found_damage(&report));
	cr_assert_gt(report.derived_gone, 0);
	cr_assert_eq(lines, report.derived_gone);
	cr_assert_eq(digest_files(task), digest);
}

/* Each is named, by what was made behind it. */
IO_TASK_TEST(repair, a_derived_file_that_is_gone_is_named)
{
	static const char *const ends[] = {".catalog", ".index"};
	struct repair_report report;
	struct said said = {0};
	struct store *store;
	uint64_t digest;

	(void)arg;
	made_mail(task, &digest);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		char dir[USERID_PATH_BYTES];
		char path[VOLUME_PATH_BYTES] = "";
		char line[VOLUME_PATH_BYTES];
		struct dir_entry *entries;
		struct arena arena;
		size_t count;
		size_t dot;

		store = made_open_store(task, 2 + i);
		cr_assert_eq(repair_rebuild(task, store, &made_user, NULL, NULL, &report), RP_OK);
		cr_assert_eq(store_close(task, store), RP_OK);
		userid_path(&made_user, dir);
		arena_init(&arena, 65536);
		cr_assert_eq(
		    dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
		for (size_t k = 0; k < count; k++) {
			struct bytes name = entries[k].name;

			dot = name.n - num_min(name.n, strlen(ends[i]));
			if (!bytes_eq(bytes_from(name, dot), bytes_of_str(ends[i])))
				continue;
			snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(name));
			snprintf(line, sizeof(line), "%.*s is gone: ", BYTES_FMT(name));
		}
		arena_fini(&arena);
		cr_assert_neq(path[0], '\0');
		cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
		said = (struct said){0};
		store = made_open_store(task, 2 + i);
		cr_assert_eq(
		    repair_check(task, store, &made_user, said_keep, &said, &report), RP_OK);
		cr_assert_eq(store_close(task, store), RP_OK);
		cr_assert_eq(report.derived_gone, 1);
		cr_assert(!repair_found_damage(&report));
		cr_assert(said.n > strlen(line) && memcmp(said.text, line, strlen(line)) == 0);
	}
}

static void repair_task(struct task *task, void *arg)
{
	struct repairing *repairing = arg;
	struct repair_report report;

	repairing->err = repair_rebuild(task, repairing->store, &made_user, NULL, NULL, &report);
	repairing->ended = true;
}

/* Who comes while a user's mail is taken apart is told to come again, at whatever moment it is. */
static void knock_while_repaired(struct task *task, enum made_file removed)
{
	struct repairing repairing = {0};
	struct repair_report report;
	struct volume *volume;
	uint64_t digest;
	unsigned refused = 0;

	made_mail(task, &digest);
	if (removed == MADE_JOURNAL)
		made_harm(task, MADE_JOURNAL, true);
	repairing.store = made_open_store(task, 2);
	cr_assert_eq(task_start(task_loop(task), repair_task, &repairing, NULL), RP_OK);
	cr_assert_eq(task_yield(task), RP_OK);
	for (; !repairing.ended; (void)!task_yield(task)) {
		enum rp_err err = volume_open(task, repairing.store, &made_user, &volume);

		if (err == RP_OK) {
			volume_close(volume);
			continue;
		}
		cr_assert_eq(err, RP_ERR_UNAVAILABLE);
		cr_assert_eq(repair_rebuild(task, repairing.store, &made_user, NULL, NULL, &report),
		    RP_ERR_BUSY);
		refused++;
	}
	cr_assert_gt(refused, 0);
	cr_assert_eq(repairing.err, RP_OK);
	cr_assert_eq(volume_open(task, repairing.store, &made_user, &volume), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21);
	volume_close(volume);
	cr_assert_eq(store_close(task, repairing.store), RP_OK);
}

IO_TASK_TEST(repair, a_client_at_the_door_waits_till_he_is_repaired)
{
	(void)arg;
	knock_while_repaired(task, MADE_INDEX);
}

IO_TASK_TEST(repair, a_client_at_the_door_waits_till_bodies_are_read)
{
	(void)arg;
	knock_while_repaired(task, MADE_JOURNAL);
}

static void assert_body(struct task *task, struct mailbox *mailbox, uint32_t uid, const char *text)
{
	struct dbox_body *body;
	char found[128];
	size_t got;

	cr_assert_eq(mailbox_body_open(task, mailbox, uid, &body), RP_OK);
	cr_assert_eq(dbox_body_read(task, body, 0, found, sizeof(found), &got), RP_OK);
	cr_assert(bytes_eq(bytes_of(found, got), bytes_of_str(text)));
	dbox_body_close(body);
}

/* With the journals gone: with a catalog, and without one, by what the dbox file begins with. */
static void from_bodies(struct task *task, bool catalog_too)
{
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	struct mailbox *mailbox;
	uint64_t digest;
	uint32_t uidvalidity;
	unsigned lines = 0;

	made_mail(task, &digest);
	store = made_open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	uidvalidity = volume_find(volume, BYTES_LIT("INBOX"))->uidvalidity;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	made_harm(task, MADE_JOURNAL, true);
	store = made_open_store(task, 3);
	if (catalog_too) {
		char path[VOLUME_PATH_BYTES];
		char dir[USERID_PATH_BYTES];

		userid_path(&made_user, dir);
		for (unsigned lsn = 1; lsn < 100; lsn++) {
			snprintf(path, sizeof(path), "%s/%u.catalog", dir, lsn);
			cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
		}
	} else {
		/* Nobody begins anew beside what was lost. */
		cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_ERR_CORRUPT);
	}
	cr_assert_eq(repair_rebuild(task, store, &made_user, count_line, &lines, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(report.messages, 41);
	cr_assert_gt(lines, 0);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("INBOX"), &mailbox), RP_OK);
	cr_assert_neq(mailbox_entry(mailbox)->uidvalidity, uidvalidity);
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, 21);
	cr_assert_eq(mailbox_entry(mailbox)->unseen_count, 1);
	assert_body(task, mailbox, 21, "the last");
	mailbox_close(mailbox);
	cr_assert_eq(mailbox_open(task, volume, BYTES_LIT("a/b"), &mailbox), RP_OK);
	cr_assert_eq(mailbox_entry(mailbox)->messages_count, 20);
	assert_body(task, mailbox, 1, "one in a/b");
	mailbox_close(mailbox);
	made_append(task, volume, "a/b", 0, "and life goes on");
	digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = made_open_store(task, 4);
	cr_assert_eq(volume_open(task, store, &made_user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair, without_journals_bodies_and_a_catalog_are_enough)
{
	(void)arg;
	from_bodies(task, false);
}

IO_TASK_TEST(repair, without_journals_and_catalog_bodies_are_enough)
{
	(void)arg;
	from_bodies(task, true);
}
