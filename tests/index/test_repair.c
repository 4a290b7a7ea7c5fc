#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/dump.h"
#include "index/repair.h"
#include "index/volume_files.h"
#include "tests/index/model.h"
#include "tests/io/io_fixture.h"

static const struct userid user = { { 0x52, 0x45 } };

static struct store *open_store(struct task *task, uint64_t epoch)
{
	struct store_settings settings = { .shards_count = 1,
		.commit_file_bytes = 1024 * 1024,
		.unsettled_bytes_max = 4 * 1024 * 1024,
		.volumes_bytes_max = 1024 * 1024,
		.reader = &model_reader };
	struct store *store;
	const char *reason;

	cr_assert_eq(store_open(task, &settings, epoch, &store, &reason), RP_OK, "%s", reason);
	cr_assert_eq(store_recover(task, store), RP_OK);
	cr_assert_eq(store_recover_void(task, store), RP_OK);
	cr_assert_eq(store_recovered(task, store), RP_OK);
	return store;
}

static void append(struct task *task, struct volume *volume, const char *name, uint32_t flags,
    const char *text)
{
	struct append message = { .flags = flags, .internaldate = { 1700000000, 60 } };
	struct mailbox *mailbox;
	uint32_t first_uid;

	cr_assert_eq(mailbox_open(task, volume, bytes_of_str(name), &mailbox), RP_OK);
	cr_assert_eq(body_begin(task, volume, &message.body), RP_OK);
	cr_assert_eq(body_write(task, message.body, bytes_of_str(text)), RP_OK);
	cr_assert_eq(mailbox_append(task, mailbox, &message, 1, &first_uid), RP_OK);
	mailbox_close(mailbox);
}

