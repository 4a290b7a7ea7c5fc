/* All that is known of a user as a journal: picture_write() of repair_core.h.
 *
 *   what is known -> journal.tmp: mailboxes, messages, who is no more, what is kept, subscriptions, sums
 *     -> synced, named 1+<last>.journal: in this moment all other journals, catalogs and indexes are void, and so is every
 *        record that a commit log still has
 *
 * Its LSNs are above any that was ever given out: those that nothing knows any more too (volume_floor.h). So each message has a new
 * MODSEQ, and each UID that has no message is told as expunged: who asks what changed since is told of all, and never of too little.
 * Where records are lost UIDs go on far above those that are known.
 */
#include <stdlib.h>

#include "index/change.h"
#include "index/journal_merge.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"
#include "index/volume_floor.h"
#include "io/base/num.h"

enum {
	RECORDS_MAX = 1 << 20,
	/* A mailbox whose UIDs are half used up by now gets no more of them for what is lost, but a new UIDVALIDITY. */
	UIDNEXT_HIGH = INT32_MAX,
};

struct picture {
	struct known *known;
	bool end_is_lost; /* the newest records are lost, or may be */
	struct journal_merge *merge;
	struct change_writer writer;
	uint8_t *payload;
	uint64_t lsn; /* of the record that is being written */
	uint64_t last;
	struct change_sums sums;
};

/* One mailbox of it. */
struct pictured {
	uint64_t mailboxid;
	struct known_table of;
	struct table *found; /* messages that only bodies tell of; NULL: none */
	struct runs there;   /* written */
	struct change_counters counters;
	uint32_t row_next; /* UID that continues the rows being written; 0: none are */
};

/* The record is full, or the last one. */
static enum rp_err end_record(struct task *task, struct picture *picture)
{
	struct volume *volume = picture->known->repair->volume;
	struct record_header header = {.type = CHANGE_INIT,
	    .userid = volume->userid,
	    .epoch = volume->store->epoch,
	    .lsn = picture->lsn};
	enum rp_err err;

	if (picture->lsn + 1 == picture->last)
		return RP_ERR_LIMIT;
	err =
	    journal_merge_put(task, picture->merge, &header, change_finish(&picture->writer, true));
	picture->lsn++;
	change_begin(&picture->writer, picture->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
	return err;
}

/* An item that must have room, in this record or the next. */
#define PICTURE_PUT(task, picture, put)                                                            \
	do {                                                                                       \
		while (!(put)) {                                                                   \
			enum rp_err end_err = end_record(task, picture);                           \
			if (end_err != RP_OK)                                                      \
				return end_err;                                                    \
		}                                                                                  \
	} while (0)

static void end_rows(struct picture *picture, struct pictured *mailbox)
{
	if (mailbox->row_next != 0)
		change_rows_end(&picture->writer);
	mailbox->row_next = 0;
}

static enum rp_err put_row(struct task *task, struct picture *picture, struct pictured *mailbox,
    const struct change_row *row)
{
	struct change_counters *counters = &mailbox->counters;

	if (mailbox->row_next != row->uid || !change_rows_put(&picture->writer, row)) {
		end_rows(picture, mailbox);
		PICTURE_PUT(task, picture,
		    change_rows_begin(&picture->writer, mailbox->mailboxid, row->uid));
		if (!change_rows_put(&picture->writer, row))
			return RP_ERR_LIMIT; /* there is room for one where rows begin */
	}
	mailbox->row_next = row->uid + 1;
	counters->messages_count++;
	counters->unseen_count += (row->flags & MAIL_SEEN) == 0;
	counters->deleted_count += (row->flags & MAIL_DELETED) != 0;
	counters->bytes += row->rfc822_size_bytes;
	return runs_add(&mailbox->there, row->uid, row->uid);
}

static struct change_row row_of(const struct table_row *row)
{
	return (struct change_row){.uid = row->uid,
	    .flags = row->flags & ((1u << CHANGE_FLAG_KEYWORD) - 1),
	    .internaldate = row->internaldate,
	    .sent = row->sent,
	    .rfc822_size_bytes = row->rfc822_size_bytes,
	    .savedate_s = row->savedate_s,
	    .body = row->body,
	    .emailid = row->emailid,
	    .threadid = row->threadid};
}

/* Of a message that its body alone tells of. */
static enum rp_err put_found(struct task *task, struct picture *picture, struct pictured *mailbox,
    const struct change_row *row)
{
	struct repair *repair = picture->known->repair;
	const struct catalog_node *node =
	    catalog_by_id(&repair->volume->catalog, mailbox->mailboxid);

	picture->known->recovered++;
	repair_say_body(repair, mailbox->mailboxid, node->entry.name, row->uid, row->body,
	    "its body alone tells of it");
	return put_row(task, picture, mailbox, row);
}

/* Its record alone told where its body was moved to. */
static void say_moved(
    const struct picture *picture, const struct pictured *mailbox, const struct change_row *row)
{
	struct repair *repair = picture->known->repair;
	const struct catalog_node *node =
	    catalog_by_id(&repair->volume->catalog, mailbox->mailboxid);

	repair_say_body(repair, mailbox->mailboxid, node->entry.name, row->uid, row->body,
	    "its body has been moved here");
}

static enum rp_err put_known(struct task *task, struct picture *picture, struct pictured *mailbox,
    struct table *table, uint32_t uid)
{
	struct table_row known;
	struct change_row row;
	enum rp_err err = table_row(task, table, uid, false, &known, NULL);

