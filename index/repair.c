#include "index/repair.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/apply.h"
#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/dbox/dbox_format.h"
#include "index/dbox/dbox_scan.h"
#include "index/mailbox_state.h"
#include "index/repair_core.h"
#include "index/replay.h"
#include "index/volume_files.h"
#include "index/volume_floor.h"
#include "io/base/num.h"

enum {
	REPAIR_LINE_BYTES_MAX = 1024,
	REPAIR_LIST_BYTES_MAX = 32 * 1024 * 1024, /* the names in a directory */
	REPAIR_POLL_NS = 1000 * 1000,
};

void repair_say(struct repair *repair, const char *format, ...)
{
	char line[REPAIR_LINE_BYTES_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || repair->say == NULL)
		return;
	repair->say(repair->arg,
	    bytes_of(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1));
}

bool repair_found_damage(const struct repair_report *report)
{
	return report->records_missing != 0 || report->records_unsound != 0 ||
	       report->bodies_damaged != 0 || report->mailboxes_wrong != 0 ||
	       report->messages_bodiless != 0 || report->journals_gone;
}

struct journal_check {
	struct repair *repair;
	struct replay replay; /* into a catalog of its own, from the first record on */
	struct catalog catalog;
};

static enum rp_err take_change(
    struct task *task, void *arg, const struct record_header *header, struct bytes payload)
{
	struct journal_check *check = arg;

	(void)task;
	return apply_to_catalog(&check->catalog, NULL, header->lsn, payload);
}

static enum rp_err check_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct journal_check *check = arg;
	struct repair *repair = check->repair;
	enum rp_err err;

	if (record == NULL) {
		repair->report->records_missing += missing_last - missing_first + 1;
		repair_say(repair, "journal: records %llu to %llu are lost",
		    (unsigned long long)missing_first, (unsigned long long)missing_last);
	} else {
		repair->report->records++;
		if (change_check(record->payload) != RP_OK) {
			repair->report->records_unsound++;
			repair_say(repair, "journal: record %llu is not sound",
			    (unsigned long long)record->header.lsn);
		}
	}
	err = replay_record(task, &check->replay, record, missing_first, missing_last);
	return err == RP_OK ? task_pause(task) : err;
}

static bool same_entry(const struct catalog_entry *a, const struct catalog_entry *b)
{
	return bytes_eq(a->name, b->name) && a->mailboxid == b->mailboxid &&
	       a->special_use == b->special_use && a->subscribed == b->subscribed &&
	       a->uidvalidity == b->uidvalidity && a->uidnext == b->uidnext &&
	       a->highestmodseq == b->highestmodseq && a->messages_count == b->messages_count &&
	       a->unseen_count == b->unseen_count && a->deleted_count == b->deleted_count &&
	       a->bytes == b->bytes;
}

/* The catalog in memory (from its file and what followed) against the journal alone. */
static void compare_catalogs(struct repair *repair, const struct catalog *replayed)
{
	const struct catalog *catalog = &repair->volume->catalog;

	for (size_t i = 0; i < catalog->count; i++) {
		const struct catalog_entry *entry = &catalog->by_name[i]->entry;
		const struct catalog_node *node = catalog_find(replayed, entry->name);

		repair->report->mailboxes += entry->mailboxid != 0;
		if (node != NULL && same_entry(entry, &node->entry))
			continue;
		repair->report->mailboxes_wrong++;
		repair_say(repair, "catalog: mailbox %llu is not as the journal says",
		    (unsigned long long)entry->mailboxid);
	}
	if (catalog->count == replayed->count)
		return;
	repair->report->mailboxes_wrong++;
	repair_say(repair, "catalog: it has %zu names, the journal %zu", catalog->count,
	    replayed->count);
}

static enum rp_err check_journal(struct task *task, struct repair *repair)
{
	struct volume *volume = repair->volume;
	struct journal_check check = { .repair = repair };
	enum rp_err err = commit_wait(task, volume->store->commit, volume->position);

