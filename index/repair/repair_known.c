/* What is still known of a user whose journal is damaged: known_*() of repair_core.h.
 *
 * A catalog or an index has all changes up to its LSN, whatever has become of the journal since; the journal has what came
 * later. So each mailbox begins with its newest sound index, though that is ahead of the journal, and meets what records there are
 * behind it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "index/change.h"
#include "index/index_format.h"
#include "index/journal_core.h"
#include "index/journal_look.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"
#include "index/volume_files.h"
#include "io/base/num.h"

void known_init(struct known *known, struct repair *repair)
{
	*known = (struct known){ .repair = repair, .no_records = true, .no_catalog = true };
	kept_init(&known->kept, UINT64_MAX);
}

void known_fini(struct task *task, struct known *known)
{
	free(known->gone);
	free(known->told);
	free(known->moved);
	large_fini(&known->large);
	free(known->index);
	free(known->found);
	free(known->by_emailid);
	kept_fini(task, &known->kept);
}

void *known_grow(void *list, size_t count, size_t *max, size_t bytes)
{
	size_t wanted = *max != 0 ? 2 * *max : 64;
	void *p = list;

	if (count < *max)
		return list;
	p = realloc(list, wanted * bytes);
	if (p != NULL)
		*max = wanted;
	return p;
}

static enum rp_err push(uint64_t **list, size_t *count, size_t *max, uint64_t value)
{
	uint64_t *p = known_grow(*list, *count, max, sizeof(*p));

	if (p == NULL)
		return RP_ERR_NOMEM;
	*list = p;
	(*list)[(*count)++] = value;
	return RP_OK;
}

static enum rp_err push_index(struct known *known, struct known_index index)
{
	if (known->index_count == known->index_max) {
		size_t wanted = known->index_max != 0 ? 2 * known->index_max : 64;
		struct known_index *p = realloc(known->index, wanted * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		known->index = p;
		known->index_max = wanted;
	}
	known->index[known->index_count++] = index;
	return RP_OK;
}

static int by_mailbox(const void *a, const void *b)
{
	const struct known_index *x = a;
	const struct known_index *y = b;

	if (x->mailboxid != y->mailboxid)
		return x->mailboxid < y->mailboxid ? -1 : 1;
	return (x->lsn > y->lsn) - (x->lsn < y->lsn);
}

/* The names alone tell of LSNs and ids that were given out. */
static enum rp_err note_name(struct known *known, struct bytes name)
{
	struct volume_file file = volume_file_parse(name);
	struct journal_file journal;

	if (journal_core_parse_name(name, &journal))
		file.lsn = num_max(journal.first, journal.last);
	known->lsn = num_max(known->lsn, file.lsn);
	known->mailboxid_next = num_max(known->mailboxid_next, file.mailboxid + 1);
	return file.kind == VOLUME_FILE_INDEX
	           ? push_index(known, (struct known_index){file.mailboxid, file.lsn})
	           : RP_OK;
}

static enum rp_err note_names(struct task *task, struct known *known)
{
	struct volume_files files;
	struct arena arena;
	enum rp_err err;

	arena_init(&arena, REPAIR_LIST_BYTES_MAX);
	err = volume_files_list(task, known->repair->volume->dir, &arena, &files);
	for (size_t i = 0; err == RP_OK && i < files.count; i++)
		err = note_name(known, files.entries[i].name);
	arena_fini(&arena);
	if (known->index_count > 0)
		qsort(known->index, known->index_count, sizeof(*known->index), by_mailbox);
	return err;
}

/* One that is ahead of the journal knows more than a replay. */
static enum rp_err take_catalog(struct task *task, struct known *known)
{
	struct volume *volume = known->repair->volume;
	struct catalog ahead;
	enum rp_err err;

	catalog_init(&ahead, volume->catalog.names.key);
	err = volume_read_catalog(task, &volume->userid, UINT64_MAX, &ahead);
	if (err == RP_OK) {
		known->no_catalog = false;
		known->decided = ahead.heard_mailboxid != 0 ? ahead.heard_mailboxid : ahead.sums.mailboxid_next;
		known->lsn = num_max(known->lsn, ahead.lsn);
	}
	bool is_ahead = err == RP_OK && ahead.lsn > volume->catalog.lsn && !ahead.destroyed;