	if (err != RP_OK)
		return err;
	row = row_of(&known);
	if (bodies_moved(picture->known, row.emailid, row.rfc822_size_bytes, &row.body))
		say_moved(picture, mailbox, &row);
	return (table == mailbox->found ? put_found : put_row)(task, picture, mailbox, &row);
}

static uint32_t uid_after(const struct table *table, uint32_t uid)
{
	return table != NULL && uid < UINT32_MAX ? table_uid_from(table, uid + 1, false) : 0;
}

/* Those that have no UID yet. */
static enum rp_err put_new(struct task *task, struct picture *picture, struct pictured *mailbox)
{
	struct known *known = picture->known;
	size_t at;
	size_t end;
	enum rp_err err = RP_OK;

	bodies_of(known, mailbox->mailboxid, &at, &end);
	for (; err == RP_OK && at < end && mailbox->counters.uidnext < UINT32_MAX; at++) {
		struct change_row row;

		if (!bodies_is_new(known, &known->found[at]))
			continue;
		err = bodies_row(
		    task, known, &known->found[at], mailbox->counters.uidnext, &row);
		if (err == RP_OK)
			err = put_found(task, picture, mailbox, &row);
		mailbox->counters.uidnext++;
	}
	return err;
}

/* Those that a table has and those that only bodies tell of, by UID. */
static enum rp_err put_messages(
    struct task *task, struct picture *picture, struct pictured *mailbox)
{
	uint32_t uid = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK) {
		uint32_t next = uid_after(mailbox->of.table, uid);
		uint32_t found = uid_after(mailbox->found, uid);

		if (next == 0 && found == 0)
			break;
		uid = next == 0 || (found != 0 && found < next) ? found : next;
		err = put_known(task, picture, mailbox,
		    uid == found ? mailbox->found : mailbox->of.table, uid);
		if (err == RP_OK)
			err = task_pause(task);
	}
	if (err == RP_OK)
		err = put_new(task, picture, mailbox);
	end_rows(picture, mailbox);
	return err;
}