	if (err == RP_OK)
		err = settle_flush(task, volume->store->commit, &volume->settle);
	if (err != RP_OK)
		return err;
	catalog_init(&check.catalog, volume->catalog.names.key);
	replay_init(&check.replay, NULL, take_change, &check, 0);
	err = journal_replay(task, volume->journal, 0, check_record, &check);
	if (err == RP_OK && journal_damaged(volume->journal) != 0 &&
	    repair->report->records_missing == 0) {
		repair->report->records_missing++;
		repair_say(repair, "journal: what lay behind record %llu is damaged",
		    (unsigned long long)check.replay.lsn);
	}
	/* Changes that came meanwhile would look like faults: then only the journal was looked at. */
	if (err == RP_OK && check.replay.lsn == volume->catalog.lsn)
		compare_catalogs(repair, &check.catalog);
	replay_fini(&check.replay);
	catalog_fini(&check.catalog);
	return err;
}

static const char *name_of(const struct repair *repair, uint64_t mailboxid, size_t *n)
{
	const struct catalog_node *node = catalog_by_id(&repair->volume->catalog, mailboxid);

	*n = node != NULL ? node->entry.name.n : 0;
	return node != NULL ? (const char *)node->entry.name.p : "";
}

/* A message, and where its body lies. */
static void say_body(struct repair *repair, uint64_t mailboxid, uint32_t uid, struct dbox_ref ref,
    const char *what)
{
	size_t n;
	const char *name = name_of(repair, mailboxid, &n);

	repair_say(repair, "mailbox %llu (%.*s), UID %u, %u.dbox at %llu: %s",
	    (unsigned long long)mailboxid, (int)n, name, uid, ref.file,
	    (unsigned long long)ref.offset * DBOX_RECORD_ALIGN, what);
}

static enum rp_err keep_unsound(struct repair *repair, struct dbox_ref ref)
{
	if (repair->unsound_count == repair->unsound_max) {
		size_t max = 2 * repair->unsound_max + 64;
		struct dbox_ref *p = realloc(repair->unsound, max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		repair->unsound = p;
		repair->unsound_max = max;
	}
	repair->unsound[repair->unsound_count++] = ref;
	return RP_OK;
}

static bool is_unsound(const struct repair *repair, struct dbox_ref ref)
{
	for (size_t i = 0; i < repair->unsound_count; i++)
		if (repair->unsound[i].file == ref.file && repair->unsound[i].offset == ref.offset)
			return true;
	return false;
}

static enum rp_err look_at_body(struct task *task, void *arg, const struct dbox_found *found)
{
	struct repair *repair = arg;

	(void)task;
	if (found->sound)
		return RP_OK;
	/* A large body that a crash overtook leaves such a thing, and no message that has it; if one has, it is told of there. */
	if (found->message.uid != 0)
		repair->report->bodies_damaged++;
	return keep_unsound(repair, found->ref);
}

static enum rp_err check_bodies(struct task *task, struct repair *repair)
{
	struct dbox *dbox = repair->volume->dbox;
	enum rp_err err = RP_OK;