	catalog_fini(&ahead);
	if (is_ahead) {
		catalog_fini(&volume->catalog);
		return volume_read_catalog(
		    task, &volume->userid, UINT64_MAX, &volume->catalog);
	}
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

static enum rp_err push_told(struct known *known, struct known_told told)
{
	struct known_told *p = known_grow(known->told, known->told_count, &known->told_max, sizeof(*p));

	if (p == NULL)
		return RP_ERR_NOMEM;
	known->told = p;
	p[known->told_count++] = told;
	return RP_OK;
}

enum rp_err known_push_moved(struct known *known, struct known_moved moved)
{
	struct known_moved *p = known_grow(known->moved, known->moved_count, &known->moved_max, sizeof(*p));

	if (p == NULL)
		return RP_ERR_NOMEM;
	known->moved = p;
	p[known->moved_count++] = moved;
	return RP_OK;
}

/* Of a record of a MOVE that has several. */
static enum rp_err note_moved(struct known *known, const struct change_item *item)
{
	struct change_rows rows = item->rows;
	enum rp_err err = RP_OK;

	while (err == RP_OK && item->type == CHANGE_ITEM_ROWS && change_rows_next(&rows))
		err = known_push_moved(known, (struct known_moved){rows.row.emailid, item->mailboxid});
	return err;
}

/* Rows that no mailbox has reached: they were part of a change that never became whole. */
static enum rp_err note_rows(struct known *known, unsigned change, const struct change_item *item)
{
	const struct catalog_node *node =
	    catalog_by_id(&known->repair->volume->catalog, item->mailboxid);
	struct change_rows rows = item->rows;
	enum rp_err err = RP_OK;

	while (err == RP_OK && change_rows_next(&rows)) {
		uint64_t place = known_place(rows.row.body);

		err = large_note_row(&known->large, change, item->mailboxid, &rows.row);
		if (err == RP_OK && (node == NULL || rows.row.uid >= node->entry.uidnext))
			err = push_told(known,
			    (struct known_told){place, item->mailboxid, rows.row.uid});
	}
	return err;
}

static enum rp_err note_item(
    struct known *known, unsigned change, const struct change_item *item, bool merged)
{
	enum rp_err err = large_note_item(&known->large, item);

	if (err != RP_OK)
		return err;
	switch (item->type) {
	case CHANGE_ITEM_MAILBOX:
		known->mailboxid_next = num_max(known->mailboxid_next, item->mailboxid + 1);
		return RP_OK;
	case CHANGE_ITEM_GONE:
	case CHANGE_ITEM_KEPT_NAME: /* what a merge has left of one */
		return push(&known->gone, &known->gone_count, &known->gone_max, item->mailboxid);
	case CHANGE_ITEM_ROWS:
	case CHANGE_ITEM_KEPT:
		return note_rows(known, change, item);
	case CHANGE_ITEM_SUMS:
		/* It says nothing of mailboxes that were deleted; nor, where records are lost, of some that were not. */
		if (merged && !known->has_gaps)
			known->decided = num_max(known->decided, item->sums.mailboxid_next);
		known->mailboxid_next = num_max(known->mailboxid_next, item->sums.mailboxid_next);
		return RP_OK;
	default:
		return RP_OK;
	}
}

static enum rp_err note_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct known *known = arg;
	const struct journal *journal = known->repair->volume->journal;
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = RP_OK;

	if (record == NULL) {
		known->has_gaps = true;
		known->lsn = num_max(known->lsn, missing_last);
		large_note_gap(&known->large, missing_last,
		    journal_is_merged_over(journal, missing_first - 1));
		return RP_OK;
	}
	known->no_records = false;
	known->last_record = record->header.lsn;
	known->lsn = num_max(known->lsn, record->header.lsn);
	if (change_check(record->payload) != RP_OK ||
	    change_open(record->payload, &reader) != RP_OK)
		return RP_OK;
	bool in_parts = reader.part > 0 || !reader.last;

	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK) {
		err = note_item(known, record->header.type, &item,
		    journal_is_merged_over(journal, record->header.lsn - 1));
		if (err == RP_OK && record->header.type == CHANGE_MOVE && in_parts)
			err = note_moved(known, &item);
	}
	return err == RP_ERR_END ? task_pause(task) : err;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int known_told_order(const void *a, const void *b)
{
	const struct known_told *x = a;
	const struct known_told *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->mailboxid != y->mailboxid)
		return x->mailboxid < y->mailboxid ? -1 : 1;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