static enum rp_err put_keywords(
    struct task *task, struct picture *picture, struct pictured *mailbox, struct table *table)
{
	for (unsigned k = 0; k < table_keywords_count(table); k++) {
		struct runs uids = RUNS_EMPTY;
		size_t at = 0;
		enum rp_err err =
		    table_having_flag(task, table, NULL, CHANGE_FLAG_KEYWORD + k, true, &uids);

		while (err == RP_OK && uids.count > 0 &&
		       !change_put_flag(&picture->writer, mailbox->mailboxid, CHANGE_FLAG_KEYWORD,
		           table_keyword_name(table, k), true, &uids, &at))
			err = end_record(task, picture);
		runs_fini(&uids);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* All UIDs that were given out and have no message. */
static enum rp_err put_expunged(
    struct task *task, struct picture *picture, struct pictured *mailbox)
{
	struct runs gone = RUNS_EMPTY;
	uint32_t from = 1;
	size_t at = 0;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i <= mailbox->there.count; i++) {
		bool more = i < mailbox->there.count;
		uint32_t to = more ? mailbox->there.run[i].first : mailbox->counters.uidnext;

		if (from < to)
			err = runs_add(&gone, from, to - 1);
		from = more ? mailbox->there.run[i].last + 1 : from;
	}
	while (err == RP_OK && gone.count > 0 &&
	       !change_put_expunged(&picture->writer, mailbox->mailboxid, 0, &gone, &at))
		err = end_record(task, picture);
	runs_fini(&gone);
	return err;
}

/* May records be lost that are newer than the last one that tells of this mailbox? */
static bool has_lost(const struct picture *picture, const struct catalog_entry *entry)
{
	return picture->end_is_lost ||
	       entry->highestmodseq <= picture->known->repair->volume->missing_lsn;
}

/* Above every UID that anything knows. */
static uint32_t uidnext_of(
    const struct picture *picture, const struct pictured *mailbox, uint32_t uidnext)
{
	size_t from;
	size_t to;

	uidnext = (uint32_t)num_max(uidnext, mailbox->of.uidnext);
	bodies_of(picture->known, mailbox->mailboxid, &from, &to);
	for (; from < to; from++)
		uidnext = (uint32_t)num_max(uidnext,
		    num_min((uint64_t)picture->known->found[from].message.uid + 1, UINT32_MAX));
	return uidnext;
}

static enum rp_err put_all(struct task *task, struct picture *picture, struct pictured *mailbox)
{
	enum rp_err err = put_messages(task, picture, mailbox);

	if (err == RP_OK)
		err = put_keywords(task, picture, mailbox, mailbox->of.table);
	if (err == RP_OK && mailbox->found != NULL)
		err = put_keywords(task, picture, mailbox, mailbox->found);
	if (err == RP_OK)
		err = put_expunged(task, picture, mailbox);
	if (err != RP_OK)
		return err;
	PICTURE_PUT(task, picture,
	    change_put_counters(&picture->writer, mailbox->mailboxid, &mailbox->counters));
	picture->sums.messages_count += mailbox->counters.messages_count;
	picture->sums.bytes += mailbox->counters.bytes;
	return RP_OK;
}

static enum rp_err begin_mailbox(struct task *task, struct picture *picture,
    const struct catalog_entry *entry, uint32_t uidvalidity)
{
	PICTURE_PUT(task, picture,
	    change_put_mailbox(
	        &picture->writer, entry->mailboxid, uidvalidity, entry->special_use, entry->name));
	return RP_OK;
}

static enum rp_err put_mailbox(
    struct task *task, struct picture *picture, const struct catalog_node *node)
{
	const struct catalog_entry *entry = &node->entry;
	struct volume *volume = picture->known->repair->volume;
	struct pictured mailbox = {.mailboxid = entry->mailboxid};
	uint32_t uidvalidity = entry->uidvalidity;
	enum rp_err err = known_table(task, picture->known, entry->mailboxid, &mailbox.of);

	if (err != RP_OK)
		return err;
	mailbox.counters.uidnext = uidnext_of(picture, &mailbox, entry->uidnext);
	if (picture->known->no_records || picture->known->repair->restored || uidvalidity == 0 ||
	    (has_lost(picture, entry) && mailbox.counters.uidnext > UIDNEXT_HIGH)) {
		uidvalidity = volume_uidvalidity(volume, picture->sums.uidvalidity_last);
		picture->sums.uidvalidity_last = uidvalidity;
	} else if (has_lost(picture, entry)) {
		mailbox.counters.uidnext = volume_floor_uidnext(mailbox.counters.uidnext);
	}
	err = begin_mailbox(task, picture, entry, uidvalidity);
	if (err == RP_OK)
		err = bodies_table(
		    task, picture->known, entry->mailboxid, &mailbox.of, &mailbox.found);
	if (err == RP_OK)
		err = put_all(task, picture, &mailbox);
	table_free(mailbox.of.table);
	table_free(mailbox.found);
	runs_fini(&mailbox.there);
	return err;
}

static enum rp_err put_kept(struct task *task, struct picture *picture)
{
	enum rp_err err;

	while ((err = kept_write(task, &picture->known->kept, &picture->writer)) == RP_ERR_LIMIT)
		if ((err = end_record(task, picture)) != RP_OK)
			return err;
	return err;
}

static enum rp_err put_rest(struct task *task, struct picture *picture)
{
	const struct catalog *catalog = &picture->known->repair->volume->catalog;
	enum rp_err err = put_kept(task, picture);