	for (uint32_t file = 1; err == RP_OK && file <= dbox_last_file(dbox); file++) {
		struct dbox_scan_report found = { 0 };
		uint64_t before = repair->report->bodies_damaged;
		struct arena arena;
		struct bytes names;

		arena_init(&arena, DBOX_NAMES_BYTES_MAX + 65536);
		err = dbox_scan(task, dbox, file, &arena, &names, look_at_body, repair, &found);
		arena_fini(&arena);
		if (err == RP_ERR_NOTFOUND) {
			err = RP_OK;
			continue;
		}
		repair->report->bodies += found.records;
		if (err == RP_ERR_CORRUPT) {
			/* Each message that lies in it is told of; a crash may leave one in which nothing lies. */
			repair_say(repair, "%u.dbox: its header is lost", file);
			err = RP_OK;
		} else if (repair->report->bodies_damaged != before) {
			repair_say(repair, "%u.dbox: %llu bodies are damaged", file,
			    (unsigned long long)(repair->report->bodies_damaged - before));
		}
	}
	return err;
}

/* Derived files are written when their changes are durable: one that is ahead of the journal knows that records are lost. */
static enum rp_err check_ahead(struct task *task, struct repair *repair)
{
	struct volume *volume = repair->volume;
	struct volume_files files;
	struct arena arena;
	uint64_t lsn = 0;
	enum rp_err err;

	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = volume_files_list(task, volume->dir, &arena, &files);
	for (size_t i = 0; err == RP_OK && i < files.count; i++)
		lsn = num_max(lsn, volume_file_parse(files.entries[i].name).lsn);
	arena_fini(&arena);
	if (err == RP_OK && lsn > volume->catalog.lsn) {
		repair->report->records_missing += lsn - volume->catalog.lsn;
		repair_say(repair, "journal: records %llu to %llu are lost",
		    (unsigned long long)volume->catalog.lsn + 1, (unsigned long long)lsn);
	}
	return err;
}

static bool same_row(const struct table_row *a, const struct table_row *b)
{
	return a->uid == b->uid && a->flags == b->flags && a->modseq == b->modseq &&
	       a->internaldate.seconds == b->internaldate.seconds &&
	       a->internaldate.zone_min == b->internaldate.zone_min &&
	       a->sent.seconds == b->sent.seconds &&
	       a->rfc822_size_bytes == b->rfc822_size_bytes && a->savedate_s == b->savedate_s &&
	       a->body.file == b->body.file && a->body.offset == b->body.offset &&
	       a->emailid == b->emailid && a->threadid == b->threadid &&
	       a->keywords_count == b->keywords_count;
}

static enum rp_err check_body(struct task *task, struct repair *repair, uint64_t mailboxid,
    const struct table_row *row)
{
	struct volume *volume = repair->volume;
	struct dbox_body *body;
	enum rp_err err =
	    dbox_body_open(task, volume->dbox, &volume->settle, row->body, row->emailid, &body);

	if (err == RP_OK)
		dbox_body_close(body);
	if (err == RP_ERR_CANCELED || (err == RP_OK && !is_unsound(repair, row->body)))
		return err;
	repair->report->messages_bodiless++;
	say_body(repair, mailboxid, row->uid, row->body,
	    err == RP_OK ? "its body is damaged" : "its body cannot be read");
	return RP_OK;
}

/* Row by row: index and journal against the journal alone. */
static enum rp_err compare_tables(struct task *task, struct repair *repair, uint64_t mailboxid,
    struct table *table, struct table *replayed)
{
	uint32_t uid = 0;
	bool same = table_count(table) == table_count(replayed);
	enum rp_err err = table_prepare_rows(task, table, NULL); /* every column is read */

	if (err == RP_ERR_CORRUPT) {
		same = false;
		err = RP_OK;
	}
	while (err == RP_OK && uid < UINT32_MAX &&
	       (uid = table_uid_from(replayed, uid + 1, false)) != 0) {
		struct table_row a;
		struct table_row b;

		err = table_row(task, replayed, uid, false, &b, NULL);
		if (err != RP_OK)
			break;
		repair->report->messages++;
		same = table_row(task, table, uid, false, &a, NULL) == RP_OK && same_row(&a, &b) &&
		       same;
		err = check_body(task, repair, mailboxid, &b);
		if (err == RP_OK)
			err = task_pause(task);
	}
	if (!same) {
		repair->report->mailboxes_wrong++;
		repair_say(repair, "mailbox %llu: its index is not as the journal says",
		    (unsigned long long)mailboxid);
	}
	return err;
}

static enum rp_err check_mailbox(struct task *task, struct repair *repair, uint64_t mailboxid)
{
	struct volume *volume = repair->volume;
	const struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);
	uint64_t since = node->created_lsn > 0 ? node->created_lsn - 1 : 0;
	bool has_index = node->index_lsn != 0;
	struct table *table = NULL;
	struct table *replayed = NULL;
	enum rp_err err = table_new(volume->store->loop, mailboxid, &replayed);

