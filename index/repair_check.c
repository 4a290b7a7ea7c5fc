/* Whether an open volume's files are sound: repair_look() of repair_core.h. Nothing is changed. */
#include <stdio.h>
#include <stdlib.h>

#include "index/compact.h"
#include "index/dbox/dbox_format.h"
#include "index/dbox/dbox_scan.h"
#include "index/mailbox_state.h"
#include "index/repair_core.h"
#include "index/volume_files.h"
#include "io/base/num.h"
#include "io/base/runs.h"

enum { LEVEL_TRIES_MAX = 64 };

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

/* It was just being written when it was met, and is whole by now. */
static enum rp_err is_whole_now(
    struct task *task, struct repair *repair, const struct dbox_found *found, bool *whole)
{
	struct volume *volume = repair->volume;
	uint8_t *p = malloc(DBOX_BLOCK_BYTES);
	struct dbox_body *body = NULL;
	size_t got = 0;
	enum rp_err err = p != NULL ? dbox_body_open(task, volume->dbox, &volume->settle, found->ref,
	                                  found->message.emailid, &body)
	                            : RP_ERR_NOMEM;

	for (uint64_t at = 0; err == RP_OK && at < dbox_body_bytes(body); at += got) {
		err = dbox_body_read(task, body, at, p, DBOX_BLOCK_BYTES, &got);
		if (err == RP_OK && got == 0)
			err = RP_ERR_CORRUPT;
	}
	*whole = err == RP_OK;
	if (body != NULL)
		dbox_body_close(body);
	free(p);
	return err == RP_ERR_CANCELED || err == RP_ERR_NOMEM ? err : RP_OK;
}

static enum rp_err look_at_body(struct task *task, void *arg, const struct dbox_found *found)
{
	struct repair *repair = arg;
	bool whole = found->sound;
	enum rp_err err = whole ? RP_OK : is_whole_now(task, repair, found, &whole);

	if (err != RP_OK || whole)
		return err;
	/* A large body that a crash overtook leaves such a thing, and no message that has it; if one has, it is told of there. */
	if (found->message.uid != 0)
		repair->report->bodies_damaged++;
	return keep_unsound(repair, found->ref);
}