/* A store with one user's mail, closed in order. */
static void make_mail(struct task *task, uint64_t *digest)
{
	struct store *store = open_store(task, 1);
	struct volume *volume;

	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(volume_create(task, volume, BYTES_LIT("a/b"), 0, NULL), RP_OK);
	for (unsigned i = 0; i < 20; i++) {
		append(task, volume, "INBOX", MAIL_SEEN, "one in INBOX, which is long enough to hit");
		append(task, volume, "a/b", MAIL_FLAGGED, "one in a/b");
	}
	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	append(task, volume, "INBOX", 0, "the last");
	*digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

enum what { JOURNAL, BODIES, INDEX };

static bool is_it(struct bytes name, enum what what)
{
	static const char *const end[] = { ".journal", ".dbox", ".index" };
	size_t n = strlen(end[what]);

	return name.n > n && memcmp(name.p + name.n - n, end[what], n) == 0;
}

/* Change bytes in the middle of each file of a kind, or remove them. */
static void harm(struct task *task, enum what what, bool removes)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries;
	struct arena arena;
	size_t count;
	unsigned met = 0;

	userid_path(&user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;
		uint64_t size;
		uint8_t bytes[128];
		size_t got;

		if (!is_it(entries[i].name, what))
			continue;
		met++;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		if (removes) {
			cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
			continue;
		}
		cr_assert_eq(
		    file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
		cr_assert_eq(file_size(task, file, &size), RP_OK);
		cr_assert_eq(
		    file_read(task, file, bytes, sizeof(bytes), size / 2, &got), RP_OK);
		for (size_t k = 0; k < got; k++)
			bytes[k] ^= 0x55;
		cr_assert_eq(file_write(task, file, bytes, got, size / 2, false), RP_OK);
		file_close(file);
	}
	arena_fini(&arena);
	cr_assert_gt(met, 0);
}

static void count_line(void *arg, struct bytes line)
{
	cr_assert_gt(line.n, 0);
	(*(unsigned *)arg)++;
}

static void check(struct task *task, struct repair_report *report, unsigned *lines)
{
	struct store *store = open_store(task, 2);

	*lines = 0;
	cr_assert_eq(repair_check(task, store, &user, count_line, lines, report), RP_OK);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair, what_is_sound_is_found_so)
{
	struct repair_report report;
	struct userid nobody = { { 9 } };
	struct store *store;
	unsigned lines;
	uint64_t digest;

	(void)arg;
	make_mail(task, &digest);
	check(task, &report, &lines);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(lines, 0);
	cr_assert_eq(report.messages, 41);
	cr_assert_eq(report.bodies, 41);
	cr_assert_eq(report.mailboxes, 8);
	cr_assert_geq(report.records, 43);
	store = open_store(task, 3);
	cr_assert_eq(repair_check(task, store, &nobody, count_line, &lines, &report),
	    RP_ERR_NOTFOUND);
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair, damage_of_each_kind_is_found)
{
	struct repair_report report;
	unsigned lines;
	uint64_t digest;

	(void)arg;
	make_mail(task, &digest);
	harm(task, INDEX, false);
	check(task, &report, &lines);
	cr_assert_geq(report.mailboxes_wrong, 1);
	harm(task, BODIES, false);
	check(task, &report, &lines);
	cr_assert_geq(report.bodies_damaged + report.messages_bodiless, 1);
	cr_assert_gt(lines, 0);
	harm(task, JOURNAL, false);
	check(task, &report, &lines);
	cr_assert_geq(report.records_missing + report.records_unsound, 1);
	harm(task, JOURNAL, true);
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

	userid_path(&user, path);
	strcat(path, "/");
	strcat(path, name);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	cr_assert_eq(file_read(task, file, &byte, 1, size - back, &got), RP_OK);
	byte ^= 0x10;
	cr_assert_eq(file_write(task, file, &byte, 1, size - back, false), RP_OK);
	file_close(file);
}

struct said {
	char text[4096];
	size_t n;
};

static void keep_line(void *arg, struct bytes line)
{
	struct said *said = arg;

	cr_assert_lt(said->n + line.n, sizeof(said->text));
	memcpy(said->text + said->n, line.p, line.n);
	said->n += line.n;
}

IO_TASK_TEST(repair, a_damaged_body_is_named)
{
	struct repair_report report;
	struct said said = { 0 };
	struct store *store;
	uint64_t digest;

	(void)arg;
	make_mail(task, &digest);
	flip_near_end(task, "1.dbox", 16); /* in the last one's text, behind its header */
	store = open_store(task, 2);
	cr_assert_eq(repair_check(task, store, &user, keep_line, &said, &report), RP_OK);
	cr_assert_eq(report.bodies_damaged, 1);
	cr_assert_eq(report.messages_bodiless, 1);
	cr_assert_not_null(strstr(said.text, "mailbox 1 (INBOX), UID 21, 1.dbox at "), "%s", said.text);
	cr_assert_eq(store_close(task, store), RP_OK);
}

/* No later record tells of it, so nothing is missing between two. */
IO_TASK_TEST(repair, damage_to_the_last_record_is_found)
{
	struct repair_report report;
	unsigned lines;
	uint64_t digest;

	(void)arg;
	make_mail(task, &digest);
	flip_near_end(task, "1-.journal", 16);
	check(task, &report, &lines);
	cr_assert_eq(report.records_missing, 1);
	cr_assert_gt(lines, 0);
}

/* Records are gone without a trace in the journal, and an index has them. */
IO_TASK_TEST(repair, a_journal_that_is_behind_is_found)
{
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	struct file *file;
	char path[VOLUME_PATH_BYTES];
	unsigned lines;
	uint64_t digest;
	uint64_t size;
	uint64_t modseq;

	(void)arg;
	make_mail(task, &digest);
	store = open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(checkpoint_now(task, volume), RP_OK);
	modseq = volume_find(volume, BYTES_LIT("INBOX"))->highestmodseq;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	userid_path(&user, path);
	strcat(path, "/1-.journal");
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	cr_assert_eq(file_size(task, file, &size), RP_OK);
	cr_assert_eq(file_truncate(task, file, size - 120), RP_OK);
	file_close(file);
	check(task, &report, &lines);
	cr_assert_geq(report.records_missing, 1);
	cr_assert_gt(lines, 0);

	/* What was given out and shown is not given out again: neither by opening nor by repair. */
	store = open_store(task, 3);
	for (unsigned i = 0; i < 2; i++) {
		const struct catalog_entry *entry;

		cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
		entry = volume_find(volume, BYTES_LIT("INBOX"));
		cr_assert_eq(entry->messages_count, 20);
		cr_assert_geq(entry->uidnext, 22);
		cr_assert_gt(entry->highestmodseq, modseq);
		volume_close(volume);
		cr_assert_eq(repair_rebuild(task, store, &user, NULL, NULL, &report), RP_OK);
	}
	cr_assert_eq(store_close(task, store), RP_OK);
}

IO_TASK_TEST(repair, derived_files_are_made_anew_from_the_journals)
{
	struct repair_report report;
	struct store *store;
	struct volume *volume;
	uint64_t digest;

	(void)arg;
	make_mail(task, &digest);
	harm(task, INDEX, false);
	store = open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(repair_rebuild(task, store, &user, NULL, NULL, &report), RP_ERR_BUSY);
	volume_close(volume);
	cr_assert_eq(repair_rebuild(task, store, &user, NULL, NULL, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(model_digest(task, volume), digest);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}

struct repairing {
	struct store *store;
	enum rp_err err;
	bool ended;
};

static void repair_task(struct task *task, void *arg)
{
	struct repairing *repairing = arg;
	struct repair_report report;

	repairing->err = repair_rebuild(task, repairing->store, &user, NULL, NULL, &report);
	repairing->ended = true;
}

/* Who comes while a user's mail is taken apart is told to come again, at whatever moment it is. */
static void knock_while_repaired(struct task *task, enum what removed)
{
	struct repairing repairing = { 0 };
	struct repair_report report;
	struct volume *volume;
	uint64_t digest;
	unsigned refused = 0;

	make_mail(task, &digest);
	if (removed == JOURNAL)
		harm(task, JOURNAL, true);
	repairing.store = open_store(task, 2);
	cr_assert_eq(task_start(task_loop(task), repair_task, &repairing, NULL), RP_OK);
	cr_assert_eq(task_yield(task), RP_OK);
	for (; !repairing.ended; (void)!task_yield(task)) {
		enum rp_err err = volume_open(task, repairing.store, &user, &volume);

		if (err == RP_OK) {
			volume_close(volume);
			continue;
		}
		cr_assert_eq(err, RP_ERR_UNAVAILABLE);
		cr_assert_eq(repair_rebuild(task, repairing.store, &user, NULL, NULL, &report),
		    RP_ERR_BUSY);
		refused++;
	}
	cr_assert_gt(refused, 0);
	cr_assert_eq(repairing.err, RP_OK);
	cr_assert_eq(volume_open(task, repairing.store, &user, &volume), RP_OK);
	cr_assert_eq(volume_find(volume, BYTES_LIT("INBOX"))->messages_count, 21);
	volume_close(volume);
	cr_assert_eq(store_close(task, repairing.store), RP_OK);
}

IO_TASK_TEST(repair, a_client_at_the_door_waits_till_he_is_repaired)
{
	(void)arg;
	knock_while_repaired(task, INDEX);
}

IO_TASK_TEST(repair, a_client_at_the_door_waits_till_bodies_are_read)
{
	(void)arg;
	knock_while_repaired(task, JOURNAL);
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

	make_mail(task, &digest);
	store = open_store(task, 2);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	uidvalidity = volume_find(volume, BYTES_LIT("INBOX"))->uidvalidity;
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	harm(task, JOURNAL, true);
	store = open_store(task, 3);
	if (catalog_too) {
		char path[VOLUME_PATH_BYTES];
		char dir[USERID_PATH_BYTES];

		userid_path(&user, dir);
		for (unsigned lsn = 1; lsn < 100; lsn++) {
			snprintf(path, sizeof(path), "%s/%u.catalog", dir, lsn);
			cr_assert_eq(file_remove(task, FILE_ROOT_DATA, path), RP_OK);
		}
	} else {
		/* Nobody begins anew beside what was lost. */
		cr_assert_eq(volume_open(task, store, &user, &volume), RP_ERR_CORRUPT);
	}
	cr_assert_eq(repair_rebuild(task, store, &user, count_line, &lines, &report), RP_OK);
	cr_assert(!repair_found_damage(&report));
	cr_assert_eq(report.messages, 41);
	cr_assert_gt(lines, 0);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
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
	append(task, volume, "a/b", 0, "and life goes on");
	digest = model_digest(task, volume);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
	store = open_store(task, 4);
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
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

struct lines {
	unsigned count;
	unsigned records;
	unsigned bodies;
	unsigned mailboxes;
	bool sound;
};

static enum rp_err take_line(void *arg, struct bytes line)
{
	struct lines *lines = arg;

	lines->count++;
	lines->records += bytes_starts_with(line, BYTES_LIT("record at "));
	lines->bodies += bytes_starts_with(line, BYTES_LIT("body at "));
	lines->mailboxes += bytes_starts_with(line, BYTES_LIT("mailbox "));
	for (size_t i = 0; i < line.n; i++)
		cr_assert(line.p[i] >= 0x20 && line.p[i] != 0x7f);
	return RP_OK;
}

/* Dump each file as it is, cut short anywhere, and with a byte changed. */
static void dump_all(const uint8_t *p, size_t n, struct lines *lines)
{
	uint8_t *copy = malloc(n + 1);
	uint64_t state = n;

	cr_assert_eq(dump_file(bytes_of(p, n), take_line, lines), RP_OK);
	for (unsigned i = 0; i < 60; i++) {
		struct lines ignored = { 0 };
		size_t cut = model_random(&state) % (n + 1);
		enum rp_err err;

		memcpy(copy, p, n);
		copy[model_random(&state) % n] ^= (uint8_t)(1 + model_random(&state) % 255);
		err = dump_file(bytes_of(copy, cut), take_line, &ignored);
		cr_assert(err == RP_OK || err == RP_ERR_CORRUPT);
		cr_assert_gt(ignored.count, 0);
	}
	free(copy);
}

IO_TASK_TEST(repair, any_file_is_dumped)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries;
	struct arena arena;
	struct lines lines = { 0 };
	size_t count;
	uint64_t digest;

	(void)arg;
	make_mail(task, &digest);
	userid_path(&user, dir);
	arena_init(&arena, 65536);
	cr_assert_eq(dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count), RP_OK);
	for (size_t i = 0; i < count; i++) {
		char path[VOLUME_PATH_BYTES];
		struct file *file;
		uint64_t size;
		uint8_t *p;
		size_t got;

		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file), RP_OK);
		cr_assert_eq(file_size(task, file, &size), RP_OK);
		p = malloc(size + 1);
		cr_assert_eq(file_read(task, file, p, size, 0, &got), RP_OK);
		file_close(file);
		dump_all(p, got, &lines);
		free(p);
	}
	arena_fini(&arena);
	cr_assert_geq(lines.records, 43);
	cr_assert_eq(lines.bodies, 41);
	cr_assert_eq(lines.mailboxes, 8);
}