	if (err == RP_OK)
		err = mailbox_catch_up(task, volume, mailboxid, replayed, since);
	if (err == RP_OK)
		err = mailbox_load(task, volume, mailboxid, &table);
	node = catalog_by_id(&volume->catalog, mailboxid);
	if (err == RP_OK && has_index && node != NULL && node->index_lsn == 0) {
		repair->report->mailboxes_wrong++; /* loading it has done without */
		repair_say(repair, "mailbox %llu: its index file is damaged",
		    (unsigned long long)mailboxid);
	}
	if (err == RP_OK)
		err = compare_tables(task, repair, mailboxid, table, replayed);
	table_free(table);
	table_free(replayed);
	return err;
}

static enum rp_err check_mailboxes(struct task *task, struct repair *repair)
{
	const struct catalog *catalog = &repair->volume->catalog;
	uint64_t last = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK) {
		size_t i = 0;

		while (i < catalog->ids_count && catalog->by_id[i]->entry.mailboxid <= last)
			i++;
		if (i == catalog->ids_count)
			break;
		last = catalog->by_id[i]->entry.mailboxid;
		err = check_mailbox(task, repair, last);
	}
	return err;
}

/* Without an open volume: which files are there. */
static enum rp_err look_at_files(struct task *task, struct store *store,
    const struct userid *userid, bool *any, bool *journals)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries = NULL;
	struct arena arena;
	size_t count = 0;
	enum rp_err err = RP_OK;

	*any = false;
	*journals = store->recover != NULL && recover_has(store->recover, userid);
	userid_path(userid, dir);
	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count);
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		struct bytes name = entries[i].name;
		size_t dot = bytes_find(name, 0, '.');

		*any = true;
		*journals = *journals || bytes_eq(bytes_from(name, dot), BYTES_LIT(".journal"));
	}
	arena_fini(&arena);
	*any = *any || *journals;
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

static enum rp_err check_open(struct task *task, struct repair *repair)
{
	enum rp_err err = compact_hold(task, repair->volume);

	if (err == RP_OK)
		err = check_journal(task, repair);
	if (err == RP_OK)
		err = check_ahead(task, repair);
	if (err == RP_OK)
		err = check_bodies(task, repair);
	if (err == RP_OK)
		err = check_mailboxes(task, repair);
	compact_let_go(repair->volume);
	free(repair->unsound);
	return err;
}

enum rp_err repair_check(struct task *task, struct store *store, const struct userid *userid,
    repair_say_fn *say, void *arg, struct repair_report *report)
{
	struct repair repair = { .say = say, .arg = arg, .report = report };
	bool any;
	bool journals;
	enum rp_err err = look_at_files(task, store, userid, &any, &journals);
	bool open = volume_is_open(store, userid);
	bool bare;

	*report = (struct repair_report){ 0 };
	if (err != RP_OK)
		return err;
	if (!any && !open)
		return RP_ERR_NOTFOUND;
	if (!journals && !open) {
		report->journals_gone = true;
		repair_say(&repair, "the journals are gone");
		return RP_OK;
	}
	/* Bare: what opening would write to mend numbers is no business of who only looks. */
	err = volume_open_bare(task, store, userid, &repair.volume);
	if (err != RP_OK)
		return err;
	err = check_open(task, &repair);
	bare = repair.volume->bare;
	volume_close(repair.volume);
	if (bare)
		(void)!volume_drop(task, store, userid); /* in use by now: it stays */
	return err;
}

static enum rp_err remove_derived(struct task *task, const struct userid *userid)
{
	char dir[USERID_PATH_BYTES];
	struct dir_entry *entries = NULL;
	struct arena arena;
	size_t count = 0;
	enum rp_err err;

	userid_path(userid, dir);
	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &entries, &count);
	for (size_t i = 0; err == RP_OK && i < count; i++) {
		char path[VOLUME_PATH_BYTES];

		if (volume_file_parse(entries[i].name).kind == VOLUME_FILE_OTHER)
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", dir, BYTES_FMT(entries[i].name));
		err = file_remove(task, FILE_ROOT_DATA, path);
	}
	arena_fini(&arena);
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