static enum rp_err check_bodies(struct task *task, struct repair *repair)
{
	struct dbox *dbox = repair->volume->dbox;
	uint32_t file = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (file = dbox_next_file(dbox, file)) != 0) {
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
		if (found.header_lost) {
			repair->report->headers_lost++;
			repair_say(repair,
			    "%u.dbox at 0: its header is lost; its bodies are not, a repair writes "
			    "it anew",
			    file);
		}
		if (err == RP_ERR_IO) {
			repair->report->bodies_damaged++;
			repair_say(repair, "%u.dbox: it cannot be read", file);
			err = RP_OK;
		} else if (err == RP_ERR_CORRUPT) {
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

static enum rp_err keep_lost(struct repair *repair, uint64_t mailboxid, uint32_t uid)
{
	if (repair->lost_count == repair->lost_max) {
		size_t max = 2 * repair->lost_max + 64;
		struct repair_lost *p = realloc(repair->lost, max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		repair->lost = p;
		repair->lost_max = max;
	}
	repair->lost[repair->lost_count++] = (struct repair_lost){ mailboxid, uid };
	return RP_OK;
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
	if (err == RP_ERR_CANCELED || err == RP_ERR_NOMEM ||
	    (err == RP_OK && !is_unsound(repair, row->body)))
		return err;
	repair->report->messages_bodiless++;
	if (err != RP_ERR_IO) {
		enum rp_err kept = keep_lost(repair, mailboxid, row->uid);

		if (kept != RP_OK)
			return kept;
	}
	say_body(repair, mailboxid, row->uid, row->body,
	    err == RP_OK ? "its body is damaged" : "its body cannot be read");
	return RP_OK;
}

/* What UIDs are to be named in one line, at most. */
enum { UIDS_NAMED_MAX = 16 };

static void list_uids(const struct runs *uids, char *text, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < uids->count && i < UIDS_NAMED_MAX; i++) {
		const struct run *run = &uids->run[i];
		const char *comma = i > 0 ? "," : "";
		int put = run->first == run->last
		    ? snprintf(text + at, n - at, "%s%u", comma, run->first)
		    : snprintf(text + at, n - at, "%s%u-%u", comma, run->first, run->last);

		at += (size_t)put;
	}
	if (uids->count > UIDS_NAMED_MAX)
		snprintf(text + at, n - at, ", ...");
}

/* uids: of which index and journal say different things. Where records are lost they are among those that were changed by them. */
static void say_different(struct repair *repair, uint64_t mailboxid, const struct runs *uids)
{
	bool lost = repair->report->records_missing != 0;
	char text[UIDS_NAMED_MAX * 24 + 8];
	size_t n;
	const char *name = name_of(repair, mailboxid, &n);

	repair->report->mailboxes_wrong++;
	if (uids->count == 0) {
		repair_say(repair, "mailbox %llu (%.*s): its index is not as the journal says",
		    (unsigned long long)mailboxid, (int)n, name);
		return;
	}
	list_uids(uids, text, sizeof(text));
	repair_say(repair, "mailbox %llu (%.*s), UID %s: %s", (unsigned long long)mailboxid, (int)n,
	    name, text,
	    lost ? "the index knows of what lost records said"
	         : "the index is not as the journal says");
}

/* The least UID above this one that either has; 0: none. */
static uint32_t next_uid(const struct table *a, const struct table *b, uint32_t uid)
{
	uint32_t first = uid < UINT32_MAX ? table_uid_from(a, uid + 1, false) : 0;
	uint32_t second = uid < UINT32_MAX ? table_uid_from(b, uid + 1, false) : 0;

	if (first == 0 || second == 0)
		return first + second;
	return (uint32_t)num_min(first, second);
}

/* Row by row: index and journal against the journal alone. What only the index has may be there too. */
static enum rp_err compare_rows(struct task *task, struct repair *repair, uint64_t mailboxid,
    struct table *table, struct table *replayed, struct runs *different)
{
	uint32_t uid = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (uid = next_uid(table, replayed, uid)) != 0) {
		struct table_row a;
		struct table_row b;
		bool in_table = table_row(task, table, uid, false, &a, NULL) == RP_OK;
		bool in_journal = table_has(replayed, uid, false);

		if (in_journal)
			err = table_row(task, replayed, uid, false, &b, NULL);
		if (err == RP_OK && !(in_table && in_journal && same_row(&a, &b)))
			err = runs_add(different, uid, uid);
		repair->report->messages++;
		if (err == RP_OK && (in_table || in_journal))
			err = check_body(task, repair, mailboxid, in_journal ? &b : &a);
		if (err == RP_OK)
			err = task_pause(task);
	}
	return err;
}

static enum rp_err compare_tables(struct task *task, struct repair *repair, uint64_t mailboxid,
    struct table *table, struct table *replayed)
{
	struct runs different = RUNS_EMPTY;
	enum rp_err err = table_prepare_rows(task, table, NULL); /* every column is read */
	bool damaged = err == RP_ERR_CORRUPT;

	if (err == RP_OK || damaged)
		err = compare_rows(task, repair, mailboxid, table, replayed, &different);
	if (err == RP_OK && (damaged || different.count > 0))
		say_different(repair, mailboxid, &different);
	runs_fini(&different);
	return err;
}

/* One mailbox, by index and journal and by the journal alone; the LSN up to which each has all. */
struct twice {
	struct table *table;
	uint64_t table_lsn;
	struct table *replayed;
	uint64_t replayed_lsn;
};

/* RP_ERR_NOTFOUND: it was deleted meanwhile. */
static enum rp_err read_twice(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct twice *twice)
{
	uint64_t created = catalog_by_id(&volume->catalog, mailboxid)->created_lsn;
	enum rp_err err = table_new(volume->store->loop, mailboxid, &twice->replayed);

	if (err == RP_OK)
		err = mailbox_catch_up(task, volume, mailboxid, twice->replayed,
		    created > 0 ? created - 1 : 0);
	twice->replayed_lsn = volume->catalog.lsn;
	if (err == RP_OK && catalog_by_id(&volume->catalog, mailboxid) == NULL)
		err = RP_ERR_NOTFOUND;
	if (err == RP_OK)
		err = mailbox_load(task, volume, mailboxid, &twice->table);
	twice->table_lsn = volume->catalog.lsn;
	return err;
}

/* Until both have the same, whoever changes the mailbox meanwhile. RP_ERR_BUSY: he does it too much. */
static enum rp_err level(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct twice *twice)
{
	enum rp_err err = RP_OK;

	for (unsigned i = 0; err == RP_OK && i < LEVEL_TRIES_MAX; i++) {
		const struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);
		bool behind = twice->replayed_lsn < twice->table_lsn;
		uint64_t *lsn = behind ? &twice->replayed_lsn : &twice->table_lsn;

		if (node == NULL)
			return RP_ERR_NOTFOUND;
		if (*lsn >= node->changed_lsn)
			return RP_OK;
		err = mailbox_catch_up(
		    task, volume, mailboxid, behind ? twice->replayed : twice->table, *lsn);
		*lsn = volume->catalog.lsn;
	}
	return err == RP_OK ? RP_ERR_BUSY : err;
}

static enum rp_err check_mailbox(struct task *task, struct repair *repair, uint64_t mailboxid)
{
	struct volume *volume = repair->volume;
	const struct catalog_node *node = catalog_by_id(&volume->catalog, mailboxid);
	bool has_index = node->index_lsn != 0;
	struct twice twice = {.table = NULL};
	enum rp_err err = read_twice(task, volume, mailboxid, &twice);

	node = catalog_by_id(&volume->catalog, mailboxid);
	if (err == RP_OK && has_index && node != NULL && node->index_lsn == 0) {
		repair->report->mailboxes_wrong++; /* loading it has done without */
		repair_say(repair, "mailbox %llu: its index file is damaged",
		    (unsigned long long)mailboxid);
	}
	if (err == RP_OK)
		err = level(task, volume, mailboxid, &twice);
	if (err == RP_OK)
		err = compare_tables(task, repair, mailboxid, twice.table, twice.replayed);
	table_free(twice.table);
	table_free(twice.replayed);
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
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

enum rp_err repair_look(struct task *task, struct repair *repair)
{
	enum rp_err err = compact_hold(task, repair->volume);

	if (err == RP_OK)
		err = repair_look_journal(task, repair);
	if (err == RP_OK)
		err = check_bodies(task, repair);
	if (err == RP_OK)
		err = repair_look_derived(task, repair);
	if (err == RP_OK)
		err = check_mailboxes(task, repair);
	compact_let_go(repair->volume);
	free(repair->unsound);
	repair->unsound = NULL;
	repair->unsound_count = 0;
	repair->unsound_max = 0;
	return err;
}
