/* Whether an open volume's files are sound: repair_look() of repair_core.h. Nothing is changed. */
#include <stdio.h>
#include <stdlib.h>

#include "index/compact.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"
#include "index/volume_files.h"
#include "io/base/num.h"
#include "io/base/runs.h"

enum { LEVEL_TRIES_MAX = 64 };

static struct bytes name_of(const struct repair *repair, uint64_t mailboxid)
{
	const struct catalog_node *node = catalog_by_id(&repair->volume->catalog, mailboxid);

	return node != NULL ? node->entry.name : bytes_of(NULL, 0);
}

/* By the index, and by the journal alone. Where records are lost all that is older is told anew, with a greater MODSEQ. */
static bool same_row(const struct table_row *a, const struct table_row *b, bool lost)
{
	return a->uid == b->uid && a->flags == b->flags &&
	       (a->modseq == b->modseq || (lost && a->modseq < b->modseq)) &&
	       a->internaldate.seconds == b->internaldate.seconds &&
	       a->internaldate.zone_min == b->internaldate.zone_min &&
	       a->sent.seconds == b->sent.seconds && a->rfc822_size_bytes == b->rfc822_size_bytes &&
	       a->savedate_s == b->savedate_s && a->body.file == b->body.file &&
	       a->body.offset == b->body.offset && a->emailid == b->emailid &&
	       a->threadid == b->threadid && a->keywords_count == b->keywords_count;
}

static enum rp_err check_body(
    struct task *task, struct repair *repair, uint64_t mailboxid, const struct table_row *row)
{
	enum repair_body state;
	enum rp_err err = repair_try_body(task, repair, row->body, row->emailid, &state);

	if (err != RP_OK || state == REPAIR_BODY_WHOLE)
		return err;
	repair->report->messages_bodiless++;
	if (state != REPAIR_BODY_UNREAD)
		err = repair_keep_lost(&repair->lost,
		    &(struct repair_message){
		        mailboxid, row->uid, row->rfc822_size_bytes, row->emailid, row->body});
	if (err == RP_OK)
		repair_say_body(repair, mailboxid, name_of(repair, mailboxid), row->uid, row->body,
		    state == REPAIR_BODY_DAMAGED ? "its body is damaged"
		                                 : "its body cannot be read");
	return err;
}

/* What UIDs are to be named in one line, at most. */
enum { UIDS_NAMED_MAX = 16 };

static void list_uids(const struct runs *uids, char *text, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < uids->count && i < UIDS_NAMED_MAX; i++) {
		const struct run *run = &uids->run[i];
		const char *comma = i > 0 ? "," : "";
		int put =
		    run->first == run->last
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
	struct bytes name = name_of(repair, mailboxid);

	repair->report->mailboxes_wrong++;
	if (uids->count == 0) {
		repair_say(repair, "mailbox %llu (%.*s): its index is not as the journal says",
		    (unsigned long long)mailboxid, (int)name.n, (const char *)name.p);
		return;
	}
	list_uids(uids, text, sizeof(text));
	repair_say(repair, "mailbox %llu (%.*s), UID %s: %s", (unsigned long long)mailboxid,
	    (int)name.n, (const char *)name.p, text,
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
	bool lost = repair->report->records_missing != 0;
	uint32_t uid = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (uid = next_uid(table, replayed, uid)) != 0) {
		struct table_row a;
		struct table_row b;
		bool in_table = table_row(task, table, uid, false, &a, NULL) == RP_OK;
		bool in_journal = table_has(replayed, uid, false);

		if (in_journal)
			err = table_row(task, replayed, uid, false, &b, NULL);
		if (err == RP_OK && !(in_table && in_journal && same_row(&a, &b, lost)))
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
		err = mailbox_catch_up(
		    task, volume, mailboxid, twice->replayed, created > 0 ? created - 1 : 0);
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
		size_t i = catalog_id_lower(catalog, last + 1);

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

	repair_fini(repair); /* of an earlier look */
	if (err == RP_OK)
		err = repair_look_journal(task, repair);
	if (err == RP_OK)
		err = repair_look_boxes(task, repair);
	if (err == RP_OK)
		err = repair_look_derived(task, repair);
	volume_notes_hold(repair->volume);
	if (err == RP_OK)
		err = check_mailboxes(task, repair);
	volume_notes_let_go(repair->volume);
	if (err == RP_OK)
		err = repair_look_kept(task, repair);
	compact_let_go(repair->volume);
	return err;
}