static void sort(uint64_t *list, size_t count)
{
	if (count > 0)
		qsort(list, count, sizeof(*list), by_value);
}

enum rp_err known_gather(struct task *task, struct known *known)
{
	struct volume *volume = known->repair->volume;
	enum rp_err err = note_names(task, known);

	if (err == RP_OK)
		err = take_catalog(task, known);
	if (err == RP_OK)
		err = journal_replay(task, volume->journal, 0, note_record, known);
	if (err != RP_OK)
		return err;
	known->tail_lost = known->lsn > known->last_record ||
	    journal_look_newest_is_gone(volume->journal, &(uint64_t){ 0 }) ||
	    (journal_damaged(volume->journal) != 0 && !known->has_gaps);
	known->lsn = num_max(known->lsn, journal_last_lsn(volume->journal));
	known->lsn = num_max(known->lsn, volume->catalog.lsn);
	known->mailboxid_next =
	    num_max(known->mailboxid_next, volume->catalog.sums.mailboxid_next);
	known->uidvalidity_last = volume->catalog.sums.uidvalidity_last;
	sort(known->gone, known->gone_count);
	if (known->told_count > 0)
		qsort(known->told, known->told_count, sizeof(*known->told), known_told_order);
	return RP_OK;
}

bool known_is_gone(const struct known *known, uint64_t mailboxid)
{
	return mailboxid < known->decided ||
	       (known->gone_count > 0 && bsearch(&mailboxid, known->gone, known->gone_count,
					     sizeof(mailboxid), by_value) != NULL);
}

enum rp_err known_add_mailbox(struct known *known, uint64_t mailboxid, uint32_t uidvalidity,
    unsigned special_use, struct bytes name)
{
	struct catalog *catalog = &known->repair->volume->catalog;
	char recovered[CATALOG_RECOVERED_BYTES];
	struct change_item item = { .type = CHANGE_ITEM_MAILBOX,
		.mailboxid = mailboxid,
		.uidvalidity = uidvalidity,
		.special_use = catalog_with_use(catalog, special_use) == NULL ? special_use : 0,
		.name = name };
	enum rp_err err = name.n != 0 ? catalog_apply(catalog, &item, 0) : RP_ERR_CORRUPT;

	if (err == RP_ERR_CORRUPT) { /* another mailbox has this name by now */
		item.name = catalog_recovered_name(catalog, mailboxid, recovered);
		item.special_use = 0;
		err = catalog_apply(catalog, &item, 0);
	}
	if (err != RP_OK) {
		repair_say(known->repair, "mailbox %llu: there is no name for it, it is left out",
		    (unsigned long long)mailboxid);
		return err == RP_ERR_CORRUPT ? RP_OK : err;
	}
	/* All records may be about it. */
	catalog_by_id(catalog, mailboxid)->changed_lsn = journal_last_lsn(known->repair->volume->journal);
	known->mailboxid_next = num_max(known->mailboxid_next, mailboxid + 1);
	repair_say(known->repair, "mailbox %llu is now %.*s", (unsigned long long)mailboxid,
	    BYTES_FMT(item.name));
	return RP_OK;
}

void known_raise_uidnexts(struct known *known)
{
	for (size_t i = 0; i < known->told_count; i++) {
		const struct known_told *told = &known->told[i];
		struct catalog_node *node =
		    catalog_by_id(&known->repair->volume->catalog, told->mailboxid);

		if (node != NULL && told->uid >= node->entry.uidnext && told->uid < UINT32_MAX)
			node->entry.uidnext = told->uid + 1;
	}
}

/* ---- one mailbox ---- */

/* The header of an index is there though the rest is not: the greatest UID that it has. */
static enum rp_err note_header(
    struct task *task, const char *path, const struct volume *volume, struct known_table *out)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	struct file *file;
	size_t got = 0;
	enum rp_err err = file_open(task, FILE_ROOT_DATA, path, FILE_READ, &file);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND || err == RP_ERR_IO ? RP_OK : err;
	err = file_read_retry(task, file, area, sizeof(area), 0, &got);
	file_close(file);
	if (err == RP_OK && format_check_area(bytes_of(area, got), FORMAT_INDEX, INDEX_VERSION,
				&header) == RP_OK &&
	    userid_eq(&header.userid, &volume->userid))
		out->uidnext = (uint32_t)num_max(out->uidnext,
		    num_min(header.extra[INDEX_EXTRA_LAST_UID] + 1, UINT32_MAX));
	return err == RP_ERR_IO ? RP_OK : err;
}