/* The journals are gone: what there is besides bodies is asked for names, and then in the way. */
static enum rp_err start_over(
    struct task *task, const struct volume_repair *user, struct repair *repair)
{
	const struct userid *userid = &user->userid;
	struct catalog names;
	struct hash_key key; /* the names are a client's, and this runs on a shard */
	enum rp_err err;

	loop_random(user->store->loop, &key, sizeof(key));
	catalog_init(&names, key);
	err = volume_read_catalog(task, userid, UINT64_MAX, &names);
	repair_say(repair, "the journals are gone: mailboxes are made anew from bodies%s",
	    err == RP_OK ? ", with the names of a catalog" : "");
	if (err == RP_OK || err == RP_ERR_NOTFOUND)
		err = remove_derived(task, userid);
	if (err == RP_OK)
		err = volume_repair_open(task, user, true, &repair->volume);
	if (err == RP_OK) {
		err = repair_from_bodies(task, repair, &names);
		repair->volume->bare = false;
	}
	catalog_fini(&names);
	return err;
}

/* With all derived files anew. What a catalog knows of numbers that were given out outlives it. */
static enum rp_err open_anew(
    struct task *task, const struct volume_repair *user, struct repair *repair)
{
	const struct userid *userid = &user->userid;
	struct catalog floor;
	struct hash_key key;
	enum rp_err err;
	bool any;

	loop_random(user->store->loop, &key, sizeof(key));
	catalog_init(&floor, key);
	err = volume_read_catalog(task, userid, UINT64_MAX, &floor);
	any = err == RP_OK;
	if (err == RP_OK || err == RP_ERR_NOTFOUND)
		err = remove_derived(task, userid);
	if (err == RP_OK)
		err = volume_repair_open(task, user, false, &repair->volume);
	if (err == RP_OK && any)
		err = volume_floor_raise(task, repair->volume, &floor);
	catalog_fini(&floor);
	return err;
}

static enum rp_err stop_at_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	(void)task;
	(void)missing_first;
	(void)missing_last;
	*(bool *)arg = *(bool *)arg || record != NULL;
	return record != NULL ? RP_ERR_END : RP_OK;
}

/* Journals in which no record can be read are as good as none. */
static enum rp_err have_records(
    struct task *task, struct store *store, const struct userid *userid, bool *any)
{
	char dir[USERID_PATH_BYTES];
	struct journal *journal;
	enum rp_err err;

	if (store->recover != NULL && recover_has(store->recover, userid))
		return RP_OK;
	*any = false;
	userid_path(userid, dir);
	err = journal_open(task, dir, userid, store->epoch, &journal);
	if (err != RP_OK)
		return err;
	err = journal_replay(task, journal, 0, stop_at_record, any);
	journal_close(journal);
	return err == RP_ERR_END ? RP_OK : err;
}

enum rp_err repair_rebuild(struct task *task, struct store *store, const struct userid *userid,
    repair_say_fn *say, void *arg, struct repair_report *report)
{
	struct repair repair = { .say = say, .arg = arg, .report = report };
	struct volume_repair user;
	bool any = false;
	bool journals = false;
	enum rp_err err = volume_repair_begin(task, store, userid, &user);

	*report = (struct repair_report){ 0 };
	if (err != RP_OK)
		return err;
	err = look_at_files(task, store, userid, &any, &journals);
	if (err == RP_OK && !any)
		err = RP_ERR_NOTFOUND;
	if (err == RP_OK && journals)
		err = have_records(task, store, userid, &journals);
	if (err == RP_OK)
		err = journals ? open_anew(task, &user, &repair) : start_over(task, &user, &repair);
	volume_repair_end(&user);
	while (err == RP_OK && (err = checkpoint_now(task, repair.volume)) == RP_ERR_BUSY)
		err = task_sleep(task, REPAIR_POLL_NS); /* one has begun by itself */
	if (err == RP_OK)
		err = check_open(task, &repair);
	volume_close(repair.volume);
	return err;
}