	if (err != RP_OK)
		return err;
	for (size_t i = 0; i < catalog->count; i++)
		if (catalog->by_name[i]->entry.subscribed)
			PICTURE_PUT(task, picture,
			    change_put_subscription(
			        &picture->writer, catalog->by_name[i]->entry.name, true));
	for (size_t i = 0; i < catalog->delivered.count; i++)
		PICTURE_PUT(task, picture,
		    change_put_delivery(&picture->writer, delivered_at(&catalog->delivered, i)));
	/* The sums are the last record's: its LSN stands in the name of the file. */
	if (!change_is_empty(&picture->writer)) {
		err = end_record(task, picture);
		if (err != RP_OK)
			return err;
	}
	picture->lsn = picture->last;
	if (!change_put_sums(&picture->writer, &picture->sums))
		return RP_ERR_LIMIT;
	return RP_OK;
}

/* May numbers have been given to mailboxes that nothing tells of? Where bodies know of a greater one than records do, the sums in
 * these are of no use: an opening has guessed them, by a clock that was set back. */
static bool sums_are_lost(const struct picture *picture)
{
	const struct volume *volume = picture->known->repair->volume;

	return picture->end_is_lost || volume->catalog.sums_lsn < volume->missing_lsn ||
	       picture->sums.uidvalidity_last > picture->known->uidvalidity_last;
}

static enum rp_err put_picture(struct task *task, struct picture *picture)
{
	struct volume *volume = picture->known->repair->volume;
	const struct catalog *catalog = &volume->catalog;
	struct record_header header = {.type = CHANGE_INIT,
	    .userid = volume->userid,
	    .epoch = volume->store->epoch,
	    .lsn = picture->last};
	enum rp_err err = RP_OK;

	picture->sums.mailboxid_next = picture->known->mailboxid_next;
	picture->sums.uidvalidity_last = (uint32_t)num_max(catalog->sums.uidvalidity_last, picture->known->uidvalidity_found);
	for (size_t i = 0; i < catalog->ids_count; i++) /* a file of bodies may know of one */
		picture->sums.uidvalidity_last = (uint32_t)num_max(
		    picture->sums.uidvalidity_last, catalog->by_id[i]->entry.uidvalidity);
	if (sums_are_lost(picture))
		volume_floor_sums(volume, &picture->sums);
	change_begin(&picture->writer, picture->payload, CHANGE_PAYLOAD_BYTES_MAX, 0);
	for (size_t i = 0; err == RP_OK && i < catalog->ids_count; i++)
		err = put_mailbox(task, picture, catalog->by_id[i]);
	if (err == RP_OK)
		err = put_rest(task, picture);
	if (err == RP_OK)
		err = journal_merge_put(
		    task, picture->merge, &header, change_finish(&picture->writer, true));
	return err;
}

static enum rp_err count_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	(void)task;
	(void)missing_first;
	(void)missing_last;
	*(uint64_t *)arg = record->header.lsn;
	return change_check(record->payload);
}

enum rp_err picture_write(struct task *task, struct known *known)
{
	struct volume *volume = known->repair->volume;
	struct picture picture = {.known = known,
	    .end_is_lost =
	        known->tail_lost || known->repair->restored || volume_floor_end_is_lost(volume)};
	uint64_t read_back = 0;
	enum rp_err err;

	/* MODSEQs have 63 bits: no record has such a number, but somebody's file may be named so. */
	if (known->lsn > VOLUME_FLOOR_LSN_MAX - RECORDS_MAX) {
		repair_say(known->repair, "a file has a name with LSN %llu, which was never given out",
		    (unsigned long long)known->lsn);
		return RP_ERR_LIMIT;
	}
	picture.lsn = volume_floor_lsn(volume, known->lsn) + 1;
	picture.last = picture.lsn + RECORDS_MAX;
	picture.payload = malloc(CHANGE_PAYLOAD_BYTES_MAX);
	if (picture.payload == NULL)
		return RP_ERR_NOMEM;
	err = journal_replace_begin(task, volume->journal, picture.last, &picture.merge);
	if (err == RP_OK) {
		err = put_picture(task, &picture);
		if (err == RP_OK)
			err = journal_merge_replay(task, picture.merge, count_record, &read_back);
		if (err == RP_OK && read_back != picture.last)
			err = RP_ERR_CORRUPT;
		if (err == RP_OK)
			err = journal_replace_end(task, picture.merge);
		else
			journal_merge_abort(task, picture.merge);
	}
	free(picture.payload);
	return err;
}