/* The index with this LSN, read whole. RP_ERR_CORRUPT. */
static enum rp_err read_index(struct task *task, struct volume *volume, uint64_t mailboxid,
    uint64_t lsn, struct table **out)
{
	char path[VOLUME_PATH_BYTES];
	uint64_t found;
	struct table *table;
	enum rp_err err;

	volume_path(volume, path, "%llu.%llu.index", (unsigned long long)mailboxid,
	    (unsigned long long)lsn);
	err = table_open(task, path, &volume->userid, mailboxid, &table, &found);
	if (err != RP_OK)
		return err;
	err = found == lsn ? table_prepare_rows(task, table, NULL) : RP_ERR_CORRUPT;
	if (err == RP_OK && table_is_bad(table))
		err = RP_ERR_CORRUPT;
	if (err != RP_OK)
		table_free(table);
	else
		*out = table;
	return err;
}

/* The newest index file of this mailbox below the bound; 0: none. */
static uint64_t index_below(const struct known *known, uint64_t mailboxid, uint64_t bound)
{
	struct known_index wanted = {mailboxid, bound};
	size_t low = 0;
	size_t high = known->index_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_mailbox(&known->index[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && known->index[low - 1].mailboxid == mailboxid ? known->index[low - 1].lsn : 0;
}

static enum rp_err best_index(struct task *task, struct known *known, uint64_t mailboxid,
    struct known_table *out, uint64_t *lsn)
{
	struct volume *volume = known->repair->volume;
	uint64_t created_lsn = catalog_by_id(&volume->catalog, mailboxid)->created_lsn;
	uint64_t bound = UINT64_MAX;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (bound = index_below(known, mailboxid, bound)) > 0 &&
	       bound >= created_lsn) {
		char path[VOLUME_PATH_BYTES];

		volume_path(volume, path, "%llu.%llu.index", (unsigned long long)mailboxid,
		    (unsigned long long)bound);
		err = note_header(task, path, volume, out);
		if (err != RP_OK || out->table != NULL)
			continue;
		err = read_index(task, volume, mailboxid, bound, &out->table);
		if (err == RP_OK) {
			*lsn = bound;
			out->index_last = (uint32_t)num_min(
			    table_last_uid(out->table), table_heard_uid(out->table));
			out->index_lsn = table_heard_uid(out->table) == UINT32_MAX ? bound : 0;
		} else if (err != RP_ERR_CANCELED && err != RP_ERR_NOMEM) {
			err = RP_OK; /* an older one, or the journal alone */
		}
	}
	if (err == RP_OK && out->table == NULL) {
		*lsn = created_lsn > 0 ? created_lsn - 1 : 0;
		err = table_new(volume->store->loop, mailboxid, &out->table);
	}
	return err;
}

enum rp_err known_table(
    struct task *task, struct known *known, uint64_t mailboxid, struct known_table *out)
{
	struct volume *volume = known->repair->volume;
	uint64_t lsn = 0;
	enum rp_err err;

	*out = (struct known_table){ .uidnext = 1 };
	err = best_index(task, known, mailboxid, out, &lsn);
	if (err == RP_OK)
		err = mailbox_replay_known(task, volume, mailboxid, out->table, lsn);
	if (err == RP_OK)
		out->uidnext = (uint32_t)num_max(out->uidnext,
		    num_min((uint64_t)table_last_uid(out->table) + 1, UINT32_MAX));
	if (err != RP_OK)
		table_free(out->table);
	return err;
}

enum rp_err known_each_table(
    struct task *task, struct known *known, known_table_fn *fn, void *arg)
{
	const struct catalog *catalog = &known->repair->volume->catalog;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < catalog->ids_count; i++) {
		uint64_t mailboxid = catalog->by_id[i]->entry.mailboxid;
		struct known_table of;

		err = known_table(task, known, mailboxid, &of);
		if (err != RP_OK)
			break;
		err = fn(task, arg, mailboxid, &of);
		table_free(of.table);
	}
	return err;
}
